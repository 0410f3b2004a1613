//! One request in, one answer out, whatever happens in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tracing::Instrument;

use super::delivery::deliver;
use super::{
    Clock, Deadlines, Failure, NotPut, Progress, Reason, Request, RequestType, Response, Status,
    Undelivered,
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
    const GOES_ON: bool = false;

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
pub enum Answered {
    /// It was answered.
    Put {
        /// The JSON that was put at the request's address.
        body: Value,
        /// Whether it arrived.
        delivery: Result<(), Undelivered>,
    },
    /// Another invocation goes on with it, and will answer.
    HandedOver,
    /// Perhaps another invocation goes on with it. It is not answered, so that it is not answered
    /// twice: the event should be delivered again.
    PerhapsHandedOver,
}

/// Why a request was not handed over to another invocation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHandedOver {
    /// It certainly was not.
    #[error("handing the request over to another invocation: {0}")]
    Refused(String),
    /// Nobody knows.
    #[error("handing the request over to another invocation: no answer")]
    Unanswered,
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
) -> Answered
where
    R: Resource,
    P: Fn(String, String) -> F,
    F: Future<Output = Result<u16, NotPut>>,
    H: FnOnce(Duration) -> G,
    G: Future<Output = Result<(), NotHandedOver>>,
{
    let deadlines = Deadlines::new(&request, invocation_ends, clock.now());
    let progress = Progress::new(deadlines.work_until);
    let result = match result(&resource, &request, &deadlines, clock, &progress).await {
        Worked::Done(result) => result,
        Worked::CutOff(doing) => {
            // What is left after that is for the answer that it failed.
            let limit = clock.until(deadlines.answer_until) / 2;
            let handed_over = tokio::time::timeout(limit, hand_over(limit)).await;
            match handed_over.unwrap_or(Err(NotHandedOver::Unanswered)) {
                Ok(()) => {
                    tracing::info!(doing, "handed over to another invocation");
                    return Answered::HandedOver;
                }
                Err(NotHandedOver::Unanswered) => {
                    tracing::warn!(doing, "perhaps handed over to another invocation");
                    return Answered::PerhapsHandedOver;
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
        Err(Undelivered::Expired)
    } else {
        let url = &request.response_url;
        deliver(put, url, &body, deadlines.answer_until, clock).await
    };
    if let Err(error) = delivery {
        tracing::error!(%error, "the answer did not arrive");
    }
    let body = serde_json::from_str(&body).unwrap_or_default();
    Answered::Put { body, delivery }
}

/// What became of the work in this invocation.
enum Worked {
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
) -> Worked {
    let failed = |code: Code, what: String| Worked::Done(Err(Failure::new(code, what)));
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
            Worked::Done(result)
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
            if R::GOES_ON && deadlines.outlives_invocation {
                return Worked::CutOff(progress.last());
            }
            let doing = progress.last();
            let reason = format!("{doing}: no time was left; the request may be sent again");
            failed(Code::OutOfTime, reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    enum Behaviour {
        Succeed,
        Fail,
        Panic,
        Hang,
    }

    impl Resource for Behaviour {
        const GOES_ON: bool = true;

        fn physical_id(&self, _: &Request) -> String {
            "the-id".to_owned()
        }

        async fn handle(
            self: Arc<Self>,
            _: Request,
            progress: Progress,
        ) -> Result<Outcome, Failure> {
            progress.doing("testing the protocol");
            match *self {
                Behaviour::Succeed => Ok(Outcome {
                    physical_resource_id: "the-id".to_owned(),
                    attributes: BTreeMap::from([("Name", "value".to_owned())]),
                    note: None,
                }),
                Behaviour::Fail => Err(Failure::new(Code::AwsRejected, "making x: no")),
                Behaviour::Panic => panic!("a sentinel"),
                Behaviour::Hang => std::future::pending().await,
            }
        }
    }

    /// Nobody else would go on with it.
    async fn alone(_: Duration) -> Result<(), NotHandedOver> {
        Err(NotHandedOver::Refused("nobody is there".to_owned()))
    }

    /// The time at which the requests of these tests are signed, and `seconds`.
    fn signed_and(seconds: u64) -> Clock {
        Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_161_300 + seconds))
    }

    /// A request with `members` besides those that each request has. Of two equal ones, theirs
    /// counts.
    fn request(clock: &Clock, members: &str) -> Request {
        let event = format!(
            r#"{{"ResponseURL":"https://x/?X-Amz-Date=20261120T075500Z","RequestType":"Create",
                "StackId":"s","RequestId":"r","LogicalResourceId":"l","ResourceType":"Custom::T"
                {members}}}"#
        );
        Request::find(&event, clock.now()).expect("a request")
    }

    async fn answered(behaviour: Behaviour, extra: &str) -> (Value, usize, Duration) {
        let clock = signed_and(0);
        let request = request(&clock, extra);
        let started = clock.now();
        let puts = Mutex::new(0);
        let put = |_, _| {
            *puts.lock().expect("puts") += 1;
            async { Ok(200) }
        };
        let ends = started + Duration::from_secs(900);
        let answered = answer(Arc::new(behaviour), request, ends, &clock, put, alone).await;
        let took = clock.now().duration_since(started).expect("forwards");
        let puts = *puts.lock().expect("puts");
        (delivered(answered), puts, took)
    }

    fn delivered(answered: Answered) -> Value {
        let Answered::Put { body, delivery } = answered else {
            panic!("nobody can have gone on with it");
        };
        assert_eq!(delivery, Ok(()));
        body
    }

    #[tokio::test(start_paused = true)]
    async fn success_and_failure_are_answered_once() {
        let (body, puts, _) = answered(Behaviour::Succeed, "").await;
        assert_eq!((body["Status"].as_str(), puts), (Some("SUCCESS"), 1));
        assert_eq!(body["Data"]["Name"], "value");
        let (body, puts, _) = answered(Behaviour::Fail, "").await;
        assert_eq!((body["Status"].as_str(), puts), (Some("FAILED"), 1));
        assert_eq!(body["Reason"], "making x: no [CFG-207]");
        assert_eq!(body["PhysicalResourceId"], "the-id");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_answered_without_its_text() {
        let (body, puts, _) = answered(Behaviour::Panic, "").await;
        assert_eq!(puts, 1);
        assert_eq!(
            body["Reason"],
            "testing the protocol: internal error, see the function's log [CFG-106]"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_handler_is_answered_before_every_deadline() {
        let (body, _, took) = answered(Behaviour::Hang, "").await;
        assert_eq!(body["Status"], "FAILED");
        assert!(took < Duration::from_secs(900) && took > Duration::from_secs(800));
        let extra = r#","ResourceProperties":{"ServiceTimeout":"30"}"#;
        let (_, _, took) = answered(Behaviour::Hang, extra).await;
        assert!(took < Duration::from_secs(30) && took > Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_update_keeps_the_id_that_the_request_carries() {
        let extra = r#","PhysicalResourceId":"old-id""#;
        let (body, _, _) = answered(Behaviour::Fail, extra).await;
        assert_eq!(body["PhysicalResourceId"], "old-id");
    }

    #[tokio::test(start_paused = true)]
    async fn what_cloudformation_gave_up_on_is_not_begun() {
        let clock = signed_and(3700);
        let put = |_, _| async { Ok(200) };
        let ends = clock.now() + Duration::from_secs(900);
        let behaviour = Arc::new(Behaviour::Panic);
        let request = request(&clock, "");
        let answered = answer(behaviour, request, ends, &clock, put, alone).await;
        let body = delivered(answered);
        assert_eq!(
            (&body["Status"], &body["Reason"]),
            (
                &Value::from("FAILED"),
                &Value::from(format!("{TOO_LATE} [CFG-104]"))
            )
        );
    }

    #[tokio::test(start_paused = true)]
    async fn expired_request_starts_only_if_it_is_a_delete() {
        for (request_type, starts) in [("Create", false), ("Update", false), ("Delete", true)] {
            // `ServiceTimeout` has not passed, the address's validity has.
            let clock = signed_and(120);
            let url = "https://x/?X-Amz-Date=20261120T075500Z&X-Amz-Expires=60";
            let members = format!(r#","RequestType":"{request_type}","ResponseURL":"{url}""#);
            let request = request(&clock, &members);
            let put = |_, _| async { panic!("the address has expired") };
            let ends = clock.now() + Duration::from_secs(900);
            let answered = answer(
                Arc::new(Behaviour::Succeed),
                request,
                ends,
                &clock,
                put,
                alone,
            );
            let Answered::Put { body, delivery } = answered.await else {
                panic!("nobody can have gone on with it");
            };
            assert_eq!(delivery, Err(Undelivered::Expired));
            let status = if starts { "SUCCESS" } else { "FAILED" };
            assert_eq!(body["Status"], status, "{request_type}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn expired_delete_that_outlives_its_invocation_is_handed_over() {
        let clock = signed_and(7300);
        let request = request(&clock, r#","RequestType":"Delete""#);
        let put = |_, _| async { panic!("the address has expired") };
        let ends = clock.now() + Duration::from_secs(900);
        let hand_over = |_| async { Ok(()) };
        let behaviour = Arc::new(Behaviour::Hang);
        let answered = answer(behaviour, request, ends, &clock, put, hand_over).await;
        assert!(matches!(answered, Answered::HandedOver));
    }

    #[tokio::test(start_paused = true)]
    async fn request_without_members_fails_and_names_them() {
        for request_type in ["Create", "Update", "Delete"] {
            // Started, it would not succeed.
            let members = format!(
                r#","RequestType":"{request_type}","StackId":null,"ResourceType":"","RequestId":7"#
            );
            let (body, puts, _) = answered(Behaviour::Panic, &members).await;
            assert_eq!((body["Status"].as_str(), puts), (Some("FAILED"), 1));
            let reason = body["Reason"].as_str().expect("a reason");
            let names = "reading the request: StackId, RequestId, ResourceType: ";
            assert!(reason.starts_with(names), "{reason}");
            assert_eq!(body["LogicalResourceId"], "l");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_outlives_its_invocation_is_handed_over_and_not_answered() {
        let clock = signed_and(0);
        let request = request(&clock, "");
        let put = |_, _| async { panic!("the next invocation answers") };
        let ends = clock.now() + Duration::from_secs(900);
        let hand_over = |_| async { Ok(()) };
        let behaviour = Arc::new(Behaviour::Hang);
        let answered = answer(behaviour, request, ends, &clock, put, hand_over).await;
        assert!(matches!(answered, Answered::HandedOver));
        assert!(clock.now() < ends);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_perhaps_handed_over_is_left_to_its_next_delivery() {
        let clock = signed_and(0);
        for hangs in [false, true] {
            let request = request(&clock, "");
            let put = |_, _| async { panic!("another invocation may answer") };
            let ends = clock.now() + Duration::from_secs(300);
            let hand_over = |_| async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Err(NotHandedOver::Unanswered)
            };
            let behaviour = Arc::new(Behaviour::Hang);
            let answered = answer(behaviour, request, ends, &clock, put, hand_over).await;
            assert!(matches!(answered, Answered::PerhapsHandedOver));
            assert!(clock.now() < ends);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_handed_over_fails_in_time() {
        let (body, puts, took) = answered(Behaviour::Hang, "").await;
        assert_eq!((body["Status"].as_str(), puts), (Some("FAILED"), 1));
        assert_eq!(
            body["Reason"],
            "testing the protocol: handing the request over to another invocation: nobody is there [CFG-107]"
        );
        assert!(took < Duration::from_secs(900));
    }
}
