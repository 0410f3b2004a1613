//! Writes the issue intent: the write-ahead record, in the user's tags, of a call that issues.

use crate::clients::aws::CallError;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::calls;
use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::intent_log::{IssueIntent, OPEN_INTENT, key};
use crate::mirror_credential::plan::classify::classify;
use crate::mirror_credential::state::{Credential, Secret};

impl Applier<'_> {
    /// The open intent before a call to issue. Or the closed intent, if the calls have issued only
    /// credentials that the secret names or that this delivery holds.
    pub fn issue_intent_now(&self, closed: bool) -> Result<IssueIntent, CallError> {
        let secret = self.state.secret.required()?;
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
        Ok(IssueIntent {
            secret_key: key(&secret.arn),
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
        let intent = self.issue_intent_now(closed)?;
        let user = &self.state.user;
        if !closed {
            let earlier = user.issue_intent.as_ref();
            let before = self.state.log.claimed_after.map(|(claim, _)| claim);
            self.state.log.follows_closed_intent = earlier.is_some_and(|earlier| {
                earlier.closed
                    && earlier.secret_key == intent.secret_key
                    && before == Some(earlier.claim)
            });
        }
        let owner = &self.context.owner;
        // The tombstone of a Delete that came after this request stays: a second delivery of this
        // request would issue a credential that no stack owns.
        let tombstone = user.tombstone.as_ref();
        let is_stale = tombstone.is_some_and(|one| !self.context.is_superseded_by(one));
        let mut tags = calls::issue_intent_tags(owner, &self.spec.secret_name, &intent, is_stale);
        // A closed intent does not end that of another secret, which this resource has left.
        let earlier = user.issue_intent.as_ref();
        if closed && earlier.is_some_and(|earlier| earlier.secret_key != intent.secret_key) {
            tags.push((OPEN_INTENT, String::new()));
        }
        calls::tag_user(&self.clients.aws, &self.spec.user_name, &tags).await?;
        let user = &mut self.state.user;
        user.owner = Some(self.context.owner.clone());
        user.secret_name = Some(self.spec.secret_name.clone());
        user.issue_intent = Some(intent);
        if is_stale {
            user.tombstone = None;
        }
        self.state.log.issue_intent_written = true;
        Ok(())
    }
}
