//! The tombstone that a Delete leaves for a Create that is delivered after it.
//!
//! CloudFormation may cancel a Create, and Lambda may deliver it after its own Delete. Such a
//! Create must create nothing, but the child stack that would show the Delete no longer exists.
//!
//! So a Delete creates a secret without a value, and immediately schedules its deletion. Only one
//! secret can have the name, it costs nothing, and Secrets Manager deletes it after seven days.
//! Secrets Manager may show it late. The decisive read happens after the stack is complete, which
//! takes longer. `docs/project/decisions/2026-11-20-child-stack.md` weighs the alternatives.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::types::Tag;

use super::request_token::RequestKey;
use crate::clients::aws::{Aws, CallError, optional, required};
use crate::common::ownership::Owner;
use crate::gitops_pipeline::names::ResourceNames;
use crate::reconcile::backoff::Backoff;

/// The secret's tag: when CloudFormation signed the Delete, in seconds since 1970.
const DELETION: &str = "cfn-gitops:deletion";

/// The shortest recovery window of Secrets Manager.
const DAYS: i64 = 7;

struct PipelineTombstone {
    /// When CloudFormation signed the Delete. An invalid text counts as 0, and supersedes nothing.
    signed: u64,
    is_scheduled: bool,
}

/// Writes the tombstone of the Delete `request`, unless a later Delete has written its own. Its
/// secret stays until [`schedule`] schedules its deletion. It has the resource's `tags`, because a
/// policy of the organization may deny to create a secret without them.
pub async fn write(
    aws: &Aws,
    names: &ResourceNames,
    owner: &Owner,
    request: &RequestKey,
    tags: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    let name = &secret_name(names, owner);
    let doing = || doing(names);
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let own = tag(DELETION, &request.signed.to_string());
    let tags = tags.iter().map(|(key, value)| tag(key, value));
    let call = aws
        .secrets
        .create_secret()
        .name(name)
        .description("A deletion that late requests of Custom::GitOpsPipeline must not undo")
        .set_tags(Some(tags.chain([own.clone()]).collect()));
    let exists = ["ResourceExistsException", "InvalidRequestException"];
    if optional(call.send().await, &exists, doing)?.is_some() {
        return Ok(());
    }
    // Another delivery, or another Delete, wrote it.
    let found = look_up(aws, names, owner).await?;
    let Some(found) = found.filter(|found| found.signed < request.signed) else {
        return Ok(());
    };
    // Secrets Manager rejects tags on a secret that is scheduled for deletion.
    if found.is_scheduled {
        let call = aws.secrets.restore_secret().secret_id(name);
        required(call.send().await, doing)?;
    }
    let call = aws.secrets.tag_resource().secret_id(name).tags(own);
    required(call.send().await, doing).map(drop)
}

/// Schedules the deletion of the tombstone's secret.
pub async fn schedule(aws: &Aws, names: &ResourceNames, owner: &Owner) -> Result<(), CallError> {
    let call = aws.secrets.delete_secret().secret_id(secret_name(names, owner));
    let call = call.recovery_window_in_days(DAYS);
    // Another delivery of this request has scheduled it.
    let scheduled = ["InvalidRequestException", "ResourceNotFoundException"];
    optional(call.send().await, &scheduled, || doing(names))?;
    Ok(())
}

/// Whether a Delete that came after `request` left a tombstone. In the same second, the Delete came
/// after it: a resource is not created again within a second. Retries until Secrets Manager
/// responds. If the request failed here, the stack that it created would stay, because the Delete
/// has already ended.
pub async fn supersedes(
    aws: &Aws,
    names: &ResourceNames,
    owner: &Owner,
    request: &RequestKey,
) -> bool {
    let mut backoff = Backoff::<()>::new();
    loop {
        match look_up(aws, names, owner).await {
            Ok(found) => return found.is_some_and(|found| found.signed >= request.signed),
            Err(error) if error.is_transient() => {
                warn!(error.reason(), "the tombstone is looked up again");
                backoff.pause().await;
            }
            // A function without the permission to read tombstones could not write one either.
            Err(error) => {
                error!(error.reason(), "the tombstone is not looked up");
                return false;
            }
        }
    }
}

/// The tombstone. `None` if it does not exist.
async fn look_up(
    aws: &Aws,
    names: &ResourceNames,
    owner: &Owner,
) -> Result<Option<PipelineTombstone>, CallError> {
    let call = aws.secrets.describe_secret().secret_id(secret_name(names, owner));
    let absent = ["ResourceNotFoundException"];
    let output = optional(call.send().await, &absent, || doing(names))?;
    Ok(output.map(|output| {
        let signed = output.tags().iter().find(|tag| tag.key() == Some(DELETION));
        let signed = signed.and_then(|tag| tag.value()?.parse().ok());
        PipelineTombstone {
            signed: signed.unwrap_or(0),
            is_scheduled: output.deleted_date.is_some(),
        }
    }))
}

fn doing(names: &ResourceNames) -> String {
    format!("marking the deletion of {}", names.stack())
}

fn secret_name(names: &ResourceNames, owner: &Owner) -> String {
    names.tombstones() + &owner.key()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tombstone_belongs_to_one_project_and_one_owner() {
        let names = ResourceNames::new("dev", "shop").expect("names");
        let owner = |stack_id: &str| Owner {
            stack_id: stack_id.to_owned(),
            logical_id: "Project".to_owned(),
        };
        let name = secret_name(&names, &owner("one"));
        assert!(name.starts_with("cfn-gitops-dev/deletions/shop-"));
        assert_ne!(name, secret_name(&names, &owner("another")));
        // Secrets Manager parses a hyphen and six characters at the end of a name as an ARN's
        // suffix.
        assert!(name.len() - name.rfind('-').expect("a hyphen") > 7);
    }
}
