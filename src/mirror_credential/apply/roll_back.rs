//! Rolls back a delivery that failed, and aborts a rotation.

use crate::clients::aws::CallError;
use crate::common::reason_codes::Code;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::delete::{DeletionScope, DeletionTarget, delete};
use crate::mirror_credential::intent_log::mirrors::abort_claimant;
use crate::mirror_credential::request_context::{RequestContext, Rotation};
use crate::mirror_credential::state::{Issued, Secret, SecretState};
use crate::mirror_credential::{calls, observe};
use crate::reconcile::reconcile;

impl Applier<'_> {
    /// Rolls back after `error`, best effort. CloudFormation's next request finds the resources
    /// that are left.
    pub async fn roll_back(mut self, error: &ApplyError) {
        self.progress.ended("failed");
        if let Some(rotation) = &self.context.rotation {
            if let Err(error) = self.abort_rotation(rotation).await {
                tracing::warn!(%error, "the rotation is not rolled back");
            }
            return;
        }
        let has_claim = self.state.log.claim.is_some();
        if self.state.login.issued.is_none() && !has_claim && self.state.created.mirrors.is_empty()
        {
            return;
        }
        let is_superseded = error.reason.code == Code::OvertakenByDelete.into();
        let deleted = Box::pin(self.delete_created(is_superseded)).await;
        self.progress
            .ended(if deleted.is_ok() { "done" } else { "failed" });
        if let Err(error) = deleted {
            tracing::warn!(%error, "not rolled back");
        }
    }

    async fn delete_created(&mut self, is_superseded: bool) -> Result<(), CallError> {
        // The response to a store may have been lost, and a peer may have continued since.
        let spec = self.spec;
        let secret = observe::read_secret(&self.clients.aws, &spec.secret_name).await?;
        let current = secret.as_ref().and_then(|s| s.log.current.as_ref());
        let has_stored =
            current.is_some_and(|login| self.state.created.storing_entry == Some(login.entry));
        if !has_stored {
            self.roll_back_mirrors().await;
        }
        // The login of a peer stays.
        let stored = self.state.created.stored_credential.as_ref();
        let is_own = current.is_none_or(|login| has_stored || stored == Some(&login.credential_id));
        let is_named = |id: &String| {
            let mut logins = secret.iter().flat_map(Secret::logins);
            logins.any(|login| login.credential_id == *id)
        };
        let login = &mut self.state.login;
        if let Some(issued) = login.issued.take_if(|issued| !is_named(&issued.id)) {
            calls::delete_credential(&self.clients.aws, &spec.user_name, &issued.id).await?;
            self.state.note_credential_deleted(&issued.id);
        }
        let Some(secret) = secret.filter(|secret| self.state.log.claim == Some(secret.log.claim))
        else {
            return Ok(());
        };
        let context = self.context;
        let is_new = context.is_create || (is_superseded && context.has_created(&secret));
        if is_new && is_own {
            let target = DeletionTarget {
                secret_name: spec.secret_name.clone(),
                user_name: Some(spec.user_name.clone()),
                gitlab: spec.gitlab.clone(),
                mirrors: Vec::new(),
                deletes_foreign: false,
                scope: DeletionScope::FailedCreate {
                    waits_for_iam: self.state.login.uncertain_since.is_some(),
                },
            };
            for left in delete(self.clients, &target, context, self.progress).await? {
                tracing::warn!(left, "not rolled back");
            }
            return Ok(());
        }
        let has_nothing_new =
            self.state.created.stored_credential.is_none() && !self.state.login.may_have_issued;
        if self.state.log.issue_intent_written && has_nothing_new {
            self.state.secret = SecretState::from(Some(secret));
            return self.write_issue_intent(true).await;
        }
        Ok(())
    }

    /// Deletes the resources of the rotation, and closes its issue intent.
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
        let state = &mut applier.state;
        state.orphan_created_mirrors();
        let has_intent = state.log.issue_intent_written && !state.login.may_have_issued;
        if let Some(id) = &state.created.stored_credential {
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
            if applier.state.created.stored_credential.is_some() {
                let retired = &applier.state.mirrors.retired;
                let left = applier.state.created.mirrors.difference(retired).cloned();
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
