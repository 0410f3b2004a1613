//! One fault at every call of every request of every scenario.

use std::collections::{BTreeMap, BTreeSet};

use crate::fixture::paused;
use crate::scenario_table::scenarios;
use crate::scenarios::Scenario;
use fake_aws::custom_resource::RequestOutcome;
use fake_aws::{Entry, Fault, FaultKind, Options, Schedules, SeenTokens};

/// A call of a scenario.
struct Place {
    caller: String,
    index: usize,
    /// A delivery that makes the same calls in the same order was tried in an earlier scenario.
    is_known: bool,
}

/// Every call of the scenario: its caller, and its index among the caller's. Of several polls of
/// the same resource in a row, the first and the last.
fn places(
    scenario: &Scenario,
    options: &Options,
    known: &mut BTreeSet<String>,
) -> (Vec<Place>, Vec<bool>) {
    let played = paused(scenario.play(options.clone(), None));
    let journal = played.fake.journal();
    let mut by_caller: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in &journal {
        by_caller.entry(&entry.caller).or_default().push(entry);
    }
    let mut places = vec![];
    for (caller, entries) in by_caller {
        let mut course: Vec<String> = entries
            .iter()
            .map(|entry| format!("{} {}", entry.operation, entry.outcome))
            .collect();
        course.dedup();
        let is_known = !known.insert(course.join(", "));
        for (at, entry) in entries.iter().enumerate() {
            let same = |other: Option<&&Entry>| {
                other.is_some_and(|other| {
                    (&other.operation, &other.params) == (&entry.operation, &entry.params)
                })
            };
            let is_between = at > 0 && same(entries.get(at - 1)) && same(entries.get(at + 1));
            if !is_between {
                places.push(Place {
                    caller: caller.to_owned(),
                    index: entry.index,
                    is_known,
                });
            }
        }
    }
    (places, succeeded(&played.answers))
}

fn succeeded(answers: &[Option<RequestOutcome>]) -> Vec<bool> {
    let each = answers.iter().map(Option::as_ref);
    each.map(|answer| answer.is_some_and(RequestOutcome::is_success))
        .collect()
}

/// Tries every fault. Returns how many there were, and how many of them made a request fail
/// that would have succeeded.
fn every_single_fault(options: &Options, twice: bool, kinds: &[FaultKind]) -> (usize, usize) {
    let mut schedules = Schedules::default();
    let mut spoilt = 0;
    let mut known = BTreeSet::new();
    for mut scenario in scenarios() {
        scenario.delivers_twice = twice;
        let mut of_this = 0;
        let (places, would_succeed) = places(&scenario, options, &mut known);
        for Place {
            caller,
            index,
            is_known,
        } in places
        {
            // Where the same delivery was tried before, only what was executed and is not known to
            // have been leaves something behind that a later event of this scenario could meet.
            let is_new = |kind: &&FaultKind| !is_known || (!twice && kind.executes());
            for kind in kinds.iter().filter(is_new) {
                let fault = (caller.clone(), Fault::at(index, *kind));
                let shown = format!("{}: {kind:?} at {caller}#{index}", scenario.name);
                let played = schedules.run(&shown, || {
                    paused(scenario.play(options.clone(), Some(fault)))
                });
                if let Some(played) = played {
                    assert_eq!(played.fake.faults_left(), 0, "{shown} struck nothing");
                    if succeeded(&played.answers) != would_succeed {
                        fake_aws::figure!("made a request fail: {shown}: {:?}", played.answers);
                        spoilt += 1;
                    }
                }
                of_this += 1;
            }
        }
        if !twice {
            fake_aws::figure!(
                "schedules: {of_this:>4} single faults in \"{}\"",
                scenario.name
            );
        }
    }
    (schedules.finish(), spoilt)
}

#[test]
fn single_faults_break_no_invariant_and_fail_no_request() {
    let (schedules, spoilt) = every_single_fault(&Options::default(), false, &FaultKind::EACH);
    fake_aws::figure!("schedules: {schedules} single faults in all");
    assert!(schedules > 1000);
    assert_eq!(spoilt, 0);
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
    let (schedules, spoilt) = every_single_fault(&options, true, &kinds);
    fake_aws::figure!("schedules: {schedules} single faults with every request delivered twice");
    assert!(schedules > 1000);
    assert_eq!(spoilt, 0);
}

#[test]
fn lost_connections_break_no_invariant() {
    let (schedules, spoilt) = every_single_fault(&Options::default(), false, &FaultKind::SILENT);
    fake_aws::figure!("schedules: {schedules} calls that hang");
    assert!(schedules > 300);
    assert_eq!(spoilt, 0);
}
