//! The scheduled health check: checks the environment's mirrors, credentials and pipelines, and logs
//! the findings as CloudWatch metrics.
//!
//! Each is checked by itself. A failed check is reported, and the others continue. Credentials,
//! pipelines and stacks are checked concurrently, each at a [pace](crate::common::pace) that leaves most of
//! the services' rates to other requests. If the time of the invocation does not suffice, another
//! invocation continues behind the last names that were checked. A part that is delivered twice
//! checks the same twice.
//!
//! The health check changes these:
//! - It ends a rotation that nothing resumes.
//! - It creates the pipeline of a branch whose first push was not delivered.
//! - It starts a pipeline whose branch has a tip that no execution has.
//! - It starts an execution again that an update canceled.
//! - It posts to GitLab what lost events did not.
//! - It starts the builds of review branches whose pushes were not delivered.
//! - Once a day it compares each stack by a change set of its own, and deletes change sets that the
//!   function left behind. With `SelfRepair` it repairs the pipelines' stacks, and once an hour
//!   mirrors that were deleted or disabled.

mod checker;
mod clients;
mod credentials;
mod doctor;
mod drift;
mod findings;
pub mod metrics;
mod pipelines;
mod progress;
mod pushes;
mod reports;
mod request;
mod review_builds;
mod schedule;
mod stacks;

use std::time::Duration;

use serde_json::{Value, json};

pub use self::checker::Emit;
pub use self::clients::CheckClients;
pub use self::progress::{CheckProgress, Cursor, Part, Totals};
pub use self::request::{Environment, EnvironmentError, HealthCheck};
pub use self::schedule::Schedule;

use crate::gitops_pipeline::GitOpsPipeline;
use crate::health_check::checker::Checker;
use crate::health_check::credentials::BrokenMirrors;
use crate::health_check::findings::{Check, Findings};
use crate::health_check::pipelines::ChangedExecutions;
use crate::health_check::progress::TimeLimits;
use crate::health_check::stacks::FoundStacks;
use crate::mirror_credential::MirrorCredential;
use crate::mirror_credential::health::CheckedGitLabs;

/// What one invocation of a health check has found.
#[derive(Debug)]
pub struct CheckedPart<'a> {
    checker: Checker<'a>,
    findings: Findings,
    /// With the counts of this part.
    progress: CheckProgress,
    is_finished: bool,
}

/// Checks the environment as far as the time of `part` allows. Passes each line for CloudWatch to
/// `emit`.
pub async fn check<'a>(
    environment: &'a Environment,
    clients: CheckClients<'a>,
    mirror_credential: &'a MirrorCredential,
    gitops_pipeline: &'a GitOpsPipeline,
    part: Part,
    emit: Emit<'a>,
) -> CheckedPart<'a> {
    let checker = Checker {
        environment,
        clients,
        mirror_credential,
        gitops_pipeline,
        now: clients.clock.now(),
        emit,
        may_change: true,
        schedule: part.schedule,
    };
    let limits = part.limits();
    let mut progress = part.progress;
    let mut findings = Findings::default();
    // A continuation that arrives after the end of the check does nothing.
    if !part.time.is_zero() {
        let (broken, changed, found);
        (findings, broken, changed, found) = checker.check_all(&mut progress, &limits).await;
        let creating = checker.create_pipelines(&found.missed, &mut findings, &limits);
        Box::pin(creating).await;
        Box::pin(checker.repair_mirrors(&broken, &mut findings, &limits)).await;
        let starting = checker.start_missed_pushes(&found.suspected, &mut findings, &limits);
        Box::pin(starting).await;
        // The reports come last: a slow GitLab takes no time from the checks.
        let reporting = async {
            Box::pin(checker.report_executions(&changed, &limits)).await;
            Box::pin(checker.report_reviews(&found.reviewing, &limits)).await;
        };
        let starting = checker.start_reviews(&found.reviewing, &mut findings, &limits);
        tokio::join!(Box::pin(reporting), Box::pin(starting));
    }
    let mut part = CheckedPart {
        checker,
        is_finished: progress.is_done(),
        findings,
        progress,
    };
    if !part.is_finished && limits.is_last {
        part.fail("there was no time to check everything. Increase HealthCheckMinutes");
    }
    part.progress.totals.add(&part.findings.totals);
    part
}

/// Checks the same, and secrets that are scheduled for deletion. It changes nothing and writes no
/// metrics. Returns each check with its problem.
pub async fn diagnose(
    environment: &Environment,
    clients: CheckClients<'_>,
    mirror_credential: &MirrorCredential,
    gitops_pipeline: &GitOpsPipeline,
    time: Duration,
) -> Value {
    let part = Part::whole(time);
    let checker = Checker {
        environment,
        clients,
        mirror_credential,
        gitops_pipeline,
        now: clients.clock.now(),
        emit: &|_| {},
        may_change: false,
        schedule: part.schedule,
    };
    let mut progress = CheckProgress::default();
    let (mut findings, .., found) = checker.check_all(&mut progress, &part.limits()).await;
    for push in &found.suspected {
        findings.checked(push.subject(), Some(push.problem()));
    }
    if !progress.is_done() {
        findings.failed("there was no time to check everything");
    }
    let checks: Vec<Value> = findings.checks.iter().map(Check::shown).collect();
    json!({
        "EnvID": environment.id,
        "Checks": checks,
        "NotChecked": findings.failed,
    })
}

impl Checker<'_> {
    /// Checks everything that `progress` leaves. The findings have the same order at every check.
    async fn check_all(
        &self,
        progress: &mut CheckProgress,
        limits: &TimeLimits,
    ) -> (Findings, BrokenMirrors, ChangedExecutions, FoundStacks) {
        let orphans = progress.totals.orphans;
        let gitlabs = &CheckedGitLabs::default();
        // The three call different services, so none waits for another.
        let ((credentials, broken), (pipelines, changed), (stacks, found)) = tokio::join!(
            Box::pin(self.check_credentials(&mut progress.credentials, limits, gitlabs)),
            Box::pin(self.check_pipelines(&mut progress.pipelines, limits)),
            Box::pin(self.check_stacks(&mut progress.stacks, orphans, limits)),
        );
        let mut findings = credentials;
        let checking = self.check_tokens(&found.accesses, &mut findings, limits, gitlabs);
        Box::pin(checking).await;
        findings.add(pipelines);
        findings.add(stacks);
        (findings, broken, changed, found)
    }
}

impl CheckedPart<'_> {
    /// What another invocation continues. `None` if the health check ends here.
    pub fn rest(&self) -> Option<&CheckProgress> {
        (!self.is_finished).then_some(&self.progress)
    }

    /// Ends the health check here because of `why`.
    pub fn fail(&mut self, why: &str) {
        self.findings.failed(why);
        self.is_finished = true;
    }

    /// The counts of the health check so far, and the findings of this part.
    pub fn summary(&self) -> Value {
        let (totals, found) = (self.progress.totals, &self.findings);
        json!({
            "EnvID": self.checker.environment.id,
            "Checked": {
                "mirrors": totals.mirrors,
                "credentials": totals.credentials,
                "pipelines": totals.pipelines,
            },
            "Created": found.created,
            "Started": found.started,
            "Unhealthy": found.unhealthy(),
            "NotChecked": found.failed,
        })
    }

    /// Writes the metric of the whole health check, and returns the summary of the last part.
    pub fn finish(mut self) -> Value {
        let here = self.findings.failed.len();
        let earlier = self.progress.totals.failed.saturating_sub(here);
        if earlier > 0 {
            let why = format!("{earlier} checks failed in earlier invocations; the log names each");
            self.findings.failed.push(why);
        }
        let has_failed = u8::from(!self.findings.failed.is_empty());
        let metric = (metrics::HEALTH_CHECK_FAILED, has_failed.into());
        self.checker.emit("", &[metric]);
        self.summary()
    }
}

#[cfg(test)]
mod tests;
