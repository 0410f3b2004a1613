//! Rotations whose step is killed: their logins and mirrors work or wait. The same version resumes,
//! and without a schedule the health check or the deletion cleans up. The stories let an update follow.

use std::time::Duration;

use tokio::time::sleep;

use crate::checks::{self, Watch};
use crate::fixture::{check_health, in_account, properties};
use fake_aws::{FakeAws, Fault, FaultKind, Schedules};
use test_support::{Rotated, Rotation, RotationStep};

/// Who comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Secrets Manager repeats the four steps for the same version.
    SameVersion,
    /// The schedule is cancelled. The health check runs an hour and a half later, then the next
    /// rotation.
    HealthCheck,
    /// The stack's deletion.
    Delete,
}

/// Every call of a whole rotation that changes anything: its step, and its index
/// in the step. A death at a read leaves the same as one after the change before it.
fn calls() -> Vec<(RotationStep, usize)> {
    in_account(async |fake, stack, rotation| {
        stack.create(&properties()).await.assert_success();
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        let journal = fake.journal();
        let of_step = |caller: &str| {
            let all = RotationStep::ALL.into_iter();
            all.clone()
                .find(|step| caller == format!("rotation-1.{step}.1"))
        };
        let calls = journal.iter();
        calls
            .filter(|entry| !entry.reads())
            .filter_map(|entry| Some((of_step(&entry.caller)?, entry.index)))
            .collect()
    })
}

fn holds(fake: &FakeAws, context: &str) {
    fake.assert_holds_in(context, |aws| checks::at_rest(aws, &properties(), true));
}

async fn comes(next: Next, fake: &FakeAws, rotation: &mut Rotation) {
    let context = format!("{next:?}");
    match next {
        Next::SameVersion => {
            sleep(Duration::from_mins(5)).await;
            let mut steps = vec![];
            for step in RotationStep::ALL {
                steps.push(rotation.deliver(step, 9).await);
            }
            assert!(
                steps.iter().all(|step| matches!(step, Some(Ok(_)))),
                "{context} {steps:?}"
            );
            holds(fake, &format!("{context} {steps:?}"));
        }
        Next::HealthCheck => {
            rotation.cancel().expect("a secret");
            sleep(Duration::from_mins(90)).await;
            check_health(fake).await;
            fake.assert_holds_in(&context, checks::labels_are_in_order);
            // For as long as an invocation, the check's change looks like a peer's.
            sleep(Duration::from_mins(30)).await;
        }
        Next::Delete => return,
    }
    let again = rotation.come_due().await;
    assert_eq!(again, Rotated::Finished, "{context}");
    holds(fake, &context);
}

fn every_death(next: Next) -> usize {
    let mut schedules = Schedules::default();
    let calls = calls();
    for (step, index) in &calls {
        for kind in [FaultKind::KilledBefore, FaultKind::KilledAfter] {
            schedules.run(format!("{kind:?} at {step}#{index}"), || {
                in_account(async |fake, stack, rotation| {
                    stack.create(&properties()).await.assert_success();
                    let watch = Watch::begin(fake);
                    watch.expect(checks::pairs(&properties()));
                    let caller = format!("rotation-1.{step}.1");
                    fake.inject(&caller, Fault::at(*index, kind));
                    rotation.deliveries = 1;
                    assert_eq!(rotation.rotate().await, Rotated::Died(*step));
                    assert_eq!(fake.faults_left(), 0);
                    comes(next, fake, rotation).await;
                    watch.expect_nothing();
                    stack.delete().await.assert_success();
                    fake.assert_holds(checks::nothing_remains);
                });
            });
        }
    }
    fake_aws::figure!(
        "schedules: {} deaths of a rotation, then {next:?}",
        calls.len() * 2
    );
    schedules.finish();
    calls.len()
}

#[test]
fn rotation_killed_anywhere_resumes_the_same_version() {
    assert!(every_death(Next::SameVersion) > 10);
}

#[test]
fn rotation_killed_anywhere_is_ended_by_the_health_check() {
    assert!(every_death(Next::HealthCheck) > 10);
}

#[test]
fn rotation_killed_anywhere_is_deleted_with_the_stack() {
    assert!(every_death(Next::Delete) > 10);
}
