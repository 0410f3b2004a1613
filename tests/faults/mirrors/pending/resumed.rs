//! Failures that may pass: the rotation stays pending, and the reattempt resumes it.

use std::time::Duration;

use tokio::time::sleep;

use crate::fixture::{SECRET, check_health};
use fake_aws::On;
use fake_aws::explore::paused;
use fake_aws::request::Service;
use fake_aws::secrets::CURRENT;
use fake_aws::{FakeAws, Fault, FaultKind, Options, Schedules};
use test_support::{Rotated, RotationStep};

use super::{NOT_COMPLETE, fixture_with_schedule};

/// The services that a step calls, and how each can fail for a while.
fn outages() -> Vec<(Service, FaultKind)> {
    let services = [
        Service::GitLab,
        Service::Iam,
        Service::SecretsManager,
        Service::CodeCommit,
    ];
    let kinds = [
        FaultKind::RequestLost,
        FaultKind::InternalError500,
        FaultKind::Throttled,
    ];
    let pairs = services
        .into_iter()
        .flat_map(|service| kinds.map(|kind| (service, kind)));
    pairs
        .chain([(Service::Git, FaultKind::RequestLost)])
        .collect()
}

#[test]
fn outage_of_an_hour_in_any_step_then_reattempt_rotates() {
    let mut schedules = Schedules::one_in(1);
    for (service, kind) in outages() {
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
                    paused(resumes_after_an_outage(
                        (service, kind),
                        step,
                        first,
                        &context,
                    ));
                });
            }
        }
    }
    schedules.report("outages of an hour in a step of a rotation");
}

async fn resumes_after_an_outage(
    (service, kind): (Service, FaultKind),
    step: RotationStep,
    first: RotationStep,
    context: &str,
) {
    let mut fixture = fixture_with_schedule(Options::default()).await;
    let breaks = |fake: &FakeAws| fake.break_from_now(On::Service(service), kind);
    let reason = fixture.fail_at(step, breaks).await;
    assert!(reason.contains("stays pending"), "{context}: {reason}");
    sleep(Duration::from_hours(1)).await;
    let still = fixture.fails(step).await;
    assert!(still.contains("stays pending"), "{context}: {still}");
    fixture.fake.mend();
    fixture.is_pending(context);
    fixture.days_cannot_change().await;
    check_health(&fixture.fake).await;
    let resumed = fixture.rotation.resume_from(first).await;
    assert_eq!(resumed, Rotated::Finished, "{context}");
    fixture.is_rotated(context);
    assert_eq!(fixture.change_days().await, Rotated::Finished);
    fixture.ends_well(context).await;
}

/// Every call of a whole rotation: its step, its index among the step's, and whether it changes
/// anything.
fn calls() -> Vec<(RotationStep, usize, bool)> {
    paused(async {
        let mut fixture = fixture_with_schedule(Options::default()).await;
        let before = fixture.fake.journal().len();
        assert_eq!(fixture.rotation.rotate().await, Rotated::Finished);
        let journal = fixture.fake.journal();
        let calls = journal[before..].iter().filter_map(|entry| {
            let mut steps = RotationStep::ALL.into_iter();
            let step = steps.find(|step| entry.caller.contains(&format!(".{step}.")))?;
            Some((step, entry.index, !entry.reads()))
        });
        calls.collect()
    })
}

/// The failure of a call, and of the step's later calls.
#[derive(Clone, Copy, Debug)]
enum CallFailure {
    /// This call and all later ones.
    Since(FaultKind),
    /// The call is executed and its answer lost; no later one arrives.
    ExecutedThenSilence,
}

#[test]
fn failure_of_any_call_of_any_step_then_reattempt_rotates() {
    let mut schedules = Schedules::default();
    let (mut ran, mut failed) = (0, 0);
    for (step, index, is_change) in calls() {
        let mut ways = vec![
            CallFailure::Since(FaultKind::RequestLost),
            CallFailure::Since(FaultKind::InternalError500),
            CallFailure::Since(FaultKind::Throttled),
        ];
        if is_change {
            ways.push(CallFailure::ExecutedThenSilence);
        }
        for way in ways {
            let context = format!("{way:?} at {step}#{index}");
            let has_failed = schedules.run(&context, || {
                paused(fails_then_resumes(step, index, way, &context))
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
    step: RotationStep,
    index: usize,
    way: CallFailure,
    context: &str,
) -> bool {
    let mut fixture = fixture_with_schedule(Options::default()).await;
    fixture.rotation.begin().expect("a rotation");
    for before in RotationStep::ALL
        .into_iter()
        .take_while(|before| *before != step)
    {
        assert_eq!(fixture.rotation.step(before).await, Ok(()));
    }
    // `begin` has been called for the schedule and for the rotation.
    let caller = format!("rotation-2.{step}.1");
    let (fake, inject) = (&fixture.fake, |fault| fixture.fake.inject(&caller, fault));
    match way {
        CallFailure::Since(kind) => inject(Fault::since(index, kind)),
        CallFailure::ExecutedThenSilence => {
            inject(Fault::at(index, FaultKind::AnswerLost));
            inject(Fault::since(index + 1, FaultKind::RequestLost));
        }
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
        fixture.is_pending(context);
    }
    sleep(Duration::from_hours(1)).await;
    let resumed = fixture.rotation.reattempt().await;
    assert_eq!(resumed, Rotated::Finished);
    fixture.is_rotated(context);
    fixture.ends_well(context).await;
    has_failed
}

#[test]
fn rotation_waits_for_awspending_of_another_version() {
    paused(async {
        let mut fixture = fixture_with_schedule(Options::default()).await;
        fixture.rotation.begin().expect("no rotation is pending");
        let again = fixture.rotation.rotate().await;
        let is_refused = matches!(&again, Rotated::Refused(why) if why.contains(NOT_COMPLETE));
        assert!(is_refused, "{again:?}");
    });
}
