//! The function with a resource that panics, hangs or blocks its thread, which the real resources
//! never do. For the tests of the process: in the release profile they show that such a request
//! gets a response.
//!
//! The property `Behaviour` selects what it does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cfn_custom_resource::{
    Clock, ContinuationError, Failure, Handled, Outcome, Progress, ProtocolCodes, Request,
    Resource, Worker, handle_request,
};
use cfn_gitops::clients::http::{Http, ResponseHosts};
use cfn_gitops::common::logging;
use cfn_gitops::common::reason_codes;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;

struct Misbehaving;

impl Resource for Misbehaving {
    const CODES: ProtocolCodes = reason_codes::PROTOCOL;

    fn physical_id(&self, _: &Request) -> String {
        "misbehaving".to_owned()
    }

    async fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> Result<Outcome, Failure> {
        progress.doing("misbehaving");
        let properties = request.properties.unwrap_or_default();
        let secret = properties["Secret"].as_str().unwrap_or_default();
        match properties["Behaviour"].as_str() {
            Some("Panic") => panic!("with a secret in the text: {secret}"),
            Some("PanicLater") => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                panic!("later, with a secret in the text: {secret}");
            }
            Some("Hang") => std::future::pending().await,
            Some("Block") => std::thread::sleep(Duration::from_mins(10)),
            _ => {}
        }
        Ok(Outcome {
            physical_resource_id: "misbehaving".to_owned(),
            attributes: BTreeMap::new(),
            note: None,
        })
    }
}

// As in src/main.rs.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    logging::init();
    let http = &Http::over_reqwest()?;
    let current = &Mutex::new(Worker::start()?);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        let clock = Clock::System;
        let request = Request::parse(event.payload.get(), clock.now()).ok_or("no request")?;
        let ends = event.context.deadline();
        let put = |url, body| http.put(ResponseHosts::S3OrLoopback, url, body);
        // The resource is not resumable, so this is not called.
        let continue_later = |_| async { Err(ContinuationError::OutcomeUnknown) };
        let resource = Arc::new(Misbehaving);
        let mut worker = current.lock().map_err(|_| "poisoned")?.clone();
        if worker.is_blocked().await {
            worker = Worker::start()?;
            *current.lock().map_err(|_| "poisoned")? = worker.clone();
        }
        let handled = handle_request(
            resource,
            request,
            ends,
            &clock,
            &worker,
            put,
            continue_later,
        )
        .await;
        match handled {
            Handled::Responded { body, sent, .. } => {
                sent?;
                Ok::<Value, lambda_runtime::Error>(body)
            }
            Handled::Continued | Handled::MaybeContinued => Err("continued".into()),
        }
    }))
    .await
}
