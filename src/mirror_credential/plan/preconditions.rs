//! The preconditions of every step: whether this request may work on the user and the secret now.

use std::ops::ControlFlow::Continue;
use std::time::{Duration, SystemTime};

use crate::mirror_credential::messages;
use crate::mirror_credential::messages::with_permission;
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{Plan, SecretStep, reject};
use crate::mirror_credential::state::{DeniedRead, Secret, SecretState};
use crate::mirror_credential::timing::{NAME_RELEASE_TIMEOUT, PEER_TIMEOUT, PROPAGATION_TIME};
use crate::reconcile::{Next, choose, choose_any, choose_if};

impl Planner<'_> {
    /// Ends or delays this request, unless it may work on the user and the secret.
    pub fn check_preconditions(&self) -> Plan {
        self.check_user()?;
        self.check_secret_state()?;
        let Some(secret) = self.secret else {
            return Continue(());
        };
        self.check_secret(secret)?;
        self.wait_for_peer(secret)
    }

    pub fn check_user(&self) -> Plan {
        let user = &self.state.user;
        if let Some(DeniedRead(denied)) = &user.denied {
            let error = with_permission(denied.clone());
            return choose(reject(error.reason()));
        }
        if !user.exists {
            return choose(reject(messages::user_is_missing(&user.name)));
        }
        if let Some(owner) = user.held_by().filter(|owner| **owner != self.context.owner) {
            return choose(reject(messages::user_is_held(
                &user.name,
                &self.context.owner,
                owner,
            )));
        }
        let tombstone = user.tombstone.as_ref();
        let is_superseded = tombstone.is_some_and(|one| self.context.is_superseded_by(one));
        choose_if(is_superseded, reject(messages::superseded_by_delete()))
    }

    fn check_secret_state(&self) -> Plan {
        let (state, context) = (self.state, self.context);
        // Of two deliveries of a Create, the one that fails deletes the secret that it created.
        let has_read = state.log.has_read_secret && !context.is_create;
        let is_at_work = state.log.claim.is_some() || state.log.claim_lost_at.is_some() || has_read;
        let created_at = state.log.created_at;
        let may_be_shown_late = created_at.is_some_and(|at| state.now < at + PROPAGATION_TIME);
        match &state.secret {
            SecretState::Unread => choose(SecretStep::ReadSecret),
            SecretState::Absent if may_be_shown_late => choose(SecretStep::WaitForPeer),
            // Only a Delete deletes a secret that this delivery works on.
            SecretState::Absent if is_at_work || context.rotation.is_some() => {
                choose(reject(messages::superseded_by_delete()))
            }
            SecretState::Absent | SecretState::Present(_) => Continue(()),
        }
    }

    fn check_secret(&self, secret: &Secret) -> Plan {
        let secret_name = &self.spec.secret_name;
        if secret.deleted_at.is_some() {
            // Secrets Manager frees the name only some seconds after a forced deletion.
            if self.state.now < self.state.started_at + NAME_RELEASE_TIMEOUT {
                return choose(SecretStep::WaitForPeer);
            }
            return choose(reject(messages::secret_is_scheduled(secret_name)));
        }
        self.check_owner(secret)?;
        choose_any(messages::user_name_differs(self.spec, secret).map(reject))
    }

    /// Ends a request for a secret whose tags do not name its resource. Nothing else gives it to
    /// the resource, because another function may respond with any physical ID. Without the tags,
    /// the rollback of an Update that changed nothing succeeds, or its stack could not be rolled
    /// back.
    pub fn check_owner(&self, secret: &Secret) -> Plan {
        let (own, name) = (&self.context.owner, &self.spec.secret_name);
        let owner = secret.origin.owner.as_ref();
        if owner == Some(own) {
            return Continue(());
        }
        let is_known = self.state.request.previous.keeps_secret
            || self.context.rotation.is_some()
            || self.state.user.records(own, name, secret);
        choose(if owner.is_some() || !is_known {
            reject(messages::secret_is_held(name, own, owner))
        } else if self.restores_saved_spec(secret) {
            Next::Done(())
        } else {
            let user_name = Some(self.spec.user_name.as_str());
            reject(messages::secret_is_untagged(
                name,
                own,
                user_name,
                &secret.origin,
            ))
        })
    }

    fn wait_for_peer(&self, secret: &Secret) -> Plan {
        let state = self.state;
        if let Some((entry, at)) = state.log.highest_claimed_entry
            && !secret.has_entry(entry)
            && state.now < at + PROPAGATION_TIME
        {
            // A peer wrote that entry. The plan needs its content, which Secrets Manager shows
            // late.
            return choose(SecretStep::WaitForPeer);
        }
        // The peer may be waiting for a push, or for its login to become valid.
        let peer_timeout = if self.spec.repositories().is_empty() {
            Duration::ZERO
        } else {
            state.log.peer_timeout
        };
        let is_waiting = |lost_at: SystemTime| {
            state.now < (lost_at + PEER_TIMEOUT).max(state.started_at + peer_timeout)
        };
        let may_be_at_work = secret.is_unfinished() && !state.holds_claim();
        if may_be_at_work && state.log.claim_lost_at.is_some_and(is_waiting) {
            return choose(SecretStep::WaitForPeer);
        }
        let is_outdated = self.context.is_outdated(secret);
        choose_if(is_outdated, reject(messages::later_request()))
    }
}
