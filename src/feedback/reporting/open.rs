//! A pipeline whose executions are reported, and its GitLab.

use crate::clients::gitlab::{GitLab, GitLabError};
use crate::clients::{Clients, gitlab};
use crate::common::stop::Stop;
use crate::feedback::reporting::outcome::ReportError;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::ReportSettings;

const NO_PROJECT: &str =
    "the pipeline has no GitLab in its properties, or GitLab has not shown its project yet";

pub struct ReportTarget {
    pub pipeline: PipelineSettings,
    /// The parts of the report, and its place in GitLab.
    pub settings: ReportSettings,
}

/// The same, with the client of its GitLab. All reports of an event share it.
pub struct OpenedReport<'a> {
    pub clients: &'a Clients,
    pub target: &'a ReportTarget,
    pub gitlab: GitLab,
}

impl ReportTarget {
    /// The `pipeline` that was read, if it is reported.
    ///
    /// # Errors
    /// Why it is not.
    pub fn of(pipeline: Option<PipelineSettings>) -> Result<Self, Stop<ReportError>> {
        let absent = Stop::nothing("no stack of a pipeline has the name");
        let mut pipeline = pipeline.ok_or(absent)?;
        let settings = pipeline.stored.report.take().ok_or(Stop::nothing(NO_PROJECT))?;
        Ok(ReportTarget { pipeline, settings })
    }

    pub async fn open<'a>(&'a self, clients: &'a Clients) -> Result<OpenedReport<'a>, GitLabError> {
        let access = &self.settings.access;
        Ok(OpenedReport {
            clients,
            target: self,
            gitlab: gitlab::open(&clients.aws, &clients.http, access).await?,
        })
    }
}
