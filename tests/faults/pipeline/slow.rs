//! Stacks that take longer than one invocation of the function, or than the request.

use std::time::Duration;

use serde_json::json;

use crate::checks::{assert_nothing_remains, delete_completely, watch};
use crate::fixture::{CHILD, changed, fake, paused, properties, stack, with};
use fake_aws::custom_resource::{RequestOutcome, answers_are_sound};
use fake_aws::{Entry, FakeAws, Options};

fn slow(resource_takes: Duration) -> FakeAws {
    fake(Options {
        resource_takes,
        ..Options::default()
    })
}

/// The deliveries of a request that reached AWS, continuations included.
fn deliveries(fake: &FakeAws, request: &str) -> Vec<String> {
    let mut callers: Vec<String> = fake
        .journal()
        .into_iter()
        .map(|entry| entry.caller)
        .filter(|caller| caller.starts_with(request))
        .collect();
    callers.sort();
    callers.dedup();
    callers
}

fn operations(fake: &FakeAws, operation: &str) -> usize {
    let journal = fake.journal();
    let began = |entry: &&Entry| entry.operation == operation && entry.outcome == "ok";
    journal.iter().filter(began).count()
}

#[test]
fn slow_stack_is_finished_by_later_invocations() {
    paused(async {
        // Four resources: 40 minutes.
        let fake = slow(Duration::from_mins(10));
        watch(&fake, 1, &[]);
        let mut stack = stack(&fake);
        stack.create(&properties()).await.assert_success();
        let copies = deliveries(&fake, "1-Create");
        assert_eq!(copies.len(), 3, "{copies:?}");
        assert_eq!(fake.responses().len(), 1, "one answer");
        assert_eq!(operations(&fake, "CreateStack"), 1);
        assert_eq!(fake.count("Invoke"), 2);
        // The continuation is the event as it came, and how far it has come.
        let invoked = fake.invocations();
        assert_eq!(invoked[1].payload["Continuation"]["Hop"], 2);
        assert_eq!(invoked[0].payload["Event"], invoked[1].payload["Event"]);
        assert_eq!(invoked[0].payload["Event"]["RequestType"], "Create");
        for invoked in &invoked {
            assert_eq!(invoked.function, fake_aws::custom_resource::FUNCTION);
        }

        stack
            .update(&changed(properties()), None)
            .await
            .assert_success();
        stack.delete().await.assert_success();
        assert!(deliveries(&fake, "3-Delete").len() > 1);
        assert_nothing_remains(&fake);
        assert_eq!(fake.responses().len(), 3, "one answer for each");
        answers_are_sound(&fake);
        fake.assert_unbroken();
    });
}

#[test]
fn long_request_survives_a_kill_of_every_delivery() {
    paused(async {
        let fake = slow(Duration::from_mins(5));
        watch(&fake, 1, &[]);
        let mut stack = stack(&fake);
        for caller in ["1-Create.1", "1-Create.2+.1"] {
            let fault = fake_aws::Fault::at(12, fake_aws::FaultKind::KilledAfter);
            fake.inject(caller, fault);
        }
        stack.create(&properties()).await.assert_success();
        assert_eq!(fake.faults_left(), 0);
        assert_eq!(operations(&fake, "CreateStack"), 1);
        delete_completely(&mut stack).await;
    });
}

#[test]
fn stack_beyond_the_service_timeout_fails_and_is_deleted() {
    paused(async {
        let fake = slow(Duration::from_mins(30));
        watch(&fake, 1, &[]);
        let mut stack = stack(&fake);
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
        assert_nothing_remains(&fake);
        answers_are_sound(&fake);
        fake.assert_unbroken();
    });
}

#[test]
fn short_service_timeout_gets_its_response_in_one_invocation() {
    paused(async {
        let fake = slow(Duration::from_mins(5));
        let mut stack = stack(&fake);
        let hurried = with(properties(), "ServiceTimeout", json!("120"));
        let create = stack.request("Create", None, &hurried, None);
        let answer = stack.deliver(&create).await;
        assert!(
            matches!(answer, RequestOutcome::Failed { .. }),
            "{answer:?}"
        );
        assert_eq!(fake.count("Invoke"), 0, "no caller would wait for the rest");
        assert_eq!(deliveries(&fake, "1-Create"), ["1-Create.1"]);
    });
}

#[test]
fn missing_self_invocation_permission_is_the_reason() {
    paused(async {
        let fake = slow(Duration::from_mins(10));
        fake.deny("lambda:InvokeFunction", "function:");
        let mut stack = stack(&fake);
        let create = stack.request("Create", None, &properties(), None);
        let answer = stack.deliver(&create).await;
        assert!(
            answer
                .reason()
                .contains("continuing the request in another invocation"),
            "{answer:?}"
        );
        assert!(
            answer.reason().contains("AccessDeniedException"),
            "{answer:?}"
        );
        stack.delete_id(CHILD, &properties()).await;
        assert_eq!(fake.responses()[0].json()["PhysicalResourceId"], CHILD);
    });
}

#[test]
fn request_is_not_continued_more_often_than_lambda_allows() {
    paused(async {
        // Invocations of a minute: an hour would need a longer chain than Lambda allows.
        let fake = slow(Duration::from_mins(30));
        let mut stack = stack(&fake);
        stack.lifetime = Duration::from_secs(60);
        let create = stack.request("Create", None, &properties(), None);
        let answer = stack.deliver(&create).await;
        assert!(
            answer
                .reason()
                .contains("14 invocations have already continued it"),
            "{answer:?}"
        );
        let hops = fake.count("Invoke");
        assert!(hops < 16, "Lambda would have stopped it: {hops}");
        assert_eq!(fake.responses().len(), 1);
    });
}

#[test]
fn late_delivery_of_a_long_request_starts_nothing() {
    paused(async {
        let fake = slow(Duration::from_mins(5));
        watch(&fake, 1, &[]);
        let mut stack = stack(&fake);
        stack.delivers_twice = true;
        stack.create(&properties()).await.assert_success();
        assert_eq!(operations(&fake, "CreateStack"), 1);
        let answers = fake.responses();
        assert!(answers.iter().all(|one| one.json() == answers[0].json()));
        delete_completely(&mut stack).await;
    });
}
