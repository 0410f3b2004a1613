//! The checks of the environment's pipelines.

use std::time::Duration;

use super::checker::{Checker, listed};
use super::concurrent::{Checking, PIPELINES_PER_SECOND, TimeLimits, check_each};
use super::findings::{Findings, unknown_value};
use super::metrics;
use crate::clients::aws::CallError;
use crate::common::pace::Pace;
use crate::feedback::approval;
use crate::feedback::execution::{Execution, changed_since};
use crate::gitops_pipeline::executions::{ExecutionStatus, status_of};
use crate::gitops_pipeline::health;
use crate::gitops_pipeline::health::{PipelineEnd, PipelineHealth};
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
    /// That a later version of CodePipeline has the status of the newest execution.
    unknown: Option<Reason>,
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
                Ok(Some(mut checked)) => {
                    checked.unknown.take().into_iter().for_each(|it| findings.failed(it));
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
        // The metric has the end before it.
        let newest = executions.first().filter(|_| !self.may_change());
        let unknown = newest.and_then(|newest| match status_of(newest) {
            ExecutionStatus::Unknown(status) => {
                let part = format!("the status of the newest execution of pipeline {name}");
                Some(unknown_value(&part, &status))
            }
            _ => None,
        });
        let mut changed = changed_since(&executions, self.schedule.began - REPORTED_TIME);
        for execution in &mut changed {
            execution.find_hold(&health.transitions);
        }
        Ok(Some(CheckedPipeline {
            changed,
            unknown,
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
        let problem = match &pipeline.end {
            Some(PipelineEnd::Failed(Ok(action))) => Some(failure(name, action)),
            Some(PipelineEnd::Failed(Err(error))) => {
                findings.failed(error.clone());
                Some(failure(name, ""))
            }
            Some(PipelineEnd::Succeeded) | None => None,
        };
        let transitions = pipeline.transitions.iter().cloned();
        for transition in transitions {
            findings.held(format!("pipeline {name}"), Hold::Transition(transition));
        }
        findings.checked(format!("pipeline {name}"), problem);
        let waiting = pipeline.approvals_waiting;
        let mut metrics = vec![(metrics::APPROVALS_WAITING, waiting.into())];
        match &pipeline.end {
            Some(PipelineEnd::Succeeded) => metrics.push((metrics::PIPELINE_SUCCEEDED, 1.into())),
            Some(PipelineEnd::Failed(_)) => metrics.push((metrics::PIPELINE_SUCCEEDED, 0.into())),
            None => {}
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

/// That an execution of the pipeline `name` failed, in this `action` if it is not empty.
fn failure(name: &str, action: &str) -> Reason {
    let problem = match action {
        "" => "an execution has failed since the last success".to_owned(),
        action => format!("an execution has failed in action {action} since the last success"),
    };
    let remedy = match ResourceNames::from_pipeline_name(name) {
        Some(ResourceNames { env_id, project_id }) => {
            format!("See why: cfn-gitops failures {project_id} --env {env_id}")
        }
        None => "Look at it in the console of CodePipeline".to_owned(),
    };
    Reason::uncoded(problem, remedy)
}
