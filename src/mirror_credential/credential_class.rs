//! What a credential that IAM lists is to us.

use super::intent_log;
use super::intent_log::{Attempt, Owner, Standing};
use super::observe::{Credential, Secret, User};

/// What a listed credential is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The one that the secret holds.
    Current,
    /// Ours, and no longer needed once there is a current one.
    Superseded,
    /// Issued by an attempt that never stored it.
    Stray,
    /// Ours, for another secret.
    Elsewhere,
    /// Not ours.
    Foreign,
}

/// Tells what `credential` of `user` is.
pub fn kind(
    credential: &Credential,
    user: &User,
    secret: Option<&Secret>,
    secret_name: &str,
    owner: &Owner,
    elsewhere: &[String],
) -> Kind {
    let id = credential.id.as_str();
    if elsewhere.iter().any(|other| other == id) {
        return Kind::Elsewhere;
    }
    if let Some(secret) = secret {
        if secret
            .current
            .as_ref()
            .is_some_and(|login| login.credential_id == id)
        {
            return Kind::Current;
        }
        if secret.logins().any(|login| login.credential_id == id) {
            return Kind::Superseded;
        }
    }
    let (Some(attempt), Some(held_for)) = (&user.attempt, &user.secret_name) else {
        return Kind::Foreign;
    };
    if user.owner.as_ref() != Some(owner) || held_for != secret_name {
        return Kind::Foreign;
    }
    match attempt.knew(id) {
        Some(Standing::Ours) => return Kind::Superseded,
        Some(Standing::Elsewhere) => return Kind::Elsewhere,
        Some(Standing::Foreign) | None => {}
    }
    if !attempt.issued(id, credential.created) {
        return Kind::Foreign;
    }
    match secret {
        Some(secret) if secret.awaits(attempt) => Kind::Stray,
        // The attempt was for this secret and has been closed: this one came later.
        Some(secret) if attempt.secret_key == intent_log::key(&secret.arn) => Kind::Foreign,
        // The secret is gone before the attempt was closed. An attempt issues one credential,
        // right after its record is written: the earliest one is its own. A later one belongs to
        // another person. The password is lost, but a mirror may still use it.
        _ if is_earliest(credential, user, attempt) => Kind::Superseded,
        _ => Kind::Foreign,
    }
}

fn is_earliest(credential: &Credential, user: &User, attempt: &Attempt) -> bool {
    let listed = user.credentials.iter();
    let mut issued = listed.filter(|one| attempt.issued(&one.id, one.created));
    issued.all(|one| one.created >= credential.created)
}
