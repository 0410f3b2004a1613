//! The attempts of the actions of an execution.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::SystemTime;

use aws_sdk_codepipeline::types::{
    ActionExecutionDetail, ActionExecutionFilter, ActionExecutionStatus,
};

use super::{DEPLOY, LATEST};
use crate::clients::aws::{Aws, CallError, required};

/// The most actions that are searched for deployments. An execution has about five.
const MAX_ACTIONS: usize = 10 * LATEST;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionState {
    /// It runs, or waits for a person.
    Running,
    Succeeded,
    /// It failed, or was rejected.
    Failed,
    /// The execution ended before it did.
    Abandoned,
}

/// The latest attempt of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name, which is unique in the pipelines of cfn-gitops.
    pub name: String,
    /// Empty if CodePipeline shows none.
    pub stage: String,
    pub state: ActionState,
    /// The text of AWS.
    pub status: String,
    /// CodePipeline's summary or error. Empty if there is none.
    pub summary: String,
    /// The ARN of the principal who approved or rejected. Empty if there is none.
    pub by: String,
    /// Its ID in the service that executes it, for example that of the build. Empty if there is
    /// none.
    pub external_id: String,
    /// CodePipeline's ID of this attempt. Empty if it returns none.
    pub attempt: String,
}

/// Lists the latest attempt of each action of the execution `id`.
pub async fn list_actions(
    aws: &Aws,
    pipeline_name: &str,
    id: &str,
) -> Result<Vec<Action>, CallError> {
    let filter = ActionExecutionFilter::builder().pipeline_execution_id(id).build();
    let call = aws.codepipeline.list_action_executions();
    let pages = call.pipeline_name(pipeline_name).filter(filter);
    let attempts: Result<Vec<ActionExecutionDetail>, _> =
        pages.into_paginator().items().send().collect().await;
    let attempts = required(attempts, || {
        format!("listing the actions of execution {id} of pipeline {pipeline_name}")
    })?;
    let mut actions: Vec<Action> = vec![];
    for action in attempts.iter().filter_map(read_action) {
        // CodePipeline lists the latest attempt first.
        if !actions.iter().any(|later| later.name == action.name) {
            actions.push(action);
        }
    }
    Ok(actions)
}

/// An attempt of the action Deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployAttempt {
    pub execution_id: String,
    /// The text of AWS.
    pub status: String,
    pub has_succeeded: bool,
    /// When it last changed. `None` if CodePipeline shows no time.
    pub at: Option<SystemTime>,
}

/// The attempts of the action Deploy in the latest thousand actions, or those with at least `count`
/// executions that have deployed, the last one first. An execution that has deployed may have
/// failed since, for example because of an alarm, and an earlier one may have deployed later: a
/// rollback, or a retry of its stage.
pub async fn deploy_attempts(
    aws: &Aws,
    pipeline_name: &str,
    count: usize,
) -> Result<Vec<DeployAttempt>, CallError> {
    let call = aws.codepipeline.list_action_executions();
    let mut pages = call.pipeline_name(pipeline_name).into_paginator().send();
    let mut attempts: Vec<DeployAttempt> = vec![];
    let (mut deployed, mut seen) = (BTreeSet::new(), 0);
    while deployed.len() < count
        && seen < MAX_ACTIONS
        && let Some(page) = pages.next().await
    {
        let page = required(page, || {
            format!("listing the actions of pipeline {pipeline_name}")
        })?;
        let details = page.action_execution_details();
        seen += details.len();
        attempts.extend(details.iter().filter_map(read_deploy_attempt));
        let succeeded = attempts.iter().filter(|one| one.has_succeeded);
        deployed.extend(succeeded.map(|one| one.execution_id.clone()));
    }
    attempts.sort_by_key(|one| Reverse(one.at));
    Ok(attempts)
}

/// At least `count` executions that have deployed, as far as the latest thousand actions show them.
/// The one that is deployed is first.
pub async fn deployments(
    aws: &Aws,
    pipeline_name: &str,
    count: usize,
) -> Result<Vec<DeployAttempt>, CallError> {
    let mut attempts = deploy_attempts(aws, pipeline_name, count).await?;
    attempts.retain(|one| one.has_succeeded);
    Ok(attempts)
}

fn read_deploy_attempt(attempt: &ActionExecutionDetail) -> Option<DeployAttempt> {
    if attempt.action_name() != Some(DEPLOY) {
        return None;
    }
    let at = attempt.last_update_time();
    Some(DeployAttempt {
        execution_id: attempt.pipeline_execution_id()?.to_owned(),
        status: text_of(attempt),
        has_succeeded: attempt.status() == Some(&ActionExecutionStatus::Succeeded),
        at: at.and_then(|at| SystemTime::try_from(*at).ok()),
    })
}

fn text_of(attempt: &ActionExecutionDetail) -> String {
    attempt.status().map_or_else(String::new, |status| status.as_str().to_owned())
}

fn read_action(attempt: &ActionExecutionDetail) -> Option<Action> {
    let result = attempt.output().and_then(|output| output.execution_result());
    let external_id = result.and_then(|result| result.external_execution_id());
    let error = result.and_then(|result| result.error_details()?.message());
    let summary = result.and_then(|result| result.external_execution_summary());
    // An attempt of an unknown state hides the earlier ones too.
    let state = match attempt.status() {
        Some(ActionExecutionStatus::Succeeded) => ActionState::Succeeded,
        Some(ActionExecutionStatus::Failed) => ActionState::Failed,
        Some(ActionExecutionStatus::Abandoned) => ActionState::Abandoned,
        _ => ActionState::Running,
    };
    Some(Action {
        name: attempt.action_name()?.to_owned(),
        stage: attempt.stage_name().unwrap_or_default().to_owned(),
        state,
        status: text_of(attempt),
        summary: error.or(summary).unwrap_or_default().to_owned(),
        by: attempt.updated_by().unwrap_or_default().to_owned(),
        external_id: external_id.unwrap_or_default().to_owned(),
        attempt: attempt.action_execution_id().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn action_of_an_unknown_status_has_neither_succeeded_nor_failed() {
        let attempt = ActionExecutionDetail::builder().action_name("Deploy");
        let attempt = attempt.status("FUTURE_VALUE".into()).build();
        let action = read_action(&attempt).expect("an action");
        assert_eq!(action.state, ActionState::Running);
    }
}
