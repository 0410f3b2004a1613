//! Taking back what a delivery did and did not finish.

use super::super::plan::SecretState;
use super::super::removal::Target;
use super::super::steps;
use super::Delivery;

impl Delivery<'_> {
    /// Takes back what this delivery did and did not finish. What cannot be taken back is found
    /// by the request that CloudFormation sends next.
    pub(super) async fn undo(mut self) {
        let is_secret_gone = matches!(self.known.secret, SecretState::Absent);
        if self.known.overtaken_at.is_some() && !is_secret_gone {
            // Whoever took over finds what was issued, and decides.
            return;
        }
        if let Some(issued) = self.known.issued.take() {
            let user_name = &self.desired.user_name;
            match steps::delete_credential(&self.resource.aws, user_name, &issued.id).await {
                Ok(()) => self.forget_credential(&issued.id),
                Err(error) => return tracing::warn!(%error, "not undone"),
            }
        }
        if self.known.claim.is_none() {
            return;
        }
        let undone = if self.me.is_create {
            let target = Target {
                secret_name: self.desired.secret_name.clone(),
                deletes_foreign: false,
                is_unanswered: false,
                leaves_mark: false,
                waits: self.known.doubtful_since.is_some(),
            };
            let users = [self.desired.user_name.clone()];
            self.resource
                .remove(&target, self.me, &users, &self.known.gone)
                .await
        } else if self.known.recorded
            && self.stored.is_none()
            && self.known.doubtful_since.is_none()
        {
            self.record(true).await
        } else {
            Ok(())
        };
        if let Err(error) = undone {
            tracing::warn!(%error, "not undone");
        }
    }
}
