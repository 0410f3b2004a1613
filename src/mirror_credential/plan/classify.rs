//! Classifies the credentials that IAM lists, and selects the next one to delete.

use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::intent_log::{IssueIntent, Login, Owner, key};
use crate::mirror_credential::state::{Credential, Secret, User};

/// The class of `credential` of `user`, for the resource `owner` with the secret `secret_name`.
pub fn classify(
    credential: &Credential,
    user: &User,
    secret: Option<&Secret>,
    secret_name: &str,
    owner: &Owner,
    elsewhere: &[String],
) -> CredentialClass {
    let id = credential.id.as_str();
    if elsewhere.iter().any(|other| other == id) {
        return CredentialClass::OtherResource;
    }
    if let Some(secret) = secret {
        if secret.uses(id) {
            return CredentialClass::Current;
        }
        if secret.logins().any(|login| login.credential_id == id) {
            return CredentialClass::Superseded;
        }
    }
    let (Some(issue_intent), Some(held_for)) = (&user.issue_intent, &user.secret_name) else {
        return CredentialClass::Foreign;
    };
    if user.owner.as_ref() != Some(owner) || held_for != secret_name {
        return CredentialClass::Foreign;
    }
    match issue_intent.recorded_class(id) {
        Some(CredentialClass::Foreign) | None => {}
        Some(recorded) => return recorded,
    }
    if !issue_intent.has_issued(id, credential.created) {
        return CredentialClass::Foreign;
    }
    match secret {
        Some(secret) if secret.is_awaiting(issue_intent) => CredentialClass::Orphan,
        // The attempt was for this secret and has been closed: this one came later.
        Some(secret) if issue_intent.secret_key == key(&secret.arn) => CredentialClass::Foreign,
        // The secret was deleted before the attempt was closed. An attempt issues one credential,
        // right after its record is written, so the earliest one is its own. A later one belongs to
        // another person. The password is lost, but a mirror may still use it.
        _ if is_earliest(credential, user, issue_intent) => CredentialClass::Superseded,
        _ => CredentialClass::Foreign,
    }
}

/// The next credential of `user` to delete, and whether a login names it.
///
/// The credentials of the logins `named` come first. They exist even if IAM does not list them yet.
/// The others are those of the classes that are not needed, among them the foreign ones if
/// `deletes_foreign`. Only the user's tags name these, and IAM shows tags late.
pub fn next_deletion<'a>(
    user: &User,
    named: impl IntoIterator<Item = &'a Login>,
    deleted: &[String],
    class: impl Fn(&Credential) -> CredentialClass,
    deletes_foreign: bool,
) -> Option<(String, bool)> {
    let user_key = key(&user.name);
    let is_left = |id: &String| !deleted.contains(id);
    let mut named = named.into_iter().filter(|login| login.user_key == user_key);
    if let Some(login) = named.find(|login| is_left(&login.credential_id)) {
        return Some((login.credential_id.clone(), true));
    }
    let unneeded = user.credentials.iter().find(|credential| {
        let is_unneeded = match class(credential) {
            CredentialClass::Superseded | CredentialClass::Orphan => true,
            CredentialClass::Foreign => deletes_foreign,
            CredentialClass::Current | CredentialClass::OtherResource => false,
        };
        is_unneeded && is_left(&credential.id)
    });
    unneeded.map(|credential| (credential.id.clone(), false))
}

fn is_earliest(credential: &Credential, user: &User, issue_intent: &IssueIntent) -> bool {
    let listed = user.credentials.iter();
    let mut issued = listed.filter(|one| issue_intent.has_issued(&one.id, one.created));
    issued.all(|one| one.created >= credential.created)
}
