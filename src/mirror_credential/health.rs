//! Checks credentials and their mirrors for the scheduled health check. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry};

use crate::aws::CallError;
use crate::gitlab::{Access, GitLab, GitLabError, Mirror, PushStatus, TokenDetails};
use crate::iam_wildcard::NamePattern;
use crate::mirror_credential::calls;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::write_time;
use crate::mirror_credential::messages;
use crate::mirror_credential::mirrors::gitlab_clients::GitLabClients;
use crate::mirror_credential::mirrors::intent::MirrorRecord;
use crate::mirror_credential::observe;
use crate::mirror_credential::resource::MirrorCredential;
use crate::mirror_credential::rotation::repair::is_repair;
use crate::mirror_credential::state::{Credential, User};
use crate::pace::Pace;

/// How many mirrors a second are read, with two requests each if they are healthy. GitLab's smallest
/// documented limit is 1,200 requests a minute for a user:
/// <https://docs.gitlab.com/administration/dedicated/user_rate_limits/>. On gitlab.com it is 2,000:
/// <https://docs.gitlab.com/user/gitlab_com/rate_limits/>.
const MIRRORS_PER_SECOND: u32 = 5;

/// A secret of cfn-gitops. Secrets Manager may list it minutes late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSummary {
    /// Its name.
    pub name: String,
    /// The IAM user whose login it holds.
    pub user_name: String,
}

/// The state of one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The IAM user.
    pub user_name: String,
    /// When IAM created the credential. `None` if it does not exist.
    pub issued: Option<SystemTime>,
    /// The user's other CodeCommit credentials. During a rotation it has one.
    pub other_credentials: Vec<String>,
    /// Whether a repair was interrupted before it deactivated the former credential.
    pub has_unfinished_repair: bool,
    /// GitLab's mirrors that use the credential.
    pub mirrors: Vec<MirrorHealth>,
    /// The token that reads the mirrors. `None` if it was read in this check already, or if there is
    /// none.
    pub token: Option<TokenHealth>,
}

/// The state of one GitLab token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHealth {
    /// The name or ARN of its secret.
    pub secret_id: String,
    /// What GitLab shows of it, or why that is unknown.
    pub details: Result<TokenDetails, String>,
}

/// The state of one mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorHealth {
    /// ID or full path of the project in GitLab.
    pub project: String,
    /// The CodeCommit repository that the mirror pushes to.
    pub repository_name: String,
    /// When it last pushed. `None` if GitLab does not show it.
    pub succeeded_at: Option<SystemTime>,
    /// How long its latest push has not succeeded. `None` if GitLab shows no push.
    pub lag: Option<Duration>,
    /// Why it cannot push. `None` if it has no fault.
    pub fault: Option<String>,
    /// Whether it was deleted or disabled in GitLab, so that creating it again repairs it.
    pub is_repairable: bool,
}

/// Why a secret was not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckError {
    /// The secret was deleted, or is being created.
    Nothing,
    /// The check failed.
    Failed(String),
}

impl From<CallError> for CheckError {
    fn from(error: CallError) -> Self {
        CheckError::Failed(error.to_string())
    }
}

/// What one health check has found out of each GitLab.
#[derive(Debug)]
pub struct CheckedGitLabs {
    pace: Pace,
    /// The error of each unreachable GitLab. Without it, the check would wait for the same GitLab once
    /// for each mirror.
    unreachable: Mutex<BTreeMap<String, GitLabError>>,
    /// The tokens whose expiry was read, by GitLab's address, secret and key.
    tokens: Mutex<BTreeSet<(String, String, String)>>,
}

impl Default for CheckedGitLabs {
    fn default() -> Self {
        CheckedGitLabs {
            pace: Pace::per_second(MIRRORS_PER_SECOND),
            unreachable: Mutex::default(),
            tokens: Mutex::default(),
        }
    }
}

impl CheckedGitLabs {
    /// Stores the error of a GitLab that is unreachable.
    fn note(&self, url: &str, error: &GitLabError) {
        if error.is_unreachable() {
            let mut unreachable = locked(&self.unreachable);
            unreachable.insert(url.to_owned(), error.clone());
        }
    }

    /// The error of the GitLab at `url`. `None` if it is not known to be unreachable.
    fn error_of(&self, url: &str) -> Option<GitLabError> {
        locked(&self.unreachable).get(url).cloned()
    }

    /// Whether the token of `access` was not checked before.
    fn is_new_token(&self, access: &Access) -> bool {
        let Access {
            url,
            token_secret_id,
            token_secret_key,
            ..
        } = access;
        let token = (
            url.clone(),
            token_secret_id.clone(),
            token_secret_key.clone(),
        );
        locked(&self.tokens).insert(token)
    }
}

/// What a mutex holds. It is never held across a call, and what it holds is valid after a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MirrorCredential {
    /// The secrets of cfn-gitops in this account and region whose user names match `user_names`.
    ///
    /// Secrets Manager lists the secrets of every environment. Only the user name shows the
    /// environment of a secret. A call for another environment's user would be denied, and every
    /// check would add an `AccessDenied` to the account's CloudTrail.
    ///
    /// # Errors
    /// If Secrets Manager does not return all pages.
    pub async fn list_secrets(
        &self,
        user_names: &NamePattern,
    ) -> Result<Vec<SecretSummary>, CallError> {
        let ours = Filter::builder()
            .key(FilterNameStringType::TagKey)
            .values(intent_log::USER_NAME)
            .build();
        let call = self.clients.aws.secrets.list_secrets().filters(ours);
        let mut pages = call.into_paginator().send();
        let mut listed = vec![];
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::new("listing the secrets", &error))?;
            let secrets = page.secret_list().iter();
            listed.extend(secrets.filter_map(|secret| summary(secret, user_names)));
        }
        Ok(listed)
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
        let user_name = &listed.user_name;
        let aws = &self.clients.aws;
        let user = observe::read_user(aws, user_name).await?;
        if let Some(denied) = user.denied {
            return Err(denied.into());
        }
        let secret = observe::read_secret(aws, &listed.name).await?;
        let secret =
            secret.filter(|secret| secret.origin.owner.is_some() && secret.deleted_at.is_none());
        let secret = secret.ok_or(CheckError::Nothing)?;
        let Some(current) = &secret.log.current else {
            let name = &listed.name;
            return Err(if secret.log.changed_by_hand {
                CheckError::Failed(format!(
                    "reading secret {name}: its value was changed outside of cfn-gitops; update its stack"
                ))
            } else {
                CheckError::Nothing
            });
        };
        let credential = user.credential(&current.credential_id);
        let fault = credential_fault(credential, user_name);
        let mut health = Health {
            user_name: user_name.clone(),
            issued: credential.map(|credential| credential.created),
            other_credentials: other_credentials(&user, &current.credential_id),
            has_unfinished_repair: is_repair(&current.version_id)
                && user
                    .credentials
                    .iter()
                    .any(|one| one.active && one.id != current.credential_id),
            mirrors: vec![],
            token: None,
        };
        if current.mirrors == 0 {
            return Ok(health);
        }
        let value = calls::read_login(aws, &secret, &current.version_id).await?;
        let value = value.ok_or_else(|| {
            let name = &listed.name;
            CheckError::Failed(format!(
                "reading secret {name}: its value is gone, or no login"
            ))
        })?;
        let access = calls::read_access(aws, &secret).await?;
        let accesses = access.iter().cloned().collect();
        let mut gitlabs = GitLabClients::new(aws, &self.clients.http, accesses);
        for record in &value.mirrors {
            let now = self.clients.clock.now();
            let mut mirror = check_mirror(&mut gitlabs, record, checked, now).await;
            // GitLab masks logins in its messages, but the check does not depend on that.
            let own_fault = mirror.fault.map(|fault| value.password.redact(&fault));
            mirror.fault = own_fault.or_else(|| fault.clone());
            health.mirrors.push(mirror);
        }
        if let Some(access) = access {
            health.token = check_token(&mut gitlabs, &access, checked).await;
        }
        Ok(health)
    }
}

/// The secret, if it belongs to a user of `user_names`.
fn summary(secret: &SecretListEntry, user_names: &NamePattern) -> Option<SecretSummary> {
    // The filter matches prefixes, so it also returns tags with longer keys.
    let mut tags = secret.tags().iter();
    let tag = tags.find(|tag| tag.key() == Some(intent_log::USER_NAME))?;
    let user_name = tag.value().filter(|name| user_names.matches(name))?;
    Some(SecretSummary {
        name: secret.name()?.to_owned(),
        user_name: user_name.to_owned(),
    })
}

/// The IDs of the user's credentials except `current`.
fn other_credentials(user: &User, current: &str) -> Vec<String> {
    let ids = user.credentials.iter().map(|credential| &credential.id);
    ids.filter(|id| *id != current).cloned().collect()
}

/// Why the mirrors cannot push with `credential`. `None` if it is active.
fn credential_fault(credential: Option<&Credential>, user_name: &str) -> Option<String> {
    match credential {
        None => Some(format!("its credential is gone from user {user_name}")),
        Some(one) if one.active => None,
        Some(_) => Some(format!("its credential of user {user_name} is inactive")),
    }
}

/// Reads a mirror from GitLab. Its fault is the reason if GitLab does not show it.
async fn check_mirror(
    gitlabs: &mut GitLabClients<'_>,
    record: &MirrorRecord,
    checked: &CheckedGitLabs,
    now: SystemTime,
) -> MirrorHealth {
    let url = &record.gitlab_url;
    let unread = |error: &GitLabError| MirrorHealth {
        fault: Some(error.to_string()),
        ..unchecked(record)
    };
    if let Some(error) = checked.error_of(url) {
        return unread(&error);
    }
    checked.pace.wait().await;
    let asked = match gitlabs.at(url).await {
        Ok(gitlab) => ask(&gitlab, record, now).await,
        Err(error) => Err(error),
    };
    asked.unwrap_or_else(|error| {
        checked.note(url, &error);
        unread(&error)
    })
}

/// A mirror of which nothing is known.
fn unchecked(record: &MirrorRecord) -> MirrorHealth {
    MirrorHealth {
        project: record.project.clone(),
        repository_name: record.repository_name.clone(),
        succeeded_at: None,
        lag: None,
        fault: None,
        is_repairable: false,
    }
}

/// Reads what GitLab shows of the token of `access`. `None` if it was read before, or if its GitLab or
/// its secret cannot be read, which is the fault of every mirror there.
async fn check_token(
    gitlabs: &mut GitLabClients<'_>,
    access: &Access,
    checked: &CheckedGitLabs,
) -> Option<TokenHealth> {
    let url = &access.url;
    if checked.error_of(url).is_some() || !checked.is_new_token(access) {
        return None;
    }
    let gitlab = gitlabs.at(url).await.ok()?;
    let details = gitlab.token_details().await.map_err(|error| {
        checked.note(url, &error);
        error.to_string()
    });
    Some(TokenHealth {
        secret_id: access.token_secret_id.clone(),
        details,
    })
}

async fn ask(
    gitlab: &GitLab,
    record: &MirrorRecord,
    now: SystemTime,
) -> Result<MirrorHealth, GitLabError> {
    let MirrorRecord { id, gitlab_url, .. } = record;
    let Some(mirror) = gitlab.mirror(&record.project, *id).await? else {
        let gone = format!(
            "it is gone ({id} at {gitlab_url}). Create it again: update its stack with a new \
             RotationSerial"
        );
        return Ok(MirrorHealth {
            fault: Some(gone),
            is_repairable: true,
            ..unchecked(record)
        });
    };
    let mut lag = mirror.lag(now);
    let mut fault = fault_of(&mirror, record, now);
    if fault.is_some()
        && gitlab
            .project(&record.project)
            .await
            .is_ok_and(|it| it.is_empty)
    {
        // An empty project has nothing to push, which some versions of GitLab show as a fault.
        (fault, lag) = (None, None);
    }
    if fault.is_none() {
        let (project, settings) = (&record.project, &mirror.settings);
        let reason = gitlab.pushes_everything(project, settings).await?;
        let place = format!("push mirror {id} at {gitlab_url}");
        let regex = settings.branch_regex.as_deref();
        fault = reason
            .map(|reason| messages::every_branch_is_pushed(&place, project, &reason, regex).text);
    }
    Ok(MirrorHealth {
        succeeded_at: mirror.succeeded_at,
        lag,
        is_repairable: fault.is_some() && !mirror.enabled,
        fault,
        ..unchecked(record)
    })
}

fn fault_of(mirror: &Mirror, record: &MirrorRecord, now: SystemTime) -> Option<String> {
    let MirrorRecord { id, gitlab_url, .. } = record;
    if !mirror.enabled {
        return Some(format!(
            "it is disabled ({id} at {gitlab_url}), or GitLab is in silent mode. Enable it in GitLab, \
             or update its stack with a new RotationSerial"
        ));
    }
    if matches!(mirror.status, PushStatus::Failed | PushStatus::ToRetry) {
        let why = mirror
            .last_error
            .as_deref()
            .unwrap_or("GitLab does not say why");
        return Some(format!(
            "its latest push failed ({id} at {gitlab_url}): {why}"
        ));
    }
    if mirror.is_stuck(now) {
        let since = mirror.started_at.map(write_time).unwrap_or_default();
        return Some(format!(
            "GitLab shows a push under way since {since} ({id} at {gitlab_url}): its process was \
             killed. Push a commit to the project, which corrects that, or change RotationSerial, \
             which replaces the mirror"
        ));
    }
    None
}
