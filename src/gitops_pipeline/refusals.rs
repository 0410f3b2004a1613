//! Why something is refused or has failed, and what a person can do about it.

use super::child_stack::ChildStack;
use super::plan::Refusal;
use crate::aws::CallError;

/// The child stack is not this request's to change.
pub fn of_stack(name: &str, child: &ChildStack, refusal: &Refusal) -> String {
    let release = format!("`aws cloudformation delete-stack --stack-name {name}`");
    match refusal {
        Refusal::Foreign(Some(owner)) => format!(
            "taking stack {name}: it belongs to {} of stack {}; if that stack is gone, free the name \
             with {release}",
            owner.logical_id, owner.stack_id
        ),
        Refusal::Foreign(None) if child.status == "REVIEW_IN_PROGRESS" => format!(
            "taking stack {name}: a change set that was never executed has taken the name; free it \
             with {release}"
        ),
        Refusal::Foreign(None) => format!(
            "taking stack {name}: it exists and was not made by Custom::GitOpsPipeline; choose another \
             ProjectID, or free the name with {release}"
        ),
        Refusal::Overtaken => {
            format!("changing stack {name}: a later request has changed it; nothing was done")
        }
        Refusal::UnknownStatus => format!(
            "changing stack {name}: it is {}, which CloudFormation does not change; bring it to an end \
             in the console, and try again",
            child.status
        ),
    }
}

/// The resource was deleted after CloudFormation had asked for it.
pub fn deleted_since(name: &str) -> String {
    format!("creating stack {name}: it has been deleted since this was asked for; nothing is left")
}

/// The stack operation failed, because of `reason`.
pub fn stack_failed(name: &str, child: &ChildStack, reason: &str) -> String {
    let (doing, advice) = match child.status.as_str() {
        "UPDATE_ROLLBACK_FAILED" => (
            "updating",
            format!(
                "; its rollback failed too: the next update tries that again, as does `aws \
                 cloudformation continue-update-rollback --stack-name {name}`"
            ),
        ),
        status if status.starts_with("UPDATE") => ("updating", String::new()),
        "DELETE_FAILED" => (
            "creating",
            format!(
                "; and what is left cannot be deleted: `aws cloudformation delete-stack --stack-name \
                 {name}` tells why"
            ),
        ),
        _ => ("creating", String::new()),
    };
    // Some types look at the role before they pass it on.
    let parameter = if reason.contains("iam:PassRole") || reason.contains("iam:GetRole") {
        "; the provider stack's parameter PipelineRoleNames says which roles a pipeline may have"
    } else {
        ""
    };
    format!("{doing} stack {name}: {reason}{advice}{parameter}")
}

/// The approval rule template belongs to somebody else.
pub fn rule_is_held(name: &str, description: &str) -> String {
    let described: String = description.chars().take(300).collect();
    format!(
        "taking approval rule template {name}: it was not made by this resource (its description: \
         \"{described}\"); free the name with `aws codecommit delete-approval-rule-template \
         --approval-rule-template-name {name}`"
    )
}

/// A repository of the name that the child stack would give to its own.
pub fn repository_is_held(name: &str) -> String {
    format!(
        "creating repository {name}: it exists and no earlier stack of this pipeline left it; give it \
         as Source.RepositoryName, or free the name with `aws codecommit delete-repository \
         --repository-name {name}`"
    )
}

/// Adds to a denied call which parameter would allow it.
pub fn explained(error: CallError) -> CallError {
    if !error.is_denied() {
        return error;
    }
    let advice = if error.doing.contains(" stack ") {
        "the provider stack's parameter PipelineStackNames says which stacks this function may make"
    } else if error.doing.contains("approval rule template") {
        "the function's role does not allow it"
    } else {
        "the provider stack's parameter RepositoryNames says which repositories this function may use"
    };
    error.with_advice(advice)
}
