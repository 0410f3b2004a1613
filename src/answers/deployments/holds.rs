//! The obstacles of an execution of a pipeline: an approval that waits, a disabled transition,
//! another execution, and perhaps the window of a stage, which CodePipeline evaluates.
//!
//! A stage has one execution at a time. In mode SUPERSEDED, a newer execution replaces only those
//! that wait between two stages.
//! <https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html>

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use super::shown::ShownPipeline;
use crate::answers::shape::ShownHold;
use crate::common::commands::{aws, cfn_gitops};
use crate::gitops_pipeline::executions::declared::{DeclaredPipeline, PipelineMode, StageWindow};
use crate::gitops_pipeline::executions::{ExecutionStatus, commit_of, find, status_of};
use crate::gitops_pipeline::health::{WaitingApproval, waiting_approvals};
use crate::gitops_pipeline::holds::{DisabledTransition, Hold, RuleState, disabled_transitions};
use crate::gitops_pipeline::names::{EventRule, ResourceNames};
use cfn_custom_resource::Remedy;

/// A new execution, which has no ID yet.
const NEW: &str = "<its ID>";

/// The obstacles of a new execution.
pub fn of_new_execution(shown: &ShownPipeline<'_>) -> Vec<ShownHold> {
    let pipeline = &shown.names.pipeline();
    let listed = shown.listed.as_deref().unwrap_or_default();
    let state = shown.state.as_ref();
    let waiting = state.map(waiting_approvals).unwrap_or_default();
    let unfinished = listed.iter().filter(|one| {
        let id = one.pipeline_execution_id();
        let is_waiting = waiting.iter().any(|approval| id == Some(approval.execution_id()));
        !is_waiting && !status_of(one).is_end()
    });
    let mode = shown.declared.as_ref().map(|it| &it.mode);
    let mut holds: Vec<ShownHold> = unfinished.map(|one| before_it(pipeline, one, mode)).collect();
    // An approval waits for up to seven days, while a hundred executions may have begun.
    holds.extend(waiting.iter().map(|approval| {
        let id = approval.execution_id();
        let commit = short(find(listed, id).and_then(commit_of));
        let problem = format!(
            "execution {id} (commit {commit}) waits for an approval, and this one would wait behind it"
        );
        of_approval(shown.names, approval, &problem)
    }));
    let transitions = state.map(disabled_transitions).unwrap_or_default();
    holds.extend(transitions.iter().map(of_transition));
    let windows = shown.declared.iter().flat_map(|it| &it.windows);
    holds.extend(windows.map(|window| {
        let when = "To override the window, once the execution waits there: ";
        of_window(window, Some(overriding(pipeline, window, NEW, when)))
    }));
    holds.extend(shown.rules.iter().filter_map(|(rule, state)| match state {
        Some(RuleState::Disabled) => Some(of_rule(*rule, shown.names)),
        Some(RuleState::Enabled | RuleState::Missing | RuleState::Unknown(_)) | None => None,
    }));
    holds
}

/// An execution, and the stage that it waits to enter, or is in, as with a closed window.
pub struct Place<'a> {
    pub execution_id: &'a str,
    pub stage: String,
    pub has_entered: bool,
}

/// The obstacles at this place. `declared` is the pipeline, if it is read.
pub fn at(
    place: &Place<'_>,
    names: &ResourceNames,
    state: &GetPipelineStateOutput,
    declared: Option<&DeclaredPipeline>,
) -> Vec<ShownHold> {
    let Place {
        execution_id,
        stage,
        has_entered,
    } = place;
    let transitions = disabled_transitions(state);
    let transitions = transitions.iter().filter(|it| !has_entered && it.stage == *stage);
    let mut holds: Vec<ShownHold> = transitions.map(of_transition).collect();
    let waiting = waiting_approvals(state);
    let others = waiting
        .iter()
        .filter(|it| it.stage_name() == stage && it.execution_id() != *execution_id);
    holds.extend(others.map(|approval| {
        let id = approval.execution_id();
        let problem = format!("execution {id} waits for an approval there");
        of_approval(names, approval, &problem)
    }));
    let windows = declared.into_iter().flat_map(|it| &it.windows);
    holds.extend(
        windows.filter(|window| window.stage == *stage).map(|window| {
            let when = "To override the window for this execution: ";
            let remedy = overriding(&names.pipeline(), window, execution_id, when);
            of_window(window, has_entered.then_some(remedy))
        }),
    );
    holds
}

/// An execution that has not ended.
fn before_it(
    pipeline: &str,
    execution: &PipelineExecutionSummary,
    mode: Option<&PipelineMode>,
) -> ShownHold {
    let id = execution.pipeline_execution_id().unwrap_or_default();
    let subject = format!("execution {id} (commit {})", short(commit_of(execution)));
    let status = status_of(execution);
    let problem = if let ExecutionStatus::Unknown(status) = &status {
        format!("{subject} has the status {status}, which this version of cfn-gitops does not know")
    } else {
        let replaces = match mode {
            Some(PipelineMode::Superseded) => {
                "replaces it if it still waits before a stage, and otherwise "
            }
            Some(PipelineMode::Queued | PipelineMode::Other(_)) | None => "",
        };
        format!("{subject} is in progress. This one {replaces}follows it")
    };
    let is_known = !matches!(status, ExecutionStatus::Unknown(_));
    let mut hold = ShownHold {
        holds: is_known.then_some(true),
        problem,
        execution_id: Some(id.to_owned()),
        ..ShownHold::default()
    };
    // Without --abandon, its actions in progress end first, such as the change of a stack.
    // CodePipeline stops it so only once.
    // https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-stop.html
    if status == ExecutionStatus::InProgress {
        let remedy = aws([
            "codepipeline",
            "stop-pipeline-execution",
            "--pipeline-name",
            pipeline,
            "--pipeline-execution-id",
            id,
            "--reason",
            "undo",
        ])
        .after("To stop it after its actions in progress: ");
        hold.remedy = Some(remedy);
    }
    hold
}

fn of_approval(names: &ResourceNames, waiting: &WaitingApproval, problem: &str) -> ShownHold {
    let ResourceNames { env_id, project_id } = names;
    let remedy = cfn_gitops(["reject", project_id, "--env", env_id]).after("Reject it first: ");
    ShownHold {
        holds: Some(true),
        problem: problem.to_owned(),
        remedy: Some(remedy),
        stage: Some(waiting.stage_name().to_owned()),
        execution_id: Some(waiting.execution_id().to_owned()),
    }
}

fn of_transition(transition: &DisabledTransition) -> ShownHold {
    let DisabledTransition {
        stage, reason, by, ..
    } = transition;
    let by = if by.is_empty() {
        String::new()
    } else {
        format!(", by {by}")
    };
    let reason = if reason.is_empty() {
        String::new()
    } else {
        format!(" ({reason})")
    };
    let problem = format!("held by the disabled transition into stage {stage}{by}{reason}");
    ShownHold {
        holds: Some(true),
        problem,
        remedy: Some(Hold::Transition(transition.clone()).remedy()),
        stage: Some(stage.clone()),
        execution_id: None,
    }
}

/// CodePipeline evaluates it.
fn of_window(window: &StageWindow, remedy: Option<Remedy>) -> ShownHold {
    let StageWindow {
        stage,
        cron,
        time_zone,
    } = window;
    let problem = format!(
        "stage {stage} has the window {cron} in {time_zone}: outside of it the execution waits"
    );
    ShownHold {
        holds: None,
        problem,
        remedy,
        stage: Some(stage.clone()),
        execution_id: None,
    }
}

/// The command with which a closed window is passed. CodePipeline needs an execution that has
/// reached the stage.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html>
fn overriding(
    pipeline: &str,
    window: &StageWindow,
    execution_id: &str,
    when: &'static str,
) -> Remedy {
    aws([
        "codepipeline",
        "override-stage-condition",
        "--pipeline-name",
        pipeline,
        "--stage-name",
        &window.stage,
        "--condition-type",
        "BEFORE_ENTRY",
        "--pipeline-execution-id",
        execution_id,
    ])
    .after(when)
}

/// A disabled rule does not hold what a person starts.
fn of_rule(rule: EventRule, names: &ResourceNames) -> ShownHold {
    let effect = match rule {
        EventRule::Push => "a push starts nothing",
        EventRule::Image => "a push of the image starts nothing",
        EventRule::Review => "a push to a review branch starts no build",
    };
    let name = rule.name(names);
    let problem = format!("event rule {name} is disabled, so {effect}. It does not hold this one");
    ShownHold {
        holds: Some(false),
        problem,
        remedy: Some(Hold::Rule(rule, names.clone()).remedy()),
        ..ShownHold::default()
    }
}

/// The first eight characters of a commit.
fn short(commit: Option<&str>) -> &str {
    commit.map_or("not known", |commit| commit.get(..8).unwrap_or(commit))
}
