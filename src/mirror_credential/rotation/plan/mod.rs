//! The four steps of a rotation: the same plan, stopped after each of its parts.

use crate::mirror_credential::credential_class::Kind;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::Login;
use crate::mirror_credential::messages;
use crate::mirror_credential::observe::Secret;
use crate::mirror_credential::plan::{
    IAM_SETTLES, LAMBDA_LIVES, Rotation, RotationPart, Step, View,
};
use cfn_custom_resource::Reason;

impl View<'_> {
    /// The next step of `rotation`.
    pub(in crate::mirror_credential) fn rotate(&self, rotation: &Rotation) -> Step {
        let Some(secret) = self.secret else {
            return Step::ReadSecret;
        };
        let version = &rotation.version_id;
        let current = secret.current.as_ref();
        if current.is_some_and(|login| login.version_id == *version) {
            return match rotation.part {
                RotationPart::Finish => self.conclude(secret).unwrap_or(Step::Done),
                _ => Step::Done,
            };
        }
        let is_pending = secret.pending.as_ref() == Some(version);
        let Some(prepared) = secret.prepared(version) else {
            return match rotation.part {
                RotationPart::Create => self.prepare_first(secret, version, is_pending),
                _ if !is_pending => self.refuse(messages::not_pending(version)),
                // A schedule was attached: Secrets Manager tries whether the function answers.
                RotationPart::Test => Step::Done,
                _ => self.refuse(messages::not_prepared(version)),
            };
        };
        let is_next = secret.rotating().map(|login| &login.version_id) == Some(version);
        if !is_next || secret.claim != seal_of(prepared) {
            return self.refuse(messages::rotation_is_overtaken(version));
        }
        match rotation.part {
            RotationPart::Create => Step::Done,
            _ if !is_pending => self.refuse(messages::not_pending(version)),
            part => self.go_on(part, secret, prepared),
        }
    }

    /// `AWSPENDING` may be gone already: Secrets Manager takes it away when another version is
    /// written, and what comes before the version is written to the log.
    fn prepare_first(&self, secret: &Secret, version: &str, is_pending: bool) -> Step {
        if secret.current.is_none() {
            return self.refuse(messages::nothing_to_rotate());
        }
        if self.is_mine() {
            return self.obtain();
        }
        let is_open = secret.is_unfinished() && secret.claim > 0;
        let claim = intent_log::version_id(secret.claim);
        if is_open && self.known.journal_read.as_ref() != Some(&claim) {
            // Whose it is, and how old, it says in any case.
            return Step::ReadJournal(claim);
        }
        let is_own = is_open && self.known.journal.is_by_rotation(version);
        if !is_pending && !is_own {
            // A late copy of a step whose rotation is over must not begin it again.
            return self.refuse(messages::not_pending(version));
        }
        // Secrets Manager itself has just changed the secret: the claim's own age counts.
        let journal = &self.known.journal;
        let is_recent = journal
            .written
            .is_some_and(|time| self.known.now < time + LAMBDA_LIVES);
        // Of rotations Secrets Manager runs one at a time.
        if is_open
            && !journal.is_by_any_rotation()
            && is_recent
            && secret.open_rotation() == Some(&version.to_owned())
        {
            return Step::Defer(messages::stack_is_changing());
        }
        self.obtain()
    }

    /// What one step of the rotation wrote may not be shown to the next one yet.
    fn refuse(&self, reason: Reason) -> Step {
        if self.known.now < self.known.began + IAM_SETTLES {
            return Step::Follow;
        }
        Step::Refuse(reason)
    }

    /// From a login that is prepared to one that is current.
    fn go_on(&self, part: RotationPart, secret: &Secret, prepared: &Login) -> Step {
        if self.wants_mirrors() && self.known.projects.is_none() {
            return Step::ReadProjects;
        }
        let Some(value) = self.known.values.get(&prepared.version_id) else {
            return Step::ReadLogin(prepared.version_id.clone());
        };
        let Some(value) = value else {
            return self.refuse(messages::not_prepared(&prepared.version_id));
        };
        // Somebody may have removed one by hand since.
        let kept = self.kept(&value.mirrors);
        if kept.len() != value.mirrors.len() || kept.len() != self.desired.mirrors.len() {
            return self.refuse(messages::mirrors_have_changed(&prepared.version_id));
        }
        if !self.known.proved && !self.desired.repositories().is_empty() {
            return Step::ProveStored;
        }
        if let Some(step) = self.enable(&kept) {
            return step;
        }
        if part == RotationPart::Set {
            return Step::Done;
        }
        if let Some(step) = self.sync(&kept) {
            return step;
        }
        match (part, &secret.current) {
            (RotationPart::Finish, Some(current)) => Step::HandOver {
                from: current.version_id.clone(),
                to: prepared.version_id.clone(),
            },
            _ => Step::Done,
        }
    }

    /// The version is current: nothing but the former login is left to be taken care of.
    fn conclude(&self, secret: &Secret) -> Option<Step> {
        if let Some(step) = self.retire_superseded(secret) {
            return Some(step);
        }
        // It stays, without use, until its slot is needed.
        let user = &self.known.user;
        let mut superseded = self.of_kind(Kind::Superseded);
        if let Some(active) = superseded.find(|credential| credential.active) {
            return Some(Step::Deactivate {
                user_name: user.name.clone(),
                id: active.id.clone(),
            });
        }
        // Labels are few: those of logins that are gone go, too.
        let mut logins = secret.superseded.iter();
        let user_key = intent_log::key(&user.name);
        let gone = logins.find(|login| {
            login.user_key == user_key
                && user.credential(&login.credential_id).is_none()
                && self.known.is_settled()
        });
        if let Some(login) = gone {
            return Some(Step::ForgetLogin(login.entry));
        }
        // The user's tags may have been removed during the rotation.
        (!self.is_recorded(secret)).then_some(Step::RecordIssued)
    }
}

/// The number of the claim under which a rotation holds the log. See the record of the decision on
/// mirrors and rotation.
pub fn seal_of(prepared: &Login) -> u64 {
    prepared.entry.saturating_sub(1)
}

#[cfg(test)]
pub mod tests;
