//! Plans the steps when the secret holds no valid login: from the claim to the entry that holds
//! one.

use crate::common::password::Password;
use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::intent_log::{Login, key, serial_key};
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::end_rotation::end_rotation;
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{CredentialStep, MirrorStep, SecretStep, Step};
use crate::mirror_credential::spec::ForeignCredentials;
use crate::mirror_credential::state::{Credential, Issued, Secret, StoredLogin};

impl Planner<'_> {
    /// The next step towards a new login.
    pub fn plan_issue(&self) -> Step {
        let state = self.state;
        if let Some(error) = &state.mirrors.gitlab_error {
            return Step::Reject(error.clone());
        }
        if self.context.rotation.is_none()
            && let Some(reason) = self.mirrors.pushes_everything()
        {
            return Step::Reject(reason);
        }
        if let Some(step) = self.plan_foreign() {
            return step;
        }
        let Some(secret) = self.secret else {
            return SecretStep::CreateSecret.into();
        };
        if let Some(step) = self.claim(secret) {
            return step;
        }
        if let Some(issued) = &state.login.issued {
            // GitLab rejects a `/` in a mirror's login.
            let is_usable = issued.password.as_ref().is_some_and(Password::is_url_safe);
            return if is_usable && !self.is_inactive(&issued.id) {
                self.plan_store(secret, issued)
            } else {
                self.renew(&issued.id)
            };
        }
        // An earlier attempt may have left a credential.
        if let Some(orphan) = self.of_class(CredentialClass::Orphan).next() {
            // Once IAM shows the closed intent, a foreign credential is no longer classified as an
            // orphan.
            return if state.shows_closed_intents() {
                self.renew(&orphan.id)
            } else {
                CredentialStep::WaitForIam.into()
            };
        }
        let may_have_left = secret.was_taken_over() || state.login.uncertain_since.is_some();
        if may_have_left && !state.is_settled() {
            return CredentialStep::WaitForIam.into();
        }
        if state.user.credentials.len() >= 2 {
            let refusal = || Step::Reject(messages::both_slots_taken(&state.user.name));
            return self.delete_superseded(secret).unwrap_or_else(refusal);
        }
        if state.log.issue_intent_written {
            CredentialStep::Issue.into()
        } else {
            CredentialStep::WriteIssueIntent.into()
        }
    }

    /// The step towards a usable password of the credential `id`, which no version holds. A reset
    /// does not activate an inactive one, so that is deleted, and the next step issues another.
    fn renew(&self, id: &str) -> Step {
        if self.is_inactive(id) {
            return CredentialStep::DeleteCredential(id.to_owned()).into();
        }
        CredentialStep::Reset(id.to_owned()).into()
    }

    /// The step for foreign credentials. `None` if there are none.
    fn plan_foreign(&self) -> Option<Step> {
        let state = self.state;
        let is_issued = |credential: &&Credential| {
            let issued = state.login.issued.as_ref();
            issued.is_some_and(|issued| issued.id == credential.id)
        };
        let foreign = self.of_class(CredentialClass::Foreign);
        let foreign: Vec<&Credential> = foreign.filter(|one| !is_issued(one)).collect();
        let first = foreign.first()?;
        let step = match self.spec.foreign_credentials {
            ForeignCredentials::Refuse => {
                Step::Reject(messages::foreign_in_the_way(&state.user.name, &foreign))
            }
            ForeignCredentials::Delete => CredentialStep::DeleteCredential(first.id.clone()).into(),
        };
        Some(self.wait_for_tags().unwrap_or(step))
    }

    /// The step that is needed before the login or its mirrors can change. `None` if this delivery
    /// holds the claim, and the orphan mirrors of earlier attempts are deleted.
    pub fn claim(&self, secret: &Secret) -> Option<Step> {
        let state = self.state;
        if self.ownership_tags_differ(secret) {
            return Some(SecretStep::TagSecret.into());
        }
        if let Some(step) = self.mirrors.read_mirror_intent(secret) {
            return Some(step);
        }
        if self.mirrors.wants_mirrors() && state.mirrors.projects.is_none() {
            return Some(MirrorStep::ReadProjects.into());
        }
        if !self.state.holds_claim() {
            return Some(SecretStep::Claim(secret.next_entry()).into());
        }
        if let Some(step) = end_rotation(self, secret) {
            return Some(step);
        }
        if secret.latest_login() > Some(secret.log.claim) {
            // An issued credential has to follow a claim that is the log's latest entry.
            return Some(SecretStep::Claim(secret.next_entry()).into());
        }
        self.mirrors
            .delete_orphan_mirror(secret)
            // Newer versions of GitLab reject a second mirror with the same URL.
            .or_else(|| self.mirrors.retire_superseded(secret))
    }

    fn plan_store(&self, secret: &Secret, issued: &Issued) -> Step {
        let has_repositories = !self.spec.repositories().is_empty();
        if let Some(step) = self.mirrors.create_mirrors(secret, &[]) {
            return step;
        }
        if self.context.rotation.is_some() {
            // The entry with the mirror IDs shows which claim a rotation holds, even without
            // mirrors.
            return if self.state.mirrors.intent.ids_committed {
                CredentialStep::Store.into()
            } else {
                MirrorStep::CommitMirrorIds(secret.next_entry()).into()
            };
        }
        // A working login is replaced only by a verified one.
        let must_work = secret.log.current.is_some() || self.mirrors.wants_mirrors();
        if must_work && !issued.verified && has_repositories {
            return CredentialStep::VerifyIssued.into();
        }
        let records = self.mirrors.placed(&[]);
        self.mirrors
            .enable(&records)
            .or_else(|| self.mirrors.sync(&records))
            .unwrap_or(CredentialStep::Store.into())
    }

    /// The value and the label of the log's entry `entry`, which is in the version `version_id`:
    /// the issued login, or the current one with other mirrors. `None` if its password is unknown.
    pub fn next_login(&self, entry: u64, version_id: String) -> Option<(StoredLogin, Login)> {
        let (credential_id, service_user_name, password) = self.state.next_login()?;
        let mirrors = self.mirrors.next_mirrors();
        let login = Login {
            entry,
            version_id,
            credential_id: credential_id.to_owned(),
            serial_key: serial_key(self.spec.rotation_serial.as_deref()),
            user_key: key(&self.spec.user_name),
            mirrors: mirrors.len(),
        };
        let value = StoredLogin {
            service_user_name: service_user_name.to_owned(),
            password: password.clone(),
            mirrors,
        };
        Some((value, login))
    }
}
