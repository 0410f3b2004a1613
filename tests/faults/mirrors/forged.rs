//! Requests that an attacker sends in the name of a stack which is in no operation, and genuine ones
//! whose operation CloudFormation shows late or not at all.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::checks::nothing_remains;
use crate::fixture::{
    OTHER_USER, SECRET, both, fake, in_account, in_account_with, login, options, serial, stack,
    with,
};
use fake_aws::explore::paused;
use fake_aws::{FakeAws, FaultKind, On, Options, Service};
use test_support::custom_resource::{
    INVENTED_ID, ParentStack, RollBack, StackRequest, deliver_once,
};

const NAME: &str = "codecommit-mirror/another";

/// The requests of an attacker.
fn forged(stack: &mut ParentStack) -> Vec<(&'static str, StackRequest)> {
    let own = &both();
    let named = &with(own.clone(), "SecretName", json!(SECRET));
    let tagged = &with(
        own.clone(),
        "Tags",
        json!([{"Key": "readable", "Value": "yes"}]),
    );
    let other_user = json!({"UserName": OTHER_USER, "SecretName": "codecommit-mirror/other"});
    let rejected = format!("rejected:{SECRET}:0123456789abcdef");
    let mut delete = |id, properties| stack.request("Delete", Some(id), properties, None);
    let deletes = vec![
        ("Delete", delete(SECRET, own)),
        ("Delete without properties", delete(SECRET, &json!({}))),
        ("Delete with a generated ID", delete(INVENTED_ID, own)),
        (
            "Delete with another ID",
            delete("codecommit-mirror/absent", named),
        ),
        ("Delete of a rejected Create", delete(&rejected, own)),
    ];
    let mut update = |id, properties, old| stack.request("Update", Some(id), properties, Some(old));
    let updates = [
        ("new password", update(SECRET, &serial(own, 2), own)),
        ("new tags", update(SECRET, tagged, own)),
        ("without mirrors", update(SECRET, &login(), own)),
        // The old properties name a replacement that would be deleted.
        ("rolled back", update(NAME, &other_user, named)),
    ];
    let create = stack.request("Create", None, &serial(own, 2), None);
    let all = deletes.into_iter().chain(updates);
    all.chain([("Create", create)]).collect()
}

// claim: forged-request-between-operations-changes-nothing
#[test]
fn forged_request_between_operations_changes_nothing() {
    for index in 0..10 {
        in_account(async |fake, stack, _| {
            stack.create(&both()).await.assert_success();
            tokio::time::sleep(Duration::from_hours(1)).await;
            let (what, request) = forged(stack).swap_remove(index);
            stack.show_end();
            let before = fake.journal().len();
            let answer = stack.deliver(&request).await;
            assert!(!answer.is_success(), "{what}: {answer:?}");
            answer.assert_reason(["CFG-310", "Credential", "as complete"]);
            for call in &fake.journal()[before..] {
                let is_harmless = call.reads() || call.service == Service::ResponseBucket;
                assert!(is_harmless, "{what}: {call}");
            }
        });
    }
}

/// Between two operations, as a test of requests that CloudFormation does not show.
fn between_operations(play: impl AsyncFnOnce(&FakeAws, &mut ParentStack)) {
    in_account(async |fake, stack, _| {
        stack.create(&login()).await.assert_success();
        tokio::time::sleep(Duration::from_hours(1)).await;
        play(fake, stack).await;
    });
}

#[test]
fn look_without_an_answer_decides_nothing() {
    let kinds = [
        FaultKind::Denied,
        FaultKind::DeniedExplicitly,
        FaultKind::Throttled,
        FaultKind::InternalError500,
        FaultKind::RequestLost,
        FaultKind::RequestHangs,
    ];
    for operation in ["DescribeStackResource", "ListStacks"] {
        for kind in kinds {
            for is_delete in [true, false] {
                between_operations(async |fake, stack| {
                    let request = if is_delete {
                        stack.request("Delete", Some(SECRET), &login(), None)
                    } else {
                        stack.request_update(&serial(&login(), 2))
                    };
                    stack.show_end();
                    fake.break_from_now(On::Operation(operation), kind);
                    let began = Instant::now();
                    let answer = stack.deliver(&request).await;
                    let took = began.elapsed();
                    assert!(answer.is_success(), "{operation} {kind:?}: {answer:?}");
                    assert!(
                        took < Duration::from_secs(15),
                        "{operation} {kind:?}: {took:?}"
                    );
                });
            }
        }
    }
}

/// No other status and no other ID contradicts a Delete.
#[test]
fn late_delete_passes_unless_its_resource_is_complete() {
    for (stack_status, resource_status, id) in [
        (
            "UPDATE_COMPLETE",
            "UPDATE_COMPLETE",
            "codecommit-mirror/replacement",
        ),
        ("UPDATE_COMPLETE", "DELETE_FAILED", SECRET),
        ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED", SECRET),
        ("DELETE_FAILED", "DELETE_FAILED", SECRET),
        ("DELETE_COMPLETE", "DELETE_COMPLETE", SECRET),
        ("UPDATE_COMPLETE", "FUTURE_VALUE", SECRET),
        ("UPDATE_COMPLETE", "UPDATE_COMPLETE", ""),
    ] {
        between_operations(async |fake, stack| {
            let delete = stack.request("Delete", Some(SECRET), &login(), None);
            stack.show(stack_status, resource_status, id);
            stack.deliver(&delete).await.assert_success();
            fake.assert_holds(nothing_remains);
        });
    }
    between_operations(async |fake, stack| {
        let delete = stack.request("Delete", Some(SECRET), &login(), None);
        fake.options(|options| options.resource_status = Some(""));
        stack.deliver(&delete).await.assert_success();
        fake.assert_holds(nothing_remains);
    });
}

/// The login in a secret of another name.
fn renamed() -> Value {
    with(login(), "SecretName", json!("codecommit-mirror/renamed"))
}

#[test]
fn genuine_request_passes_if_its_operation_is_shown_late() {
    let rolled_back = [
        None,
        Some(RollBack::UpdateBack),
        Some(RollBack::DeleteNewOnly),
    ];
    for late in [0, 5, 30, 59] {
        for roll_back in rolled_back {
            let options = options(|options| options.parents_late = Duration::from_secs(late));
            in_account_with(options, async |fake, stack, _| {
                stack.is_shown = true;
                // CloudFormation begins each operation a long time after the one before.
                stack.create(&login()).await.assert_success();
                for wanted in [serial(&login(), 2), renamed(), login()] {
                    tokio::time::sleep(Duration::from_mins(10)).await;
                    stack.update(&wanted, roll_back).await.assert_success();
                }
                tokio::time::sleep(Duration::from_mins(10)).await;
                stack.delete().await.assert_success();
                fake.assert_holds(nothing_remains);
            });
        }
    }
}

#[test]
fn genuine_requests_cost_at_most_one_look() {
    between_operations(async |fake, stack| {
        let looks = || {
            (
                fake.count("DescribeStackResource"),
                fake.count("ListStacks"),
            )
        };
        assert_eq!(looks(), (0, 0), "Create");
        stack.update(&login(), None).await.assert_success();
        assert_eq!(looks(), (0, 0), "an Update without a change");
        stack.update(&serial(&login(), 2), None).await.assert_success();
        assert_eq!(looks(), (1, 0), "an Update");
        stack.delete().await.assert_success();
        assert_eq!(looks(), (2, 0), "a Delete");
    });
}

#[test]
fn request_to_a_function_on_this_machine_is_not_looked_up() {
    paused(async {
        let fake = fake(Options::default());
        let mut stack = stack(&fake);
        stack.create(&login()).await.assert_success();
        let mut delete = stack.request("Delete", Some(SECRET), &login(), None);
        // The fake AWS has no such host, so the response is lost.
        delete.event["ResponseURL"] = json!("http://127.0.0.1:9/response");
        stack.show_end();
        deliver_once(&fake, "local", &delete).await;
        assert_eq!(fake.count("DescribeStackResource"), 0);
        fake.assert_holds(nothing_remains);
    });
}
