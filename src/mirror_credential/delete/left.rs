//! The record of mirrors that a deletion leaves in GitLab.
//!
//! CloudFormation shows the reason of a success nowhere that a person looks at (assumption
//! `reason-of-a-success-is-not-read`), and no other record of the mirror remains. So the deletion
//! creates a secret without a value, whose description names the mirrors, and schedules its
//! deletion. It costs nothing, the health check reports it, and Secrets Manager deletes it after 30
//! days.

use std::time::Duration;

use aws_sdk_secretsmanager::types::{SecretListEntry, Tag};

use crate::clients::aws::{Aws, CallError, optional};
use crate::common::iam_wildcard::NamePattern;
use crate::common::ownership::Owner;
use crate::mirror_credential::delete::target::DeletionTarget;

/// On the record: the user of the deleted login, and a project of the mirrors.
pub const MIRRORS_LEFT: &str = "cfn-gitops:mirrors-left";

/// The longest recovery window of Secrets Manager.
const DAYS: i64 = 30;

/// The response to CloudFormation does not wait longer for the record.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most characters of a description: Secrets Manager allows 2,048.
const MAX_DESCRIPTION: usize = 2000;

/// The most characters of a tag's value.
const MAX_VALUE: usize = 256;

/// Mirrors that a deletion left in GitLab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftMirrors {
    /// A project of the mirrors, or the user of their login if no property named one.
    pub project: String,
    /// The problem, with its remedy.
    pub problem: String,
}

/// Records the mirrors that the deletion of `target` has left, best effort.
pub async fn record(aws: &Aws, target: &DeletionTarget, owner: &Owner, left: &[String]) {
    match tokio::time::timeout(TIMEOUT, Box::pin(write(aws, target, owner, left))).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the mirrors that are left are not recorded"),
        Err(_) => tracing::warn!("no time to record the mirrors that are left"),
    }
}

async fn write(
    aws: &Aws,
    target: &DeletionTarget,
    owner: &Owner,
    left: &[String],
) -> Result<(), CallError> {
    // The function's role may create secrets whose names begin with that of the mirrors' secret.
    let name = format!("{}/mirrors-left-{}", target.secret_name, owner.key());
    let user_name = target.user_name.as_deref().unwrap_or_default();
    let project = target.mirrors.first().map(|mirror| mirror.project.as_str());
    let value = format!("{user_name} {}", project.unwrap_or(user_name));
    let value: String = value.chars().take(MAX_VALUE).collect();
    let description: String = left.join("; ").chars().take(MAX_DESCRIPTION).collect();
    let doing = || format!("recording the mirrors that are left, in secret {name}");
    let call = aws.secrets.create_secret().name(&name);
    let call = call.description(description);
    let call = call.tags(Tag::builder().key(MIRRORS_LEFT).value(value).build());
    // Another delivery, or an earlier deletion, has recorded them.
    let exists = ["ResourceExistsException", "InvalidRequestException"];
    optional(call.send().await, &exists, doing)?;
    let call = aws.secrets.delete_secret().secret_id(&name);
    let call = call.recovery_window_in_days(DAYS);
    let scheduled = ["InvalidRequestException", "ResourceNotFoundException"];
    optional(call.send().await, &scheduled, doing).map(drop)
}

/// Parses a listed secret. `None` if it is not a record, or if its user's name does
/// not match.
pub fn parse(secret: &SecretListEntry, user_names: &NamePattern) -> Option<LeftMirrors> {
    let tag = secret
        .tags()
        .iter()
        .find(|tag| tag.key() == Some(MIRRORS_LEFT))?;
    let (user_name, project) = tag.value()?.split_once(' ')?;
    let (name, description) = (secret.name()?, secret.description().unwrap_or_default());
    user_names.matches(user_name).then(|| LeftMirrors {
        project: project.to_owned(),
        problem: format!(
            "{description}. Its login is deleted, so its pushes fail. Remove it in the project's Settings, Repository, \
             Mirroring repositories. Then end this finding: aws secretsmanager delete-secret --secret-id {name} \
             --force-delete-without-recovery"
        ),
    })
}
