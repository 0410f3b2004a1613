use super::*;
use crate::{ProtocolCodes, ReasonCode};

const INVOCATION: Duration = Duration::from_secs(900);

enum Behaviour {
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
            Behaviour::Panic => panic!("a sentinel"),
            Behaviour::Hang => std::future::pending().await,
        }
    }
}

/// The reason of the FAILED response in an invocation of 15 minutes that begins `seconds` after the
/// signature, and its time. The request has `members` besides those that each has. Lambda rejects
/// a continuation.
async fn failed(behaviour: Behaviour, seconds: u64, members: &str) -> (String, Duration) {
    let signed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_161_300);
    let clock = Clock::starting_at(signed + Duration::from_secs(seconds));
    let event = format!(
        r#"{{"ResponseURL":"https://x/?X-Amz-Date=20261120T075500Z","RequestType":"Create",
                "StackId":"s","RequestId":"r","LogicalResourceId":"l","ResourceType":"Custom::T"
                {members}}}"#
    );
    let (started, worker) = (clock.now(), Worker::default());
    let request = Request::parse(&event, started).expect("a request");
    let present = request.physical_resource_id.clone();
    let handled = handle_request(
        Arc::new(behaviour),
        request,
        started + INVOCATION,
        &clock,
        &worker,
        |_, _| async { Ok(200) },
        |_| async { Err(ContinuationError::Rejected("no function".to_owned())) },
    );
    let Handled::Responded { status, body, sent } = handled.await else {
        panic!("not continued");
    };
    assert_eq!(sent, Ok(()));
    assert_eq!(status, Status::Failed);
    assert_eq!(body["Status"], "FAILED");
    // With another ID, CloudFormation would delete the present resource as replaced.
    assert!(present.is_none_or(|id| body["PhysicalResourceId"] == id));
    let reason = body["Reason"].as_str().expect("a reason").to_owned();
    let took = clock.now().duration_since(started).expect("forwards");
    (reason, took)
}

#[tokio::test(start_paused = true)]
async fn hanging_handler_fails_before_every_deadline() {
    let short = r#","ResourceProperties":{"ServiceTimeout":"30"}"#;
    for (members, seconds, reason) in [
        (
            "",
            800..900,
            "continuing the request in another invocation: no function. Allow the function to invoke itself, then repeat the stack operation - CFG-107",
        ),
        (
            short,
            20..30,
            "no time was left. Repeat the stack operation, with a longer ServiceTimeout if it has one - CFG-105",
        ),
    ] {
        let (found, took) = failed(Behaviour::Hang, 0, members).await;
        assert_eq!(found, format!("testing the protocol: {reason}"));
        assert!(seconds.contains(&took.as_secs()), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_request_is_not_started_and_names_its_code() {
    let (reason, _) = failed(Behaviour::Panic, 3700, "").await;
    assert_eq!(reason, format!("{TOO_LATE}. {REPEAT} - CFG-104"));
    for request_type in ["Create", "Update", "Delete"] {
        let members = format!(
            r#","RequestType":"{request_type}","StackId":null,"ResourceType":"","RequestId":7"#
        );
        let (reason, _) = failed(Behaviour::Panic, 0, &members).await;
        let names = "reading the request: StackId, RequestId, ResourceType: must be a non-empty";
        assert!(
            reason.starts_with(names) && reason.ends_with(" - CFG-101"),
            "{reason}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn failed_update_keeps_its_physical_id() {
    let members = r#","RequestType":"Update","PhysicalResourceId":"present""#;
    let (reason, _) = failed(Behaviour::Panic, 0, members).await;
    assert!(reason.contains("internal error"), "{reason}");
}
