//! One fault at every call of AWS, S3 and GitLab.

use crate::fixture::{check_health_for_a_day, fake, paused};
use crate::scenarios::{Scenario, scenarios};
use fake_aws::schedules::SingleFault;
use fake_aws::{FakeAws, Schedules};

/// The caller of the first delivery.
const FIRST: &str = "event.1";

/// Plays a scenario, with these faults, and Lambda's retries.
async fn play(scenario: Scenario, faults: &[SingleFault]) -> FakeAws {
    let fake = fake().await;
    let (trigger, others) = scenario.begin(&fake);
    for fault in faults {
        fault.inject(&fake);
    }
    trigger.deliver(&fake, "event").await;
    assert_eq!(fake.faults_left(), 0);
    check_health_for_a_day(&fake).await;
    scenario.check(&fake, &trigger, &others);
    fake
}

#[test]
fn scenario_without_faults_ends_in_its_note() {
    for scenario in scenarios() {
        let fake = paused(play(scenario, &[]));
        let calls = fake.calls_of(FIRST);
        fake_aws::figure!("calls: {}: {calls}", scenario.name);
        assert!(calls > 0);
    }
}

#[test]
fn single_fault_ends_in_the_same_note() {
    let mut schedules = Schedules::default();
    for scenario in scenarios() {
        let calls = paused(play(scenario, &[])).journal_of(FIRST);
        let faults = calls.iter().flat_map(SingleFault::each_different);
        let name = |one: &SingleFault| format!("{}: {:?}", scenario.name, one.fault());
        schedules.single_faults(faults, name, |faults| paused(play(scenario, faults)));
    }
    let schedules = schedules.report("single faults at calls of AWS, S3 and GitLab");
    assert!(schedules > 300);
}
