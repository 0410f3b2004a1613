//! The tombstone that a Delete leaves for a Create that is delivered after it.
//!
//! CloudFormation may cancel a Create, and Lambda may deliver it after its own Delete. Such a
//! Create must create nothing, but the child stack that would show the Delete no longer exists.
//!
//! So a Delete creates a secret without a value, and immediately schedules its deletion. Only one
//! secret can have the name, it costs nothing, and Secrets Manager deletes it after seven days.
//! Secrets Manager may show it late. The decisive read happens after the stack is complete, which
//! takes longer. `docs/decisions/2026-11-21-tombstone-of-pipelines.md` weighs the alternatives.

use std::cmp::Ordering;

use aws_sdk_secretsmanager::types::Tag;

use super::names::ResourceNames;
use super::request_token::RequestKey;
use crate::aws::{Aws, CallError};
use crate::ownership::Owner;
use crate::reconcile::backoff::Backoff;

/// The secret's tag with the text of [`PipelineTombstone::to_text`].
const DELETION: &str = "cfn-gitops:deletion";

/// The shortest recovery window of Secrets Manager.
const DAYS: i64 = 7;

/// The record of a Delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineTombstone {
    /// When CloudFormation signed the Delete, in seconds since 1970.
    pub signed: u64,
    /// The hash of the request that created the stack. `None` if the Delete found no stack.
    pub made_by: Option<String>,
}

impl PipelineTombstone {
    /// Whether `request` came before the Delete. Within the same second it did in two cases: it
    /// created the deleted stack, or no stack existed.
    fn supersedes(&self, request: &RequestKey) -> bool {
        match self.signed.cmp(&request.signed) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => {
                let made_by = self.made_by.as_ref();
                made_by.is_none_or(|made_by| *made_by == request.hash)
            }
        }
    }

    pub(super) fn to_text(&self) -> String {
        match &self.made_by {
            Some(made_by) => format!("{} {made_by}", self.signed),
            None => self.signed.to_string(),
        }
    }

    /// Parses the text of [`PipelineTombstone::to_text`]. An invalid text counts as time 0, so it
    /// supersedes no request.
    pub(super) fn from_text(text: &str) -> Self {
        let (signed, made_by) = match text.split_once(' ') {
            Some((signed, made_by)) => (signed, Some(made_by.to_owned())),
            None => (text, None),
        };
        PipelineTombstone {
            signed: signed.parse().unwrap_or(0),
            made_by,
        }
    }
}

/// Writes `tombstone`, unless a later Delete has written its own.
pub async fn write(
    aws: &Aws,
    names: &ResourceNames,
    owner: &Owner,
    tombstone: &PipelineTombstone,
) -> Result<(), CallError> {
    let name = &secret_name(names, owner);
    let mut found = look_up(aws, names, owner).await?;
    if found.is_none() && !create(aws, names, name, tombstone).await? {
        // A peer, or another Delete, wrote it first.
        found = look_up(aws, names, owner).await?;
    }
    match found {
        Some((there, true)) if there.signed >= tombstone.signed => return Ok(()),
        Some((there, is_scheduled)) if there.signed < tombstone.signed => {
            change(aws, names, name, tombstone, is_scheduled).await?;
        }
        _ => {}
    }
    schedule(aws, names, name).await
}

/// Creates the secret. `false` if it exists.
async fn create(
    aws: &Aws,
    names: &ResourceNames,
    name: &str,
    tombstone: &PipelineTombstone,
) -> Result<bool, CallError> {
    let call = aws
        .secrets
        .create_secret()
        .name(name)
        .description("A deletion that late requests of Custom::GitOpsPipeline must not undo")
        .tags(tag(tombstone));
    match call.send().await {
        Ok(_) => Ok(true),
        Err(error)
            if error.as_service_error().is_some_and(|error| {
                error.is_resource_exists_exception() || error.is_invalid_request_exception()
            }) =>
        {
            Ok(false)
        }
        Err(error) => Err(CallError::new(doing(names), &error)),
    }
}

/// Replaces the time of an earlier Delete. Secrets Manager rejects tags on a secret that is
/// scheduled for deletion, so the function restores it first.
async fn change(
    aws: &Aws,
    names: &ResourceNames,
    name: &str,
    tombstone: &PipelineTombstone,
    is_scheduled: bool,
) -> Result<(), CallError> {
    if is_scheduled {
        let call = aws.secrets.restore_secret().secret_id(name);
        call.send()
            .await
            .map_err(|error| CallError::new(doing(names), &error))?;
    }
    let call = aws
        .secrets
        .tag_resource()
        .secret_id(name)
        .tags(tag(tombstone));
    call.send()
        .await
        .map(drop)
        .map_err(|error| CallError::new(doing(names), &error))
}

async fn schedule(aws: &Aws, names: &ResourceNames, name: &str) -> Result<(), CallError> {
    let call = aws
        .secrets
        .delete_secret()
        .secret_id(name)
        .recovery_window_in_days(DAYS);
    match call.send().await {
        Ok(_) => Ok(()),
        // Another delivery of this request has scheduled it.
        Err(error)
            if error.as_service_error().is_some_and(|error| {
                error.is_invalid_request_exception() || error.is_resource_not_found_exception()
            }) =>
        {
            Ok(())
        }
        Err(error) => Err(CallError::new(doing(names), &error)),
    }
}

/// Whether a Delete that came after `request` left a tombstone. Retries until Secrets Manager
/// responds. If the request failed here, the stack that it created would stay, because the Delete
/// has already ended.
pub async fn supersedes(
    aws: &Aws,
    names: &ResourceNames,
    owner: &Owner,
    request: &RequestKey,
) -> Result<bool, CallError> {
    let mut backoff = Backoff::<()>::new();
    loop {
        match look_up(aws, names, owner).await {
            Ok(found) => return Ok(found.is_some_and(|(found, _)| found.supersedes(request))),
            Err(error) if error.is_transient() => backoff.retry_until_answered(error).await?,
            // A function without the permission to read tombstones could not write one either.
            Err(error) => {
                tracing::error!(%error, "tombstone not looked up");
                return Ok(false);
            }
        }
    }
}

/// The tombstone, and whether the secret is scheduled for deletion. `None` if it does not exist.
async fn look_up(
    aws: &Aws,
    names: &ResourceNames,
    owner: &Owner,
) -> Result<Option<(PipelineTombstone, bool)>, CallError> {
    let name = secret_name(names, owner);
    let call = aws.secrets.describe_secret().secret_id(&name);
    match call.send().await {
        Ok(output) => {
            let tags = output.tags.unwrap_or_default();
            let tag = tags.iter().find(|tag| tag.key() == Some(DELETION));
            let tombstone =
                PipelineTombstone::from_text(tag.and_then(Tag::value).unwrap_or_default());
            Ok(Some((tombstone, output.deleted_date.is_some())))
        }
        Err(error) => {
            let is_absent = error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception());
            let error = CallError::new(doing(names), &error);
            if is_absent { Ok(None) } else { Err(error) }
        }
    }
}

fn doing(names: &ResourceNames) -> String {
    format!("marking the deletion of {}", names.stack())
}

fn secret_name(names: &ResourceNames, owner: &Owner) -> String {
    let (env, project) = (&names.env_id, &names.project_id);
    format!("cfn-gitops-{env}/deletions/{project}-{}", owner.key())
}

fn tag(tombstone: &PipelineTombstone) -> Tag {
    Tag::builder()
        .key(DELETION)
        .value(tombstone.to_text())
        .build()
}

#[cfg(test)]
mod tests;
