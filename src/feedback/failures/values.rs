//! The values of the parameters of a failed operation.

use crate::clients::aws::{Aws, CallError};
use crate::feedback::change_sets;
use crate::feedback::change_sets::{ChangeSet, Creation, Values};
use crate::gitops_pipeline::describe_stack;
use crate::gitops_pipeline::executions::actions::Action;
use crate::gitops_pipeline::executions::{BEFORE_DEPLOYMENT, DEPLOY};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;

/// The values of the operation of an action that failed. After a rollback, the stack has those of
/// an earlier operation, and if a later execution has begun, it may have those of a later one. So
/// only the change set of the action shows that all values are known.
pub async fn of_operation(
    aws: &Aws,
    pipeline: &PipelineSettings,
    action: &Action,
    is_newest: bool,
) -> Result<Values, CallError> {
    let stack_name = &pipeline.deployed_stack;
    let stack = match describe_stack(aws, stack_name).await {
        Err(error) if error.is_denied() => None,
        described => described?,
    };
    let of_stack = stack.as_ref().map(|stack| Values::of(stack.parameters())).unwrap_or_default();
    if BEFORE_DEPLOYMENT.contains(&&*action.name) {
        return Ok(of_stack.without_others());
    }
    let (Some(stack), Some(name), true) = (stack, &pipeline.change_set, is_newest) else {
        return Ok(of_stack.with_others());
    };
    // CloudFormation finds an executed change set by its ARN only, and another one by its name:
    // https://github.com/guardian/riff-raff/pull/672. Assumption `executed-change-set-is-readable`.
    let executed = stack.change_set_id().filter(|id| id.contains(&format!(":changeSet/{name}/")));
    let id = if action.name == DEPLOY {
        executed
    } else {
        Some(name.as_str())
    };
    let Some(id) = id else {
        return Ok(of_stack.with_others());
    };
    let found = match change_sets::describe(aws, stack_name, id).await {
        Err(error) if error.is_transient() => return Err(error),
        found => found.ok().flatten(),
    };
    let is_of_action = |found: &ChangeSet| is_of(action, &found.creation);
    let has_all = |found: &ChangeSet| found.values.have_all_names_of(&of_stack);
    match found.filter(|found| is_of_action(found) && has_all(found)) {
        Some(found) => Ok(found.values.and(&of_stack)),
        None => Ok(of_stack.with_others()),
    }
}

/// Whether a change set in this state is the one of the failed `action`. An earlier one of the same
/// name may be left, if CloudFormation rejected the one that the action would create.
pub fn is_of(action: &Action, creation: &Creation) -> bool {
    let is_executed = action.name == DEPLOY;
    match creation {
        Creation::Failed(why) => {
            let is_named = !why.trim().is_empty() && action.summary.contains(why.trim());
            !is_executed && is_named
        }
        Creation::Running | Creation::Complete | Creation::Empty => is_executed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops_pipeline::executions::actions::ActionState;

    #[test]
    fn change_set_is_of_the_action_that_names_its_reason() {
        let of = |name: &str, creation| {
            let action = Action {
                name: name.to_owned(),
                stage: DEPLOY.to_owned(),
                status: "Failed".to_owned(),
                state: ActionState::Failed,
                summary: "Failed: Circular dependency".to_owned(),
                by: String::new(),
                external_id: String::new(),
                attempt: String::new(),
            };
            is_of(&action, &creation)
        };
        let failed = |why: &str| Creation::Failed(why.to_owned());
        assert!(of("CreateChangeSet", failed("Circular dependency")));
        for other in [
            failed("Another reason"),
            failed(""),
            failed(" "),
            Creation::Complete,
        ] {
            assert!(!of("CreateChangeSet", other.clone()), "{other:?}");
        }
        assert!(of(DEPLOY, Creation::Complete) && !of(DEPLOY, failed("")));
    }
}
