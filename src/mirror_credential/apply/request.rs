//! Executes the steps that decide whether the request may begin.

use std::time::Duration;

use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::delete::{DeletionScope, DeletionTarget, delete};
use crate::mirror_credential::observe;
use crate::mirror_credential::plan::step::RequestStep;
use crate::mirror_credential::state::DeliveryError;
use crate::reconcile::sender;
use crate::reconcile::sender::{LATENESS, Rollback, Sender};

impl Applier<'_> {
    pub async fn apply_request_step(&mut self, step: RequestStep) -> Result<(), DeliveryError> {
        match step {
            RequestStep::DeleteReplacement(secret_name) => {
                self.delete_replacement(secret_name).await?;
            }
            RequestStep::ReadFormerSecret(name) => {
                let former = observe::read_created_secret(self.clients, &name).await?;
                self.state.request.former_secrets.insert(name, former);
            }
            RequestStep::LookForProof => {
                let (aws, owner) = (&self.clients.aws, &self.context.owner);
                let shown = sender::look_for_proof(aws, owner).await?;
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
            RequestStep::LookForRollback => {
                self.look_for_rollback().await;
                if self.state.request.rollback == Rollback::Yes {
                    // A rollback goes on with the projects that GitLab shows.
                    self.state.mirrors.gitlab_error = None;
                }
            }
        }
        Ok(())
    }

    /// Looks once more whether CloudFormation rolls the stack back.
    pub async fn look_for_rollback(&mut self) {
        let (aws, owner) = (&self.clients.aws, &self.context.owner);
        let pause = self.pause_before_second_look();
        self.state.request.rollback = self.state.request.rollback.look(aws, owner, pause).await;
    }

    /// CloudFormation shows a rollback by then. Half of the time left is for the rest.
    pub fn pause_before_second_look(&self) -> Duration {
        let clock = &self.clients.clock;
        let passed = clock.now().duration_since(self.context.signed_at);
        let pause = LATENESS.saturating_sub(passed.unwrap_or_default());
        pause.min(clock.until(self.progress.until()) / 2)
    }

    /// Deletes a replacement that is unknown to CloudFormation, and starts again: the replacement
    /// may have had the same user.
    async fn delete_replacement(&mut self, secret_name: String) -> Result<(), DeliveryError> {
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
        started.state.request.rollback = self.state.request.rollback;
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
