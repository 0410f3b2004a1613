//! Failures that end the rotation, and requests during a pending one.

use std::time::Duration;

use tokio::time::sleep;

use crate::checks::{self};
use crate::fixture::{REPOSITORY, SECRET, USER, check_health, properties, serial};
use fake_aws::On;
use fake_aws::explore::paused;
use fake_aws::request::Service;
use fake_aws::secrets::versions::{AbandonedBy, Pending};
use fake_aws::{FakeAws, FaultKind, Options};
use test_support::{Rotated, RotationStep};

use super::fixture_with_schedule;

#[test]
fn token_rejected_for_a_day_ends_only_that_rotation() {
    for step in RotationStep::ALL {
        let context = step.to_string();
        paused(async {
            let mut fixture = fixture_with_schedule(Options::default()).await;
            let tokens = fixture.fake.look(|aws| aws.gitlab.tokens.clone());
            let rejects = |fake: &FakeAws| fake.change(|aws| aws.gitlab.tokens.clear());
            let reason = fixture.fail_at(step, rejects).await;
            assert!(
                reason.contains("401") && reason.contains("has ended"),
                "{reason}"
            );
            let ended = fixture.rotation.version().to_owned();
            for _ in 0..24 {
                let held = fixture.fake.look(|aws| {
                    checks::works(aws, SECRET, &checks::pairs(&properties()))?;
                    checks::labels_are_in_order(aws)
                });
                held.unwrap_or_else(|broken| panic!("{broken}"));
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
            fixture.is_rotated(&context);
            fixture.ends_well(&context).await;
        });
    }
}

#[test]
fn denied_call_or_foreign_credential_ends_the_rotation() {
    type Harm = fn(&FakeAws);
    let harms: [(&str, RotationStep, Harm); 3] = [
        ("no policy allows", RotationStep::Create, |fake| {
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
        paused(async {
            let mut fixture = fixture_with_schedule(Options::default()).await;
            let reason = fixture.fail_at(step, harm).await;
            assert!(reason.contains("has ended"), "{says}: {reason}");
            assert!(!fixture.rotation.is_pending(), "{says}");
            fixture.is_at_rest(&properties(), true, says);
            assert_eq!(fixture.change_days().await, Rotated::Finished, "{says}");
            fixture.fake.assert_unbroken();
        });
    }
}

#[test]
fn rejected_new_login_stays_pending_and_later_ends() {
    paused(async {
        let mut fixture = fixture_with_schedule(Options::default()).await;
        let late = |fake: &FakeAws| {
            fake.options(|options| options.login_late = Duration::from_mins(20));
        };
        late(&fixture.fake);
        let reason = fixture.fail_at(RotationStep::Set, |_| {}).await;
        assert!(
            reason.contains("401") && reason.contains("stays pending"),
            "{reason}"
        );
        sleep(Duration::from_mins(20)).await;
        let resumed = fixture.rotation.reattempt().await;
        assert_eq!(resumed, Rotated::Finished);
        fixture.is_rotated("late login");
        fixture.fake.assert_unbroken();
    });
    paused(async {
        let mut fixture = fixture_with_schedule(Options::default()).await;
        let reason = fixture
            .fail_at(RotationStep::Set, deactivate_the_pending)
            .await;
        assert!(
            reason.contains("401") && reason.contains("stays pending"),
            "{reason}"
        );
        sleep(Duration::from_mins(61)).await;
        let later = fixture.rotation.reattempt().await;
        let has_ended =
            matches!(&later, Rotated::Failed { reason, .. } if reason.contains("has ended"));
        assert!(has_ended, "{later:?}");
        assert!(!fixture.rotation.is_pending());
        fixture.is_at_rest(&properties(), true, "deactivated by hand");
        fixture.ends_well("deactivated by hand").await;
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

/// Days on which Secrets Manager itself keeps AWSPENDING, or removes it.
fn days() -> [Options; 2] {
    let left_alone = Options {
        pending: Pending {
            goes_with_current: true,
            abandoned_by: AbandonedBy::Nothing,
        },
        ..Options::default()
    };
    [Options::default(), left_alone]
}

#[test]
fn update_with_new_password_supersedes_a_pending_rotation() {
    for options in days() {
        for step in RotationStep::ALL {
            let context = step.to_string();
            paused(async {
                let mut fixture = fixture_with_schedule(options.clone()).await;
                let down = On::Service(Service::GitLab);
                let breaks = |fake: &FakeAws| fake.break_from_now(down, FaultKind::RequestLost);
                fixture.fail_at(step, breaks).await;
                fixture.fake.mend();
                fixture.is_pending(&context);
                let next = serial(&properties(), 2);
                fixture.stack.update(&next, None).await.assert_success();
                fixture.is_at_rest(&next, false, &context);
                assert!(!fixture.rotation.is_pending(), "{context}");
                // The reattempt of a superseded rotation changes nothing.
                let late = fixture.rotation.reattempt().await;
                assert!(matches!(late, Rotated::Failed { .. }), "{late:?}");
                fixture.is_at_rest(&next, false, &context);
                assert_eq!(fixture.change_days().await, Rotated::Finished);
                fixture.ends_well(&context).await;
            });
        }
    }
}

#[test]
fn delete_while_a_rotation_is_pending_leaves_nothing() {
    for step in RotationStep::ALL {
        paused(async {
            let mut fixture = fixture_with_schedule(Options::default()).await;
            let down = On::Service(Service::GitLab);
            let breaks = |fake: &FakeAws| fake.break_from_now(down, FaultKind::RequestLost);
            fixture.fail_at(step, breaks).await;
            fixture.fake.mend();
            fixture.is_pending(&step.to_string());
            fixture.expect_deleted(&step.to_string()).await;
        });
    }
}
