//! One fault at every call.

use std::fmt;

use crate::{
    handle::{
        FakeAws,
        faults::{Fault, FaultKind},
    },
    journal::Entry,
    schedule::schedules::Schedules,
};

/// A fault at a call of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleFault {
    pub caller: String,
    /// The index of the call among the caller's.
    pub index: usize,
    pub kind: FaultKind,
}

impl SingleFault {
    /// One of each kind at `call`.
    pub fn each(call: &Entry) -> Vec<Self> {
        Self::each_of(call, &FaultKind::EACH)
    }

    /// One of each of `kinds` at `call`.
    pub fn each_of(call: &Entry, kinds: &[FaultKind]) -> Vec<Self> {
        let at = |kind: &FaultKind| Self {
            caller: call.caller.clone(),
            index: call.index,
            kind: *kind,
        };
        kinds.iter().map(at).collect()
    }

    /// One of each kind that makes a difference at `call`: a read whose response is lost may as
    /// well not have been executed.
    pub fn each_different(call: &Entry) -> Vec<Self> {
        let mut faults = Self::each(call);
        faults.retain(|fault| !(fault.kind.executes() && call.reads()));
        faults
    }

    pub fn fault(&self) -> Fault {
        Fault::at(self.index, self.kind)
    }

    pub fn inject(&self, fake: &FakeAws) {
        fake.inject(&self.caller, self.fault());
    }
}

impl fmt::Display for SingleFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            caller,
            index,
            kind,
        } = self;
        write!(formatter, "{kind:?} at {caller}#{index}")
    }
}

impl Schedules {
    /// Plays with each of these faults alone, which has to strike. Returns their number.
    pub fn single_faults(
        &mut self,
        faults: impl IntoIterator<Item = SingleFault>,
        name: impl Fn(&SingleFault) -> String,
        play: impl Fn(&[SingleFault]) -> FakeAws,
    ) -> usize {
        let faults = faults.into_iter().map(|fault| {
            self.run(name(&fault), || {
                let fake = play(&[fault]);
                assert_eq!(fake.faults_left(), 0, "struck nothing");
            });
        });
        faults.count()
    }
}
