//! The creation of a hundred stacks at once, and a health check of two thousand projects, in simulated
//! time. `docs/project/scale-and-speed.md` has the results.

mod burst;
mod health;
mod projects;
mod rates;

use std::time::Duration;

/// The time of a call without any delay.
const ROUND_TRIP: Duration = Duration::from_millis(50);
