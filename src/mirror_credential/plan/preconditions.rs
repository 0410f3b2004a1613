//! The preconditions of every step: whether this request may work on the user and the secret now.

use std::time::{Duration, SystemTime};

use crate::mirror_credential::intent_log::write_time;
use crate::mirror_credential::messages;
use crate::mirror_credential::messages::with_permission_hint;
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{SecretStep, Step};
use crate::mirror_credential::state::{Secret, SecretState};
use crate::mirror_credential::timing::{NAME_RELEASE_TIMEOUT, PEER_TIMEOUT, PROPAGATION_TIME};

impl Planner<'_> {
    /// The step that ends or delays this request. `None` if it may work on the user and the secret.
    pub fn check_preconditions(&self) -> Option<Step> {
        let step = self.check_user().or_else(|| self.check_secret_state());
        step.or_else(|| {
            let secret = self.secret?;
            self.check_secret(secret)
                .or_else(|| self.wait_for_peer(secret))
        })
    }

    fn check_user(&self) -> Option<Step> {
        let user = &self.state.user;
        if let Some(denied) = &user.denied {
            let error = with_permission_hint(denied.clone());
            return Some(Step::Reject(error.reason()));
        }
        if !user.exists {
            return Some(Step::Reject(messages::user_is_missing(&user.name)));
        }
        if let Some(owner) = user.held_by().filter(|owner| **owner != self.context.owner) {
            return Some(Step::Reject(messages::user_is_held(&user.name, owner)));
        }
        let tombstone = user.tombstone.as_ref();
        let is_superseded = tombstone.is_some_and(|one| self.context.is_superseded_by(one));
        is_superseded.then_some(Step::SupersededByDelete)
    }

    fn check_secret_state(&self) -> Option<Step> {
        let (state, context) = (self.state, self.context);
        // Of two deliveries of a Create, the one that fails deletes the secret that it created.
        let was_seen = state.log.was_seen && !context.is_create;
        let is_at_work = state.log.claim.is_some() || state.log.claim_lost_at.is_some() || was_seen;
        match &state.secret {
            SecretState::Unread => Some(SecretStep::ReadSecret.into()),
            // Only a Delete deletes a secret that this delivery works on.
            SecretState::Absent if is_at_work || context.rotation.is_some() => {
                Some(Step::SupersededByDelete)
            }
            SecretState::Absent | SecretState::Present(_) => None,
        }
    }

    fn check_secret(&self, secret: &Secret) -> Option<Step> {
        let secret_name = &self.spec.secret_name;
        if secret.deleted_at.is_some() {
            // Secrets Manager frees the name only some seconds after a forced deletion.
            if self.state.now < self.state.started_at + NAME_RELEASE_TIMEOUT {
                return Some(SecretStep::WaitForPeer.into());
            }
            return Some(Step::Reject(messages::secret_is_scheduled(secret_name)));
        }
        if !self.context.owns(secret) {
            let reason = messages::secret_is_held(secret_name, secret.origin.owner.as_ref());
            return Some(Step::Reject(reason));
        }
        messages::user_name_differs(self.spec, secret).map(Step::Reject)
    }

    fn wait_for_peer(&self, secret: &Secret) -> Option<Step> {
        let state = self.state;
        if let Some((entry, at)) = state.log.highest_claimed_entry
            && !secret.shows(entry)
            && state.now < at + PROPAGATION_TIME
        {
            // A peer wrote that entry. The plan needs its content, which Secrets Manager shows
            // late.
            return Some(SecretStep::WaitForPeer.into());
        }
        // The peer may be waiting for a push, or for its login to become valid.
        let peer_timeout = if self.spec.repositories().is_empty() {
            Duration::ZERO
        } else {
            state.log.peer_timeout
        };
        let waits = |lost_at: SystemTime| {
            state.now < (lost_at + PEER_TIMEOUT).max(state.started_at + peer_timeout)
        };
        let may_be_at_work = secret.is_unfinished() && !state.holds_claim();
        if may_be_at_work && state.log.claim_lost_at.is_some_and(waits) {
            return Some(SecretStep::WaitForPeer.into());
        }
        let latest = secret.origin.as_of.map(write_time);
        let is_late = latest.is_some_and(|latest| latest > write_time(self.context.signed_at));
        is_late.then(|| Step::Reject(messages::later_request()))
    }
}
