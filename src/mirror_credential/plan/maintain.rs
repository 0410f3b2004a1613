//! Maintains a stored login: verifies it, syncs its mirrors, changes the secret's settings, and
//! deletes superseded resources.

use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::plan::end_rotation::end_rotation;
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{CredentialStep, MirrorStep, SecretStep, Step};
use crate::mirror_credential::state::{Credential, Secret};
use crate::mirror_credential::timing::LAMBDA_MAX_LIFETIME;

impl Planner<'_> {
    /// The next step when the secret holds the login of `held`.
    pub fn plan_maintenance(&self, held: &Credential) -> Step {
        let state = self.state;
        let Some(secret) = self.secret else {
            return SecretStep::ReadSecret.into();
        };
        // If GitLab fails, the next request deletes the rest.
        let is_reachable = state.mirrors.gitlab_error.is_none();
        let step = self.fence_peers(secret);
        let step = step.or_else(|| end_rotation(self, secret)).or_else(|| {
            let step = is_reachable.then(|| self.mirrors.delete_orphan_mirror(secret));
            step.flatten()
        });
        let step = step.or_else(|| {
            // A peer's login is the current one.
            let issued = state.login.issued.as_ref();
            let unused = issued.filter(|issued| issued.id != held.id)?;
            Some(CredentialStep::DeleteCredential(unused.id.clone()).into())
        });
        let step = step.or_else(|| self.plan_mirrors(secret, held.active));
        let step = step.or_else(|| self.plan_settings(secret)).or_else(|| {
            let must_wait = secret.is_unfinished() && !state.is_settled();
            must_wait.then_some(CredentialStep::WaitForIam.into())
        });
        let step = step.or_else(|| is_reachable.then(|| self.plan_cleanup(secret)).flatten());
        step.unwrap_or(Step::Done)
    }

    /// The step that changes the secret's settings or tags.
    fn plan_settings(&self, secret: &Secret) -> Option<Step> {
        if !secret.settings.matches(&self.spec.settings) {
            return Some(SecretStep::ChangeSettings.into());
        }
        if self.tags_differ(secret) {
            return Some(SecretStep::TagSecret.into());
        }
        let untag = self.unwanted_tags(secret);
        (!untag.is_empty()).then(|| SecretStep::UntagSecret(untag).into())
    }

    /// An earlier request may still be running, or may be delivered again. A claim makes it stop.
    fn fence_peers(&self, secret: &Secret) -> Option<Step> {
        let state = self.state;
        if let Some(step) = self.mirrors.read_mirror_intent(secret) {
            return Some(step);
        }
        let is_recent = secret
            .last_changed
            .is_none_or(|time| state.now < time + LAMBDA_MAX_LIFETIME);
        // A rotation may take hours.
        let may_be_at_work = secret.is_unfinished()
            && !self.state.holds_claim()
            && (is_recent || secret.rotating().is_some());
        let changes_settings = self.plan_settings(secret).is_some();
        if (may_be_at_work || changes_settings) && self.ownership_tags_differ(secret) {
            return Some(SecretStep::TagSecret.into());
        }
        may_be_at_work.then(|| SecretStep::ClaimIfAllowed(secret.next_entry()).into())
    }

    /// Verifies the current login if it is active, and changes its mirrors until they match the
    /// spec.
    fn plan_mirrors(&self, secret: &Secret, active: bool) -> Option<Step> {
        let (state, spec) = (self.state, self.spec);
        let must_verify = active && !state.login.verified && !spec.repositories().is_empty();
        let verify = must_verify.then_some(CredentialStep::VerifyStored.into());
        let current = secret.log.current.as_ref()?;
        let has_mirrors = self.mirrors.wants_mirrors() || current.mirrors > 0;
        if !has_mirrors || !active || state.mirrors.gitlab_error.is_some() {
            // If GitLab fails, the mirrors stay as they are: see `MirrorPlanner::rejection`. With
            // an inactive credential they cannot push.
            return verify;
        }
        if self.mirrors.wants_mirrors() && state.mirrors.projects.is_none() {
            return Some(MirrorStep::ReadProjects.into());
        }
        let Some(value) = state.login.stored.get(&current.version_id) else {
            return Some(CredentialStep::ReadLogin(current.version_id.clone()).into());
        };
        let push = |mirrors: &[MirrorRecord]| {
            let step = self.mirrors.enable(mirrors);
            step.or_else(|| self.mirrors.sync(mirrors))
        };
        let records = value.as_ref().map_or(&[][..], |value| &value.mirrors);
        let kept = self.mirrors.kept(records);
        if kept.len() == spec.mirrors.len() && kept.len() == records.len() {
            return verify.or_else(|| push(&kept));
        }
        // A superseded mirror has to be deleted: it would continue to push with the same login.
        let given_up = records.iter().find(|record| {
            spec.wanted(record).is_none()
                && !state.mirrors.reachable_gitlabs.contains(&record.gitlab_url)
        });
        if let Some(record) = given_up {
            return Some(MirrorStep::CheckGitLab(record.clone()).into());
        }
        let step = self.claim(secret).or(verify);
        step.or_else(|| self.mirrors.create_mirrors(secret, &kept))
            .or_else(|| push(&self.mirrors.placed(&kept)))
            .or(Some(CredentialStep::Store.into()))
    }

    fn unwanted_tags(&self, secret: &Secret) -> Vec<String> {
        let former = self.state.previous_tags.iter();
        let unwanted = former
            .filter(|key| secret.tags.contains_key(*key) && !self.spec.tags.contains_key(*key));
        unwanted.cloned().collect()
    }

    /// Deletes superseded resources: mirrors first, then their credentials, then the records of
    /// these. A mirror would otherwise push with a deleted credential.
    fn plan_cleanup(&self, secret: &Secret) -> Option<Step> {
        let step = self.mirrors.retire_superseded(secret);
        if let Some(step) = step.or_else(|| self.delete_superseded(secret)) {
            return Some(step);
        }
        if let Some(superseded) = secret.log.superseded.first() {
            return Some(SecretStep::DropOldLogin(superseded.entry).into());
        }
        // This entry also concludes every claim before it.
        let is_new = !secret.saves(&self.spec.document);
        if (is_new || secret.is_unfinished()) && !self.state.mirrors.deletion_incomplete {
            return Some(SecretStep::SaveSpec(secret.next_entry()).into());
        }
        if let [former, _, ..] = secret.log.saved_specs.as_slice() {
            return Some(SecretStep::DropOldSpec(former.entry).into());
        }
        (!self.is_recorded(secret)).then_some(CredentialStep::CloseIssueIntent.into())
    }
}
