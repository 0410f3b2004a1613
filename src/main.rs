//! The Lambda function's process: wiring only.

use cfn_gitops::cfn::Clock;
use cfn_gitops::http::Http;
use cfn_gitops::provider::{Invocation, Provider};
use cfn_gitops::{aws, logging};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

// Two threads: one that answers in time while the other is held up.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), lambda_runtime::Error> {
    logging::init();
    // Made by the first event, because reading the TLS roots would delay the start.
    let provider: OnceCell<Provider> = OnceCell::new();
    let provider = &provider;
    // The payload stays raw: the runtime would answer one that it cannot decode with an error
    // that CloudFormation never hears of.
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        let provider = provider.get_or_try_init(from_environment).await?;
        let invocation = Invocation {
            deadline: event.context.deadline(),
            request_id: event.context.request_id,
            function_arn: event.context.invoked_function_arn,
        };
        let answer = provider.answer(event.payload.get(), &invocation).await?;
        Ok::<Value, lambda_runtime::Error>(answer)
    }))
    .await
}

async fn from_environment() -> Result<Provider, lambda_runtime::Error> {
    let config = aws::config_from_environment();
    Ok(Provider::new(&config, Http::over_reqwest()?, Clock::System))
}
