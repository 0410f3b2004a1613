//! Taking back what a delivery did and did not finish.

use super::Delivery;
use crate::aws::CallError;
use crate::gitlab::Access;
use crate::mirror_credential::calls;
use crate::mirror_credential::delete::plan::Target;
use crate::mirror_credential::observe;
use crate::mirror_credential::observe::Secret;

impl Delivery<'_> {
    /// Takes back what this delivery did and did not finish. What cannot be taken back is found
    /// by the request that CloudFormation sends next.
    pub(super) async fn undo(mut self) {
        if let Some(rotation) = self.me.rotation.clone() {
            if let Err(error) = self.give_up(&rotation.version_id).await {
                tracing::warn!(%error, "the rotation is not undone");
            }
            return;
        }
        if self.known.issued.is_none() && self.known.claim.is_none() && self.made_here.is_empty() {
            return;
        }
        if let Err(error) = Box::pin(self.take_back()).await {
            tracing::warn!(%error, "not undone");
        }
    }

    async fn take_back(&mut self) -> Result<(), CallError> {
        // The answer to a store may have been lost, and somebody else may have gone on since.
        let name = &self.desired.secret_name;
        let secret = observe::read_secret(&self.resource.aws, name).await?;
        let logins: Vec<&str> = secret
            .iter()
            .flat_map(Secret::logins)
            .map(|login| login.credential_id.as_str())
            .collect();
        let issued = self.known.issued.as_ref().map(|issued| issued.id.clone());
        let stored = self.stored.clone();
        let current = secret.as_ref().and_then(|secret| secret.current.as_ref());
        let has_stored = current.is_some_and(|login| self.storing == Some(login.entry));
        if !has_stored {
            self.undo_mirrors().await;
        }
        // Only what this delivery made is removed: a login of another's stays.
        let is_own = match current {
            None => true,
            Some(login) => has_stored || stored.as_ref() == Some(&login.credential_id),
        };
        if let Some(id) = issued.filter(|id| !logins.contains(&id.as_str())) {
            calls::delete_credential(&self.resource.aws, &self.desired.user_name, &id).await?;
            self.forget_credential(&id);
        }
        let Some(secret) = secret.filter(|secret| self.known.claim == Some(secret.claim)) else {
            return Ok(());
        };
        let is_new = self.me.is_create || (self.is_overtaken && self.me.has_created(&secret));
        if is_new && is_own {
            let target = Target {
                secret_name: self.desired.secret_name.clone(),
                deletes_foreign: false,
                is_unanswered: false,
                // A late copy of this Create must not begin again: nobody would clean up.
                leaves_mark: true,
                waits: self.known.doubtful_since.is_some(),
            };
            let users = [self.desired.user_name.clone()];
            let gone = &self.known.gone;
            let access: Vec<Access> = self.desired.gitlab.iter().cloned().collect();
            let removed = self.resource.remove(&target, self.me, &users, gone, access);
            for left in removed.await? {
                tracing::warn!(left, "not undone");
            }
            return Ok(());
        }
        if self.known.recorded && self.stored.is_none() && !self.known.may_have_issued {
            return self.record(true).await;
        }
        Ok(())
    }
}
