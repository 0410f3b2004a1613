use std::sync::Mutex;

use super::*;
use crate::ProtocolCodes;

const INVOCATION: Duration = Duration::from_secs(900);

const REJECTED: ReasonCode = ReasonCode("CFG-207");

enum Behaviour {
    Succeed,
    Fail,
    Panic,
    Hang,
}

impl Resource for Behaviour {
    const RESUMABLE: bool = true;
    const CODES: ProtocolCodes = ProtocolCodes {
        incomplete_request: ReasonCode("CFG-101"),
        expired_request: ReasonCode("CFG-104"),
        out_of_time: ReasonCode("CFG-105"),
        internal_error: ReasonCode("CFG-106"),
        not_continued: ReasonCode("CFG-107"),
    };

    fn physical_id(&self, _: &Request) -> String {
        "the-id".to_owned()
    }

    async fn handle(self: Arc<Self>, _: Request, progress: Progress) -> Result<Outcome, Failure> {
        progress.doing("testing the protocol");
        match *self {
            Behaviour::Succeed => Ok(Outcome {
                physical_resource_id: "the-id".to_owned(),
                attributes: BTreeMap::from([("Name", "value".to_owned())]),
                note: None,
            }),
            Behaviour::Fail => Err(Failure::new(REJECTED, "making x: no")),
            Behaviour::Panic => panic!("a sentinel"),
            Behaviour::Hang => std::future::pending().await,
        }
    }
}

/// No other invocation continues the request.
async fn alone(_: Duration) -> Result<(), ContinuationError> {
    Err(ContinuationError::Rejected("no function".to_owned()))
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
    Request::parse(&event, clock.now()).expect("a request")
}

/// Handles `request` in an invocation of 15 minutes. Without `status`, the response must not be
/// sent.
async fn handle<G: Future<Output = Result<(), ContinuationError>>>(
    behaviour: Behaviour,
    request: Request,
    clock: &Clock,
    status: Option<u16>,
    continue_later: impl FnOnce(Duration) -> G,
) -> (Handled, usize) {
    let puts = Mutex::new(0);
    let put = |_, _| {
        *puts.lock().expect("puts") += 1;
        async move { Ok(status.expect("no response is sent")) }
    };
    let ends = clock.now() + INVOCATION;
    let (behaviour, worker) = (Arc::new(behaviour), Worker::default());
    let work = handle_request(
        behaviour,
        request,
        ends,
        clock,
        &worker,
        put,
        continue_later,
    );
    let handled = work.await;
    assert!(clock.now() < ends);
    let puts = *puts.lock().expect("puts");
    (handled, puts)
}

async fn answered(behaviour: Behaviour, extra: &str) -> (Value, usize, Duration) {
    let clock = signed_and(0);
    let started = clock.now();
    let request = request(&clock, extra);
    let (answered, puts) = handle(behaviour, request, &clock, Some(200), alone).await;
    let took = clock.now().duration_since(started).expect("forwards");
    (delivered(answered), puts, took)
}

fn delivered(answered: Handled) -> Value {
    let Handled::Responded { body, sent } = answered else {
        panic!("not continued");
    };
    assert_eq!(sent, Ok(()));
    body
}

#[tokio::test(start_paused = true)]
async fn success_and_failure_get_one_response() {
    let (body, puts, _) = answered(Behaviour::Succeed, "").await;
    assert_eq!((body["Status"].as_str(), puts), (Some("SUCCESS"), 1));
    assert_eq!(body["Data"]["Name"], "value");
    let (body, puts, _) = answered(Behaviour::Fail, "").await;
    assert_eq!((body["Status"].as_str(), puts), (Some("FAILED"), 1));
    assert_eq!(body["Reason"], "making x: no - CFG-207");
    assert_eq!(body["PhysicalResourceId"], "the-id");
}

#[tokio::test(start_paused = true)]
async fn panic_fails_without_its_text() {
    let (body, puts, _) = answered(Behaviour::Panic, "").await;
    assert_eq!(puts, 1);
    assert_eq!(
        body["Reason"],
        "testing the protocol: internal error, see the function's log - CFG-106"
    );
}

#[tokio::test(start_paused = true)]
async fn hanging_handler_fails_before_every_deadline() {
    let (body, _, took) = answered(Behaviour::Hang, "").await;
    assert_eq!(body["Status"], "FAILED");
    assert!(took < Duration::from_secs(900) && took > Duration::from_secs(800));
    let extra = r#","ResourceProperties":{"ServiceTimeout":"30"}"#;
    let (_, _, took) = answered(Behaviour::Hang, extra).await;
    assert!(took < Duration::from_secs(30) && took > Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn failed_update_keeps_the_id_of_its_request() {
    let extra = r#","PhysicalResourceId":"old-id""#;
    let (body, _, _) = answered(Behaviour::Fail, extra).await;
    assert_eq!(body["PhysicalResourceId"], "old-id");
}

#[tokio::test(start_paused = true)]
async fn request_after_cloudformations_timeout_is_not_started() {
    let clock = signed_and(3700);
    let request = request(&clock, "");
    let (answered, _) = handle(Behaviour::Panic, request, &clock, Some(200), alone).await;
    let body = delivered(answered);
    assert_eq!(
        (&body["Status"], &body["Reason"]),
        (
            &Value::from("FAILED"),
            &Value::from(format!("{TOO_LATE} - CFG-104"))
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
        let answered = handle(Behaviour::Succeed, request, &clock, None, alone).await;
        let (Handled::Responded { body, sent }, 0) = answered else {
            panic!("{answered:?}");
        };
        assert_eq!(sent, Err(SendError::Expired));
        let status = if starts { "SUCCESS" } else { "FAILED" };
        assert_eq!(body["Status"], status, "{request_type}");
    }
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
async fn work_after_the_invocation_continues_in_another_process() {
    // A Delete continues although its address has expired.
    for (seconds, members) in [(0, ""), (7300, r#","RequestType":"Delete""#)] {
        let clock = signed_and(seconds);
        let request = request(&clock, members);
        let continue_later = |_| async { Ok(()) };
        let handled = handle(Behaviour::Hang, request, &clock, None, continue_later).await;
        assert!(matches!(handled, (Handled::Continued, 0)), "{handled:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn unconfirmed_continuation_is_left_to_the_next_delivery() {
    let clock = signed_and(0);
    for hangs in [false, true] {
        let request = request(&clock, "");
        let continue_later = |_| async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Err(ContinuationError::OutcomeUnknown)
        };
        let handled = handle(Behaviour::Hang, request, &clock, None, continue_later).await;
        assert!(
            matches!(handled, (Handled::MaybeContinued, 0)),
            "{handled:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_continuation_fails_in_time() {
    let (body, puts, took) = answered(Behaviour::Hang, "").await;
    assert_eq!((body["Status"].as_str(), puts), (Some("FAILED"), 1));
    assert_eq!(
        body["Reason"],
        "testing the protocol: continuing the request in another invocation: no function - CFG-107"
    );
    assert!(took < Duration::from_secs(900));
}
