//! Ends another rotation that a request supersedes.

use crate::mirror_credential::plan::planner::{CurrentLogin, Planner};
use crate::mirror_credential::plan::step::{SecretStep, Step};
use crate::mirror_credential::state::Secret;
use crate::mirror_credential::timing::LAMBDA_MAX_LIFETIME;

/// The step that ends another rotation. `None` if there is none to end.
///
/// A superseded rotation must not make its login current. It compares the version under
/// `AWSCURRENT` before it moves that label, so this moves `AWSCURRENT` to another version first.
///
/// Then this removes `AWSPENDING`, also from a rotation that died long ago. If this request issues
/// a password, no rotation is needed, so this removes the label of any rotation. The label would
/// block a change of the `RotationSchedule` in the same stack update.
pub fn end_rotation(planner: &Planner<'_>, secret: &Secret) -> Option<Step> {
    let own = planner.context.rotation.as_ref();
    let is_own =
        |version: &String| own.is_some_and(|own| own.version_id == *version && !own.is_aborted);
    if let (Some(rotating), Some(current)) = (secret.rotating(), &secret.log.current)
        && !is_own(&rotating.version_id)
    {
        let copy = secret.log.superseded.iter().find(|login| {
            login.credential_id == current.credential_id && login.entry > rotating.entry
        });
        return Some(match copy {
            Some(copy) => SecretStep::MoveAwsCurrent {
                from: current.version_id.clone(),
                to: copy.version_id.clone(),
            }
            .into(),
            None => SecretStep::CopyCurrentVersion(secret.next_entry()).into(),
        });
    }
    let pending = secret.open_rotation().filter(|version| !is_own(version))?;
    let is_superseded = own.is_none() && matches!(planner.current_login(), CurrentLogin::Missing);
    let is_over = is_superseded
        || secret.prepared(pending).is_some()
        || secret
            .last_changed
            .is_some_and(|time| planner.state.now >= time + LAMBDA_MAX_LIFETIME);
    is_over.then(|| SecretStep::DropPending(pending.clone()).into())
}
