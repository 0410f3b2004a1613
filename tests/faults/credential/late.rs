//! Requests that arrive after a later one, after their deadline, or after their `ResponseURL` expired.

use std::time::Duration;

use serde_json::json;

use crate::checks::nothing_remains;
use crate::cloudformation::{INVENTED_ID, ParentStack, deliver_once, stack};
use crate::fixture::{NAME, created, holds, state};
use crate::{REPOSITORY, fake, properties, with};
use fake_aws::custom_resource::{StackRequest, answers_are_sound};
use fake_aws::{FakeAws, Options, explore::paused};

#[test]
fn late_copy_of_an_older_request_changes_nothing() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        let (id, old) = stack.resource.clone().expect("created");
        let second = with(properties(), "RotationSerial", json!("2"));
        let third = with(properties(), "RotationSerial", json!("3"));
        let older = stack.request("Update", Some(&id), &second, Some(&old));
        assert!(stack.deliver(&older).await.is_success());
        tokio::time::sleep(Duration::from_secs(30)).await;
        stack.resource = Some((id.clone(), second));
        assert!(stack.update(&third, None).await.is_success());
        let before = state(&fake);
        deliver_once(&fake, &fake.caller("older again"), &older).await;
        assert_eq!(state(&fake), before, "{}", fake.transcript());

        // A Delete of a resource that was created again since.
        let deletion = stack.request("Delete", Some(&id), &third, None);
        assert!(stack.deliver(&deletion).await.is_success());
        tokio::time::sleep(Duration::from_secs(30)).await;
        stack.resource = None;
        assert!(stack.create(&properties()).await.is_success());
        deliver_once(&fake, &fake.caller("deletion again"), &deletion).await;
        holds(&fake);
    });
}

#[test]
fn create_after_cloudformations_timeout_leaves_nothing() {
    paused(async {
        let fake = fake(Options::default());
        let mut stack = stack(&fake);
        let create = stack.request("Create", None, &properties(), None);
        tokio::time::sleep(Duration::from_secs(3601)).await;
        deliver_once(&fake, &fake.caller("late"), &create).await;
        fake.look(nothing_remains).expect("nothing");
        // And one that was already deleted, while CloudFormation still waits.
        let create = stack.request("Create", None, &properties(), None);
        let delete = stack.request("Delete", Some(INVENTED_ID), &properties(), None);
        assert!(stack.deliver(&delete).await.is_success());
        deliver_once(&fake, &fake.caller("overtaken"), &create).await;
        fake.look(nothing_remains)
            .unwrap_or_else(|left| panic!("{left}\n{}", fake.transcript()));
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
        let late = fake.caller("late");
        assert_eq!(deliver_once(&fake, &late, &create).await, Some(true));
        assert_eq!(fake.calls_of("late"), 0, "{}", fake.transcript());
        fake.look(nothing_remains).expect("nothing");
        assert!(fake.responses().is_empty());
    });
}

#[test]
fn expired_update_changes_nothing() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        let (id, old) = stack.resource.clone().expect("created");
        let new = with(properties(), "RotationSerial", json!("2"));
        let update = stack.request("Update", Some(&id), &new, Some(&old));
        let update = update.valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        let before = state(&fake);
        deliver_once(&fake, &fake.caller("late"), &update).await;
        assert_eq!(state(&fake), before, "{}", fake.transcript());
        assert_eq!(fake.calls_of("late"), 0);
    });
}

#[test]
fn expired_delete_deletes_unless_a_later_request_ran() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        let (id, old) = stack.resource.clone().expect("created");
        tokio::time::sleep(Duration::from_secs(30)).await;
        let delete = stack.request("Delete", Some(&id), &old, None).valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        deliver_once(&fake, &fake.caller("late"), &delete).await;
        fake.look(nothing_remains)
            .unwrap_or_else(|left| panic!("{left}\n{}", fake.transcript()));

        // A second one that a Create has overtaken.
        let delete = stack.request("Delete", Some(&id), &old, None).valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        stack.resource = None;
        assert!(stack.create(&properties()).await.is_success());
        let before = state(&fake);
        deliver_once(&fake, &fake.caller("overtaken"), &delete).await;
        assert_eq!(state(&fake), before, "{}", fake.transcript());
        holds(&fake);
    });
}

/// The first delivery of a Create fails because of a denied call, and CloudFormation deletes the
/// resource by the ID of that answer. Answers the Create, to be delivered again.
pub async fn failed_then_deleted(fake: &FakeAws, stack: &mut ParentStack) -> StackRequest {
    fake.deny("codecommit:GetRepository", REPOSITORY);
    let create = stack.request("Create", None, &properties(), None);
    let first = fake.caller("first delivery");
    assert_eq!(deliver_once(fake, &first, &create).await, Some(true));
    fake.change(|aws| aws.denied.clear());
    let delete = stack.request("Delete", Some(NAME), &properties(), None);
    let deleted = stack.deliver(&delete).await;
    assert!(deleted.is_success(), "{deleted:?}\n{}", fake.transcript());
    create
}

#[test]
fn create_redelivered_after_its_delete_leaves_nothing() {
    for passes in [Duration::ZERO, Duration::from_secs(30)] {
        paused(async {
            let fake = fake(Options::default());
            let mut stack = stack(&fake);
            let create = failed_then_deleted(&fake, &mut stack).await;
            tokio::time::sleep(passes).await;
            deliver_once(&fake, &fake.caller("second delivery"), &create).await;
            let left = fake.look(nothing_remains);
            left.unwrap_or_else(|left| panic!("{left}\n{}", fake.transcript()));
            // The tombstone stops only the Create that the Delete has overtaken.
            let answer = stack.create(&properties()).await;
            assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
            holds(&fake);
            answers_are_sound(&fake);
        });
    }
}
