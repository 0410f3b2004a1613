//! Why an execution failed, for its status and its note.

use crate::clients::aws::{Aws, CallError};
use crate::clients::cloudformation::StackStatus;
use crate::common::commands::cfn_gitops;
use crate::common::stop::Stop;
use crate::feedback::change_sets::{Audience, code, is_gone, lacks_file};
use crate::feedback::execution::{ActionState, Execution, ExecutionState};
use crate::feedback::failures::build::FailedBuild;
use crate::feedback::failures::deployment::{FailedAction, FailedDeployment, Unlisted};
use crate::feedback::failures::{build, deployment, values};
use crate::gitops_pipeline::executions::{BUILD, CREATE_CHANGE_SET, DEPLOY};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use cfn_custom_resource::Remedy;

/// Why an execution failed, without what `audience` may not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// It has not failed, or CodePipeline's summary is all there is.
    #[default]
    Summary,
    Build(FailedBuild),
    /// The failed resources, or why they are not listed.
    Deployment(Result<FailedDeployment, Unlisted>),
}

impl Cause {
    /// Reads why `execution` failed.
    ///
    /// # Errors
    /// If the call may succeed later.
    pub async fn read(
        aws: &Aws,
        pipeline: &PipelineSettings,
        audience: Audience<'_>,
        execution: &Execution,
    ) -> Result<Self, CallError> {
        let Some(action) = execution.failed_action() else {
            return Ok(Cause::Summary);
        };
        match &*action.name {
            BUILD if !action.external_id.is_empty() => {
                let read = match build::read(aws, &action.external_id).await {
                    Err(error) if !error.is_transient() => {
                        warn!(error.reason(), "a failed build is not read");
                        None
                    }
                    read => read?,
                };
                let Some(build) = read else {
                    return Ok(Cause::Summary);
                };
                let is_newest = execution.is_newest;
                let values = values::of_operation(aws, pipeline, action, is_newest).await?;
                Ok(Cause::Build(build.shown(values, &pipeline.names)))
            }
            // Nothing has reached CloudFormation.
            CREATE_CHANGE_SET | DEPLOY if lacks_file(&action.summary) => Ok(Cause::Summary),
            CREATE_CHANGE_SET | DEPLOY => {
                let of = FailedAction {
                    pipeline,
                    execution_id: &execution.id,
                    is_newest: execution.is_newest,
                    action,
                    audience,
                };
                match deployment::read(aws, &of).await {
                    Ok(read) => Ok(Cause::Deployment(Ok(read))),
                    Err(Stop::Nothing(why)) => Ok(Cause::Deployment(Err(why))),
                    Err(Stop::Failed(error)) => Err(error),
                }
            }
            _ => Ok(Cause::Summary),
        }
    }

    /// Whether a later look may find more.
    pub fn is_late(&self) -> bool {
        matches!(self, Cause::Deployment(Err(why)) if why.is_late)
    }

    /// The first cause on one line. `None` if CodePipeline's summary is all there is.
    pub fn first(&self) -> Option<String> {
        match self {
            Cause::Build(build) => {
                let text = build.text();
                // `Build failed: ` precedes it.
                let phase = text.strip_prefix("The build failed in ");
                Some(phase.unwrap_or(&text).to_owned())
            }
            Cause::Deployment(listed) => {
                let first = listed.as_ref().ok()?.resources.first()?;
                Some(format!(
                    "{} ({}): {}",
                    first.path, first.resource_type, first.reason
                ))
            }
            Cause::Summary => None,
        }
    }

    /// The text of the note. `summary` is the shown part of CodePipeline's, and `url` the execution
    /// in the console.
    pub fn text(&self, summary: &str, url: &str) -> String {
        let said = if summary.is_empty() {
            String::new()
        } else {
            format!("CodePipeline reports: {}\n", code(summary))
        };
        match self {
            Cause::Summary => said,
            Cause::Build(build) => build.markdown(),
            Cause::Deployment(Ok(read)) => deployment::render(read, url),
            Cause::Deployment(Err(why)) => {
                let because = why.because;
                format!("{said}\nThe failed resources are not listed, because {because}.\n")
            }
        }
    }

    /// The status of the stack after its failed deployment. `None` if no deployment failed, or if
    /// the stack does not exist or cannot be read.
    pub async fn stack_status(
        &self,
        aws: &Aws,
        stack_name: &str,
        execution: &Execution,
    ) -> Option<StackStatus> {
        match self {
            Cause::Deployment(Ok(read)) if read.status.is_some() => read.status.clone(),
            // The cause may not have been read.
            _ => match &*execution.failed_action()?.name {
                CREATE_CHANGE_SET | DEPLOY => deployment::stack_status(aws, stack_name).await,
                _ => None,
            },
        }
    }
}

/// The sentence about a stack that CloudFormation cannot update, with the command of an
/// administrator. `None` if it can update it.
pub fn stack_obstacle(status: &StackStatus, stack_name: &str) -> Option<Remedy> {
    // A change set that was not executed does not block the next deployment.
    let command = status.command(stack_name).filter(|_| status.is_settled())?;
    let what = if status.is_only_deletable() {
        "Before the next deployment, an administrator has to delete the stack: "
    } else {
        "An administrator has to repair the stack first, also before a revert or an undo: "
    };
    Some(command.after(what))
}

/// The remedy after the deployment of an execution that failed, of a stack that CloudFormation can
/// update. A deployment that failed has left the former release. If an alarm failed, the new one is
/// deployed. Its change set may have been executed before.
///
/// `None` if there was no deployment, or no former release.
pub fn deployment_remedy(execution: &Execution, names: &ResourceNames) -> Option<Remedy> {
    let deployment = execution.action(DEPLOY)?;
    if deployment.state == ActionState::Failed && !is_gone(&deployment.summary) {
        return Some("Correct the cause, then merge or start an execution. Without a correction, revert the merge request".into());
    }
    let has_changed = execution.has_former_release && execution.state != ExecutionState::RolledBack;
    has_changed.then(|| way_back("If the former release has to be deployed again", names))
}

/// How to deploy the former release again, after the condition of the sentence.
pub fn way_back(condition: &str, names: &ResourceNames) -> Remedy {
    let undo = cfn_gitops(["undo", &names.project_id, "--env", &names.env_id]);
    let before = format!("{condition}, revert the merge request, or run ");
    undo.after(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_that_cannot_be_updated_is_an_obstacle() {
        let delete = "delete the stack: aws cloudformation delete-stack --stack-name s";
        let repair = "first, also before a revert or an undo: aws cloudformation continue-update-rollback --stack-name s";
        for (status, expected) in [
            ("ROLLBACK_COMPLETE", delete),
            ("CREATE_FAILED", delete),
            ("ROLLBACK_FAILED", delete),
            ("DELETE_FAILED", delete),
            ("UPDATE_ROLLBACK_FAILED", repair),
            (
                "UPDATE_FAILED",
                "also before a revert or an undo: aws cloudformation rollback-stack --stack-name s",
            ),
            ("UPDATE_ROLLBACK_COMPLETE", ""),
            ("REVIEW_IN_PROGRESS", ""),
        ] {
            let obstacle = stack_obstacle(&StackStatus::parse(Some(status)), "s");
            let obstacle = obstacle.unwrap_or_default().to_string();
            assert_eq!(obstacle.is_empty(), expected.is_empty(), "{status}");
            assert!(obstacle.contains(expected), "{status}: {obstacle}");
        }
    }
}
