//! Rolls back a delivery that failed, and aborts a rotation.

use crate::clients::aws::CallError;
use crate::common::reason_codes::Code;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::delete::{DeletionScope, DeletionTarget, delete};
use crate::mirror_credential::intent_log::mirrors::abort_claimant;
use crate::mirror_credential::plan::roll_back::{RollBackStep, may_have_left, roll_back};
use crate::mirror_credential::request_context::{RequestContext, Rotation};
use crate::mirror_credential::state::{DeliveryError, Issued, SecretState};
use crate::mirror_credential::{calls, observe};
use crate::reconcile::reconcile;

impl Applier<'_> {
    /// Rolls back after `error`, best effort. CloudFormation's next request finds the resources
    /// that are left.
    pub async fn roll_back(mut self, error: &DeliveryError) {
        self.progress.ended("failed");
        if let Some(rotation) = &self.context.rotation {
            if let Err(error) = Box::pin(self.abort_rotation(rotation)).await {
                warn!(error.reason, "the rotation is not rolled back");
            }
            return;
        }
        if !may_have_left(&self.state) {
            return;
        }
        let for_delete = error.reason.code == Code::OvertakenByDelete.into();
        let undone = Box::pin(self.undo(for_delete)).await;
        self.progress.ended(if undone.is_ok() { "done" } else { "failed" });
        if let Err(error) = undone {
            warn!(error.reason(), "the request is not rolled back");
        }
    }

    async fn undo(&mut self, for_delete: bool) -> Result<(), CallError> {
        let (aws, spec) = (&self.clients.aws, self.spec);
        let created_at = self.state.log.created_at;
        let read = observe::read_secret_created_at(self.clients, &spec.secret_name, created_at);
        let secret = read.await?;
        for step in roll_back(self.context, &self.state, secret.as_ref(), for_delete) {
            match step {
                RollBackStep::DeleteMirrors => {
                    // If GitLab fails, the log still names them for the next delivery.
                    self.state.orphan_created_mirrors();
                    self.delete_own_orphans().await;
                }
                RollBackStep::DeleteCredential(id) => {
                    calls::delete_credential(aws, &spec.user_name, &id).await?;
                    self.state.note_credential_deleted(&id);
                }
                RollBackStep::DeleteResource { waits_for_iam } => {
                    self.delete_resource(waits_for_iam).await?;
                }
                RollBackStep::CloseIssueIntent => {
                    self.state.secret = SecretState::from(secret.clone());
                    self.write_issue_intent(true).await?;
                }
            }
        }
        Ok(())
    }

    async fn delete_resource(&self, waits_for_iam: bool) -> Result<(), CallError> {
        let target = DeletionTarget {
            secret_name: self.spec.secret_name.clone(),
            user_name: Some(self.spec.user_name.clone()),
            gitlab: self.spec.gitlab.clone(),
            mirrors: Vec::new(),
            tags: self.spec.tags.clone(),
            deletes_foreign: false,
            scope: DeletionScope::FailedCreate { waits_for_iam },
        };
        let left = delete(self.clients, &target, self.context, self.progress).await?;
        for left in left.mirrors {
            tracing::warn!(left, "a mirror is not rolled back");
        }
        Ok(())
    }

    /// Deletes the resources of the rotation, and closes its issue intent.
    pub async fn abort_rotation(self, rotation: &Rotation) -> Result<(), DeliveryError> {
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
