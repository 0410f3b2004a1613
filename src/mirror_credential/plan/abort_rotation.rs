//! Aborts a rotation: deletes what it created, so that the next one can begin.

use crate::mirror_credential::plan::end_rotation::end_rotation;
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::rotation::claim_of;
use crate::mirror_credential::plan::step::{CredentialStep, SecretStep, Step};
use crate::mirror_credential::state::{Secret, SecretState};

/// The next step that deletes what the rotation to `version_id` created, unless its login is
/// current.
///
/// `AWSPENDING` is removed first, because that label would make every later rotation fail.
/// Resources that peers created, or may make current, are deleted only if the rotation still holds
/// the log.
pub fn next(planner: &Planner<'_>, version_id: &String) -> Step {
    let state = planner.state;
    if state.secret == SecretState::Unread {
        return SecretStep::ReadSecret.into();
    }
    let delete = |id: &String| CredentialStep::DeleteCredential(id.clone()).into();
    let own = planner.secret.filter(|secret| planner.context.owns(secret));
    let is_named = |id: &String| {
        let mut logins = own.into_iter().flat_map(Secret::logins);
        logins.any(|login| login.credential_id == *id)
    };
    let issued = state.login.issued.as_ref().map(|issued| &issued.id);
    let issued = issued.filter(|id| !is_named(id));
    let Some(secret) = own.filter(|secret| !secret.is_current(version_id)) else {
        // A Delete has superseded the rotation, and did not find a credential that was issued
        // since. Or another delivery of this phase has moved `AWSCURRENT` already.
        return issued.map_or(Step::Done, delete);
    };
    if secret.open_rotation() == Some(version_id) {
        return SecretStep::DropPending(version_id.clone()).into();
    }
    if state.holds_claim() || secret.prepared(version_id).map(claim_of) == Some(secret.log.claim) {
        let is_fenced = state.mirrors.intent.content.claimant == planner.context.claimant;
        if !is_fenced || !state.holds_claim() {
            // Otherwise a phase that still runs could make its login current.
            return SecretStep::Claim(secret.next_entry()).into();
        }
        if let Some(step) = end_rotation(planner, secret) {
            return step;
        }
    } else if secret.is_unfinished() {
        // The peer may be about to store the login that was issued here.
        return Step::Done;
    }
    if let Some(issued) = issued {
        return delete(issued);
    }
    // Mirrors left in GitLab push with the prepared login. The login and its label stay until the
    // mirrors can be deleted.
    let step = planner.mirrors.delete_orphan_mirror(secret);
    let step = step.or_else(|| planner.mirrors.retire_superseded(secret));
    step.or_else(|| delete_login(planner, secret, version_id))
        .unwrap_or(Step::Done)
}

/// The step that deletes the login that the rotation stored, or a former version of the current
/// one.
fn delete_login(planner: &Planner<'_>, secret: &Secret, version_id: &String) -> Option<Step> {
    let current = secret.log.current.as_ref();
    let current = current.map(|current| &current.credential_id);
    let mut superseded = secret.log.superseded.iter();
    let login = superseded
        .find(|login| login.version_id == *version_id || Some(&login.credential_id) == current)?;
    let id = &login.credential_id;
    let is_kept = Some(id) == current || planner.state.login.deleted_credentials.contains(id);
    Some(if is_kept {
        SecretStep::DropOldLogin(login.entry).into()
    } else {
        CredentialStep::DeleteCredential(id.clone()).into()
    })
}
