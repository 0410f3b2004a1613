//! The executions of a pipeline: lists and starts them. The names of its actions, as the template
//! renders them.

pub mod actions;

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::{
    ExecutionType, PipelineExecutionStatus, PipelineExecutionSummary, TriggerType,
};

use crate::clients::aws::{Aws, CallError, optional, required};
use crate::common::ownership;

/// The action that reads the code.
pub const SOURCE: &str = "Source";

/// The action that reads the image, if the pipeline has one.
pub const IMAGE: &str = "Image";

pub const BUILD: &str = "Build";

/// The actions that do not get the parameters of the deployed stack.
pub const BEFORE_DEPLOYMENT: [&str; 3] = [SOURCE, IMAGE, BUILD];

pub const APPROVAL: &str = "Approval";

pub const DEPLOY: &str = "Deploy";

/// How many executions are the latest ones. A page has at most as many.
pub const LATEST: usize = 100;

/// The most executions that are searched.
const MAX_SEARCHED: usize = 3 * LATEST;

/// Lists pages of executions, the latest first, while `needs_more` of those before. `None` if the
/// pipeline does not exist.
pub async fn list_while(
    aws: &Aws,
    pipeline_name: &str,
    needs_more: impl Fn(&[PipelineExecutionSummary]) -> bool,
) -> Result<Option<Vec<PipelineExecutionSummary>>, CallError> {
    let (mut listed, mut token) = (vec![], None);
    loop {
        let call = aws.codepipeline.list_pipeline_executions();
        let call = call.pipeline_name(pipeline_name).set_next_token(token);
        let doing = || format!("listing the executions of pipeline {pipeline_name}");
        let page = optional(call.send().await, &["PipelineNotFoundException"], doing)?;
        let Some(page) = page else { return Ok(None) };
        listed.extend(page.pipeline_execution_summaries.unwrap_or_default());
        token = page.next_token;
        if token.is_none() || !needs_more(&listed) {
            return Ok(Some(listed));
        }
    }
}

/// The latest hundred executions, or more, the latest first. `None` if the pipeline does not exist.
pub async fn list_latest(
    aws: &Aws,
    pipeline_name: &str,
) -> Result<Option<Vec<PipelineExecutionSummary>>, CallError> {
    list_while(aws, pipeline_name, |listed| listed.len() < LATEST).await
}

/// Lists the executions from the newest one to the page with one that `is_last`, or the first 300.
pub async fn list_until(
    aws: &Aws,
    pipeline_name: &str,
    is_last: impl Fn(&PipelineExecutionSummary) -> bool,
) -> Result<Vec<PipelineExecutionSummary>, CallError> {
    let needs_more = move |listed: &[PipelineExecutionSummary]| {
        listed.len() < MAX_SEARCHED && !listed.iter().any(&is_last)
    };
    let listed = list_while(aws, pipeline_name, needs_more).await?;
    Ok(listed.unwrap_or_default())
}

/// The state of a pipeline: its stages and their actions. `None` if it does not exist.
pub async fn state(
    aws: &Aws,
    pipeline_name: &str,
) -> Result<Option<GetPipelineStateOutput>, CallError> {
    let call = aws.codepipeline.get_pipeline_state().name(pipeline_name);
    optional(call.send().await, &["PipelineNotFoundException"], || {
        format!("looking up the state of pipeline {pipeline_name}")
    })
}

/// Whether one of the latest hundred executions is in progress, for example one that waits for an
/// approval.
pub async fn is_one_in_progress(aws: &Aws, pipeline_name: &str) -> Result<bool, CallError> {
    use PipelineExecutionStatus::{InProgress, Stopping};
    let listed = list_latest(aws, pipeline_name).await?.unwrap_or_default();
    let mut statuses = listed.iter().map(PipelineExecutionSummary::status);
    Ok(statuses.any(|status| matches!(status, Some(InProgress | Stopping))))
}

/// The commit that the execution has read. `None` if it has read none yet. The image action may
/// finish before the source action.
pub fn commit_of(execution: &PipelineExecutionSummary) -> Option<&str> {
    let mut revisions = execution.source_revisions().iter();
    let code = revisions.find(|revision| revision.action_name() == SOURCE)?;
    code.revision_id()
}

/// Whether it deploys an earlier execution again.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html>
pub fn is_rollback(execution: &PipelineExecutionSummary) -> bool {
    use TriggerType::{AutomatedRollback, ManualRollback};
    let trigger = execution.trigger().and_then(|it| it.trigger_type());
    execution.execution_type() == Some(&ExecutionType::Rollback)
        || matches!(trigger, Some(AutomatedRollback | ManualRollback))
}

/// The token of a start, if `listed` are the latest executions, the newest first. Deliveries that
/// list the same executions use the same token, so that one execution starts: assumption
/// `start-token-outlives-a-delivery`. A later delivery lists the execution, and starts none.
pub fn start_token(tip: &str, listed: &[PipelineExecutionSummary]) -> String {
    let newest = listed.first().and_then(|one| one.pipeline_execution_id());
    ownership::key(&format!("{tip} after {}", newest.unwrap_or_default()))
}

/// Starts an execution of the commit that the branch has when the execution reads it. With a fixed
/// commit, a push at the same moment could be deployed first, and the older commit last. Starts
/// with the same token start one execution.
pub async fn start(aws: &Aws, pipeline_name: &str, token: String) -> Result<(), CallError> {
    tracing::info!(pipeline = pipeline_name, "starting an execution");
    let call = aws
        .codepipeline
        .start_pipeline_execution()
        .name(pipeline_name)
        .client_request_token(token);
    let doing = || format!("starting pipeline {pipeline_name}");
    required(call.send().await, doing).map(drop)
}
