//! Two deliveries of one request at once, and a Create beside the Delete that cancels it: where
//! there are mirrors, too many orders to try each.

use std::time::Duration;

use serde_json::Value;

use crate::checks::{self, Watch};
use crate::fixture::{both, fake, properties, serial, stack};
use fake_aws::custom_resource::{
    INVENTED_ID, ParentStack, StackRequest, answers_are_sound, deliver_once,
};
use fake_aws::explore::sample;
use fake_aws::{FakeAws, Options, Schedule};

/// IAM late, or not.
fn days() -> [Options; 2] {
    let late = Options {
        lists_late: Duration::from_secs(4),
        tags_late: Duration::from_secs(3),
        login_late: Duration::from_secs(5),
        ..Options::default()
    };
    [Options::default(), late]
}

fn at_rest(fake: &FakeAws, properties: &Value) {
    let held = fake.look(|aws| checks::at_rest(aws, properties, false));
    held.unwrap_or_else(|broken| panic!("{broken}\n{}", fake.transcript()));
}

fn nothing_remains(fake: &FakeAws, context: &str) {
    let left = fake.look(checks::nothing_remains);
    left.unwrap_or_else(|left| panic!("{context}: {left}\n{}", fake.transcript()));
}

/// Delivers one request and another at once, call by call in the order of `schedule`.
async fn deliver_both(
    fake: &FakeAws,
    schedule: &Schedule,
    one: &StackRequest,
    other: &StackRequest,
) {
    fake.obey(schedule);
    let (first, second) = (fake.caller("one"), fake.caller("other"));
    let works = schedule.both(
        deliver_once(fake, &first, one),
        deliver_once(fake, &second, other),
    );
    works.await;
}

/// The answer to `request` is a success, and every answer was sound.
async fn has_succeeded(fake: &FakeAws, stack: &mut ParentStack, request: &StackRequest) {
    let answer = stack.heard(request).await;
    assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
    answers_are_sound(fake);
    fake.assert_unbroken();
}

#[test]
fn create_delivered_twice_at_once_ends_as_once() {
    for options in days() {
        sample(50, 4, |schedule| {
            let options = options.clone();
            async move {
                let fake = fake(options);
                let mut stack = stack(&fake);
                Watch::begin(&fake);
                let create = stack.request("Create", None, &properties(), None);
                deliver_both(&fake, &schedule, &create, &create).await;
                has_succeeded(&fake, &mut stack, &create).await;
                at_rest(&fake, &properties());
            }
        });
    }
}

#[test]
fn update_delivered_twice_at_once_ends_as_once() {
    for options in days() {
        sample(50, 4, |schedule| {
            let options = options.clone();
            async move {
                let fake = fake(options);
                let mut stack = stack(&fake);
                assert!(stack.create(&properties()).await.is_success());
                tokio::time::sleep(Duration::from_mins(1)).await;
                let watch = Watch::begin(&fake);
                watch.expect(checks::pairs(&properties()));
                let (id, old) = stack.resource.clone().expect("created");
                let next = serial(&both(), 2);
                let update = stack.request("Update", Some(&id), &next, Some(&old));
                deliver_both(&fake, &schedule, &update, &update).await;
                has_succeeded(&fake, &mut stack, &update).await;
                at_rest(&fake, &next);
            }
        });
    }
}

#[test]
fn delete_that_overtakes_a_running_create_leaves_nothing() {
    for options in days() {
        sample(100, 4, |schedule| {
            let options = options.clone();
            async move {
                let fake = fake(options);
                let mut stack = stack(&fake);
                let create = stack.request("Create", None, &properties(), None);
                let delete = stack.request("Delete", Some(INVENTED_ID), &properties(), None);
                deliver_both(&fake, &schedule, &create, &delete).await;
                has_succeeded(&fake, &mut stack, &delete).await;
                nothing_remains(&fake, "after both");
                deliver_once(&fake, &fake.caller("create again"), &create).await;
                nothing_remains(&fake, "after the Create came again");
                answers_are_sound(&fake);
                fake.assert_unbroken();
            }
        });
    }
}

#[test]
fn delete_beside_an_update_leaves_nothing() {
    sample(100, 4, |schedule| async move {
        let fake = fake(Options::default());
        let mut stack = stack(&fake);
        assert!(stack.create(&properties()).await.is_success());
        let (id, old) = stack.resource.clone().expect("created");
        let next = serial(&both(), 2);
        // An Update that is too late: CloudFormation no longer waits for it.
        let update = stack.request("Update", Some(&id), &next, Some(&old));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let delete = stack.request("Delete", Some(&id), &old, None);
        deliver_both(&fake, &schedule, &update, &delete).await;
        has_succeeded(&fake, &mut stack, &delete).await;
        nothing_remains(&fake, "after both");
    });
}
