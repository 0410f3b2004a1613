//! Executes the steps that decide whether the request may begin.

use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::delete::{DeletionScope, DeletionTarget, delete};
use crate::mirror_credential::observe;
use crate::mirror_credential::plan::step::RequestStep;
use crate::reconcile::sender;
use crate::reconcile::sender::Sender;

impl Applier<'_> {
    pub async fn apply_request_step(&mut self, step: RequestStep) -> Result<(), ApplyError> {
        match step {
            RequestStep::DeleteReplacement(secret_name) => {
                self.delete_replacement(secret_name).await?;
            }
            RequestStep::ReadFormerSecret(name) => {
                let former = observe::read_created_secret(self.clients, &name).await?;
                self.state.request.former_secrets.insert(name, former);
            }
            RequestStep::LookForProof => {
                let is_shown = sender::is_shown(&self.clients.aws, &self.context.owner).await?;
                let shown = if is_shown {
                    Sender::Shown
                } else {
                    Sender::NotShown
                };
                self.state.request.sender = Some(shown);
            }
            RequestStep::LookForContradiction => {
                let (aws, owner) = (&self.clients.aws, &self.context.owner);
                let is_contradicted = sender::is_contradicted(aws, owner, None).await;
                let shown = if is_contradicted {
                    Sender::Contradicted
                } else {
                    Sender::Plausible
                };
                self.state.request.sender = Some(shown);
            }
        }
        Ok(())
    }

    /// Deletes a replacement that is unknown to CloudFormation, and starts again: the replacement
    /// may have had the same user.
    async fn delete_replacement(&mut self, secret_name: String) -> Result<(), ApplyError> {
        let mut previous = self.state.request.previous.clone();
        let target = DeletionTarget {
            secret_name,
            user_name: previous.user_name.clone(),
            gitlab: previous.gitlab.clone(),
            mirrors: Vec::new(),
            tags: self.spec.tags.clone(),
            deletes_foreign: false,
            scope: DeletionScope::UnknownReplacement,
        };
        let left = Box::pin(delete(self.clients, &target, self.context, self.progress)).await?;
        for left in left.mirrors {
            tracing::warn!(left, "a replaced mirror was not removed");
        }
        previous.unknown_replacement = None;
        let (clients, spec, context) = (self.clients, self.spec, self.context);
        let started = Applier::start(clients, spec, context, self.progress, previous);
        let mut started = Box::pin(started).await;
        started.state.request.sender = self.state.request.sender;
        if let Some(reason) = self.state.login.replacement_error.take() {
            started.state.user.keep_inactive(&self.state.user);
            started.state.login.replacement_error = Some(reason);
        }
        *self = Applier {
            replace_until: self.replace_until,
            ..started
        };
        Ok(())
    }
}
