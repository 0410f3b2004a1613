//! The next step towards nothing: a pure function of what is to go and what is known.
//!
//! Delete works from the id alone, or from the properties when CloudFormation invented the id.
//! It touches only what carries this resource's records, so the Delete that follows a refused
//! Create finds nothing to do.

use std::time::{Duration, SystemTime};

use crate::aws::CallError;
use crate::mirror_credential::credential_class::{Kind, kind};
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::NOTHING_ENDED;
use crate::mirror_credential::observe::{Secret, User};
use crate::mirror_credential::plan::{IAM_SETTLES, Me, SecretState, Step};
use cfn_custom_resource::Reason;

/// A Create that never answered, or a second delivery of one that failed, may still run. What it
/// had read when the deletion was written down is older than this, or it reads again (see
/// [`crate::mirror_credential::apply`]).
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
    /// The records of the attempts of these users are closed.
    pub closed: Vec<String>,
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
    /// Write on the user which credentials its latest attempt issued.
    CloseRecord {
        /// The user.
        user_name: String,
        /// The credentials of this resource.
        ids: Vec<String>,
    },
    /// A step as in making.
    As(Step),
    /// Remove the mirrors that the secret names.
    RemoveMirrors,
    /// Remove the secret.
    DeleteSecret,
    /// Remove the records from a user that no longer holds anything of this resource.
    ReleaseUser(String),
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
        .map(intent_log::write_time);
    if latest.is_some_and(|latest| latest > intent_log::write_time(me.signed_at)) {
        // It was made again since: this Delete is a late copy of one that was carried out.
        return As(Step::Done);
    }
    let is_held = |user: &User| {
        let is_recorded = user.owner.as_ref() == Some(&me.owner)
            && user.secret_name.as_ref() == Some(&target.secret_name);
        // The user's tags may be lost (see `records`): the secret's tags name the user, too.
        let is_named = user.owner.is_none()
            && secret.is_some_and(|secret| secret.user_name.as_ref() == Some(&user.name));
        user.exists && (is_recorded || is_named)
    };
    if let Some(refusal) = refusal(target, secret, known, &is_held) {
        return As(Step::Refuse(refusal));
    }

    // First of all what makes a running Create, or one that comes later, stop.
    if target.leaves_mark {
        for user in known.users.iter().filter(|user| user.exists) {
            // The first delivery of the Create may have failed before it changed anything. A second
            // one would create what no stack owns, unless it finds the tombstone.
            let may_be_taken = user.held_by().is_none();
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
    if target.waits && !is_settled(target, me, secret, known) {
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
    if let Some(step) = close_record(target, me, secret, known, &is_held) {
        return step;
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
            return RemovalStep::ReleaseUser(user.name.clone());
        }
    }
    As(Step::Done)
}

/// An attempt to issue that is still open: the credentials that it issued are written down before
/// they are deleted. Otherwise a second delivery of this Delete, which finds no secret, would take
/// a credential that another person has created since for the attempt's.
fn close_record(
    target: &Target,
    me: &Me,
    secret: Option<&Secret>,
    known: &Observed,
    is_held: &dyn Fn(&User) -> bool,
) -> Option<RemovalStep> {
    let is_open = |user: &&User| user.attempt.as_ref().is_some_and(|attempt| !attempt.closed);
    let mut users = known.users.iter();
    let user =
        users.find(|user| is_held(user) && is_open(user) && !known.closed.contains(&user.name))?;
    // A secret whose log is finished names them all.
    let may_have_strays = secret.is_none_or(Secret::is_unfinished);
    if may_have_strays && target.waits && known.looked_at < known.began + IAM_SETTLES {
        return Some(RemovalStep::As(Step::LookAgain));
    }
    let user_key = intent_log::key(&user.name);
    let named = secret.into_iter().flat_map(Secret::logins);
    let named = named.filter(|login| login.user_key == user_key);
    let mut ids: Vec<String> = named.map(|login| login.credential_id.clone()).collect();
    for credential in &user.credentials {
        let kind = kind(
            credential,
            user,
            secret,
            &target.secret_name,
            &me.owner,
            &[],
        );
        let is_ours = matches!(kind, Kind::Superseded | Kind::Stray);
        if is_ours && !ids.contains(&credential.id) {
            ids.push(credential.id.clone());
        }
    }
    let user_name = user.name.clone();
    Some(RemovalStep::CloseRecord { user_name, ids })
}

/// A credential of `user` that the secret names: it is there even when IAM does not list it yet.
fn credential_named(secret: Option<&Secret>, user: &User, known: &Observed) -> Option<String> {
    let user_key = intent_log::key(&user.name);
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
fn is_settled(target: &Target, me: &Me, secret: Option<&Secret>, known: &Observed) -> bool {
    let Some(secret) = secret else {
        // A Create that read the user before the deletion was recorded may be running: it never
        // answered, or its first delivery failed before it changed anything. It may also have
        // created the secret since the secret was read.
        // A former delivery of this Delete may have recorded the deletion long ago, or deleted the
        // secret.
        let former = |user: &User| {
            let deletion = user.deletion.clone();
            deletion.filter(|deletion| deletion.is_of(&me.owner.key(), me.signed_at))
        };
        let may_be_running = |user: &&User| {
            let has_ended = former(user).is_some_and(|former| former.ended != NOTHING_ENDED);
            let is_marked = known.marked.contains(&user.name) && !known.is_secret_deleted;
            user.exists && (target.is_unanswered || (is_marked && !has_ended))
        };
        let recorded_at = |user: &User| {
            let former = former(user);
            former.map_or(known.began, |former| former.done_at.min(known.began))
        };
        let mut users = known.users.iter().filter(may_be_running);
        return users.all(|user| known.looked_at >= recorded_at(user) + UNANSWERED_SETTLES);
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
) -> Option<Reason> {
    if secret.is_some() {
        let denied = known.users.iter().find_map(|user| user.denied.as_ref());
        return denied.map(CallError::reason);
    }
    // A secret that the function may not see, on a user that carries no record of it, was refused
    // when it was to be made.
    let denied = known.denied.as_ref()?;
    let was_made = target.leaves_mark && known.users.iter().any(is_held);
    was_made.then(|| denied.reason())
}
