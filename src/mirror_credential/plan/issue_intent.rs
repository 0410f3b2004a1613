//! The content of the issue intent: the write-ahead record of a call that issues.

use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::intent_log::{IssueIntent, key};
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{CredentialStep, SecretStep, Step};
use crate::mirror_credential::state::{Credential, Secret, State};

impl Planner<'_> {
    /// The open intent before a call to issue. Or the closed intent, if the calls have issued only
    /// credentials that the secret names or that this delivery holds.
    pub fn issue_intent(&self, secret: &Secret, closed: bool) -> IssueIntent {
        let user = &self.state.user;
        let listed = user.credentials.iter();
        let mut before: Vec<(String, CredentialClass)> = listed
            .map(|listed| (listed.id.clone(), self.class_in_intent(listed, closed)))
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
        IssueIntent {
            secret_key: key(&secret.arn),
            claim: self.state.log.claim.unwrap_or(secret.log.claim),
            started: self.state.now,
            before,
            closed,
        }
    }

    fn class_in_intent(&self, credential: &Credential, closed: bool) -> CredentialClass {
        let issued = self.state.login.issued.as_ref();
        if issued.is_some_and(|issued| issued.id == credential.id) {
            return CredentialClass::Superseded;
        }
        match self.recorded_class(credential) {
            // Another person created it meanwhile: see `may_close_issue_intent`.
            CredentialClass::Orphan if closed => CredentialClass::Foreign,
            CredentialClass::Current | CredentialClass::Orphan => CredentialClass::Superseded,
            class => class,
        }
    }

    /// The closed intent to write beside `step`. `None` if it is closed, if it is too early, or if
    /// the step itself changes the user.
    pub fn intent_to_close(&self, step: &Step) -> Option<IssueIntent> {
        let changes_no_user = matches!(
            step,
            Step::Credential(CredentialStep::Store | CredentialStep::VerifyStored)
                | Step::Secret(SecretStep::SaveSpec)
        );
        let secret = self.secret.filter(|_| changes_no_user)?;
        may_close_issue_intent(self.state).then(|| self.issue_intent(secret, true))
    }
}

/// Whether the open issue intent of this delivery has issued its credential, so that it can be
/// closed beside the next step. The log's next entry was this delivery's after that, so no peer has
/// written an issue intent.
pub fn may_close_issue_intent(state: &State) -> bool {
    let Some(secret) = state.secret.present() else {
        return false;
    };
    let intent = state.user.issue_intent.as_ref();
    let open = intent.filter(|intent| state.log.issue_intent_written && !intent.closed);
    let current = secret.current();
    open.is_some_and(|intent| {
        let is_stored = current.is_some_and(|login| login.entry > intent.claim);
        let saved = secret.latest_saved();
        let is_committed = state.mirrors.intent.ids_committed || saved > Some(intent.claim);
        let is_issued = state.login.issued.is_some() && !state.login.may_have_issued;
        is_stored || (is_committed && is_issued)
    })
}
