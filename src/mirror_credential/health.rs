//! Checks credentials and their mirrors for the scheduled health check. It changes nothing.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};

use crate::aws::CallError;
use crate::gitlab::{GitLab, GitLabError, Mirror, PushStatus};
use crate::iam_wildcard::NamePattern;
use crate::mirror_credential::calls;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::write_time;
use crate::mirror_credential::messages;
use crate::mirror_credential::mirrors::gitlab_clients::GitLabClients;
use crate::mirror_credential::mirrors::intent::MirrorRecord;
use crate::mirror_credential::observe;
use crate::mirror_credential::resource::MirrorCredential;
use crate::mirror_credential::state::Credential;

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
    /// GitLab's mirrors that use the credential.
    pub mirrors: Vec<MirrorHealth>,
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
    /// Why it cannot push. `None` if it has no fault.
    pub fault: Option<String>,
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

/// The error of each unreachable GitLab. Without it, the check would wait for the same GitLab once
/// for each mirror.
#[derive(Debug, Default)]
pub struct UnreachableGitLabs(BTreeMap<String, GitLabError>);

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
        let pages: Result<Vec<_>, _> = call.into_paginator().send().collect().await;
        let pages = pages.map_err(|error| CallError::new("listing the secrets", &error))?;
        let secrets = pages.iter().flat_map(|page| page.secret_list());
        let ours = secrets.filter_map(|secret| {
            // The filter matches prefixes, so it also returns tags with longer keys.
            let mut tags = secret.tags().iter();
            let tag = tags.find(|tag| tag.key() == Some(intent_log::USER_NAME))?;
            let user_name = tag.value().filter(|name| user_names.matches(name))?;
            Some(SecretSummary {
                name: secret.name()?.to_owned(),
                user_name: user_name.to_owned(),
            })
        });
        Ok(ours.collect())
    }

    /// Checks the credential and the mirrors of one secret.
    ///
    /// # Errors
    /// If the secret has nothing to check, or if the check failed.
    pub async fn health(
        &self,
        listed: &SecretSummary,
        unreachable: &mut UnreachableGitLabs,
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
                    "reading secret {name}: its value was put there by somebody else; update its stack"
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
            mirrors: vec![],
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
        let accesses = access.into_iter().collect();
        let mut gitlabs = GitLabClients::new(aws, &self.clients.http, accesses);
        for record in value.mirrors {
            let now = self.clients.clock.now();
            let checked = check_mirror(&mut gitlabs, &record, unreachable, now).await;
            let (succeeded_at, own_fault) = checked.unwrap_or_else(|fault| (None, Some(fault)));
            // GitLab masks logins in its messages, but the check does not depend on that.
            let own_fault = own_fault.map(|fault| value.password.redact(&fault));
            health.mirrors.push(MirrorHealth {
                project: record.project,
                repository_name: record.repository_name,
                succeeded_at,
                fault: own_fault.or_else(|| fault.clone()),
            });
        }
        Ok(health)
    }
}

/// Why the mirrors cannot push with `credential`. `None` if it is active.
fn credential_fault(credential: Option<&Credential>, user_name: &str) -> Option<String> {
    match credential {
        None => Some(format!("its credential is gone from user {user_name}")),
        Some(one) if one.active => None,
        Some(_) => Some(format!("its credential of user {user_name} is inactive")),
    }
}

/// Reads a mirror from GitLab: when it last pushed, and its fault. The error is the reason that
/// GitLab does not show the mirror.
async fn check_mirror(
    gitlabs: &mut GitLabClients<'_>,
    record: &MirrorRecord,
    unreachable: &mut UnreachableGitLabs,
    now: SystemTime,
) -> Result<(Option<SystemTime>, Option<String>), String> {
    let url = &record.gitlab_url;
    if let Some(error) = unreachable.0.get(url) {
        return Err(error.to_string());
    }
    let asked = match gitlabs.at(url).await {
        Ok(gitlab) => ask(&gitlab, record, now).await,
        Err(error) => Err(error),
    };
    asked.map_err(|error| {
        let text = error.to_string();
        if error.is_unreachable() {
            unreachable.0.insert(url.clone(), error);
        }
        text
    })
}

async fn ask(
    gitlab: &GitLab,
    record: &MirrorRecord,
    now: SystemTime,
) -> Result<(Option<SystemTime>, Option<String>), GitLabError> {
    let MirrorRecord { id, gitlab_url, .. } = record;
    let Some(mirror) = gitlab.mirror(&record.project, *id).await? else {
        let gone =
            format!("it is gone ({id} at {gitlab_url}); any update of its stack makes it again");
        return Ok((None, Some(gone)));
    };
    let mut fault = fault_of(&mirror, record, now);
    if fault.is_some()
        && gitlab
            .project(&record.project)
            .await
            .is_ok_and(|it| it.is_empty)
    {
        // An empty project has nothing to push, which some versions of GitLab show as a fault.
        fault = None;
    }
    if fault.is_none() {
        let (project, settings) = (&record.project, &mirror.settings);
        let reason = gitlab.pushes_everything(project, settings).await?;
        let place = format!("push mirror {id} at {gitlab_url}");
        let regex = settings.branch_regex.as_deref();
        fault = reason
            .map(|reason| messages::every_branch_is_pushed(&place, project, &reason, regex).text);
    }
    Ok((mirror.succeeded_at, fault))
}

fn fault_of(mirror: &Mirror, record: &MirrorRecord, now: SystemTime) -> Option<String> {
    let MirrorRecord { id, gitlab_url, .. } = record;
    if !mirror.enabled {
        return Some(format!(
            "it is disabled ({id} at {gitlab_url}), or GitLab is in silent mode; any update of its \
             stack enables it"
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
