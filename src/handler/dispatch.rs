//! Handles one event of any kind: dispatches it, catches a panic, and logs the outcome.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument;

use super::context::{Handler, Invocation};
use super::error::HandlerError;
use super::event::Event;
use super::guard::{catch_panic, run_guarded};
use super::outcome::EventOutcome;
use crate::answers::Question;
use crate::common::logging;
use crate::common::logging::{CallCounter, millis};
use crate::common::stop::Stop;

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
        Box::pin(async move {
            let span = logging::invocation(&invocation.request_id);
            let calls = CallCounter::default();
            let started = Instant::now();
            let work = Box::pin(self.dispatch(event, invocation, &calls));
            let work = calls.count(catch_panic(work));
            let outcome = work.instrument(span.clone()).await;
            let outcome = outcome.unwrap_or(Err(HandlerError::Panicked));
            span.in_scope(|| log_outcome(&outcome, started.elapsed(), &calls));
            outcome.map(Value::from)
        })
    }

    async fn dispatch(
        &self,
        text: &str,
        invocation: &Invocation,
        calls: &CallCounter,
    ) -> Result<EventOutcome, HandlerError> {
        let handler = self.clone();
        let deadline = self.deadline(invocation);
        let (function_arn, now) = (&invocation.function_arn, self.clients.clock.now());
        let work: BoxFuture<'static, _> = if let Some(settings) = &self.read_settings {
            let question = Question::parse(text, settings, function_arn)?;
            Box::pin(handler.answer(question.ok_or(HandlerError::UnknownQuestion)?, deadline))
        } else {
            match Event::parse(text, function_arn, now)? {
                Event::Request(request) => {
                    return self.handle_request(*request, invocation, calls).await;
                }
                Event::Rotation(rotation) => Box::pin(handler.handle_rotation(rotation, deadline)),
                Event::Push(push) => Box::pin(handler.handle_push(push)),
                Event::Execution(event) => Box::pin(handler.handle_report(event)),
                Event::Build(event) => Box::pin(handler.handle_review(event)),
                Event::HealthCheck(check) => Box::pin(handler.handle_health_check(check, deadline)),
            }
        };
        let calls = calls.clone();
        let work = async move { calls.count(work).await };
        let ended = run_guarded(&self.worker, work, self.clients.clock.until(deadline)).await?;
        ended.or_else(|stop| match stop {
            Stop::Nothing(because) => {
                let because = because.as_ref();
                tracing::info!(because, "nothing more to do");
                Ok(EventOutcome::ignored(because))
            }
            Stop::Failed(error) => Err(error),
        })
    }
}

/// Logs the last line of an invocation: the outcome, the duration, and the number of AWS calls.
fn log_outcome(
    outcome: &Result<EventOutcome, HandlerError>,
    duration: Duration,
    calls: &CallCounter,
) {
    let duration_ms = millis(duration);
    let (aws_calls, aws_retries) = (calls.made(), calls.retried());
    match outcome {
        Ok(outcome) => {
            let status = outcome.status();
            tracing::info!(status, duration_ms, aws_calls, aws_retries, "end");
        }
        Err(error) => {
            let (status, reason) = ("ERROR", error.reason());
            error!(reason, status, duration_ms, aws_calls, aws_retries, "end");
        }
    }
}
