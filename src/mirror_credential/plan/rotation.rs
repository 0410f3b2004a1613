//! The four phases of a rotation: the same plan, stopped after each phase.

use std::ops::ControlFlow::Continue;

use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::Login;
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{
    CredentialStep, MirrorStep, Plan, SecretStep, defer, reject,
};
use crate::mirror_credential::request_context::{Rotation, RotationPhase};
use crate::mirror_credential::state::Secret;
use crate::mirror_credential::timing::{LAMBDA_MAX_LIFETIME, PROPAGATION_TIME};
use crate::reconcile::{choose, choose_if};
use cfn_custom_resource::Reason;

impl Planner<'_> {
    pub fn plan_rotation(&self, rotation: &Rotation) -> Plan {
        let Some(secret) = self.secret else {
            return choose(SecretStep::ReadSecret);
        };
        let version = &rotation.version_id;
        if secret.is_current(version) {
            return match rotation.phase {
                RotationPhase::Finish => self.conclude_rotation(secret),
                _ => Continue(()),
            };
        }
        let is_pending = secret.log.pending.as_ref() == Some(version);
        let Some(prepared) = secret.prepared(version) else {
            return match rotation.phase {
                RotationPhase::Create => self.plan_first_phase(secret, rotation, is_pending),
                _ if !is_pending => self.reject_phase(messages::not_pending(version)),
                // When a schedule is attached, Secrets Manager tests whether the function responds.
                RotationPhase::Test => Continue(()),
                _ => self.reject_phase(messages::not_prepared(version)),
            };
        };
        let is_next = secret.rotating().map(|login| &login.version_id) == Some(version);
        if !is_next || secret.log.claim != claim_of(prepared) {
            return self.reject_phase(messages::rotation_is_overtaken(version));
        }
        match rotation.phase {
            RotationPhase::Create => Continue(()),
            _ if !is_pending => self.reject_phase(messages::not_pending(version)),
            phase => self.plan_phase(phase, prepared),
        }
    }

    /// Plans the first phase. `AWSPENDING` may be missing: Secrets Manager removes it when another
    /// version is written, and this phase writes log entries before the rotation's version.
    fn plan_first_phase(&self, secret: &Secret, rotation: &Rotation, is_pending: bool) -> Plan {
        let version = &rotation.version_id;
        if secret.log.current.is_none() {
            return self.reject_phase(messages::nothing_to_rotate());
        }
        if self.state.holds_claim() {
            return self.plan_issue();
        }
        let is_open = secret.is_unfinished();
        let claim = intent_log::version_id(secret.log.claim);
        if is_open && self.state.mirrors.intent.read_from.as_ref() != Some(&claim) {
            // The claimant and the age of the claim decide.
            return choose(MirrorStep::ReadMirrorIntent(claim));
        }
        let is_own = is_open && self.state.mirrors.intent.content.is_by_rotation(version);
        if !is_pending && !is_own {
            // A late copy of a phase must not restart a rotation that has ended.
            return self.reject_phase(messages::not_pending(version));
        }
        // Secrets Manager itself has just changed the secret, so only the claim's own age counts.
        let mirror_intent = &self.state.mirrors.intent.content;
        let is_recent = mirror_intent
            .written
            .is_some_and(|time| self.state.now < time + LAMBDA_MAX_LIFETIME);
        // Secrets Manager runs one rotation at a time, so a claim of another rotation is not
        // active.
        if is_open
            && !mirror_intent.is_by_any_rotation()
            && is_recent
            && secret.open_rotation() == Some(version)
        {
            return choose(defer(messages::stack_is_changing()));
        }
        self.plan_issue()
    }

    /// Rejects the phase. It waits first, because Secrets Manager may show the previous phase's
    /// entries late.
    fn reject_phase(&self, reason: Reason) -> Plan {
        if self.state.now < self.state.started_at + PROPAGATION_TIME {
            return choose(SecretStep::WaitForPeer);
        }
        choose(reject(reason))
    }

    /// The steps from a prepared login to a current one.
    fn plan_phase(&self, phase: RotationPhase, prepared: &Login) -> Plan {
        self.read_projects()?;
        let Some(value) = self.state.login.stored.get(&prepared.version_id) else {
            return choose(CredentialStep::ReadLogin(prepared.version_id.clone()));
        };
        let Some(value) = value else {
            return self.reject_phase(messages::not_prepared(&prepared.version_id));
        };
        if let Some(reason) = self.shown_elsewhere(&value.mirrors) {
            return choose(reject(reason));
        }
        // A person may have deleted a mirror since.
        let kept = self.kept_mirrors(&value.mirrors);
        if kept.len() != value.mirrors.len() || kept.len() != self.spec.mirrors.len() {
            return self.reject_phase(messages::mirrors_have_changed(&prepared.version_id));
        }
        self.verify_stored(true)?;
        self.enable_mirrors(&kept)?;
        if phase == RotationPhase::Set {
            return Continue(());
        }
        self.sync_mirrors(&kept)?;
        choose_if(
            phase == RotationPhase::Finish,
            SecretStep::MoveAwsCurrent(prepared.version_id.clone()),
        )
    }

    /// The version is current: retires the mirrors and the credential of the superseded login.
    fn conclude_rotation(&self, secret: &Secret) -> Plan {
        self.retire_superseded(secret)?;
        // The credential stays inactive until its slot is needed.
        let user = &self.state.user;
        let mut superseded = self.of_class(CredentialClass::Superseded);
        if let Some(active) = superseded.find(|credential| credential.active) {
            return choose(CredentialStep::Deactivate(active.id.clone()));
        }
        // A secret has a limited number of labels, so labels of deleted credentials are removed.
        let user_key = intent_log::key(&user.name);
        let gone = secret.log.superseded.iter().find(|login| {
            login.user_key == user_key
                && user.credential(&login.credential_id).is_none()
                && self.state.shows_all_changes()
        });
        if let Some(login) = gone {
            return choose(SecretStep::drop_login(login));
        }
        // The user's tags may have been removed during the rotation.
        self.record(secret)
    }
}

/// The number of the claim under which a rotation holds the log. See the record of the decision on
/// mirrors and rotation.
pub fn claim_of(prepared: &Login) -> u64 {
    prepared.entry.saturating_sub(1)
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
pub mod tests;
