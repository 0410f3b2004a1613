//! Compares by a change set: creates it, and reads it when CloudFormation has created it.

use super::calls::{Created, NewChangeSet, abandon, create, describe};
use super::change_set::{ChangeSet, Creation};
use crate::clients::aws::{Aws, CallError};
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
    /// There is none, for this reason.
    Impossible(&'static str),
}

/// Creates the change set `new`, and reads it. If that fails, deletes it.
pub async fn compare(aws: &Aws, new: &NewChangeSet) -> Result<ComparisonResult, CallError> {
    let compared = create_and_read(aws, new).await;
    if compared.is_err() {
        abandon(aws, &new.stack_name, &new.name).await;
    }
    compared
}

async fn create_and_read(aws: &Aws, new: &NewChangeSet) -> Result<ComparisonResult, CallError> {
    let mut backoff = Backoff::<()>::new();
    for _ in 0..MAX_CREATIONS {
        match create(aws, new).await {
            Ok(Created::Yes) => {}
            Ok(Created::StackIsBusy) => {
                return Ok(ComparisonResult::Impossible(
                    "an operation on the stack runs",
                ));
            }
            Ok(Created::StackIsGone) => {
                return Ok(ComparisonResult::Impossible("the stack was deleted"));
            }
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => return Ok(ComparisonResult::Rejected(error)),
        }
        while let Some(read) = describe(aws, &new.stack_name, &new.name).await? {
            if read.creation != Creation::Running {
                return Ok(ComparisonResult::Read(read));
            }
            backoff.pause().await;
        }
    }
    let because = "the change set was deleted each time before it was read";
    Ok(ComparisonResult::Impossible(because))
}
