//! The login is there: proving it, keeping its mirrors well, and removing what is not needed.

use super::{Held, LAMBDA_LIVES, Step, View, same_key, tags_differ};
use crate::mirror_credential::credential_class::Kind;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::mirrors::journal::{MirrorRecord, properties_key};
use crate::mirror_credential::observe::{Credential, Secret};
use crate::mirror_credential::spec::ForeignCredentials;

impl View<'_> {
    /// The next step when the secret holds the login of `held`.
    pub(super) fn keep(&self, held: &Credential) -> Step {
        let (known, desired) = (self.known, self.desired);
        let Some(secret) = self.secret else {
            return Step::ReadSecret;
        };
        if !held.active {
            return Step::Activate(held.id.clone());
        }
        if let Some(step) = self.shut_out_others(secret) {
            return step;
        }
        if let Some(step) = self.end_rotation(secret) {
            return step;
        }
        if known.silence.is_none()
            && let Some(step) = self.remove_stray(secret)
        {
            return step;
        }
        if let Some(issued) = known.issued.as_ref().filter(|issued| issued.id != held.id) {
            // Somebody else's login is the one that stands.
            return Step::DeleteCredential {
                user_name: known.user.name.clone(),
                id: issued.id.clone(),
            };
        }
        let mirrors = match self.change_mirrors(secret) {
            Ok(mirrors) => mirrors,
            Err(step) => return *step,
        };
        if !known.proved && !desired.repositories().is_empty() {
            return Step::ProveStored;
        }
        if let Some(step) = self.enable(&mirrors).or_else(|| self.sync(&mirrors)) {
            return step;
        }
        if !same_key(secret.kms_key_id.as_deref(), desired.kms_key_id.as_deref()) {
            return Step::ChangeKey;
        }
        if tags_differ(desired, self.me, secret, false) {
            return Step::TagSecret;
        }
        let untag = self.unwanted_tags(secret);
        if !untag.is_empty() {
            return Step::UntagSecret(untag);
        }
        if secret.is_unfinished() && !known.is_settled() {
            return Step::LookAgain;
        }
        if known.silence.is_some() {
            // The rest goes with the next request, if GitLab can be asked then.
            return Step::Done;
        }
        self.tidy(secret).unwrap_or(Step::Done)
    }

    /// An earlier request may still be at work, or come again: it must find out that it is over.
    fn shut_out_others(&self, secret: &Secret) -> Option<Step> {
        let (known, desired) = (self.known, self.desired);
        if let Some(step) = self.read_journal(secret) {
            return Some(step);
        }
        let is_recent = secret
            .last_changed
            .is_none_or(|time| known.now < time + LAMBDA_LIVES);
        // A rotation has hours.
        let may_be_at_work =
            secret.is_unfinished() && !self.is_mine() && (is_recent || secret.rotating().is_some());
        let changes = !same_key(secret.kms_key_id.as_deref(), desired.kms_key_id.as_deref())
            || tags_differ(desired, self.me, secret, false)
            || !self.unwanted_tags(secret).is_empty();
        if (may_be_at_work || changes) && tags_differ(desired, self.me, secret, true) {
            return Some(Step::TagSecret);
        }
        may_be_at_work.then(|| Step::Fence(secret.next_entry()))
    }

    /// A rotation that is taken over must not make its login current any more: what it compares
    /// before it does is where `AWSCURRENT` stands, so that moves. Then `AWSPENDING` goes, also
    /// that of a rotation which died long ago, and of any rotation if this request issues a password:
    /// then the rotation is not needed, and its label would block a change of the `RotationSchedule`
    /// in the same update of the stack.
    pub(super) fn end_rotation(&self, secret: &Secret) -> Option<Step> {
        let own = self.me.rotation.as_ref();
        let is_own = |version: &String| own.is_some_and(|own| own.version_id == *version);
        if let (Some(rotating), Some(current)) = (secret.rotating(), &secret.current)
            && !is_own(&rotating.version_id)
        {
            let copy = secret.superseded.iter().find(|login| {
                login.credential_id == current.credential_id && login.entry > rotating.entry
            });
            return Some(match copy {
                Some(copy) => Step::HandOver {
                    from: current.version_id.clone(),
                    to: copy.version_id.clone(),
                },
                None => Step::Copy(secret.next_entry()),
            });
        }
        let pending = secret.open_rotation().filter(|version| !is_own(version))?;
        let is_superseded = own.is_none() && matches!(self.held(), Held::Nothing);
        let is_over = is_superseded
            || secret.prepared(pending).is_some()
            || secret
                .last_changed
                .is_some_and(|time| self.known.now >= time + LAMBDA_LIVES);
        is_over.then(|| Step::DropPending(pending.clone()))
    }

    /// The current login's mirrors, once they are those that are wanted.
    fn change_mirrors(&self, secret: &Secret) -> Result<Vec<MirrorRecord>, Box<Step>> {
        let (known, desired) = (self.known, self.desired);
        let Some(current) = &secret.current else {
            return Err(Box::new(Step::ReadSecret));
        };
        if !self.wants_mirrors() && current.mirrors == 0 {
            return Ok(Vec::new());
        }
        if known.silence.is_some() {
            // They stay as they are: see `refused_by_gitlab`.
            return Ok(Vec::new());
        }
        if self.wants_mirrors() && known.projects.is_none() {
            return Err(Box::new(Step::ReadProjects));
        }
        let Some(value) = known.values.get(&current.version_id) else {
            return Err(Box::new(Step::ReadLogin(current.version_id.clone())));
        };
        let records = value.as_ref().map_or(&[][..], |value| &value.mirrors);
        let kept = self.kept(records);
        if kept.len() == desired.mirrors.len() && kept.len() == records.len() {
            return Ok(kept);
        }
        // What is given up must be let go, too: with the same login it would push on.
        let given_up = records.iter().find(|record| {
            desired.wanted(record).is_none() && !known.answering.contains(&record.gitlab_url)
        });
        if let Some(record) = given_up {
            return Err(Box::new(Step::AskGitLab(record.clone())));
        }
        if let Some(step) = self.claim(secret) {
            return Err(Box::new(step));
        }
        if !known.proved && !desired.repositories().is_empty() {
            return Err(Box::new(Step::ProveStored));
        }
        if let Some(step) = self.make_mirrors(secret, &kept) {
            return Err(Box::new(step));
        }
        let placed = self.placed(&kept);
        let step = self.enable(&placed).or_else(|| self.sync(&placed));
        Err(Box::new(step.unwrap_or(Step::Store)))
    }

    fn unwanted_tags(&self, secret: &Secret) -> Vec<String> {
        let former = self.known.former_tags.iter();
        let unwanted = former
            .filter(|key| secret.tags.contains_key(*key) && !self.desired.tags.contains_key(*key));
        unwanted.cloned().collect()
    }

    /// What is not needed any more: mirrors first, then what they pushed with, then its record.
    fn tidy(&self, secret: &Secret) -> Option<Step> {
        let (known, desired) = (self.known, self.desired);
        if let Some(step) = self.retire_superseded(secret) {
            return Some(step);
        }
        // What the secret's versions name is certain; for the rest only the user's tags speak.
        let mut unneeded: Vec<&Credential> = self
            .of_kind(Kind::Stray)
            .chain(self.of_kind(Kind::Superseded))
            .collect();
        if desired.foreign_credentials == ForeignCredentials::Delete {
            unneeded.extend(self.of_kind(Kind::Foreign));
        }
        let is_named = |id: &str| secret.logins().any(|login| login.credential_id == id);
        if let Some(first) = unneeded.first() {
            if !is_named(&first.id) {
                if !known.is_settled() {
                    return Some(Step::LookAgain);
                }
                if !known.is_in_order {
                    return Some(Step::ReadSecret);
                }
            }
            return Some(self.delete(first));
        }
        if let Some(step) = self.forget_superseded(secret) {
            return Some(step);
        }
        let latest = secret.properties.last();
        let key = properties_key(&desired.document);
        // The entry also says that every claim before it is settled.
        let is_new = latest.is_none_or(|latest| latest.key != key);
        if (is_new || secret.is_unfinished()) && !known.is_left_behind {
            return Some(Step::NoteProperties(secret.next_entry()));
        }
        if let [former, _, ..] = secret.properties.as_slice() {
            return Some(Step::ForgetProperties(former.entry));
        }
        (!self.is_recorded(secret)).then_some(Step::RecordIssued)
    }

    fn forget_superseded(&self, secret: &Secret) -> Option<Step> {
        let known = self.known;
        let superseded = secret.superseded.first()?;
        let current = secret.current.as_ref();
        if current.is_some_and(|login| login.credential_id == superseded.credential_id) {
            // Another record of the very credential that is current.
            return Some(Step::ForgetLogin(superseded.entry));
        }
        // What a version names is there even when IAM does not list it yet.
        let user = &known.user;
        let is_of_user = user.exists && intent_log::key(&user.name) == superseded.user_key;
        let id = &superseded.credential_id;
        if !is_of_user || known.gone.contains(id) {
            return Some(Step::ForgetLogin(superseded.entry));
        }
        Some(Step::DeleteCredential {
            user_name: user.name.clone(),
            id: id.clone(),
        })
    }
}
