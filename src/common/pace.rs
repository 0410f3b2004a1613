//! Spreads work over time: at most so many starts a second, however long each of them takes.
//!
//! "Spread your API calls over a longer period of time instead of calling the APIs all at once":
//! <https://repost.aws/knowledge-center/iam-sts-throttling-error>.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior};

/// A pace that concurrent work shares. Those that wait start in the order in which they came.
#[derive(Debug)]
pub struct Pace(Mutex<Interval>);

impl Pace {
    /// At most `starts` a second. Time that nothing used does not allow more starts later.
    pub fn per_second(starts: u32) -> Self {
        let mut interval = tokio::time::interval(Duration::from_secs(1) / starts.max(1));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Pace(Mutex::new(interval))
    }

    /// Waits for the next start.
    pub async fn wait(&self) {
        self.0.lock().await.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn first_start_is_immediate_and_others_are_spread() {
        let pace = Pace::per_second(4);
        let began = Instant::now();
        for number in 0..9 {
            pace.wait().await;
            assert_eq!(began.elapsed(), Duration::from_millis(250) * number);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn unused_time_allows_no_burst() {
        let pace = Pace::per_second(4);
        pace.wait().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        pace.wait().await;
        let began = Instant::now();
        pace.wait().await;
        assert_eq!(began.elapsed(), Duration::from_millis(250));
    }
}
