//! Requests that an attacker sends in the name of a stack which is in no operation, and genuine ones
//! whose operation CloudFormation shows late.

use std::time::Duration;

use serde_json::json;

use crate::checks::{assert_nothing_remains, watch};
use crate::fixture::{CHILD, changed, fake, in_account, paused, properties, stack, with};
use fake_aws::{Options, Service};
use test_support::custom_resource::{INVENTED_ID, ParentStack, RollBack, StackRequest};

/// The requests of an attacker.
fn forged(stack: &mut ParentStack) -> Vec<(&'static str, StackRequest)> {
    let (own, new) = (&properties(), &changed(properties()));
    let other = &with(properties(), "ProjectID", json!("other-name"));
    let rejected = format!("rejected/{CHILD}/1795161300-0123456789abcdef");
    vec![
        ("Delete", stack.request("Delete", Some(CHILD), own, None)),
        (
            "Delete with a generated ID",
            stack.request("Delete", Some(INVENTED_ID), own, None),
        ),
        (
            "Delete of a rejected Create",
            stack.request("Delete", Some(&rejected), own, None),
        ),
        (
            "Update",
            stack.request("Update", Some(CHILD), new, Some(own)),
        ),
        // The old properties name a replacement that would be deleted.
        (
            "rolled back",
            stack.request("Update", Some("another"), other, Some(own)),
        ),
        ("Create", stack.request("Create", None, new, None)),
    ]
}

// claim: forged-request-between-operations-changes-nothing
#[test]
fn forged_request_between_operations_changes_nothing() {
    for index in 0..6 {
        in_account(async |fake, stack| {
            stack.create(&properties()).await.assert_success();
            tokio::time::sleep(Duration::from_hours(1)).await;
            let (what, request) = forged(stack).swap_remove(index);
            stack.show_end();
            let before = fake.journal().len();
            let answer = stack.deliver(&request).await;
            assert!(!answer.is_success(), "{what}: {answer:?}");
            answer.assert_reason(["CFG-310", "Project", "as complete"]);
            for call in &fake.journal()[before..] {
                let is_harmless = call.reads() || call.service == Service::ResponseBucket;
                assert!(is_harmless, "{what}: {call}");
            }
        });
    }
}

#[test]
fn genuine_request_passes_if_its_operation_is_shown_late() {
    let rolled_back = [
        None,
        Some(RollBack::UpdateBack),
        Some(RollBack::DeleteNewOnly),
    ];
    for late in [5, 30, 59] {
        for roll_back in rolled_back {
            let options = Options {
                parents_late: Duration::from_secs(late),
                ..Options::default()
            };
            paused(async {
                let fake = fake(options);
                // A replacement is created before the replaced stack is deleted.
                watch(&fake, 2, &[]);
                let mut stack = stack(&fake);
                stack.is_shown = true;
                stack.create(&properties()).await.assert_success();
                let renamed = with(properties(), "ProjectID", json!("renamed"));
                for wanted in [changed(properties()), renamed, properties()] {
                    tokio::time::sleep(Duration::from_mins(10)).await;
                    stack.update(&wanted, roll_back).await.assert_success();
                }
                tokio::time::sleep(Duration::from_mins(10)).await;
                stack.delete().await.assert_success();
                assert_nothing_remains(&fake);
                fake.assert_unbroken();
            });
        }
    }
}
