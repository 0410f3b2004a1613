//! Deliveries that come when their time is over.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{assert_nothing_remains, delete_completely, shape, watch};
use crate::fixture::{
    BRANCH, CHILD, PIPELINE, REPOSITORY, RULE, changed, event, fake, in_account, in_account_with,
    paused, properties, push, pushed, ruled, stack, with,
};
use fake_aws::{FakeAws, Fault, FaultKind, Options, SeenTokens};
use test_support::custom_resource::{INVENTED_ID, ParentStack, StackRequest, deliver_once};

async fn pause() {
    tokio::time::sleep(Duration::from_secs(30)).await;
}

/// A request that comes again, long after it was answered, changes nothing.
async fn comes_again(fake: &FakeAws, request: &StackRequest, what: &str) {
    let before = fake.look(shape);
    deliver_once(fake, &format!("{what} again"), request).await;
    pause().await;
    let after = fake.look(shape);
    let difference = crate::checks::difference(&after, &before);
    assert!(after == before, "{what}: {difference}");
}

#[test]
fn create_after_its_delete_creates_nothing() {
    for seen_tokens in [SeenTokens::SameAnswer, SeenTokens::Refused] {
        paused(async {
            let options = Options {
                seen_tokens,
                ..Options::default()
            };
            let fake = fake(options);
            watch(&fake, 1, &[]);
            let mut stack = stack(&fake);
            // Once it has been created and deleted, and once it was deleted before it began.
            for comes_first in [true, false] {
                let create = stack.request("Create", None, &ruled(), None);
                let id = if comes_first {
                    stack.deliver(&create).await.assert_success();
                    CHILD
                } else {
                    INVENTED_ID
                };
                pause().await;
                let delete = stack.request("Delete", Some(id), &ruled(), None);
                stack.deliver(&delete).await.assert_success();
                assert_nothing_remains(&fake);
                comes_again(&fake, &create, "Create").await;
                comes_again(&fake, &delete, "Delete").await;
                assert_nothing_remains(&fake);
                pause().await;
            }
            // A new one with the same name is another request, and is created.
            stack.create(&properties()).await.assert_success();
            delete_completely(&mut stack).await;
        });
    }
}

#[test]
fn request_during_an_earlier_update_cancels_that() {
    for deletes in [false, true] {
        in_account(async |fake, stack| {
            stack.create(&properties()).await.assert_success();
            pause().await;
            fake.change(|aws| aws.options.resource_takes = Duration::from_mins(10));
            let update = stack.request_update(&ruled());
            fake.inject(
                "Update",
                Fault::on("UpdateStack", 0, FaultKind::KilledAfter),
            );
            deliver_once(fake, "Update", &update).await;
            fake.change(|aws| aws.options.resource_takes = Duration::from_secs(2));
            let later = if deletes {
                stack.delete().await
            } else {
                stack.update(&changed(properties()), None).await
            };
            later.assert_success();
            assert_eq!(fake.count("CancelUpdateStack"), 1);
        });
    }
}

#[test]
fn create_after_cloudformations_timeout_creates_nothing() {
    paused(async {
        let fake = fake(Options::default());
        let create = stack(&fake).request("Create", None, &properties(), None);
        tokio::time::sleep(Duration::from_secs(3601)).await;
        comes_again(&fake, &create, "Create").await;
        assert_nothing_remains(&fake);
    });
}

#[test]
fn expired_delete_deletes_unless_a_later_request_ran() {
    in_account(async |fake, stack| {
        stack.create(&ruled()).await.assert_success();
        pause().await;
        let delete = stack.request("Delete", Some(CHILD), &ruled(), None);
        let delete = delete.valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        deliver_once(fake, "late", &delete).await;
        assert_nothing_remains(fake);

        // A second one that a Create has overtaken.
        let delete = stack.request("Delete", Some(CHILD), &ruled(), None);
        let delete = delete.valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        stack.create(&ruled()).await.assert_success();
        comes_again(fake, &delete, "expired Delete").await;
    });
}

/// Two Updates, and the first again after the second.
async fn older_after_newer(fake: &FakeAws, stack: &mut ParentStack, older: &Value, newer: &Value) {
    let (id, old) = stack.resource.clone().expect("created");
    let first = stack.request("Update", Some(&id), older, Some(&old));
    stack.deliver(&first).await.assert_success();
    pause().await;
    let second = stack.request("Update", Some(&id), newer, Some(older));
    stack.deliver(&second).await.assert_success();
    stack.resource = Some((id, newer.clone()));
    pause().await;
    comes_again(fake, &first, "older Update").await;
    comes_again(fake, &second, "newer Update").await;
}

#[test]
fn older_update_after_a_newer_one_changes_nothing() {
    let two = with(properties(), "ApprovalRule", json!({"ApproversNeeded": 2}));
    let pairs = [
        ("the stack", changed(properties()), properties()),
        ("the approval rule alone", ruled(), two),
        ("the approval rule, removed", properties(), ruled()),
        ("nothing", properties(), properties()),
    ];
    for (what, older, newer) in pairs {
        for parameters_alone_are_updates in [false, true] {
            let options = Options {
                parameters_alone_are_updates,
                ..Options::default()
            };
            in_account_with(options, async |fake, stack| {
                stack.create(&properties()).await.assert_success();
                pause().await;
                fake_aws::figure!("late: an older Update that changed {what}");
                older_after_newer(fake, stack, &older, &newer).await;
            });
        }
    }
}

#[test]
fn cancelled_update_stays_cancelled_after_the_rollback() {
    in_account(async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        pause().await;
        let wanted = changed(ruled());
        // Lambda has it in its queue, while CloudFormation already rolls back.
        let update = stack.request("Update", Some(CHILD), &wanted, Some(&properties()));
        pause().await;
        let back = stack.request("Update", Some(CHILD), &properties(), Some(&wanted));
        stack.deliver(&back).await.assert_success();
        pause().await;
        comes_again(fake, &update, "Update").await;
        assert!(fake.look(|aws| !aws.codecommit.rule_templates.contains_key(RULE)));
    });
}

#[test]
fn repeated_delete_keeps_newer_resources() {
    in_account(async |fake, stack| {
        stack.create(&ruled()).await.assert_success();
        pause().await;
        let delete = stack.request("Delete", Some(CHILD), &ruled(), None);
        stack.deliver(&delete).await.assert_success();
        pause().await;
        stack.create(&ruled()).await.assert_success();
        comes_again(fake, &delete, "Delete").await;
    });
}

#[test]
fn first_push_after_the_delete_creates_nothing() {
    in_account(async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        let event = event(&fake.push(REPOSITORY, BRANCH, "commit-1"));
        let first = pushed(fake, "push", event);
        stack.delete().await.assert_success();
        comes_again(fake, &first, "first push").await;
        // Created again, it waits for a push of its own: the old one's branch does not exist.
        pause().await;
        stack.create(&properties()).await.assert_success();
        comes_again(fake, &first, "first push").await;
        push(fake, REPOSITORY, "commit-2", "another-push").await;
        assert!(fake.look(|aws| aws.pipelines.contains_key(PIPELINE)));
    });
}
