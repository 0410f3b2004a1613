//! One fault at every call of every request of every story.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fake_aws::schedules::SingleFault;
use fake_aws::{Entry, FakeAws, FaultKind, Schedules, Service};

use crate::scenarios::{Action, Story, StoryAction};

/// Stories, and how they are played.
pub struct SingleFaults<S, A = Action> {
    pub scenarios: Vec<S>,
    pub story: fn(&S) -> &Story<A>,
    pub kinds: &'static [FaultKind],
    /// `SCHEDULES=ci` runs one in twice so many, and of the stories about changes and failures one
    /// in `special` times that.
    pub one_in: u64,
    pub special: u64,
}

impl<S, A: StoryAction> SingleFaults<S, A> {
    /// Tries no fault, and then faults at every call. Returns the number of schedules, also of those
    /// that this run leaves out.
    pub fn each(&self, what: &str, play: impl Fn(&S, &[SingleFault]) -> FakeAws) -> usize {
        let mut ordinary = Schedules::one_in(self.one_in);
        let mut special = Schedules::one_in(self.special * self.one_in);
        let mut known = BTreeSet::new();
        for scenario in &self.scenarios {
            let story = (self.story)(scenario);
            let play = |faults: &[SingleFault]| play(scenario, faults);
            let name = |fault: &SingleFault| format!("{}: {fault}", story.name);
            let schedules = if story.is_ordinary() {
                &mut ordinary
            } else {
                &mut special
            };
            let name_of_none = format!("{}: no fault", story.name);
            let Some(fake) = schedules.run_always(name_of_none, || play(&[])) else {
                continue;
            };
            let faults = faults(story, &fake.journal(), self.kinds, &mut known);
            let of_this = schedules.single_faults(faults, name, play);
            fake_aws::figure!(
                "schedules: {of_this:>4} single faults in \"{}\"",
                story.name
            );
        }
        let special = special.report(&format!("{what}, beside changes and failures"));
        special + ordinary.report(what)
    }
}

/// The faults at every call of the story. A read that never arrived and one whose response is lost
/// have the same effect, so one of each is enough. A fault that was tried at the same place of an
/// earlier story is tried in turns. Of several polls of a stack in a row, only the first and the
/// last one have faults.
fn faults<A>(
    story: &Story<A>,
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
