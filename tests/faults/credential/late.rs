//! Requests that arrive after a later one, after their deadline, or after their `ResponseURL`
//! expired.

use std::time::Duration;

use serde_json::json;

use crate::checks::nothing_remains;
use crate::cloudformation::{INVENTED_ID, ParentStack, deliver_once, stack};
use crate::fixture::{NAME, after_create, holds, in_account, state};
use crate::{REPOSITORY, fake, properties, with};
use fake_aws::{FakeAws, Options, explore::paused};
use test_support::custom_resource::{StackRequest, answers_are_sound};

#[test]
fn late_copy_of_an_older_request_changes_nothing() {
    after_create(async |fake, stack| {
        let (id, old) = stack.resource.clone().expect("created");
        let second = with(properties(), "RotationSerial", json!("2"));
        let third = with(properties(), "RotationSerial", json!("3"));
        let older = stack.request("Update", Some(&id), &second, Some(&old));
        stack.deliver(&older).await.assert_success();
        tokio::time::sleep(Duration::from_secs(30)).await;
        stack.resource = Some((id.clone(), second));
        stack.update(&third, None).await.assert_success();
        let before = state(fake);
        deliver_once(fake, "older again", &older).await;
        assert_eq!(state(fake), before);

        // A Delete of a resource that was created again since.
        let deletion = stack.request("Delete", Some(&id), &third, None);
        stack.deliver(&deletion).await.assert_success();
        tokio::time::sleep(Duration::from_secs(30)).await;
        stack.resource = None;
        stack.create(&properties()).await.assert_success();
        deliver_once(fake, "deletion again", &deletion).await;
        holds(fake);
    });
}

#[test]
fn create_after_cloudformations_timeout_leaves_nothing() {
    in_account(async |fake, stack| {
        let create = stack.request("Create", None, &properties(), None);
        tokio::time::sleep(Duration::from_secs(3601)).await;
        deliver_once(fake, "late", &create).await;
        fake.assert_holds(nothing_remains);
        // And one that was already deleted, while CloudFormation still waits.
        let create = stack.request("Create", None, &properties(), None);
        let delete = stack.request("Delete", Some(INVENTED_ID), &properties(), None);
        stack.deliver(&delete).await.assert_success();
        deliver_once(fake, "overtaken", &create).await;
        fake.assert_holds(nothing_remains);
    });
}

#[test]
fn expired_create_creates_nothing() {
    paused(async {
        let fake = fake(Options::default());
        let create = stack(&fake)
            .request("Create", None, &properties(), None)
            .valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(deliver_once(&fake, "late", &create).await, Some(true));
        assert_eq!(fake.calls_of("late"), 0);
        fake.assert_holds(nothing_remains);
        assert!(fake.responses().is_empty());
    });
}

#[test]
fn expired_update_changes_nothing() {
    after_create(async |fake, stack| {
        let (id, old) = stack.resource.clone().expect("created");
        let new = with(properties(), "RotationSerial", json!("2"));
        let update = stack.request("Update", Some(&id), &new, Some(&old));
        let update = update.valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        let before = state(fake);
        deliver_once(fake, "late", &update).await;
        assert_eq!(state(fake), before);
        assert_eq!(fake.calls_of("late"), 0);
    });
}

#[test]
fn expired_delete_deletes_unless_a_later_request_ran() {
    after_create(async |fake, stack| {
        let (id, old) = stack.resource.clone().expect("created");
        tokio::time::sleep(Duration::from_secs(30)).await;
        let delete = stack.request("Delete", Some(&id), &old, None).valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        deliver_once(fake, "late", &delete).await;
        fake.assert_holds(nothing_remains);

        // A second one that a Create has overtaken.
        let delete = stack.request("Delete", Some(&id), &old, None).valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        stack.resource = None;
        stack.create(&properties()).await.assert_success();
        let before = state(fake);
        deliver_once(fake, "overtaken", &delete).await;
        assert_eq!(state(fake), before);
        holds(fake);
    });
}

/// The first delivery of a Create fails because of a denied call, and CloudFormation deletes the
/// resource by the ID of that answer. Answers the Create, to be delivered again.
pub async fn failed_then_deleted(fake: &FakeAws, stack: &mut ParentStack) -> StackRequest {
    fake.deny("codecommit:GetRepository", REPOSITORY);
    let create = stack.request("Create", None, &properties(), None);
    let first = deliver_once(fake, "first delivery", &create).await;
    assert_eq!(first, Some(true));
    fake.change(|aws| aws.denied.clear());
    let delete = stack.request("Delete", Some(NAME), &properties(), None);
    stack.deliver(&delete).await.assert_success();
    create
}

#[test]
fn create_redelivered_after_its_delete_leaves_nothing() {
    for passes in [Duration::ZERO, Duration::from_secs(30)] {
        in_account(async |fake, stack| {
            let create = failed_then_deleted(fake, stack).await;
            tokio::time::sleep(passes).await;
            deliver_once(fake, "second delivery", &create).await;
            fake.assert_holds(nothing_remains);
            // The tombstone stops only the Create that the Delete has overtaken.
            stack.create(&properties()).await.assert_success();
            holds(fake);
            answers_are_sound(fake);
        });
    }
}
