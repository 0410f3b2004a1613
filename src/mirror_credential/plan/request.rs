//! Whether the request may begin. Its steps come before every change for the request itself.
//!
//! The stack ID and the logical ID of a request do not prove its origin. Anyone who may invoke the
//! function can write them into an event. An attacker could forge an Update with another
//! `SecretName`, in the name of another stack. It would issue a second login of that stack's user,
//! in a secret that the attacker may read. CloudFormation itself shows whether the stack is working
//! on the resource: such a request needs that proof. Any other one passes unless CloudFormation
//! contradicts it.

use std::ops::ControlFlow::Continue;

use crate::mirror_credential::messages;
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{Plan, RequestStep, reject};
use crate::mirror_credential::state::SecretState;
use crate::reconcile::sender;
use crate::reconcile::sender::Sender;
use crate::reconcile::{Next, choose, choose_any, choose_if};

impl Planner<'_> {
    /// Ends or delays the request, unless it may begin or has begun.
    pub fn check_request(&self) -> Plan {
        if self.state.request.has_begun {
            return Continue(());
        }
        self.check_contradiction()?;
        self.check_before_projects()?;
        self.check_move()
    }

    /// Looks at CloudFormation before the first change to something of the resource that exists. A
    /// request that finds nothing takes nothing from anyone.
    pub fn check_sender(&self) -> Plan {
        let (request, owner) = (&self.state.request, &self.context.owner);
        self.check_contradiction()?;
        let is_of_stack = self.context.rotation.is_none() && request.sender.is_none();
        let exists = self.secret.is_some_and(|secret| self.context.owns(secret))
            || self.state.user.held_by() == Some(owner)
            || request.previous.unknown_replacement.is_some();
        choose_if(is_of_stack && exists, RequestStep::LookForContradiction)
    }

    fn check_contradiction(&self) -> Plan {
        let is_contradicted = self.state.request.sender == Some(Sender::Contradicted);
        let reason = sender::contradicted(&self.context.owner).reason();
        choose_if(is_contradicted, reject(reason))
    }

    /// The part of the check that needs no project in GitLab.
    pub fn check_before_projects(&self) -> Plan {
        let request = &self.state.request;
        self.check_user_name()?;
        if let Some(secret_name) = &request.previous.unknown_replacement {
            return choose(RequestStep::DeleteReplacement(secret_name.clone()));
        }
        if let Some(replaced) = &request.previous.secret_name {
            // A late copy of an Update: the secret that it replaces is of a later request.
            self.check_former(replaced)?;
        }
        if !request.is_user_unread
            && let Some(secret) = self.secret
            && secret.origin.owner.is_none()
            && secret.deleted_at.is_none()
        {
            // The end does not depend on GitLab, which may have failed since.
            self.check_user()?;
            self.check_owner(secret)?;
        }
        self.check_reads()
    }

    /// Rejects an Update that changes `UserName` and keeps `SecretName`. This check is the first
    /// one, because the new user or its repositories may not exist. The rollback of a rejected
    /// Update changes `UserName` too. It passes, because it names the user whose login the secret
    /// holds.
    fn check_user_name(&self) -> Plan {
        let state = self.state;
        if !state.request.previous.changes_user_name {
            return Continue(());
        }
        match &state.secret {
            SecretState::Unread => self.check_reads(),
            SecretState::Present(secret) if !self.context.owns(secret) => Continue(()),
            SecretState::Present(secret) => {
                choose_any(messages::user_name_differs(self.spec, secret).map(reject))
            }
            SecretState::Absent => {
                // A person deleted the secret. The user's tags show whose login it held.
                if state.request.is_user_unread {
                    self.check_reads()?;
                }
                let is_held = state.user.held_by() == Some(&self.context.owner);
                choose_if(!is_held, reject(messages::user_name_changes(self.spec)))
            }
        }
    }

    /// Reports the read that failed at the start.
    fn check_reads(&self) -> Plan {
        choose_any(self.state.request.failed_read.clone().map(Next::Fail))
    }

    /// Rejects the request if a later one has changed the former secret `name`.
    fn check_former(&self, name: &str) -> Plan {
        let former = self.state.request.former_secrets.get(name);
        let mut own = former.into_iter().flatten().filter(|secret| self.context.owns(secret));
        let is_late = own.any(|secret| self.context.is_outdated(secret));
        choose_if(is_late, reject(messages::later_request()))
    }

    /// Rejects a request that moves the user's login to another secret. It passes if CloudFormation
    /// shows that the stack is creating or updating the resource now, and no later request has
    /// changed the secret that holds the login. Otherwise a late copy of a Create or an Update
    /// would move the login while CloudFormation updates the resource.
    fn check_move(&self) -> Plan {
        let (request, user, owner) = (&self.state.request, &self.state.user, &self.context.owner);
        let held_for = user.secret_name.as_ref().filter(|name| **name != self.spec.secret_name);
        let (Some(held_for), None) = (held_for, &self.context.rotation) else {
            return Continue(());
        };
        if user.held_by() != Some(owner) || request.sender == Some(Sender::Shown) {
            return Continue(());
        }
        if !request.former_secrets.contains_key(held_for) {
            return choose(RequestStep::ReadFormerSecret(held_for.clone()));
        }
        self.check_former(held_for)?;
        if request.sender == Some(Sender::NotShown) {
            let reason = messages::not_in_progress(self.spec, held_for, owner);
            return choose(reject(reason));
        }
        choose(RequestStep::LookForProof)
    }
}
