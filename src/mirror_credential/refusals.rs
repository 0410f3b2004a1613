//! Why something is refused, and what a person can do about it.

use super::observe::Credential;
use super::records::{self, Owner};

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
