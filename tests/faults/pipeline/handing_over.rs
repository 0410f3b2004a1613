//! A request that outlives its invocation, and Lambda when it is asked for another one.

use std::time::Duration;

use crate::checks::{nothing_left, watch};
use crate::project::{changed, paused};
use crate::project::{properties, ruled, stack, world};
use fake_aws::custom_resource::{Answer, Request, Stack, answers_are_sound, deliver_all};
use fake_aws::{Fault, FaultKind, On, Options, World};

/// Shorter than the stack takes.
const SHORT: Duration = Duration::from_secs(60);

fn slow() -> Options {
    Options {
        resource_takes: Duration::from_secs(100),
        ..Options::default()
    }
}

/// A Create that takes several invocations, under `fault`.
async fn create_under(fault: Option<Fault>, lasting: Option<FaultKind>) -> (Stack, Request) {
    let world = world(slow());
    watch(&world, 1, &[]);
    if let Some(fault) = fault {
        world.inject("1-Create.1", fault);
    }
    if let Some(kind) = lasting {
        world.break_from_now(On::Operation("Invoke"), kind);
    }
    let mut stack = stack(&world);
    stack.lives = SHORT;
    let create = stack.request("Create", None, &ruled(), None);
    deliver_all(&world, &create, false).await;
    assert_eq!(world.faults_left(), 0, "nothing was handed over");
    (stack, create)
}

/// The answers at the request's address: status and reason.
fn answers(world: &World, request: &Request) -> Vec<(String, String)> {
    let url = request.event["ResponseURL"].as_str().expect("an address");
    let mut answers = world.deliveries();
    answers.retain(|delivery| delivery.url == url);
    let text =
        |body: &serde_json::Value, name: &str| body[name].as_str().unwrap_or_default().to_owned();
    answers
        .iter()
        .map(|answer| {
            let body = answer.json();
            (text(&body, "Status"), text(&body, "Reason"))
        })
        .collect()
}

async fn ends_well(mut stack: Stack, request: &Request) {
    let world = stack.world.clone();
    stack.lives = Duration::from_mins(15);
    let id = match stack.heard(request).await {
        Answer::Success { id, .. } | Answer::Failed { id, .. } => id,
        Answer::Silence => "gitops-dev-shop".to_owned(),
    };
    stack.delete_id(&id, &ruled()).await;
    let left = world.look(|aws| nothing_left(aws, &[]));
    left.unwrap_or_else(|left| panic!("{left}\n{}", world.told()));
    answers_are_sound(&world);
    world.assert_unbroken();
}

#[test]
fn a_slow_create_is_answered_once_by_the_invocation_that_sees_its_end() {
    paused(async {
        let (stack, create) = create_under(None, None).await;
        let world = stack.world.clone();
        let answers = answers(&world, &create);
        assert_eq!(answers.len(), 1, "{answers:?}\n{}", world.told());
        assert_eq!(answers[0].0, "SUCCESS");
        let asked = world.invocations();
        assert!(asked.len() > 1, "several lives: {}", asked.len());
        for (index, invoked) in asked.iter().enumerate() {
            assert_eq!(invoked.payload["Continuation"]["Hop"], index + 1);
            assert_eq!(invoked.payload["Event"], create.event);
        }
        ends_well(stack, &create).await;
    });
}

#[test]
fn a_hand_over_that_is_lost_is_made_up_for_by_the_next_delivery() {
    for kind in [
        FaultKind::RequestLost,
        FaultKind::InternalError500,
        FaultKind::RequestHangs,
        FaultKind::KilledBefore,
    ] {
        paused(async {
            let fault = Fault::on("Invoke", 0, kind);
            let (stack, create) = create_under(Some(fault), None).await;
            let world = stack.world.clone();
            let answers = answers(&world, &create);
            assert_eq!(answers.len(), 1, "{kind:?} {answers:?}\n{}", world.told());
            assert_eq!(answers[0].0, "SUCCESS", "{kind:?}\n{}", world.told());
            ends_well(stack, &create).await;
        });
    }
}

#[test]
fn a_hand_over_whose_answer_is_lost_is_never_answered_otherwise() {
    for kind in [
        FaultKind::AnswerLost,
        FaultKind::AnswerHangs,
        FaultKind::KilledAfter,
    ] {
        paused(async {
            let fault = Fault::on("Invoke", 0, kind);
            let (stack, create) = create_under(Some(fault), None).await;
            let world = stack.world.clone();
            // The invocation that was begun and the event that came again both see the end.
            let answers = answers(&world, &create);
            assert!(!answers.is_empty(), "{kind:?}\n{}", world.told());
            assert!(
                answers.iter().all(|(status, _)| status == "SUCCESS"),
                "{kind:?} {answers:?}\n{}",
                world.told()
            );
            let first = |caller: &str| world.deliveries().iter().any(|one| one.caller == caller);
            assert!(!first("1-Create.1"), "who hands over does not answer");
            assert_eq!(
                world.count("Invoke"),
                world.invocations().len(),
                "asked twice for one hand-over"
            );
            ends_well(stack, &create).await;
        });
    }
}

#[test]
fn a_hand_over_that_is_throttled_waits_for_its_turn() {
    paused(async {
        let fault = Fault::on("Invoke", 0, FaultKind::Throttled);
        let (stack, create) = create_under(Some(fault), None).await;
        let world = stack.world.clone();
        let answers = answers(&world, &create);
        assert_eq!(answers.len(), 1, "{answers:?}\n{}", world.told());
        assert_eq!(answers[0].0, "SUCCESS", "{answers:?}\n{}", world.told());
        ends_well(stack, &create).await;
    });
}

#[test]
fn a_hand_over_that_lambda_refuses_is_a_failure_that_says_so() {
    paused(async {
        let (stack, create) = create_under(None, Some(FaultKind::Denied)).await;
        let world = stack.world.clone();
        let answers = answers(&world, &create);
        assert_eq!(answers.len(), 1, "{answers:?}\n{}", world.told());
        assert_eq!(answers[0].0, "FAILED");
        let reason = &answers[0].1;
        let says = reason.contains("handing the request over to another invocation: AccessDenied");
        assert!(says, "{reason}");
        ends_well(stack, &create).await;
    });
}

#[test]
fn a_hand_over_that_is_throttled_for_good_is_a_failure_that_says_so() {
    paused(async {
        let (stack, create) = create_under(None, Some(FaultKind::Throttled)).await;
        let world = stack.world.clone();
        let answers = answers(&world, &create);
        assert_eq!(answers.len(), 1, "{answers:?}\n{}", world.told());
        assert_eq!(answers[0].0, "FAILED");
        assert!(
            answers[0].1.contains("handing the request over"),
            "{answers:?}"
        );
        ends_well(stack, &create).await;
    });
}

#[test]
fn a_slow_update_and_a_slow_delete_are_answered_once_too() {
    paused(async {
        let world = world(slow());
        watch(&world, 1, &[]);
        let mut stack = stack(&world);
        assert!(stack.create(&properties()).await.is_success());
        stack.lives = SHORT;
        let update = stack.request(
            "Update",
            Some("gitops-dev-shop"),
            &changed(ruled()),
            Some(&properties()),
        );
        let delete = stack.request("Delete", Some("gitops-dev-shop"), &changed(ruled()), None);
        for request in [&update, &delete] {
            let before = world.invocations().len();
            deliver_all(&world, request, false).await;
            let answers = answers(&world, request);
            assert_eq!(answers.len(), 1, "{answers:?}\n{}", world.told());
            assert_eq!(answers[0].0, "SUCCESS", "{answers:?}\n{}", world.told());
            assert!(world.invocations().len() > before, "{}", request.name);
        }
        let left = world.look(|aws| nothing_left(aws, &[]));
        left.unwrap_or_else(|left| panic!("{left}\n{}", world.told()));
        world.assert_unbroken();
    });
}
