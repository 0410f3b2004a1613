//! A rotation and the stack's own requests at the same time, or between each other's steps.

use serde_json::Value;

use crate::checks::{self, Watch};
use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, both, in_account, in_orders, mirror, properties, serial, with,
};
use fake_aws::{FakeAws, Fault, FaultKind, Schedule};
use test_support::custom_resource::ParentStack;
use test_support::{Rotated, Rotation, RotationStep};

/// Checks that the pairs in both `before` and `after` work at every instant.
fn watch(fake: &FakeAws, before: &Value, after: &Value) -> Watch {
    let mut common = checks::pairs(before);
    common.retain(|pair| checks::pairs(after).contains(pair));
    let watch = Watch::begin(fake);
    watch.expect(common);
    watch
}

/// All is as in `properties`, or the rotation is pending; all is after one more rotation; and
/// nothing outlives a deletion.
pub async fn ends_well(
    (stack, rotation): (&mut ParentStack, &mut Rotation),
    watch: &Watch,
    properties: &Value,
    context: &str,
) {
    let fake = stack.fake.clone();
    if rotation.is_pending() {
        fake.assert_holds_in(context, |aws| checks::pending(aws, properties));
    } else {
        fake.assert_holds_in(context, |aws| checks::at_rest(aws, properties, true));
    }
    rotates_and_leaves_nothing((stack, rotation), watch, properties, context).await;
}

/// All is as in `properties` after one more rotation, and nothing outlives a deletion.
pub async fn rotates_and_leaves_nothing(
    (stack, rotation): (&mut ParentStack, &mut Rotation),
    watch: &Watch,
    properties: &Value,
    context: &str,
) {
    let fake = stack.fake.clone();
    let again = rotation.come_due().await;
    assert_eq!(again, Rotated::Finished, "{context}");
    fake.assert_holds_in(context, |aws| checks::at_rest(aws, properties, true));
    watch.expect_nothing();
    stack.delete().await.assert_success();
    fake.assert_holds_in(context, checks::nothing_remains);
}

/// The concurrent updates of the stack, and the mirrors that they have in common with before.
fn updates() -> Vec<(&'static str, Value)> {
    let moved = serde_json::json!([mirror(OTHER_PROJECT, OTHER_REPOSITORY)]);
    vec![
        ("nothing new", properties()),
        ("a new password", serial(&properties(), 2)),
        ("one more project", both()),
        ("another project", with(properties(), "Mirrors", moved)),
    ]
}

#[test]
fn update_between_any_two_rotation_steps_succeeds() {
    for (name, update) in updates() {
        for before in 0..=RotationStep::ALL.len() {
            in_account(async |fake, stack, rotation| {
                stack.create(&properties()).await.assert_success();
                let watch = watch(fake, &properties(), &update);
                rotation.begin().expect("a rotation");
                for step in &RotationStep::ALL[..before] {
                    assert_eq!(rotation.step(*step).await, Ok(()));
                }
                stack.update(&update, None).await.assert_success();
                for step in &RotationStep::ALL[before..] {
                    if rotation.step(*step).await.is_err() {
                        break;
                    }
                }
                let context = format!("{name} before step {before}");
                ends_well((stack, rotation), &watch, &update, &context).await;
            });
        }
    }
}

#[test]
fn delete_between_any_two_steps_leaves_nothing() {
    for before in 0..=RotationStep::ALL.len() {
        in_account(async |fake, stack, rotation| {
            stack.create(&both()).await.assert_success();
            rotation.begin().expect("a rotation");
            for step in &RotationStep::ALL[..before] {
                assert_eq!(rotation.step(*step).await, Ok(()));
            }
            stack.delete().await.assert_success();
            for step in &RotationStep::ALL[before..] {
                // The secret is gone.
                assert!(rotation.step(*step).await.is_err(), "{step}");
            }
            fake.assert_holds_in(format!("before step {before}"), checks::nothing_remains);
            fake.assert_holds(checks::no_push_failed);
        });
    }
}

/// A rotation and an Update at once. The Update succeeds, and the rotation does or waits.
async fn rotate_beside(
    (stack, rotation): (&mut ParentStack, &mut Rotation),
    schedule: &Schedule,
    update: &Value,
) {
    stack.create(&properties()).await.assert_success();
    let watch = watch(&stack.fake, &properties(), update);
    stack.fake.obey(schedule);
    let works = schedule.both(rotation.rotate(), stack.update(update, None));
    let (rotated, updated) = works.await;
    updated.assert_success();
    let context = format!("{rotated:?}");
    ends_well((stack, rotation), &watch, update, &context).await;
}

#[test]
fn concurrent_rotation_and_update_succeed_in_any_order() {
    for (_, update) in updates() {
        in_orders(40, 4, async |_, stack, rotation, schedule| {
            rotate_beside((stack, rotation), schedule, &update).await;
        });
    }
}

#[test]
fn concurrent_rotation_and_update_survive_a_kill() {
    in_orders(80, 3, async |fake, stack, rotation, schedule| {
        let mut random = fastrand::Rng::with_seed(schedule.seed());
        let kinds = [FaultKind::KilledBefore, FaultKind::KilledAfter];
        for caller in ["2-Update.1", "rotation-1.createSecret.1"] {
            if random.bool() {
                let kind = kinds[random.usize(..kinds.len())];
                fake.inject(caller, Fault::at(random.usize(..25), kind));
            }
        }
        rotate_beside((stack, rotation), schedule, &serial(&properties(), 2)).await;
    });
}

#[test]
fn concurrent_rotation_and_delete_leave_nothing() {
    in_orders(120, 4, async |fake, stack, rotation, schedule| {
        stack.create(&properties()).await.assert_success();
        fake.obey(schedule);
        let (rotated, deleted) = schedule.both(rotation.rotate(), stack.delete()).await;
        deleted.assert_success();
        fake.assert_holds_in(format!("{rotated:?}"), checks::nothing_remains);
        fake.assert_holds(checks::no_push_failed);
    });
}

#[test]
fn step_delivered_twice_at_once_runs_once_in_any_order() {
    for twice in RotationStep::ALL {
        in_orders(30, 4, async |fake, stack, rotation, schedule| {
            stack.create(&properties()).await.assert_success();
            let watch = watch(fake, &properties(), &properties());
            rotation.begin().expect("a rotation");
            for step in RotationStep::ALL {
                if step == twice {
                    fake.obey(schedule);
                    let both = schedule.both(rotation.deliver(step, 1), rotation.deliver(step, 2));
                    // Secrets Manager gets one of the responses.
                    if !matches!(both.await, (Some(Ok(_)), _) | (_, Some(Ok(_)))) {
                        break;
                    }
                } else if rotation.step(step).await.is_err() {
                    break;
                }
            }
            let context = format!("{twice} twice");
            ends_well((stack, rotation), &watch, &properties(), &context).await;
        });
    }
}
