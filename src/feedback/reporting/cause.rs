//! Why an execution failed, for its status and its note.

use crate::clients::aws::{Aws, CallError};
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
                        let error = error.reason();
                        tracing::warn!(error = error.as_error(), "a failed build is not read");
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
                let read = deployment::read(aws, &of).await?;
                Ok(read.map_or_else(Cause::Unlisted, Cause::Deployment))
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
            Cause::Build(build) => Some(build.text()),
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
            Cause::Build(build) => format!("The build failed in {}.\n", build.markdown()),
            Cause::Deployment(read) => deployment::render(read, url),
            Cause::Unlisted(why) => {
                let because = why.because;
                format!("{said}\nThe failed resources are not listed, because {because}.\n")
            }
        }
    }
}
