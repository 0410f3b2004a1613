//! The checks of the environment's pipelines.

use super::{Checker, REPORTED_TIME, metrics};
use crate::aws::Aws;
use crate::gitops_pipeline::GitOpsPipeline;
use crate::gitops_pipeline::canceled_execution::CanceledExecution;
use crate::gitops_pipeline::health;
use crate::gitops_pipeline::health::PipelineHealth;
use crate::reporting;
use crate::reporting::Execution;

impl Checker<'_> {
    /// Checks every pipeline. Returns their names, with the executions whose reports are repeated.
    pub async fn check_pipelines(
        &mut self,
        aws: &Aws,
        gitops_pipeline: &GitOpsPipeline,
    ) -> Vec<(String, Vec<Execution>)> {
        let since = self.now - REPORTED_TIME;
        let mut changed = vec![];
        let names = match health::list(aws, &self.environment.id).await {
            Ok(names) => names,
            Err(error) => {
                self.failed(&error.to_string());
                return changed;
            }
        };
        for name in names {
            match health::check(aws, &name).await {
                Ok(Some(pipeline)) => {
                    self.report_pipeline(&name, &pipeline);
                    if self.may_change {
                        self.start_again(gitops_pipeline, &name, &pipeline).await;
                    }
                    changed.push((name, reporting::changed_since(&pipeline.executions, since)));
                }
                // It was deleted meanwhile.
                Ok(None) => {}
                Err(error) => self.failed(&error.to_string()),
            }
        }
        changed
    }

    /// Starts the commit of an execution again that an update of the pipeline canceled.
    async fn start_again(
        &mut self,
        gitops_pipeline: &GitOpsPipeline,
        name: &str,
        pipeline: &PipelineHealth,
    ) {
        let canceled = CanceledExecution::newest(&pipeline.executions);
        let Some(canceled) = canceled.filter(|canceled| canceled.is_recent(self.now)) else {
            return;
        };
        let commit = &canceled.commit;
        match Box::pin(gitops_pipeline.start_again(name, &canceled)).await {
            Ok(true) => tracing::warn!(
                pipeline = name,
                commit,
                "started again: an update of the pipeline canceled the execution"
            ),
            Ok(false) => {}
            Err(error) => {
                let problem = format!(
                    "it does not run commit {commit}, whose execution was canceled: {error}"
                );
                self.checked(format!("pipeline {name}"), Some(problem));
            }
        }
    }

    fn report_pipeline(&mut self, name: &str, pipeline: &PipelineHealth) {
        self.findings.pipelines += 1;
        let problem = (pipeline.succeeded == Some(false)).then(|| {
            format!(
                "its newest execution failed. Read the reason: aws codepipeline get-pipeline-state \
                 --name {name}"
            )
        });
        self.checked(format!("pipeline {name}"), problem);
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
    }
}
