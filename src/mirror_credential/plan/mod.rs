//! The next step towards what is desired: a pure function of what is desired and what is known.
//!
//! Every request goes this one way: Create, Update, a redelivered one, and the Update that rolls
//! another back. Each step is asked for again after it was taken, with what it changed in
//! [`Observed`], until it is [`Step::Done`]. The order is what makes it safe to die anywhere:
//! claim, record, issue, (make mirrors, prove, let them push,) store, and only then remove what was
//! superseded. A rotation goes the same way in four parts.

mod issue;
mod maintain;

use std::time::{Duration, SystemTime};

pub use super::state::{Issued, Observed, Project, SecretState};

use super::calls::explained;
use super::credential_class::{Kind, kind};
use super::intent_log;
use super::intent_log::{Deletion, Owner, Standing};
use super::messages;
use super::mirrors::journal::MirrorRecord;
use super::observe::{Credential, Secret};
use super::spec::Spec;
use cfn_custom_resource::Reason;

/// What IAM or Secrets Manager was told is shown by then. (AWS says "eventually" of both; seconds are
/// what is seen.)
pub const IAM_SETTLES: Duration = Duration::from_secs(10);

/// Between two looks at what somebody else is to finish, or IAM to show.
pub const PAUSE: Duration = Duration::from_secs(1);

/// A name stays taken for a moment after a forced deletion.
pub const NAME_IS_FREED: Duration = Duration::from_secs(20);

/// A delivery is over this long after its last change, with something to spare.
pub const LAMBDA_LIVES: Duration = Duration::from_secs(20 * 60);

/// How long one that was overtaken lets the other finish before it takes over again.
const FOLLOW: Duration = Duration::from_secs(40);

/// The request on whose behalf all this happens.
#[derive(Clone, Debug)]
pub struct Me {
    /// The resource.
    pub owner: Owner,
    /// When CloudFormation signed the request.
    pub signed_at: SystemTime,
    /// The [`intent_log::key`] of the request's id.
    pub request_key: String,
    /// Tells apart the deliveries of one request.
    pub claimant: String,
    /// It is a Create: most likely there is no secret yet, and creating it is the quickest way to
    /// find out; what fails is taken back; and the function's role may be as new.
    pub is_create: bool,
    /// The part of a rotation that this is; `None` for a request of CloudFormation's.
    pub rotation: Option<Rotation>,
}

impl Me {
    /// Whether this very delivery created `secret`: the answer that said so may have been lost.
    pub fn has_created(&self, secret: &Secret) -> bool {
        secret.claimant.as_ref() == Some(&self.claimant)
    }

    /// Whether `deletion` came after this request.
    pub fn is_overtaken_by(&self, deletion: &Deletion) -> bool {
        deletion.overtook(&self.owner.key(), self.signed_at, &self.request_key)
    }
}

/// One step of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The version that Secrets Manager chose: the `ClientRequestToken`.
    pub version_id: String,
    /// How far to go.
    pub part: RotationPart,
}

/// The four steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RotationPart {
    /// `createSecret`: issue, make mirrors, write both under `AWSPENDING`.
    Create,
    /// `setSecret`: prove the login, enable the mirrors.
    Set,
    /// `testSecret`: let the mirrors push.
    Test,
    /// `finishSecret`: make it the current one, remove what was superseded.
    Finish,
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
    /// Read what a version of the secret holds.
    ReadLogin(String),
    /// Read the journal of an attempt that was not finished.
    ReadJournal(String),
    /// Look at the projects' mirrors.
    ReadProjects,
    /// Make the mirror that `Mirrors` has at this place, disabled.
    MakeMirror(usize),
    /// Write the log's next entry as a claim that names the mirrors made.
    Seal(u64),
    /// Give a mirror its settings and enable it.
    EnableMirror(MirrorRecord),
    /// Let mirrors push, and wait until they have where that is wanted.
    SyncMirrors(Vec<MirrorRecord>),
    /// Look for mirrors that an attempt made and whose numbers got lost on the way.
    FindLost,
    /// Ask the GitLab of a mirror that is to be given up whether it answers.
    AskGitLab(MirrorRecord),
    /// Remove a mirror that never counted.
    RemoveStray(MirrorRecord),
    /// Disable a mirror, let it finish, and remove it.
    RetireMirror(MirrorRecord),
    /// Write what was issued into the version of the rotation.
    Prepare,
    /// Hand `AWSCURRENT` from one version to another, unless it has gone elsewhere.
    HandOver {
        /// The version that is current.
        from: String,
        /// The version that is to be.
        to: String,
    },
    /// Write the current login once more as the log's next entry, to hand `AWSCURRENT` to it.
    Copy(u64),
    /// Take `AWSPENDING` off a version.
    DropPending(String),
    /// Set a superseded credential to inactive.
    Deactivate {
        /// Whose.
        user_name: String,
        /// Which.
        id: String,
    },
    /// Write what the template asks for as the log's next entry.
    NoteProperties(u64),
    /// Take the label off an earlier entry of that kind.
    ForgetProperties(u64),
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
    /// Write into the user's tags whose the user is and which credentials were issued.
    RecordIssued,
    /// Remove a credential.
    DeleteCredential {
        /// Whose.
        user_name: String,
        /// Which.
        id: String,
    },
    /// Take a superseded login's label off its version.
    ForgetLogin(u64),
    /// It cannot be done, for this reason.
    Refuse(Reason),
    /// It cannot be done now, for this reason. A later attempt may succeed.
    Defer(Reason),
    /// A Delete has overtaken this request; what it issued must go.
    Overtaken,
    /// It is so.
    Done,
}

/// The next step for `me` from `known` towards `desired`.
pub fn next(desired: &Spec, me: &Me, known: &Observed) -> Step {
    let secret = match admit(desired, me, known) {
        Ok(secret) => secret,
        Err(step) => return *step,
    };
    let view = View {
        desired,
        me,
        known,
        secret,
    };
    // A rotation changes nothing about what is mirrored.
    if let Some(rotation) = &me.rotation {
        return view.rotate(rotation);
    }
    if let Some(step) = view.refused_by_gitlab() {
        return step;
    }
    match view.held() {
        Held::Unclear => Step::LookAgain,
        Held::Nothing => view.obtain(),
        Held::Login(credential) => view.keep(credential),
    }
}

/// Whether `me` may, and the secret if there is one to be worked on.
fn admit<'a>(
    desired: &Spec,
    me: &Me,
    known: &'a Observed,
) -> Result<Option<&'a Secret>, Box<Step>> {
    let refuse = |reason: Reason| Err(Box::new(Step::Refuse(reason)));
    let user = &known.user;
    if let Some(denied) = &user.denied {
        return refuse(explained(denied.clone()).reason());
    }
    if !user.exists {
        return refuse(messages::user_is_missing(&user.name));
    }
    if let Some(owner) = user.held_by().filter(|owner| **owner != me.owner) {
        return refuse(messages::user_is_held(&user.name, owner));
    }
    let overtook = user
        .deletion
        .as_ref()
        .is_some_and(|deletion| me.is_overtaken_by(deletion));
    if overtook {
        return Err(Box::new(Step::Overtaken));
    }
    // Of two deliveries of a Create the one that fails takes its secret back.
    let was_there = known.had_secret && !me.is_create;
    let is_at_work = known.claim.is_some() || known.overtaken_at.is_some() || was_there;
    let secret = match &known.secret {
        SecretState::Unread => {
            let is_fresh = user.owner.as_ref() != Some(&me.owner) && user.credentials.is_empty();
            if !(me.is_create && is_fresh && !is_at_work) {
                return Err(Box::new(Step::ReadSecret));
            }
            None
        }
        // Only a Delete takes away a secret that is being worked on.
        SecretState::Absent if is_at_work || me.rotation.is_some() => {
            return Err(Box::new(Step::Overtaken));
        }
        SecretState::Absent => None,
        SecretState::Present(secret) => Some(&**secret),
    };
    if let Some(secret) = secret {
        if secret.deleted_at.is_some() {
            // A forced deletion takes a moment, in which the name is not free.
            if known.now < known.began + NAME_IS_FREED {
                return Err(Box::new(Step::Follow));
            }
            return refuse(messages::secret_is_scheduled(&desired.secret_name));
        }
        if secret.owner.as_ref() != Some(&me.owner) {
            let owner = secret.owner.as_ref();
            return refuse(messages::secret_is_held(&desired.secret_name, owner));
        }
        if let Some(reason) = messages::user_name_differs(desired, secret) {
            return refuse(reason);
        }
    }
    if let (Some(secret), Some((number, at))) = (secret, known.taken)
        && !secret.shows(number)
        && known.now < at + IAM_SETTLES
    {
        // Somebody wrote that entry. What stands in it decides, once it is shown.
        return Err(Box::new(Step::Follow));
    }
    let is_mine = secret.is_some_and(|secret| known.claim == Some(secret.claim));
    let is_unfinished = secret.is_some_and(Secret::is_unfinished);
    // A delivery that took over may be waiting for a push, or for its login to become valid.
    let patience = if desired.repositories().is_empty() {
        Duration::ZERO
    } else {
        known.patience
    };
    let follows = |at: SystemTime| known.now < (at + FOLLOW).max(known.began + patience);
    if is_unfinished && !is_mine && known.overtaken_at.is_some_and(follows) {
        return Err(Box::new(Step::Follow));
    }
    let latest = secret
        .and_then(|secret| secret.as_of)
        .map(intent_log::write_time);
    if latest.is_some_and(|latest| latest > intent_log::write_time(me.signed_at)) {
        return refuse(messages::later_request());
    }
    Ok(secret)
}

/// What the secret holds for what is desired.
enum Held<'a> {
    /// IAM may list it later.
    Unclear,
    /// Another login is needed.
    Nothing,
    /// This one.
    Login(&'a Credential),
}

/// Everything that a decision is made from.
pub(super) struct View<'a> {
    pub(super) desired: &'a Spec,
    pub(super) me: &'a Me,
    pub(super) known: &'a Observed,
    pub(super) secret: Option<&'a Secret>,
}

impl<'a> View<'a> {
    /// The secret's credential, if it is the one that is wanted.
    fn held(&self) -> Held<'a> {
        let known = self.known;
        let current = self.secret.and_then(|secret| secret.current.as_ref());
        let login = current.filter(|login| {
            login.user_key == intent_log::key(&known.user.name)
                && login.serial_key
                    == intent_log::serial_key(self.desired.rotation_serial.as_deref())
                && (login.url_safe || !self.desired.url_safe_password)
                && !self.secret.is_some_and(|secret| secret.changed_by_hand)
                && !known.login_refused
        });
        let Some(login) = login else {
            return Held::Nothing;
        };
        match known.user.credential(&login.credential_id) {
            Some(credential) => Held::Login(credential),
            None if !known.is_settled() => Held::Unclear,
            None => Held::Nothing,
        }
    }

    /// The claim is this delivery's.
    pub(in crate::mirror_credential) fn is_mine(&self) -> bool {
        let claim = self.secret.map(|secret| secret.claim);
        claim.is_some() && self.known.claim == claim
    }

    /// The user's credentials that are to us as `wanted` says.
    pub(in crate::mirror_credential) fn of_kind(
        &self,
        wanted: Kind,
    ) -> impl Iterator<Item = &'a Credential> {
        let (desired, me, known, secret) = (self.desired, self.me, self.known, self.secret);
        let may_have_left = self.may_have_left();
        let credentials = known.user.credentials.iter();
        credentials.filter(move |credential| {
            let name = &desired.secret_name;
            let elsewhere = &known.elsewhere;
            let kind = kind(credential, &known.user, secret, name, &me.owner, elsewhere);
            wanted
                == match kind {
                    // Created by another person since this delivery recorded what was there.
                    Kind::Stray if !may_have_left => Kind::Foreign,
                    kind => kind,
                }
        })
    }

    /// Whether there may be a credential of ours that this delivery does not know: an attempt
    /// before this one, or a call of this one whose answer is lost, may have issued it.
    fn may_have_left(&self) -> bool {
        let known = self.known;
        let was_taken_over = self.secret.is_some_and(Secret::was_taken_over);
        let may_be_former = was_taken_over && !known.follows_closed;
        !known.recorded || may_be_former || known.may_have_issued
    }

    /// Whether the user's tags name this resource, its secret and the current credential.
    pub(in crate::mirror_credential) fn is_recorded(&self, secret: &Secret) -> bool {
        let user = &self.known.user;
        let (attempt, current) = (user.attempt.as_ref(), secret.current.as_ref());
        let names_current = attempt.zip(current).is_some_and(|(attempt, current)| {
            attempt.closed
                && attempt.secret_key == intent_log::key(&secret.arn)
                && attempt.knew(&current.credential_id) == Some(Standing::Ours)
        });
        user.held_by() == Some(&self.me.owner)
            && user.secret_name.as_ref() == Some(&self.desired.secret_name)
            && names_current
    }

    fn delete(&self, credential: &Credential) -> Step {
        Step::DeleteCredential {
            user_name: self.known.user.name.clone(),
            id: credential.id.clone(),
        }
    }
}

/// Mirrors that push every branch, and required branches that are not mirrored. For mirrors that
/// stand as they were noted these are warnings.
pub fn branch_faults(desired: &Spec, me: &Me, known: &Observed) -> Option<Reason> {
    let view = View {
        desired,
        me,
        known,
        secret: known.secret.present(),
    };
    view.branch_faults()
}

/// Git LFS objects that will not arrive in `CodeCommit`.
pub fn lfs_warnings(desired: &Spec, known: &Observed) -> Vec<Reason> {
    let projects = known.projects.iter().flatten();
    let projects = projects.filter(|(name, project)| {
        let mut mirrors = desired.mirrors.iter();
        project.lfs_objects_size > 0 && mirrors.any(|wanted| wanted.project == **name)
    });
    let warnings = projects
        .map(|(name, project)| messages::lfs_is_not_mirrored(name, project.lfs_objects_size));
    warnings.collect()
}

/// The mirrors of the next login's version, in the order of `Mirrors`.
pub fn next_mirrors(desired: &Spec, me: &Me, known: &Observed) -> Vec<MirrorRecord> {
    let secret = known.secret.present();
    let view = View {
        desired,
        me,
        known,
        secret,
    };
    let kept = if known.issued.is_some() {
        // They would push with another password.
        Vec::new()
    } else {
        let login = secret.and_then(|secret| secret.current.as_ref());
        let value = login.and_then(|login| known.values.get(&login.version_id));
        let records = value
            .and_then(|value| value.as_ref())
            .map(|value| &value.mirrors);
        view.kept(records.map_or(&[][..], |records| records))
    };
    view.placed(&kept)
}

/// Whether the attempt that this delivery recorded has issued its credential, so that the record
/// can be closed beside the next step. The log's next entry was this delivery's after that: no
/// other attempt has been recorded.
pub fn may_close_record(known: &Observed) -> bool {
    let Some(secret) = known.secret.present() else {
        return false;
    };
    let attempt = known.user.attempt.as_ref();
    let open = attempt.filter(|attempt| known.recorded && !attempt.closed);
    let current = secret.current.as_ref();
    open.is_some_and(|attempt| {
        let is_stored = current.is_some_and(|login| login.entry > attempt.claim);
        let is_sealed = known.is_sealed && known.issued.is_some();
        is_stored || (is_sealed && !known.may_have_issued)
    })
}

/// Whether the secret's tags are not what they should be. While `issuing`, the records have to
/// be right (who may still hold what); otherwise the template's tags too.
fn tags_differ(desired: &Spec, me: &Me, secret: &Secret, issuing: bool) -> bool {
    let user_differs = secret.user_name.as_ref() != Some(&desired.user_name);
    if issuing {
        let as_of = secret.as_of.map(intent_log::write_time);
        return user_differs || as_of != Some(intent_log::write_time(me.signed_at));
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

#[cfg(test)]
pub mod tests;
