//! The scheduled health check: checks the environment's mirrors, credentials and pipelines, and
//! logs the findings as CloudWatch metrics.
//!
//! Each is checked by itself. A failed check is reported, and the others continue. Credentials,
//! pipelines and stacks are checked concurrently, each at a [pace](crate::common::pace) that leaves
//! most of the services' rates to other requests. If the time does not suffice, the next checks
//! check the rest: each [begins with another one](schedule).
//!
//! The health check changes these:
//! - It ends a rotation that nothing resumes.
//! - It creates the pipeline of a branch whose first push was not delivered.
//! - It starts a pipeline whose branch has a tip that no execution has, or whose execution an
//!   update canceled, unless a person deploys another commit.
//! - It repeats the reports to GitLab that lost events did not make.
//! - It starts the builds of review branches whose pushes were not delivered.
//! - Once a day it compares deployed stacks by change sets of its own, which it deletes, together
//!   with those that the function left behind. It executes none.
//!
//! It changes no mirror: a finding has the remedy. It never ends a freeze: a rule or a transition
//! that a person has disabled stays so, and is shown as held. It starts nothing that a disabled
//! rule would start.

pub(crate) mod checker;
pub(crate) mod concurrent;
mod credentials;
mod drift;
pub(crate) mod facts;
pub(crate) mod findings;
mod found_secrets;
pub(crate) mod gitlab_reads;
pub(crate) mod listed_mirrors;
pub(crate) mod listed_stacks;
pub mod metrics;
pub(crate) mod missing;
mod needed_branches;
mod pipelines;
pub(crate) mod problems;
pub(crate) mod project_findings;
mod pushes;
pub(crate) mod read_limit;
mod reports;
pub(crate) mod request;
mod review_builds;
mod schedule;
pub(crate) mod stacks;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

pub use self::checker::{Checker, Emit, Mode};
pub use self::request::{Environment, FirstProject, HealthCheck, RejectedCheck};
pub use self::schedule::Schedule;

use crate::clients::gitlab::UnreachableGitLabs;
use crate::feedback::review::ReviewTarget;
use crate::health_check::concurrent::TimeLimits;
use crate::health_check::findings::Findings;
use crate::health_check::stacks::FoundStacks;
use crate::mirror_credential::health::{CheckedGitLabs, MIRRORS_PER_SECOND};

impl<'a> Checker<'a> {
    /// Checks the environment as far as `time` allows, which ends when the next check begins.
    /// Returns the summary.
    pub fn check(self, time: Duration) -> BoxFuture<'a, Value> {
        let limits = TimeLimits::of(self.schedule.time_within(time));
        Box::pin(async move {
            let (mut findings, stacks) = self.check_all(&limits).await;
            Box::pin(self.create_pipelines(&stacks, &mut findings, &limits)).await;
            Box::pin(self.start_missed_pushes(stacks.suspected(), &mut findings, &limits)).await;
            let settings = stacks.with_owner().filter_map(|child| child.settings.clone());
            let reviewing: Vec<_> = settings.filter_map(ReviewTarget::of).collect();
            // The reports come last: a slow GitLab takes no time from the checks.
            let reporting = async {
                let unreachable = UnreachableGitLabs::default();
                let report = self.report_executions(&stacks, &limits, &unreachable);
                let findings = Box::pin(report).await;
                Box::pin(self.report_reviews(&reviewing, &limits, &unreachable)).await;
                findings
            };
            let starting = self.start_reviews(&reviewing, &mut findings, &limits);
            let (of_reports, ()) = tokio::join!(Box::pin(reporting), Box::pin(starting));
            findings.add(of_reports);
            let has_failed = u8::from(!findings.failed.is_empty());
            let mut counts = vec![(metrics::HEALTH_CHECK_FAILED, has_failed.into())];
            let missing = findings.count_missing();
            if missing > 0 {
                counts.push((metrics::MISSING_RESOURCES, missing.into()));
            }
            self.emit("", &counts);
            json!({
                "EnvID": self.environment.id,
                "Checked": findings.totals,
                "Created": findings.created,
                "Started": findings.started,
                "Unhealthy": findings.unhealthy(),
                "NotChecked": findings.not_checked(),
            })
        })
    }
}

impl Checker<'_> {
    /// Checks everything. Returns the work that this leaves to do, too.
    async fn check_all(&self, limits: &TimeLimits) -> (Findings, FoundStacks) {
        let gitlabs = &CheckedGitLabs::at_pace(MIRRORS_PER_SECOND);
        // They call different services, so neither waits for the other.
        let (credentials, stacks) = tokio::join!(
            Box::pin(self.check_credentials(limits, gitlabs)),
            Box::pin(self.check_stacks(limits)),
        );
        let (mut findings, mut found_secrets) = credentials;
        let (of_stacks, stacks) = stacks;
        let found = found_secrets.as_mut().map(|found| std::mem::take(&mut found.mirrors));
        let mirrors = found.unwrap_or_default();
        Box::pin(self.report_mirrors(mirrors, &stacks, &mut findings, limits, gitlabs)).await;
        Box::pin(self.check_tokens(&stacks, &mut findings, limits, gitlabs)).await;
        Box::pin(self.check_paths(&stacks, &mut findings, limits, gitlabs)).await;
        findings.add(of_stacks);
        Box::pin(self.check_missing(found_secrets.as_ref(), &stacks, &mut findings, limits)).await;
        (findings, stacks)
    }
}

#[cfg(test)]
mod tests;
