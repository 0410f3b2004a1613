//! The order of calls, their faults and their delays.

/// Every order in which the calls of concurrent callers can run.
pub mod explore;
/// How many of the schedules run.
pub mod extent;
/// The text of a failed run.
pub(crate) mod failures;
/// The faults that a call may meet.
pub(crate) mod faults;
/// Where calls wait for their turn in a schedule.
pub(crate) mod gate;
/// Histories at random.
pub mod histories;
/// Reads that show an earlier state.
pub(crate) mod lateness;
/// Changes by other principals, at each call.
pub(crate) mod moments;
/// Mutants: products that misbehave, which the checks must notice.
pub mod mutants;
/// The rates at which services throttle.
pub(crate) mod rates;
/// Schedules that a test tries one after another.
pub mod schedules;
/// One fault at every call.
pub(crate) mod single_faults;
