//! Ends a rotation: aborts its own one, so that the next one can begin, or supersedes another one.

use std::ops::ControlFlow::Continue;

use crate::mirror_credential::plan::planner::{CurrentLogin, Planner};
use crate::mirror_credential::plan::rotation::claim_of;
use crate::mirror_credential::plan::step::{CredentialStep, Plan, SecretStep};
use crate::mirror_credential::state::{Secret, SecretState};
use crate::reconcile::{choose, choose_if};

impl Planner<'_> {
    /// Deletes the resources of the rotation to `version_id`, unless its login is current.
    ///
    /// `AWSPENDING` is removed first, because that label would make every later rotation fail.
    /// Resources that peers created, or may make current, are deleted only if the rotation still
    /// holds the log.
    pub fn abort_rotation(&self, version_id: &String) -> Plan {
        let state = self.state;
        if state.secret == SecretState::Unread {
            return choose(SecretStep::ReadSecret);
        }
        let own = self.secret.filter(|secret| self.context.owns(secret));
        let is_named = |id: &String| {
            own.into_iter().flat_map(Secret::logins).any(|login| login.credential_id == *id)
        };
        let issued = state.login.issued.as_ref().map(|issued| &issued.id);
        let issued = issued.filter(|id| !is_named(id));
        let delete_issued = || match issued {
            Some(id) => choose(CredentialStep::DeleteCredential(id.clone())),
            None => Continue(()),
        };
        let Some(secret) = own.filter(|secret| !secret.is_current(version_id)) else {
            // A Delete has superseded the rotation, and did not find a credential that was issued
            // since. Or another delivery of this phase has moved `AWSCURRENT` already.
            return delete_issued();
        };
        if secret.open_rotation() == Some(version_id) {
            return choose(SecretStep::drop_pending(version_id));
        }
        if state.holds_claim()
            || secret.prepared(version_id).map(claim_of) == Some(secret.log.claim)
        {
            let is_fenced = state.mirrors.intent.content.claimant == self.context.claimant;
            if !is_fenced || !state.holds_claim() {
                // Otherwise a phase that still runs could make its login current.
                return choose(SecretStep::Claim);
            }
            self.end_rotation(secret)?;
        } else if secret.is_unfinished() {
            // The peer may be about to store the login that was issued here.
            return Continue(());
        }
        delete_issued()?;
        // Mirrors left in GitLab push with the prepared login. The login and its label stay until
        // the mirrors can be deleted.
        self.delete_orphan_mirror(secret)?;
        self.retire_superseded(secret)?;
        self.delete_login(secret, version_id)
    }

    /// Deletes the login that the rotation stored, or a former version of the current one.
    fn delete_login(&self, secret: &Secret, version_id: &String) -> Plan {
        let mut superseded = secret.log.superseded.iter();
        let login = superseded
            .find(|login| login.version_id == *version_id || secret.uses(&login.credential_id));
        let Some(login) = login else {
            return Continue(());
        };
        let id = &login.credential_id;
        if secret.uses(id) || self.state.login.deleted_credentials.contains(id) {
            return choose(SecretStep::drop_login(login));
        }
        choose(CredentialStep::DeleteCredential(id.clone()))
    }

    /// Ends another rotation, if there is one.
    ///
    /// A superseded rotation must not make its login current. It compares the version under
    /// `AWSCURRENT` before it moves that label, so this moves `AWSCURRENT` to another version
    /// first.
    ///
    /// Then this removes `AWSPENDING`, even from a rotation that died long ago. If this request
    /// issues a password, no rotation is needed, so this removes the label of any rotation. The
    /// label would block a change of the `RotationSchedule` in the same stack update.
    pub fn end_rotation(&self, secret: &Secret) -> Plan {
        let own = self.context.rotation.as_ref();
        let is_own =
            |version: &String| own.is_some_and(|own| own.version_id == *version && !own.is_aborted);
        if let Some(rotating) = secret.rotating()
            && !is_own(&rotating.version_id)
        {
            let mut superseded = secret.log.superseded.iter();
            let copy = superseded
                .find(|login| login.entry > rotating.entry && secret.uses(&login.credential_id));
            return choose(match copy {
                Some(copy) => SecretStep::MoveAwsCurrent(copy.version_id.clone()),
                None => SecretStep::CopyCurrentVersion,
            });
        }
        let Some(pending) = secret.open_rotation().filter(|version| !is_own(version)) else {
            return Continue(());
        };
        let is_superseded = own.is_none() && matches!(self.current_login(), CurrentLogin::Missing);
        let is_over = is_superseded
            || secret.prepared(pending).is_some()
            || !secret.is_recent(self.state.now);
        choose_if(is_over, SecretStep::drop_pending(pending))
    }
}
