//! One fault at every call of AWS, S3 and GitLab.

use crate::fixture::{check_health_for_a_day, fake, paused};
use crate::scenarios::{Scenario, scenarios};
use fake_aws::{FakeAws, Fault, FaultKind, Schedules};

/// The caller of the first delivery.
const FIRST: &str = "event.1";

/// Plays a scenario, with this fault in the first delivery of its event, and Lambda's retries.
async fn play(scenario: Scenario, fault: Option<Fault>) -> FakeAws {
    let fake = fake().await;
    let (trigger, others) = scenario.begin(&fake);
    if let Some(fault) = fault {
        fake.inject(FIRST, fault);
    }
    trigger.deliver(&fake, "event").await;
    assert_eq!(fake.faults_left(), 0, "{}", fake.transcript());
    check_health_for_a_day(&fake).await;
    scenario.check(&fake, &trigger, &others);
    fake
}

/// Each fault at each call of the first delivery.
fn places(scenario: Scenario) -> Vec<Fault> {
    let fake = paused(play(scenario, None));
    let journal = fake.journal();
    let calls = journal.iter().filter(|call| call.caller == FIRST);
    let mut places = vec![];
    for (index, call) in calls.enumerate() {
        // It makes no difference whether a read whose response is lost was executed.
        let kinds = FaultKind::EACH.into_iter();
        let kinds = kinds.filter(|kind| !(kind.executes() && call.reads()));
        places.extend(kinds.map(|kind| Fault::at(index, kind)));
    }
    places
}

#[test]
fn scenario_without_faults_ends_in_its_note() {
    for scenario in scenarios() {
        let fake = paused(play(scenario, None));
        let calls = fake.calls_of(FIRST);
        fake_aws::figure!("calls: {}: {calls}", scenario.name);
        assert!(calls > 0);
    }
}

#[test]
fn single_fault_ends_in_the_same_note() {
    let mut schedules = Schedules::default();
    for scenario in scenarios() {
        for fault in places(scenario) {
            let name = format!("{}: {fault:?}", scenario.name);
            schedules.run(name, || {
                paused(play(scenario, Some(fault)));
            });
        }
    }
    let schedules = schedules.finish();
    fake_aws::figure!("schedules: {schedules} single faults at calls of AWS, S3 and GitLab");
    assert!(schedules > 300);
}
