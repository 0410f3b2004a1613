//! Deliveries that come when their time is over.

use std::time::Duration;

use crate::checks::{assert_nothing_remains, shape};
use crate::fixture::{CHILD, RULE, changed, fake, in_account, paused, properties, ruled, stack};
use fake_aws::{FakeAws, Fault, FaultKind, Options};
use test_support::custom_resource::{StackRequest, deliver_once};

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
