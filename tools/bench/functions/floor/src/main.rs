//! The minimal Lambda function in Rust: it gets an event, and responds.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;
use serde_json::{Value, json};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::run(service_fn(|_: LambdaEvent<Box<RawValue>>| async {
        Ok::<Value, lambda_runtime::Error>(json!({ "Status": "SUCCESS" }))
    }))
    .await
}
