//! The order of calls, their faults and their delays.

/// Every order in which the calls of concurrent callers can run.
pub mod explore;
/// How many of the schedules run.
pub mod extent;
/// Histories at random.
pub mod histories;
/// Changes by other principals, at each call.
pub(crate) mod moments;
/// Mutants: products that misbehave, which the checks must notice.
pub mod mutants;
/// Schedules that a test tries one after another.
pub mod schedules;
/// One fault at every call.
pub(crate) mod single_faults;
