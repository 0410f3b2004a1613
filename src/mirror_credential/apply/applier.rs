//! The state of a running delivery, which follows the delivery's own changes.

use std::collections::BTreeSet;

use crate::clients::aws::CallError;
use crate::mirror_credential::calls::WriteResult;
use crate::mirror_credential::calls::gitlab::GitLabClients;
use crate::mirror_credential::clients::Clients;
use crate::mirror_credential::intent_log::mirrors::{MirrorIntent, MirrorRecord};
use crate::mirror_credential::observe;
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{Credential, Issued, Secret, SecretState, State};
use cfn_custom_resource::{Progress, Reason};

/// The resources that this delivery created, which a rollback deletes.
#[derive(Debug, Default)]
pub struct CreatedResources {
    pub mirrors: BTreeSet<MirrorRecord>,
    /// The credentials. IAM may not list them yet.
    pub credentials: Vec<Credential>,
    /// The credential whose login this delivery stored.
    pub stored_credential: Option<String>,
    /// The number of the log's entry in which this delivery last tried to store a login.
    pub storing_entry: Option<u64>,
    /// A peer may have reset the credential that this delivery issued.
    pub is_login_shared: bool,
}

/// The retries of this delivery.
#[derive(Debug, Default)]
pub struct RetryBudget {
    /// Resets of a credential.
    pub resets: u32,
    /// Calls in a row that IAM throttled.
    pub throttled_calls: u32,
    /// Calls whose outcome is unknown.
    pub uncertain_calls: u32,
    /// Calls that failed because no slot was free.
    pub slots_refused: u32,
    /// Attempts to move `AWSCURRENT`.
    pub move_retries: u32,
    /// The issued login was rejected once.
    pub login_rejected: bool,
}

/// A running delivery: it executes the planner's steps until the resource matches the spec.
pub struct Applier<'a> {
    pub clients: &'a Clients,
    pub spec: &'a Spec,
    pub context: &'a RequestContext,
    pub progress: &'a Progress,
    pub state: State,
    pub gitlab_clients: GitLabClients<'a>,
    /// The operator should see these although the request succeeds.
    pub warnings: Vec<Reason>,
    pub created: CreatedResources,
    pub retries: RetryBudget,
}

impl Applier<'_> {
    /// Reads the secret, and follows changes by peers.
    pub async fn read_secret(&mut self) -> Result<(), CallError> {
        let read = observe::read_secret(&self.clients.aws, &self.spec.secret_name).await?;
        self.state.secret = SecretState::from(read);
        self.state.secret_read_after_user = true;
        let latest = self.state.secret.present().map(|secret| secret.log.claim);
        if self.state.log.claim.is_some() && latest > self.state.log.claim {
            let secret = std::mem::replace(&mut self.state.secret, SecretState::Unread);
            self.yield_to_peer(latest.unwrap_or_default());
            self.state.secret = secret;
        }
        let highest = self.state.log.highest_claimed_entry;
        let highest = highest.map_or(0, |(entry, _)| entry);
        self.change_secret(|secret| secret.log.highest_claimed_entry = highest);
        let secret = self.state.secret.present();
        self.state.secret_seen |= secret.is_some_and(|secret| self.context.owns(secret));
        let current = secret.and_then(|secret| secret.log.current.as_ref());
        let login = &mut self.state.login;
        // A peer may have taken the credential over, and have stored it.
        let is_stored =
            |issued: &mut Issued| current.is_some_and(|current| current.credential_id == issued.id);
        login.issued.take_if(is_stored);
        let current_version = current.map(|login| login.version_id.clone());
        if current_version.is_some() && current_version != login.seen_version {
            // IAM may not list its credential yet.
            login.peer_stored_at = Some(self.clients.clock.now());
            login.seen_version = current_version;
        }
        if current.map(|login| &login.version_id) != login.verified_version.as_ref() {
            login.verified = false;
            login.rejected = false;
        }
        if self.state.log.claim.is_none() {
            // A peer may have finished this delivery's intent.
            let (own, mirrors) = (&self.created.mirrors, &mut self.state.mirrors);
            mirrors.orphans.retain(|record| own.contains(record));
            mirrors.intent.content = MirrorIntent::default();
            mirrors.intent.read_from = None;
        }
        let first = self.state.secret.present().filter(|secret| {
            // The response to this delivery's CreateSecret may have been lost.
            secret.log.claim == 0 && secret.is_unfinished() && self.context.has_created(secret)
        });
        let has_claim = self.state.log.claim.is_some() || self.state.log.claim_lost_at.is_some();
        if first.is_some() && !has_claim {
            self.state.log.claim = Some(0);
        }
        Ok(())
    }

    /// Reads the user. The delivery's own changes stay in the state, although IAM may not show them
    /// yet.
    pub async fn read_user(&mut self) -> Result<(), CallError> {
        self.state.user_read_at = self.clients.clock.now();
        self.state.secret_read_after_user = false;
        let mut user = observe::read_user(&self.clients.aws, &self.spec.user_name).await?;
        let deleted = &self.state.login.deleted_credentials;
        let listed = &mut user.credentials;
        listed.retain(|listed| !deleted.contains(&listed.id));
        for own in &self.created.credentials {
            if user.credential(&own.id).is_none() {
                user.credentials.push(own.clone());
            }
        }
        if self.state.log.issue_intent_written {
            let before = &mut self.state.user;
            user.owner = before.owner.take();
            user.secret_name = before.secret_name.take();
            user.issue_intent = before.issue_intent.take();
            let context = self.context;
            user.tombstone = user
                .tombstone
                .filter(|tombstone| context.is_superseded_by(tombstone));
        }
        self.state.user = user;
        Ok(())
    }

    /// Follows this delivery's own change to the secret.
    pub fn change_secret(&mut self, change: impl FnOnce(&mut Secret)) {
        if let SecretState::Present(secret) = &mut self.state.secret {
            change(secret);
        }
    }

    /// Follows the write of the log's entry `entry`. `false` if this delivery did not write it.
    pub fn note_write(&mut self, written: WriteResult, entry: u64) -> bool {
        match written {
            WriteResult::Yes => return true,
            WriteResult::Taken if self.state.log.claim.is_some() => self.yield_to_peer(entry),
            WriteResult::Taken => self.note_claimed_entry(entry),
            WriteResult::Gone => self.state.secret = SecretState::Absent,
        }
        false
    }

    /// A peer has taken the log over. It may have reset the issued credential, and creates mirrors
    /// of its own.
    pub fn yield_to_peer(&mut self, entry: u64) {
        if let Some(issued) = &mut self.state.login.issued {
            issued.password = None;
            self.created.is_login_shared = true;
        }
        self.orphan_created_mirrors();
        self.state.log.claim_lost_at = Some(self.clients.clock.now());
        self.state.log.claim = None;
        self.note_claimed_entry(entry);
    }

    /// The mirrors that this delivery created are not used.
    pub fn orphan_created_mirrors(&mut self) {
        let created = std::mem::take(&mut self.state.mirrors.intent.content.created);
        self.state.mirrors.orphans.extend(created);
        self.state.mirrors.intent.ids_committed = false;
    }

    /// A peer wrote `entry` first, and may have created mirrors: the secret and the projects have to be
    /// read, and the next entry is a higher one.
    pub fn note_claimed_entry(&mut self, entry: u64) {
        let highest = self.state.log.highest_claimed_entry;
        if highest.is_none_or(|(highest, _)| entry > highest) {
            let now = self.clients.clock.now();
            self.state.log.highest_claimed_entry = Some((entry, now));
        }
        self.state.secret = SecretState::Unread;
        self.state.mirrors.projects = None;
    }

    /// Follows the deletion of the credential `id`.
    pub fn note_credential_deleted(&mut self, id: &str) {
        self.state.login.deleted_credentials.push(id.to_owned());
        self.created
            .credentials
            .retain(|credential| credential.id != id);
        self.state.user.credentials.retain(|listed| listed.id != id);
        self.state.login.issued.take_if(|issued| issued.id == id);
    }

    /// Follows the deactivation of the credential `id`.
    pub fn note_deactivated(&mut self, id: &str) {
        let credentials = self.state.user.credentials.iter_mut();
        for credential in credentials.filter(|credential| credential.id == id) {
            credential.active = false;
        }
    }
}
