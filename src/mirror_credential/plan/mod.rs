//! Plans the next step: a pure function of the spec, the request and the state.
//!
//! Every request is planned in this way: a Create, an Update, a second delivery, and the Update
//! that rolls another one back. The planner runs again after each step, until it returns
//! [`Step::Done`].
//!
//! A delivery may die after any step without losing a credential, or a mirror that pushes. The order of the
//! steps is: claim, write the issue intent, issue, (create mirrors, verify, let them push,) store.
//! Only then are superseded resources deleted. A rotation does the same in four phases.
//!
//! [`next`] tries these in order: `preconditions`, the rotation's plan in `rotation/plan`, then
//! `issue` if the secret holds no valid login, or `maintain` if it holds one. `mirrors/plan` plans
//! the mirrors for all of them. A Delete has its own plan in `delete/plan`.

pub mod abort_rotation;
pub mod classify;
pub mod end_rotation;
mod issue;
pub mod issue_intent;
mod maintain;
pub mod mirrors;
pub mod planner;
mod preconditions;
pub mod rotation;
pub mod step;

use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::intent_log::{Login, key, serial_key};
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::mirrors::MirrorPlanner;
use crate::mirror_credential::plan::planner::{CurrentLogin, Planner};
use crate::mirror_credential::plan::step::{CredentialStep, Step};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{State, StoredLogin};
use cfn_custom_resource::Reason;

/// The next step of `context` from `state` towards `spec`.
pub fn next(spec: &Spec, context: &RequestContext, state: &State) -> Step {
    let planner = Planner::new(spec, context, state);
    if let Some(rotation) = context.rotation.as_ref().filter(|own| own.is_aborted) {
        return abort_rotation::next(&planner, &rotation.version_id);
    }
    if let Some(step) = planner.check_preconditions() {
        return step;
    }
    // A rotation does not change which branches are mirrored.
    if let Some(rotation) = &context.rotation {
        return planner.plan_rotation(rotation);
    }
    if let Some(step) = planner.mirrors.rejection() {
        return step;
    }
    match planner.current_login() {
        CurrentLogin::Unknown => CredentialStep::WaitForIam.into(),
        CurrentLogin::Missing => planner.plan_issue(),
        CurrentLogin::Valid(credential) => planner.plan_maintenance(credential),
    }
}

/// Warnings about projects with Git LFS objects, which CodeCommit does not accept.
pub fn lfs_warnings(spec: &Spec, state: &State) -> Vec<Reason> {
    let projects = state.mirrors.projects.iter().flatten();
    let projects = projects.filter(|(name, project)| {
        let mut mirrors = spec.mirrors.iter();
        project.lfs_objects_size > 0 && mirrors.any(|wanted| wanted.project == **name)
    });
    let warnings = projects
        .map(|(name, project)| messages::lfs_is_not_mirrored(name, project.lfs_objects_size));
    warnings.collect()
}

/// The mirrors of the next login's version, in the order of `Mirrors`.
fn next_mirrors(spec: &Spec, context: &RequestContext, state: &State) -> Vec<MirrorRecord> {
    let planner = MirrorPlanner::new(spec, context, state);
    if state.login.issued.is_some() {
        // Existing mirrors push with another password.
        return planner.placed(&[]);
    }
    let secret = state.secret.present();
    let login = secret.and_then(|secret| {
        let current = secret.log.current.as_ref()?;
        state.login.stored.get(&current.version_id)?.as_ref()
    });
    let kept = planner.kept(login.map_or(&[][..], |login| &login.mirrors));
    planner.placed(&kept)
}

/// The value and the label of the log's entry `entry` in the version `version_id`: the issued login, or
/// the current one with other mirrors.
pub fn next_login(
    spec: &Spec,
    context: &RequestContext,
    state: &State,
    entry: u64,
    version_id: String,
) -> Option<(StoredLogin, Login)> {
    let (credential_id, service_user_name, password) = state.next_login()?;
    let mirrors = next_mirrors(spec, context, state);
    let login = Login {
        entry,
        version_id,
        credential_id: credential_id.to_owned(),
        serial_key: serial_key(spec.rotation_serial.as_deref()),
        user_key: key(&spec.user_name),
        mirrors: mirrors.len(),
    };
    let value = StoredLogin {
        service_user_name: service_user_name.to_owned(),
        password: password.clone(),
        mirrors,
    };
    Some((value, login))
}

/// The entry in which a Create saves its spec while it issues the first credential. `None` if the
/// log may have another entry.
pub fn first_saved_spec(context: &RequestContext, state: &State) -> Option<u64> {
    let secret = state.secret.present()?;
    let is_first = context.is_create && state.log.claim == Some(0) && secret.next_entry() == 1;
    is_first.then_some(1)
}

#[cfg(test)]
pub mod tests;
