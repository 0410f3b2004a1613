//! The reasons of rejections and failures, each with its remedy.

pub mod warnings;

use serde_json::{Value, json};

use super::names::AwsLocation;
use super::spec::Spec;
use super::state::ChildStack;
use super::template::STACK_NAME_TAG;
use crate::clients::aws::{CallError, denied_action_in, is_role_not_assumable, remedy_of_tags};
use crate::clients::cloudformation::StackStatus;
use crate::common::commands::{aws, with_previous_values};
use crate::common::ownership::{Owner, STACK_ID};
use crate::common::reason_codes::Code;
use cfn_custom_resource::{Command, Reason, Remedy};

/// The rejection of the stack `name`, which has the tags of another resource than `own`, or of
/// none. No remedy deletes it, because it may contain a repository.
pub fn foreign_stack(name: &str, own: &Owner, owner: Option<&Owner>, child: &ChildStack) -> Reason {
    let give = |condition: &str| {
        let before = format!(
            "Choose another ProjectID. If {condition}, give the stack to this resource with "
        );
        tag_command(name, own, child).after(before)
    };
    let (cause, remedy) = match owner {
        Some(owner) if owner.stack_id == own.stack_id => (
            format!("it belongs to {} of this very stack", owner.logical_id),
            "To rename the resource, remove it in one deployment and add it under its new name in the next"
                .into(),
        ),
        Some(owner) => (
            format!("it belongs to {} of stack {}", owner.logical_id, owner.stack_id),
            give("that stack is gone"),
        ),
        None if child.status == StackStatus::ReviewInProgress => (
            "a change set that was never executed has the name".to_owned(),
            aws(["cloudformation", "delete-stack", "--stack-name", name]).after("Free it with "),
        ),
        None => (
            format!("it exists, and no tags name its owner{}", except_stack(own, child)),
            give("an earlier deployment of this pipeline left it"),
        ),
    };
    Reason::new(
        Code::StackHeld,
        format!("using stack {name}: {cause}"),
        remedy,
    )
}

/// The failure of a request for the stack `name` of its own physical ID, which no tags give to a
/// resource.
pub fn stack_is_untagged(name: &str, own: &Owner, child: &ChildStack) -> Reason {
    let except = except_stack(own, child);
    let problem = format!("using stack {name}: the tags that name its owner are missing{except}");
    let remedy = set_tags(name, own, child).then(", and repeat the stack operation");
    Reason::new(Code::StackHeld, problem, remedy)
}

fn set_tags(name: &str, own: &Owner, child: &ChildStack) -> Remedy {
    tag_command(name, own, child).after("If it is this resource's, set them with ")
}

/// The cause and the remedy of a Delete that leaves such a stack.
pub fn untagged_stack_is_left(own: &Owner, name: &str, child: &ChildStack) -> (String, Remedy) {
    let except = except_stack(own, child);
    let cause = format!("the tags that name its owner are missing{except}, so it is left");
    let otherwise = format!(
        ", and delete the parent stack again. If it is another's, delete the parent stack with \
         `--retain-resources {}`",
        own.logical_id
    );
    (cause, set_tags(name, own, child).then(otherwise))
}

/// The exception if one tag of `child` remains and names another stack than that of `owner`.
pub fn except_stack(owner: &Owner, child: &ChildStack) -> String {
    owner.except_stack(child.tags.get(STACK_ID).map(String::as_str))
}

/// The command with which a person gives the stack `name` to the resource `owner`. CloudFormation
/// keeps only the tags that it gets, and the role that the stack has.
pub fn tag_command(name: &str, owner: &Owner, child: &ChildStack) -> Command {
    let mut tags = child.tags.clone();
    // CloudFormation shows each letter beyond ASCII as `?`, which it does not accept. The next
    // update of the resource sets its tags again.
    tags.retain(|key, value| !key.starts_with("aws:") && !format!("{key}{value}").contains('?'));
    tags.extend(owner.tags());
    let tags = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
    let tags: Value = tags.collect();
    let command = aws([
        "cloudformation",
        "update-stack",
        "--stack-name",
        name,
        "--use-previous-template",
        "--tags",
        &tags.to_string(),
    ]);
    with_previous_values(command, child.parameters.keys())
}

const REPEAT_IF_WANTED: &str = "Repeat the stack operation if its result is still wanted";

pub fn superseded(name: &str) -> Reason {
    let problem =
        format!("changing stack {name}: a later request has changed it; nothing was done");
    Reason::new(Code::OvertakenByRequest, problem, REPEAT_IF_WANTED)
}

pub fn unknown_status(name: &str, status: &StackStatus) -> Reason {
    let problem =
        format!("changing stack {name}: it is {status}, which CloudFormation does not change");
    let remedy: Remedy = match status.command(name) {
        Some(command) if status.is_only_deletable() => {
            let then = ", then update its resource with a changed property, such as Tags";
            command.after("Run ").then(then)
        }
        Some(command) => command.after("Run ").then(", then deploy again"),
        None => "Bring the stack to an end in the CloudFormation console, then deploy again".into(),
    };
    Reason::new(Code::StackUnchangeable, problem, remedy)
}

pub fn no_repository(spec: &Spec, location: &AwsLocation) -> Reason {
    let name = spec.repository();
    let AwsLocation {
        region, account, ..
    } = location;
    let (doing, remedy) = match (&spec.source, spec.cross_account_source()) {
        (Some(_), Some(cross_account)) => {
            let arn = &cross_account.repository_arn;
            let problem = format!("Source.RepositoryArn: repository {arn} does not exist");
            let remedy = "Create it, or set Source.RepositoryArn to the ARN of another";
            return Reason::new(Code::RepositoryMissing, problem, remedy);
        }
        (Some(_), None) => (
            "Source.RepositoryName",
            "Create it there, or set Source.RepositoryName to the name of another".to_owned(),
        ),
        // CloudFormation does not restore it.
        (None, _) => (
            "looking up the pipeline's own repository",
            format!(
                "Delete stack {}, which deletes nothing that it deployed. Then update the resource with a \
                 changed property, such as RenderingSerial (in the templates of a release: the parameter \
                 GitLabProjectUrl or ResourceTags), and push again",
                spec.names.stack()
            ),
        ),
    };
    let problem =
        format!("{doing}: repository {name} does not exist in {region} of account {account}");
    Reason::new(Code::RepositoryMissing, problem, remedy)
}

pub fn deleted_since(name: &str) -> Reason {
    let problem = format!("creating stack {name}: a later Delete has deleted it; nothing is left");
    Reason::new(Code::OvertakenByDelete, problem, REPEAT_IF_WANTED)
}

/// The failure of an operation on the stack `name`, which is in this `status`. `None` if no stack
/// was observed.
pub fn stack_failed(name: &str, status: Option<&StackStatus>, reason: &str) -> Reason {
    let (doing, also) = match status {
        Some(StackStatus::UpdateRollbackFailed) => ("updating", "; its rollback failed too"),
        Some(
            StackStatus::UpdateComplete
            | StackStatus::UpdateFailed
            | StackStatus::UpdateRollbackComplete,
        ) => ("updating", ""),
        Some(StackStatus::DeleteFailed) => {
            ("creating", "; the remaining resources cannot be deleted")
        }
        _ => ("creating", ""),
    };
    // Some resource types read the role before they pass it.
    let is_denied_role = reason.contains("iam:PassRole") || reason.contains("iam:GetRole");
    let (code, remedy) = if reason.contains(NO_EXISTING_REPOSITORY) {
        (Code::AccountNotAdmitted, NEW_TO_CODECOMMIT)
    } else if is_denied_role {
        (Code::RoleUnusable, ALLOW_ROLE)
    } else if is_role_not_assumable(reason) {
        (
            Code::RoleUnusable,
            "Correct the role's trust policy, and deploy again",
        )
    } else {
        (
            Code::StackFailed,
            "Correct the cause, which the stack's events have, and deploy again",
        )
    };
    let (_, denied) = denied_action_in(reason).unwrap_or_default();
    let tags = remedy_of_tags(reason, denied);
    let tags = tags.map(|tags| format!(". {tags}")).unwrap_or_default();
    let remedy = format!("{remedy}{tags}");
    let remedy = match status.and_then(|it| Some((it, it.command(name)?))) {
        Some((StackStatus::UpdateRollbackFailed, command)) => {
            command.after(remedy + ". The next update repeats the rollback, as does ")
        }
        Some((StackStatus::DeleteFailed, command)) => {
            command.after(remedy + ". Run ").then(" to see why")
        }
        _ => remedy.into(),
    };
    let problem = format!("{doing} stack {name}: {reason}{also}");
    Reason::new(code, problem, remedy)
}

const ALLOW_ROLE: &str = "Use a role that the provider stack's parameter PipelineRoleNames allows, or change \
    that parameter";

/// The message of CodeCommit's `CreateRepository` in an account without access to CodeCommit, with
/// `OperationNotAllowedException`. Recorded in
/// <https://github.com/aws-samples/aws-security-reference-architecture-examples/issues/310>.
const NO_EXISTING_REPOSITORY: &str =
    "there is no existing repository in this AWS account or AWS Organization";

/// From July 2024 to 24 November 2025 CodeCommit admitted no new accounts.
/// <https://aws.amazon.com/blogs/devops/aws-codecommit-returns-to-general-availability/>
const NEW_TO_CODECOMMIT: &str = "Create one repository in the CodeCommit console, or ask AWS Support to enable \
    CodeCommit for the account, and deploy again: CodeCommit has been open to all accounts again since \
    24 November 2025, but this account still has the earlier restriction";

/// The rejection of the repository `name`. With `untagged`, its tag may have been removed.
pub fn repository_is_held(
    name: &str,
    location: &AwsLocation,
    stack_name: &str,
    untagged: bool,
) -> Reason {
    let problem = format!(
        "creating repository {name}: it exists and no earlier stack of this pipeline left it"
    );
    let mut remedy = Remedy::from("Set Source.RepositoryName to it, or choose another ProjectID");
    if untagged {
        let command = aws([
            "codecommit",
            "tag-resource",
            "--resource-arn",
            &location.arn("codecommit", name),
            "--tags",
            &format!("{STACK_NAME_TAG}={stack_name}"),
        ]);
        let again = ". If an earlier pipeline of this name left it, add its tag again with ";
        remedy = remedy.then(command.after(again));
    }
    Reason::new(Code::RepositoryHeld, problem, remedy)
}

pub fn own_repository_given(name: &str) -> Reason {
    let problem = format!(
        "Source.RepositoryName: {name} is the repository that this pipeline created, and the change \
         would delete it"
    );
    Reason::new(Code::RepositoryHeld, problem, "Remove Source")
}

const PASSED_ROLE: &str = "Use the ServiceToken of the environment EnvID: the provider stack lets the function \
    pass only the provisioning role of its own environment";
const ALLOW_REPOSITORY: &str = "Use a repository that the provider stack's parameter RepositoryNames allows, \
    or change that parameter";
const ALLOW_SOURCE_ROLE: &str = "Add the role to the provider stack's parameter SourceRoleArns, and the \
    function's role to the role's trust policy";
const DEPLOY_PROVIDER: &str = "Deploy the provider stack again, which creates the function's role";
const OWN_ENVIRONMENT: &str = "Use the ServiceToken of the environment EnvID: the provider stack allows this \
    in its own environment only";

pub fn with_remedy(error: CallError) -> CallError {
    let code = error.code.as_deref().unwrap_or_default();
    if code.starts_with("TokenAlreadyExists") {
        return error.with_reason_code(Code::StackFailed).with_remedy(
            "Read its events in the console, among the deleted stacks: this request has created the stack \
             before, and it failed or was deleted since",
        );
    }
    error.with_remedy_on_denial(|error| {
        match error.denied_action() {
            _ if error.cause.contains("iam:PassRole") => PASSED_ROLE,
            ("sts", _) => ALLOW_SOURCE_ROLE,
            ("codecommit", "DeleteRepository" | "UpdateDefaultBranch") => OWN_ENVIRONMENT,
            // IAM authorizes an association by the repository's name.
            ("codecommit", call)
                if call.contains("ApprovalRuleTemplate") && !call.contains("ssociate") =>
            {
                DEPLOY_PROVIDER
            }
            ("codecommit", _) => ALLOW_REPOSITORY,
            _ => OWN_ENVIRONMENT,
        }
    })
}

#[cfg(test)]
mod tests;
