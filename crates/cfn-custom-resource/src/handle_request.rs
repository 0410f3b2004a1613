//! Handles one request: runs the handler within its deadlines, and sends one response.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tracing::Instrument;

use crate::send_response::send_response;
use crate::{
    Clock, Deadlines, Failure, Outcome, Progress, Request, RequestType, Resource, Response,
    SendError, Status, Worker,
};

/// The reason of a Create or Update that CloudFormation no longer waits for.
const TOO_LATE: &str =
    "starting the request: CloudFormation no longer waits for it, so this delivery changed nothing";
const REPEAT: &str = "Repeat the stack operation";

/// The result of handling a request.
#[derive(Clone, Debug)]
pub enum Handled {
    /// It has a response.
    Responded {
        /// The status in `body`.
        status: Status,
        /// The response's JSON.
        body: Value,
        /// Whether CloudFormation has the response.
        sent: Result<(), SendError>,
    },
    /// Another invocation continues it, and will respond.
    Continued,
    /// Another invocation may continue it. No response was sent, so that CloudFormation does not
    /// get two. Return an error, so that Lambda delivers the event again.
    MaybeContinued,
}

/// Why another invocation does not continue a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContinuationError {
    /// It was not started.
    #[error("continuing the request in another invocation: {0}")]
    Rejected(String),
    /// So many invocations have worked on it.
    #[error(
        "continuing the request in another invocation: {0} invocations have already continued it"
    )]
    TooOften(u32),
    /// The call that starts it got no response.
    #[error("continuing the request in another invocation: no response")]
    OutcomeUnknown,
}

impl ContinuationError {
    fn remedy(&self) -> &'static str {
        match self {
            ContinuationError::TooOften(_) => {
                "Increase the function's timeout, then repeat the stack operation"
            }
            _ => "Allow the function to invoke itself, then repeat the stack operation",
        }
    }
}

/// Handles `request` and sends its response before the earliest of `invocation_ends`, its
/// `ServiceTimeout` and the expiry of its URL.
///
/// The handler runs in a task of `worker`. If it panics or hangs, the response is FAILED. If it
/// blocks its thread, the response is still sent, because `worker` has a thread of its own.
///
/// `put` sends a body to a URL, and returns the HTTP status. It must not follow redirects, and it
/// must send no `Content-Type`, which is not signed.
///
/// `continue_later` sends the same event to another invocation within a time limit. It is called if
/// the resource is [`RESUMABLE`](Resource::RESUMABLE) and this invocation ends before the request
/// does.
pub async fn handle_request<R, P, F, H, G>(
    resource: Arc<R>,
    request: Request,
    invocation_ends: SystemTime,
    clock: &Clock,
    worker: &Worker,
    put: P,
    continue_later: H,
) -> Handled
where
    R: Resource,
    P: Fn(String, String) -> F,
    F: Future<Output = Result<u16, SendError>>,
    H: FnOnce(Duration) -> G,
    G: Future<Output = Result<(), ContinuationError>>,
{
    let deadlines = Deadlines::new(&request, invocation_ends, clock.now());
    let progress = Progress::new(deadlines.work_until);
    let result = run(&resource, &request, &deadlines, clock, worker, &progress).await;
    let result = if let Some(result) = result {
        result
    } else {
        // The rest of the time is for a response that it failed.
        let limit = clock.until(deadlines.respond_until) / 2;
        let continued = tokio::time::timeout(limit, continue_later(limit)).await;
        match continued.unwrap_or(Err(ContinuationError::OutcomeUnknown)) {
            Ok(()) => {
                tracing::info!("continued in another invocation");
                return Handled::Continued;
            }
            Err(ContinuationError::OutcomeUnknown) => {
                tracing::warn!("maybe continued in another invocation");
                return Handled::MaybeContinued;
            }
            Err(error) => {
                let step = progress.last();
                let text = match resource.failing() {
                    Some(failing) => format!("{step}: {failing}; {error}"),
                    None => format!("{step}: {error}"),
                };
                Err(Failure::new(R::CODES.not_continued, text, error.remedy()))
            }
        }
    };
    let response = response(&*resource, &request, result, &progress);
    let (status, body) = response.body(&request, R::CODES.internal_error);
    let sent = if deadlines.expired {
        Err(SendError::Expired)
    } else {
        let url = &request.response_url;
        send_response(put, url, &body, deadlines.respond_until, clock).await
    };
    if let Err(error) = sent {
        tracing::error!(%error, "the response was not delivered");
    }
    let body = serde_json::from_str(&body).unwrap_or_default();
    Handled::Responded { status, body, sent }
}

/// The response to `request`, which is also logged.
fn response<R: Resource>(
    resource: &R,
    request: &Request,
    result: Result<Outcome, Failure>,
    progress: &Progress,
) -> Response {
    match result {
        Ok(outcome) => {
            tracing::info!(id = outcome.physical_resource_id, "SUCCESS");
            Response {
                status: Status::Success,
                physical_resource_id: outcome.physical_resource_id,
                reason: outcome.note,
                data: outcome.attributes,
            }
        }
        Err(Failure(reason)) => {
            tracing::error!(error = reason.as_error(), "FAILED");
            Response {
                status: Status::Failed,
                // With any other ID, CloudFormation would delete the resource as replaced.
                physical_resource_id: match &request.physical_resource_id {
                    Some(id) => id.clone(),
                    None if progress.has_changes() => resource.physical_id(request),
                    None => resource.rejected_id(request),
                },
                reason: Some(reason),
                data: BTreeMap::new(),
            }
        }
    }
}

/// Runs the handler. `None` if the invocation ends before the request does, and another one can
/// continue it.
async fn run<R: Resource>(
    resource: &Arc<R>,
    request: &Request,
    deadlines: &Deadlines,
    clock: &Clock,
    worker: &Worker,
    progress: &Progress,
) -> Option<Result<Outcome, Failure>> {
    if let Err(failure) = check::<R>(request, deadlines, progress) {
        return Some(Err(failure));
    }
    let work = Arc::clone(resource).handle(request.clone(), progress.clone());
    let mut task = worker.spawn(work.in_current_span());
    let time = clock.until(deadlines.work_until);
    let (code, what, remedy) = match tokio::time::timeout(time, &mut task).await {
        Ok(Ok(result)) => {
            progress.ended(if result.is_ok() { "done" } else { "failed" });
            return Some(result);
        }
        // The panic's text is left out, because it may contain a secret.
        Ok(Err(_)) => {
            progress.ended("internal error");
            let remedy = "Read the function's log";
            (R::CODES.internal_error, "internal error".to_owned(), remedy)
        }
        Err(_) => {
            task.abort();
            let failing = resource.failing();
            progress.ended_because("no time was left", failing.as_deref());
            if R::RESUMABLE && deadlines.outlives_invocation {
                return None;
            }
            let what = "no time was left";
            let what = failing.map_or(what.to_owned(), |failing| format!("{failing}; {what}"));
            let remedy = "Repeat the stack operation, with a longer ServiceTimeout if it has one";
            (R::CODES.out_of_time, what, remedy)
        }
    };
    let step = progress.last();
    Some(Err(Failure::new(code, format!("{step}: {what}"), remedy)))
}

/// Rejects a request that must not be started.
fn check<R: Resource>(
    request: &Request,
    deadlines: &Deadlines,
    progress: &Progress,
) -> Result<(), Failure> {
    let missing = request.missing_members();
    if !missing.is_empty() {
        // Not even a Delete is started: it deletes the resources of a stack and a logical ID.
        let missing = missing.join(", ");
        let problem = format!("reading the request: {missing}: must be a non-empty string");
        let remedy = "Send every member that CloudFormation sends";
        return Err(Failure::new(R::CODES.incomplete_request, problem, remedy));
    }
    let Some(request_type) = request.request_type else {
        let (problem, remedy) = (
            "reading the request: RequestType is unknown",
            "Set it to Create, Update or Delete",
        );
        return Err(Failure::new(R::CODES.incomplete_request, problem, remedy));
    };
    if deadlines.is_too_late() && request_type != RequestType::Delete {
        // CloudFormation never deletes the resources that such a request creates. A Delete is still
        // right: the resource itself skips a Delete that a later request supersedes. An earlier
        // delivery may have changed something.
        progress.changing();
        return Err(Failure::new(R::CODES.expired_request, TOO_LATE, REPEAT));
    }
    Ok(())
}

#[cfg(test)]
#[path = "handle_request_tests.rs"]
mod tests;
