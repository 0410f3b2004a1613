//! Plans the next step: a pure function of the spec, the request and the state.
//!
//! Every request is planned in this way: a Create, an Update, a second delivery, and the Update
//! that rolls another one back. The planner runs again after each step, until it returns
//! [`Next::Done`].
//!
//! A delivery may die after any step without losing a credential, or a mirror that pushes. The
//! order of the steps is: claim, write the issue intent, issue, (create mirrors, verify, let them
//! push,) store. Only then are superseded resources deleted. A rotation does the same in four
//! phases.
//!
//! [`next`] tries these in order: `request`, `preconditions`, [`rotation`], then `issue` if the
//! secret holds no valid login, or `maintain` if it holds one. [`mirrors`] plans the mirrors for
//! all of them. If the request fails, [`roll_back`] decides what it undoes. A Delete has its own
//! plan in `delete/plan`.

pub mod classify;
pub mod end_rotation;
mod issue;
pub mod issue_intent;
mod maintain;
pub mod mirrors;
pub mod planner;
mod preconditions;
mod request;
pub mod roll_back;
pub mod rotation;
pub mod step;

use std::ops::ControlFlow::Break;

use crate::mirror_credential::messages;
use crate::mirror_credential::plan::planner::{CurrentLogin, Planner};
use crate::mirror_credential::plan::step::{CredentialStep, NextStep, Plan};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::State;
use crate::reconcile::{Next, choose};
use cfn_custom_resource::Reason;

pub fn next(spec: &Spec, context: &RequestContext, state: &State) -> NextStep {
    let plan = Planner::new(spec, context, state).plan();
    plan.break_value().unwrap_or(Next::Done(()))
}

impl Planner<'_> {
    fn plan(&self) -> Plan {
        let plan = self.plan_request();
        if let Break(Next::Apply(step)) = &plan
            && step.is_change()
        {
            self.check_sender()?;
        }
        plan
    }

    fn plan_request(&self) -> Plan {
        if let Some(rotation) = self.context.rotation.as_ref().filter(|own| own.is_aborted) {
            return self.abort_rotation(&rotation.version_id);
        }
        self.check_request()?;
        self.check_preconditions()?;
        self.check_created()?;
        // A rotation does not change which branches are mirrored.
        if let Some(rotation) = &self.context.rotation {
            return self.plan_rotation(rotation);
        }
        self.check_acceptance()?;
        match self.current_login() {
            CurrentLogin::Unknown => choose(CredentialStep::WaitForIam),
            CurrentLogin::Missing => {
                self.look_before_issuing()?;
                self.plan_issue()
            }
            CurrentLogin::Valid(credential) => self.plan_maintenance(credential),
        }
    }
}

/// Warnings about projects with Git LFS objects, which CodeCommit may not accept.
pub fn lfs_warnings(spec: &Spec, state: &State) -> Vec<Reason> {
    let projects = state.mirrors.projects.iter().flatten().filter(|(name, project)| {
        project.lfs_objects_size > 0 && spec.mirrors.iter().any(|wanted| wanted.project == **name)
    });
    let warnings = projects
        .map(|(name, project)| messages::lfs_is_not_mirrored(name, project.lfs_objects_size));
    warnings.collect()
}

/// Whether a Create saves its spec while it issues the first credential: the log has no entry.
pub fn saves_spec_first(context: &RequestContext, state: &State) -> bool {
    let secret = state.secret.present();
    let is_empty = secret.is_some_and(|secret| secret.next_entry() == 1);
    context.is_create && state.log.claim == Some(0) && is_empty
}

#[cfg(test)]
pub mod tests;
