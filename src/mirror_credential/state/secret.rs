//! The secret: its tags, and the log that its versions are.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::Value;

use crate::mirror_credential::intent_log::mirrors::{MirrorIntent, SavedSpec, spec_key};
use crate::mirror_credential::intent_log::{
    IssueIntent, Login, Owner, entry_number, key, version_id,
};
use crate::mirror_credential::timing::LAMBDA_MAX_LIFETIME;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secret {
    /// Its ARN. It has another suffix each time that a secret of this name is created.
    pub arn: String,
    /// Who created it, from its tags.
    pub origin: SecretOrigin,
    /// Key ID, ARN or alias. `None` for the account's default key.
    pub kms_key_id: Option<String>,
    /// The tags of the spec.
    pub tags: BTreeMap<String, String>,
    pub log: SecretLog,
    /// Secrets Manager rotates it.
    pub rotates: bool,
    /// When it was last changed, by Secrets Manager's clock.
    pub last_changed: Option<SystemTime>,
    /// It is scheduled for deletion.
    pub deleted_at: Option<SystemTime>,
}

/// Who created a secret, and for whom. Each member is a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretOrigin {
    /// The resource that created it. `None` if no resource of this type did.
    pub owner: Option<Owner>,
    /// The stack that its tags name, even if they name no resource of it.
    pub stack_id: Option<String>,
    /// The user whose login it holds.
    pub user_name: Option<String>,
    /// When the latest request that changed it was signed.
    pub as_of: Option<SystemTime>,
    /// The key of that request.
    pub changed_by: Option<String>,
    /// The delivery that created it.
    pub claimant: Option<String>,
}

/// The intent log, from the labels of the secret's versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretLog {
    /// The login under `AWSCURRENT`. `None` if another writer put the value there.
    pub current: Option<Login>,
    /// The logins of other versions that still have a login's label.
    pub superseded: Vec<Login>,
    /// The value under `AWSCURRENT` is from another writer.
    pub changed_by_hand: bool,
    pub pending: Option<String>,
    /// The saved specs, the latest one last. Two are kept, because a rollback restores the former
    /// one.
    pub saved_specs: Vec<SavedSpec>,
    /// An entry that exists although no label shows it: its version has lost its labels.
    pub highest_claimed_entry: u64,
    /// The entry of the latest claim. 0 is the creation of the secret itself.
    pub claim: u64,
    /// The version of the latest claim, if its mirror intent has to be read.
    pub mirror_intent: Option<String>,
}

impl SecretLog {
    pub fn note_claim(&mut self, entry: u64, intent: &MirrorIntent) {
        self.claim = entry;
        self.mirror_intent = intent.must_be_read().then(|| version_id(entry));
    }

    pub fn drop_label(&mut self, label: &str) {
        self.saved_specs.retain(|saved| saved.write() != label);
        self.superseded.retain(|login| login.write() != label);
        self.pending.take_if(|_| label == "AWSPENDING");
    }
}

impl Secret {
    /// The login under `AWSCURRENT`.
    pub fn current(&self) -> Option<&Login> {
        self.log.current.as_ref()
    }

    /// Whether the current login has the credential `id`.
    pub fn uses(&self, id: &str) -> bool {
        self.current().is_some_and(|login| login.credential_id == id)
    }

    /// The logins of all versions, the current one first.
    pub fn logins(&self) -> impl Iterator<Item = &Login> {
        self.log.current.iter().chain(&self.log.superseded)
    }

    pub fn latest_login(&self) -> Option<u64> {
        self.logins().map(|login| login.entry).max()
    }

    /// The version under `AWSPENDING`, unless it is the current one: a rotation is in progress,
    /// or died.
    pub fn open_rotation(&self) -> Option<&String> {
        let pending = self.log.pending.as_ref();
        pending.filter(|version| !self.is_current(version))
    }

    /// Whether a rotation may be running, or may begin at any moment.
    pub fn may_rotate(&self) -> bool {
        self.rotates || self.open_rotation().is_some()
    }

    /// Whether the version `version_id` is under `AWSCURRENT` and holds a login.
    pub fn is_current(&self, version_id: &str) -> bool {
        self.current().is_some_and(|login| login.version_id == version_id)
    }

    /// The login that the rotation to `version_id` has stored.
    pub fn prepared(&self, version_id: &str) -> Option<&Login> {
        self.log.superseded.iter().find(|login| login.version_id == version_id)
    }

    /// The login that a rotation has stored, and that it may make current.
    pub fn rotating(&self) -> Option<&Login> {
        let current = self.current()?.entry;
        let mut later = self.log.superseded.iter().filter(|login| login.entry > current);
        later.find(|login| entry_number(&login.version_id).is_none())
    }

    /// Whether the secret holds, or is about to hold, the login of the user `name`. The current
    /// login decides, because an attempt that was not finished may have changed the tag. Without a
    /// login, the tag decides. `true` if the secret has neither.
    pub fn is_for_user(&self, name: &str) -> bool {
        match (&self.log.current, &self.origin.user_name) {
            (Some(login), _) => login.user_key == key(name),
            (None, Some(user_name)) => user_name == name,
            (None, None) => true,
        }
    }

    /// The latest entry that ends the claims before it: a login that is or was current, or a saved
    /// spec. A spec that was saved before the first login ends nothing.
    fn latest_concluded(&self) -> Option<u64> {
        self.latest_login()?;
        let rotating = self.rotating().map(|login| login.entry);
        let logins = self.logins().map(|login| login.entry);
        let logins = logins.filter(|entry| Some(*entry) != rotating).max();
        logins.max(self.latest_saved())
    }

    /// Whether the latest claim has not ended in a login or a saved spec.
    pub fn is_unfinished(&self) -> bool {
        self.latest_concluded().is_none_or(|entry| self.log.claim > entry)
    }

    /// Whether the delivery that changed it last may still run at the time `now`.
    pub fn is_recent(&self, now: SystemTime) -> bool {
        let changed = self.last_changed;
        changed.is_none_or(|time| now < time + LAMBDA_MAX_LIFETIME)
    }

    /// Whether an Update may still run at the time `now` that has stored its login, and not yet its
    /// spec.
    pub fn may_save_spec(&self, now: SystemTime) -> bool {
        let login = self.current().map(|login| login.entry);
        login > self.latest_saved() && self.is_recent(now)
    }

    /// Whether a claim before the latest one has not ended in a login or a saved spec.
    pub fn is_taken_over(&self) -> bool {
        self.log.claim > self.latest_concluded().map_or(0, |entry| entry + 1)
    }

    /// Whether the spec that was saved last is `document`.
    pub fn has_saved(&self, document: &Value) -> bool {
        let saved = self.log.saved_specs.last();
        saved.is_some_and(|saved| saved.key == spec_key(document))
    }

    /// Whether `document` is an earlier spec than the one that was saved last.
    pub fn has_former(&self, document: &Value) -> bool {
        let key = spec_key(document);
        self.log.saved_specs.iter().rev().skip(1).any(|saved| saved.key == key)
    }

    /// A saved spec that is neither the latest one nor the one before.
    pub fn unneeded_spec(&self) -> Option<&SavedSpec> {
        let (last, former) = self.log.saved_specs.split_last()?;
        let same = former.iter().find(|saved| saved.key == last.key);
        let older = former.first().filter(|_| former.len() > 1);
        same.or(older)
    }

    /// Whether the log shows entry `number`, or a later one.
    pub fn has_entry(&self, number: u64) -> bool {
        self.latest_entry() >= number
    }

    /// The next entry. Of two deliveries that write it, one succeeds.
    pub fn next_entry(&self) -> u64 {
        self.latest_entry().max(self.log.highest_claimed_entry) + 1
    }

    fn latest_entry(&self) -> u64 {
        let concluded = self.latest_login().max(self.latest_saved());
        self.log.claim.max(concluded.unwrap_or_default())
    }

    pub fn latest_saved(&self) -> Option<u64> {
        self.log.saved_specs.last().map(|saved| saved.entry)
    }

    /// Whether `issue_intent` is for this secret and may have issued a credential that is not
    /// stored.
    pub fn is_awaiting(&self, issue_intent: &IssueIntent) -> bool {
        issue_intent.secret_key == key(&self.arn) && self.latest_login() <= Some(issue_intent.claim)
    }
}
