//! A request that takes several invocations, and Lambda's reaction to a self-invocation.

use std::time::Duration;

use crate::checks::{assert_nothing_remains, watch};
use crate::fixture::{CHILD, changed, fake, in_account_with, paused, properties, ruled, stack};
use fake_aws::{Fault, FaultKind, On, Options};
use test_support::custom_resource::{
    FUNCTION, ParentStack, RequestOutcome, StackRequest, answers_are_sound, deliver_all,
};

/// Shorter than the stack's operation.
const SHORT: Duration = Duration::from_secs(60);

fn slow() -> Options {
    Options {
        resource_takes: Duration::from_secs(100),
        ..Options::default()
    }
}

/// A Create that takes several invocations, of which the first one's call or each call has a fault.
async fn create_under(
    first: Option<FaultKind>,
    lasting: Option<FaultKind>,
) -> (ParentStack, StackRequest) {
    let fake = fake(slow());
    watch(&fake, 1, &[]);
    if let Some(kind) = first {
        fake.inject("1-Create.1", Fault::on("Invoke", 0, kind));
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

/// The only answer to the request.
async fn only_answer(stack: &ParentStack, request: &StackRequest) -> RequestOutcome {
    assert_eq!(request.responses(&stack.fake).len(), 1, "{}", request.name);
    stack.heard(request).await
}

async fn ends_well(mut stack: ParentStack, request: &StackRequest) {
    let fake = stack.fake.clone();
    stack.lifetime = Duration::from_mins(15);
    let id = match stack.heard(request).await {
        RequestOutcome::Success { id, .. } | RequestOutcome::Failed { id, .. } => id,
        RequestOutcome::Silence => CHILD.to_owned(),
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
        only_answer(&stack, &create).await.assert_success();
        let invocations = stack.fake.invocations();
        assert!(
            invocations.len() > 1,
            "several invocations: {}",
            invocations.len()
        );
        for (index, invoked) in invocations.iter().enumerate() {
            assert_eq!(invoked.payload["Continuation"]["Hop"], index + 1);
            assert_eq!(invoked.payload["Event"], create.event);
            assert_eq!(invoked.function, FUNCTION);
        }
        assert_eq!(stack.fake.count("CreateStack"), 1);
        ends_well(stack, &create).await;
    });
}

#[test]
fn failed_continuation_is_repeated() {
    for kind in [
        FaultKind::RequestLost,
        FaultKind::InternalError500,
        FaultKind::RequestHangs,
        FaultKind::KilledBefore,
        FaultKind::Throttled,
    ] {
        paused(async {
            let (stack, create) = create_under(Some(kind), None).await;
            let answer = only_answer(&stack, &create).await;
            assert!(answer.is_success(), "{kind:?}: {answer:?}");
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
            let (stack, create) = create_under(Some(kind), None).await;
            let fake = &stack.fake;
            // The invocation that was begun and the event that came again both see the end.
            let answers = create.responses(fake);
            assert!(!answers.is_empty(), "{kind:?}");
            for answer in answers {
                assert_eq!(answer.json()["Status"], "SUCCESS", "{kind:?}");
                let hands_over = answer.caller == "1-Create.1";
                assert!(!hands_over, "who hands over does not answer");
            }
            let hand_overs = fake.invocations().len();
            assert_eq!(fake.count("Invoke"), hand_overs, "{kind:?}: invoked twice");
            ends_well(stack, &create).await;
        });
    }
}

#[test]
fn continuation_that_never_succeeds_is_the_reason() {
    for (kind, error) in [
        (FaultKind::Denied, "AccessDenied"),
        (FaultKind::Throttled, ""),
    ] {
        paused(async {
            let (stack, create) = create_under(None, Some(kind)).await;
            let answer = only_answer(&stack, &create).await;
            let reason = format!("continuing the request in another invocation: {error}");
            answer.assert_reason([&reason]);
            // A throttled call is repeated for a quarter of the time that is kept for the response.
            let journal = stack.fake.journal();
            let calls = journal.iter().filter(|call| call.operation == "Invoke");
            let calls: Vec<Duration> = calls.map(|call| call.at).collect();
            let took = calls[calls.len() - 1].saturating_sub(calls[0]);
            let repeats = if kind == FaultKind::Throttled {
                SHORT / 8 / 4
            } else {
                Duration::ZERO
            };
            assert!(
                took.abs_diff(repeats) < Duration::from_millis(2),
                "{kind:?}: {took:?}"
            );
            assert!(
                matches!(&answer, RequestOutcome::Failed { id, .. } if id == CHILD),
                "{answer:?}"
            );
            ends_well(stack, &create).await;
        });
    }
}

#[test]
fn slow_update_and_slow_delete_get_one_response() {
    in_account_with(slow(), async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        stack.lifetime = SHORT;
        let update = stack.request_update(&changed(ruled()));
        let delete = stack.request("Delete", Some(CHILD), &changed(ruled()), None);
        for request in [&update, &delete] {
            let before = fake.invocations().len();
            deliver_all(fake, request, false).await;
            only_answer(stack, request).await.assert_success();
            assert!(fake.invocations().len() > before, "{}", request.name);
        }
        assert_nothing_remains(fake);
        stack.resource = None;
    });
}
