//! The function's wiring around a resource that panics, hangs, or blocks its thread: what the
//! real resources cannot be made to do, and what has to be answered all the same. For the tests
//! of the process; built in the release profile it shows that the guard works in what is deployed.
//!
//! The property `Behaviour` says what it does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cfn_gitops::cfn::{
    self, Clock, ContinuationError, Failure, Handled, Outcome, Progress, Request, Resource,
};
use cfn_gitops::http::{Http, ResponseHosts};
use cfn_gitops::logging;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;

struct Misbehaving;

impl Resource for Misbehaving {
    fn physical_id(&self, _: &Request) -> String {
        "misbehaving".to_owned()
    }

    async fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> Result<Outcome, Failure> {
        progress.doing("misbehaving as told");
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

// As in the function itself.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), lambda_runtime::Error> {
    logging::init();
    let http = &Http::over_reqwest()?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        let clock = Clock::System;
        let request = Request::find(event.payload.get(), clock.now()).ok_or("no request")?;
        let ends = event.context.deadline();
        let put = |url, body| http.put(ResponseHosts::S3OrLoopback, url, body);
        // It does not go on in another invocation, so nothing is handed over.
        let hand_over = |_| async { Err(ContinuationError::OutcomeUnknown) };
        let resource = Arc::new(Misbehaving);
        match cfn::answer(resource, request, ends, &clock, put, hand_over).await {
            Handled::Responded { body, delivery } => {
                delivery?;
                Ok::<Value, lambda_runtime::Error>(body)
            }
            Handled::Continued | Handled::MaybeContinued => Err("handed over".into()),
        }
    }))
    .await
}
