//! The effect of a freeze: it holds executions before a stage, and what the event rules start.

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::{PipelineExecutionSummary, StageState};

use super::row::Row;
use crate::answers::deployments::place;
use crate::answers::shape::{Freeze, Ran, Running};
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY, status_of};
use crate::gitops_pipeline::health::waiting_approvals;
use crate::gitops_pipeline::holds::RuleState;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::health_check::facts::{Fact, PipelineFacts, ProjectFacts};

impl Row {
    /// Adds what a freeze holds, if the event rules were read. CodePipeline may not respond.
    pub fn add_freeze(&mut self, facts: &ProjectFacts, settings: &PipelineSettings) {
        let PipelineFacts {
            state, executions, ..
        } = &facts.pipeline;
        let Some(rules) = facts.rules.known() else {
            return;
        };
        let existing = rules.iter().filter(|it| it.state != RuleState::Missing);
        let stages = state.known().map(GetPipelineStateOutput::stage_states);
        self.shown.freeze = Some(Freeze {
            stage: stages.map(stage),
            has_approval: stages.map(has_approval),
            rules: existing.map(|it| it.rule.name(&settings.names)).collect(),
            executions: match (state, executions) {
                (Fact::NotRead(_), _) | (_, Fact::NotRead(_)) => None,
                (Fact::Known(state), Fact::Known(listed)) => Some(running(state, listed)),
                _ => Some(vec![]),
            },
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
fn running(state: &GetPipelineStateOutput, listed: &[PipelineExecutionSummary]) -> Vec<Running> {
    let waiting = waiting_approvals(state);
    let open = listed.iter().filter(|one| !status_of(one).is_end());
    let running = open.filter_map(|one| {
        let id = one.pipeline_execution_id()?;
        if waiting.iter().any(|approval| approval.execution_id() == id) {
            return None;
        }
        let place = place(id, state);
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
