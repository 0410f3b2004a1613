//! One fault at every call of every request of every scenario.

use std::collections::{BTreeMap, BTreeSet};

use crate::fixture::paused;
use crate::scenarios::scenarios;
use fake_aws::schedules::SingleFault;
use fake_aws::{Entry, FaultKind, Options, Schedules, SeenTokens};
use test_support::custom_resource::RequestOutcome;

/// The faults at every call of the scenario. Of several polls of the same resource in a row, only
/// the first and the last one have them.
fn faults(
    calls: &[Entry],
    twice: bool,
    kinds: &[FaultKind],
    known: &mut BTreeSet<String>,
) -> Vec<SingleFault> {
    let mut by_caller: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for call in calls {
        by_caller.entry(&call.caller).or_default().push(call);
    }
    let mut faults = vec![];
    for calls in by_caller.into_values() {
        let course = calls.iter();
        let mut course: Vec<String> = course
            .map(|call| format!("{} {}", call.operation, call.outcome))
            .collect();
        course.dedup();
        let is_known = !known.insert(course.join(", "));
        // An earlier scenario may have tried the same delivery. Then only a call that was executed,
        // unknown to the function, leaves something that a later event of this scenario could meet.
        let mut kinds = kinds.to_vec();
        kinds.retain(|kind| !is_known || (!twice && kind.executes()));
        for (at, call) in calls.iter().enumerate() {
            let same = |other: Option<&&Entry>| {
                other.is_some_and(|other| {
                    (&other.operation, &other.params) == (&call.operation, &call.params)
                })
            };
            let is_between = at > 0 && same(calls.get(at - 1)) && same(calls.get(at + 1));
            if !is_between {
                faults.extend(SingleFault::each_of(call, &kinds));
            }
        }
    }
    faults
}

fn succeeded(answers: &[Option<RequestOutcome>]) -> Vec<bool> {
    let each = answers.iter().map(Option::as_ref);
    each.map(|answer| answer.is_some_and(RequestOutcome::is_success))
        .collect()
}

/// Tries every fault. None makes a request fail that would have succeeded.
fn every_single_fault(options: &Options, twice: bool, kinds: &[FaultKind]) -> Schedules {
    let mut schedules = Schedules::default();
    let mut known = BTreeSet::new();
    for mut scenario in scenarios() {
        scenario.delivers_twice = twice;
        let whole = paused(scenario.play(options.clone(), &[]));
        let would_succeed = succeeded(&whole.answers);
        let play = |faults: &[SingleFault]| {
            let played = paused(scenario.play(options.clone(), faults));
            let succeeded = succeeded(&played.answers);
            assert_eq!(succeeded, would_succeed, "{:?}", played.answers);
            played.fake
        };
        let faults = faults(&whole.fake.journal(), twice, kinds, &mut known);
        let name = |fault: &SingleFault| format!("{}: {fault}", scenario.story.name);
        let of_this = schedules.single_faults(faults, name, play);
        if !twice {
            fake_aws::figure!(
                "schedules: {of_this:>4} single faults in \"{}\"",
                scenario.story.name
            );
        }
    }
    schedules
}

#[test]
fn single_faults_break_no_invariant_and_fail_no_request() {
    let schedules = every_single_fault(&Options::default(), false, &FaultKind::EACH)
        .report("single faults in all");
    assert!(schedules > 1000);
}

#[test]
fn single_faults_with_duplicate_delivery_and_rejected_tokens() {
    let options = Options {
        seen_tokens: SeenTokens::Refused,
        page_length: Some(4),
        parameters_alone_are_updates: true,
        ..Options::default()
    };
    let kinds = [
        FaultKind::AnswerLost,
        FaultKind::KilledBefore,
        FaultKind::KilledAfter,
    ];
    let schedules = every_single_fault(&options, true, &kinds)
        .report("single faults with every request delivered twice");
    assert!(schedules > 1000);
}

#[test]
fn lost_connections_break_no_invariant() {
    let schedules = every_single_fault(&Options::default(), false, &FaultKind::SILENT)
        .report("calls that hang");
    assert!(schedules > 300);
}
