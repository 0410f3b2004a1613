//! The input of the planner, and facts that follow from it directly.

use std::ops::ControlFlow::Continue;

use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::intent_log::{Login, key, serial_key, write_time};
use crate::mirror_credential::plan::classify::{classify, next_deletion};
use crate::mirror_credential::plan::step::{CredentialStep, Plan, RequestStep, SecretStep, reject};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::{Spec, short_key};
use crate::mirror_credential::state::{Credential, LoginTrial, Secret, State};
use crate::reconcile::sender::Rollback;
use crate::reconcile::{choose, choose_if};
use cfn_custom_resource::Reason;

pub enum CurrentLogin<'a> {
    /// The secret names it, and IAM may list it later.
    Unknown,
    /// A new login is needed.
    Missing,
    /// This one matches the spec.
    Valid(&'a Credential),
}

pub struct Planner<'a> {
    pub spec: &'a Spec,
    pub context: &'a RequestContext,
    pub state: &'a State,
    /// The secret. `None` if it is absent or unread.
    pub secret: Option<&'a Secret>,
    /// Whether the request has the properties before those that were applied last. A deleted secret
    /// does not show them.
    pub is_former: bool,
    /// Whether the request restores properties: the stack rolls back, or they were applied last, as
    /// in the rollback of an Update that failed. CloudFormation may show late the rollback of a
    /// request with former properties alone.
    pub rollback: Rollback,
}

impl<'a> Planner<'a> {
    pub fn new(spec: &'a Spec, context: &'a RequestContext, state: &'a State) -> Self {
        let (secret, document) = (state.secret.present(), &spec.document);
        let keeps_secret = state.request.previous.keeps_secret;
        let is_former = secret.map_or(keeps_secret, |secret| secret.has_former(document));
        // A Create saves its spec before its login.
        let restores_saved = secret.is_some_and(|secret| {
            secret.has_saved(document) && (secret.log.current.is_some() || !context.is_create)
        });
        let rollback = match state.request.rollback {
            _ if context.rotation.is_some() => Rollback::No,
            _ if restores_saved => Rollback::Yes,
            Rollback::Unknown if context.is_create => Rollback::No,
            Rollback::NotShown if !is_former => Rollback::No,
            shown => shown,
        };
        Planner {
            spec,
            context,
            state,
            secret,
            is_former,
            rollback,
        }
    }

    /// The secret's login, compared with the spec. A person may have set its credential to inactive
    /// because the password leaked, so it is replaced and never activated. If that is impossible,
    /// and the request changes nothing else, it stays inactive.
    pub fn current_login(&self) -> CurrentLogin<'a> {
        let state = self.state;
        let login = self.matching_login();
        let is_rejected = state.login.trial == LoginTrial::Rejected;
        let is_needed = !is_rejected && !self.needs_other_login();
        let Some(login) = login.filter(|_| is_needed) else {
            return CurrentLogin::Missing;
        };
        match state.user.credential(&login.credential_id) {
            Some(credential) if credential.active || self.replacement_error().is_some() => {
                CurrentLogin::Valid(credential)
            }
            None if !state.shows_all_changes() => CurrentLogin::Unknown,
            Some(_) | None => CurrentLogin::Missing,
        }
    }

    /// Why an inactive credential of a saved spec is not replaced. `None` if that was not tried.
    pub fn replacement_error(&self) -> Option<Reason> {
        let error = self.state.login.replacement_error.clone();
        error.or_else(|| self.gitlab_error())
    }

    /// The current login, if it is of the spec's user and serial.
    fn matching_login(&self) -> Option<&'a Login> {
        let state = self.state;
        let secret = self.secret.filter(|secret| !secret.log.changed_by_hand);
        let current = secret.and_then(Secret::current);
        // A rollback keeps the login of the Update before it. CloudFormation may still show an
        // earlier rollback, but a new serial is in no saved spec.
        let is_saved = |secret: &Secret| secret.has_saved(&self.spec.document);
        let is_known = self.is_former || secret.is_some_and(is_saved);
        let keeps_any = self.is_rollback() && is_known;
        current.filter(|login| {
            login.user_key == key(&state.user.name) && (keeps_any || self.is_of_serial(login))
        })
    }

    /// Whether `login` is of the spec's `RotationSerial`.
    pub fn is_of_serial(&self, login: &Login) -> bool {
        login.serial_key == serial_key(self.spec.rotation_serial.as_deref())
    }

    pub fn is_rollback(&self) -> bool {
        self.rollback == Rollback::Yes
    }

    /// Rejects the request for a `reason`, unless it is a rollback, or CloudFormation has still to
    /// show that.
    pub fn reject_unless_rollback(&self, reason: Option<Reason>) -> Plan {
        match (self.rollback, reason) {
            (Rollback::Yes, _) | (_, None) => Continue(()),
            (Rollback::No, Some(reason)) => choose(reject(reason)),
            (Rollback::Unknown | Rollback::NotShown, _) => choose(RequestStep::LookForRollback),
        }
    }

    /// Looks once whether the stack rolls back.
    pub fn look_once(&self) -> Plan {
        let is_unknown = self.rollback == Rollback::Unknown;
        choose_if(is_unknown, RequestStep::LookForRollback)
    }

    /// Looks whether the request is a rollback, which keeps the login of the secret.
    pub fn look_before_issuing(&self) -> Plan {
        let may_look = matches!(self.rollback, Rollback::Unknown | Rollback::NotShown);
        choose_if(
            may_look && self.is_former && self.secret.is_some(),
            RequestStep::LookForRollback,
        )
    }

    /// Whether the request changes only an inactive credential: it rolls another one back, or it is
    /// delivered again. It succeeds without a replacement, because the login did not work before
    /// it.
    pub fn has_only_inactive_to_replace(&self) -> bool {
        let login = self.restored_login();
        login.is_some_and(|login| self.is_inactive(&login.credential_id))
    }

    /// The same, or IAM's list may not show it yet: CodeCommit rejected the login.
    pub fn may_have_only_inactive_to_replace(&self) -> bool {
        self.has_only_inactive_to_replace()
            || (self.state.login.trial == LoginTrial::Rejected && self.restored_login().is_some())
    }

    /// Whether the request goes on without mirrors that GitLab does not show, change or push. One
    /// that replaces an inactive credential does not: the new login has to work, or the credential
    /// stays.
    pub fn may_lack_mirrors(&self) -> bool {
        self.is_rollback() && !self.may_have_only_inactive_to_replace()
    }

    /// The current login, if the request restores properties.
    fn restored_login(&self) -> Option<&'a Login> {
        self.matching_login().filter(|_| self.is_rollback())
    }

    /// Whether the request restores what `secret` has: the spec that was saved last, with its
    /// login, and no request has begun to change it since.
    pub fn restores_saved_spec(&self, secret: &Secret) -> bool {
        let login = self.matching_login();
        let is_kept = |login: &Login| {
            self.is_of_serial(login) && self.state.user.credential(&login.credential_id).is_some()
        };
        let (stored, wanted) = (&secret.kms_key_id, &self.spec.kms_key_id);
        secret.has_saved(&self.spec.document)
            && !secret.is_unfinished()
            && login.is_some_and(is_kept)
            && short_key(stored.as_deref()) == short_key(wanted.as_deref())
    }

    /// Whether IAM lists the credential `id` as inactive.
    pub fn is_inactive(&self, id: &str) -> bool {
        let listed = self.state.user.credential(id);
        listed.is_some_and(|credential| !credential.active)
    }

    pub fn class(&self, credential: &Credential) -> CredentialClass {
        match self.recorded_class(credential) {
            // Another person created it after this delivery wrote its intent.
            CredentialClass::Orphan if !self.may_have_orphans() => CredentialClass::Foreign,
            class => class,
        }
    }

    /// The class of a credential of the user, from the secret and from the user's tags alone.
    pub fn recorded_class(&self, credential: &Credential) -> CredentialClass {
        let (name, owner) = (&self.spec.secret_name, &self.context.owner);
        let (user, others) = (
            &self.state.user,
            &self.state.login.other_resource_credentials,
        );
        classify(credential, user, self.secret, name, owner, others)
    }

    pub fn of_class(&self, wanted: CredentialClass) -> impl Iterator<Item = &'a Credential> {
        let credentials = self.state.user.credentials.iter();
        credentials.filter(move |credential| self.class(credential) == wanted)
    }

    /// Deletes a credential which the current login supersedes.
    pub fn delete_superseded(&self, secret: &Secret) -> Plan {
        let superseded = secret.log.superseded.iter();
        let deletion = next_deletion(
            &self.state.user,
            superseded.filter(|login| !secret.uses(&login.credential_id)),
            &self.state.login.deleted_credentials,
            |credential| self.class(credential),
            self.spec.deletes_foreign,
        );
        let Some((id, is_named)) = deletion else {
            return Continue(());
        };
        if !is_named {
            self.wait_for_tags()?;
        }
        choose(CredentialStep::DeleteCredential(id))
    }

    /// Waits until the user's tags prove whose a credential is.
    pub fn wait_for_tags(&self) -> Plan {
        if !self.state.shows_all_changes() {
            return choose(CredentialStep::WaitForIam);
        }
        choose_if(!self.state.secret_read_after_user, SecretStep::ReadSecret)
    }

    /// Whether a credential may exist that this delivery has not read: a peer issued it, or the
    /// response to this delivery's own call was lost.
    fn may_have_orphans(&self) -> bool {
        let state = self.state;
        let is_taken_over = self.secret.is_some_and(Secret::is_taken_over);
        let may_be_peers = is_taken_over && !state.log.follows_closed_intent;
        !state.log.issue_intent_written || may_be_peers || state.login.may_have_issued
    }

    /// Whether the user's tags name this resource, its secret and the current credential.
    fn is_recorded(&self, secret: &Secret) -> bool {
        let user = &self.state.user;
        let (intent, current) = (user.issue_intent.as_ref(), secret.current());
        let names_current = intent.zip(current).is_some_and(|(intent, current)| {
            let class = intent.recorded_class(&current.credential_id);
            intent.closed && class == Some(CredentialClass::Superseded)
        });
        let owner = &self.context.owner;
        user.held_by() == Some(owner)
            && user.records(owner, &self.spec.secret_name, secret)
            && names_current
    }

    /// Writes into the user's tags who owns the user, unless they name it already.
    pub fn record(&self, secret: &Secret) -> Plan {
        choose_if(!self.is_recorded(secret), CredentialStep::CloseIssueIntent)
    }

    /// Whether the secret's tags do not name the spec's user and this request. The delivery has to
    /// write them before it changes anything else, because an outdated peer stops only when it
    /// reads them.
    pub fn has_other_ownership_tags(&self, secret: &Secret) -> bool {
        let as_of = secret.origin.as_of.map(write_time);
        self.has_other_user_tag(secret) || as_of != Some(write_time(self.context.signed_at))
    }

    /// Whether the secret's tags do not match the spec.
    pub fn has_other_tags(&self, secret: &Secret) -> bool {
        self.has_other_user_tag(secret)
            || self.spec.tags.iter().any(|(key, value)| secret.tags.get(key) != Some(value))
    }

    fn has_other_user_tag(&self, secret: &Secret) -> bool {
        secret.origin.user_name.as_ref() != Some(&self.spec.user_name)
    }
}
