//! Starts the builds of review branches whose pushes were not delivered.

use tokio::time::sleep;

use super::checker::Checker;
use super::concurrent::{Checking, SECOND_LOOK_DELAY, TimeLimits, check_each};
use super::findings::Findings;
use super::metrics;
use super::schedule::HOUR;
use crate::clients::aws::CallError;
use crate::common::pace::Pace;
use crate::feedback::review::{Head, ReviewTarget, missed_push};
use crate::gitops_pipeline::executions::Outcome;

/// How many branches a second are looked up, with one `GetBranch` each. AWS documents no rate.
const BRANCHES_PER_SECOND: u32 = 5;

impl Checker<'_> {
    /// Once an hour, starts the build of each head of a review branch that has none, if a second
    /// look agrees.
    pub async fn start_reviews(
        &self,
        reviewing: &[ReviewTarget],
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        let is_due = |name: &String| self.schedule.is_due(name, HOUR);
        let all = reviewing.iter().map(|it| (it.pipeline.names.pipeline(), it));
        let targets: Vec<_> = all.filter(|(name, _)| is_due(name)).collect();
        let items = targets.iter().map(|(name, target)| (name.as_str(), *target));
        let limits = TimeLimits {
            last_start: limits.last_look(),
            ..limits.until(limits.end)
        };
        let (aws, turn) = (&self.clients.aws, self.schedule.hour());
        let pace = &Pace::per_second(BRANCHES_PER_SECOND);
        let start = |_, target| -> Checking<'_, _> {
            Box::pin(async move {
                let missed = missed_push::find(aws, target, turn, pace).await?;
                if missed.is_empty() {
                    return Ok(vec![]);
                }
                sleep(SECOND_LOOK_DELAY).await;
                missed_push::start(aws, target, missed).await
            })
        };
        let left = check_each(
            items.collect(),
            &limits,
            start,
            |pipeline, found| match found {
                Ok(found) if found.is_empty() => {}
                Ok(found) => self.report_builds(pipeline, found, findings),
                Err(error) => findings.failed(error),
            },
        );
        if left.await > 0 {
            tracing::warn!("no time to look for builds of all review branches");
        }
    }

    fn report_builds(
        &self,
        pipeline: &str,
        found: Vec<(Head, Result<Outcome, CallError>)>,
        findings: &mut Findings,
    ) {
        self.emit(pipeline, &[(metrics::MISSED_PUSHES, found.len().into())]);
        for (Head { branch, commit }, outcome) in found {
            let text = match outcome {
                Ok(Outcome::Started) => "push not delivered; build started",
                Ok(Outcome::Frozen) => {
                    "the head has no build, and none is started: the event rule is disabled"
                }
                Err(error) if missed_push::is_limit(&error) => {
                    "the head has no build, and waits for another one to end"
                }
                Err(error) => {
                    findings.failed(error);
                    continue;
                }
            };
            tracing::warn!(pipeline, branch, commit, "{text}");
        }
    }
}
