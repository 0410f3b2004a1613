//! The points of a run, at each of which one of several calls comes next.

use crate::handle::gate::GatedCall;

/// A point of a run at which calls wait.
pub struct Point {
    /// The possible next steps, in an order that depends only on the calls.
    pub options: Vec<ScheduleStep>,
    /// The calls that were asleep when the search arrived here.
    asleep: Vec<GatedCall>,
    /// The options that are tried. Others would only repeat one of them.
    wanted: Vec<ScheduleStep>,
    /// The options that were tried before `taken`.
    tried: Vec<ScheduleStep>,
    pub taken: ScheduleStep,
}

/// The next step of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleStep {
    /// Lets a call pass.
    Go(GatedCall),
    /// Lets time pass until another call arrives.
    Hold,
}

impl ScheduleStep {
    pub fn call(&self) -> Option<&GatedCall> {
        match self {
            ScheduleStep::Go(call) => Some(call),
            ScheduleStep::Hold => None,
        }
    }
}

impl Point {
    /// A point at which the first run takes `taken`. Other options are tried if `all` are, or if a
    /// run [requests](Point::want_one_of) them.
    pub fn new(
        options: Vec<ScheduleStep>,
        asleep: Vec<GatedCall>,
        taken: ScheduleStep,
        all: bool,
    ) -> Self {
        let wanted = if all {
            options.clone()
        } else {
            vec![taken.clone()]
        };
        Point {
            options,
            asleep,
            wanted,
            tried: vec![],
            taken,
        }
    }

    /// Whether `call` would repeat an earlier run, or is tried anyway.
    fn covers(&self, call: &GatedCall) -> bool {
        let is_wanted = |step: &ScheduleStep| step.call() == Some(call);
        self.asleep.contains(call) || self.wanted.iter().any(is_wanted)
    }

    /// The calls that are asleep after `next`, which is taken here. A call that could have come
    /// earlier, and did in an earlier run, need not directly follow one that it commutes with.
    pub fn asleep_after(
        &self,
        next: &GatedCall,
        commute: impl Fn(&GatedCall, &GatedCall) -> bool,
    ) -> Vec<GatedCall> {
        let tried = self.tried.iter().filter_map(ScheduleStep::call);
        let asleep = self.asleep.iter().chain(tried);
        asleep.filter(|call| commute(call, next)).cloned().collect()
    }

    /// Requests one of `firsts`. If none of them waits here, any call may lead to it.
    pub fn want_one_of(&mut self, firsts: &[GatedCall]) {
        if firsts.iter().any(|call| self.covers(call)) {
            return;
        }
        let is_first = |step: &&ScheduleStep| step.call().is_some_and(|call| firsts.contains(call));
        match self.options.iter().find(is_first) {
            Some(step) => self.wanted.push(step.clone()),
            None => self.wanted.clone_from(&self.options),
        }
    }

    /// Takes the next option that is wanted. Returns whether there is one.
    pub fn advance(&mut self) -> bool {
        self.tried.push(self.taken.clone());
        let untried = self.wanted.iter().find(|step| {
            let is_asleep = step.call().is_some_and(|call| self.asleep.contains(call));
            !is_asleep && !self.tried.contains(step)
        });
        untried.cloned().is_some_and(|step| {
            self.taken = step;
            true
        })
    }
}
