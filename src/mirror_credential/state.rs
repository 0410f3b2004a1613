//! Everything that a plan is made from: what was read, and what this delivery did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::calls::StoredLogin;
use super::mirrors::journal::{Journal, MirrorRecord};
use super::observe::{Secret, User};
use super::plan::IAM_SETTLES;
use crate::gitlab::{Mirror, ProtectedBranches, PushesEverything, Settings};
use crate::password::Password;
use cfn_custom_resource::Reason;

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

/// One project of the desired GitLab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its mirrors, of whatever origin.
    pub mirrors: Vec<Mirror>,
    /// The branches that it protects itself. `None` if they were not read.
    pub protected_branches: Option<ProtectedBranches>,
    /// Each `BranchRegex` that matches no existing branch.
    pub unmatched: BTreeSet<String>,
    /// It has no commit.
    pub is_empty: bool,
    /// The size of its Git LFS objects in bytes; 0 if it was not read.
    pub lfs_objects_size: u64,
}

impl Project {
    /// A project of which only the mirrors were read.
    pub fn new(mirrors: Vec<Mirror>) -> Self {
        Project {
            mirrors,
            protected_branches: None,
            unmatched: BTreeSet::new(),
            is_empty: false,
            lfs_objects_size: 0,
        }
    }

    /// Why GitLab would push every branch through a mirror with `settings`. `None` if it pushes
    /// what the settings select, or if the branches were not read.
    pub fn pushes_everything(&self, settings: &Settings) -> Option<PushesEverything> {
        let protected = self.protected_branches.as_ref();
        if self.is_empty {
            None
        } else if settings.only_protected_branches {
            let protects_none = protected.is_some_and(ProtectedBranches::is_empty);
            protects_none.then_some(PushesEverything::NothingProtected)
        } else {
            let regex = settings.branch_regex.as_ref()?;
            let has_no_match = self.unmatched.contains(regex);
            has_no_match.then_some(PushesEverything::NothingMatches)
        }
    }
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
    /// The desired secret.
    pub secret: SecretState,
    /// A look of this delivery has shown a secret.
    pub had_secret: bool,
    /// Credentials of ours that belong to the secret which this one replaces.
    pub elsewhere: Vec<String>,
    /// The keys of the tags that the template gave before.
    pub former_tags: Vec<String>,
    /// Credentials that this delivery removed, which IAM may still list.
    pub gone: Vec<String>,
    /// The claim that this delivery holds.
    pub claim: Option<u64>,
    /// The log's latest claim before that one, and when this delivery wrote its own.
    pub claimed_after: Option<(u64, SystemTime)>,
    /// When somebody took over from this delivery.
    pub overtaken_at: Option<SystemTime>,
    /// When the latest call to issue was made whose outcome is unknown, or that found no slot.
    pub doubtful_since: Option<SystemTime>,
    /// One of these calls may have issued a credential.
    pub may_have_issued: bool,
    /// What this delivery issued and has not stored.
    pub issued: Option<Issued>,
    /// The attempt stands in the user's tags.
    pub recorded: bool,
    /// The record before it was closed, and no other delivery has claimed the log since then.
    pub follows_closed: bool,
    /// The login can push to every repository.
    pub proved: bool,
    /// The stored password is not the credential's.
    pub login_refused: bool,
    /// Where the repositories are cloned from.
    pub clone_urls: BTreeMap<String, String>,
    /// The desired GitLab's projects; `None` when they have to be looked at (again).
    pub projects: Option<BTreeMap<String, Project>>,
    /// The values of versions of the secret that were read; `None` for one that is no login.
    pub values: BTreeMap<String, Option<StoredLogin>>,
    /// Which mirrors were there before the attempt that is under way, and which it made.
    pub journal: Journal,
    /// The highest number that was found taken, and when.
    pub taken: Option<(u64, SystemTime)>,
    /// The version of the secret of which it is known whether its login is accepted.
    pub judged: Option<String>,
    /// The version that a journal was read from.
    pub journal_read: Option<String>,
    /// An attempt that ended somewhere may have made mirrors of which it did not learn.
    pub may_have_lost: bool,
    /// GitLab could not be asked, for this reason.
    pub silence: Option<Reason>,
    /// Where mirrors are to be given up, and GitLab answers.
    pub answering: BTreeSet<String>,
    /// What could not be removed in GitLab is named by a claim, which has to stay open.
    pub is_left_behind: bool,
    /// For how much of this delivery's time somebody else may be at work.
    pub patience: Duration,
    /// Mirrors of an attempt that was taken over, this delivery's own among them, and lost ones.
    pub strays: BTreeSet<MirrorRecord>,
    /// The claim that this delivery holds says what was there before.
    pub is_journaled: bool,
    /// It says which mirrors were made, too: they may be enabled.
    pub is_sealed: bool,
    /// Mirrors that were given their settings by this delivery.
    pub told: BTreeSet<u64>,
    /// Mirrors that pushed, or need not, since this delivery began.
    pub synced: BTreeSet<u64>,
    /// Mirrors that are gone, or out of reach for good.
    pub retired: BTreeSet<MirrorRecord>,
}

impl Observed {
    /// What a delivery knows that began to look at `began`, and found this.
    pub fn begin(began: SystemTime, user: User, secret: SecretState) -> Self {
        Observed {
            now: began,
            began,
            looked_at: began,
            is_in_order: false,
            user,
            secret,
            had_secret: false,
            elsewhere: Vec::new(),
            former_tags: Vec::new(),
            gone: Vec::new(),
            claim: None,
            claimed_after: None,
            overtaken_at: None,
            doubtful_since: None,
            may_have_issued: false,
            issued: None,
            recorded: false,
            follows_closed: false,
            proved: false,
            login_refused: false,
            clone_urls: BTreeMap::new(),
            projects: None,
            values: BTreeMap::new(),
            journal: Journal::default(),
            taken: None,
            judged: None,
            journal_read: None,
            may_have_lost: false,
            silence: None,
            answering: BTreeSet::new(),
            is_left_behind: false,
            patience: Duration::ZERO,
            strays: BTreeSet::new(),
            is_journaled: false,
            is_sealed: false,
            told: BTreeSet::new(),
            synced: BTreeSet::new(),
            retired: BTreeSet::new(),
        }
    }

    /// What GitLab shows of `record`; `None` when it is gone, or leads elsewhere.
    pub fn shown(&self, record: &MirrorRecord) -> Option<&Mirror> {
        let clone_url = self.clone_urls.get(&record.repository_name)?;
        let mirrors = &self.projects.as_ref()?.get(&record.project)?.mirrors;
        let mirror = mirrors.iter().find(|mirror| mirror.id == record.id)?;
        mirror.leads_to(clone_url).then_some(mirror)
    }

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

    /// A delivery that lost the log to this one may have closed its record until that moment. IAM
    /// shows it by now.
    pub fn shows_closed_records(&self) -> bool {
        let since = self.claimed_after.map_or(self.began, |(_, at)| at);
        self.recorded || self.looked_at >= since + IAM_SETTLES
    }
}
