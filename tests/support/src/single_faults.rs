//! One fault at every call of every request of every story.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fake_aws::schedules::SingleFault;
use fake_aws::{Entry, FaultKind, Schedules, Service};

use crate::runner::{Account, played};
use crate::scenarios::{Story, Word};
use crate::worlds::Place;

/// Plays each of `stories` without a fault, and then with faults of these `kinds` at every call
/// before its end. `SCHEDULES=ci` runs one in eight times `one_in`, and of the stories about changes
/// and failures one in [`Account::SPECIAL`] times that. Returns the number of schedules, also of those
/// that this run leaves out.
pub fn play_with_single_faults<A: Account>(
    what: &str,
    stories: &[Story<A::Word>],
    place: &Place,
    kinds: &[FaultKind],
    one_in: u64,
) -> usize {
    let mut ordinary = Schedules::one_in(one_in);
    let mut special = Schedules::one_in(A::SPECIAL * one_in);
    let mut known = BTreeSet::new();
    for story in stories {
        let play = |faults: &[SingleFault]| {
            let faults = faults.to_vec();
            let place = place.clone();
            played::<A>(story, &Place { faults, ..place })
        };
        let name = |fault: &SingleFault| format!("{}: {fault}", story.name);
        let schedules = if story.is_ordinary() {
            &mut ordinary
        } else {
            &mut special
        };
        let name_of_none = format!("{}: no fault", story.name);
        let Some(played) = schedules.run_always(name_of_none, || play(&[])) else {
            continue;
        };
        let faults = faults(story, &played.calls(), kinds, &mut known);
        let of_this = schedules.single_faults(faults, name, |faults| play(faults).fake);
        fake_aws::figure!(
            "schedules: {of_this:>4} single faults in \"{}\"",
            story.name
        );
    }
    let special = special.report(&format!("{what}, beside changes and failures"));
    special + ordinary.report(what)
}

/// The faults at every call of the story. A read that never arrived and one whose response is lost
/// have the same effect, so one of each is enough. A fault that was tried at the same place of an
/// earlier story is tried in turns. Of several polls of a stack in a row, only the first and the
/// last one have faults.
fn faults<W: Word>(
    story: &Story<W>,
    calls: &[Entry],
    kinds: &[FaultKind],
    known: &mut BTreeSet<String>,
) -> Vec<SingleFault> {
    let mut so_far = format!("{:?}", story.world);
    let mut faults = vec![];
    for (number, call) in calls.iter().enumerate() {
        let (caller, operation, outcome) = (&call.caller, &call.operation, &call.outcome);
        let _ = write!(so_far, "\n{caller} {operation} {outcome}");
        let is_new = known.insert(so_far.clone());
        if is_between_polls(calls, number) {
            continue;
        }
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

/// Whether the caller's calls before and after this one are the same.
fn is_between_polls(calls: &[Entry], number: usize) -> bool {
    let call = &calls[number];
    let is_same = |other: Option<&Entry>| {
        other.is_some_and(|other| {
            (&other.operation, &other.params) == (&call.operation, &call.params)
        })
    };
    let mut before = calls[..number].iter().rev();
    let mut after = calls[number + 1..].iter();
    call.service == Service::CloudFormation
        && is_same(before.find(|other| other.caller == call.caller))
        && is_same(after.find(|other| other.caller == call.caller))
}
