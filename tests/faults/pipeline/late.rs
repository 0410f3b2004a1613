//! Deliveries that come when their time is over.

use std::time::Duration;

use expect_test::expect;

use crate::checks::{assert_nothing_remains, difference, shape};
use crate::fixture::{CHILD, RULE, changed, in_account, properties, ruled};
use fake_aws::{FakeAws, Fault, FaultKind, redacted};
use test_support::custom_resource::{ParentStack, StackRequest, deliver_once};

async fn pause() {
    tokio::time::sleep(Duration::from_secs(30)).await;
}

/// A request that comes again, long after it was answered, changes nothing.
async fn comes_again(fake: &FakeAws, request: &StackRequest, what: &str) {
    let before = fake.look(shape);
    deliver_once(fake, &format!("{what} again"), request).await;
    pause().await;
    let after = fake.look(shape);
    assert!(after == before, "{what}: {}", difference(&after, &before));
}

#[test]
fn request_during_an_earlier_update_cancels_that() {
    for (deletes, has_its_token) in [(false, false), (false, true), (true, false), (true, true)] {
        in_account(async |fake, stack| {
            fake.options(|options| options.cancellation_has_its_own_token = has_its_token);
            stack.create(&properties()).await.assert_success();
            pause().await;
            fake.change(|aws| aws.options.resource_takes = Duration::from_mins(10));
            let update = stack.request_update(&ruled());
            let killed = Fault::on("UpdateStack", 0, FaultKind::KilledAfter);
            fake.inject("Update", killed);
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
    in_account(async |fake, stack| {
        let create = stack.request("Create", None, &properties(), None);
        tokio::time::sleep(Duration::from_secs(3601)).await;
        comes_again(fake, &create, "Create").await;
        assert_nothing_remains(fake);
    });
}

/// A Delete whose `ResponseURL` has expired.
async fn expired_delete(stack: &mut ParentStack) -> StackRequest {
    let delete = stack.request("Delete", Some(CHILD), &ruled(), None);
    tokio::time::sleep(Duration::from_secs(61)).await;
    delete.valid_for(60)
}

#[test]
fn expired_delete_deletes_unless_a_later_request_ran() {
    in_account(async |fake, stack| {
        stack.create(&ruled()).await.assert_success();
        pause().await;
        let delete = expired_delete(stack).await;
        deliver_once(fake, "late", &delete).await;
        assert_nothing_remains(fake);

        // A second one that a Create has overtaken.
        let delete = expired_delete(stack).await;
        stack.create(&ruled()).await.assert_success();
        comes_again(fake, &delete, "expired Delete").await;
    });
}

#[test]
fn cancelled_update_stays_cancelled_after_the_rollback() {
    in_account(async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        pause().await;
        let wanted = changed(ruled());
        // Lambda has it in its queue, while CloudFormation already rolls back.
        let update = stack.request_update(&wanted);
        pause().await;
        let back = stack.request("Update", Some(CHILD), &properties(), Some(&wanted));
        stack.deliver(&back).await.assert_success();
        pause().await;
        comes_again(fake, &update, "Update").await;
        assert!(fake.look(|aws| !aws.codecommit.rule_templates.contains_key(RULE)));
    });
}

#[test]
fn request_dated_ahead_outranks_no_later_one() {
    for ahead in [1, 60, 280, 300, 301, 100_000] {
        in_account(async |fake, stack| {
            stack.create(&properties()).await.assert_success();
            pause().await;
            let forged = stack.request_update(&ruled());
            deliver_once(fake, "forged Update", &forged.dated_ahead(fake, ahead)).await;
            pause().await;
            stack.delete().await.assert_success();
            assert_nothing_remains(fake);
            let forged = stack.request("Delete", Some(CHILD), &properties(), None);
            deliver_once(fake, "forged Delete", &forged.dated_ahead(fake, ahead)).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            stack.create(&properties()).await.assert_success();
        });
    }
}

/// A forged request that arrives while CloudFormation's Delete is in Lambda's queue.
#[test]
fn delete_that_is_older_than_a_change_fails() {
    in_account(async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        pause().await;
        let delete = stack.request("Delete", Some(CHILD), &properties(), None);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let forged = stack.request_update(&ruled());
        stack.deliver(&forged).await.assert_success();
        let before = fake.look(shape);
        let answer = stack.deliver(&delete).await;
        expect!["deleting stack gitops-dev-shop: a later request has changed it, so it is left. If the parent stack is in DELETE_FAILED, delete it again. If it no longer has the resource, delete this stack - CFG-109"].assert_eq(&redacted(answer.reason()));
        let after = fake.look(shape);
        assert!(after == before, "{}", difference(&after, &before));
        stack.delete().await.assert_success();
        assert_nothing_remains(fake);
    });
}
