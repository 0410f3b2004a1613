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
    Deployment {
        /// The failed resources, or why they are not listed.
        listed: Result<FailedDeployment, Unlisted>,
        /// The status of the stack. `None` if it does not exist or cannot be read.
        status: Option<StackStatus>,
    },
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
                let listed = match deployment::read(aws, &of).await {
                    Ok(read) => Ok(read),
                    Err(Stop::Nothing(why)) => Err(why),
                    Err(Stop::Failed(error)) => return Err(error),
                };
                let status = match &listed {
                    Ok(read) if read.status.is_some() => read.status.clone(),
                    _ => deployment::stack_status(aws, &settings.stack_name).await,
                };
                Ok(Cause::Deployment { listed, status })
            }
            _ => Ok(Cause::Summary),
        }
    }

    /// Whether a later look may find more.
    pub fn is_late(&self) -> bool {
        matches!(self, Cause::Deployment { listed: Err(why), .. } if why.is_late)
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
            Cause::Deployment { listed, .. } => {
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
            Cause::Deployment {
                listed: Ok(read), ..
            } => deployment::render(read, url),
            Cause::Deployment {
                listed: Err(why), ..
            } => {
                let because = why.because;
                format!("{said}\nThe failed resources are not listed, because {because}.\n")
            }
        }
    }

    /// The sentence about a stack that CloudFormation cannot update, with the command of an
    /// administrator. `None` if it can update it, or if the status is not known.
    pub fn obstacle(&self, stack_name: &str) -> Option<String> {
        let Cause::Deployment {
            status: Some(status),
            ..
        } = self
        else {
            return None;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_that_cannot_be_updated_is_an_obstacle() {
        let delete = "delete the stack: `aws cloudformation delete-stack --stack-name s`";
        let repair = "first, also before a revert or an undo: `aws cloudformation continue-update-rollback --stack-name s`";
        for (status, expected) in [
            (Some("ROLLBACK_COMPLETE"), delete),
            (Some("CREATE_FAILED"), delete),
            (Some("ROLLBACK_FAILED"), delete),
            (Some("UPDATE_ROLLBACK_FAILED"), repair),
            (Some("UPDATE_ROLLBACK_COMPLETE"), ""),
            (Some("REVIEW_IN_PROGRESS"), ""),
            (None, ""),
        ] {
            let cause = Cause::Deployment {
                listed: Ok(FailedDeployment::default()),
                status: status.map(|status| StackStatus::parse(Some(status))),
            };
            let obstacle = cause.obstacle("s").unwrap_or_default();
            assert_eq!(obstacle.is_empty(), expected.is_empty(), "{status:?}");
            assert!(obstacle.contains(expected), "{status:?}: {obstacle}");
        }
        assert_eq!(Cause::Summary.obstacle("s"), None);
    }
}
