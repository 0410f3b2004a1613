//! Compares by a change set: creates it, reads it when CloudFormation has created it, and deletes it.

use super::calls::{NewChangeSet, abandon, create, delete, describe};
use super::change_set::{ChangeSet, Creation};
use crate::clients::aws::{Aws, CallError};
use crate::common::stop::Stop;
use crate::gitops_pipeline::early_validation::{Finding, read_for_change_set};
use crate::reconcile::backoff::Backoff;
use cfn_custom_resource::Progress;

/// How often a change set that disappeared is created again: another invocation has deleted it, or
/// the pipeline has executed its own, which deletes all others.
const MAX_CREATIONS: u32 = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComparisonResult {
    /// The change set, whose creation has ended. If that failed, with what validations and hooks
    /// found.
    Read(ChangeSet, Vec<Finding>),
    /// CloudFormation rejected it.
    Rejected(CallError),
}

/// Creates the change set `new` of a `subject` that the steps name, reads it and deletes it. If that
/// fails, deletes it when its creation has ended.
pub async fn compare(
    aws: &Aws,
    new: &NewChangeSet,
    subject: &str,
    progress: &Progress,
) -> Result<ComparisonResult, Stop<CallError>> {
    let compared = Box::pin(create_and_read(aws, new, subject, progress)).await;
    if matches!(compared, Err(Stop::Failed(_))) {
        abandon(aws, &new.stack_name, &new.name).await;
    }
    compared
}

async fn create_and_read(
    aws: &Aws,
    new: &NewChangeSet,
    subject: &str,
    progress: &Progress,
) -> Result<ComparisonResult, Stop<CallError>> {
    let (stack_name, name) = (&new.stack_name, &new.name);
    let mut backoff = Backoff::<()>::new();
    for _ in 0..MAX_CREATIONS {
        match create(aws, new).await {
            Err(Stop::Failed(error)) if !error.is_transient() => {
                return Ok(ComparisonResult::Rejected(error));
            }
            created => created?,
        }
        while let Some(read) = describe(aws, stack_name, name).await? {
            if read.creation == Creation::Running {
                backoff.pause().await;
                continue;
            }
            let mut found = vec![];
            // CloudFormation may delete them with the change set.
            if let Creation::Failed(_) = read.creation {
                progress.doing(format!(
                    "reading why the change set of {subject} is invalid"
                ));
                found = read_for_change_set(aws, stack_name, name).await?;
            }
            progress.doing(format!("deleting the change set of {subject}"));
            delete(aws, stack_name, name).await?;
            return Ok(ComparisonResult::Read(read, found));
        }
    }
    Err(Stop::nothing(
        "the change set was deleted each time before it was read",
    ))
}
