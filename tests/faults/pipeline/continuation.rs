//! A request that takes several invocations, and Lambda's reaction to a self-invocation.

use std::time::Duration;

use crate::checks::{assert_nothing_remains, watch};
use crate::fixture::{changed, paused};
use crate::fixture::{fake, properties, ruled, stack};
use fake_aws::custom_resource::{
    ParentStack, RequestOutcome, StackRequest, answers_are_sound, deliver_all,
};
use fake_aws::{FakeAws, Fault, FaultKind, On, Options};

/// Shorter than the stack's operation.
const SHORT: Duration = Duration::from_secs(60);

fn slow() -> Options {
    Options {
        resource_takes: Duration::from_secs(100),
        ..Options::default()
    }
}

/// A Create that takes several invocations, under `fault`.
async fn create_under(
    fault: Option<Fault>,
    lasting: Option<FaultKind>,
) -> (ParentStack, StackRequest) {
    let fake = fake(slow());
    watch(&fake, 1, &[]);
    if let Some(fault) = fault {
        fake.inject("1-Create.1", fault);
    }
    if let Some(kind) = lasting {
        fake.break_from_now(On::Operation("Invoke"), kind);
    }
    let mut stack = stack(&fake);
    stack.lifetime = SHORT;
    let create = stack.request("Create", None, &ruled(), None);
    deliver_all(&fake, &create, false).await;
    assert_eq!(fake.faults_left(), 0, "nothing was continued");
    (stack, create)
}

/// The answers at the request's address: status and reason.
fn answers(fake: &FakeAws, request: &StackRequest) -> Vec<(String, String)> {
    let url = request.event["ResponseURL"].as_str().expect("an address");
    let mut answers = fake.responses();
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

async fn ends_well(mut stack: ParentStack, request: &StackRequest) {
    let fake = stack.fake.clone();
    stack.lifetime = Duration::from_mins(15);
    let id = match stack.heard(request).await {
        RequestOutcome::Success { id, .. } | RequestOutcome::Failed { id, .. } => id,
        RequestOutcome::Silence => "gitops-dev-shop".to_owned(),
    };
    stack.delete_id(&id, &ruled()).await;
    assert_nothing_remains(&fake);
    answers_are_sound(&fake);
    fake.assert_unbroken();
}

#[test]
fn slow_create_gets_one_response_from_its_last_invocation() {
    paused(async {
        let (stack, create) = create_under(None, None).await;
        let fake = stack.fake.clone();
        let answers = answers(&fake, &create);
        assert_eq!(answers.len(), 1, "{answers:?}\n{}", fake.transcript());
        assert_eq!(answers[0].0, "SUCCESS");
        let asked = fake.invocations();
        assert!(asked.len() > 1, "several invocations: {}", asked.len());
        for (index, invoked) in asked.iter().enumerate() {
            assert_eq!(invoked.payload["Continuation"]["Hop"], index + 1);
            assert_eq!(invoked.payload["Event"], create.event);
        }
        ends_well(stack, &create).await;
    });
}

#[test]
fn lost_continuation_is_repeated_by_the_next_delivery() {
    for kind in [
        FaultKind::RequestLost,
        FaultKind::InternalError500,
        FaultKind::RequestHangs,
        FaultKind::KilledBefore,
    ] {
        paused(async {
            let fault = Fault::on("Invoke", 0, kind);
            let (stack, create) = create_under(Some(fault), None).await;
            let fake = stack.fake.clone();
            let answers = answers(&fake, &create);
            assert_eq!(
                answers.len(),
                1,
                "{kind:?} {answers:?}\n{}",
                fake.transcript()
            );
            assert_eq!(answers[0].0, "SUCCESS", "{kind:?}\n{}", fake.transcript());
            ends_well(stack, &create).await;
        });
    }
}

#[test]
fn unconfirmed_continuation_gets_one_response() {
    for kind in [
        FaultKind::AnswerLost,
        FaultKind::AnswerHangs,
        FaultKind::KilledAfter,
    ] {
        paused(async {
            let fault = Fault::on("Invoke", 0, kind);
            let (stack, create) = create_under(Some(fault), None).await;
            let fake = stack.fake.clone();
            // The invocation that was begun and the event that came again both see the end.
            let answers = answers(&fake, &create);
            assert!(!answers.is_empty(), "{kind:?}\n{}", fake.transcript());
            assert!(
                answers.iter().all(|(status, _)| status == "SUCCESS"),
                "{kind:?} {answers:?}\n{}",
                fake.transcript()
            );
            let first = |caller: &str| fake.responses().iter().any(|one| one.caller == caller);
            assert!(!first("1-Create.1"), "who hands over does not answer");
            assert_eq!(
                fake.count("Invoke"),
                fake.invocations().len(),
                "asked twice for one hand-over"
            );
            ends_well(stack, &create).await;
        });
    }
}

#[test]
fn throttled_continuation_is_retried() {
    paused(async {
        let fault = Fault::on("Invoke", 0, FaultKind::Throttled);
        let (stack, create) = create_under(Some(fault), None).await;
        let fake = stack.fake.clone();
        let answers = answers(&fake, &create);
        assert_eq!(answers.len(), 1, "{answers:?}\n{}", fake.transcript());
        assert_eq!(
            answers[0].0,
            "SUCCESS",
            "{answers:?}\n{}",
            fake.transcript()
        );
        ends_well(stack, &create).await;
    });
}

#[test]
fn rejected_continuation_fails_with_a_reason() {
    paused(async {
        let (stack, create) = create_under(None, Some(FaultKind::Denied)).await;
        let fake = stack.fake.clone();
        let answers = answers(&fake, &create);
        assert_eq!(answers.len(), 1, "{answers:?}\n{}", fake.transcript());
        assert_eq!(answers[0].0, "FAILED");
        let reason = &answers[0].1;
        let says = reason.contains("continuing the request in another invocation: AccessDenied");
        assert!(says, "{reason}");
        ends_well(stack, &create).await;
    });
}

#[test]
fn permanently_throttled_continuation_fails() {
    paused(async {
        let (stack, create) = create_under(None, Some(FaultKind::Throttled)).await;
        let fake = stack.fake.clone();
        let answers = answers(&fake, &create);
        assert_eq!(answers.len(), 1, "{answers:?}\n{}", fake.transcript());
        assert_eq!(answers[0].0, "FAILED");
        assert!(
            answers[0].1.contains("continuing the request"),
            "{answers:?}"
        );
        ends_well(stack, &create).await;
    });
}

#[test]
fn slow_update_and_slow_delete_get_one_response() {
    paused(async {
        let fake = fake(slow());
        watch(&fake, 1, &[]);
        let mut stack = stack(&fake);
        assert!(stack.create(&properties()).await.is_success());
        stack.lifetime = SHORT;
        let update = stack.request(
            "Update",
            Some("gitops-dev-shop"),
            &changed(ruled()),
            Some(&properties()),
        );
        let delete = stack.request("Delete", Some("gitops-dev-shop"), &changed(ruled()), None);
        for request in [&update, &delete] {
            let before = fake.invocations().len();
            deliver_all(&fake, request, false).await;
            let answers = answers(&fake, request);
            assert_eq!(answers.len(), 1, "{answers:?}\n{}", fake.transcript());
            assert_eq!(
                answers[0].0,
                "SUCCESS",
                "{answers:?}\n{}",
                fake.transcript()
            );
            assert!(fake.invocations().len() > before, "{}", request.name);
        }
        assert_nothing_remains(&fake);
        fake.assert_unbroken();
    });
}
