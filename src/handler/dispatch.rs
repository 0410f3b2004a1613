//! Handles one event of any kind: dispatches it, catches a panic, and logs the outcome.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument;

use super::context::{Handler, Invocation};
use super::error::HandlerError;
use super::guard::{catch_panic, run_guarded};
use super::request::RequestScope;
use crate::common::logging;
use crate::common::logging::{CallCounter, millis};
use crate::handler::self_invocation;
use cfn_custom_resource::{MAX_EVENT_BYTES, Request};

impl Handler {
    /// Handles one event. For a CloudFormation request the result is the response that
    /// CloudFormation received.
    ///
    /// # Errors
    /// If the event is of no known kind, if it failed, or if its response could not be delivered
    /// and Lambda should deliver the event again.
    pub fn handle<'a>(
        &'a self,
        event: &'a str,
        invocation: &'a Invocation,
    ) -> BoxFuture<'a, Result<Value, HandlerError>> {
        Box::pin(self.handle_and_log(event, invocation))
    }

    async fn handle_and_log(
        &self,
        event: &str,
        invocation: &Invocation,
    ) -> Result<Value, HandlerError> {
        let span = logging::invocation(&invocation.request_id);
        let calls = CallCounter::default();
        let started = Instant::now();
        let work = Box::pin(self.dispatch(event, invocation, &calls));
        let work = calls.count(catch_panic(work));
        let outcome = work.instrument(span.clone()).await;
        let outcome = outcome.unwrap_or(Err(HandlerError::Panicked));
        span.in_scope(|| log_outcome(&outcome, started.elapsed(), &calls));
        outcome
    }

    async fn dispatch(
        &self,
        event: &str,
        invocation: &Invocation,
        calls: &CallCounter,
    ) -> Result<Value, HandlerError> {
        let (event, position) = self_invocation::parse(event);
        let received_at = position.received_at(self.clients.clock.now());
        if let Some(request) = Request::parse(event, received_at) {
            let scope = RequestScope {
                event,
                position,
                received_at,
                invocation,
                calls,
            };
            return self.handle_request(request, &scope).await;
        }
        if event.len() > MAX_EVENT_BYTES {
            return Err(HandlerError::EventTooLarge(event.len()));
        }
        let time = self.clients.clock.until(self.deadline(invocation));
        let (handler, calls) = (self.clone(), calls.clone());
        let (event, invocation) = (event.to_owned(), invocation.clone());
        let work = async move {
            let work = Box::pin(handler.handle_other_event(&event, &invocation));
            calls.count(work).await
        };
        run_guarded(&self.worker, work, time).await?
    }
}

/// Logs the last line of an invocation: the outcome, the duration, and the number of AWS calls.
fn log_outcome(outcome: &Result<Value, HandlerError>, duration: Duration, calls: &CallCounter) {
    let duration_ms = millis(duration);
    let (aws_calls, aws_retries) = (calls.made(), calls.retried());
    match outcome {
        Ok(result) => {
            let status = match result["Status"].as_str() {
                Some(status) => status,
                None if result["Continuation"].is_object() => "CONTINUED",
                None => "SUCCESS",
            };
            tracing::info!(status, duration_ms, aws_calls, aws_retries, "end");
        }
        Err(error) => {
            let status = "ERROR";
            let code = error.code().to_string();
            tracing::error!(status, %error, code, duration_ms, aws_calls, aws_retries, "end");
        }
    }
}
