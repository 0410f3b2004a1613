//! An account: the state of each service, and the effects of one service on another.

/// The service that answers a call.
mod dispatch;
/// The runs of push mirrors.
pub(crate) mod mirror_runs;
/// The calls of all tests, for the evaluation of policies.
mod recorded_calls;
/// The calls with their answers, for the comparison with what others recorded.
pub(crate) mod recorded_exchanges;
/// The state.
mod state;

pub use state::AwsState;
