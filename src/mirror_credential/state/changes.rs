//! How the state follows the delivery's own changes, and learns of those of peers.

use std::time::SystemTime;

use crate::clients::gitlab::Mirror;
use crate::common::password::Password;
use crate::mirror_credential::intent_log::Login;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::state::mirrors::IntentState;
use crate::mirror_credential::state::{
    Credential, Issued, LoginTrial, SecretState, State, StoredLogin,
};

impl State {
    /// A peer has taken the log over. It may have reset the issued credential, and creates mirrors
    /// of its own.
    pub fn yield_to_peer(&mut self, entry: u64, now: SystemTime) {
        if let Some(issued) = &mut self.login.issued {
            issued.password = None;
            self.created.is_login_shared = true;
        }
        self.orphan_created_mirrors();
        self.mirrors.vanished.clear();
        self.log.claim_lost_at = Some(now);
        self.log.claim = None;
        self.note_claimed_entry(entry, now);
    }

    /// A peer wrote `entry` first, and may have created mirrors: the secret and the projects have
    /// to be read, and the next entry is a higher one.
    pub fn note_claimed_entry(&mut self, entry: u64, now: SystemTime) {
        let highest = self.log.highest_claimed_entry;
        if highest.is_none_or(|(highest, _)| entry > highest) {
            self.log.highest_claimed_entry = Some((entry, now));
        }
        self.secret = SecretState::Unread;
        self.mirrors.projects = None;
    }

    /// Notes that `credential` has the password `password`. `reset` if it existed before.
    pub fn note_issued(&mut self, credential: &Credential, password: Password, reset: bool) {
        let mut own = self.created.credentials.iter();
        let is_own = own.any(|own| own.id == credential.id);
        self.created.is_login_shared |= reset && !is_own;
        self.login.issued = Some(Issued {
            id: credential.id.clone(),
            service_user_name: credential.service_user_name.clone(),
            password: Some(password),
            verified: false,
        });
        for list in [&mut self.user.credentials, &mut self.created.credentials] {
            list.retain(|listed| listed.id != credential.id);
            list.push(credential.clone());
        }
    }

    /// Notes that `AWSCURRENT` is on the version of `login`, which holds `value`.
    pub fn note_stored(&mut self, login: Login, value: StoredLogin) {
        self.created.storing_entry = None;
        self.created.stored_credential = Some(login.credential_id.clone());
        let state = &mut self.login;
        if let Some(issued) = state.issued.take() {
            state.trial = if issued.verified {
                LoginTrial::Accepted
            } else {
                LoginTrial::Untried
            };
        }
        state.tried_version = Some(login.version_id.clone());
        state.seen_version = Some(login.version_id.clone());
        state.stored.insert(login.version_id.clone(), Some(value));
        state.uncertain_since = None;
        let intent = &mut self.mirrors.intent;
        *intent = IntentState {
            read_from: intent.read_from.take(),
            ..IntentState::default()
        };
        self.secret.change(|secret| {
            secret.log.superseded.extend(secret.log.current.take());
            secret.log.current = Some(login);
            secret.log.changed_by_hand = false;
        });
    }

    pub fn note_credential_deleted(&mut self, id: &str) {
        self.login.deleted_credentials.push(id.to_owned());
        self.created.credentials.retain(|own| own.id != id);
        self.user.credentials.retain(|listed| listed.id != id);
        self.login.issued.take_if(|issued| issued.id == id);
    }

    pub fn note_deactivated(&mut self, id: &str) {
        let credentials = self.user.credentials.iter_mut();
        for credential in credentials.filter(|credential| credential.id == id) {
            credential.active = false;
        }
    }

    pub fn note_mirror_created(&mut self, record: MirrorRecord, mirror: &Mirror) {
        self.mirrors.note_shown(&record, Some(mirror));
        self.created.mirrors.insert(record.clone());
        self.mirrors.intent.content.created.push(record);
        self.mirrors.intent.ids_committed = false;
    }

    /// Follows the deletion of a mirror by a person, or by a peer that took the log over.
    pub fn note_mirror_deleted(&mut self, record: &MirrorRecord) {
        self.mirrors.note_shown(record, None);
        let created = &mut self.mirrors.intent.content.created;
        created.retain(|one| one != record);
        if self.created.mirrors.contains(record) {
            self.mirrors.vanished.push(record.clone());
        }
        // If a peer deleted it, the log shows the peer's claim.
        self.secret = SecretState::Unread;
    }

    /// The mirrors that this delivery created are not used.
    pub fn orphan_created_mirrors(&mut self) {
        let created = std::mem::take(&mut self.mirrors.intent.content.created);
        self.mirrors.orphans.extend(created);
        self.mirrors.intent.ids_committed = false;
    }
}
