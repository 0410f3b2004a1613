//! Stacks that take longer than one invocation of the function, or than the request.

use std::time::Duration;

use serde_json::json;

use crate::checks::{nothing_left, watch};
use crate::project::{CHILD, changed, paused, properties, stack, with, world};
use fake_aws::custom_resource::{Answer, answers_are_sound};
use fake_aws::{Entry, Options, World};

fn slow(resource_takes: Duration) -> World {
    world(Options {
        resource_takes,
        ..Options::default()
    })
}

/// The deliveries of a request that reached AWS, continuations included.
fn deliveries(world: &World, request: &str) -> Vec<String> {
    let mut callers: Vec<String> = world
        .journal()
        .into_iter()
        .map(|entry| entry.caller)
        .filter(|caller| caller.starts_with(request))
        .collect();
    callers.sort();
    callers.dedup();
    callers
}

fn operations(world: &World, operation: &str) -> usize {
    let journal = world.journal();
    let began = |entry: &&Entry| entry.operation == operation && entry.outcome == "ok";
    journal.iter().filter(began).count()
}

#[test]
fn a_stack_that_outlives_one_invocation_is_finished_by_others_with_one_answer() {
    paused(async {
        // Four resources: 40 minutes.
        let world = slow(Duration::from_mins(10));
        watch(&world, 1, &[]);
        let mut stack = stack(&world);
        let created = stack.create(&properties()).await;
        assert!(created.is_success(), "{created:?}\n{}", world.told());
        let lives = deliveries(&world, "1-Create");
        assert_eq!(lives.len(), 3, "{lives:?}");
        assert_eq!(world.deliveries().len(), 1, "one answer");
        assert_eq!(operations(&world, "CreateStack"), 1);
        assert_eq!(world.count("Invoke"), 2);
        // The continuation is the event as it came, and how far it has come.
        let invoked = world.invocations();
        assert_eq!(invoked[1].payload["Continuation"]["Hop"], 2);
        assert_eq!(invoked[0].payload["Event"], invoked[1].payload["Event"]);
        assert_eq!(invoked[0].payload["Event"]["RequestType"], "Create");
        for invoked in &invoked {
            assert_eq!(invoked.function, fake_aws::custom_resource::FUNCTION);
        }

        let updated = stack.update(&changed(properties()), None).await;
        assert!(updated.is_success(), "{updated:?}\n{}", world.told());
        let deleted = stack.delete().await;
        assert!(deleted.is_success(), "{deleted:?}\n{}", world.told());
        assert!(deliveries(&world, "3-Delete").len() > 1);
        world.look(|aws| nothing_left(aws, &[])).expect("nothing");
        assert_eq!(world.deliveries().len(), 3, "one answer for each");
        answers_are_sound(&world);
        world.assert_unbroken();
    });
}

#[test]
fn every_delivery_of_a_long_request_can_be_killed_and_it_is_finished_all_the_same() {
    paused(async {
        let world = slow(Duration::from_mins(5));
        watch(&world, 1, &[]);
        let mut stack = stack(&world);
        for caller in ["1-Create.1", "1-Create.2+.1"] {
            let fault = fake_aws::Fault::at(12, fake_aws::FaultKind::KilledAfter);
            world.inject(caller, fault);
        }
        let created = stack.create(&properties()).await;
        assert!(created.is_success(), "{created:?}\n{}", world.told());
        assert_eq!(world.faults_left(), 0, "{}", world.told());
        assert_eq!(operations(&world, "CreateStack"), 1);
        assert!(stack.delete().await.is_success());
        world.look(|aws| nothing_left(aws, &[])).expect("nothing");
        world.assert_unbroken();
    });
}

#[test]
fn a_stack_that_takes_longer_than_the_service_timeout_is_failed_in_time_and_removed() {
    paused(async {
        let world = slow(Duration::from_mins(30));
        watch(&world, 1, &[]);
        let mut stack = stack(&world);
        let create = stack.request("Create", None, &properties(), None);
        let answer = stack.deliver(&create).await;
        let Answer::Failed { id, reason } = answer else {
            panic!("{answer:?}\n{}", world.told());
        };
        assert!(
            reason.contains("waiting for stack gitops-dev-shop"),
            "{reason}"
        );
        assert!(reason.contains("CREATE_IN_PROGRESS"), "{reason}");
        // CloudFormation deletes what is still being created.
        world.options(|options| options.resource_takes = Duration::from_secs(5));
        stack.delete_id(&id, &properties()).await;
        world.look(|aws| nothing_left(aws, &[])).expect("nothing");
        answers_are_sound(&world);
        world.assert_unbroken();
    });
}

#[test]
fn a_short_service_timeout_is_answered_within_one_invocation() {
    paused(async {
        let world = slow(Duration::from_mins(5));
        let mut stack = stack(&world);
        let hurried = with(properties(), "ServiceTimeout", json!("120"));
        let create = stack.request("Create", None, &hurried, None);
        let answer = stack.deliver(&create).await;
        assert!(matches!(answer, Answer::Failed { .. }), "{answer:?}");
        assert_eq!(world.count("Invoke"), 0, "nobody would wait for the rest");
        assert_eq!(deliveries(&world, "1-Create"), ["1-Create.1"]);
    });
}

#[test]
fn a_function_that_may_not_call_itself_says_so() {
    paused(async {
        let world = slow(Duration::from_mins(10));
        world.deny("lambda:InvokeFunction", "function:");
        let mut stack = stack(&world);
        let create = stack.request("Create", None, &properties(), None);
        let answer = stack.deliver(&create).await;
        assert!(
            answer
                .reason()
                .contains("handing the request over to another invocation"),
            "{answer:?}"
        );
        assert!(
            answer.reason().contains("AccessDeniedException"),
            "{answer:?}"
        );
        stack.delete_id(CHILD, &properties()).await;
        assert_eq!(world.deliveries()[0].json()["PhysicalResourceId"], CHILD);
    });
}

#[test]
fn a_request_is_not_handed_over_more_often_than_lambda_allows() {
    paused(async {
        // Invocations of a minute: an hour would take more of them than Lambda lets follow.
        let world = slow(Duration::from_mins(30));
        let mut stack = stack(&world);
        stack.lives = Duration::from_secs(60);
        let create = stack.request("Create", None, &properties(), None);
        let answer = stack.deliver(&create).await;
        assert!(
            answer.reason().contains("handed over 14 times"),
            "{answer:?}"
        );
        let hops = world.count("Invoke");
        assert!(hops < 16, "Lambda would have stopped it: {hops}");
        assert_eq!(world.deliveries().len(), 1);
    });
}

#[test]
fn a_late_delivery_of_a_long_request_joins_in_and_begins_nothing() {
    paused(async {
        let world = slow(Duration::from_mins(5));
        watch(&world, 1, &[]);
        let mut stack = stack(&world);
        stack.delivers_twice = true;
        let created = stack.create(&properties()).await;
        assert!(created.is_success(), "{created:?}\n{}", world.told());
        assert_eq!(operations(&world, "CreateStack"), 1);
        let answers = world.deliveries();
        assert!(answers.iter().all(|one| one.json() == answers[0].json()));
        assert!(stack.delete().await.is_success());
        world.look(|aws| nothing_left(aws, &[])).expect("nothing");
        world.assert_unbroken();
    });
}
