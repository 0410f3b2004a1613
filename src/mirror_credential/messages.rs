//! The texts of errors and warnings: the failure, its cause, and the remedy.

use crate::clients::aws::CallError;
use crate::clients::gitlab::Destination;
use crate::common::commands::{aws, delete_credential, delete_secret, restore_secret};
use crate::common::reason_codes::Code;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::Owner;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{Credential, Secret, SecretOrigin};
use cfn_custom_resource::{Command, Reason, Remedy};

const ALLOW_USER: &str = "Set UserName to one that the provider stack's parameter MirrorUserNames allows, or \
    change that parameter";
const ALLOW_SECRET: &str = "Use a secret and a key that the provider stack's parameters MirrorSecretNames \
    and MirrorSecretKmsKeyArn allow, or change these parameters. If the secret has a customer managed key, \
    allow the function's role in the policy of the key, too";
const ALLOW_REPOSITORY: &str = "Use a repository that the provider stack's parameter RepositoryNames allows, \
    or change that parameter";
const ALLOW_STACKS: &str = "Deploy the provider stack again, whose template allows \
    cloudformation:DescribeStackResource";

/// Adds to a denied call the parameter that would allow it.
pub fn with_permission(error: CallError) -> CallError {
    error.with_remedy_on_denial(|error| match error.denied_action().0 {
        "secretsmanager" | "kms" => ALLOW_SECRET,
        "codecommit" => ALLOW_REPOSITORY,
        "cloudformation" => ALLOW_STACKS,
        _ => ALLOW_USER,
    })
}

/// The remedy where the later request is most often the wanted one.
pub const REPEAT_IF_WANTED: &str = "Repeat the stack operation if its result is still wanted";

pub fn superseded_by_delete() -> Reason {
    let problem = "the deletion of the resource superseded this request";
    Reason::new(Code::OvertakenByDelete, problem, REPEAT_IF_WANTED)
}

pub fn user_is_missing(name: &str) -> Reason {
    let problem = format!("reading user {name}: there is no IAM user of that name in this account");
    let remedy =
        "Create it, and set UserName to its name, with `!Ref` if the same stack creates it";
    Reason::new(Code::UserMissing, problem, remedy)
}

pub fn later_request() -> Reason {
    let problem = "a later request has superseded this one";
    Reason::new(Code::OvertakenByRequest, problem, REPEAT_IF_WANTED)
}

/// A Delete that is older than the latest change of its secret. It is a late copy, to which
/// CloudFormation no longer listens, or a forged request came between. As only its failure is true
/// in both cases, it fails.
pub fn outdated_delete(secret: &str) -> CallError {
    let cause = "a later request has changed it, so it and its login are left";
    let remedy = "If the stack is in DELETE_FAILED, delete it again. If it no longer has the resource, \
        delete the user's credential and the secret by hand";
    let doing = format!("deleting secret {secret}");
    CallError::local(Code::OvertakenByRequest, doing, cause).with_remedy(remedy)
}

pub fn user_is_held(name: &str, own: &Owner, owner: &Owner) -> Reason {
    if owner.stack_id == own.stack_id {
        let problem = format!(
            "using user {name}: it belongs to {} of this very stack",
            owner.logical_id
        );
        let remedy = "Use another user. To rename the resource, remove it in one deployment and add it under its \
                      new name in the next";
        return Reason::new(Code::UserHeld, problem, remedy);
    }
    let problem = format!(
        "using user {name}: it belongs to {} of stack {}",
        owner.logical_id, owner.stack_id,
    );
    let release = aws([
        "iam",
        "untag-user",
        "--user-name",
        name,
        "--tag-keys",
        intent_log::STACK_ID,
        intent_log::LOGICAL_ID,
    ]);
    let remedy = release.after("Use another user. If that stack is gone, release the user with ");
    Reason::new(Code::UserHeld, problem, remedy)
}

/// The rejection of the secret `name`, which has the tags of another resource than `own`, or of
/// none. No remedy deletes one that may hold a live login.
pub fn secret_is_held(name: &str, own: &Owner, owner: Option<&Owner>) -> Reason {
    let (held, remedy) = match owner {
        Some(owner) => {
            let (stack_id, logical_id) = (&owner.stack_id, &owner.logical_id);
            let held = format!("it belongs to {logical_id} of stack {stack_id}");
            let give = "Choose another SecretName. If that stack is gone, give the secret to this resource with ";
            let free = ". If its user has no CodeCommit credential any more either, you can free the name with ";
            let remedy =
                tag_command(name, own, None).after(give).then(delete_secret(name).after(free));
            (held, remedy)
        }
        None => (
            "it exists, and no tags name its owner".to_owned(),
            Remedy::from("Choose another SecretName"),
        ),
    };
    let problem = format!("using secret {name}: {held}");
    Reason::new(Code::SecretHeld, problem, remedy)
}

/// The failure of a request for the secret `name` of its own physical ID, which no tags give to a
/// resource.
pub fn secret_is_untagged(
    name: &str,
    own: &Owner,
    user_name: Option<&str>,
    tagged: &SecretOrigin,
) -> Reason {
    let except = own.except_stack(tagged.stack_id.as_deref());
    let problem = format!("using secret {name}: the tags that name its owner are missing{except}");
    let give = tag_command(name, own, user_name);
    let remedy = give
        .after("If it is this resource's, set them with ")
        .then(", and deploy again");
    Reason::new(Code::SecretHeld, problem, remedy)
}

/// The same for a Delete.
pub fn untagged_secret_is_left(
    name: &str,
    own: &Owner,
    user_name: Option<&str>,
    secret: Option<&Secret>,
) -> CallError {
    let tagged = secret.and_then(|secret| secret.origin.stack_id.as_deref());
    let except = own.except_stack(tagged);
    let cause =
        format!("the tags that name its owner are missing{except}, so it and its login are left");
    let otherwise = format!(
        ", and delete the stack again. If it is another's, delete the stack with \
         `--retain-resources {}`",
        own.logical_id
    );
    let mut remedy = Remedy::from("If it is this resource's, ");
    if secret.is_some_and(|secret| secret.deleted_at.is_some()) {
        remedy = remedy.then(restore_secret(name).after("restore it with ").then(", "));
    }
    let give = tag_command(name, own, user_name);
    let remedy = remedy.then(give.after("set them with ").then(otherwise));
    CallError::local(Code::SecretHeld, format!("deleting secret {name}"), cause).with_remedy(remedy)
}

/// The command with which a person gives the secret `name` to the resource `owner`.
pub fn tag_command(name: &str, owner: &Owner, user_name: Option<&str>) -> Command {
    let tag = |key: &str, value: &str| format!("Key={key},Value={value}");
    let command = aws([
        "secretsmanager",
        "tag-resource",
        "--secret-id",
        name,
        "--tags",
        &tag(intent_log::STACK_ID, &owner.stack_id),
        &tag(intent_log::LOGICAL_ID, &owner.logical_id),
    ]);
    command.with(user_name.map(|name| tag(intent_log::USER_NAME, name)))
}

/// The credentials that a Delete leaves on a user that no tags give to a resource.
pub fn credentials_are_left(user_name: &str, ids: &[String]) -> Reason {
    let problem = format!(
        "no tags name the owner of user {user_name}, so its CodeCommit credentials are left: {}",
        ids.join(", ")
    );
    let remedy = delete_credential(user_name, "<ID>").after("Delete each that nothing uses with ");
    Reason::new(Code::ForeignCredentials, problem, remedy)
}

pub fn not_in_progress(spec: &Spec, held_for: &str, owner: &Owner) -> Reason {
    let problem = format!(
        "moving the login of user {} from secret {held_for} to secret {}: CloudFormation does not show \
         that stack {} is updating {}",
        spec.user_name, spec.secret_name, owner.stack_id, owner.logical_id,
    );
    Reason::new(Code::MoveNotVerified, problem, "Repeat the stack operation")
}

const CHANGE_SECRET_NAME: &str = "To use another user, change SecretName too";

/// The rejection of another `UserName` under the same `SecretName`. CloudFormation's rollback sends
/// the properties swapped, so only the secret shows which user is the right one.
pub fn user_name_differs(spec: &Spec, secret: &Secret) -> Option<Reason> {
    let (secret_name, user_name) = (&spec.secret_name, &spec.user_name);
    if secret.is_for_user(user_name) {
        return None;
    }
    let holder = secret.origin.user_name.as_ref().filter(|holder| secret.is_for_user(holder));
    let holder = holder.map_or_else(|| "another user".to_owned(), |name| format!("user {name}"));
    let problem = format!(
        "changing UserName to {user_name}: secret {secret_name} holds the login of {holder}"
    );
    Some(Reason::new(
        Code::UserNameChanged,
        problem,
        CHANGE_SECRET_NAME,
    ))
}

/// The rejection of another `UserName` under a `SecretName` whose secret was deleted by hand.
pub fn user_name_changes(spec: &Spec) -> Reason {
    let (secret_name, user_name) = (&spec.secret_name, &spec.user_name);
    let problem =
        format!("changing UserName to {user_name}: SecretName {secret_name} stays the same");
    Reason::new(Code::UserNameChanged, problem, CHANGE_SECRET_NAME)
}

pub fn secret_is_scheduled(name: &str) -> Reason {
    let problem =
        format!("creating secret {name}: a secret of that name is scheduled for deletion");
    let remedy = restore_secret(name)
        .after("Restore it with ")
        .then(", or choose another SecretName");
    Reason::new(Code::SecretScheduled, problem, remedy)
}

pub fn foreign_in_the_way(user_name: &str, foreign: &[&Credential]) -> Reason {
    let ids: Vec<&str> = foreign.iter().map(|credential| credential.id.as_str()).collect();
    let problem = format!(
        "issuing a credential for user {user_name}: it holds CodeCommit credentials that this \
         resource did not issue: {}",
        ids.join(", ")
    );
    let mut remedy = Remedy::default();
    let mut before = "Remove them with ";
    for id in ids {
        remedy = remedy.then(delete_credential(user_name, id).after(before));
        before = " and ";
    }
    let remedy = remedy.then(", or set ForeignCredentials to Delete");
    Reason::new(Code::ForeignCredentials, problem, remedy)
}

pub fn stays_inactive(user_name: &str, id: &str, error: &Reason) -> Reason {
    let problem = format!(
        "the credential {id} of user {user_name} stays inactive, so its login does not work. It was not \
         replaced: {}",
        error.problem
    );
    let remedy = error.remedy.clone().then(". Then change RotationSerial");
    Reason::new(Code::CredentialInactive, problem, remedy)
}

pub fn both_slots_taken(user_name: &str) -> Reason {
    let problem = format!(
        "issuing a credential for user {user_name}: both of its slots for CodeCommit credentials are \
         taken, and the second is needed to change the first"
    );
    let list = [
        "iam",
        "list-service-specific-credentials",
        "--user-name",
        user_name,
    ];
    let then = ", and delete the one that nothing uses";
    let remedy = aws(list).after("List them with ").then(then);
    Reason::new(Code::NoFreeSlot, problem, remedy)
}

const PROTECT: &str = "Protect it in the project itself (Settings, Repository, Protected branches): a group's \
    protection does not count. Or set OnlyProtectedBranches to false";

pub fn branch_is_not_protected(
    mirror: usize,
    project: &str,
    branch: &str,
    is_complete: bool,
) -> Reason {
    let limit = if is_complete {
        ""
    } else {
        ". GitLab lists only 100 protected branches: if it is protected, remove it from RequiredBranches"
    };
    let problem = format!(
        "Mirrors[{mirror}].RequiredBranches: branch {branch} of project {project} is not protected, so \
         GitLab would not mirror it"
    );
    Reason::new(
        Code::BranchNotMirrored,
        problem,
        format!("{PROTECT}{limit}"),
    )
}

/// A branch, or a pattern, that a mirror does not push, and that a pipeline `needs`.
pub fn needed_branch_is_not_mirrored(project: &str, branch: &str, needs: &str) -> Reason {
    let problem = format!(
        "branch {branch} of project {project}, which {needs}, is not protected, so GitLab does not mirror it"
    );
    let remedy = format!("{PROTECT}. Then press the mirror's update button");
    Reason::new(Code::BranchNotMirrored, problem, remedy)
}

/// GitLab does not have the branch that a pipeline `needs`.
pub fn needed_branch_is_gone(project: &str, branch: &str, needs: &str) -> Reason {
    let problem = format!("project {project} has no branch {branch}, which {needs}");
    let remedy = "Set BranchMap (in the templates: BranchName) to the branch that is deployed now, and protect \
        that one. Or push the former branch again";
    Reason::new(Code::BranchNotMirrored, problem, remedy)
}

pub fn every_branch_is_pushed(mirror: &str, project: &str) -> Reason {
    let problem = format!(
        "{mirror}: GitLab would push every branch of project {project}, because the project itself \
         protects none (a group's protection does not count)"
    );
    let remedy = "Protect the branches to mirror in the project (Settings, Repository, Protected branches), or \
         set OnlyProtectedBranches to false";
    Reason::new(Code::PushesEveryBranch, problem, remedy)
}

/// GitLab ignores CodeCommit's rejection: assumption `codecommit-accepts-no-lfs`.
pub fn lfs_is_not_mirrored(project: &str, bytes: u64) -> Reason {
    let problem = format!(
        "project {project} has {bytes} bytes of Git LFS objects. If CodeCommit does not accept them, builds \
         get LFS pointer files instead"
    );
    let remedy = "Store the files that builds need in git itself or in S3";
    Reason::new(Code::LfsNotMirrored, problem, remedy)
}

pub fn mirror_is_given_twice(first: usize, second: usize, number: u64) -> Reason {
    let problem = format!(
        "Mirrors[{second}] mirrors the same project ({number}) to the same repository as Mirrors[{first}]"
    );
    Reason::new(Code::InvalidProperties, problem, "Remove one of them")
}

pub fn mirror_stays_disabled(project: &str, id: u64) -> Reason {
    let problem =
        format!("enabling push mirror {id} of project {project}: GitLab keeps it disabled");
    let remedy = "Check whether silent mode is on, mirroring is switched off for the instance, or the \
        project is being deleted";
    Reason::new(Code::MirrorsDisabled, problem, remedy)
}

pub fn claims_are_not_shown(secret_name: &str) -> Reason {
    let problem = format!(
        "recording the request in secret {secret_name}: Secrets Manager shows none of its records as the \
         latest one"
    );
    let remedy = "Repeat the stack operation when no other one of this secret runs";
    Reason::new(Code::AwsUnavailable, problem, remedy)
}

pub fn mirror_shown_elsewhere(
    record: &MirrorRecord,
    shown: &Destination,
    clone_url: &str,
) -> Reason {
    let (project, id) = (record.shown_project(), record.id);
    let problem = format!(
        "reading push mirror {id} of project {project}: GitLab shows its address as {shown}, and not as \
         {clone_url}"
    );
    let remedy = "If a proxy before GitLab rewrites addresses in responses, let it pass this one unchanged. \
        If GitLab's page shows that address, too, another mirror has this number, as after a restore of a \
        backup: remove the mirror from Mirrors, update the stack, and add it again";
    Reason::new(Code::MirrorNotShown, problem, remedy)
}

pub fn mirror_is_not_found(project: &str, id: u64) -> Reason {
    let problem = format!(
        "reading push mirror {id} of project {project}: GitLab created it and did not find it, twice in \
         a row"
    );
    let remedy = "Check whether a person or a job removes new mirrors, or a proxy before GitLab changes \
        responses, then remove the mirrors that are left in the project's Settings, Repository";
    Reason::new(Code::MirrorNotShown, problem, remedy)
}

const ROTATE_AGAIN: &str =
    "Wait for the next rotation, or start one with `aws secretsmanager rotate-secret`";

pub fn not_pending(version_id: &str) -> Reason {
    let problem =
        format!("version {version_id} is not under AWSPENDING: no rotation of it is in progress");
    Reason::new(Code::RotationNotPending, problem, ROTATE_AGAIN)
}

pub fn stack_is_changing() -> Reason {
    let problem = "a change of the stack is in progress";
    let remedy = "Wait until it has ended: Secrets Manager repeats the step";
    Reason::new(Code::RotationDeferred, problem, remedy)
}

pub fn nothing_to_rotate() -> Reason {
    let problem = "the secret holds no login of Custom::MirrorCredential";
    Reason::new(Code::NothingToRotate, problem, "Update its stack first")
}

pub fn not_prepared(version_id: &str) -> Reason {
    let problem = format!("version {version_id} holds no login: createSecret has to come first");
    Reason::new(Code::RotationNotPending, problem, ROTATE_AGAIN)
}

pub fn version_is_taken(version_id: &str) -> Reason {
    let problem =
        format!("storing the login of version {version_id}: it holds another login already");
    Reason::new(Code::RotationOvertaken, problem, ROTATE_AGAIN)
}

pub fn rotation_is_overtaken(version_id: &str) -> Reason {
    let problem = format!("a change of the stack superseded the rotation to version {version_id}");
    Reason::new(Code::RotationOvertaken, problem, ROTATE_AGAIN)
}

pub fn mirrors_have_changed(version_id: &str) -> Reason {
    let problem = format!(
        "the mirrors of version {version_id} no longer exist, or the properties name others"
    );
    Reason::new(Code::RotationOvertaken, problem, ROTATE_AGAIN)
}

#[cfg(test)]
mod tests {
    use crate::mirror_credential::messages::*;

    fn denied(action: &'static str, message: &str) -> String {
        let doing = "tagging user secret repository".to_owned();
        let error = CallError::answered(doing, action, 403, Some("AccessDenied"), Some(message));
        with_permission(with_permission(error)).reason().to_string()
    }

    #[test]
    fn denied_call_names_its_parameter() {
        for (action, parameter) in [
            ("iam:TagUser", "parameter MirrorUserNames"),
            (
                "secretsmanager:CreateSecret",
                "parameters MirrorSecretNames",
            ),
            ("kms:GenerateDataKey", "MirrorSecretKmsKeyArn"),
            ("codecommit:GetRepository", "parameter RepositoryNames"),
        ] {
            let cause = format!("User: u is not authorized to perform: {action} on x");
            let said = denied("iam:TagUser", &cause);
            assert_eq!(said.matches("the provider stack").count(), 1, "{said}");
            assert!(said.contains(parameter), "{said}");
        }
        let said = denied("secretsmanager:CreateSecret", "no");
        assert!(said.contains("parameters MirrorSecretNames"), "{said}");
        assert!(said.contains("in the policy of the key"), "{said}");
    }

    #[test]
    fn denial_by_another_policy_names_no_parameter() {
        for why in [
            "with an explicit deny in a service control policy",
            "because no permissions boundary allows the iam:TagUser action",
            "because no service control policy allows the iam:TagUser action",
        ] {
            let cause =
                format!("User: u is not authorized to perform: iam:TagUser on resource: x {why}");
            let said = denied("iam:TagUser", &cause);
            assert!(said.contains("no parameter"), "{said}");
            assert!(!said.contains("MirrorUserNames"), "{said}");
        }
    }
}
