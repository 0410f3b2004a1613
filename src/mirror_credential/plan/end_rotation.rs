//! Ends another rotation that a request supersedes.

use std::ops::ControlFlow::Continue;

use crate::mirror_credential::plan::planner::{CurrentLogin, Planner};
use crate::mirror_credential::plan::step::{Plan, SecretStep};
use crate::mirror_credential::state::Secret;
use crate::reconcile::{choose, choose_if};

impl Planner<'_> {
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
