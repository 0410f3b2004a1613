//! The attempts of the actions of an execution.

use std::cmp::Reverse;
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
    pub state: ActionState,
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

/// An execution that has deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedDeployment {
    pub execution_id: String,
    /// When its action Deploy ended.
    pub at: Option<SystemTime>,
}

/// At least `count` executions that have deployed, or of those in the latest thousand
/// actions. The one whose action Deploy ended last is first: it is deployed. It may have failed
/// since, for example because of an alarm, and an earlier one may have deployed later: a rollback,
/// or a retry of its stage.
pub async fn deployments(
    aws: &Aws,
    pipeline_name: &str,
    count: usize,
) -> Result<Vec<EndedDeployment>, CallError> {
    let call = aws.codepipeline.list_action_executions();
    let mut pages = call.pipeline_name(pipeline_name).into_paginator().send();
    let mut ended: Vec<EndedDeployment> = vec![];
    let mut seen = 0;
    while ended.len() < count
        && seen < MAX_ACTIONS
        && let Some(page) = pages.next().await
    {
        let page = required(page, || {
            format!("listing the actions of pipeline {pipeline_name}")
        })?;
        seen += page.action_execution_details().len();
        let has_deployed = |attempt: &&ActionExecutionDetail| {
            attempt.action_name() == Some(DEPLOY)
                && attempt.status() == Some(&ActionExecutionStatus::Succeeded)
        };
        let deployed = page.action_execution_details().iter().filter(has_deployed);
        ended.extend(deployed.filter_map(|attempt| {
            let at = attempt.last_update_time();
            Some(EndedDeployment {
                execution_id: attempt.pipeline_execution_id()?.to_owned(),
                at: at.and_then(|at| SystemTime::try_from(*at).ok()),
            })
        }));
    }
    ended.sort_by_key(|one| Reverse(one.at));
    Ok(ended)
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
        state,
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
