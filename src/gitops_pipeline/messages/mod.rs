//! The reasons of rejections and failures, each with its remedy.

pub mod warnings;

use super::spec::Spec;
use crate::clients::aws::{CallError, is_role_not_assumable};
use crate::common::ownership::Owner;
use crate::common::reason_codes::Code;
use cfn_custom_resource::Reason;

/// The stack belongs to another resource, or to no resource of this type.
pub fn foreign_stack(name: &str, own: &Owner, owner: Option<&Owner>, status: &str) -> Reason {
    let release = format!("`aws cloudformation delete-stack --stack-name {name}`");
    let text = match owner {
        Some(owner) if owner.stack_id == own.stack_id => format!(
            "using stack {name}: it belongs to {} of this very stack; to rename the resource, remove \
             it in one deployment and add it under its new name in the next",
            owner.logical_id
        ),
        Some(owner) => format!(
            "using stack {name}: it belongs to {} of stack {}; if that stack is gone, free the name \
             with {release}",
            owner.logical_id, owner.stack_id
        ),
        None if status == "REVIEW_IN_PROGRESS" => format!(
            "using stack {name}: a change set that was never executed has the name; free it \
             with {release}"
        ),
        None => format!(
            "using stack {name}: it exists and was not created by Custom::GitOpsPipeline; choose another \
             ProjectID, or free the name with {release}"
        ),
    };
    Reason::new(Code::StackHeld, text)
}

/// A later request has changed the stack.
pub fn superseded(name: &str) -> Reason {
    let text = format!("changing stack {name}: a later request has changed it; nothing was done");
    Reason::new(Code::OvertakenByRequest, text)
}

/// CloudFormation cannot change a stack with this status.
pub fn unknown_status(name: &str, status: &str) -> Reason {
    let text = format!(
        "changing stack {name}: it is {status}, which CloudFormation does not change; bring it to an \
         end in the console, and try again"
    );
    Reason::new(Code::StackUnchangeable, text)
}

/// The repository of `spec` does not exist.
pub fn no_repository(spec: &Spec) -> Reason {
    let name = spec.repository();
    let text = match (&spec.source, spec.cross_account_source()) {
        (None, _) => format!("looking up repository {name}: it does not exist"),
        (Some(_), None) => format!("Source.RepositoryName: repository {name} does not exist"),
        (Some(_), Some(cross_account)) => {
            let arn = &cross_account.repository_arn;
            format!("Source.RepositoryArn: repository {arn} does not exist")
        }
    };
    Reason::new(Code::RepositoryMissing, text)
}

/// A later Delete superseded the request.
pub fn deleted_since(name: &str) -> Reason {
    let text = format!(
        "creating stack {name}: it has been deleted since this was asked for; nothing is left"
    );
    Reason::new(Code::OvertakenByDelete, text)
}

/// The stack operation failed, because of `reason`.
pub fn stack_failed(name: &str, status: &str, reason: &str) -> Reason {
    let (doing, advice) = match status {
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
                "; and the remaining resources cannot be deleted: run `aws cloudformation delete-stack \
                 --stack-name {name}` to see why"
            ),
        ),
        _ => ("creating", String::new()),
    };
    // Some resource types read the role before they pass it.
    let is_denied_role = reason.contains("iam:PassRole") || reason.contains("iam:GetRole");
    let parameter = if is_denied_role {
        "; the provider stack's parameter PipelineRoleNames sets which roles a pipeline may have"
    } else {
        ""
    };
    let is_closed = reason.contains(NO_EXISTING_REPOSITORY);
    let no_repository = if is_closed { NEW_TO_CODECOMMIT } else { "" };
    let code = if is_closed {
        Code::AccountNotAdmitted
    } else if is_denied_role || is_role_not_assumable(reason) {
        Code::RoleUnusable
    } else {
        Code::StackFailed
    };
    let text = format!("{doing} stack {name}: {reason}{advice}{parameter}{no_repository}");
    Reason::new(code, text)
}

/// The message of CodeCommit's `CreateRepository` in an account without access to CodeCommit, with
/// `OperationNotAllowedException`. Recorded in
/// <https://github.com/aws-samples/aws-security-reference-architecture-examples/issues/310>.
const NO_EXISTING_REPOSITORY: &str =
    "there is no existing repository in this AWS account or AWS Organization";

/// From July 2024 to 24 November 2025 CodeCommit admitted no new accounts.
/// <https://aws.amazon.com/blogs/devops/aws-codecommit-returns-to-general-availability/>
const NEW_TO_CODECOMMIT: &str = "; CodeCommit has been open to all accounts again since 24 November \
    2025, but this account still has the earlier restriction: create one repository in the \
    CodeCommit console, or ask AWS Support to enable CodeCommit for the account, and deploy again";

/// A repository with the name of the child stack's repository exists.
pub fn repository_is_held(name: &str) -> Reason {
    let text = format!(
        "creating repository {name}: it exists and no earlier stack of this pipeline left it. Set \
         Source.RepositoryName to it. Or, if nothing in it is needed, free the name with `aws \
         codecommit delete-repository --repository-name {name}`"
    );
    Reason::new(Code::RepositoryHeld, text)
}

/// `Source` names the child stack's own repository, which the change would delete.
pub fn own_repository_given(name: &str) -> Reason {
    let text = format!(
        "Source.RepositoryName: {name} is the repository that this pipeline created, and the \
         change would delete it. Remove Source"
    );
    Reason::new(Code::RepositoryHeld, text)
}

const PASSED_ROLE: &str = "the provider stack lets the function pass only the provisioning role of its \
    own environment: use the ServiceToken of the environment EnvID";
const NAME_OF_REPOSITORIES: &str = "the provider stack's parameter RepositoryNames sets which \
    repositories this function may use";
const ROLES_ELSEWHERE: &str = "add the role to the provider stack's parameter SourceRoleArns, and \
    the function's role to the role's trust policy";
const OWN_ROLE: &str = "the function's role, which the provider stack creates, does not allow it";
const OWN_ENVIRONMENT: &str = "the provider stack allows this in its own environment only: use the \
    ServiceToken of the environment EnvID";

/// Adds the remedy to the error of a call.
pub fn with_remedy(error: CallError) -> CallError {
    let code = error.code.as_deref().unwrap_or_default();
    if code.starts_with("TokenAlreadyExists") {
        return error.with_reason_code(Code::StackFailed).with_advice(
            "this request has created the stack before, and it failed or was deleted since: its events \
             are in the console, among the deleted stacks",
        );
    }
    error.with_advice_on_denial(|error| {
        match error.denied_action() {
            _ if error.cause.contains("iam:PassRole") => PASSED_ROLE,
            ("sts", _) => ROLES_ELSEWHERE,
            ("codecommit", "DeleteRepository" | "UpdateDefaultBranch") => OWN_ENVIRONMENT,
            // IAM authorizes an association by the repository's name.
            ("codecommit", call)
                if call.contains("ApprovalRuleTemplate") && !call.contains("ssociate") =>
            {
                OWN_ROLE
            }
            ("codecommit", _) => NAME_OF_REPOSITORIES,
            _ => OWN_ENVIRONMENT,
        }
    })
}

#[cfg(test)]
mod tests;
