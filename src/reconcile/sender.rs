//! Whether CloudFormation sent a request, as far as its stack shows.
//!
//! Nothing in an event proves its sender. Anyone who may invoke the function can write another
//! stack's ID and logical ID into one. `docs/project/decisions/2026-11-29-forged-requests.md` has
//! the cases that CloudFormation contradicts, and the reasons for the times.

use std::time::Duration;

use cfn_custom_resource::Request;
use tokio::time::{Instant, sleep};

use crate::clients::aws::{Aws, CallError, is_in_lambda, without_retrying_denials};
use crate::clients::cloudformation::{is_in_operation, is_rolling_back, stack_resource};
use crate::clients::failing_calls::within;
use crate::clients::http::is_loopback;
use crate::common::ownership::Owner;
use crate::common::reason_codes::Code;

/// How long CloudFormation may show the state before the operation that sent the request. AWS
/// states no limit. A user of the AWS CDK saw a stack's former status half a minute after its
/// operation began: <https://github.com/aws-powertools/powertools-lambda-typescript/issues/5537>.
pub const LATENESS: Duration = Duration::from_secs(60);

/// The interval between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// How long a look may delay the request.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a look for a rollback is tried that is throttled or late.
const LOOK_ATTEMPTS: u32 = 4;

/// The sender of a request, as CloudFormation shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The stack is creating or updating the resource.
    Shown,
    /// It does not show that.
    NotShown,
    /// Nothing contradicts the request, or nothing was looked up.
    Plausible,
    /// The resource is complete, and its stack is in no operation.
    Contradicted,
}

/// Whether a request belongs to the rollback of its stack. CloudFormation sends an Update with the
/// former properties, so only the stack's status shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rollback {
    #[default]
    Unknown,
    /// The first look did not show it. CloudFormation may show the status late.
    NotShown,
    /// The second look did not show it either.
    No,
    Yes,
}

impl Rollback {
    /// The result of the next look at the stack. The second one is after this `pause`. A look that
    /// is denied, or is throttled or late each time, shows no rollback.
    pub async fn look(self, aws: &Aws, owner: &Owner, pause: Duration) -> Self {
        let unseen = match self {
            Rollback::Unknown => Rollback::NotShown,
            Rollback::NotShown => {
                sleep(pause).await;
                Rollback::No
            }
            Rollback::No | Rollback::Yes => return self,
        };
        for attempt in 1..=LOOK_ATTEMPTS {
            let look = without_retrying_denials(is_rolling_back(aws, &owner.stack_id));
            match within(LOOK_TIMEOUT, Box::pin(look)).await {
                Ok(Ok(true)) => return Rollback::Yes,
                Ok(Ok(false)) => break,
                Ok(Err(error)) if error.is_denied() => break,
                Ok(Err(_)) | Err(_) if attempt < LOOK_ATTEMPTS => sleep(LOOK_INTERVAL).await,
                Ok(Err(_)) | Err(_) => {}
            }
        }
        unseen
    }
}

/// Whether `request` was sent by hand to a function on this machine, for which no stack has to
/// exist. In Lambda, no request counts as such.
pub fn is_local(request: &Request) -> bool {
    !is_in_lambda() && is_loopback(request.response_url.expose())
}

/// Looks whether CloudFormation shows that the stack is creating or updating `owner` now.
///
/// # Errors
/// If the resource cannot be looked up.
pub async fn look_for_proof(aws: &Aws, owner: &Owner) -> Result<Sender, CallError> {
    let until = Instant::now() + LATENESS;
    loop {
        // The physical ID is not compared. AWS does not document which one a stack shows while it
        // rolls back a replacement.
        let shown = stack_resource(aws, owner).await?;
        if shown.is_some_and(|shown| shown.is_in_progress()) {
            return Ok(Sender::Shown);
        }
        if Instant::now() >= until {
            return Ok(Sender::NotShown);
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// Whether CloudFormation contradicts a request for `owner`. A Delete would remove the resource
/// with the ID `deletes`. It is contradicted only if the stack has that ID now, because the Delete
/// of a replaced resource may arrive late.
pub async fn is_contradicted(aws: &Aws, owner: &Owner, deletes: Option<&str>) -> bool {
    let until = Instant::now() + LATENESS;
    while is_complete_now(aws, owner, deletes).await {
        if Instant::now() >= until {
            return true;
        }
        sleep(LOOK_INTERVAL).await;
    }
    false
}

/// One look. A read that is denied, throttled or late decides nothing. A genuine request costs the
/// first read alone: CloudFormation shows its resource in an operation.
async fn is_complete_now(aws: &Aws, owner: &Owner, deletes: Option<&str>) -> bool {
    let look = async {
        let resource = stack_resource(aws, owner).await.ok().flatten()?;
        let is_same = deletes.is_none_or(|id| resource.has_id(id));
        if !(is_same && resource.is_complete()) {
            return None;
        }
        is_in_operation(aws, &owner.stack_id).await.ok()
    };
    let look = within(LOOK_TIMEOUT, Box::pin(without_retrying_denials(look))).await;
    look.is_ok_and(|is_in_operation| is_in_operation == Some(false))
}

/// The rejection of a request that CloudFormation contradicts.
pub fn contradicted(owner: &Owner) -> CallError {
    let (stack_id, logical_id) = (&owner.stack_id, &owner.logical_id);
    let doing = "verifying that CloudFormation sent the request";
    let cause = format!(
        "it shows resource {logical_id} of stack {stack_id} as complete, and the stack in no operation"
    );
    let remedy = "Repeat the stack operation, if you started one";
    CallError::local(Code::MoveNotVerified, doing, cause).with_remedy(remedy)
}
