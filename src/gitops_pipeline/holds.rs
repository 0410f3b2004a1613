//! The freezes of a pipeline: event rules that a person has disabled, and disabled transitions into
//! stages, before which executions wait. A disabled rule holds what it starts, so the function does
//! not start that either. It never enables a rule or a transition.

use std::fmt;
use std::time::SystemTime;

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_eventbridge::types::RuleState as State;

use super::names::{EventRule, FROZEN_STAGES, ResourceNames};
use crate::clients::aws::{Aws, CallError, optional};
use crate::common::commands::{aws, cfn_gitops};
use crate::common::one_line::{one_line, shortened};
use cfn_custom_resource::{Command, Remedy};

/// The most characters of a reason that are shown. CodePipeline stores no longer one:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_DisableStageTransition.html>.
const MAX_REASON: usize = 300;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    Rule(EventRule, ResourceNames),
    Transition(DisabledTransition),
}

/// The state of an event rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleState {
    Enabled,
    /// A person froze what it starts.
    Disabled,
    /// It was deleted, which is not a freeze.
    Missing,
    /// A later version of EventBridge has this one. It may be a freeze.
    Unknown(String),
}

/// The state of an event rule that a stack declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredRule {
    pub rule: EventRule,
    pub state: RuleState,
}

/// A disabled transition into a stage of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisabledTransition {
    pipeline: String,
    pub stage: String,
    /// The text of the person who disabled it, in one line. Empty if there is none.
    pub reason: String,
    /// The ARN of that person. Empty if CodePipeline returns none.
    pub by: String,
    pub since: Option<SystemTime>,
    /// The execution that entered the stage last. `None` if none has.
    inside: Option<String>,
}

impl Hold {
    /// How to end it alone: `cfn-gitops thaw` enables every event rule of the project.
    pub fn remedy(&self) -> Remedy {
        match self {
            Hold::Rule(EventRule::Push, names) => thaw(names),
            Hold::Rule(rule, names) => aws(["events", "enable-rule", "--name", &rule.name(names)]),
            Hold::Transition(transition) => transition.end_command(),
        }
        .after("To end the freeze: ")
    }

    /// The disabled part.
    pub fn part(&self) -> String {
        match self {
            Hold::Rule(rule, names) => {
                format!("held by the disabled event rule {}", rule.name(names))
            }
            Hold::Transition(DisabledTransition { stage, .. }) => {
                format!("held by the disabled transition into stage {stage}")
            }
        }
    }
}

/// The command that ends the freezes of a project.
fn thaw(ResourceNames { env_id, project_id }: &ResourceNames) -> Command {
    cfn_gitops(["thaw", project_id, "--env", env_id])
}

impl fmt::Display for Hold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part();
        match self {
            Hold::Transition(DisabledTransition { reason, .. }) if !reason.is_empty() => {
                write!(formatter, "{part}: {reason}")
            }
            Hold::Rule(..) | Hold::Transition(_) => formatter.write_str(&part),
        }
    }
}

impl DisabledTransition {
    /// The command that enables it. `cfn-gitops thaw` leaves a transition into another stage.
    fn end_command(&self) -> Command {
        let DisabledTransition {
            pipeline, stage, ..
        } = self;
        let names = ResourceNames::from_pipeline_name(pipeline);
        let Some(names) = names.filter(|_| FROZEN_STAGES.contains(&stage.as_str())) else {
            return aws([
                "codepipeline",
                "enable-stage-transition",
                "--pipeline-name",
                pipeline,
                "--stage-name",
                stage,
                "--transition-type",
                "Inbound",
            ]);
        };
        thaw(&names)
    }

    /// Whether the pipeline's newest execution `id` still has to pass it.
    pub fn is_before(&self, id: &str) -> bool {
        self.inside.as_deref() != Some(id)
    }
}

/// Looks up the state of an event rule.
pub async fn rule_state(
    aws: &Aws,
    names: &ResourceNames,
    rule: EventRule,
) -> Result<RuleState, CallError> {
    state_of(aws, &rule.name(names)).await
}

/// Looks up the state of the event rule with this name.
pub async fn state_of(aws: &Aws, name: &str) -> Result<RuleState, CallError> {
    let call = aws.events.describe_rule().name(name);
    let absent = ["ResourceNotFoundException"];
    let doing = || format!("looking up event rule {name}");
    let Some(found) = optional(call.send().await, &absent, doing)? else {
        return Ok(RuleState::Missing);
    };
    Ok(match found.state() {
        Some(State::Enabled | State::EnabledWithAllCloudtrailManagementEvents) => {
            RuleState::Enabled
        }
        Some(State::Disabled) => RuleState::Disabled,
        other => RuleState::Unknown(other.map_or("", State::as_str).to_owned()),
    })
}

/// Whether a person has disabled an event rule, or may have: its state is unknown.
pub async fn is_held(aws: &Aws, names: &ResourceNames, rule: EventRule) -> Result<bool, CallError> {
    let state = rule_state(aws, names, rule).await?;
    Ok(matches!(state, RuleState::Disabled | RuleState::Unknown(_)))
}

/// The disabled transitions of a pipeline in this state.
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_TransitionState.html>
pub fn disabled_transitions(state: &GetPipelineStateOutput) -> Vec<DisabledTransition> {
    let stages = state.stage_states().iter();
    let disabled = stages.filter_map(|stage| {
        let transition = stage.inbound_transition_state()?;
        let reason = transition.disabled_reason().unwrap_or_default();
        let inside = stage.latest_execution();
        (!transition.enabled()).then(|| DisabledTransition {
            pipeline: state.pipeline_name().unwrap_or_default().to_owned(),
            stage: stage.stage_name().unwrap_or_default().to_owned(),
            reason: shortened(&one_line(reason), MAX_REASON),
            by: transition.last_changed_by().unwrap_or_default().to_owned(),
            since: transition.last_changed_at().and_then(|at| SystemTime::try_from(*at).ok()),
            inside: inside.map(|execution| execution.pipeline_execution_id().to_owned()),
        })
    });
    disabled.collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_codepipeline::types::TransitionState;
    use aws_sdk_codepipeline::types::{StageExecution, StageExecutionStatus, StageState};

    use super::*;

    fn stage(name: &str, transition: Option<TransitionState>) -> StageState {
        let inside = StageExecution::builder()
            .pipeline_execution_id("e1")
            .status(StageExecutionStatus::InProgress);
        StageState::builder()
            .stage_name(name)
            .set_inbound_transition_state(transition)
            .latest_execution(inside.build().expect("an execution"))
            .build()
    }

    fn transition(enabled: bool, reason: &str) -> TransitionState {
        let state = TransitionState::builder().enabled(enabled);
        state.disabled_reason(reason).build()
    }

    #[test]
    fn longest_reason_of_a_transition_is_whole() {
        let reason = "x".repeat(300);
        let state = GetPipelineStateOutput::builder()
            .stage_states(stage("Deploy", Some(transition(false, &reason))))
            .build();
        assert_eq!(disabled_transitions(&state)[0].reason, reason);
    }

    #[test]
    fn only_disabled_transitions_hold_what_has_not_passed_them() {
        let state = GetPipelineStateOutput::builder()
            .pipeline_name("codepipeline-dev-cfn-shop")
            .stage_states(stage("Source", None))
            .stage_states(stage("Build", Some(transition(true, ""))))
            .stage_states(stage(
                "Deploy",
                Some(transition(false, "freeze\n/approve  now\u{202e}")),
            ))
            .build();
        let [disabled] = &disabled_transitions(&state)[..] else {
            panic!("not one: {state:?}");
        };
        assert!(disabled.is_before("e2") && !disabled.is_before("e1"));
        let hold = Hold::Transition(disabled.clone());
        let text = "held by the disabled transition into stage Deploy: freeze /approve now";
        assert_eq!(hold.to_string(), text);
        let thaw = "To end the freeze: cfn-gitops thaw shop --env dev";
        assert_eq!(hold.remedy().to_string(), thaw);
        let image = Hold::Rule(
            EventRule::Image,
            ResourceNames::new("dev", "shop").expect("names"),
        );
        let enable = "To end the freeze: aws events enable-rule --name event-rule-dev-codepipeline-exec-ecr-shop";
        assert_eq!(image.remedy().to_string(), enable);
        let into_build = DisabledTransition {
            stage: "Build".to_owned(),
            ..disabled.clone()
        };
        assert_eq!(
            Hold::Transition(into_build).remedy().to_string(),
            "To end the freeze: aws codepipeline enable-stage-transition --pipeline-name \
             codepipeline-dev-cfn-shop --stage-name Build --transition-type Inbound"
        );
    }
}
