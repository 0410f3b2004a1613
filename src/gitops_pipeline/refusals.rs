//! Why something is refused or has failed, and what a person can do about it.

use super::child_stack::ChildStack;
use super::plan::Refusal;
use super::properties::Elsewhere;
use crate::aws::CallError;
use crate::records::Owner;

/// The child stack is not `me`'s request's to change.
pub fn of_stack(name: &str, me: &Owner, child: &ChildStack, refusal: &Refusal) -> String {
    let release = format!("`aws cloudformation delete-stack --stack-name {name}`");
    match refusal {
        Refusal::Foreign(Some(owner)) if owner.stack_id == me.stack_id => format!(
            "taking stack {name}: it belongs to {} of this very stack; to rename the resource, remove \
             it in one deployment and add it under its new name in the next",
            owner.logical_id
        ),
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

/// The source is not there.
pub fn no_such_repository(name: &str, elsewhere: Option<&Elsewhere>) -> String {
    match elsewhere {
        None => format!("Source.RepositoryName: repository {name} does not exist"),
        Some(elsewhere) => format!(
            "Source.RepositoryArn: repository {} does not exist",
            elsewhere.repository_arn
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

/// A repository of the name that the child stack would give to its own.
pub fn repository_is_held(name: &str) -> String {
    format!(
        "creating repository {name}: it exists and no earlier stack of this pipeline left it; give it \
         as Source.RepositoryName, or, if nothing in it is needed, free the name with `aws codecommit \
         delete-repository --repository-name {name}`"
    )
}

/// `Source` names the repository that the child stack made, which would go with that change.
pub fn own_repository_given(name: &str) -> String {
    format!(
        "Source.RepositoryName: {name} is the repository that this pipeline made for itself, and would \
         be deleted by the change; leave Source out"
    )
}

/// Adds to a call's error what allows it, or what it means.
pub fn explained(error: CallError) -> CallError {
    let code = error.code.as_deref().unwrap_or_default();
    if code.starts_with("TokenAlreadyExists") {
        return error.with_advice(
            "this request has created the stack before, and it failed or was deleted since: its events \
             are in the console, among the deleted stacks",
        );
    }
    if !error.is_denied() {
        return error;
    }
    let advice = if error.cause.contains("iam:PassRole") {
        "the function may pass the provisioning role of its own environment alone: is EnvID the \
         environment of the ServiceToken?"
    } else if error.doing.contains(" stack ") {
        "the provider stack's parameter PipelineStackNames says which stacks this function may make"
    } else if error.doing.contains("approval rule template") {
        "the function's role, which the provider stack makes, does not allow it"
    } else {
        "the provider stack's parameter RepositoryNames says which repositories this function may use"
    };
    error.with_advice(advice)
}
