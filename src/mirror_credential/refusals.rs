//! Why something is refused, and what a person can do about it.

use super::observe::{Credential, Secret};
use super::properties::Desired;
use super::records::{self, Owner};
use crate::gitlab::PushesEverything;

/// The user belongs to another resource.
pub fn user_is_held(name: &str, owner: &Owner) -> String {
    format!(
        "taking user {name}: it belongs to {} of stack {}; if that stack is gone, release the user \
         with `aws iam untag-user --user-name {name} --tag-keys {} {}`",
        owner.logical_id,
        owner.stack_id,
        records::STACK_ID,
        records::LOGICAL_ID,
    )
}

/// The secret belongs to another resource, or to nobody of ours.
pub fn secret_is_held(name: &str, owner: Option<&Owner>) -> String {
    let release = format!(
        "`aws secretsmanager delete-secret --secret-id {name} --force-delete-without-recovery`"
    );
    match owner {
        Some(owner) => format!(
            "taking secret {name}: it belongs to {} of stack {}; if that stack is gone, release the \
             name with {release}",
            owner.logical_id, owner.stack_id,
        ),
        None => format!(
            "taking secret {name}: it exists and was not made by Custom::MirrorCredential; choose \
             another SecretName, or free the name with {release}"
        ),
    }
}

/// The rejection of a request that moves a login, and that CloudFormation does not seem to have sent.
pub fn not_in_progress(desired: &Desired, held_for: &str, owner: &Owner) -> String {
    format!(
        "moving the login of user {} from secret {held_for} to secret {}: CloudFormation does not show \
         that stack {} is updating {}. Repeat the stack operation",
        desired.user_name, desired.secret_name, owner.stack_id, owner.logical_id,
    )
}

/// The rejection of another `UserName` under the same `SecretName`. CloudFormation's rollback sends
/// the properties swapped, so only the secret shows which user is the right one.
pub fn user_name_differs(desired: &Desired, secret: &Secret) -> Option<String> {
    let (secret_name, user_name) = (&desired.secret_name, &desired.user_name);
    if secret.is_for_user(user_name) {
        return None;
    }
    let holder = secret.user_name.as_ref();
    let holder = holder.filter(|holder| secret.is_for_user(holder));
    let holder = holder.map_or_else(|| "another user".to_owned(), |name| format!("user {name}"));
    Some(format!(
        "changing UserName to {user_name}: secret {secret_name} holds the login of {holder}. To use \
         another user, change SecretName too"
    ))
}

/// The rejection of another `UserName` under a `SecretName` whose secret was deleted by hand.
pub fn user_name_changes(desired: &Desired) -> String {
    let (secret_name, user_name) = (&desired.secret_name, &desired.user_name);
    format!(
        "changing UserName to {user_name}: SecretName {secret_name} stays the same. To use another \
         user, change SecretName too"
    )
}

/// The refusal of a name whose secret is scheduled for deletion.
pub fn secret_is_scheduled(name: &str) -> String {
    format!(
        "creating secret {name}: a secret of that name is scheduled for deletion; bring it back with \
         `aws secretsmanager restore-secret --secret-id {name}`, or free the name with `aws \
         secretsmanager delete-secret --secret-id {name} --force-delete-without-recovery`"
    )
}

/// Credentials of other origin take the slots.
pub fn foreign_in_the_way(user_name: &str, foreign: &[&Credential]) -> String {
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
    format!(
        "issuing a credential for user {user_name}: it holds CodeCommit credentials that this \
         resource did not issue: {}; remove them with {}, or set ForeignCredentials to Delete",
        ids.join(", "),
        removal.join(" and ")
    )
}

/// There is no slot to issue in.
pub fn both_slots_taken(user_name: &str) -> String {
    format!(
        "issuing a credential for user {user_name}: both of its slots for CodeCommit credentials are \
         taken; the second is needed to change the first"
    )
}

/// A branch that has to be mirrored is not.
pub fn branch_is_not_protected(
    mirror: usize,
    project: &str,
    branch: &str,
    is_complete: bool,
) -> String {
    let limit = if is_complete {
        ""
    } else {
        " (GitLab lists only 100 protected branches: if it is protected, remove it from \
         RequiredBranches)"
    };
    format!(
        "Mirrors[{mirror}].RequiredBranches: branch {branch} of project {project} is not protected, so \
         it would not be mirrored{limit}; protect it in the project itself (Settings, Repository, \
         Protected branches), because a mirror does not count a group's protection, or set \
         OnlyProtectedBranches to false"
    )
}

/// GitLab would push every branch, although the settings of a mirror select some. `mirror` names
/// it.
pub fn every_branch_is_pushed(
    mirror: &str,
    project: &str,
    reason: &PushesEverything,
    regex: Option<&str>,
) -> String {
    match reason {
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
    }
}

/// CodeCommit does not accept Git LFS objects, and GitLab does not report that.
pub fn lfs_is_not_mirrored(project: &str, bytes: u64) -> String {
    format!(
        "project {project} has {bytes} bytes of Git LFS objects, which CodeCommit does not accept: \
         builds get LFS pointer files instead"
    )
}

/// GitLab keeps a mirror disabled.
pub fn mirror_stays_disabled(project: &str, id: u64) -> String {
    format!(
        "enabling push mirror {id} of project {project}: GitLab keeps it disabled; is silent mode on, \
         or mirroring switched off for the instance, or the project about to be deleted?"
    )
}

/// Secrets Manager does not wait for this version.
pub fn not_pending(version_id: &str) -> String {
    format!("version {version_id} is not under AWSPENDING: no rotation of it is under way")
}

/// A rotation waits until CloudFormation's request has ended.
pub fn stack_is_changing() -> String {
    "a change of the stack is under way".to_owned()
}

/// There is no login that another one could take the place of.
pub fn nothing_to_rotate() -> String {
    "the secret holds no login of Custom::MirrorCredential: update its stack first".to_owned()
}

/// There is nothing to go on with.
pub fn not_prepared(version_id: &str) -> String {
    format!("version {version_id} holds no login: createSecret has to come first")
}

/// A stack's update or another rotation came in between.
pub fn rotation_is_overtaken(version_id: &str) -> String {
    format!("the rotation to version {version_id} has been overtaken by a change of the stack")
}

/// What a rotation made in GitLab is not what is there now.
pub fn mirrors_have_changed(version_id: &str) -> String {
    format!(
        "the mirrors that were made for version {version_id} are not there any more, or others are \
         wanted by now"
    )
}
