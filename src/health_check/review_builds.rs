//! Starts the builds of review branches whose pushes were not delivered.

use std::time::Duration;

use tokio::time::Instant;

use super::checker::Checker;
use super::findings::Findings;
use super::metrics;
use super::progress::{Checking, TimeLimits, check_each};
use super::schedule::HOUR;
use crate::common::pace::Pace;
use crate::feedback::review::missed_push::{self, Outcome};
use crate::feedback::review::{Head, ReviewTarget};

/// How many branches a second are looked up, with one `GetBranch` each. AWS documents no rate.
const BRANCHES_PER_SECOND: u32 = 5;

/// The time until the second look. Most events arrive within seconds.
const SECOND_LOOK_DELAY: Duration = Duration::from_secs(60);

/// The least time for the second look and the starts.
const MIN_START_TIME: Duration = Duration::from_secs(10);

impl Checker<'_> {
    /// Once an hour, starts the build of each head of a review branch that has none, if a second look
    /// agrees.
    pub async fn start_reviews(
        &self,
        reviewing: &[ReviewTarget],
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        // The first look leaves time for the second one.
        let looks_end = limits.end.checked_sub(SECOND_LOOK_DELAY + MIN_START_TIME);
        let Some(looks_end) = looks_end.filter(|end| *end > Instant::now()) else {
            return tracing::warn!("no time to look for builds of review branches");
        };
        let (looks, starts) = (limits.until(looks_end), limits.until(limits.end));
        let due = |name: &String| self.schedule.is_due(name, HOUR);
        let all = reviewing.iter().map(|it| (it.names.pipeline(), it));
        let targets: Vec<_> = all.filter(|(name, _)| due(name)).collect();
        let (aws, turn) = (self.clients.aws, self.schedule.hour());
        let pace = &Pace::per_second(BRANCHES_PER_SECOND);
        let find = |_, target| -> Checking<'_, _> {
            Box::pin(async move {
                let found = missed_push::find(aws, target, turn, pace).await;
                found.map(|heads| (target, heads))
            })
        };
        let items = targets
            .iter()
            .map(|(name, target)| (name.as_str(), *target));
        let mut missed: Vec<(&str, (&ReviewTarget, Vec<Head>))> = vec![];
        let in_time = check_each(items.collect(), &looks, find, |name, found| match found {
            Ok((_, heads)) if heads.is_empty() => {}
            Ok(found) => missed.push((name, found)),
            Err(error) => findings.failed(&error.to_string()),
        });
        if !in_time.await {
            tracing::warn!("no time to look for builds of all review branches");
        }
        if missed.is_empty() {
            return;
        }
        tokio::time::sleep(SECOND_LOOK_DELAY).await;
        let start = |_, (target, heads)| -> Checking<'_, _> {
            Box::pin(missed_push::start(aws, target, heads))
        };
        let starting = check_each(missed, &starts, start, |pipeline, found| match found {
            Ok(found) if found.is_empty() => {}
            Ok(found) => self.report_builds(pipeline, found, findings),
            Err(error) => findings.failed(&error.to_string()),
        });
        starting.await;
    }

    fn report_builds(&self, pipeline: &str, found: Vec<(Head, Outcome)>, findings: &mut Findings) {
        self.emit(pipeline, &[(metrics::MISSED_PUSHES, found.len().into())]);
        for (Head { branch, commit }, outcome) in found {
            match outcome {
                Outcome::Started => tracing::warn!(
                    pipeline,
                    branch,
                    commit,
                    "push not delivered; build started"
                ),
                Outcome::Frozen => tracing::warn!(
                    pipeline,
                    branch,
                    commit,
                    "the head has no build, and none is started: the event rule is disabled"
                ),
                Outcome::Failed(error) => findings.failed(&error.to_string()),
            }
        }
    }
}
