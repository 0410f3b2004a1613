//! The next step towards what is desired: a pure function of what is desired and what is known.
//!
//! Every request goes this one way: Create, Update, a redelivered one, and the Update that rolls
//! another back. Each step is asked for again after it was taken, with what it changed in
//! [`Observed`], until it is [`Step::Done`]. The order is what makes it safe to die anywhere:
//! claim, record, issue, (prove,) store, and only then remove what was superseded.

use std::time::{Duration, SystemTime};

use super::kind::{Kind, kind};
use super::observe::{Credential, Secret, User};
use super::properties::{Desired, ForeignCredentials};
use super::records::{self, Owner};
use super::refusals;
use super::steps::explained;
use crate::secret::Password;

/// What IAM was told is in its lists by then. (AWS says "eventually"; seconds are what is seen.)
pub const IAM_SETTLES: Duration = Duration::from_secs(10);

/// Between two looks at what somebody else is to finish, or IAM to show.
pub const PAUSE: Duration = Duration::from_secs(1);

/// A name stays taken for a moment after a forced deletion.
pub const NAME_IS_FREED: Duration = Duration::from_secs(20);

/// A delivery is over this long after its last change, with something to spare.
const LAMBDA_LIVES: Duration = Duration::from_secs(20 * 60);

/// How long one that was overtaken lets the other finish before it takes over again.
const FOLLOW: Duration = Duration::from_secs(40);

/// The request on whose behalf all this happens.
#[derive(Clone, Debug)]
pub struct Me {
    /// The resource.
    pub owner: Owner,
    /// When CloudFormation signed the request.
    pub signed_at: SystemTime,
    /// The [`records::key`] of the request's id.
    pub request_key: String,
    /// Tells apart the deliveries of one request.
    pub claimant: String,
    /// It is a Create: most likely there is no secret yet, and creating it is the quickest way to
    /// find out; what fails is taken back; and the function's role may be as new.
    pub is_create: bool,
}

/// What is known of the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// Not looked at yet, or changed by somebody since.
    Unread,
    /// There is none.
    Absent,
    /// As it was read, with what was done to it since.
    Present(Box<Secret>),
}

impl SecretState {
    /// The secret, when it is known to exist.
    pub fn present(&self) -> Option<&Secret> {
        match self {
            SecretState::Present(secret) => Some(secret),
            SecretState::Unread | SecretState::Absent => None,
        }
    }
}

/// A credential that this delivery issued or took over, and has not stored yet.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Its id.
    pub id: String,
    /// The login's name.
    pub service_user_name: String,
    /// `None` when somebody else may have reset it since.
    pub password: Option<Password>,
    /// It has been shown to be able to push.
    pub proved: bool,
}

/// Everything that is known: what was read, and what this delivery did.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // Independent facts, each named.
pub struct Observed {
    /// The time.
    pub now: SystemTime,
    /// When the delivery began to look.
    pub began: SystemTime,
    /// When the reading of the user began: what it says is not younger.
    pub looked_at: SystemTime,
    /// The secret was read after the user. Read side by side they may show different moments.
    pub is_in_order: bool,
    /// The desired user.
    pub user: User,
    /// Users that held the login before.
    pub formers: Vec<User>,
    /// The desired secret.
    pub secret: SecretState,
    /// Credentials of ours that belong to the secret which this one replaces.
    pub elsewhere: Vec<String>,
    /// The keys of the tags that the template gave before.
    pub former_tags: Vec<String>,
    /// Credentials that this delivery removed, which IAM may still list.
    pub gone: Vec<String>,
    /// The claim that this delivery holds.
    pub claim: Option<u64>,
    /// When somebody took over from this delivery.
    pub overtaken_at: Option<SystemTime>,
    /// When a call to issue was made of which nobody knows what became.
    pub doubtful_since: Option<SystemTime>,
    /// What this delivery issued and has not stored.
    pub issued: Option<Issued>,
    /// The attempt stands in the user's tags.
    pub recorded: bool,
    /// The login can push to every repository.
    pub proved: bool,
    /// The stored password is not the credential's.
    pub login_refused: bool,
}

impl Observed {
    /// Nothing that happened before is still missing from IAM's lists.
    pub fn is_settled(&self) -> bool {
        let changed = self.secret.present().and_then(|secret| secret.last_changed);
        let deleted = self.user.deletion.as_ref().map(|deletion| deletion.done_at);
        let before = match changed.max(deleted) {
            // However the clocks differ, what was there when we began is listed soon after.
            Some(time) => (time + IAM_SETTLES).min(self.began + IAM_SETTLES),
            None => self.began,
        };
        let own = self.doubtful_since.map(|time| time + IAM_SETTLES);
        self.looked_at >= before && own.is_none_or(|time| self.looked_at >= time)
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the secret.
    ReadSecret,
    /// Wait a moment and read the user again: IAM's lists are late.
    LookAgain,
    /// Wait a moment and read everything again: somebody else is at work.
    Follow,
    /// Create the secret without a value, which claims its name.
    CreateSecret,
    /// Write the log's next entry as a claim.
    Claim(u64),
    /// Write the log's next entry as a claim, only to keep others from writing it.
    Fence(u64),
    /// Write the attempt into the user's tags.
    Record,
    /// Issue a credential.
    Issue,
    /// Reset a credential that is not live, to learn its password or to get a better one.
    Reset(String),
    /// Show that what was issued can push, before anything depends on it.
    ProveIssued,
    /// Store what was issued as the log's next entry, under AWSCURRENT.
    Store,
    /// Show that the stored login can push.
    ProveStored,
    /// Set the stored credential to active.
    Activate(String),
    /// Give the secret another key.
    ChangeKey,
    /// Bring the secret's tags up to date.
    TagSecret,
    /// Take tags off the secret that the template no longer has.
    UntagSecret(Vec<String>),
    /// Note that former users hold nothing of ours any more.
    ForgetFormers,
    /// Bring the owner and the secret's name in the user's tags up to date.
    TagUser,
    /// Remove a credential.
    DeleteCredential {
        /// Whose.
        user_name: String,
        /// Which.
        id: String,
    },
    /// Take our tags off a user that no longer holds anything of ours.
    ReleaseUser(String),
    /// Take a superseded login's label off its version.
    ForgetLogin(u64),
    /// It cannot be done, for this reason.
    Refuse(String),
    /// A Delete has overtaken this request; what it issued must go.
    Overtaken,
    /// It is so.
    Done,
}

/// The next step for `me` from `known` towards `desired`.
#[allow(clippy::too_many_lines)] // One decision after another; apart they would be harder to check.
pub fn next(desired: &Desired, me: &Me, known: &Observed) -> Step {
    let user = &known.user;
    if let Some(denied) = &user.denied {
        return Step::Refuse(explained(denied.clone()).to_string());
    }
    if !user.exists {
        let name = &user.name;
        return Step::Refuse(format!(
            "reading user {name}: there is no IAM user of that name"
        ));
    }
    // Who may?
    if let Some(owner) = user.held_by().filter(|owner| **owner != me.owner) {
        return Step::Refuse(refusals::user_is_held(&user.name, owner));
    }
    let overtook = user
        .deletion
        .as_ref()
        .is_some_and(|deletion| deletion.overtook(&me.owner.key(), me.signed_at, &me.request_key));
    if overtook {
        return Step::Overtaken;
    }
    let secret = match &known.secret {
        SecretState::Unread => {
            let is_fresh = user.owner.as_ref() != Some(&me.owner) && user.credentials.is_empty();
            if !(me.is_create && is_fresh && known.claim.is_none() && known.overtaken_at.is_none())
            {
                return Step::ReadSecret;
            }
            None
        }
        SecretState::Absent if known.claim.is_some() || known.overtaken_at.is_some() => {
            // Only a Delete takes away a secret that is being worked on.
            return Step::Overtaken;
        }
        SecretState::Absent => None,
        SecretState::Present(secret) => Some(&**secret),
    };
    if let Some(secret) = secret {
        if secret.deleted_at.is_some() {
            // A forced deletion takes a moment, in which the name is not free.
            if known.now < known.began + NAME_IS_FREED {
                return Step::Follow;
            }
            return Step::Refuse(refusals::secret_is_scheduled(&desired.secret_name));
        }
        if secret.owner.as_ref() != Some(&me.owner) {
            return Step::Refuse(refusals::secret_is_held(
                &desired.secret_name,
                secret.owner.as_ref(),
            ));
        }
    }
    if let Some(denied) = known
        .formers
        .iter()
        .find_map(|former| former.denied.as_ref())
    {
        // It may hold a live credential of ours: not to be forgotten.
        return Step::Refuse(explained(denied.clone()).to_string());
    }

    let is_mine = secret.is_some_and(|secret| known.claim == Some(secret.claim));
    let is_unfinished = secret.is_some_and(Secret::is_unfinished);
    if is_unfinished && !is_mine && known.overtaken_at.is_some_and(|at| known.now < at + FOLLOW) {
        return Step::Follow;
    }
    let latest = secret
        .and_then(|secret| secret.as_of)
        .map(records::write_time);
    if latest.is_some_and(|latest| latest > records::write_time(me.signed_at)) {
        return Step::Refuse("a later request has already been carried out".to_owned());
    }
    let of_kind = |wanted: Kind| {
        user.credentials.iter().filter(move |credential| {
            let elsewhere = &known.elsewhere;
            wanted
                == kind(
                    credential,
                    user,
                    secret,
                    &desired.secret_name,
                    &me.owner,
                    elsewhere,
                )
        })
    };
    let delete = |credential: &Credential| Step::DeleteCredential {
        user_name: user.name.clone(),
        id: credential.id.clone(),
    };

    // Is the login there that is wanted?
    let current = secret.and_then(|secret| secret.current.as_ref());
    let held = current.filter(|login| {
        login.user_key == records::key(&user.name)
            && login.serial_key == records::serial_key(desired.rotation_serial.as_deref())
            && (login.url_safe || !desired.url_safe_password)
            && !secret.is_some_and(|secret| secret.changed_by_hand)
            && !known.login_refused
    });
    let held = match held {
        Some(login) => match user.credential(&login.credential_id) {
            Some(credential) => Some(credential),
            None if !known.is_settled() => return Step::LookAgain,
            None => None,
        },
        None => None,
    };

    let Some(held) = held else {
        // A new login is needed, and a slot for it.
        let foreign: Vec<&Credential> = of_kind(Kind::Foreign)
            .filter(|credential| known.issued.as_ref().is_none_or(|i| i.id != credential.id))
            .collect();
        if let Some(first) = foreign.first() {
            if !known.is_settled() {
                return Step::LookAgain;
            }
            if !known.is_in_order {
                return Step::ReadSecret;
            }
            match desired.foreign_credentials {
                ForeignCredentials::Refuse => {
                    return Step::Refuse(refusals::foreign_in_the_way(&user.name, &foreign));
                }
                ForeignCredentials::Delete => return delete(first),
            }
        }
        let Some(secret) = secret else {
            return Step::CreateSecret;
        };
        if tags_differ(desired, me, secret, true) {
            return Step::TagSecret;
        }
        if !is_mine {
            return Step::Claim(secret.next_entry());
        }
        if let Some(issued) = &known.issued {
            return match &issued.password {
                None => Step::Reset(issued.id.clone()),
                Some(password) if desired.url_safe_password && !password.is_url_safe() => {
                    Step::Reset(issued.id.clone())
                }
                // What works is given up only for what has been shown to work.
                Some(_)
                    if current.is_some()
                        && !issued.proved
                        && !desired.repository_names.is_empty() =>
                {
                    Step::ProveIssued
                }
                Some(_) => Step::Store,
            };
        }
        // What did an attempt before this one leave?
        if let Some(stray) = of_kind(Kind::Stray).next() {
            return Step::Reset(stray.id.clone());
        }
        let may_have_left = claim_was_taken_over(secret, known) || known.doubtful_since.is_some();
        if may_have_left && !known.is_settled() {
            return Step::LookAgain;
        }
        if user.credentials.len() >= 2 {
            return match of_kind(Kind::Superseded).next() {
                Some(superseded) => delete(superseded),
                None => Step::Refuse(refusals::both_slots_taken(&user.name)),
            };
        }
        return if known.recorded {
            Step::Issue
        } else {
            Step::Record
        };
    };

    let Some(secret) = secret else {
        return Step::ReadSecret;
    };
    if !held.active {
        return Step::Activate(held.id.clone());
    }
    if let Some(issued) = known.issued.as_ref().filter(|issued| issued.id != held.id) {
        // Somebody else's login is the one that stands.
        return Step::DeleteCredential {
            user_name: user.name.clone(),
            id: issued.id.clone(),
        };
    }
    let untag: Vec<String> = known
        .former_tags
        .iter()
        .filter(|key| secret.tags.contains_key(*key) && !desired.tags.contains_key(*key))
        .cloned()
        .collect();
    // An earlier request may still be at work, or come again: it must find out that it is over.
    let may_be_at_work = is_unfinished
        && !is_mine
        && secret
            .last_changed
            .is_none_or(|time| known.now < time + LAMBDA_LIVES);
    let changes = !same_key(secret.kms_key_id.as_deref(), desired.kms_key_id.as_deref())
        || tags_differ(desired, me, secret, false)
        || !untag.is_empty();
    if (may_be_at_work || changes) && tags_differ(desired, me, secret, true) {
        return Step::TagSecret;
    }
    if may_be_at_work {
        return Step::Fence(secret.next_entry());
    }
    if !known.proved && !desired.repository_names.is_empty() {
        return Step::ProveStored;
    }
    if !same_key(secret.kms_key_id.as_deref(), desired.kms_key_id.as_deref()) {
        return Step::ChangeKey;
    }
    if tags_differ(desired, me, secret, false) {
        return Step::TagSecret;
    }
    if !untag.is_empty() {
        return Step::UntagSecret(untag);
    }
    if is_unfinished && !known.is_settled() {
        return Step::LookAgain;
    }
    // What the secret's versions name is certain; for the rest only the user's tags speak.
    let mut unneeded: Vec<&Credential> = of_kind(Kind::Stray)
        .chain(of_kind(Kind::Superseded))
        .collect();
    if desired.foreign_credentials == ForeignCredentials::Delete {
        unneeded.extend(of_kind(Kind::Foreign));
    }
    let is_named = |id: &str| secret.logins().any(|login| login.credential_id == id);
    if let Some(first) = unneeded.first() {
        if !is_named(&first.id) {
            if !known.is_settled() {
                return Step::LookAgain;
            }
            if !known.is_in_order {
                return Step::ReadSecret;
            }
        }
        return delete(first);
    }
    if let Some(superseded) = secret.superseded.first() {
        // What a version names is there even when IAM does not list it yet.
        let holder = known
            .formers
            .iter()
            .chain([user])
            .find(|user| user.exists && records::key(&user.name) == superseded.user_key);
        let id = &superseded.credential_id;
        return match holder {
            Some(holder) if !known.gone.contains(id) => Step::DeleteCredential {
                user_name: holder.name.clone(),
                id: id.clone(),
            },
            _ => Step::ForgetLogin(superseded.entry),
        };
    }
    for former in &known.formers {
        let ours = former.credentials.iter().find(|credential| {
            let name = &desired.secret_name;
            let kind = kind(
                credential,
                former,
                Some(secret),
                name,
                &me.owner,
                &known.elsewhere,
            );
            matches!(kind, Kind::Superseded | Kind::Stray)
        });
        if let Some(credential) = ours {
            return Step::DeleteCredential {
                user_name: former.name.clone(),
                id: credential.id.clone(),
            };
        }
        if former.owner.as_ref() == Some(&me.owner)
            && former.secret_name.as_ref() == Some(&desired.secret_name)
        {
            return Step::ReleaseUser(former.name.clone());
        }
    }
    if !secret.former_user_names.is_empty() {
        return Step::ForgetFormers;
    }
    if user.held_by() != Some(&me.owner) || user.secret_name.as_ref() != Some(&desired.secret_name)
    {
        return Step::TagUser;
    }
    Step::Done
}

/// Whether somebody else had a claim before ours that ended in nothing.
fn claim_was_taken_over(secret: &Secret, known: &Observed) -> bool {
    match (known.claim, secret.latest_login()) {
        (Some(claim), Some(entry)) => claim > entry + 1,
        (Some(claim), None) => claim > 0,
        (None, _) => false,
    }
}

/// Whether the secret's tags are not what they should be. While `issuing`, the records have to
/// be right (who may still hold what); otherwise the template's tags too.
fn tags_differ(desired: &Desired, me: &Me, secret: &Secret, issuing: bool) -> bool {
    let user_differs = secret.user_name.as_ref() != Some(&desired.user_name);
    if issuing {
        let as_of = secret.as_of.map(records::write_time);
        return user_differs || as_of != Some(records::write_time(me.signed_at));
    }
    user_differs
        || desired
            .tags
            .iter()
            .any(|(key, value)| secret.tags.get(key) != Some(value))
}

/// Whether two ways of naming a key mean the same one.
pub fn same_key(actual: Option<&str>, desired: Option<&str>) -> bool {
    const DEFAULT: &str = "alias/aws/secretsmanager";
    // An ARN ends in `:key/<id>` or `:alias/<name>`; an id stands alone.
    fn short(key: Option<&str>) -> &str {
        let key = key.unwrap_or(DEFAULT);
        let key = key.rsplit(':').next().unwrap_or(key);
        key.strip_prefix("key/").unwrap_or(key)
    }
    short(actual) == short(desired)
}
