//! Checks credentials and their mirrors. It changes nothing.

mod checked_gitlabs;
mod lost;
mod mirrors;
mod tips;

use std::time::SystemTime;

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry};

use crate::clients::aws::{CallError, required};
use crate::common::iam_wildcard::NamePattern;
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::gitlab::GitLabClients;
use crate::mirror_credential::delete;
use crate::mirror_credential::delete::left::{LeftMirrors, MIRRORS_LEFT};
use crate::mirror_credential::health::checked_gitlabs::check_token;
pub use crate::mirror_credential::health::checked_gitlabs::{
    CheckedGitLabs, MIRRORS_PER_SECOND, TokenHealth,
};
pub use crate::mirror_credential::health::lost::LostSecret;
use crate::mirror_credential::health::lost::{deletion_problem, untagged_problem};
use crate::mirror_credential::health::mirrors::check_mirror;
pub use crate::mirror_credential::health::mirrors::{ForeignTip, MirrorHealth, check_shown};
pub use crate::mirror_credential::health::tips::Comparison;
use crate::mirror_credential::intent_log;
pub use crate::mirror_credential::intent_log::mirrors::MirrorPlace;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::intent_log::{Login, Owner};
pub use crate::mirror_credential::messages::{
    needed_branch_is_gone, needed_branch_is_not_mirrored,
};
use crate::mirror_credential::observe;
use crate::mirror_credential::resource::MirrorCredential;
use crate::mirror_credential::spec::{self, WantedMirror};
use crate::mirror_credential::state::{DeniedRead, Secret, StoredLogin, User};
use cfn_custom_resource::Reason;

/// The remedy for a login that no longer works.
const NEW_LOGIN: &str = "Update its stack with a new RotationSerial, which issues another login";

/// A secret of cfn-gitops. Secrets Manager may list it minutes late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSummary {
    pub name: String,
    /// The IAM user whose login it holds.
    pub user_name: String,
    /// The stack that owns it. `None` if its tags name no owner.
    pub stack_id: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Health {
    pub user_name: String,
    pub user_exists: bool,
    /// The resource that owns its secret.
    pub owner: Option<Owner>,
    /// When IAM created the credential. `None` if it does not exist.
    pub issued: Option<SystemTime>,
    pub is_inactive: bool,
    /// The user's other active CodeCommit credentials. During a rotation it has one. After it, that
    /// one is inactive.
    pub other_credentials: Vec<String>,
    /// GitLab's mirrors that use the credential, if the secret's value was read.
    pub mirrors: Vec<MirrorHealth>,
    /// The token that reads the mirrors. `None` if it was read in this check already, or if there
    /// is none.
    pub token: Option<TokenHealth>,
}

impl Health {
    /// The health of the credential of `current`, without its mirrors.
    fn of_credential(user: &User, current: &Login) -> Self {
        let credential = user.credential(&current.credential_id);
        let others = user.credentials.iter().filter(|other| other.id != current.credential_id);
        Health {
            user_name: user.name.clone(),
            user_exists: user.exists,
            owner: None,
            issued: credential.map(|credential| credential.created),
            is_inactive: credential.is_some_and(|credential| !credential.active),
            other_credentials: others
                .filter(|other| other.active)
                .map(|other| other.id.clone())
                .collect(),
            mirrors: vec![],
            token: None,
        }
    }

    pub fn has_other_settings(&self) -> bool {
        self.mirrors.iter().any(|mirror| mirror.other_settings.is_some())
    }

    /// Without the differences of settings: an Update may be sending them.
    #[must_use]
    pub fn without_other_settings(mut self) -> Self {
        let mirrors = self.mirrors.iter_mut();
        mirrors.for_each(|mirror| mirror.other_settings = None);
        self
    }
}

/// Why a secret was not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckError {
    /// The secret was deleted, or is being created.
    Nothing,
    /// A person deleted the secret or its tags. With its owner, and the problem.
    Missing(Option<Owner>, Reason),
    Failed(Reason),
}

impl From<CallError> for CheckError {
    fn from(error: CallError) -> Self {
        CheckError::Failed(error.reason())
    }
}

impl MirrorCredential {
    /// The secrets of cfn-gitops in this account and region whose user names match `user_names`.
    ///
    /// Secrets Manager lists the secrets of every environment. Only the user name shows the
    /// environment of a secret. A call for another environment's user would be denied, and every
    /// check would add an `AccessDenied` to the account's CloudTrail. Secrets that are scheduled
    /// for deletion are among them.
    /// The second list has the mirrors that deletions have left, or may have.
    pub async fn list_secrets(
        &self,
        user_names: &NamePattern,
    ) -> Result<(Vec<SecretSummary>, Vec<LeftMirrors>), CallError> {
        // Assumption `secret-filter-values-are-or`.
        let ours = Filter::builder()
            .key(FilterNameStringType::TagKey)
            .values(intent_log::USER_NAME)
            .values(MIRRORS_LEFT)
            .build();
        let call = self.clients.aws.secrets.list_secrets().filters(ours);
        let call = call.include_planned_deletion(true);
        let mut pages = call.into_paginator().send();
        let (mut listed, mut left) = (vec![], vec![]);
        while let Some(page) = pages.next().await {
            let page = required(page, || "listing the secrets".to_owned())?;
            for secret in page.secret_list() {
                listed.extend(summary(secret, user_names));
                left.extend(delete::left::parse(secret, user_names));
            }
        }
        Ok((listed, left))
    }

    /// Checks the credential of one secret, without the secret's value.
    ///
    /// # Errors
    /// If the secret has nothing to check, or if the check failed.
    pub async fn credential_health(&self, listed: &SecretSummary) -> Result<Health, CheckError> {
        Ok(self.look_at(listed).await?.health)
    }

    async fn look_at(&self, listed: &SecretSummary) -> Result<Look, CheckError> {
        let user_name = &listed.user_name;
        let aws = &self.clients.aws;
        let user = observe::read_user(aws, user_name).await?;
        if let Some(DeniedRead(denied)) = user.denied {
            return Err(denied.into());
        }
        let secret = observe::read_secret(aws, &listed.name).await?.ok_or(CheckError::Nothing)?;
        // A Delete leaves no secret, not even one that is scheduled for deletion.
        if let Some(deleted_at) = secret.deleted_at {
            let problem = deletion_problem(&listed.name, deleted_at);
            return Err(CheckError::Missing(secret.origin.owner, problem));
        }
        if secret.origin.owner.is_none() {
            let owner = user.held_by().filter(|_| user.secret_name.as_ref() == Some(&listed.name));
            return Err(owner.map_or(CheckError::Nothing, |owner| {
                let problem =
                    untagged_problem(&listed.name, Some(user_name), owner, &secret.origin);
                CheckError::Missing(Some(owner.clone()), problem)
            }));
        }
        let Some(current) = secret.log.current.clone() else {
            return Err(without_login(&listed.name, secret.log.changed_by_hand));
        };
        let mut health = Health::of_credential(&user, &current);
        health.owner.clone_from(&secret.origin.owner);
        Ok(Look {
            fault: credential_fault(&user, &current),
            health,
            secret,
            current,
        })
    }

    /// Checks the credential and the mirrors of one secret.
    ///
    /// # Errors
    /// If the secret has nothing to check, or if the check failed.
    pub async fn health(
        &self,
        listed: &SecretSummary,
        checked: &CheckedGitLabs,
    ) -> Result<Health, CheckError> {
        let aws = &self.clients.aws;
        let Look {
            mut health,
            secret,
            current,
            fault,
        } = self.look_at(listed).await?;
        let saved = calls::read_saved_spec(aws, &secret).await?;
        let access = saved.as_ref().and_then(spec::gitlab_in);
        let wanted = saved.as_ref().map(spec::mirrors_in).unwrap_or_default();
        if current.mirrors == 0 && wanted.is_empty() {
            return Ok(health);
        }
        let value = calls::read_login(aws, &secret, &current.version_id).await?;
        let value = value.ok_or_else(|| without_value(&listed.name))?;
        let may_save = secret.may_save_spec(self.clients.clock.now());
        let declared = (saved.is_some() && !may_save).then_some(Declared {
            url: access.as_ref().map(|access| access.url.as_str()),
            wanted: &wanted,
            records: &value.mirrors,
        });
        let accesses = access.iter().cloned().collect();
        let mut gitlabs = GitLabClients::new(&self.clients, accesses);
        let declared = declared.as_ref();
        self.check_mirrors(&mut health, &mut gitlabs, &value, declared, fault, checked)
            .await;
        if let Some(access) = access {
            health.token = check_token(&mut gitlabs, &access, checked).await;
        }
        Ok(health)
    }

    /// Reads the mirrors of the login `value`, whose credential has this `fault`, and compares them
    /// with the `declared` ones of its stack, if they are known.
    async fn check_mirrors(
        &self,
        health: &mut Health,
        gitlabs: &mut GitLabClients<'_>,
        value: &StoredLogin,
        declared: Option<&Declared<'_>>,
        fault: Option<Reason>,
        checked: &CheckedGitLabs,
    ) {
        for record in &value.mirrors {
            let now = self.clients.clock.now();
            let (aws, password) = (&self.clients.aws, &value.password);
            let wanted = declared.map_or(Wanted::Unknown, |declared| declared.wanted_for(record));
            let is_unwanted = matches!(wanted, Wanted::No);
            let wanted = match wanted {
                Wanted::Yes(wanted) => Some(wanted),
                Wanted::Unknown | Wanted::No => None,
            };
            let mut mirror =
                check_mirror(aws, gitlabs, record, wanted, password, checked, now).await;
            // GitLab masks logins in its messages, but the check does not depend on that.
            let own_fault = mirror.fault.map(|fault| {
                let problem = password.redact(&fault.problem);
                let shown = fault.remedy.to_string();
                let redacted = password.redact(&shown);
                if redacted == shown {
                    Reason { problem, ..fault }
                } else {
                    Reason::new(fault.code, problem, redacted)
                }
            });
            mirror.fault = own_fault.or_else(|| fault.clone());
            if is_unwanted {
                mirror.other_settings = Some(unwanted(record));
            }
            health.mirrors.push(mirror);
        }
        let missing = declared.into_iter().flat_map(Declared::missing);
        health.mirrors.extend(missing.map(MirrorHealth::missing));
    }
}

/// A credential, and what its secret shows without its value.
struct Look {
    health: Health,
    secret: Secret,
    current: Login,
    /// Why its mirrors cannot push. `None` if its credential is active.
    fault: Option<Reason>,
}

/// The mirrors of the saved spec, and the records of the login.
struct Declared<'a> {
    url: Option<&'a str>,
    wanted: &'a [WantedMirror],
    records: &'a [MirrorRecord],
}

/// The mirror of the properties that a record is about.
enum Wanted<'a> {
    Yes(&'a WantedMirror),
    /// A path that the record does not have may lead to its project.
    Unknown,
    No,
}

impl<'a> Declared<'a> {
    fn is_about(&self, record: &MirrorRecord, wanted: &WantedMirror) -> bool {
        self.is_beside(record, wanted) && record.is_named(&wanted.project)
    }

    /// Whether both are of one repository and one GitLab.
    fn is_beside(&self, record: &MirrorRecord, wanted: &WantedMirror) -> bool {
        self.url == Some(&record.gitlab_url) && record.repository_name == wanted.repository_name
    }

    fn is_named(&self, record: &MirrorRecord) -> bool {
        self.wanted.iter().any(|wanted| self.is_about(record, wanted))
    }

    fn has_record(&self, wanted: &WantedMirror) -> bool {
        self.records.iter().any(|record| self.is_about(record, wanted))
    }

    fn wanted_for(&self, record: &MirrorRecord) -> Wanted<'a> {
        let is_named = self.is_named(record);
        let mut wanted = self.wanted.iter().filter(|wanted| {
            let may_be = !is_named && self.is_beside(record, wanted) && !self.has_record(wanted);
            may_be || self.is_about(record, wanted)
        });
        match (wanted.next(), wanted.next()) {
            (None, _) => Wanted::No,
            (Some(only), None) => Wanted::Yes(only),
            (Some(_), Some(_)) => Wanted::Unknown,
        }
    }

    /// The mirrors that no record can be about.
    fn missing(&self) -> impl Iterator<Item = &'a WantedMirror> {
        self.wanted.iter().filter(|wanted| {
            let may_be = |record| self.is_beside(record, wanted) && !self.is_named(record);
            !self.has_record(wanted) && !self.records.iter().any(may_be)
        })
    }
}

/// That the stack does not have the mirror of `record`.
fn unwanted(record: &MirrorRecord) -> Reason {
    let MirrorRecord { id, gitlab_url, .. } = record;
    let problem = format!("its stack does not have it ({id} at {gitlab_url}), and it may push");
    let remedy = "Update its stack with a new RotationSerial, which removes it";
    Reason::uncoded(problem, remedy)
}

/// The secret `name` has lost the value of its current login.
fn without_value(name: &str) -> CheckError {
    let problem = format!("reading secret {name}: its value is gone, or no login");
    CheckError::Failed(Reason::uncoded(problem, NEW_LOGIN))
}

/// Why the secret `name` without a current login has nothing to check.
fn without_login(name: &str, is_changed_by_hand: bool) -> CheckError {
    if !is_changed_by_hand {
        return CheckError::Nothing;
    }
    let problem = format!("reading secret {name}: its value was changed outside of cfn-gitops");
    CheckError::Failed(Reason::uncoded(problem, NEW_LOGIN))
}

/// The secret, if it belongs to a user of `user_names`.
fn summary(secret: &SecretListEntry, user_names: &NamePattern) -> Option<SecretSummary> {
    // The filter matches prefixes, so it also returns tags with longer keys.
    let tag = secret.tags().iter().find(|tag| tag.key() == Some(intent_log::USER_NAME))?;
    let user_name = tag.value().filter(|name| user_names.matches(name))?;
    let owner =
        Owner::from_tags(|key| secret.tags().iter().find(|tag| tag.key() == Some(key))?.value());
    Some(SecretSummary {
        name: secret.name()?.to_owned(),
        user_name: user_name.to_owned(),
        stack_id: owner.map(|owner| owner.stack_id),
    })
}

/// Why the mirrors cannot push with the login `current`. `None` if its credential is active.
fn credential_fault(user: &User, current: &Login) -> Option<Reason> {
    let user_name = &user.name;
    let (problem, remedy) = match user.credential(&current.credential_id) {
        None if !user.exists => (
            format!("its IAM user {user_name} does not exist"),
            "Create the user again, with its policies, then update the stack with a new RotationSerial",
        ),
        None => (
            format!("its credential is gone from user {user_name}"),
            NEW_LOGIN,
        ),
        Some(one) if one.active => return None,
        Some(_) => (
            format!("its credential of user {user_name} is inactive"),
            NEW_LOGIN,
        ),
    };
    Some(Reason::uncoded(problem, remedy))
}
