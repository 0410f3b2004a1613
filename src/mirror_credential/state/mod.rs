//! The input of the planner: the observed state, with this delivery's changes.

mod changes;
mod error;
mod login;
pub mod mirrors;
mod request;
mod secret;
mod user;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

pub use self::error::DeliveryError;
pub use self::login::{CreatedResources, Issued, LoginState, LoginTrial, StoredLogin};
pub use self::request::{PreviousSpec, RequestState};
pub use self::secret::{Secret, SecretLog, SecretOrigin};
pub use self::user::{Credential, DeniedRead, User};

use crate::clients::aws::CallError;
use crate::common::password::Password;
use crate::common::reason_codes::Code;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::spec::{Spec, WantedMirror};
use crate::mirror_credential::state::mirrors::MirrorState;
use crate::mirror_credential::timing::PROPAGATION_TIME;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// Not read yet, or a peer may have changed it since.
    Unread,
    Absent,
    /// The secret as it was read, with this delivery's changes.
    Present(Box<Secret>),
}

impl SecretState {
    /// The secret. `None` if it is unread or absent.
    pub fn present(&self) -> Option<&Secret> {
        match self {
            SecretState::Present(secret) => Some(secret),
            SecretState::Unread | SecretState::Absent => None,
        }
    }

    /// Follows this delivery's own change to the secret.
    pub fn change(&mut self, change: impl FnOnce(&mut Secret)) {
        if let SecretState::Present(secret) = self {
            change(secret);
        }
    }

    /// The secret, for a step that the planner chooses only after the secret was read.
    ///
    /// # Errors
    /// If the secret is unread or absent.
    pub fn required(&self) -> Result<&Secret, CallError> {
        let error = || CallError::local(Code::InternalError, "using the secret", "it was not read");
        self.present().ok_or_else(error)
    }
}

impl From<Option<Secret>> for SecretState {
    fn from(secret: Option<Secret>) -> Self {
        match secret {
            Some(secret) => SecretState::Present(Box::new(secret)),
            None => SecretState::Absent,
        }
    }
}

/// The intent log, and this delivery's own entries.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // Independent facts, each named.
pub struct LogState {
    /// This delivery has read the secret of the log at least once.
    pub has_read_secret: bool,
    pub created_at: Option<SystemTime>,
    pub claim: Option<u64>,
    /// How many claims this delivery has tried to write.
    pub claims: u32,
    /// The latest claim before that one, and when this delivery wrote its own.
    pub claimed_after: Option<(u64, SystemTime)>,
    /// When a peer took the log over from this delivery.
    pub claim_lost_at: Option<SystemTime>,
    /// The highest entry that a peer is known to have written, and when this delivery learned it.
    pub highest_claimed_entry: Option<(u64, SystemTime)>,
    /// The issue intent of this delivery is in the user's tags.
    pub issue_intent_written: bool,
    /// The issue intent before it was closed, and no peer has claimed the log in between.
    pub follows_closed_intent: bool,
    /// How much of this delivery's time it waits for peers.
    pub peer_timeout: Duration,
    /// The function was denied to record this request on the secret.
    pub is_recording_denied: bool,
    /// The secret had reached its quota of versions, and the request went on without an entry of
    /// the log, because it may have nothing to undo.
    pub is_full: bool,
}

/// The planner's input, beside the spec and the request.
#[derive(Clone, Debug)]
pub struct State {
    pub now: SystemTime,
    /// When the delivery started to read.
    pub started_at: SystemTime,
    /// When it started to read the user: the user's tags and credentials are at least this recent.
    pub user_read_at: SystemTime,
    /// The secret was read after the user. Two concurrent reads may show different moments.
    pub secret_read_after_user: bool,
    pub request: RequestState,
    pub clone_urls: BTreeMap<String, String>,
    pub user: User,
    pub secret: SecretState,
    pub log: LogState,
    pub login: LoginState,
    pub mirrors: MirrorState,
    pub created: CreatedResources,
}

impl State {
    /// The state of a delivery that started to read at `started_at`, and read `user` and `secret`.
    pub fn new(started_at: SystemTime, user: User, secret: SecretState) -> Self {
        let current = secret.present().and_then(Secret::current);
        let login = LoginState {
            seen_version: current.map(|login| login.version_id.clone()),
            ..LoginState::default()
        };
        State {
            now: started_at,
            started_at,
            user_read_at: started_at,
            secret_read_after_user: false,
            request: RequestState::default(),
            clone_urls: BTreeMap::new(),
            user,
            secret,
            log: LogState::default(),
            login,
            mirrors: MirrorState::default(),
            created: CreatedResources::default(),
        }
    }

    /// The login of the next version and of its mirrors, with the ID of its credential: the issued
    /// one, or the current one. `None` if its password is unknown.
    pub fn next_login(&self) -> Option<(&str, &str, &Password)> {
        if let Some(issued) = &self.login.issued {
            let password = issued.password.as_ref()?;
            return Some((&issued.id, &issued.service_user_name, password));
        }
        let current = self.secret.present()?.log.current.as_ref()?;
        let value = self.login.stored.get(&current.version_id)?.as_ref()?;
        let (name, password) = (&value.service_user_name, &value.password);
        Some((&current.credential_id, name, password))
    }

    /// Whether the mirror of `record` pushes with the current login, as far as the logins were
    /// read.
    pub fn pushes_with_current_login(&self, record: &MirrorRecord) -> bool {
        let secret = self.secret.present();
        let is_named = |version: &String| {
            let value = self.login.stored.get(version).and_then(Option::as_ref);
            value.is_some_and(|value| record.is_in(&value.mirrors))
        };
        secret.is_some_and(|secret| {
            let mut logins = secret.logins();
            logins.any(|login| secret.uses(&login.credential_id) && is_named(&login.version_id))
        })
    }

    /// The records of the resource's mirrors: those of the current login, as far as it was read,
    /// and those of the secret that the request replaces.
    fn records(&self) -> impl Iterator<Item = &MirrorRecord> {
        let secret = self.secret.present();
        let current = secret.and_then(Secret::current);
        let value = current.and_then(|current| self.login.stored.get(&current.version_id));
        let current = value.into_iter().flatten().flat_map(|value| &value.mirrors);
        current.chain(&self.mirrors.replaced)
    }

    /// The numbers of the projects that the records have, by the paths in `spec`.
    ///
    /// A path may also replace the number of the same project, as when such a change is rolled
    /// back. If it leads to another project by now, the mirror stays in the former one.
    pub fn recorded_numbers<'a>(&self, spec: &'a Spec) -> BTreeMap<&'a str, u64> {
        let Some(gitlab) = &spec.gitlab else {
            return BTreeMap::new();
        };
        let find = |wanted: &'a WantedMirror| {
            let is_former = |record: &&MirrorRecord| {
                let mut former = self.request.previous.mirrors.iter();
                record.repository_name == wanted.repository_name
                    && former.any(|former| {
                        former.repository_name == wanted.repository_name
                            && former.project == record.number.to_string()
                    })
            };
            let of_gitlab = || self.records().filter(|one| one.gitlab_url == gitlab.url);
            let same = of_gitlab().find(|record| record.project == wanted.project);
            let record = same.or_else(|| of_gitlab().find(is_former))?;
            Some((wanted.project.as_str(), record.number))
        };
        let by_path = spec.mirrors.iter().filter(|wanted| wanted.number().is_none());
        by_path.filter_map(find).collect()
    }

    /// Whether this delivery holds the latest claim.
    pub fn holds_claim(&self) -> bool {
        let claim = self.secret.present().map(|secret| secret.log.claim);
        claim.is_some() && self.log.claim == claim
    }

    /// Whether IAM's lists show everything that peers and earlier deliveries did.
    pub fn shows_all_changes(&self) -> bool {
        let changed = self.secret.present().and_then(|secret| secret.last_changed);
        let tombstone = self.user.tombstone.as_ref();
        let deleted = tombstone.map(|tombstone| tombstone.done_at);
        // A peer may have issued the newest credential. Its records and its secret may be shown
        // late, so their absence does not prove that another person created it.
        let created = self.user.credentials.iter().map(|one| one.created).max();
        let before = match changed.max(deleted).max(created) {
            // Clocks differ. IAM soon lists every credential that existed when this delivery
            // started.
            Some(time) => (time + PROPAGATION_TIME).min(self.started_at + PROPAGATION_TIME),
            None => self.started_at,
        };
        let read_at = Some(self.user_read_at);
        let uncertain = self.login.uncertain_since.max(self.login.peer_stored_at);
        let uncertain = uncertain.map(|time| time + PROPAGATION_TIME);
        read_at >= Some(before).max(uncertain)
    }

    /// Whether IAM shows the closed intent of a peer that lost the log to this delivery. The peer
    /// may have written it until it lost the log.
    pub fn shows_closed_intents(&self) -> bool {
        let since = self.log.claimed_after.map_or(self.started_at, |(_, at)| at);
        self.log.issue_intent_written || self.user_read_at >= since + PROPAGATION_TIME
    }
}
