//! Runs a comparison, from the read of the stack to the end of its change set.

use std::time::SystemTime;

use aws_sdk_cloudformation::types::Stack;

use super::result::Drifted;
use crate::clients::aws::{Aws, CallError};
use crate::clients::cloudformation::StackStatus;
use crate::common::stop::Stop;
use crate::feedback::change_sets;
use crate::feedback::change_sets::{
    Audience, Base, ComparisonResult, Creation, NewChangeSet, Values, shown_reason,
};
use crate::gitops_pipeline::names::DRIFT_CHANGE_SET as CHANGE_SET;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::{describe_stack, early_validation};
use cfn_custom_resource::Progress;

/// Compares the stack that `pipeline` deploys with its template. One that cannot be compared is
/// compared by the next health check of another day.
pub async fn check(aws: &Aws, pipeline: &PipelineSettings) -> Result<Drifted, Stop<CallError>> {
    let (stack_name, names) = (&pipeline.deployed_stack, &pipeline.names);
    // The caller enforces the deadline.
    let progress = Progress::new(SystemTime::UNIX_EPOCH);
    progress.doing(format!("looking up stack {stack_name}"));
    let stack = comparable(describe_stack(aws, stack_name).await?)?;
    let values = Values::of(stack.parameters());
    let parameters = stack.parameters.unwrap_or_default().into_iter();
    let parameters: Vec<String> = parameters.filter_map(|one| one.parameter_key).collect();
    let capabilities = stack.capabilities.unwrap_or_default();
    let capabilities = capabilities.iter().map(|one| one.as_str().to_owned());
    let new = NewChangeSet {
        stack_name: stack_name.clone(),
        name: CHANGE_SET.to_owned(),
        role_arn: pipeline.location.role(&names.deploy_role()),
        capabilities: capabilities.collect(),
        parameters: parameters.iter().map(|name| (name.clone(), None)).collect(),
        base: Base::Resources,
    };
    let subject = format!("stack {stack_name}");
    progress.doing(format!("deleting the change set of {subject}"));
    change_sets::delete(aws, stack_name, CHANGE_SET).await?;
    progress.doing(format!("comparing stack {stack_name} with its template"));
    let (read, errors) = match change_sets::compare(aws, &new, &subject, &progress).await? {
        ComparisonResult::Read(read, errors) => (read, errors),
        ComparisonResult::Rejected(error) if error.is_denied() => return Err(error.into()),
        ComparisonResult::Rejected(error) => {
            let cause = shown_reason(&error.cause, &values, Audience::Members, names);
            return Err(CallError { cause, ..error }.into());
        }
    };
    let shown = |text: &str| shown_reason(text, &values, Audience::Members, names);
    match &read.creation {
        Creation::Failed(why) => {
            let explained = early_validation::explain(Some(shown(why)), &errors, shown);
            Err(Stop::nothing(explained.unwrap_or_default()))
        }
        _ => Ok(Drifted {
            parameters,
            capabilities: new.capabilities,
            ..Drifted::of(&read)
        }),
    }
}

/// The stack, or why CloudFormation accepts no change set for it.
fn comparable(stack: Option<Stack>) -> Result<Stack, Stop<CallError>> {
    const MISSING: &str = "it does not exist yet";
    let stack = stack.ok_or(Stop::nothing(MISSING))?;
    match StackStatus::parse(stack.stack_status()) {
        StackStatus::ReviewInProgress => Err(Stop::nothing(MISSING)),
        status if status.is_complete() => Ok(stack),
        status => Err(Stop::nothing(format!("it is {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_without_resources_or_in_progress_is_not_compared() {
        let of =
            |status: &str| comparable(Some(Stack::builder().stack_status(status.into()).build()));
        let missing = Err(Stop::nothing("it does not exist yet"));
        assert_eq!(comparable(None), missing);
        assert_eq!(of("REVIEW_IN_PROGRESS"), missing);
        let in_progress = Err(Stop::nothing("it is UPDATE_IN_PROGRESS"));
        assert_eq!(of("UPDATE_IN_PROGRESS"), in_progress);
        assert!(of("UPDATE_ROLLBACK_COMPLETE").is_ok());
    }
}
