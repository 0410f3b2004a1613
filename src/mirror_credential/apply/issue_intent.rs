//! Writes the issue intent: the write-ahead record, in the user's tags, of a call that issues.

use crate::aws::CallError;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::calls;
use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::intent_log::{IssueIntent, OPEN_INTENT, key};
use crate::mirror_credential::plan::classify::classify;
use crate::mirror_credential::state::{Credential, Secret};

impl Applier<'_> {
    /// The open intent before a call to issue. Or the closed intent, if the calls have issued only
    /// credentials that the secret names or that this delivery holds.
    pub fn issue_intent_now(&self, closed: bool) -> Option<IssueIntent> {
        let secret = self.state.secret.present()?;
        let user = &self.state.user;
        let listed = user.credentials.iter();
        let mut before: Vec<(String, CredentialClass)> = listed
            .map(|credential| {
                (
                    credential.id.clone(),
                    self.class_of(credential, secret, closed),
                )
            })
            .collect();
        // IAM may not list yet the credentials that the secrets name.
        let others = self.state.login.other_resource_credentials.iter();
        let others = others.map(|id| (id.clone(), CredentialClass::OtherResource));
        let user_key = key(&user.name);
        let named = secret.logins().filter(|login| login.user_key == user_key);
        let named = named.map(|login| (login.credential_id.clone(), CredentialClass::Superseded));
        for (id, class) in others.chain(named) {
            if !before.iter().any(|(listed, _)| *listed == id) {
                before.push((id, class));
            }
        }
        if closed {
            // A closed intent names all credentials of this resource.
            before.retain(|(_, class)| *class != CredentialClass::Foreign);
        }
        Some(IssueIntent {
            secret_key: secret.key(),
            claim: self.state.log.claim.unwrap_or(secret.log.claim),
            started: self.clients.clock.now(),
            before,
            closed,
        })
    }

    fn class_of(&self, credential: &Credential, secret: &Secret, closed: bool) -> CredentialClass {
        let issued = self.state.login.issued.as_ref();
        if issued.is_some_and(|issued| issued.id == credential.id) {
            return CredentialClass::Superseded;
        }
        let class = classify(
            credential,
            &self.state.user,
            Some(secret),
            &self.spec.secret_name,
            &self.context.owner,
            &self.state.login.other_resource_credentials,
        );
        match class {
            // Another person created it meanwhile: see `plan::may_close_issue_intent`.
            CredentialClass::Orphan if closed => CredentialClass::Foreign,
            CredentialClass::Foreign | CredentialClass::OtherResource => class,
            CredentialClass::Current | CredentialClass::Superseded | CredentialClass::Orphan => {
                CredentialClass::Superseded
            }
        }
    }

    /// Writes the open or the closed intent, and who owns the user.
    pub async fn write_issue_intent(&mut self, closed: bool) -> Result<(), CallError> {
        let Some(intent) = self.issue_intent_now(closed) else {
            return Ok(());
        };
        let tags = self.tags_of(&intent);
        calls::tag_user(&self.clients.aws, &self.spec.user_name, &tags).await?;
        self.note_issue_intent(intent);
        Ok(())
    }

    /// The tags of the user that `intent` and the owner consist of.
    fn tags_of(&self, intent: &IssueIntent) -> Vec<(&'static str, String)> {
        let (owner, secret_name) = (&self.context.owner, &self.spec.secret_name);
        let mut tags =
            calls::issue_intent_tags(owner, secret_name, intent, self.is_tombstone_stale());
        // A closed intent does not end that of another secret, which this resource has left.
        let earlier = self.state.user.issue_intent.as_ref();
        if intent.closed && earlier.is_some_and(|earlier| earlier.secret_key != intent.secret_key) {
            tags.push((OPEN_INTENT, String::new()));
        }
        tags
    }

    /// Follows the write of [`Applier::tags_of`].
    fn note_issue_intent(&mut self, intent: IssueIntent) {
        let is_tombstone_stale = self.is_tombstone_stale();
        let (user, log) = (&mut self.state.user, &mut self.state.log);
        if !intent.closed {
            let before = log.claimed_after.map(|(claim, _)| claim);
            log.follows_closed_intent = user.issue_intent.as_ref().is_some_and(|earlier| {
                earlier.closed
                    && earlier.secret_key == intent.secret_key
                    && before == Some(earlier.claim)
            });
        }
        user.owner = Some(self.context.owner.clone());
        user.secret_name = Some(self.spec.secret_name.clone());
        user.issue_intent = Some(intent);
        if is_tombstone_stale {
            user.tombstone = None;
        }
        log.issue_intent_written = true;
    }

    /// The tombstone of a Delete that came after this request stays: a second delivery of this
    /// request would issue a credential that no stack owns.
    fn is_tombstone_stale(&self) -> bool {
        let tombstone = self.state.user.tombstone.as_ref();
        tombstone.is_some_and(|one| !self.context.is_superseded_by(one))
    }
}
