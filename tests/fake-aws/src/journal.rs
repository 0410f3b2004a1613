//! The calls, their callers and their results, without secrets.

use serde_json::{Map, Value};
use std::{fmt, time::Duration};

use crate::world::call::{self, Service};

/// The number of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub calls: usize,
    /// Those that came too early (see [`crate::world::rates`]).
    pub throttled: usize,
}

/// One call, in the order in which AWS met them.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(crate) sequence: usize,
    pub caller: String,
    /// The index of this call among the caller's.
    pub index: usize,
    pub service: Service,
    pub operation: String,
    /// The parameters without those that hold secrets.
    pub params: Map<String, Value>,
    /// Virtual time since the fake AWS began.
    pub at: Duration,
    /// Whether the service carried it out (an error of the service's own rules
    /// counts: it came from looking at the state).
    pub executed: bool,
    /// The status that reached the caller, if one did.
    pub answered: Option<u16>,
    /// The error's code, or the connection's failure; otherwise `ok`.
    pub outcome: String,
}

impl Entry {
    /// Whether the call only reads.
    pub fn reads(&self) -> bool {
        call::reads(self.service, &self.operation)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:>3} {:>9.3}s {}#{} {}:{} {} -> {}{}",
            self.sequence,
            self.at.as_secs_f64(),
            self.caller,
            self.index,
            self.service,
            self.operation,
            Value::Object(self.params.clone()),
            self.outcome,
            if self.executed { "" } else { " (not executed)" }
        )
    }
}

/// The longest chain of calls, in the journal's order, of which each was sent after the one before
/// was answered.
pub(crate) fn round_trips<'a>(calls: impl Iterator<Item = &'a Entry>, latency: Duration) -> usize {
    // When each call was answered, and the length of the longest chain that ends with it.
    let mut chains: Vec<(Duration, usize)> = vec![];
    for call in calls {
        let before = chains.iter().filter(|(answered, _)| *answered <= call.at);
        let longest = before.map(|(_, length)| *length).max().unwrap_or(0);
        chains.push((call.at + latency, longest + 1));
    }
    chains.iter().map(|(_, length)| *length).max().unwrap_or(0)
}
