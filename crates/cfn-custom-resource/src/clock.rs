//! A clock that tests can pause.

use std::time::{Duration, SystemTime};

/// The system's clock, or a clock that starts at a given time and follows tokio's.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// Follows tokio's clock, which tests pause and advance.
    Simulated {
        /// The time at `started`.
        origin: SystemTime,
        /// The instant of tokio's clock at `origin`.
        started: tokio::time::Instant,
    },
}

impl Clock {
    /// A clock that shows `origin` now, and then follows tokio's.
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

    /// The time until `time`; zero if it has passed.
    pub fn until(&self, time: SystemTime) -> Duration {
        time.duration_since(self.now()).unwrap_or_default()
    }
}
