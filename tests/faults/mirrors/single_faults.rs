//! One fault at every call of every request and of every step of a rotation, of every scenario.

use crate::fixture::late;
use crate::scenarios::{Scenario, scenarios};
use fake_aws::explore::paused;
use fake_aws::{FaultKind, Options};
use test_support::single_faults::SingleFaults;

fn every_single_fault(
    options: &Options,
    delivers_twice: bool,
    kinds: &'static [FaultKind],
    one_in: u64,
    what: &str,
) -> usize {
    let mut scenarios = scenarios();
    for scenario in &mut scenarios {
        scenario.delivers_twice = delivers_twice;
    }
    let all = SingleFaults {
        scenarios,
        story: |scenario: &Scenario| &scenario.story,
        kinds,
        one_in,
        special: 5,
    };
    all.each(what, |scenario, faults| {
        paused(scenario.play(options.clone(), faults))
    })
}

#[test]
fn no_single_fault_stops_a_push_or_leaves_anything_behind() {
    let what = "single faults in all";
    let schedules = every_single_fault(&Options::default(), false, &FaultKind::EACH, 10, what);
    assert!(schedules > 1000);
}

#[test]
fn single_faults_with_late_iam_and_duplicate_delivery() {
    let what = "single faults with IAM late and everything delivered twice";
    let schedules = every_single_fault(&late(), true, &FaultKind::EACH, 88, what);
    assert!(schedules > 200);
}

#[test]
fn missing_response_never_arrives() {
    let schedules = every_single_fault(&late(), false, &FaultKind::SILENT, 20, "calls that hang");
    assert!(schedules > 100);
}
