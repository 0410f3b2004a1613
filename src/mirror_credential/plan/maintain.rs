//! Maintains a stored login: verifies it, syncs its mirrors, changes the secret's settings, and
//! deletes superseded resources.

use std::ops::ControlFlow::Continue;

use crate::mirror_credential::intent_log::version_id;
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{CredentialStep, MirrorStep, Plan, SecretStep};
use crate::mirror_credential::spec::short_key;
use crate::mirror_credential::state::{Credential, LoginTrial, Secret};
use crate::reconcile::{choose, choose_any, choose_if};

impl Planner<'_> {
    /// The next step when the secret holds the login of `held`.
    pub fn plan_maintenance(&self, held: &Credential) -> Plan {
        let state = self.state;
        let Some(secret) = self.secret else {
            return choose(SecretStep::ReadSecret);
        };
        // If GitLab fails, the next request deletes the rest.
        let is_reachable = self.gitlab_error().is_none();
        self.fence_peers(secret)?;
        self.end_rotation(secret)?;
        if is_reachable {
            self.delete_orphan_mirror(secret)?;
        }
        let issued = state.login.issued.as_ref();
        if let Some(unused) = issued.filter(|issued| issued.id != held.id) {
            // A peer's login is the current one.
            return choose(CredentialStep::DeleteCredential(unused.id.clone()));
        }
        self.plan_mirrors(secret, held.active)?;
        self.plan_settings(secret)?;
        if secret.is_unfinished() && !state.shows_all_changes() {
            return choose(CredentialStep::WaitForIam);
        }
        if is_reachable {
            self.delete_replaced(secret)?;
        }
        if is_reachable || self.orphans_are_deleted() {
            self.plan_end(secret)?;
        }
        Continue(())
    }

    /// Changes the secret's settings or tags.
    fn plan_settings(&self, secret: &Secret) -> Plan {
        let (stored, wanted) = (&secret.kms_key_id, &self.spec.kms_key_id);
        if short_key(stored.as_deref()) != short_key(wanted.as_deref()) {
            return choose(SecretStep::ChangeSettings);
        }
        if self.has_other_tags(secret) {
            return choose(SecretStep::TagSecret);
        }
        let untag = self.unwanted_tags(secret);
        choose_if(!untag.is_empty(), SecretStep::UntagSecret(untag))
    }

    /// An earlier request may still be running, or may be delivered again. A claim makes it stop.
    fn fence_peers(&self, secret: &Secret) -> Plan {
        let state = self.state;
        self.read_mirror_intent(secret)?;
        let is_recent = secret.is_recent(state.now);
        // A rotation may take hours.
        let may_be_at_work = secret.is_unfinished()
            && !self.state.holds_claim()
            && (is_recent || secret.rotating().is_some());
        let changes_settings = self.plan_settings(secret).is_break();
        if self.has_other_ownership_tags(secret) {
            if may_be_at_work || changes_settings {
                return choose(SecretStep::TagSecret);
            }
            self.record_request()?;
        }
        // At the quota, a peer cannot store a login either.
        if may_be_at_work && !state.log.is_full {
            self.check_claims()?;
            return choose(SecretStep::ClaimIfAllowed);
        }
        Continue(())
    }

    /// Records this request on the secret, even if it changes nothing else. Otherwise a late copy
    /// of the Update that it rolls back would take effect. So would a copy that the user's
    /// tombstone has stopped so far, because this request removes the tombstone.
    fn record_request(&self) -> Plan {
        let state = self.state;
        let is_needed = state.request.previous.needs_record || state.user.tombstone.is_some();
        let is_possible = !state.log.is_recording_denied;
        choose_if(is_needed && is_possible, SecretStep::TagSecretIfAllowed)
    }

    /// Verifies the current login if it is active, and changes its mirrors until they match the
    /// spec.
    fn plan_mirrors(&self, secret: &Secret, active: bool) -> Plan {
        let state = self.state;
        let Some(current) = secret.current() else {
            return Continue(());
        };
        let has_mirrors = self.has_mirrors() || current.mirrors > 0;
        let are_left = self.gitlab_error().is_some();
        // A rollback that keeps the login of another serial stores it with its own.
        let has_label = self.is_of_serial(current) || state.log.is_full;
        if !active || (has_label && (are_left || !has_mirrors)) {
            // If GitLab fails, the mirrors stay as they are: see `Planner::check_acceptance`.
            // With an inactive credential they cannot push.
            return self.verify_stored(active);
        }
        if !are_left {
            self.read_projects()?;
        }
        let records = self.mirrors_of(current)?;
        if are_left {
            self.claim(secret)?;
            self.verify_stored(active)?;
            return choose(CredentialStep::Store);
        }
        let kept = self.kept_mirrors(records);
        if has_label && self.mirrors_are_complete(records, &kept) {
            self.verify_stored(active)?;
            return self.push_mirrors(&kept);
        }
        // A superseded mirror has to be deleted: it would continue to push with the same login.
        let given_up = records.iter().find(|record| {
            self.wanted(record).is_none()
                && !state.mirrors.left.contains(record)
                && !state.mirrors.reachable_gitlabs.contains(&record.gitlab_url)
        });
        if let Some(record) = given_up {
            return choose(MirrorStep::CheckGitLab(record.clone()));
        }
        self.claim(secret)?;
        self.verify_stored(active)?;
        self.retire_before_storing(records)?;
        self.create_mirrors(&kept)?;
        self.push_mirrors(&self.placed_mirrors(&kept))?;
        choose(CredentialStep::Store)
    }

    /// Verifies the stored login, if its credential is `active`.
    pub fn verify_stored(&self, active: bool) -> Plan {
        let is_accepted = self.state.login.trial == LoginTrial::Accepted;
        let must_verify = active && !is_accepted && !self.spec.repositories().is_empty();
        choose_if(must_verify, CredentialStep::VerifyStored)
    }

    fn unwanted_tags(&self, secret: &Secret) -> Vec<String> {
        let former = self.state.request.previous.tag_keys.iter();
        let unwanted = former
            .filter(|key| secret.tags.contains_key(*key) && !self.spec.tags.contains_key(*key));
        unwanted.cloned().collect()
    }

    /// Deletes superseded resources: mirrors first, then their credentials, then the records of
    /// these. A mirror would otherwise push with a deleted credential.
    fn delete_replaced(&self, secret: &Secret) -> Plan {
        self.retire_superseded(secret)?;
        self.delete_superseded(secret)?;
        // The next request deletes the mirrors that GitLab did not delete now.
        let mut superseded = secret.log.superseded.iter();
        let done = superseded.find(|login| !self.leaves_mirrors_of(login));
        choose_any(done.map(SecretStep::drop_login))
    }

    /// Saves the spec, and records the end of the request.
    fn plan_end(&self, secret: &Secret) -> Plan {
        // This entry also concludes every claim before it.
        let is_new = !secret.has_saved(&self.spec.document);
        let is_open = secret.is_unfinished() && !self.state.log.is_full;
        if (is_new || is_open) && !self.state.mirrors.deletion_incomplete {
            return choose(SecretStep::SaveSpec);
        }
        if let Some(saved) = secret.unneeded_spec() {
            return choose(SecretStep::DropLabel {
                label: saved.write(),
                version_id: version_id(saved.entry),
            });
        }
        self.record(secret)
    }
}
