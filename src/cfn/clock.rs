//! What time it is, in a form that a test can pause.

use std::time::{Duration, SystemTime};

/// The wall clock, or one that starts at a given time and follows tokio's clock.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's own.
    System,
    /// Runs with tokio's clock, which tests pause and advance.
    Simulated {
        /// What the wall clock showed when tokio's clock showed `started`.
        origin: SystemTime,
        /// Tokio's clock at `origin`.
        started: tokio::time::Instant,
    },
}

impl Clock {
    /// A clock that shows `origin` now and goes on with tokio's clock.
    pub fn starting_at(origin: SystemTime) -> Self {
        Clock::Simulated {
            origin,
            started: tokio::time::Instant::now(),
        }
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        match self {
            Clock::System => SystemTime::now(),
            Clock::Simulated { origin, started } => *origin + started.elapsed(),
        }
    }

    /// How long it is until `time`; zero when that has passed.
    pub fn until(&self, time: SystemTime) -> Duration {
        time.duration_since(self.now()).unwrap_or_default()
    }
}
