//! A pipeline whose executions are reported, and its GitLab.

use crate::clients::gitlab::{GitLab, GitLabError};
use crate::clients::{Clients, gitlab};
use crate::feedback::approval;
use crate::feedback::approval::ApprovalError;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::ReportSettings;

/// An earlier function stored no number of the project, and the path may lead to another one since.
const NO_PROJECT: &str = "the pipeline has no GitLab in its properties, or its stack is outdated";

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
    pub fn of(pipeline: Option<PipelineSettings>) -> Result<Self, &'static str> {
        let mut pipeline = pipeline.ok_or("no stack of a pipeline has the name")?;
        let settings = pipeline.report.take();
        let settings = settings.ok_or(NO_PROJECT)?;
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

impl OpenedReport<'_> {
    /// Ends the request that waits in the pipeline as a person decides in GitLab. Returns the
    /// execution if it still waits, or why none does.
    pub async fn decide(&self) -> Result<Result<String, &'static str>, ApprovalError> {
        let ReportTarget { pipeline, settings } = self.target;
        approval::approve_from_gitlab(&self.clients.aws, &self.gitlab, pipeline, settings).await
    }
}
