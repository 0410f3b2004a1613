//! The deployments of a pipeline, and the commits that they have deployed.

use std::time::SystemTime;

use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use super::actions::{DeployAttempt, deployments};
use super::{commit_of, find, is_rollback};
use crate::clients::aws::{Aws, CallError};

/// The executions that have deployed.
pub struct Deployments {
    /// The commit of the newest one. Empty if there is none.
    pub newest: String,
    /// The latest first. A rollback has deployed its commit without an approval, so the earlier
    /// execution of this commit takes its place, and those between them are left out.
    pub without_rollbacks: Vec<DeployedExecution>,
}

pub struct DeployedExecution {
    pub execution_id: String,
    pub commit: String,
    /// When an execution of the commit started first. `None` if CodePipeline shows no time.
    pub started: Option<SystemTime>,
}

impl Deployments {
    /// Reads which of the `listed` executions have deployed, at least the latest `count` of them.
    pub async fn read(
        aws: &Aws,
        pipeline_name: &str,
        count: usize,
        listed: &[PipelineExecutionSummary],
    ) -> Result<Self, CallError> {
        let ended = deployments(aws, pipeline_name, count).await?;
        let of = |one: &DeployAttempt| find(listed, &one.execution_id);
        let newest = ended.first().and_then(of).and_then(commit_of);
        let mut deployed: Vec<_> = ended.iter().filter_map(of).collect();
        let mut restored = None;
        deployed.retain(|one| {
            if restored.is_some_and(|commit| commit_of(one) != commit) {
                return false;
            }
            restored = is_rollback(one).then(|| commit_of(one));
            restored.is_none()
        });
        let read = |one: &PipelineExecutionSummary| {
            let commit = commit_of(one)?;
            let same = listed.iter().filter(|one| commit_of(one) == Some(commit));
            let started = same.filter_map(|one| SystemTime::try_from(*one.start_time()?).ok());
            Some(DeployedExecution {
                execution_id: one.pipeline_execution_id()?.to_owned(),
                commit: commit.to_owned(),
                started: started.min(),
            })
        };
        Ok(Deployments {
            newest: newest.unwrap_or_default().to_owned(),
            without_rollbacks: deployed.into_iter().map_while(read).collect(),
        })
    }
}
