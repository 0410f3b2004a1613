//! One request in, one answer out, whatever happens in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tracing::Instrument;

use super::send_response::deliver;
use super::{
    Clock, Deadlines, Failure, Progress, PutError, Reason, Request, RequestType, Response,
    SendError, Status,
};
use crate::reason_codes::Code;

/// The reason of a Create or Update that CloudFormation takes no response to any more.
const TOO_LATE: &str = "starting the request: CloudFormation no longer waits for it, so this \
    delivery changed nothing. Repeat the stack operation.";

/// What a resource is after it has been made so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Another id than the request's means that the resource was replaced.
    pub physical_resource_id: String,
    /// The attributes for `Fn::GetAtt`.
    pub attributes: BTreeMap<&'static str, String>,
    /// What a person should know although it succeeded: the response's `Reason`.
    pub note: Option<Reason>,
}

/// A resource type that is made and unmade through requests.
pub trait Resource: Send + Sync + 'static {
    /// Whether work that is cut off by the end of its invocation can be gone on with by another
    /// one, which is given the same request. Without it the request fails then.
    const RESUMABLE: bool = false;

    /// The id that `request` will have, or would have had: known before anything is done, never
    /// empty, at most 1 KB, and the same for every delivery of the request.
    fn physical_id(&self, request: &Request) -> String;

    /// The id of a Create that was rejected: it failed before it noted any change
    /// ([`Progress::changing`]). The same conditions hold as for [`Resource::physical_id`].
    /// CloudFormation sends the Delete of the rejected Create with it.
    fn rejected_id(&self, request: &Request) -> String {
        self.physical_id(request)
    }

    /// Does what `request` asks for. Every request may come twice, late, or while another runs.
    fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> impl Future<Output = Result<Outcome, Failure>> + Send;
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Handled {
    /// It was answered.
    Responded {
        /// The JSON that was put at the request's address.
        body: Value,
        /// Whether it arrived.
        delivery: Result<(), SendError>,
    },
    /// Another invocation goes on with it, and will answer.
    Continued,
    /// Perhaps another invocation goes on with it. It is not answered, so that it is not answered
    /// twice: the event should be delivered again.
    MaybeContinued,
}

/// Why a request was not handed over to another invocation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContinuationError {
    /// It certainly was not.
    #[error("handing the request over to another invocation: {0}")]
    Rejected(String),
    /// The request for it got no response.
    #[error("handing the request over to another invocation: no answer")]
    OutcomeUnknown,
}

/// Answers `request` before its time is over: the earliest of `invocation_ends`, its
/// `ServiceTimeout` and the expiry of its address.
///
/// The handler runs in a task of its own. Its panic or its hanging becomes a FAILED, and a
/// handler that blocks its thread does not block this one (on a runtime with a second thread).
///
/// `hand_over` sends the same request to another invocation, within a time. It is called when this
/// one ends before the request does, and the resource goes on.
pub async fn answer<R, P, F, H, G>(
    resource: Arc<R>,
    request: Request,
    invocation_ends: SystemTime,
    clock: &Clock,
    put: P,
    hand_over: H,
) -> Handled
where
    R: Resource,
    P: Fn(String, String) -> F,
    F: Future<Output = Result<u16, PutError>>,
    H: FnOnce(Duration) -> G,
    G: Future<Output = Result<(), ContinuationError>>,
{
    let deadlines = Deadlines::new(&request, invocation_ends, clock.now());
    let progress = Progress::new(deadlines.work_until);
    let result = match result(&resource, &request, &deadlines, clock, &progress).await {
        WorkResult::Done(result) => result,
        WorkResult::CutOff(doing) => {
            // What is left after that is for the answer that it failed.
            let limit = clock.until(deadlines.answer_until) / 2;
            let handed_over = tokio::time::timeout(limit, hand_over(limit)).await;
            match handed_over.unwrap_or(Err(ContinuationError::OutcomeUnknown)) {
                Ok(()) => {
                    tracing::info!(doing, "handed over to another invocation");
                    return Handled::Continued;
                }
                Err(ContinuationError::OutcomeUnknown) => {
                    tracing::warn!(doing, "perhaps handed over to another invocation");
                    return Handled::MaybeContinued;
                }
                Err(error) => Err(Failure::new(
                    Code::NotContinued,
                    format!("{doing}: {error}"),
                )),
            }
        }
    };
    let response = match result {
        Ok(outcome) => Response {
            status: Status::Success,
            physical_resource_id: outcome.physical_resource_id,
            reason: outcome.note,
            data: outcome.attributes,
        },
        Err(Failure(reason)) => Response {
            status: Status::Failed,
            // Any other id would make CloudFormation think that the resource was replaced.
            physical_resource_id: match &request.physical_resource_id {
                Some(id) => id.clone(),
                None if progress.has_changes() => resource.physical_id(&request),
                None => resource.rejected_id(&request),
            },
            reason: Some(reason),
            data: BTreeMap::new(),
        },
    };
    let body = response.body(&request);
    match response.status {
        Status::Success => tracing::info!(id = response.physical_resource_id, "SUCCESS"),
        Status::Failed => {
            let code = response.reason.as_ref().map(|reason| reason.code);
            let code = code.map(tracing::field::display);
            let reason = response.reason.as_ref().map(tracing::field::display);
            tracing::error!(reason, code, "FAILED");
        }
    }
    let delivery = if deadlines.expired {
        Err(SendError::Expired)
    } else {
        let url = &request.response_url;
        deliver(put, url, &body, deadlines.answer_until, clock).await
    };
    if let Err(error) = delivery {
        tracing::error!(%error, "the answer did not arrive");
    }
    let body = serde_json::from_str(&body).unwrap_or_default();
    Handled::Responded { body, delivery }
}

/// What became of the work in this invocation.
enum WorkResult {
    Done(Result<Outcome, Failure>),
    /// The invocation is over, the request is not. What was being done.
    CutOff(String),
}

async fn result<R: Resource>(
    resource: &Arc<R>,
    request: &Request,
    deadlines: &Deadlines,
    clock: &Clock,
    progress: &Progress,
) -> WorkResult {
    let failed = |code: Code, what: String| WorkResult::Done(Err(Failure::new(code, what)));
    let missing = request.missing_members();
    if !missing.is_empty() {
        // Not even a Delete runs: what it would delete belongs to a stack and a logical ID.
        let missing = missing.join(", ");
        let reason = format!(
            "reading the request: {missing}: must be a non-empty string. Send every member that \
             CloudFormation sends."
        );
        return failed(Code::IncompleteRequest, reason);
    }
    let Some(request_type) = request.request_type else {
        let reason = "RequestType: must be Create, Update or Delete";
        return failed(Code::IncompleteRequest, reason.to_owned());
    };
    if deadlines.is_too_late() && request_type != RequestType::Delete {
        // CloudFormation never deletes what such a request creates. A Delete is still right: the
        // resources themselves skip one that a later request has overtaken. An earlier delivery may
        // have changed something.
        progress.changing();
        return failed(Code::ExpiredRequest, TOO_LATE.to_owned());
    }
    let work = Arc::clone(resource).handle(request.clone(), progress.clone());
    let mut task = tokio::spawn(work.in_current_span());
    let time = clock.until(deadlines.work_until);
    match tokio::time::timeout(time, &mut task).await {
        Ok(Ok(result)) => {
            progress.ended(if result.is_ok() { "done" } else { "failed" });
            WorkResult::Done(result)
        }
        // The panic's text is left out: it may hold anything.
        Ok(Err(_)) => {
            progress.ended("internal error");
            let reason = format!(
                "{}: internal error, see the function's log",
                progress.last()
            );
            failed(Code::InternalError, reason)
        }
        Err(_) => {
            task.abort();
            progress.ended("no time was left");
            if R::RESUMABLE && deadlines.outlives_invocation {
                return WorkResult::CutOff(progress.last());
            }
            let doing = progress.last();
            let reason = format!("{doing}: no time was left; the request may be sent again");
            failed(Code::OutOfTime, reason)
        }
    }
}

#[cfg(test)]
mod tests;
