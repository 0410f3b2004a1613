//! The effect of a freeze: it holds executions before a stage, and what the event rules start.

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::{PipelineExecutionSummary, StageState};

use super::pipeline::Shown;
use super::row::Row;
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY, status_of};
use crate::gitops_pipeline::health::waiting_approvals;
use crate::health_check::answers::deployments::place;
use crate::health_check::answers::shape::{Freeze, Ran, Running};

impl Row {
    /// Adds what a freeze holds, if the event rules were read. `state` is `None` without a
    /// pipeline, and `listed` if its executions were not read.
    pub fn add_freeze(
        &mut self,
        state: Option<&GetPipelineStateOutput>,
        listed: Option<&[PipelineExecutionSummary]>,
    ) {
        let Some(rules) = self.rules.clone() else {
            return;
        };
        let stages = state.map(GetPipelineStateOutput::stage_states);
        self.shown.freeze = Some(Freeze {
            stage: stages.map(stage),
            has_approval: stages.map(has_approval),
            rules,
            executions: listed.map(|listed| {
                let shown = state.map(|state| Shown { state, listed });
                shown.map(executions).unwrap_or_default()
            }),
        });
    }
}

/// The stage before which no execution has changed the stack. With a change set, the approval is in
/// the stage Deploy.
fn stage(stages: &[StageState]) -> &'static str {
    let has_approval = stages.iter().any(|stage| stage.stage_name() == Some(APPROVAL));
    if has_approval { APPROVAL } else { DEPLOY }
}

fn has_approval(stages: &[StageState]) -> bool {
    let mut actions = stages.iter().flat_map(StageState::action_states);
    actions.any(|action| action.action_name() == Some(APPROVAL))
}

/// The executions in progress, except those whose approval waits.
fn executions(shown: Shown<'_>) -> Vec<Running> {
    let waiting = waiting_approvals(shown.state);
    let open = shown.listed.iter().filter(|one| !status_of(one).is_end());
    let running = open.filter_map(|one| {
        let id = one.pipeline_execution_id()?;
        if waiting.iter().any(|approval| approval.execution_id() == id) {
            return None;
        }
        let place = place(id, shown.state);
        Some(Running {
            ran: Ran::of(one, None),
            is_waiting_before: place.as_ref().is_some_and(|place| !place.has_entered),
            stage: place.map(|place| place.stage),
        })
    });
    running.collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_codepipeline::types::ActionState;

    use super::*;

    #[test]
    fn approval_is_an_action_of_that_name() {
        let stages = |names: &[&str]| {
            let actions =
                names.iter().map(|name| ActionState::builder().action_name(*name).build());
            [StageState::builder().set_action_states(Some(actions.collect())).build()]
        };
        assert!(has_approval(&stages(&[
            "CreateChangeSet",
            "Approval",
            "Deploy"
        ])));
        assert!(!has_approval(&stages(&["Deploy"])));
    }

    #[test]
    fn approval_without_a_change_set_has_a_stage_of_its_own() {
        let stages = |names: &[&str]| {
            let stages = names.iter().map(|name| StageState::builder().stage_name(*name).build());
            stages.collect::<Vec<_>>()
        };
        assert_eq!(stage(&stages(&["Build", "Approval", "Deploy"])), "Approval");
        assert_eq!(stage(&stages(&["Build", "Deploy"])), "Deploy");
    }
}
