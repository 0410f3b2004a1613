//! The next step towards nothing: a pure function of what is to go and what is known.
//!
//! Delete works from the id alone, or from the properties when CloudFormation invented the id.
//! It touches only what carries this resource's records, so the Delete that follows a refused
//! Create finds nothing to do.

use std::time::{Duration, SystemTime};

use super::kind::{Kind, kind};
use super::observe::{Secret, User};
use super::plan::{IAM_SETTLES, Me, SecretState, Step};
use super::records;

/// A Create that never answered may still run. What it had read when the deletion was written
/// down is older than this, or it reads again (see [`super::make_so`]).
pub const UNANSWERED_SETTLES: Duration = Duration::from_secs(15);

/// What is to go.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // Independent facts; the makers name each.
pub struct Target {
    /// The secret's name, which is the resource's id.
    pub secret_name: String,
    /// `ForeignCredentials: Delete`.
    pub deletes_foreign: bool,
    /// CloudFormation invented the id: the Create never answered, and may still run.
    pub is_unanswered: bool,
    /// CloudFormation asked for it: later deliveries of the Create must find out.
    pub leaves_mark: bool,
    /// Somebody else may have issued what is not visible yet.
    pub waits: bool,
}

/// Everything that is known.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The time.
    pub now: SystemTime,
    /// When the delivery began to look.
    pub began: SystemTime,
    /// When the latest reading of the users began: what it says is not younger.
    pub looked_at: SystemTime,
    /// The users that may hold something.
    pub users: Vec<User>,
    /// The secret.
    pub secret: SecretState,
    /// Why the secret could not be read, when the function may not.
    pub denied: Option<crate::aws::CallError>,
    /// This delivery has shut out everybody else.
    pub is_fenced: bool,
    /// This delivery has removed the secret.
    pub is_secret_deleted: bool,
    /// The deletion has been written on these users.
    pub marked: Vec<String>,
    /// Credentials that are gone.
    pub gone: Vec<String>,
    /// The mirrors are gone, or out of reach.
    pub are_mirrors_gone: bool,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalStep {
    /// Write the deletion on the user.
    Mark(String),
    /// A step as in making.
    As(Step),
    /// Remove the mirrors that the secret names.
    RemoveMirrors,
    /// Remove the secret.
    DeleteSecret,
}

/// The next step for `me` from `known` towards nothing of `target`.
pub fn next(target: &Target, me: &Me, known: &Observed) -> RemovalStep {
    use RemovalStep::{As, DeleteSecret, Mark};
    let secret = known
        .secret
        .present()
        .filter(|secret| secret.owner.as_ref() == Some(&me.owner));
    let latest = secret
        .and_then(|secret| secret.as_of)
        .map(records::write_time);
    if latest.is_some_and(|latest| latest > records::write_time(me.signed_at)) {
        // It was made again since: this Delete is a late copy of one that was carried out.
        return As(Step::Done);
    }
    let is_held = |user: &User| {
        user.exists
            && user.owner.as_ref() == Some(&me.owner)
            && user.secret_name.as_ref() == Some(&target.secret_name)
    };
    if let Some(refusal) = refusal(target, secret, known, &is_held) {
        return As(Step::Refuse(refusal));
    }

    // First of all what makes a running Create, or one that comes later, stop.
    if target.leaves_mark {
        for user in known.users.iter().filter(|user| user.exists) {
            let may_be_taken = target.is_unanswered && user.held_by().is_none();
            if (is_held(user) || may_be_taken) && !known.marked.contains(&user.name) {
                return Mark(user.name.clone());
            }
        }
    }
    if let Some(secret) = secret
        .filter(|secret| secret.is_unfinished() || secret.may_rotate())
        .filter(|secret| !known.is_fenced && secret.deleted_at.is_none())
    {
        return As(Step::Claim(secret.next_entry()));
    }
    if target.waits && !is_settled(target, secret, known) {
        return As(Step::LookAgain);
    }

    // Mirrors first, or they would push with a login that is gone; the secret last: while it is
    // there, whoever comes next knows of everything.
    let names_mirrors = secret.is_some_and(|secret| {
        let is_open = secret.is_unfinished() && secret.journal.is_some();
        secret.logins().any(|login| login.mirrors > 0) || is_open
    });
    if names_mirrors && !known.are_mirrors_gone {
        return RemovalStep::RemoveMirrors;
    }
    for user in known.users.iter().filter(|user| user.exists) {
        if known.is_secret_deleted {
            // What it named is gone. What is left was judged while it was there.
            break;
        }
        let mut id = credential_named(secret, user, known);
        if id.is_none() {
            id = credential_listed(target, me, secret, user, known, is_held(user));
            if id.is_some() && target.waits && known.looked_at < known.began + IAM_SETTLES {
                // Only the user's tags speak for this one, and they may be out of date.
                return As(Step::LookAgain);
            }
        }
        if let Some(id) = id {
            return As(Step::DeleteCredential {
                user_name: user.name.clone(),
                id,
            });
        }
    }
    if secret.is_some() {
        return DeleteSecret;
    }
    if !target.leaves_mark {
        // Nobody needs to know that it was ever there.
        if let Some(user) = known.users.iter().find(|user| is_held(user)) {
            return As(Step::ReleaseUser(user.name.clone()));
        }
    }
    As(Step::Done)
}

/// A credential of `user` that the secret names: it is there even when IAM does not list it yet.
fn credential_named(secret: Option<&Secret>, user: &User, known: &Observed) -> Option<String> {
    let user_key = records::key(&user.name);
    let mut named = secret.into_iter().flat_map(Secret::logins);
    let login = named
        .find(|login| login.user_key == user_key && !known.gone.contains(&login.credential_id))?;
    Some(login.credential_id.clone())
}

/// A credential of `user` that IAM lists and that nothing but the user's tags shows to be ours.
fn credential_listed(
    target: &Target,
    me: &Me,
    secret: Option<&Secret>,
    user: &User,
    known: &Observed,
    is_held: bool,
) -> Option<String> {
    let goes = |kind: Kind| match kind {
        Kind::Current | Kind::Superseded | Kind::Stray => true,
        Kind::Elsewhere => false,
        Kind::Foreign => target.deletes_foreign && is_held && target.leaves_mark,
    };
    let name = &target.secret_name;
    let listed = user.credentials.iter();
    let mut listed = listed.filter(|credential| !known.gone.contains(&credential.id));
    let credential =
        listed.find(|credential| goes(kind(credential, user, secret, name, &me.owner, &[])))?;
    Some(credential.id.clone())
}

/// Whether everything that a Create may have done is visible by now.
fn is_settled(target: &Target, secret: Option<&Secret>, known: &Observed) -> bool {
    let Some(secret) = secret else {
        let may_be_running = target.is_unanswered && known.users.iter().any(|user| user.exists);
        return !may_be_running || known.looked_at >= known.began + UNANSWERED_SETTLES;
    };
    if !secret.is_unfinished() {
        return true;
    }
    let soon = known.began + IAM_SETTLES;
    let visible = secret
        .last_changed
        .map_or(soon, |time| (time + IAM_SETTLES).min(soon));
    known.looked_at >= visible
}

/// Why it cannot be removed: the function may not see what it may have made.
fn refusal(
    target: &Target,
    secret: Option<&Secret>,
    known: &Observed,
    is_held: &dyn Fn(&User) -> bool,
) -> Option<String> {
    if secret.is_some() {
        let denied = known.users.iter().find_map(|user| user.denied.as_ref());
        return denied.map(ToString::to_string);
    }
    // A secret that the function may not see, on a user that carries no record of it, was refused
    // when it was to be made.
    let denied = known.denied.as_ref()?;
    let was_made = target.leaves_mark && known.users.iter().any(is_held);
    was_made.then(|| denied.to_string())
}
