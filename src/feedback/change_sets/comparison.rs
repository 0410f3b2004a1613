//! Compares by a change set: creates it, and reads it when CloudFormation has created it.

use super::calls::{NewChangeSet, abandon, create, describe};
use super::change_set::{ChangeSet, Creation};
use crate::clients::aws::{Aws, CallError};
use crate::common::stop::Stop;
use crate::reconcile::backoff::Backoff;

/// How often a change set that disappeared is created again: another invocation has deleted it, or
/// the pipeline has executed its own, which deletes all others.
const MAX_CREATIONS: u32 = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComparisonResult {
    /// The change set, whose creation has ended.
    Read(ChangeSet),
    /// CloudFormation rejected it.
    Rejected(CallError),
}

/// Creates the change set `new`, and reads it. If that fails, deletes it.
pub async fn compare(aws: &Aws, new: &NewChangeSet) -> Result<ComparisonResult, Stop<CallError>> {
    let compared = create_and_read(aws, new).await;
    if matches!(compared, Err(Stop::Failed(_))) {
        abandon(aws, &new.stack_name, &new.name).await;
    }
    compared
}

async fn create_and_read(
    aws: &Aws,
    new: &NewChangeSet,
) -> Result<ComparisonResult, Stop<CallError>> {
    let mut backoff = Backoff::<()>::new();
    for _ in 0..MAX_CREATIONS {
        match create(aws, new).await {
            Err(Stop::Failed(error)) if !error.is_transient() => {
                return Ok(ComparisonResult::Rejected(error));
            }
            created => created?,
        }
        while let Some(read) = describe(aws, &new.stack_name, &new.name).await? {
            if read.creation != Creation::Running {
                return Ok(ComparisonResult::Read(read));
            }
            backoff.pause().await;
        }
    }
    Err(Stop::nothing(
        "the change set was deleted each time before it was read",
    ))
}
