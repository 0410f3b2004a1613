//! Executes the end of an aborted rotation.

use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::intent_log::mirrors::abort_claimant;
use crate::mirror_credential::request_context::{RequestContext, Rotation};
use crate::mirror_credential::state::{Issued, SecretState};
use crate::reconcile::reconcile;

impl Applier<'_> {
    /// Deletes what the rotation created, and closes its issue intent.
    pub async fn abort_rotation(self, rotation: &Rotation) -> Result<(), ApplyError> {
        let version_id = &rotation.version_id;
        let context = RequestContext {
            claimant: abort_claimant(version_id),
            rotation: Some(Rotation {
                is_aborted: true,
                ..rotation.clone()
            }),
            ..self.context.clone()
        };
        let mut applier = Applier {
            context: &context,
            ..self
        };
        applier.orphan_created_mirrors();
        let (state, created) = (&mut applier.state, &applier.created);
        let has_intent = state.log.issue_intent_written && !state.login.may_have_issued;
        if let Some(id) = &created.stored_credential {
            state.login.issued.get_or_insert(Issued {
                id: id.clone(),
                service_user_name: String::new(),
                password: None,
                verified: false,
            });
        }
        state.secret = SecretState::Unread;
        let progress = applier.progress;
        let aborted = reconcile(&mut applier, progress).await;
        let secret = applier.state.secret.present();
        if !secret.is_some_and(|secret| secret.is_current(version_id)) {
            if applier.created.stored_credential.is_some() {
                let retired = &applier.state.mirrors.retired;
                let left = applier.created.mirrors.difference(retired).cloned();
                applier.state.mirrors.orphans.extend(left);
            }
            applier.delete_own_orphans().await;
        }
        aborted?;
        if has_intent && applier.state.holds_claim() {
            applier.write_issue_intent(true).await?;
        }
        Ok(())
    }
}
