//! One fault at every call of every request and of every step of a rotation, of every scenario.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::fixture::late;
use crate::scenarios::{Scenario, scenarios};
use fake_aws::explore::paused;
use fake_aws::schedules::SingleFault;
use fake_aws::{Entry, FaultKind, Options, Schedules};

/// The faults at every call of the scenario. A read that never arrived and one whose response is
/// lost have the same effect, so one of each is enough. A fault that was tried at the same place of
/// an earlier scenario is tried in turns.
fn faults(
    scenario: &Scenario,
    calls: &[Entry],
    kinds: &[FaultKind],
    known: &mut BTreeSet<String>,
) -> Vec<SingleFault> {
    let mut so_far = format!("{} {}", scenario.delivers_twice, scenario.step_deliveries);
    let mut faults = vec![];
    for (number, call) in calls.iter().enumerate() {
        let (caller, operation, outcome) = (&call.caller, &call.operation, &call.outcome);
        let _ = write!(so_far, "\n{caller} {operation} {outcome}");
        let is_new = known.insert(so_far.clone());
        let mut kinds = kinds.to_vec();
        if call.reads() {
            kinds.retain(|kind| !matches!(kind, FaultKind::AnswerLost | FaultKind::KilledBefore));
        }
        if !is_new {
            kinds = vec![kinds[number % kinds.len()]];
        }
        faults.extend(SingleFault::each_of(call, &kinds));
    }
    faults
}

/// Tries faults at every call, of which `SCHEDULES=ci` runs one in twice so many, and of the stories
/// about changes and failures a sixteenth of that. Returns the number of schedules.
fn every_single_fault(
    options: &Options,
    delivers_twice: bool,
    kinds: &[FaultKind],
    one_in: u64,
    what: &str,
) -> usize {
    let mut ordinary = Schedules::one_in(one_in);
    let mut special = Schedules::one_in(16 * one_in);
    let mut known = BTreeSet::new();
    for mut scenario in scenarios() {
        scenario.delivers_twice = delivers_twice;
        let play = |faults: &[SingleFault]| paused(scenario.play(options.clone(), faults));
        let faults = faults(&scenario, &play(&[]).journal(), kinds, &mut known);
        let name = |fault: &SingleFault| format!("{}: {fault}", scenario.story.name);
        let schedules = if scenario.story.is_ordinary() {
            &mut ordinary
        } else {
            &mut special
        };
        let of_this = schedules.single_faults(faults, name, play);
        fake_aws::figure!(
            "schedules: {of_this:>4} single faults in \"{}\"",
            scenario.story.name
        );
    }
    let special = special.report(&format!("{what}, beside changes and failures"));
    special + ordinary.report(what)
}

#[test]
fn no_single_fault_stops_a_push_or_leaves_anything_behind() {
    let what = "single faults in all";
    let schedules = every_single_fault(&Options::default(), false, &FaultKind::EACH, 2, what);
    assert!(schedules > 1000);
}

#[test]
fn single_faults_with_late_iam_and_duplicate_delivery() {
    let what = "single faults with IAM late and everything delivered twice";
    let schedules = every_single_fault(&late(), true, &FaultKind::EACH, 11, what);
    assert!(schedules > 200);
}

#[test]
fn missing_response_never_arrives() {
    let schedules = every_single_fault(&late(), false, &FaultKind::SILENT, 7, "calls that hang");
    assert!(schedules > 100);
}
