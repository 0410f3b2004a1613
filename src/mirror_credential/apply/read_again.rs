//! Reads the secret and the user again, and follows the changes by peers.

use crate::clients::aws::{CallError, retrying_absence};
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::intent_log::mirrors::MirrorIntent;
use crate::mirror_credential::observe;
use crate::mirror_credential::state::{Issued, LoginTrial, Secret, SecretState};
use crate::mirror_credential::timing::POLL_INTERVAL;

impl Applier<'_> {
    pub async fn wait_for_peer(&mut self) -> Result<(), CallError> {
        tokio::time::sleep(POLL_INTERVAL).await;
        self.read_secret().await?;
        self.read_user().await?;
        if self.context.rotation.is_some() {
            // The reads may now show the entries of the previous phase.
            self.state.login.stored.retain(|_, login| login.is_some());
            self.state.mirrors.projects = None;
        }
        Ok(())
    }

    /// Reads the secret, and follows changes by peers.
    pub async fn read_secret(&mut self) -> Result<(), CallError> {
        let read = observe::read_secret(&self.clients.aws, &self.spec.secret_name).await?;
        let now = self.clients.clock.now();
        if let (Some(read), Some(own)) = (&read, self.state.log.claim)
            && read.log.claim > own
        {
            self.state.yield_to_peer(read.log.claim, now);
        }
        self.state.secret = SecretState::from(read);
        self.state.secret_read_after_user = true;
        let highest = self.state.log.highest_claimed_entry.map_or(0, |(entry, _)| entry);
        self.state.secret.change(|secret| secret.log.highest_claimed_entry = highest);
        let secret = self.state.secret.present();
        self.state.log.has_read_secret |= secret.is_some_and(|secret| self.context.owns(secret));
        let current = secret.and_then(Secret::current);
        let login = &mut self.state.login;
        // A peer may have taken the credential over, and have stored it.
        let is_stored =
            |issued: &mut Issued| current.is_some_and(|current| current.credential_id == issued.id);
        login.issued.take_if(is_stored);
        let current_version = current.map(|login| login.version_id.clone());
        if current_version.is_some() && current_version != login.seen_version {
            // IAM may not list its credential yet, and the projects were read before its mirrors.
            self.state.mirrors.projects = None;
            login.peer_stored_at = Some(now);
            login.seen_version = current_version;
        }
        if current.map(|login| &login.version_id) != login.tried_version.as_ref() {
            login.trial = LoginTrial::Untried;
        }
        if self.state.log.claim.is_none() {
            // A peer may have finished this delivery's intent.
            let (own, mirrors) = (&self.state.created.mirrors, &mut self.state.mirrors);
            mirrors.orphans.retain(|record| own.contains(record));
            mirrors.intent.content = MirrorIntent::default();
            mirrors.intent.read_from = None;
        }
        let first = self.state.secret.present().filter(|secret| {
            // The response to this delivery's CreateSecret may have been lost.
            secret.log.claim == 0 && secret.is_unfinished() && self.context.has_created(secret)
        });
        let has_claim = self.state.log.claim.is_some() || self.state.log.claim_lost_at.is_some();
        if first.is_some() && !has_claim {
            self.state.log.claim = Some(0);
        }
        Ok(())
    }

    /// Reads the user. The delivery's own changes stay in the state, although IAM may not show them
    /// yet.
    pub async fn read_user(&mut self) -> Result<(), CallError> {
        self.state.user_read_at = self.clients.clock.now();
        self.state.secret_read_after_user = false;
        let read = observe::read_user(&self.clients.aws, &self.spec.user_name);
        let mut user = retrying_absence(self.may_be_new(&self.spec.user_name), read).await?;
        user.keep_inactive(&self.state.user);
        let deleted = &self.state.login.deleted_credentials;
        let listed = &mut user.credentials;
        listed.retain(|listed| !deleted.contains(&listed.id));
        for own in &self.state.created.credentials {
            if user.credential(&own.id).is_none() {
                user.credentials.push(own.clone());
            }
        }
        if self.state.log.issue_intent_written {
            let before = &mut self.state.user;
            user.owner = before.owner.take();
            user.secret_name = before.secret_name.take();
            user.issue_intent = before.issue_intent.take();
            let context = self.context;
            user.tombstone = user.tombstone.filter(|tombstone| context.is_superseded_by(tombstone));
        }
        self.state.user = user;
        Ok(())
    }
}
