//! Stacks that take longer than the request, or than Lambda continues it.

use std::time::Duration;

use serde_json::json;

use crate::checks::assert_nothing_remains;
use crate::fixture::{in_account_with, properties, with};
use fake_aws::{Entry, FakeAws, Fault, FaultKind, Options};
use test_support::custom_resource::{RequestOutcome, answers_are_sound};

fn slow(resource_takes: Duration) -> Options {
    Options {
        resource_takes,
        ..Options::default()
    }
}

fn operations(fake: &FakeAws, operation: &str) -> usize {
    let journal = fake.journal();
    let began = |entry: &&Entry| entry.operation == operation && entry.outcome == "ok";
    journal.iter().filter(began).count()
}

#[test]
fn long_request_survives_a_kill_of_every_delivery() {
    in_account_with(slow(Duration::from_mins(5)), async |fake, stack| {
        for caller in ["1-Create.1", "1-Create.2+.1"] {
            fake.inject(caller, Fault::at(12, FaultKind::KilledAfter));
        }
        stack.create(&properties()).await.assert_success();
        assert_eq!(fake.faults_left(), 0);
        assert_eq!(operations(fake, "CreateStack"), 1);
    });
}

#[test]
fn stack_beyond_the_service_timeout_fails_and_is_deleted() {
    in_account_with(slow(Duration::from_mins(30)), async |fake, stack| {
        let create = stack.request("Create", None, &properties(), None);
        let answer = stack.deliver(&create).await;
        let RequestOutcome::Failed { id, reason } = answer else {
            panic!("{answer:?}");
        };
        assert!(
            reason.contains("waiting for stack gitops-dev-shop"),
            "{reason}"
        );
        assert!(reason.contains("CREATE_IN_PROGRESS"), "{reason}");
        // CloudFormation deletes resources that are still being created.
        fake.options(|options| options.resource_takes = Duration::from_secs(5));
        stack.delete_id(&id, &properties()).await;
        assert_nothing_remains(fake);
        answers_are_sound(fake);
    });
}

#[test]
fn short_service_timeout_gets_its_response_in_one_invocation() {
    in_account_with(slow(Duration::from_mins(5)), async |fake, stack| {
        let hurried = with(properties(), "ServiceTimeout", json!("120"));
        let create = stack.request("Create", None, &hurried, None);
        let answer = stack.deliver(&create).await;
        assert!(
            matches!(answer, RequestOutcome::Failed { .. }),
            "{answer:?}"
        );
        assert_eq!(fake.count("Invoke"), 0, "no caller would wait for the rest");
        let responses = create.responses(fake);
        assert_eq!(responses.len(), 1);
        assert_eq!(responses[0].caller, "1-Create.1");
    });
}

#[test]
fn request_is_not_continued_more_often_than_lambda_allows() {
    // Invocations of a minute: an hour would need a longer chain than Lambda allows.
    in_account_with(slow(Duration::from_mins(30)), async |fake, stack| {
        stack.lifetime = Duration::from_secs(60);
        let create = stack.request("Create", None, &properties(), None);
        let answer = stack.deliver(&create).await;
        answer.assert_reason(["14 invocations have already continued it"]);
        let hops = fake.count("Invoke");
        assert!(hops < 16, "Lambda would have stopped it: {hops}");
        assert_eq!(fake.responses().len(), 1);
    });
}

#[test]
fn late_delivery_of_a_long_request_starts_nothing() {
    in_account_with(slow(Duration::from_mins(5)), async |fake, stack| {
        stack.delivers_twice = true;
        stack.create(&properties()).await.assert_success();
        assert_eq!(operations(fake, "CreateStack"), 1);
        let answers = fake.responses();
        assert!(answers.iter().all(|one| one.json() == answers[0].json()));
    });
}
