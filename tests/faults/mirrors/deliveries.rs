//! Two deliveries of one request at once, and a Create beside the Delete that cancels it: where
//! there are mirrors, too many orders to try each.

use std::time::Duration;

use serde_json::Value;

use crate::checks::{self, Watch};
use crate::scene::{both, properties, serial, stack, world};
use fake_aws::custom_resource::{INVENTED_ID, Request, Stack, answers_are_sound, deliver_once};
use fake_aws::explore::sample;
use fake_aws::{Options, Schedule, World};

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

fn at_rest(world: &World, properties: &Value) {
    let held = world.look(|aws| checks::at_rest(aws, properties, false));
    held.unwrap_or_else(|broken| panic!("{broken}\n{}", world.told()));
}

fn nothing_left(world: &World, context: &str) {
    let left = world.look(checks::nothing_left);
    left.unwrap_or_else(|left| panic!("{context}: {left}\n{}", world.told()));
}

/// Delivers one request and another at once, call by call in the order of `schedule`.
async fn deliver_both(world: &World, schedule: &Schedule, one: &Request, other: &Request) {
    world.obey(schedule);
    let (first, second) = (world.caller("one"), world.caller("other"));
    let works = schedule.both(
        deliver_once(world, &first, one),
        deliver_once(world, &second, other),
    );
    works.await;
}

/// The answer to `request` is a success, and every answer was sound.
async fn has_succeeded(world: &World, stack: &mut Stack, request: &Request) {
    let answer = stack.heard(request).await;
    assert!(answer.is_success(), "{answer:?}\n{}", world.told());
    answers_are_sound(world);
    world.assert_unbroken();
}

#[test]
fn a_create_delivered_twice_at_once_ends_as_once() {
    for options in days() {
        sample(50, 4, |schedule| {
            let options = options.clone();
            async move {
                let world = world(options);
                let mut stack = stack(&world);
                Watch::begin(&world);
                let create = stack.request("Create", None, &properties(), None);
                deliver_both(&world, &schedule, &create, &create).await;
                has_succeeded(&world, &mut stack, &create).await;
                at_rest(&world, &properties());
            }
        });
    }
}

#[test]
fn an_update_delivered_twice_at_once_ends_as_once() {
    for options in days() {
        sample(50, 4, |schedule| {
            let options = options.clone();
            async move {
                let world = world(options);
                let mut stack = stack(&world);
                assert!(stack.create(&properties()).await.is_success());
                tokio::time::sleep(Duration::from_mins(1)).await;
                let watch = Watch::begin(&world);
                watch.expect(checks::pairs(&properties()));
                let (id, old) = stack.resource.clone().expect("created");
                let next = serial(&both(), 2);
                let update = stack.request("Update", Some(&id), &next, Some(&old));
                deliver_both(&world, &schedule, &update, &update).await;
                has_succeeded(&world, &mut stack, &update).await;
                at_rest(&world, &next);
            }
        });
    }
}

#[test]
fn a_delete_that_overtakes_a_running_create_leaves_nothing() {
    for options in days() {
        sample(100, 4, |schedule| {
            let options = options.clone();
            async move {
                let world = world(options);
                let mut stack = stack(&world);
                let create = stack.request("Create", None, &properties(), None);
                let delete = stack.request("Delete", Some(INVENTED_ID), &properties(), None);
                deliver_both(&world, &schedule, &create, &delete).await;
                has_succeeded(&world, &mut stack, &delete).await;
                nothing_left(&world, "after both");
                deliver_once(&world, &world.caller("create again"), &create).await;
                nothing_left(&world, "after the Create came again");
                answers_are_sound(&world);
                world.assert_unbroken();
            }
        });
    }
}

#[test]
fn a_delete_beside_an_update_leaves_nothing() {
    sample(100, 4, |schedule| async move {
        let world = world(Options::default());
        let mut stack = stack(&world);
        assert!(stack.create(&properties()).await.is_success());
        let (id, old) = stack.resource.clone().expect("created");
        let next = serial(&both(), 2);
        // An Update that came too late for CloudFormation, which has given up on it.
        let update = stack.request("Update", Some(&id), &next, Some(&old));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let delete = stack.request("Delete", Some(&id), &old, None);
        deliver_both(&world, &schedule, &update, &delete).await;
        has_succeeded(&world, &mut stack, &delete).await;
        nothing_left(&world, "after both");
    });
}
