//! Plans the steps when the secret holds no valid login: from the claim to the entry that holds
//! one.

use std::ops::ControlFlow::Continue;

use crate::common::password::Password;
use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::intent_log::{Login, key, serial_key};
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{
    CredentialStep, MirrorStep, Plan, SecretStep, defer, reject,
};
use crate::mirror_credential::state::{Credential, Issued, Secret, StoredLogin};
use crate::reconcile::{choose, choose_if};
use cfn_custom_resource::Reason;

/// The most claims that a delivery tries to write. With a fault, concurrent deliveries need five.
const MAX_CLAIMS: u32 = 12;

impl Planner<'_> {
    /// The next step towards a new login.
    pub fn plan_issue(&self) -> Plan {
        let state = self.state;
        let error = self.gitlab_error().or_else(|| state.mirrors.rejected.first().cloned());
        let error = error.or_else(|| match self.context.rotation {
            Some(_) => None,
            None => Reason::join(self.mirrors_of_every_branch()),
        });
        if let Some(error) = error
            && !self.may_lack_mirrors()
        {
            return choose(reject(error));
        }
        self.plan_foreign()?;
        let Some(secret) = self.secret else {
            return choose(SecretStep::CreateSecret);
        };
        self.claim(secret)?;
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
                choose(CredentialStep::WaitForIam)
            };
        }
        let may_have_left = secret.is_taken_over() || state.login.uncertain_since.is_some();
        if may_have_left && !state.shows_all_changes() {
            return choose(CredentialStep::WaitForIam);
        }
        if state.user.credentials.len() >= 2 {
            self.delete_superseded(secret)?;
            return choose(reject(messages::both_slots_taken(&state.user.name)));
        }
        choose(if state.log.issue_intent_written {
            CredentialStep::Issue
        } else {
            CredentialStep::WriteIssueIntent
        })
    }

    /// Makes the password usable of the credential `id`, which no version holds. A reset
    /// does not activate an inactive one, so that is deleted, and the next step issues another.
    fn renew(&self, id: &str) -> Plan {
        if self.is_inactive(id) {
            return choose(CredentialStep::DeleteCredential(id.to_owned()));
        }
        choose(CredentialStep::Reset(id.to_owned()))
    }

    /// Rejects foreign credentials, or deletes them.
    fn plan_foreign(&self) -> Plan {
        let state = self.state;
        let is_issued = |credential: &&Credential| {
            let issued = state.login.issued.as_ref();
            issued.is_some_and(|issued| issued.id == credential.id)
        };
        let foreign = self.of_class(CredentialClass::Foreign);
        let foreign: Vec<&Credential> = foreign.filter(|one| !is_issued(one)).collect();
        let Some(first) = foreign.first() else {
            return Continue(());
        };
        self.wait_for_tags()?;
        choose(if self.spec.deletes_foreign {
            CredentialStep::DeleteCredential(first.id.clone()).into()
        } else {
            reject(messages::foreign_in_the_way(&state.user.name, &foreign))
        })
    }

    /// Prepares a change of the login or its mirrors: this delivery has to hold the claim, and the
    /// orphan mirrors of earlier attempts have to be deleted.
    pub fn claim(&self, secret: &Secret) -> Plan {
        if self.has_other_ownership_tags(secret) {
            return choose(SecretStep::TagSecret);
        }
        self.read_mirror_intent(secret)?;
        let are_left = self.mirrors_are_left();
        if !are_left {
            self.read_projects()?;
        }
        if !self.state.holds_claim() {
            self.check_claims()?;
            return choose(SecretStep::Claim);
        }
        self.end_rotation(secret)?;
        if secret.latest_login() > Some(secret.log.claim) {
            // An issued credential has to follow a claim that is the log's latest entry.
            self.check_claims()?;
            return choose(SecretStep::Claim);
        }
        if are_left {
            return Continue(());
        }
        self.delete_orphan_mirror(secret)?;
        // Newer versions of GitLab reject a second mirror with the same URL.
        self.retire_superseded(secret)
    }

    /// Ends a delivery whose claims never become the log's latest entry: Secrets Manager does not
    /// show them, or peers take the log over each time.
    pub fn check_claims(&self) -> Plan {
        let is_over = self.state.log.claims >= MAX_CLAIMS;
        let reason = messages::claims_are_not_shown(&self.spec.secret_name);
        choose_if(is_over, defer(reason))
    }

    fn plan_store(&self, secret: &Secret, issued: &Issued) -> Plan {
        let has_repositories = !self.spec.repositories().is_empty();
        self.create_mirrors(&[])?;
        if self.context.rotation.is_some() {
            // The entry with the mirror IDs shows which claim a rotation holds, even without
            // mirrors.
            if !self.state.mirrors.intent.ids_committed {
                return choose(MirrorStep::CommitMirrorIds);
            }
            return choose(CredentialStep::Store);
        }
        // A working login is replaced only by a verified one.
        let must_work = secret.log.current.is_some() || self.has_mirrors();
        if must_work && !issued.verified && has_repositories {
            return choose(CredentialStep::VerifyIssued);
        }
        self.push_mirrors(&self.placed_mirrors(&[]))?;
        choose(CredentialStep::Store)
    }

    /// The value and the label of the log's entry `entry`, which is in the version `version_id`:
    /// the issued login, or the current one with other mirrors. `None` if its password is unknown.
    pub fn next_login(&self, entry: u64, version_id: String) -> Option<(StoredLogin, Login)> {
        let (credential_id, service_user_name, password) = self.state.next_login()?;
        let mirrors = self.next_mirrors();
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
