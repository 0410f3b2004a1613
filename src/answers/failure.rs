//! Why an execution failed, as others than the members of its project may read it.

use std::time::SystemTime;

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::{ActionState, PipelineExecutionSummary};

use super::shape::{self, Failure, Ran, ShownRejection};
use crate::clients::aws::{Aws, CallError};
use crate::common::commands::aws;
use crate::common::one_line::{one_line, shortened};
use crate::feedback::change_sets::Audience;
use crate::feedback::execution::{self, Action, Execution};
use crate::feedback::failures::build::FailedBuild;
use crate::feedback::failures::cause::{Cause, deployment_remedy, stack_obstacle};
use crate::feedback::failures::deployment::FailedDeployment;
use crate::feedback::failures::outputs;
use crate::gitops_pipeline::executions::{BUILD, commit_of};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use cfn_custom_resource::Command;

/// The most characters of a reason that a person wrote.
const MAX_REASON: usize = 400;

/// The cause while the values to hide are not known.
const UNKNOWN_STACK: &str =
    "the cause was not read, because the stack that the pipeline deploys is not known";

/// An execution that CodePipeline shows as failed.
#[derive(Clone, Copy, Debug)]
pub struct FailedExecution<'a> {
    pub names: &'a ResourceNames,
    /// `None` if they are not known.
    pub settings: Option<&'a PipelineSettings>,
    pub execution: &'a PipelineExecutionSummary,
    /// Those that were listed with it, the newest first.
    pub listed: &'a [PipelineExecutionSummary],
    /// The stages of the pipeline, if they were read.
    pub state: Option<&'a GetPipelineStateOutput>,
}

/// How an execution ended that CodePipeline shows as failed.
#[derive(Debug)]
pub enum FailedEnd {
    Failure(Failure),
    Rejection(ShownRejection),
}

impl FailedExecution<'_> {
    /// Reads how it ended.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn read(&self, aws: &Aws) -> Result<FailedEnd, CallError> {
        let commit = commit_of(self.execution).unwrap_or_default();
        let Some(mut read) = execution::with_commit(self.execution, self.listed, commit) else {
            return Ok(FailedEnd::Failure(
                self.unread("CodePipeline shows no ID of it"),
            ));
        };
        read.actions = execution::list_actions(aws, &self.names.pipeline(), &read.id).await?;
        let approval = read.failed_approval();
        if let Some(rejected) = approval.filter(|action| !action.by.is_empty()) {
            return Ok(FailedEnd::Rejection(self.rejection(rejected)));
        }
        let mut shown = self.failure();
        if let Some(action) = read.failed_action().or(approval) {
            shown.stage = self.stage_of(&action.name).map(str::to_owned);
            shown.action = Some(action.name.clone());
        }
        self.explain(aws, &read, &mut shown).await?;
        Ok(FailedEnd::Failure(shown))
    }

    /// The failure without its cause, and `why`.
    pub fn unread(&self, why: &str) -> Failure {
        Failure {
            cause: why.to_owned(),
            ..self.failure()
        }
    }

    fn failure(&self) -> Failure {
        Failure {
            ran: self.ran(),
            stack_name: self.settings.map(|it| it.deployed_stack.clone()),
            ..Failure::default()
        }
    }

    fn ran(&self) -> Ran {
        let ended = self.execution.last_update_time();
        Ran::of(
            self.execution,
            ended.and_then(|at| SystemTime::try_from(*at).ok()),
        )
    }

    fn rejection(&self, approval: &Action) -> ShownRejection {
        let reason = shortened(&one_line(&approval.summary), MAX_REASON);
        ShownRejection {
            ran: self.ran(),
            by: shape::text(&approval.by),
            reason: shape::text(&reason),
        }
    }

    /// Adds the cause, and the remedy.
    async fn explain(
        &self,
        aws: &Aws,
        read: &Execution,
        shown: &mut Failure,
    ) -> Result<(), CallError> {
        let names = self.names;
        let Some(settings) = self.settings else {
            UNKNOWN_STACK.clone_into(&mut shown.cause);
            return Ok(());
        };
        let cause = Cause::read(aws, settings, Audience::Others, read).await?;
        shown.cause = match &cause {
            Cause::Build(build) => build.clone().without_messages().text(),
            Cause::Deployment(Ok(found)) => {
                add_resources(shown, found);
                cause.first().unwrap_or_default()
            }
            Cause::Deployment(Err(why)) => {
                shown.not_listed = Some(why.because.to_owned());
                self.summary(aws, settings, read).await?
            }
            Cause::Summary => self.summary(aws, settings, read).await?,
        };
        let status = cause.stack_status(aws, &settings.deployed_stack, read).await;
        shown.stack_status = status.as_ref().map(|it| it.as_str().to_owned());
        let obstacle = status.and_then(|it| stack_obstacle(&it, &settings.deployed_stack));
        let is_of_build = read.failed_action().is_some_and(|it| it.name == BUILD);
        shown.remedy = match obstacle {
            None if is_of_build => Some(log_command(&cause, names).after("Read its log: ")),
            obstacle => obstacle.or_else(|| deployment_remedy(read, names)),
        };
        Ok(())
    }

    /// The shown part of CodePipeline's own reason.
    async fn summary(
        &self,
        aws: &Aws,
        settings: &PipelineSettings,
        read: &Execution,
    ) -> Result<String, CallError> {
        let shown = outputs::without_values(aws, settings, Audience::Others, read).await?;
        let action = shown.failed_action().or(shown.failed_approval());
        let summary = action.map(|action| one_line(&action.summary));
        let text = match summary.as_deref() {
            Some("") => "CodePipeline shows no reason",
            Some(summary) => summary,
            None => {
                "CodePipeline shows no action that failed: a condition of a stage may have, for example an alarm"
            }
        };
        Ok(text.to_owned())
    }

    /// The stage with the action `name`.
    fn stage_of(&self, name: &str) -> Option<&str> {
        let mut stages = self.state?.stage_states().iter();
        let has_it = |actions: &[_]| {
            let mut actions = actions.iter();
            actions.any(|it: &ActionState| it.action_name() == Some(name))
        };
        stages.find(|stage| has_it(stage.action_states()))?.stage_name()
    }
}

/// Shows the log of a failed build, and of no other one if it is known. It may be weeks old.
fn log_command(cause: &Cause, names: &ResourceNames) -> Command {
    let command = if let Cause::Build(FailedBuild { log: Some(log), .. }) = cause {
        aws(["logs", "tail", &log.group]).with(["--log-stream-names", &log.stream])
    } else {
        let group = format!("/aws/codebuild/{}", names.build_project());
        aws(["logs", "tail", &group])
    };
    command.with(["--since", "4w"])
}

fn add_resources(shown: &mut Failure, found: &FailedDeployment) {
    let resources = found.resources.iter().map(|one| shape::ShownFailure {
        path: one.path.clone(),
        r#type: one.resource_type.clone(),
        reason: one.details(),
    });
    shown.resources = Some(resources.collect());
    let unless_zero = |number: usize| Some(number).filter(|number| *number > 0);
    shown.more_resources = unless_zero(found.more);
    shown.cancelled = unless_zero(found.cancelled);
}
