//! Compares deployed stacks with their templates once a day.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::checker::Checker;
use super::concurrent::TimeLimits;
use super::findings::Findings;
use super::metrics;
use super::schedule::DAY;
use crate::clients::aws::CallError;
use crate::clients::failing_calls::within;
use crate::common::stop::Stop;
use crate::feedback::change_sets;
use crate::feedback::drift;
use crate::feedback::drift::{Drifted, IN_SYNC, revert_command};
use crate::feedback::reporting;
use crate::gitops_pipeline::child::Child;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use cfn_custom_resource::Reason;

/// The longest comparison of one stack. The next day's check starts again.
const COMPARISON_TIMEOUT: Duration = Duration::from_secs(180);

/// How long a change set of the function may exist. An invocation ends after 15 minutes.
const MAX_CHANGE_SET_AGE: Duration = Duration::from_secs(60 * 60);

/// The most names of resources in a finding.
const MAX_NAMES: usize = 20;

impl Checker<'_> {
    /// Compares the stack that the pipeline of `child` deploys, with `Drift: Report`, unless another
    /// check of the day does. The pipeline's stack has this `name`.
    pub async fn compare(&self, name: &str, child: &Child) -> Findings {
        let mut findings = Findings::default();
        let is_due = self.may_change() && self.schedule.is_due(name, DAY);
        let settings = child.settings.as_ref();
        let Some(settings) = settings.filter(|it| is_due && it.stored.reports_drift) else {
            return findings;
        };
        let checking = drift::check(&self.clients.aws, settings);
        let found = match within(COMPARISON_TIMEOUT, Box::pin(checking)).await {
            Ok(found) => found,
            Err(cut) => Err(Stop::nothing(cut.and("CloudFormation takes too long"))),
        };
        match found {
            Ok(drifted) => self.report_drift(&mut findings, settings, &drifted).await,
            Err(Stop::Nothing(because)) => {
                let (stack_name, because) = (&settings.deployed_stack, because.as_ref());
                tracing::info!(stack_name, because, "the stack was not compared");
            }
            Err(Stop::Failed(error)) => findings.failed(error),
        }
        findings
    }

    /// Shows the result of a comparison in GitLab, and writes its metric and its finding.
    async fn report_drift(
        &self,
        findings: &mut Findings,
        settings: &PipelineSettings,
        drifted: &Drifted,
    ) {
        let stack_name = &settings.deployed_stack;
        if settings.stored.report.is_some() {
            let (aws, http) = (&self.clients.aws, &self.clients.http);
            let reporting = reporting::report_drift(aws, http, settings, drifted);
            if let Err(error) = Box::pin(reporting).await {
                let pipeline = settings.names.pipeline();
                self.emit(&pipeline, &[(metrics::REPORT_FAILURES, 1.into())]);
                warn!(error.reason, stack_name, "drift is not shown in GitLab");
            }
        }
        let (count, not_compared) = (drifted.resources.len(), drifted.not_compared);
        let is_partial = drifted.is_partial;
        tracing::info!(
            stack_name,
            drifted = count,
            not_compared,
            is_partial,
            "compared"
        );
        self.emit(stack_name, &[(metrics::DRIFTED_RESOURCES, count.into())]);
        let problem = (count > 0).then(|| problem(settings, drifted));
        findings.checked(format!("stack {stack_name}"), problem);
    }

    /// Deletes change sets that the function left behind on the stacks that pipelines deploy: those
    /// of an invocation that was killed and whose event was not delivered again.
    pub async fn delete_leftovers(
        &self,
        deployed: &BTreeSet<String>,
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        let is_due = |name: &&String| self.may_change() && self.schedule.is_due(name, DAY);
        for stack_name in deployed.iter().filter(is_due) {
            if Instant::now() >= limits.checks_end {
                return;
            }
            if let Err(error) = self.delete_leftovers_of(stack_name).await {
                findings.failed(error);
            }
        }
    }

    async fn delete_leftovers_of(&self, stack_name: &str) -> Result<(), CallError> {
        let mut result = Ok(());
        for listed in change_sets::list(&self.clients.aws, stack_name).await? {
            let is_old =
                listed.created.is_some_and(|created| self.since(created) > MAX_CHANGE_SET_AGE);
            if listed.is_own && is_old {
                let change_set = &listed.name;
                let deleted = change_sets::delete(&self.clients.aws, stack_name, change_set).await;
                if deleted.is_ok() {
                    tracing::warn!(
                        stack_name,
                        change_set,
                        "deleted a change set that was left behind"
                    );
                }
                result = result.and(deleted);
            }
        }
        result
    }
}

fn problem(settings: &PipelineSettings, drifted: &Drifted) -> Reason {
    let names = drifted.resources.iter().map(|change| change.logical_id.as_str());
    let mut listed: Vec<&str> = names.take(MAX_NAMES).collect();
    if drifted.resources.len() > MAX_NAMES {
        listed.push("…");
    }
    let names = listed.join(", ");
    let count = drifted.resources.len();
    let role_arn = settings.location.role(&settings.names.deploy_role());
    let command = revert_command(
        &settings.deployed_stack,
        &role_arn,
        &drifted.parameters,
        &drifted.capabilities,
    );
    let problem = format!("{count} of its resources differ from its template: {names}");
    let before = format!("Create a change set that reverts the drift. {IN_SYNC}: ");
    Reason::uncoded(problem, command.after(before))
}
