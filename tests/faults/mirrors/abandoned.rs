//! Rotations whose step is killed: their logins and mirrors work or wait. The same version resumes,
//! and without a schedule the health check or the deletion cleans up. The stories let an update follow.

use std::time::Duration;

use tokio::time::sleep;

use crate::at_once::{ends_well, rotates_and_leaves_nothing};
use crate::checks::{self, Watch};
use crate::fixture::{calls_of_a_rotation, check_health, in_account, properties};
use fake_aws::{Fault, FaultKind, Schedules};
use test_support::custom_resource::ParentStack;
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

async fn comes(next: Next, (stack, rotation): (&mut ParentStack, &mut Rotation), watch: &Watch) {
    let fake = stack.fake.clone();
    match next {
        Next::SameVersion => {
            sleep(Duration::from_mins(5)).await;
            for step in RotationStep::ALL {
                let answer = rotation.deliver(step, 9).await;
                assert!(matches!(answer, Some(Ok(_))), "{answer:?}");
            }
            ends_well((stack, rotation), watch, &properties(), "").await;
        }
        Next::HealthCheck => {
            rotation.cancel().expect("a secret");
            sleep(Duration::from_mins(90)).await;
            check_health(&fake).await;
            fake.assert_holds(checks::labels_are_in_order);
            // For as long as an invocation, the check's change looks like a peer's.
            sleep(Duration::from_mins(30)).await;
            // Until the next rotation, the dead one's credential may be there.
            rotates_and_leaves_nothing((stack, rotation), watch, &properties(), "").await;
        }
        Next::Delete => {
            watch.expect_nothing();
            stack.delete().await.assert_success();
            fake.assert_holds(checks::nothing_remains);
        }
    }
}

#[test]
fn rotation_killed_anywhere_resumes_or_is_ended_or_deleted() {
    let calls = in_account(async |_, stack, rotation| {
        stack.create(&properties()).await.assert_success();
        calls_of_a_rotation(rotation).await
    });
    for next in [Next::SameVersion, Next::HealthCheck, Next::Delete] {
        let mut schedules = Schedules::default();
        // A death at a read leaves the same as one after the change before it.
        for (step, index, _) in calls.iter().filter(|(.., is_change)| *is_change) {
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
                        comes(next, (stack, rotation), &watch).await;
                    });
                });
            }
        }
        let deaths = schedules.report(&format!("deaths of a rotation, then {next:?}"));
        assert!(deaths > 20);
    }
}
