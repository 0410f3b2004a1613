//! The order of calls, their faults and their delays.

/// Every order in which the calls of concurrent callers can run.
pub mod explore;
/// How many of the schedules run.
pub mod extent;
/// Histories at random.
pub mod histories;
/// The product's calls, counted or changed on their way.
pub mod interceptor;
/// Changes by other principals, at each call.
pub(crate) mod moments;
/// Schedules that a test tries one after another.
pub mod schedules;
/// One fault at every call.
pub(crate) mod single_faults;
