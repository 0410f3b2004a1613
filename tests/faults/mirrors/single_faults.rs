//! One fault at every call of every request and of every step of a rotation, of every scenario.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::fixture::changes;
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

/// One call of a scenario: its caller, its index among the caller's, and the kinds of faults to try.
struct Call {
    caller: String,
    index: usize,
    kinds: Vec<FaultKind>,
}

/// Every call of the scenario. A read that never arrived and one whose response is lost have the same
/// effect, so one of each is enough. A fault that was tried at the same place of an earlier scenario
/// is tried in turns.
fn calls(
    scenario: &Scenario,
    options: &Options,
    kinds: &[FaultKind],
    known: &mut BTreeSet<String>,
) -> Vec<Call> {
    let fake = paused(scenario.play(options.clone(), &[]));
    let mut so_far = format!("{} {}", scenario.delivers_twice, scenario.step_deliveries);
    let mut calls = vec![];
    for (number, entry) in fake.journal().into_iter().enumerate() {
        let _ = write!(
            so_far,
            "\n{} {} {}",
            entry.caller, entry.operation, entry.outcome
        );
        let is_new = known.insert(so_far.clone());
        let mut kinds = kinds.to_vec();
        if !changes(&entry.operation) {
            kinds.retain(|kind| !matches!(kind, FaultKind::AnswerLost | FaultKind::KilledBefore));
        }
        if !is_new {
            kinds = vec![kinds[number % kinds.len()]];
        }
        calls.push(Call {
            caller: entry.caller,
            index: entry.index,
            kinds,
        });
    }
    calls
}

/// Tries faults at every call, of which `SCHEDULES=ci` runs one in so many.
fn every_single_fault(
    options: &Options,
    delivers_twice: bool,
    kinds: &[FaultKind],
    one_in: u64,
) -> usize {
    let mut schedules = Schedules::one_in(one_in);
    let mut known = BTreeSet::new();
    for mut scenario in scenarios() {
        scenario.delivers_twice = delivers_twice;
        let mut of_this = 0;
        for call in calls(&scenario, options, kinds, &mut known) {
            for kind in call.kinds {
                let fault = [(call.caller.clone(), Fault::at(call.index, kind))];
                let shown = format!(
                    "{}: {kind:?} at {}#{}",
                    scenario.name, call.caller, call.index
                );
                let played =
                    schedules.run(&shown, || paused(scenario.play(options.clone(), &fault)));
                if let Some(fake) = played {
                    assert_eq!(fake.faults_left(), 0, "{shown} struck nothing");
                }
                of_this += 1;
            }
        }
        fake_aws::figure!(
            "schedules: {of_this:>4} single faults in \"{}\"",
            scenario.name
        );
    }
    schedules.finish()
}

#[test]
fn no_single_fault_stops_a_push_or_leaves_anything_behind() {
    let schedules = every_single_fault(&Options::default(), false, &FaultKind::EACH, 2);
    fake_aws::figure!("schedules: {schedules} single faults in all");
    assert!(schedules > 1000);
}

#[test]
fn single_faults_with_late_iam_and_duplicate_delivery() {
    let schedules = every_single_fault(&late(), true, &FaultKind::EACH, 11);
    fake_aws::figure!(
        "schedules: {schedules} single faults with IAM late and everything delivered twice"
    );
    assert!(schedules > 200);
}

#[test]
fn missing_response_never_arrives() {
    let schedules = every_single_fault(&late(), false, &FaultKind::SILENT, 7);
    fake_aws::figure!("schedules: {schedules} calls that hang");
    assert!(schedules > 100);
}
