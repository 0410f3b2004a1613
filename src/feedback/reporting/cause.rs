//! Why an execution failed, for its status and its note.

use crate::clients::aws::{Aws, CallError};
use crate::clients::cloudformation::StackStatus;
use crate::common::stop::Stop;
use crate::feedback::change_sets::{Audience, code};
use crate::feedback::failures::build::FailedBuild;
use crate::feedback::failures::deployment::{FailedAction, FailedDeployment, Unlisted};
use crate::feedback::failures::{build, deployment, values};
use crate::feedback::reporting::execution::Execution;
use crate::gitops_pipeline::executions::{BUILD, CREATE_CHANGE_SET, DEPLOY};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::ReportSettings;

/// Why an execution failed, without what `audience` may not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// It has not failed, or CodePipeline's summary is all there is.
    #[default]
    Summary,
    Build(FailedBuild),
    Deployment(FailedDeployment),
    /// Why the failed resources of the deployment are not listed.
    Unlisted(Unlisted),
}

impl Cause {
    /// Reads why `execution` failed.
    ///
    /// # Errors
    /// If the call may succeed later.
    pub async fn read(
        aws: &Aws,
        settings: &ReportSettings,
        names: &ResourceNames,
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
                let values = values::of_operation(aws, settings, action, is_newest).await?;
                Ok(Cause::Build(build.shown(values, names)))
            }
            CREATE_CHANGE_SET | DEPLOY => {
                let of = FailedAction {
                    names,
                    settings,
                    execution_id: &execution.id,
                    is_newest: execution.is_newest,
                    action,
                    audience,
                };
                match deployment::read(aws, &of).await {
                    Ok(read) => Ok(Cause::Deployment(read)),
                    Err(Stop::Nothing(why)) => Ok(Cause::Unlisted(why)),
                    Err(Stop::Failed(error)) => Err(error),
                }
            }
            _ => Ok(Cause::Summary),
        }
    }

    /// Whether a later look may find more.
    pub fn is_late(&self) -> bool {
        matches!(self, Cause::Unlisted(why) if why.is_late)
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
            Cause::Deployment(read) => {
                let first = read.resources.first()?;
                Some(format!(
                    "{} ({}): {}",
                    first.path, first.resource_type, first.reason
                ))
            }
            Cause::Summary | Cause::Unlisted(_) => None,
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
            Cause::Deployment(read) => deployment::render(read, url),
            Cause::Unlisted(why) => {
                let because = why.because;
                format!("{said}\nThe failed resources are not listed, because {because}.\n")
            }
        }
    }

    /// The sentence about a stack that CloudFormation cannot update, with the command of an
    /// administrator. `None` if it can update it, or if the status is not known.
    pub fn obstacle(&self, summary: &str, stack_name: &str) -> Option<String> {
        let status = match self {
            Cause::Deployment(read) if read.status.is_some() => read.status.clone()?,
            _ => StackStatus::parse(stack_status(summary)),
        };
        let command = |name| {
            code(&format!(
                "aws cloudformation {name} --stack-name {stack_name}"
            ))
        };
        match status {
            status if status.was_never_complete() => {
                let delete = command("delete-stack");
                Some(format!(
                    "\nBefore the next deployment, an administrator has to delete the stack: {delete}.\n"
                ))
            }
            StackStatus::UpdateRollbackFailed => {
                let repair = command("continue-update-rollback");
                Some(format!(
                    "\nAn administrator has to repair the stack first, also before a revert or an undo: {repair}.\n"
                ))
            }
            _ => None,
        }
    }
}

/// The status of the stack in a summary of CodePipeline.
fn stack_status(summary: &str) -> Option<&str> {
    let frames = ["Current stack status: ", " is in the state ", " is in "];
    frames.iter().find_map(|frame| {
        let (_, rest) = summary.split_once(frame)?;
        let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
        let status = rest.get(..rest.find(|c| !is_part(c)).unwrap_or(rest.len()))?;
        (!status.is_empty()).then_some(status)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_that_cannot_be_updated_is_an_obstacle() {
        let read = |status: &str| {
            Cause::Deployment(FailedDeployment {
                status: (!status.is_empty()).then(|| StackStatus::parse(Some(status))),
                ..FailedDeployment::default()
            })
        };
        let summary = Cause::Summary;
        let delete = "delete the stack: `aws cloudformation delete-stack --stack-name s`";
        let repair = "first, also before a revert or an undo: `aws cloudformation continue-update-rollback --stack-name s`";
        for (cause, text, expected) in [
            (read("ROLLBACK_COMPLETE"), "", Some(delete)),
            (read("CREATE_FAILED"), "", Some(delete)),
            (read("ROLLBACK_FAILED"), "", Some(delete)),
            (read("UPDATE_ROLLBACK_FAILED"), "", Some(repair)),
            (read("UPDATE_ROLLBACK_COMPLETE"), "", None),
            (
                summary.clone(),
                "Stack:… is in ROLLBACK_COMPLETE state and can not be updated",
                Some(delete),
            ),
            (
                summary.clone(),
                "Stack … is in the state UPDATE_ROLLBACK_FAILED: x",
                Some(repair),
            ),
            (
                read(""),
                "Failed to execute change set. Current stack status: ROLLBACK_FAILED. Reason: x",
                Some(delete),
            ),
            (
                summary.clone(),
                "Queue (AWS::SQS::Queue) CREATE_FAILED: it is in use",
                None,
            ),
            (summary, "", None),
        ] {
            let obstacle = cause.obstacle(text, "s");
            let is_expected = obstacle.as_ref().zip(expected).map(|(it, end)| it.contains(end));
            assert_eq!(
                (obstacle.is_some(), is_expected),
                (expected.is_some(), expected.map(|_| true)),
                "{text}"
            );
        }
    }
}
