//! The subject of a report, and its inputs.

use crate::clients::aws::Aws;
use crate::clients::gitlab::{CommitRef, GitLab};
use crate::feedback::reporting::plan::Scope;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::ReportSettings;
use crate::gitops_pipeline::settings::approval_tags::ApprovalTag;
use cfn_custom_resource::Clock;

/// The subject of a report.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The parts.
    pub scope: Scope,
    /// The tag that was pushed.
    pub tag: Option<&'a ApprovalTag>,
}

impl From<Scope> for About<'_> {
    fn from(scope: Scope) -> Self {
        About { scope, tag: None }
    }
}

/// The inputs of a report, which do not change.
pub struct Context<'a> {
    pub aws: &'a Aws,
    pub pipeline: &'a PipelineSettings,
    /// The parts of the report, and its place in GitLab.
    pub settings: &'a ReportSettings,
    pub gitlab: &'a GitLab,
    pub about: About<'a>,
    pub clock: &'a Clock,
    pub commit: CommitRef,
}
