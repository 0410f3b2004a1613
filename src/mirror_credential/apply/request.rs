//! Executes the steps that decide whether the request may begin.

use std::time::Duration;

use crate::clients::cloudformation;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::delete::{DeletionScope, DeletionTarget, delete};
use crate::mirror_credential::observe;
use crate::mirror_credential::plan::step::RequestStep;

/// The interval between two looks at CloudFormation.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

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
            RequestStep::LookAtCloudFormation => self.look_at_cloudformation().await?,
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
        for left in Box::pin(delete(self.clients, &target, self.context, self.progress)).await? {
            tracing::warn!(left, "a replaced mirror was not removed");
        }
        previous.unknown_replacement = None;
        let (clients, spec, context) = (self.clients, self.spec, self.context);
        let started = Applier::start(clients, spec, context, self.progress, previous);
        let mut started = Box::pin(started).await;
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

    async fn look_at_cloudformation(&mut self) -> Result<(), ApplyError> {
        let request = &mut self.state.request;
        if request.unconfirmed_looks > 0 {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        // The physical ID is not compared. AWS does not document which one a stack shows while it
        // rolls back a replacement.
        let shown = cloudformation::stack_resource(&self.clients.aws, &self.context.owner).await?;
        if shown.is_some_and(|shown| shown.is_in_progress()) {
            request.is_confirmed = true;
        } else {
            request.unconfirmed_looks += 1;
        }
        Ok(())
    }
}
