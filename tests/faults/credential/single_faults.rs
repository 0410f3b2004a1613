//! One fault at every call of every request of every scenario.

use std::time::Duration;

use crate::scenarios::{Scenario, scenarios};
use fake_aws::explore::paused;
use fake_aws::{Fault, FaultKind, Options, Schedules};

/// How late IAM is in the second round: lists, tags and logins.
fn late() -> Options {
    Options {
        lists_late: Duration::from_secs(4),
        tags_late: Duration::from_secs(3),
        login_late: Duration::from_secs(5),
        ..Options::default()
    }
}

/// Every call of the scenario: its caller, and its index among the caller's.
fn calls(scenario: &Scenario, options: &Options) -> Vec<(String, usize)> {
    let fake = paused(scenario.play(options.clone(), None));
    let journal = fake.journal();
    journal
        .into_iter()
        .map(|entry| (entry.caller, entry.index))
        .collect()
}

/// Tries faults at every call, of which `SCHEDULES=ci` runs one in so many.
fn every_single_fault(
    options: &Options,
    delivers_twice: bool,
    kinds: &[FaultKind],
    one_in: u64,
) -> usize {
    let mut schedules = Schedules::one_in(one_in);
    for mut scenario in scenarios() {
        scenario.delivers_twice = delivers_twice;
        let mut of_this = 0;
        for (caller, index) in calls(&scenario, options) {
            for kind in kinds {
                let fault = (caller.clone(), Fault::at(index, *kind));
                let shown = format!("{}: {kind:?} at {caller}#{index}", scenario.name);
                let played = schedules.run(&shown, || {
                    paused(scenario.play(options.clone(), Some(fault)))
                });
                if let Some(fake) = played {
                    assert_eq!(fake.faults_left(), 0, "{shown} struck nothing");
                }
                of_this += 1;
            }
        }
        if !delivers_twice {
            fake_aws::figure!(
                "schedules: {of_this:>4} single faults in \"{}\"",
                scenario.name
            );
        }
    }
    schedules.finish()
}

#[test]
fn single_faults_break_no_invariant() {
    let schedules = every_single_fault(&Options::default(), false, &FaultKind::EACH, 2);
    fake_aws::figure!("schedules: {schedules} single faults in all");
    assert!(schedules > 500);
}

#[test]
fn single_faults_with_late_iam_and_duplicate_delivery() {
    let schedules = every_single_fault(&late(), true, &FaultKind::EACH, 7);
    fake_aws::figure!(
        "schedules: {schedules} single faults with IAM late and every request delivered twice"
    );
    assert!(schedules > 500);
}

#[test]
fn lost_connections_break_no_invariant() {
    let schedules = every_single_fault(&late(), false, &FaultKind::SILENT, 3);
    fake_aws::figure!("schedules: {schedules} calls that hang");
    assert!(schedules > 100);
}
