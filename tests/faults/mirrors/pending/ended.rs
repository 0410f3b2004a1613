//! Failures that end the rotation, and requests during a pending one.

use std::time::Duration;

use tokio::time::sleep;

use crate::checks;
use crate::fixture::{REPOSITORY, SECRET, USER, check_health, options, properties, serial};
use fake_aws::secrets::versions::AbandonedBy;
use fake_aws::{FakeAws, Options};
use test_support::{Rotated, RotationStep};

use super::with_schedule;

#[test]
fn token_rejected_for_a_day_ends_only_that_rotation() {
    for step in RotationStep::ALL {
        with_schedule(Options::default(), async |mut fixture| {
            let tokens = fixture.fake.look(|aws| aws.gitlab.tokens.clone());
            let rejects = |fake: &FakeAws| fake.change(|aws| aws.gitlab.tokens.clear());
            let parts = ["401", "has ended"];
            fixture.fail_at(step, rejects, &parts).await;
            let ended = fixture.rotation.version().to_owned();
            for _ in 0..24 {
                fixture.fake.assert_holds(|aws| {
                    checks::works(aws, SECRET, &checks::pairs(&properties()))?;
                    checks::labels_are_in_order(aws)
                });
                sleep(Duration::from_hours(1)).await;
            }
            check_health(&fixture.fake).await;
            assert_eq!(fixture.change_days().await, Rotated::Finished);
            // Due again, without success: with a version of its own, which ends too.
            let again = fixture.rotation.come_due().await;
            assert!(matches!(again, Rotated::Failed { .. }), "{again:?}");
            assert!(!fixture.rotation.is_pending());
            assert_ne!(fixture.rotation.version(), ended);
            fixture.fake.change(|aws| aws.gitlab.tokens = tokens);
            // An open claim counts as a running invocation for 20 minutes.
            sleep(Duration::from_mins(30)).await;
            let rotated = fixture.rotation.come_due().await;
            assert_eq!(rotated, Rotated::Finished);
            fixture.is_rotated();
            fixture.ends_well().await;
        });
    }
}

#[test]
fn denied_call_or_foreign_credential_ends_the_rotation() {
    type Harm = fn(&FakeAws);
    let harms: [(&str, RotationStep, Harm); 3] = [
        ("identity-based policy", RotationStep::Create, |fake| {
            fake.deny("iam:CreateServiceSpecificCredential", USER);
        }),
        ("codecommit:GetRepository", RotationStep::Set, |fake| {
            fake.deny("codecommit:GetRepository", REPOSITORY);
        }),
        ("credential", RotationStep::Create, |fake| {
            fake.foreign_credential(USER);
        }),
    ];
    for (says, step, harm) in harms {
        with_schedule(Options::default(), async |mut fixture| {
            fixture.fail_at(step, harm, &[says, "has ended"]).await;
            assert!(!fixture.rotation.is_pending());
            fixture.is_at_rest(&properties(), true);
            assert_eq!(fixture.change_days().await, Rotated::Finished);
            fixture.fake.assert_unbroken();
        });
    }
}

#[test]
fn rejected_new_login_stays_pending_and_later_ends() {
    let parts = ["401", "stays pending"];
    with_schedule(Options::default(), async |mut fixture| {
        let takes = Duration::from_mins(20);
        fixture.fake.options(|options| options.login_late = takes);
        fixture.fail_at(RotationStep::Set, |_| {}, &parts).await;
        sleep(takes).await;
        let resumed = fixture.rotation.reattempt().await;
        assert_eq!(resumed, Rotated::Finished);
        fixture.is_rotated();
        fixture.fake.assert_unbroken();
    });
    with_schedule(Options::default(), async |mut fixture| {
        let harm = deactivate_the_pending;
        fixture.fail_at(RotationStep::Set, harm, &parts).await;
        sleep(Duration::from_mins(61)).await;
        let later = fixture.rotation.reattempt().await;
        let has_ended =
            matches!(&later, Rotated::Failed { reason, .. } if reason.contains("has ended"));
        assert!(has_ended, "{later:?}");
        assert!(!fixture.rotation.is_pending());
        fixture.is_at_rest(&properties(), true);
        fixture.ends_well().await;
    });
}

/// A person sets the credential that the rotation issued to inactive.
fn deactivate_the_pending(fake: &FakeAws) {
    fake.change(|aws| {
        let current = checks::value(aws).expect("a value")["serviceSpecificCredentialId"].clone();
        for held in checks::ours(aws) {
            if current != held.id {
                aws.deactivate(USER, &held.id);
            }
        }
    });
}

#[test]
fn update_with_new_password_supersedes_a_pending_rotation() {
    // Secrets Manager itself removes AWSPENDING, or keeps it.
    for abandoned_by in [AbandonedBy::Current, AbandonedBy::Nothing] {
        for step in RotationStep::ALL {
            let world = options(|options| options.pending.abandoned_by = abandoned_by);
            with_schedule(world, async |mut fixture| {
                fixture.leave_pending(step).await;
                let next = serial(&properties(), 2);
                fixture.stack.update(&next, None).await.assert_success();
                fixture.is_at_rest(&next, false);
                assert!(!fixture.rotation.is_pending());
                // The reattempt of a superseded rotation changes nothing.
                let late = fixture.rotation.reattempt().await;
                assert!(matches!(late, Rotated::Failed { .. }), "{late:?}");
                fixture.is_at_rest(&next, false);
                assert_eq!(fixture.change_days().await, Rotated::Finished);
                fixture.ends_well().await;
            });
        }
    }
}

#[test]
fn delete_while_a_rotation_is_pending_leaves_nothing() {
    for step in RotationStep::ALL {
        with_schedule(Options::default(), async |mut fixture| {
            fixture.leave_pending(step).await;
            fixture.expect_deleted().await;
        });
    }
}
