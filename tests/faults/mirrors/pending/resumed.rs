//! Failures that may pass: the rotation stays pending, and the reattempt resumes it.

use std::time::Duration;

use tokio::time::sleep;

use crate::fixture::{SECRET, calls_of_a_rotation, check_health};
use fake_aws::gitlab::Gateway;
use fake_aws::request::Service;
use fake_aws::secrets::CURRENT;
use fake_aws::{FakeAws, Fault, FaultKind, On, Options, Schedules};
use test_support::{Rotated, RotationStep};

use super::{RotationFixture, with_schedule};

const TRANSIENT: [FaultKind; 3] = [
    FaultKind::RequestLost,
    FaultKind::InternalError500,
    FaultKind::Throttled,
];

#[test]
fn outage_of_an_hour_in_any_step_then_reattempt_rotates() {
    let mut schedules = Schedules::one_in(1);
    let services = [
        Service::GitLab,
        Service::Iam,
        Service::SecretsManager,
        Service::CodeCommit,
    ];
    let outages = services.map(|service| TRANSIENT.map(|kind| (service, kind)));
    let of_git = (Service::Git, FaultKind::RequestLost);
    for (service, kind) in outages.into_iter().flatten().chain([of_git]) {
        for step in RotationStep::ALL {
            // Only these verify the login again.
            if service == Service::Git && step == RotationStep::Create {
                continue;
            }
            let mut firsts = vec![RotationStep::Create, step];
            firsts.dedup();
            for first in firsts {
                let context = format!("{service:?} {kind:?} at {step}, then from {first}");
                schedules.run(&context, || {
                    with_schedule(Options::default(), async |fixture| {
                        let steps = (step, first);
                        resumes_after_an_outage(fixture, (service, kind), steps).await;
                    });
                });
            }
        }
    }
    schedules.report("outages of an hour in a step of a rotation");
}

async fn resumes_after_an_outage(
    mut fixture: RotationFixture,
    (service, kind): (Service, FaultKind),
    (step, first): (RotationStep, RotationStep),
) {
    let breaks = |fake: &FakeAws| fake.break_from_now(On::Service(service), kind);
    fixture.fail_at(step, breaks, &["stays pending"]).await;
    sleep(Duration::from_hours(1)).await;
    fixture.fails(step, &["stays pending"]).await;
    fixture.fake.mend();
    fixture.is_pending();
    check_health(&fixture.fake).await;
    let resumed = fixture.rotation.resume_from(first).await;
    assert_eq!(resumed, Rotated::Finished);
    fixture.is_rotated();
    assert_eq!(fixture.change_days().await, Rotated::Finished);
    fixture.ends_well().await;
}

#[test]
fn answer_of_a_gateway_then_reattempt_rotates() {
    let calls = [
        (RotationStep::Create, "GitLab.ListMirrors"),
        (RotationStep::Create, "GitLab.CreateMirror"),
        (RotationStep::Set, "GitLab.UpdateMirror"),
    ];
    for (step, operation) in calls {
        for gateway in Gateway::each(operation) {
            with_schedule(Options::default(), async |mut fixture| {
                let answers =
                    |fake: &FakeAws| fake.change(|aws| aws.options.gitlab.gateway = Some(gateway));
                fixture.fail_at(step, answers, &["CFG-403", "stays pending"]).await;
                fixture.is_pending();
                fixture.fake.change(|aws| aws.options.gitlab.gateway = None);
                let resumed = fixture.rotation.reattempt().await;
                assert_eq!(resumed, Rotated::Finished, "{gateway:?}");
                fixture.is_rotated();
                fixture.ends_well().await;
            });
        }
    }
}

#[test]
fn failure_of_any_call_of_any_step_then_reattempt_rotates() {
    let mut schedules = Schedules::default();
    let (mut ran, mut failed) = (0, 0);
    let calls = with_schedule(Options::default(), async |mut fixture| {
        calls_of_a_rotation(&mut fixture.rotation).await
    });
    for (step, index, is_change) in calls {
        // This call and the step's later ones fail.
        let mut ways = TRANSIENT.map(|kind| vec![Fault::since(index, kind)]).to_vec();
        if is_change {
            // It is executed and its answer lost; no later one arrives.
            let lost = Fault::at(index, FaultKind::AnswerLost);
            ways.push(vec![lost, Fault::since(index + 1, FaultKind::RequestLost)]);
        }
        for faults in ways {
            let context = format!("{faults:?} at {step}#{index}");
            let has_failed = schedules.run(&context, || {
                with_schedule(Options::default(), async |fixture| {
                    fails_then_resumes(fixture, step, faults).await
                })
            });
            ran += usize::from(has_failed.is_some());
            failed += usize::from(has_failed == Some(true));
        }
    }
    schedules.report(&format!(
        "failing calls of a rotation, of which {ran} ran, and {failed} failed their step"
    ));
    assert!(failed * 3 > ran, "{failed} of {ran}");
}

/// Whether the step failed.
async fn fails_then_resumes(
    mut fixture: RotationFixture,
    step: RotationStep,
    faults: Vec<Fault>,
) -> bool {
    fixture.begin_until(step).await;
    // `begin` has been called for the schedule and for the rotation.
    let caller = format!("rotation-2.{step}.1");
    let fake = &fixture.fake;
    for fault in faults {
        fake.inject(&caller, fault);
    }
    let stepped = fixture.rotation.step(step).await;
    // In each way, no later call of this delivery succeeds.
    fake.change(|aws| aws.note_cut_off(&caller));
    let has_failed = match &stepped {
        // The end of a step may succeed without its last call.
        Ok(()) => false,
        Err(Rotated::Failed { reason, .. }) => {
            assert!(reason.contains("stays pending"), "{reason}");
            true
        }
        Err(other) => panic!("{other:?}"),
    };
    let is_current =
        fake.look(|aws| aws.secrets[SECRET].at_stage(CURRENT) == Some(fixture.rotation.version()));
    if !is_current {
        fixture.is_pending();
    }
    sleep(Duration::from_hours(1)).await;
    let resumed = fixture.rotation.reattempt().await;
    assert_eq!(resumed, Rotated::Finished);
    fixture.is_rotated();
    fixture.ends_well().await;
    has_failed
}
