//! A request for approval that waits, and the change set that it is about.

use std::time::SystemTime;

use aws_sdk_codepipeline::types::{ActionExecutionStatus, StageState};

use super::plan;
use crate::clients::aws::{Aws, CallError};
use crate::common::ownership;
use crate::feedback::change_sets;
use crate::feedback::change_sets::{ChangeSet, Creation};
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::executions::actions::list_actions;
use crate::gitops_pipeline::executions::deployments::{DeployedExecution, Deployments};
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY, ExecutionStatus, commit_of, status_of};
use crate::gitops_pipeline::holds;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::ApprovalSettings;
use crate::gitops_pipeline::settings::approval_tags::{ApprovalTag, Decision};

/// The most deployments whose approval is looked up. Each takes a call.
const MAX_DEPLOYMENTS: usize = 20;

#[derive(Clone, Debug)]
pub struct ApprovalRequest {
    /// CodePipeline's name of this request. It accepts the name only while the request waits.
    pub token: String,
    pub execution_id: String,
    pub change_set: ChangeSet,
    /// The end of the names of its tags. A retried stage has the same execution and the same
    /// change set, so the key also depends on the action's execution.
    pub key: String,
    /// Whether a person has disabled the transition into its stage.
    pub is_held: bool,
}

/// The execution that waits, and the deployments before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub commit: String,
    /// The commit of the newest deployment that a person approved, and when it first started.
    /// `None` if there is none.
    pub base: Option<(String, SystemTime)>,
    /// The commit of the newest deployment. Empty if there is none.
    pub deployed: String,
}

impl ApprovalRequest {
    /// Reads the request that waits. `None` if none does.
    ///
    /// The request comes first. The later reads are about it, or CodePipeline rejects its
    /// token.
    pub async fn read(
        aws: &Aws,
        pipeline: &str,
        settings: &ApprovalSettings,
    ) -> Result<Option<Self>, CallError> {
        let shown = executions::state(aws, pipeline).await?;
        let disabled = shown.as_ref().map(holds::disabled_transitions);
        let is_held = disabled.is_some_and(|it| it.iter().any(|one| one.stage == DEPLOY));
        let is_deploy = |stage: &&StageState| stage.stage_name() == Some(DEPLOY);
        let stages = shown.and_then(|state| state.stage_states).unwrap_or_default();
        let Some(stage) = stages.iter().find(is_deploy) else {
            return Ok(None);
        };
        let mut actions = stage.action_states().iter();
        let approval = actions.find(|action| action.action_name() == Some(APPROVAL));
        let waiting = approval.and_then(|action| action.latest_execution());
        let waiting = waiting.filter(|it| it.status() == Some(&ActionExecutionStatus::InProgress));
        let Some((waiting, token)) = waiting.and_then(|it| Some((it, it.token()?))) else {
            return Ok(None);
        };
        let (stack, name) = (&settings.stack_name, &settings.change_set_name);
        let Some(change_set) = change_sets::describe(aws, stack, name).await? else {
            return Ok(None);
        };
        let of_stage = stage.latest_execution();
        let execution_id = of_stage.map_or("", |execution| execution.pipeline_execution_id());
        let action_id = waiting.action_execution_id().unwrap_or_default();
        let key = [pipeline, execution_id, &change_set.id, action_id].join(" ");
        Ok(Some(ApprovalRequest {
            token: token.to_owned(),
            execution_id: execution_id.to_owned(),
            key: ownership::key(&key),
            is_held,
            change_set,
        }))
    }

    /// The tags of this `number`. A rejection comes first.
    pub fn tags(&self, names: &ResourceNames, number: u32) -> [ApprovalTag; 2] {
        [Decision::Reject, Decision::Deploy].map(|decision| ApprovalTag {
            decision,
            names: names.clone(),
            key: self.key.clone(),
            number,
        })
    }

    /// The commits that it deploys. `None` if its change set cannot be executed, or if the
    /// execution is not in progress any more or is to be stopped.
    pub async fn range(
        &self,
        aws: &Aws,
        names: &ResourceNames,
    ) -> Result<Option<Range>, CallError> {
        let ChangeSet { id, creation, .. } = &self.change_set;
        if id.is_empty() || !matches!(creation, Creation::Complete | Creation::Empty) {
            return Ok(None);
        }
        let pipeline = names.pipeline();
        let listed = executions::list_until(aws, &pipeline, |_| false).await?.unwrap_or_default();
        let waiting = executions::find(&listed, &self.execution_id);
        let waiting = waiting.filter(|one| status_of(one) == ExecutionStatus::InProgress);
        let Some(commit) = waiting.and_then(commit_of) else {
            return Ok(None);
        };
        let deployed = Deployments::read(aws, &pipeline, MAX_DEPLOYMENTS, &listed).await?;
        Ok(Some(Range {
            commit: commit.to_owned(),
            base: approved(aws, names, deployed.without_rollbacks).await?,
            deployed: deployed.newest,
        }))
    }
}

/// The commit of the newest deployment that has succeeded after the approval of a person, and when
/// it first started. No person has looked at the commits of another one: the function approved it,
/// or no approval was required.
async fn approved(
    aws: &Aws,
    names: &ResourceNames,
    deployed: Vec<DeployedExecution>,
) -> Result<Option<(String, SystemTime)>, CallError> {
    for one in deployed.into_iter().take(MAX_DEPLOYMENTS) {
        let actions = list_actions(aws, &names.pipeline(), &one.execution_id).await?;
        let approval = actions.iter().find(|it| it.name == APPROVAL);
        if approval.is_some_and(|it| plan::is_by_person(it, names)) {
            return Ok(one.started.map(|started| (one.commit, started)));
        }
    }
    Ok(None)
}
