//! The checks of the environment's pipelines.

use std::time::Duration;

use super::checker::{Checker, listed};
use super::concurrent::{Checking, PIPELINES_PER_SECOND, TimeLimits, check_each};
use super::findings::Findings;
use super::metrics;
use crate::clients::aws::CallError;
use crate::common::pace::Pace;
use crate::feedback::approval;
use crate::feedback::reporting;
use crate::feedback::reporting::Execution;
use crate::gitops_pipeline::health;
use crate::gitops_pipeline::health::PipelineHealth;
use crate::gitops_pipeline::holds::Hold;
use crate::gitops_pipeline::names::ResourceNames;
use cfn_custom_resource::Reason;

/// How long ago an execution may have changed whose report is repeated.
pub const REPORTED_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The executions of a pipeline whose reports are repeated.
pub struct ChangedExecutions {
    pub names: ResourceNames,
    pub executions: Vec<Execution>,
}

struct CheckedPipeline {
    /// `None` if its name is not one that cfn-gitops gives.
    names: Option<ResourceNames>,
    /// Without its executions: most are not needed any more.
    health: PipelineHealth,
    changed: Vec<Execution>,
    /// Why an empty change set was not approved.
    problem: Option<Reason>,
}

impl Checker<'_> {
    /// Checks every pipeline. Returns the executions whose reports are repeated, too.
    pub async fn check_pipelines(&self, limits: &TimeLimits) -> (Findings, Vec<ChangedExecutions>) {
        let (mut findings, mut changed) = (Findings::default(), vec![]);
        let listing = health::list(&self.clients.aws, &self.environment.id);
        let Some(mut names) = listed(listing, &mut findings, limits).await else {
            return (findings, changed);
        };
        names.sort();
        self.schedule.rotate(&mut names);
        let items = names.iter().map(|name| (name.as_str(), ())).collect();
        let pace = &Pace::per_second(PIPELINES_PER_SECOND);
        let check = |name, ()| -> Checking<'_, _> {
            Box::pin(async move {
                pace.wait().await;
                self.check_pipeline(name).await
            })
        };
        let left = check_each(items, limits, check, |name, result| {
            match result {
                Ok(Some(checked)) => {
                    self.report_pipeline(&mut findings, name, &checked);
                    let names = checked.names.filter(|_| !checked.changed.is_empty());
                    changed.extend(names.map(|names| ChangedExecutions {
                        names,
                        executions: checked.changed,
                    }));
                }
                // It was deleted meanwhile.
                Ok(None) => {}
                Err(error) => findings.failed(error),
            }
        });
        let left = left.await;
        self.report_left("pipelines", left, names.len(), &mut findings);
        (findings, changed)
    }

    async fn check_pipeline(&self, name: &str) -> Result<Option<CheckedPipeline>, CallError> {
        let Some(mut health) = health::check(&self.clients.aws, name).await? else {
            return Ok(None);
        };
        let names = ResourceNames::from_pipeline_name(name);
        let is_waiting = self.may_change() && health.approvals_waiting > 0;
        let problem = match names.as_ref().filter(|_| is_waiting) {
            Some(names) => self.approve(names).await.err(),
            None => None,
        };
        let executions = std::mem::take(&mut health.executions);
        let mut changed =
            reporting::changed_since(&executions, self.schedule.began - REPORTED_TIME);
        for execution in &mut changed {
            execution.find_hold(&health.transitions);
        }
        Ok(Some(CheckedPipeline {
            changed,
            names,
            health,
            problem: problem.map(Reason::from),
        }))
    }

    /// Approves a change set without changes whose event was lost.
    async fn approve(&self, names: &ResourceNames) -> Result<(), CallError> {
        match self.gitops_pipeline.read_settings(names).await? {
            Some(pipeline) => Box::pin(approval::approve(&self.clients.aws, &pipeline)).await,
            None => Ok(()),
        }
    }

    fn report_pipeline(&self, findings: &mut Findings, name: &str, checked: &CheckedPipeline) {
        findings.totals.pipelines += 1;
        let pipeline = &checked.health;
        let problem = (pipeline.succeeded == Some(false)).then(|| {
            let remedy =
                format!("Read the reason: aws codepipeline get-pipeline-state --name {name}");
            Reason::uncoded("its newest execution failed", remedy)
        });
        let transitions = pipeline.transitions.iter().cloned();
        for transition in transitions {
            findings.held(format!("pipeline {name}"), Hold::Transition(transition));
        }
        findings.checked(format!("pipeline {name}"), problem);
        let waiting = pipeline.approvals_waiting;
        let mut metrics = vec![(metrics::APPROVALS_WAITING, waiting.into())];
        if let Some(succeeded) = pipeline.succeeded {
            let succeeded = u8::from(succeeded);
            metrics.push((metrics::PIPELINE_SUCCEEDED, succeeded.into()));
        }
        if let Some(requested) = pipeline.approval_requested {
            let waited = self.since(requested).as_secs_f64();
            metrics.push((metrics::SECONDS_SINCE_APPROVAL_REQUEST, waited.into()));
        }
        self.emit(name, &metrics);
        if let Some(problem) = &checked.problem {
            findings.checked(format!("pipeline {name}"), Some(problem.clone()));
        }
    }
}
