//! A pipeline as AWS shows it.

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use crate::gitops_pipeline::executions::actions::DeployAttempt;
use crate::gitops_pipeline::executions::declared::DeclaredPipeline;
use crate::gitops_pipeline::holds::RuleState;
use crate::gitops_pipeline::names::{EventRule, ResourceNames};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;

/// `None` for each part that is not read.
pub struct ShownPipeline<'a> {
    pub names: &'a ResourceNames,
    pub settings: Option<PipelineSettings>,
    pub declared: Option<DeclaredPipeline>,
    pub state: Option<GetPipelineStateOutput>,
    /// The latest attempts of Deploy, the last one first.
    pub attempts: Option<Vec<DeployAttempt>>,
    /// Its executions, the latest first.
    pub listed: Option<Vec<PipelineExecutionSummary>>,
    pub rules: Vec<(EventRule, Option<RuleState>)>,
}

impl ShownPipeline<'_> {
    /// Whether its repository is in another account.
    pub fn has_other_repository(&self) -> bool {
        let code = self.declared.as_ref().and_then(DeclaredPipeline::code);
        code.is_some_and(|code| code.has_role)
    }

    /// Its repository in this account. `None` if it is another account's, or not read.
    pub fn own_repository(&self) -> Option<&str> {
        let code = self.declared.as_ref()?.code()?;
        let settings = self.settings.as_ref()?;
        (!code.has_role).then_some(&*settings.repository.name)
    }
}
