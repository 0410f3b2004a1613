//! Repeats the reports to GitLab that lost events did not make.

use std::collections::BTreeSet;

use super::checker::Checker;
use super::concurrent::{Checking, TimeLimits, check_each};
use super::findings::Findings;
use super::metrics;
use super::pipelines::{ChangedExecutions, REPORTED_TIME};
use super::problems::other_reporter_problem;
use super::stacks::FoundStacks;
use crate::clients::gitlab::UnreachableGitLabs;
use crate::common::pace::Pace;
use crate::feedback::reporting;
use crate::feedback::reporting::{OtherReporter, ReportError, Reported};
use crate::feedback::review;
use crate::feedback::review::ReviewTarget;

/// How many pipelines a second are reported again, usually with at most ten requests
/// to GitLab each. GitLab's smallest documented limit is 1,200 a minute for a user:
/// <https://docs.gitlab.com/administration/dedicated/user_rate_limits/>.
const REPORTS_PER_SECOND: u32 = 2;

impl Checker<'_> {
    /// Makes the reports to GitLab that events have lost, except where GitLab is `unreachable`,
    /// which counts as failed.
    ///
    /// If the time does not suffice, the next health checks report the rest: they check the
    /// pipelines in another order. Returns the pipelines whose names another one reports.
    pub async fn report_executions<'a>(
        &self,
        stacks: &'a FoundStacks,
        limits: &TimeLimits,
        unreachable: &UnreachableGitLabs,
    ) -> Findings {
        let mut findings = Findings::default();
        let limits = limits.until(limits.end);
        let (changed, settings) = (&stacks.changed, &stacks.settings());
        let pipelines: Vec<String> = changed.iter().map(|it| it.names.pipeline()).collect();
        let items = pipelines.iter().map(String::as_str).zip(changed);
        let pace = &Pace::per_second(REPORTS_PER_SECOND);
        let report = |name, changed: &'a ChangedExecutions| -> Checking<'_, _> {
            Box::pin(async move {
                let ChangedExecutions { names, executions } = changed;
                pace.wait().await;
                let report = async {
                    let read = settings.get(name);
                    let pipeline = match read {
                        Some(settings) => Some((*settings).clone()),
                        // There was no time to read its stack, or that failed.
                        None => self.gitops_pipeline.read_settings(names).await?,
                    };
                    let executions = executions.clone();
                    reporting::catch_up(self.clients, pipeline, executions, unreachable).await
                };
                let reports = Box::pin(report).await;
                let reported = reports.as_deref().unwrap_or_default().iter();
                let others: BTreeSet<OtherReporter> =
                    reported.flat_map(|it| it.others.clone()).collect();
                (names, log_failed(name, reports), others)
            })
        };
        let report_found = |name: &str, (names, failures, others): (_, usize, BTreeSet<_>)| {
            let problem = other_reporter_problem(names, &others);
            let failures = failures + usize::from(problem.is_some());
            if failures > 0 {
                self.emit(name, &[(metrics::REPORT_FAILURES, failures.into())]);
            }
            if problem.is_some() {
                findings.checked(format!("pipeline {name}"), problem);
            }
        };
        let left = check_each(items.collect(), &limits, report, report_found);
        if left.await > 0 {
            tracing::warn!("no time to report all executions");
        }
        findings
    }

    /// Repeats the reviews of the builds of the last day whose events were lost.
    pub async fn report_reviews(
        &self,
        reviewing: &[ReviewTarget],
        limits: &TimeLimits,
        unreachable: &UnreachableGitLabs,
    ) {
        let limits = limits.until(limits.end);
        let pipelines: Vec<String> =
            reviewing.iter().map(|target| target.pipeline.names.pipeline()).collect();
        let targets = pipelines.iter().map(String::as_str).zip(reviewing);
        let pace = &Pace::per_second(REPORTS_PER_SECOND);
        let review = |_, target| -> Checking<'_, _> {
            Box::pin(async move {
                pace.wait().await;
                let (aws, http) = (&self.clients.aws, &self.clients.http);
                let since = self.schedule.began - REPORTED_TIME;
                Box::pin(review::catch_up(aws, http, target, since, unreachable)).await
            })
        };
        let left =
            check_each(
                targets.collect(),
                &limits,
                review,
                |pipeline, reviewed| match reviewed {
                    Ok(0) => {}
                    Ok(written) => tracing::warn!(pipeline, written, "reviews repeated"),
                    Err(error) => {
                        warn!(error.reason, pipeline, "reviews are not repeated");
                        self.emit(pipeline, &[(metrics::REPORT_FAILURES, 1.into())]);
                    }
                },
            );
        if left.await > 0 {
            tracing::warn!("no time to repeat all reviews");
        }
    }
}

/// Logs the failed parts of the reports of a pipeline. Returns their number.
fn log_failed(pipeline: &str, reports: Result<Vec<Reported>, ReportError>) -> usize {
    match reports {
        Ok(reports) => reports.iter().map(Reported::log_failed).sum(),
        Err(error) => {
            warn!(error.reason, pipeline, "executions are not reported again");
            1
        }
    }
}
