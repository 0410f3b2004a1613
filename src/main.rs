//! The Lambda function's process: only wiring.

use std::sync::{Arc, Mutex, PoisonError};

use cfn_custom_resource::{Clock, Worker};
use cfn_gitops::clients::aws;
use cfn_gitops::clients::http::Http;
use cfn_gitops::common::logging;
use cfn_gitops::gitops_pipeline::spec::FunctionApprovals;
use cfn_gitops::handler::{Handler, HandlerError, Invocation, StartError};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The text for a person who starts this program.
const NOT_THE_COMMAND: &str = "cfn-gitops: this is the Lambda function's program, which only Lambda starts. The \
    operator's command is the file cfn-gitops of the release folder: docs/reference/commands.md";

// This thread receives events and sends responses. The work has a thread of its own: if it is
// blocked, this one responds in time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    // Lambda and `cargo lambda watch` set it. Without it, the runtime would panic.
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        eprintln!("{NOT_THE_COMMAND}");
        std::process::exit(2);
    }
    logging::init();
    let current = &CurrentHandler::default();
    lambda_runtime::run(service_fn(|event: LambdaEvent<Payload>| async move {
        let invocation = Invocation {
            deadline: event.context.deadline(),
            request_id: event.context.request_id,
            function_arn: event.context.invoked_function_arn,
        };
        let result = current.handle(event.payload.text(), &invocation).await;
        result.map_err(|error| Diagnostic {
            error_type: error.name().to_owned(),
            error_message: error.to_string(),
        })
    }))
    .await
}

/// The current handler, which the first event creates. It is replaced if earlier work blocks its
/// thread.
#[derive(Default)]
struct CurrentHandler(Mutex<Option<Arc<Handler>>>);

impl CurrentHandler {
    async fn handle(&self, event: &str, invocation: &Invocation) -> Result<Value, HandlerError> {
        let mut handler = self.get_or_create()?;
        if handler.is_blocked().await {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
            handler = self.get_or_create()?;
        }
        handler.handle(event, invocation).await
    }

    fn get_or_create(&self) -> Result<Arc<Handler>, StartError> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handler) = &*current {
            return Ok(Arc::clone(handler));
        }
        let handler = Arc::new(from_environment()?);
        *current = Some(Arc::clone(&handler));
        Ok(handler)
    }
}

fn from_environment() -> Result<Handler, StartError> {
    let config = aws::config_from_environment();
    let response_http = Http::over_reqwest()?;
    let http = response_http.with_own_connections()?;
    let worker = Worker::start().map_err(|error| StartError::Thread(error.kind()))?;
    let approvals = std::env::var("FUNCTION_APPROVALS").unwrap_or_default();
    let handler = Handler::on_worker(worker, &config, response_http, http, Clock::System)
        .allowing(FunctionApprovals::parse(&approvals));
    match std::env::var("FUNCTION").unwrap_or_default().as_str() {
        "" => Ok(handler),
        "read" => Ok(handler.reading(environment()?)),
        _ => Err(StartError::Variable("FUNCTION")),
    }
}

/// The settings of the environment that the function which only reads answers about. Null without
/// the variable, as in a local run.
fn environment() -> Result<Value, StartError> {
    let text = std::env::var("ENVIRONMENT").unwrap_or_else(|_| "null".to_owned());
    serde_json::from_str(&text).map_err(|_| StartError::Variable("ENVIRONMENT"))
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
