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
//!   update canceled.
//! - It posts to GitLab what lost events did not.
//! - It starts the builds of review branches whose pushes were not delivered.
//! - Once a day it compares stacks by change sets of its own, and deletes change sets that the
//!   function left behind. With `SelfRepair: Repair` it repairs the pipelines' stacks, and once an
//!   hour mirrors that were deleted or disabled.

mod checker;
mod concurrent;
mod credentials;
mod doctor;
mod drift;
mod findings;
pub mod metrics;
mod pipelines;
mod pushes;
mod reports;
mod request;
mod review_builds;
mod schedule;
mod stacks;

use std::time::Duration;

use serde_json::{Value, json};

pub use self::checker::Emit;
pub use self::request::{Environment, EnvironmentError, HealthCheck, SelfRepair};

use crate::clients::Clients;
use crate::clients::gitlab::UnreachableGitLabs;
use crate::gitops_pipeline::GitOpsPipeline;
use crate::health_check::checker::Checker;
use crate::health_check::concurrent::TimeLimits;
use crate::health_check::credentials::BrokenMirrors;
use crate::health_check::findings::{Check, Findings};
use crate::health_check::pipelines::ChangedExecutions;
use crate::health_check::schedule::Schedule;
use crate::health_check::stacks::FoundStacks;
use crate::mirror_credential::MirrorCredential;
use crate::mirror_credential::health::CheckedGitLabs;

/// Checks the environment as far as `time` allows, which ends when the next check begins after
/// `interval`. Passes each line for CloudWatch to `emit`, and returns the summary.
pub async fn check(
    environment: &Environment,
    clients: &Clients,
    mirror_credential: &MirrorCredential,
    gitops_pipeline: &GitOpsPipeline,
    interval: Option<Duration>,
    time: Duration,
    emit: Emit<'_>,
) -> Value {
    let schedule = Schedule {
        began: clients.clock.now(),
        interval,
    };
    let limits = TimeLimits::of(schedule.time_within(time));
    let checker = Checker {
        environment,
        clients,
        mirror_credential,
        gitops_pipeline,
        emit,
        may_change: true,
        schedule,
    };
    let (mut findings, broken, changed, found) = checker.check_all(&limits).await;
    let creating = checker.create_pipelines(&found.missed, &mut findings, &limits);
    Box::pin(creating).await;
    let starting = checker.start_missed_pushes(&found.suspected, &mut findings, &limits);
    Box::pin(starting).await;
    // The first push of a repaired mirror may never end.
    let repairing = checker.repair_mirrors(&broken, &mut findings, limits.half_of_the_rest());
    Box::pin(repairing).await;
    // The reports come last: a slow GitLab takes no time from the checks.
    let reporting = async {
        let unreachable = UnreachableGitLabs::default();
        Box::pin(checker.report_executions(&changed, &limits, &unreachable)).await;
        Box::pin(checker.report_reviews(&found.reviewing, &limits, &unreachable)).await;
    };
    let starting = checker.start_reviews(&found.reviewing, &mut findings, &limits);
    tokio::join!(Box::pin(reporting), Box::pin(starting));
    let has_failed = u8::from(!findings.failed.is_empty());
    checker.emit("", &[(metrics::HEALTH_CHECK_FAILED, has_failed.into())]);
    json!({
        "EnvID": environment.id,
        "Checked": findings.totals,
        "Created": findings.created,
        "Started": findings.started,
        "Unhealthy": findings.unhealthy(),
        "NotChecked": findings.failed,
    })
}

/// Checks the same, and secrets that are scheduled for deletion. It changes nothing and writes no
/// metrics. Returns each check with its problem.
pub async fn diagnose(
    environment: &Environment,
    clients: &Clients,
    mirror_credential: &MirrorCredential,
    gitops_pipeline: &GitOpsPipeline,
    time: Duration,
) -> Value {
    let checker = Checker {
        environment,
        clients,
        mirror_credential,
        gitops_pipeline,
        emit: &|_| {},
        may_change: false,
        schedule: Schedule {
            began: clients.clock.now(),
            interval: None,
        },
    };
    let (mut findings, .., found) = checker.check_all(&TimeLimits::of(time)).await;
    for push in &found.suspected {
        findings.checked(push.subject(), Some(push.problem()));
    }
    let checks: Vec<Value> = findings.checks.iter().map(Check::shown).collect();
    json!({
        "EnvID": environment.id,
        "Checks": checks,
        "NotChecked": findings.failed,
    })
}

impl Checker<'_> {
    /// Checks everything. A diagnosis has its findings in the same order each time.
    async fn check_all(
        &self,
        limits: &TimeLimits,
    ) -> (Findings, BrokenMirrors, ChangedExecutions, FoundStacks) {
        let gitlabs = &CheckedGitLabs::new(!self.may_change);
        // The three call different services, so none waits for another.
        let ((credentials, broken), (pipelines, changed), (stacks, found)) = tokio::join!(
            Box::pin(self.check_credentials(limits, gitlabs)),
            Box::pin(self.check_pipelines(limits)),
            Box::pin(self.check_stacks(limits)),
        );
        let mut findings = credentials;
        let checking = self.check_tokens(&found.accesses, &mut findings, limits, gitlabs);
        Box::pin(checking).await;
        findings.add(pipelines);
        findings.add(stacks);
        (findings, broken, changed, found)
    }
}

#[cfg(test)]
mod tests;
