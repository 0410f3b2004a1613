//! The texts of errors and warnings: the failure, its cause, and the remedy.

use crate::clients::aws::CallError;
use crate::clients::gitlab::{Destination, PushesEverything};
use crate::common::reason_codes::Code;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::Owner;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{Credential, Secret};
use cfn_custom_resource::Reason;

const USERS_HINT: &str = "the provider stack's parameter MirrorUserNames sets which users this \
    function may manage";
const SECRETS_HINT: &str = "the provider stack's parameters MirrorSecretNames and \
    MirrorSecretKmsKeyArn set which secrets and which keys this function may use";

const REPOSITORIES_HINT: &str = "the provider stack's parameter RepositoryNames sets which \
    repositories this function may look up";

const STACKS_HINT: &str = "deploy the provider stack again, whose template allows \
    cloudformation:DescribeStackResource";

/// Adds to a denied call which parameter would allow it.
pub fn with_permission_hint(error: CallError) -> CallError {
    error.with_advice_on_denial(|error| match error.denied_action().0 {
        "secretsmanager" | "kms" => SECRETS_HINT,
        "codecommit" => REPOSITORIES_HINT,
        "cloudformation" => STACKS_HINT,
        _ => USERS_HINT,
    })
}

pub fn superseded_by_delete() -> Reason {
    let text = "the deletion of the resource superseded this request";
    Reason::new(Code::OvertakenByDelete, text)
}

pub fn user_is_missing(name: &str) -> Reason {
    let text = format!("reading user {name}: there is no IAM user of that name");
    Reason::new(Code::UserMissing, text)
}

/// A later request has changed the secret.
pub fn later_request() -> Reason {
    let text = "a later request has superseded this one";
    Reason::new(Code::OvertakenByRequest, text)
}

/// A Delete that is older than the latest change of its secret. It is a late copy, to which
/// CloudFormation no longer listens, or a forged request came between. As only its failure is true
/// in both cases, it fails.
pub fn outdated_delete(secret: &str) -> CallError {
    let cause = "a later request has changed it, so it and its login are left. If the stack is in \
        DELETE_FAILED, delete it again. If it no longer has the resource, delete the user's \
        credential and the secret by hand";
    let doing = format!("deleting secret {secret}");
    CallError::local(Code::OvertakenByRequest, doing, cause)
}

pub fn user_is_held(name: &str, owner: &Owner) -> Reason {
    let text = format!(
        "using user {name}: it belongs to {} of stack {}; if that stack is gone, release the user \
         with `aws iam untag-user --user-name {name} --tag-keys {} {}`",
        owner.logical_id,
        owner.stack_id,
        intent_log::STACK_ID,
        intent_log::LOGICAL_ID,
    );
    Reason::new(Code::UserHeld, text)
}

/// The secret belongs to another resource, or to no resource of cfn-gitops.
pub fn secret_is_held(name: &str, owner: Option<&Owner>) -> Reason {
    let release = format!(
        "`aws secretsmanager delete-secret --secret-id {name} --force-delete-without-recovery`"
    );
    let text = match owner {
        Some(owner) => format!(
            "using secret {name}: it belongs to {} of stack {}; if that stack is gone, release the \
             name with {release}",
            owner.logical_id, owner.stack_id,
        ),
        None => format!(
            "using secret {name}: it exists and was not created by Custom::MirrorCredential; choose \
             another SecretName, or free the name with {release}"
        ),
    };
    Reason::new(Code::SecretHeld, text)
}

/// The rejection of a request that moves a login, and that CloudFormation does not seem to have
/// sent.
pub fn not_in_progress(spec: &Spec, held_for: &str, owner: &Owner) -> Reason {
    let text = format!(
        "moving the login of user {} from secret {held_for} to secret {}: CloudFormation does not show \
         that stack {} is updating {}. Repeat the stack operation",
        spec.user_name, spec.secret_name, owner.stack_id, owner.logical_id,
    );
    Reason::new(Code::MoveNotVerified, text)
}

/// The rejection of another `UserName` under the same `SecretName`. CloudFormation's rollback sends
/// the properties swapped, so only the secret shows which user is the right one.
pub fn user_name_differs(spec: &Spec, secret: &Secret) -> Option<Reason> {
    let (secret_name, user_name) = (&spec.secret_name, &spec.user_name);
    if secret.is_for_user(user_name) {
        return None;
    }
    let holder = secret.origin.user_name.as_ref();
    let holder = holder.filter(|holder| secret.is_for_user(holder));
    let holder = holder.map_or_else(|| "another user".to_owned(), |name| format!("user {name}"));
    let text = format!(
        "changing UserName to {user_name}: secret {secret_name} holds the login of {holder}. To use \
         another user, change SecretName too"
    );
    Some(Reason::new(Code::UserNameChanged, text))
}

/// The rejection of another `UserName` under a `SecretName` whose secret was deleted by hand.
pub fn user_name_changes(spec: &Spec) -> Reason {
    let (secret_name, user_name) = (&spec.secret_name, &spec.user_name);
    let text = format!(
        "changing UserName to {user_name}: SecretName {secret_name} stays the same. To use another \
         user, change SecretName too"
    );
    Reason::new(Code::UserNameChanged, text)
}

/// The rejection of a name whose secret is scheduled for deletion.
pub fn secret_is_scheduled(name: &str) -> Reason {
    let text = format!(
        "creating secret {name}: a secret of that name is scheduled for deletion; restore it with \
         `aws secretsmanager restore-secret --secret-id {name}`, or free the name with `aws \
         secretsmanager delete-secret --secret-id {name} --force-delete-without-recovery`"
    );
    Reason::new(Code::SecretScheduled, text)
}

/// Foreign credentials take the slots.
pub fn foreign_in_the_way(user_name: &str, foreign: &[&Credential]) -> Reason {
    let ids: Vec<&str> = foreign
        .iter()
        .map(|credential| credential.id.as_str())
        .collect();
    let removal: Vec<String> = ids
        .iter()
        .map(|id| {
            format!(
                "`aws iam delete-service-specific-credential --user-name {user_name} \
                 --service-specific-credential-id {id}`"
            )
        })
        .collect();
    let text = format!(
        "issuing a credential for user {user_name}: it holds CodeCommit credentials that this \
         resource did not issue: {}; remove them with {}, or set ForeignCredentials to Delete",
        ids.join(", "),
        removal.join(" and ")
    );
    Reason::new(Code::ForeignCredentials, text)
}

/// The current credential is inactive, and `error` prevented its replacement.
pub fn stays_inactive(user_name: &str, id: &str, error: &Reason) -> Reason {
    let text = format!(
        "the credential {id} of user {user_name} stays inactive, so its login does not work. It was not \
         replaced: {}. Remove this cause, then change RotationSerial",
        error.text
    );
    Reason::new(Code::CredentialInactive, text)
}

/// IAM has no free slot for a credential.
pub fn both_slots_taken(user_name: &str) -> Reason {
    let text = format!(
        "issuing a credential for user {user_name}: both of its slots for CodeCommit credentials are \
         taken; the second is needed to change the first"
    );
    Reason::new(Code::NoFreeSlot, text)
}

/// The mirror does not push a required branch, because GitLab does not protect it.
pub fn branch_is_not_protected(
    mirror: usize,
    project: &str,
    branch: &str,
    is_complete: bool,
) -> Reason {
    let limit = if is_complete {
        ""
    } else {
        " (GitLab lists only 100 protected branches: if it is protected, remove it from \
         RequiredBranches)"
    };
    let text = format!(
        "Mirrors[{mirror}].RequiredBranches: branch {branch} of project {project} is not protected, so \
         GitLab would not mirror it{limit}. Protect it in the project itself (Settings, Repository, \
         Protected branches): a group's protection does not count. Or set OnlyProtectedBranches to \
         false"
    );
    Reason::new(Code::BranchNotMirrored, text)
}

/// GitLab would push every branch through the mirror `mirror`, although its settings select some
/// branches.
pub fn every_branch_is_pushed(
    mirror: &str,
    project: &str,
    reason: &PushesEverything,
    regex: Option<&str>,
) -> Reason {
    let text = match reason {
        PushesEverything::NothingProtected => format!(
            "{mirror}: GitLab would push every branch of project {project}, because the project \
             itself protects none (a group's protection does not count). Protect the branches to \
             mirror in the project (Settings, Repository, Protected branches), or set \
             OnlyProtectedBranches to false"
        ),
        PushesEverything::NothingMatches => format!(
            "{mirror}: GitLab would push every branch of project {project}, because no existing \
             branch matches BranchRegex {:?}. Create a branch that matches, or correct BranchRegex",
            regex.unwrap_or_default()
        ),
    };
    Reason::new(Code::PushesEveryBranch, text)
}

/// CodeCommit does not accept Git LFS objects, and GitLab does not report that.
pub fn lfs_is_not_mirrored(project: &str, bytes: u64) -> Reason {
    let text = format!(
        "project {project} has {bytes} bytes of Git LFS objects, which CodeCommit does not accept: \
         builds get LFS pointer files instead"
    );
    Reason::new(Code::LfsNotMirrored, text)
}

pub fn mirror_stays_disabled(project: &str, id: u64) -> Reason {
    let text = format!(
        "enabling push mirror {id} of project {project}: GitLab keeps it disabled. Check whether silent \
         mode is on, mirroring is switched off for the instance, or the project is being deleted"
    );
    Reason::new(Code::MirrorsDisabled, text)
}

/// None of the claims of this delivery became the latest entry of the log.
pub fn claims_are_not_shown(secret_name: &str) -> Reason {
    let text = format!(
        "writing a claim into secret {secret_name}: Secrets Manager shows none of the claims of this \
         request as the latest one. Repeat the stack operation when no other one of this secret runs"
    );
    Reason::new(Code::AwsUnavailable, text)
}

/// GitLab shows a mirror of this resource with the address `shown`.
pub fn mirror_shown_elsewhere(
    record: &MirrorRecord,
    shown: &Destination,
    clone_url: &str,
) -> Reason {
    let MirrorRecord { project, id, .. } = record;
    let text = format!(
        "reading push mirror {id} of project {project}: GitLab shows its address as {shown}, and not as \
         {clone_url}. Check whether a proxy before GitLab rewrites addresses in responses, and let it \
         pass this one unchanged"
    );
    Reason::new(Code::MirrorNotShown, text)
}

/// GitLab did not find the mirrors of a project that it had created.
pub fn mirror_is_not_found(project: &str, id: u64) -> Reason {
    let text = format!(
        "reading push mirror {id} of project {project}: GitLab created it and did not find it, twice in \
         a row. Check whether a person or a job removes new mirrors, or a proxy before GitLab changes \
         responses, then remove the mirrors that are left in the project's Settings, Repository"
    );
    Reason::new(Code::MirrorNotShown, text)
}

pub fn not_pending(version_id: &str) -> Reason {
    let text =
        format!("version {version_id} is not under AWSPENDING: no rotation of it is in progress");
    Reason::new(Code::RotationNotPending, text)
}

/// A rotation waits until CloudFormation's request has ended.
pub fn stack_is_changing() -> Reason {
    let text = "a change of the stack is in progress";
    Reason::new(Code::RotationDeferred, text)
}

/// The secret holds no login to replace.
pub fn nothing_to_rotate() -> Reason {
    let text = "the secret holds no login of Custom::MirrorCredential: update its stack first";
    Reason::new(Code::NothingToRotate, text)
}

/// The rotation has stored no login in its version.
pub fn not_prepared(version_id: &str) -> Reason {
    let text = format!("version {version_id} holds no login: createSecret has to come first");
    Reason::new(Code::RotationNotPending, text)
}

/// A stack update or another rotation superseded the rotation.
pub fn rotation_is_overtaken(version_id: &str) -> Reason {
    let text = format!("a change of the stack superseded the rotation to version {version_id}");
    Reason::new(Code::RotationOvertaken, text)
}

/// The mirrors in GitLab are not those that the rotation created.
pub fn mirrors_have_changed(version_id: &str) -> Reason {
    let text = format!(
        "the mirrors of version {version_id} no longer exist, or the properties name others"
    );
    Reason::new(Code::RotationOvertaken, text)
}

#[cfg(test)]
mod tests {
    use crate::mirror_credential::messages::*;

    fn denied(error_type: &'static str, cause: &str) -> String {
        let error = CallError {
            error_type,
            code: Some("AccessDenied".to_owned()),
            ..CallError::local(Code::AwsDenied, "tagging user secret repository", cause)
        };
        with_permission_hint(with_permission_hint(error)).to_string()
    }

    #[test]
    fn denied_call_names_its_parameter_once() {
        for (action, parameter) in [
            ("iam:TagUser", "parameter MirrorUserNames"),
            (
                "secretsmanager:CreateSecret",
                "parameters MirrorSecretNames",
            ),
            ("kms:GenerateDataKey", "MirrorSecretKmsKeyArn"),
            ("codecommit:GetRepository", "parameter RepositoryNames"),
        ] {
            let cause =
                format!("AccessDenied: User: u is not authorized to perform: {action} on x");
            let said = denied("aws_sdk_iam::TagUserError", &cause);
            assert_eq!(said.matches("the provider stack").count(), 1, "{said}");
            assert!(said.contains(parameter), "{said}");
        }
        let said = denied("aws_sdk_secretsmanager::E", "AccessDenied: no");
        assert!(said.contains("parameters MirrorSecretNames"), "{said}");
    }

    #[test]
    fn denial_by_another_policy_names_no_parameter() {
        for why in [
            "with an explicit deny in a service control policy",
            "because no permissions boundary allows the iam:TagUser action",
            "because no service control policy allows the iam:TagUser action",
        ] {
            let cause = format!(
                "AccessDenied: User: u is not authorized to perform: iam:TagUser on resource: x {why}"
            );
            let said = denied("aws_sdk_iam::TagUserError", &cause);
            assert!(said.contains("no parameter"), "{said}");
            assert!(!said.contains("MirrorUserNames"), "{said}");
        }
    }
}
