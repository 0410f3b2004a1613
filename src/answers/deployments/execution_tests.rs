use aws_sdk_codepipeline::types::TransitionState;
use expect_test::expect;

use super::*;
use crate::gitops_pipeline::executions::declared::{DeclaredPipeline, PipelineMode, StageWindow};

fn execution(id: &str, status: StageExecutionStatus) -> StageExecution {
    let execution = StageExecution::builder().pipeline_execution_id(id).status(status);
    execution.build().expect("an execution")
}

/// Its stage Deploy has a disabled transition, and one of these executions in it or in front of it.
fn state(inside: StageExecution, in_front: &[&str]) -> GetPipelineStateOutput {
    let transition = TransitionState::builder().enabled(false);
    let transition = transition.disabled_reason("freeze").last_changed_by("jane").build();
    let in_front = in_front.iter().map(|id| execution(id, StageExecutionStatus::InProgress));
    let stage = StageState::builder()
        .stage_name("Deploy")
        .latest_execution(inside)
        .set_inbound_executions(Some(in_front.collect()))
        .inbound_transition_state(transition);
    let source = StageState::builder().stage_name("Source").build();
    let pipeline = GetPipelineStateOutput::builder().pipeline_name("codepipeline-dev-cfn-shop");
    pipeline.stage_states(source).stage_states(stage.build()).build()
}

/// Its stage Deploy has a window.
fn declared() -> DeclaredPipeline {
    DeclaredPipeline {
        mode: PipelineMode::Queued,
        sources: vec![],
        has_approval: false,
        windows: vec![StageWindow {
            stage: "Deploy".to_owned(),
            cron: "0 0 9-17 ? * MON-FRI *".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
        }],
    }
}

/// The obstacles of the execution `e2`.
fn held(state: &GetPipelineStateOutput) -> String {
    let Some(place) = place("e2", state) else {
        return "nothing".to_owned();
    };
    let names = ResourceNames::new("dev", "shop").expect("names");
    let holds = holds::at(&place, &names, state, Some(&declared()));
    let lines = holds.iter().map(|hold| {
        let holds = hold.holds.map_or("null".to_owned(), |holds| holds.to_string());
        let remedy = hold.remedy.clone().unwrap_or("-".into());
        format!("{holds} {}. {remedy}", hold.problem)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn stage_holds_what_waits_in_front_of_it_or_in_it() {
    let other = || execution("e1", StageExecutionStatus::InProgress);
    expect![[r#"
        true held by the disabled transition into stage Deploy, by jane (freeze). To end the freeze: cfn-gitops thaw shop --env dev
        null stage Deploy has the window 0 0 9-17 ? * MON-FRI * in Europe/Berlin: outside of it the execution waits. -"#]].assert_eq(&held(&state(other(), &["e2"])));
    let entered = execution("e2", StageExecutionStatus::InProgress);
    expect!["null stage Deploy has the window 0 0 9-17 ? * MON-FRI * in Europe/Berlin: outside of it the execution waits. To override the window for this execution: aws codepipeline override-stage-condition --pipeline-name codepipeline-dev-cfn-shop --stage-name Deploy --condition-type BEFORE_ENTRY --pipeline-execution-id e2"].assert_eq(&held(&state(entered, &[])));
    let stopping = state(execution("e2", StageExecutionStatus::Stopping), &[]);
    assert!(place("e2", &stopping).is_some_and(|place| place.has_entered));
    assert_eq!(held(&state(other(), &["e3"])), "nothing");
    let left = execution("e2", StageExecutionStatus::Succeeded);
    assert_eq!(held(&state(left, &[])), "nothing");
}
