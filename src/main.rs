//! The Lambda function's process: only wiring.

use cfn_custom_resource::Clock;
use cfn_gitops::handler::{Handler, HandlerError, Invocation};
use cfn_gitops::http::Http;
use cfn_gitops::{aws, logging};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

// Two threads: one responds in time if the other is blocked.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), lambda_runtime::Error> {
    logging::init();
    // Created by the first event, because reading the TLS roots would delay the start.
    let handler = &OnceCell::new();
    lambda_runtime::run(service_fn(|event: LambdaEvent<Payload>| async move {
        let invocation = Invocation {
            deadline: event.context.deadline(),
            request_id: event.context.request_id,
            function_arn: event.context.invoked_function_arn,
        };
        let result = async {
            let handler: &Handler = handler.get_or_try_init(from_environment).await?;
            handler.handle(event.payload.text(), &invocation).await
        };
        result.await.map_err(|error| Diagnostic {
            error_type: error.name().to_owned(),
            error_message: error.to_string(),
        })
    }))
    .await
}

async fn from_environment() -> Result<Handler, HandlerError> {
    let config = aws::config_from_environment();
    Ok(Handler::new(&config, Http::over_reqwest()?, Clock::System))
}

/// The event's text. `None` if it is not JSON.
///
/// If a payload cannot be decoded, the runtime itself returns an error with a Rust type as the
/// `errorType`, and CloudFormation never gets a response. So every payload is accepted undecoded.
struct Payload(Option<Box<RawValue>>);

impl Payload {
    fn text(&self) -> &str {
        self.0.as_ref().map_or("", |text| text.get())
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Payload(Box::<RawValue>::deserialize(deserializer).ok()))
    }
}
