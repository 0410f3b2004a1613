//! The outputs and the parameters of the deployed stack.

use crate::clients::aws::{Aws, CallError};
use crate::clients::gitlab::MAX_CHARACTERS;
use crate::feedback::change_sets;
use crate::feedback::change_sets::{Audience, ChangeSet, Creation, Values, shown_reason};
use crate::feedback::reporting::execution::{Action, ActionState, Execution};
use crate::gitops_pipeline::describe_stack;
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::ReportSettings;

/// The output `name` of a stack, if it is an address that GitLab accepts for an environment.
pub async fn address(aws: &Aws, stack_name: &str, name: &str) -> Result<Option<String>, CallError> {
    let stack = describe_stack(aws, stack_name).await?;
    let outputs = stack.iter().flat_map(|stack| stack.outputs());
    let mut named = outputs.filter(|output| output.output_key() == Some(name));
    let value = named.next().and_then(|output| output.output_value());
    let address = value.filter(|value| is_address(value));
    if address.is_none() {
        tracing::warn!(
            stack_name,
            output = name,
            "the output is not an http or https address of at most 255 characters in ASCII"
        );
    }
    Ok(address.map(ToOwned::to_owned))
}

/// The execution, with the part of each reason that `audience` may read.
pub async fn without_values(
    aws: &Aws,
    settings: &ReportSettings,
    names: &ResourceNames,
    audience: Audience<'_>,
    execution: &Execution,
) -> Result<Execution, CallError> {
    let mut execution = execution.clone();
    let is_newest = execution.is_newest;
    for action in execution.actions.iter_mut().filter(|it| has_reason(it)) {
        let values = values(aws, settings, action, is_newest).await?;
        action.summary = shown_reason(&action.summary, &values, audience, names);
    }
    Ok(execution)
}

/// Whether an action failed for a reason that no person wrote: a person writes the summary of an
/// approval.
fn has_reason(action: &Action) -> bool {
    action.state == ActionState::Failed && action.name != APPROVAL
}

/// The values of the operation of an action that failed. After a rollback, the stack has those of
/// an earlier operation, and if a later execution has begun, it may have those of a later one. So
/// only the change set of the action shows that all values are known.
pub async fn values(
    aws: &Aws,
    settings: &ReportSettings,
    action: &Action,
    is_newest: bool,
) -> Result<Values, CallError> {
    let stack_name = &settings.stack_name;
    let stack = match describe_stack(aws, stack_name).await {
        Err(error) if error.is_denied() => None,
        described => described?,
    };
    let of_stack = stack.as_ref().map(|stack| Values::of(stack.parameters()));
    let of_stack = of_stack.unwrap_or_default();
    if executions::BEFORE_DEPLOYMENT.contains(&&*action.name) {
        return Ok(of_stack.without_others());
    }
    let (Some(stack), Some(name), true) = (stack, &settings.change_set_name, is_newest) else {
        return Ok(of_stack.with_others());
    };
    // CloudFormation finds an executed change set by its ARN only, and another one by its name:
    // https://github.com/guardian/riff-raff/pull/672. Assumption `executed-change-set-is-readable`.
    let executed = stack.change_set_id();
    let executed = executed.filter(|id| id.contains(&format!(":changeSet/{name}/")));
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
    let has_all = |found: &ChangeSet| found.values.has_as_many(&of_stack);
    match found.filter(|found| is_of_action(found) && has_all(found)) {
        Some(found) => Ok(found.values.and_earlier(of_stack)),
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

fn is_address(value: &str) -> bool {
    let parsed = reqwest::Url::parse(value);
    let is_http = parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    is_http && value.chars().count() <= MAX_CHARACTERS && !may_lack_characters(value)
}

/// Whether a `?` may stand for a character beyond ASCII, as CloudFormation returns it. One begins a
/// query such as `?env=dev`.
fn may_lack_characters(value: &str) -> bool {
    let query = value.split_once('?').map(|(_, query)| query);
    query.is_some_and(|query| query.contains('?') || !query.contains('='))
}

#[cfg(test)]
mod tests {
    use super::{Action, ActionState, Creation, DEPLOY, is_address, is_of};

    #[test]
    fn change_set_is_of_the_action_that_names_its_reason() {
        let of = |name: &str, creation| {
            let action = Action {
                name: name.to_owned(),
                state: ActionState::Failed,
                summary: "Failed: Circular dependency".to_owned(),
                by: String::new(),
                external_id: String::new(),
                attempt: String::new(),
                is_retried: false,
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

    #[test]
    fn address_with_lost_characters_is_none() {
        for address in [
            "https://shop.example.com/",
            "https://shop.example.com/?env=dev&a",
            "https://xn--fsq.example.com/caf%C3%A9",
        ] {
            assert!(is_address(address), "{address}");
        }
        for lossy in [
            "https://??.example.com/",
            "https://m?nchen.example.com",
            "https://shop.example.com/gr??e",
            "https://shop.example.com/caf?",
            "https://shop.example.com/?q=???",
        ] {
            assert!(!is_address(lossy), "{lossy}");
        }
    }
}
