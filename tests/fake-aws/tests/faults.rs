use aws_sdk_iam::config::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::time::Duration;
use tokio::time::{Instant, timeout};

use super::code;
use fake_aws::{
    At, FakeAws, Fault, FaultKind, Line, Run,
    clients::{Clients, sdk_config},
    explore::paused,
    schedules,
};

/// Issues a credential without the SDK's retries, while the first call has this
/// fault. Returns whether that succeeded.
async fn issue_under(fake: &FakeAws, kind: FaultKind) -> Run<bool> {
    fake.inject("test", Fault::at(0, kind));
    let caller = fake.caller("test");
    let config = sdk_config(caller.connector());
    let timeout = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(10));
    let config = aws_sdk_iam::config::Builder::from(&config)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeout.build());
    let iam = aws_sdk_iam::Client::from_conf(config.build());
    let create = send!(iam, create_service_specific_credential,
        user_name: "mirror", service_name: "codecommit.amazonaws.com");
    caller.run(async { create.await.is_ok() }).await
}

fn fake() -> FakeAws {
    let fake = FakeAws::new();
    fake.user("mirror");
    fake
}

#[tokio::test(start_paused = true)]
async fn each_fault_does_what_its_name_says() {
    for (kind, run, credentials) in [
        (FaultKind::RequestLost, Run::Finished(false), 0),
        (FaultKind::AnswerLost, Run::Finished(false), 1),
        (FaultKind::RequestHangs, Run::Finished(false), 0),
        (FaultKind::AnswerHangs, Run::Finished(false), 1),
        (FaultKind::InternalError500, Run::Finished(false), 0),
        (FaultKind::Throttled, Run::Finished(false), 0),
        (FaultKind::Denied, Run::Finished(false), 0),
        (FaultKind::KilledBefore, Run::Killed, 0),
        (FaultKind::KilledAfter, Run::Killed, 1),
    ] {
        let fake = fake();
        let begun = Instant::now();
        assert_eq!(issue_under(&fake, kind).await, run, "{kind:?}");
        let issued = fake.look(|aws| aws.credentials("mirror").len());
        assert_eq!(issued, credentials, "{kind:?}");
        assert_eq!(fake.faults_left(), 0, "{kind:?}");
        let waited = begun.elapsed() >= Duration::from_secs(10);
        assert_eq!(waited, FaultKind::SILENT.contains(&kind), "{kind:?}");
        assert_eq!(fake.journal()[0].executed, kind.executes(), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_service_throttles_and_breaks_in_its_own_form() {
    for kind in [FaultKind::Throttled, FaultKind::InternalError500] {
        let fake = fake();
        fake.repository("infra");
        let clients = Clients::over(fake.connector("test"));
        for operation in ["ListUserTags", "CreateSecret", "GetRepository"] {
            fake.inject("test", Fault::on(operation, 0, kind));
        }
        // Each succeeds by the SDK's second attempt: it retries the error.
        let get = send!(clients.iam, list_user_tags, user_name: "mirror").await;
        get.expect("a user");
        let create = send!(clients.secrets, create_secret, name: "s").await;
        create.expect("a secret");
        let get = send!(clients.codecommit, get_repository, repository_name: "infra").await;
        get.expect("a repository");
        assert_eq!(fake.calls_of("test"), 6);
        assert_eq!(fake.faults_left(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn fault_by_operation_strikes_the_call_that_is_meant() {
    let fake = fake();
    let clients = Clients::over(fake.connector("test"));
    fake.inject("test", Fault::on("ListUserTags", 1, FaultKind::RequestLost));
    fake.inject("another", Fault::at(0, FaultKind::RequestLost));
    let shown = send!(clients.iam, list_service_specific_credentials, user_name: "mirror");
    shown.await.expect("a user");
    for _ in 0..2 {
        let get = send!(clients.iam, list_user_tags, user_name: "mirror").await;
        get.expect("the second attempt");
    }
    let mut lost = fake.journal();
    lost.retain(|entry| !entry.executed);
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].index, 2);
    assert_eq!(fake.faults_left(), 1, "the other caller never called");
}

#[tokio::test(start_paused = true)]
async fn killed_caller_never_calls_again_and_its_successor_does() {
    let fake = fake();
    let line = Line::new();
    let clients = Clients::over(line.connector());
    fake.inject("first", Fault::at(1, FaultKind::KilledBefore));
    let first = fake.caller("first");
    line.connect(&first);
    let create = async |name: &str| {
        let create = send!(clients.secrets, create_secret, name: name).await;
        create.expect("a new name");
    };
    let run = first.run(async {
        create("one").await;
        create("two").await;
        create("three").await;
    });
    assert_eq!(run.await, Run::Killed);
    let later = timeout(Duration::from_hours(1), create("from beyond"));
    assert!(later.await.is_err());
    assert_eq!(fake.calls_of("first"), 2);
    let second = fake.caller("second");
    line.connect(&second);
    assert_eq!(second.run(create("four")).await, Run::Finished(()));
    assert_eq!(fake.look(|aws| aws.secrets.len()), 2);
}

#[tokio::test(start_paused = true)]
async fn held_call_sees_the_changes_of_others() {
    let fake = fake();
    let held = Duration::from_secs(2);
    fake.hold("slow", At::Operation("CreateSecret".to_owned(), 0), held);
    let create = async |caller: &str| {
        let clients = Clients::over(fake.connector(caller));
        code(send!(clients.secrets, create_secret, name: "s").await)
    };
    let creating = async {
        let begun = Instant::now();
        (create("slow").await, begun.elapsed())
    };
    let other = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(fake.faults_left(), 0, "it is on its way");
        assert_eq!(fake.count("CreateSecret"), 0, "and has not arrived");
        create("quick").await
    };
    let ((slow, took), quick) = tokio::join!(creating, other);
    assert_eq!(quick, "none");
    assert_eq!((slow.as_str(), took), ("ResourceExistsException", held));
}

#[test]
fn text_of_a_failed_run_has_its_calls() {
    let failed = std::panic::catch_unwind(|| {
        paused(async {
            let run = issue_under(&fake(), FaultKind::Denied).await;
            assert_eq!(run, Run::Killed, "not killed");
        });
    });
    let text = schedules::text(&*failed.expect_err("a failure"));
    assert!(text.contains("not killed"), "{text}");
    assert!(text.contains("CreateServiceSpecificCredential"), "{text}");
}
