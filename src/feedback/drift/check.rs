//! Runs a comparison, from the read of the stack to the end of its change set.

use std::time::SystemTime;

use aws_sdk_cloudformation::types::{Stack, StackStatus};

use super::result::{Drifted, Found, Repair};
use super::target::DriftTarget;
use crate::clients::aws::{Aws, CallError};
use crate::feedback::change_sets;
use crate::feedback::change_sets::{
    Audience, Base, ChangeSet, ComparisonResult, Creation, NewChangeSet, Values, shown_reason,
};
use crate::gitops_pipeline::early_validation::Finding;
use crate::gitops_pipeline::names::DRIFT_CHANGE_SET as CHANGE_SET;
use crate::gitops_pipeline::{describe_stack, early_validation, executions, holds};
use cfn_custom_resource::Progress;

pub async fn check(aws: &Aws, target: &DriftTarget) -> Result<Found, CallError> {
    let stack_name = &target.stack_name;
    // The caller enforces the deadline.
    let progress = Progress::new(SystemTime::UNIX_EPOCH);
    progress.doing(format!("looking up stack {stack_name}"));
    let stack = match comparable(describe_stack(aws, stack_name).await?) {
        Ok(stack) => stack,
        Err(why) => return Ok(Found::Nothing(why)),
    };
    let values = Values::of(stack.parameters());
    let parameters = stack.parameters.unwrap_or_default().into_iter();
    let parameters: Vec<String> = parameters.filter_map(|one| one.parameter_key).collect();
    let capabilities = stack.capabilities.unwrap_or_default();
    let capabilities = capabilities.iter().map(|one| one.as_str().to_owned());
    // The SDK repeats a creation or an execution whose response was lost.
    let token = format!("{CHANGE_SET}-{:016x}", fastrand::u64(..));
    let new = NewChangeSet {
        stack_name: stack_name.clone(),
        name: CHANGE_SET.to_owned(),
        token: Some(token.clone()),
        role_arn: target.role_arn.clone(),
        capabilities: capabilities.collect(),
        parameters: parameters.iter().map(|name| (name.clone(), None)).collect(),
        base: Base::Resources,
    };
    progress.doing(format!("deleting the change set of stack {stack_name}"));
    change_sets::delete(aws, stack_name, CHANGE_SET).await?;
    progress.doing(format!("comparing stack {stack_name} with its template"));
    let read = match change_sets::compare(aws, &new).await? {
        ComparisonResult::Read(read) => read,
        ComparisonResult::Impossible(why) => return Ok(Found::Nothing(why.to_owned())),
        ComparisonResult::Rejected(error) if error.is_denied() => return Err(error),
        ComparisonResult::Rejected(error) => {
            let cause = shown_reason(&error.cause, &values, Audience::Members, &target.names);
            return Err(CallError { cause, ..error });
        }
    };
    let ended = Box::pin(end(aws, target, &read, &token, &progress)).await;
    if ended.is_err() {
        change_sets::abandon(aws, stack_name, CHANGE_SET).await;
    }
    let (errors, repair) = ended?;
    let shown = |text: &str| shown_reason(text, &values, Audience::Members, &target.names);
    Ok(match &read.creation {
        Creation::Failed(why) => {
            let errors: Vec<_> = errors.iter().map(|error| error.shown(shown)).collect();
            let explained = early_validation::explain(Some(shown(why)), &errors);
            Found::Nothing(explained.unwrap_or_default())
        }
        _ => Found::Compared(Drifted {
            repair,
            parameters,
            capabilities: new.capabilities,
            ..Drifted::of(&read)
        }),
    })
}

/// The stack, or why CloudFormation accepts no change set for it.
fn comparable(stack: Option<Stack>) -> Result<Stack, String> {
    const MISSING: &str = "it does not exist yet";
    let stack = stack.ok_or(MISSING)?;
    match stack.stack_status() {
        Some(StackStatus::ReviewInProgress) => Err(MISSING.to_owned()),
        Some(
            StackStatus::CreateComplete
            | StackStatus::UpdateComplete
            | StackStatus::UpdateRollbackComplete
            | StackStatus::ImportComplete
            | StackStatus::ImportRollbackComplete,
        ) => Ok(stack),
        status => Err(format!("it is {}", status.map_or("", StackStatus::as_str))),
    }
}

/// The errors of a change set that failed, and the end of it.
///
/// Executes the change set if it repairs the stack and no execution of the pipeline is in progress,
/// which an update of the pipeline would cancel. It is not executed either while a person holds the
/// pipeline by a disabled rule or transition, which it may enable. Otherwise deletes it.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/execution-modes.html>
async fn end(
    aws: &Aws,
    target: &DriftTarget,
    read: &ChangeSet,
    token: &str,
    progress: &Progress,
) -> Result<(Vec<Finding>, Repair), CallError> {
    let stack_name = &target.stack_name;
    // CloudFormation may delete them with the change set.
    let errors = match read.creation {
        Creation::Failed(_) => {
            early_validation::read_for_change_set(aws, stack_name, CHANGE_SET).await?
        }
        _ => vec![],
    };
    let mut repair = Repair::None;
    if let Some(pipeline) = &target.repairs {
        repair = Repair::of(read);
        if repair == Repair::Started {
            progress.doing(format!("looking for a freeze of stack {stack_name}"));
            let held = holds::list(aws, &target.names).await?;
            if !held.is_empty() {
                repair = Repair::Held(held);
            }
        }
        if repair == Repair::Started {
            progress.doing(format!(
                "looking for an execution in progress of stack {stack_name}"
            ));
            if executions::is_one_in_progress(aws, pipeline).await? {
                repair = Repair::Deploying;
            }
        }
    }
    if repair == Repair::Started {
        progress.doing(format!("repairing stack {stack_name}"));
        // By the name: the comparison has checked the ID. IAM's `cloudformation:ChangeSetName`,
        // which limits this call, "filters access by change set name". That it matches the name in
        // an ARN is not documented, and an ARN that it does not match would deny each repair.
        // https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
        let executed =
            change_sets::execute(aws, stack_name, CHANGE_SET, &format!("{token}-execute")).await;
        if let Err(error) = executed {
            // The drift is reported nevertheless. The SDK may have repeated an executed call.
            repair = if error.is_outcome_unknown() || error.has_code(&["ChangeSetNotFound"]) {
                Repair::Failed(format!(
                    "The repair may have started: {}",
                    error.reason().text()
                ))
            } else {
                change_sets::abandon(aws, stack_name, CHANGE_SET).await;
                Repair::Failed(format!("It was not repaired: {}", error.reason().text()))
            };
        }
    } else {
        progress.doing(format!("deleting the change set of stack {stack_name}"));
        change_sets::delete(aws, stack_name, CHANGE_SET).await?;
    }
    Ok((errors, repair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_without_resources_or_in_progress_is_not_compared() {
        let of =
            |status: StackStatus| comparable(Some(Stack::builder().stack_status(status).build()));
        let missing = Err("it does not exist yet".to_owned());
        assert_eq!(comparable(None), missing);
        assert_eq!(of(StackStatus::ReviewInProgress), missing);
        let in_progress = Err("it is UPDATE_IN_PROGRESS".to_owned());
        assert_eq!(of(StackStatus::UpdateInProgress), in_progress);
        assert!(of(StackStatus::UpdateRollbackComplete).is_ok());
    }
}
