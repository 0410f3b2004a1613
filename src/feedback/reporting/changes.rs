//! The changes of a commit whose approval has ended, for its notes.

use crate::clients::aws::{Aws, CallError};
use crate::feedback::change_sets;
use crate::feedback::change_sets::{Change, ChangeSet, Creation, is_gone};
use crate::feedback::execution;
use crate::feedback::execution::{Action, Execution};
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::{describe_stack, executions};

/// Reads the changes of the commit of `execution` from CloudFormation. `None` if it does not show
/// the change set any more, or if nothing proves that it is of this commit: each execution creates
/// one of the same name when it enters the stage, so the latest one in the stage has to be of it.
/// The commit has to have a note if CodePipeline shows none in the stage.
pub async fn of_commit(
    aws: &Aws,
    settings: &PipelineSettings,
    execution: &Execution,
    has_note: bool,
) -> Result<Option<Vec<Change>>, CallError> {
    let (pipeline, stack_name) = (settings.names.pipeline(), &settings.deployed_stack);
    let Some(name) = &settings.change_set else {
        return Ok(None);
    };
    let latest = latest_in_stage(aws, &pipeline).await?;
    let mut actions = execution.actions.clone();
    if let Some(id) = latest.as_ref().filter(|id| **id != execution.id) {
        let of_commit = execution::newest_of_same_commit(aws, &pipeline, id).await?;
        if of_commit.is_none_or(|it| it.commit != execution.commit) {
            return Ok(None);
        }
        actions = execution::list_actions(aws, &pipeline, id).await?;
    }
    let action = |name: &str| actions.iter().find(|action| action.name == name);
    let has_approval = action(APPROVAL).is_some() || latest.is_none() && has_note;
    if !has_approval {
        return Ok(None);
    }
    let mut found = change_sets::describe(aws, stack_name, name).await?;
    let may_be_executed = |deployed: &Action| !is_gone(&deployed.summary);
    if found.is_none() && action(DEPLOY).is_some_and(may_be_executed) {
        found = executed(aws, stack_name, name).await?;
    }
    let is_complete =
        |found: &ChangeSet| matches!(found.creation, Creation::Complete | Creation::Empty);
    let found = found.filter(is_complete);
    if found.is_none() || latest_in_stage(aws, &pipeline).await? != latest {
        return Ok(None);
    }
    Ok(found.map(|found| found.changes))
}

/// The execution that has entered the stage last. `None` if none has.
async fn latest_in_stage(aws: &Aws, pipeline: &str) -> Result<Option<String>, CallError> {
    let shown = executions::state(aws, pipeline).await?;
    let stages = shown.and_then(|state| state.stage_states);
    let stage = stages.iter().flatten().find(|stage| stage.stage_name() == Some(DEPLOY));
    let latest = stage.and_then(|stage| stage.latest_execution());
    Ok(latest.map(|latest| latest.pipeline_execution_id().to_owned()))
}

/// The change set `name` that was executed last. CloudFormation finds it by its ARN only:
/// assumption `executed-change-set-is-readable`.
async fn executed(aws: &Aws, stack_name: &str, name: &str) -> Result<Option<ChangeSet>, CallError> {
    let stack = describe_stack(aws, stack_name).await?;
    let id = stack.and_then(|stack| stack.change_set_id);
    match id.filter(|id| id.contains(&format!(":changeSet/{name}/"))) {
        Some(id) => change_sets::describe(aws, stack_name, &id).await,
        None => Ok(None),
    }
}
