//! Whether CloudFormation sent a request that moves a user's login to another secret.
//!
//! The stack ID and the logical ID of a request do not prove its origin. Anyone who may invoke the
//! function can write them into an event. An attacker could forge an Update with another
//! `SecretName`, in the name of another stack. It would issue a second login of that stack's user,
//! in a secret that the attacker may read. CloudFormation itself shows whether the stack is working
//! on the resource.

use std::time::Duration;

use crate::clients::aws::{Aws, CallError};
use crate::clients::cloudformation;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::intent_log::Owner;
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::User;
use crate::mirror_credential::{messages, observe};
use cfn_custom_resource::Progress;

/// `DescribeStackResource` may lag behind the request. AWS states no limit.
const MAX_POLLS: u32 = 6;

const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Rejects a request that moves the login of `user` to another secret. It passes if CloudFormation
/// shows that the stack is creating or updating the resource now, and no later request has changed
/// the secret that holds the login. Otherwise a late copy of a Create or an Update would move the
/// login while CloudFormation updates the resource. Any other request needs no call.
pub async fn check_move(
    aws: &Aws,
    spec: &Spec,
    context: &RequestContext,
    user: &User,
    progress: &Progress,
) -> Result<(), ApplyError> {
    let owner = &context.owner;
    let held_for = user.secret_name.as_ref();
    let held_for = held_for.filter(|_| user.held_by() == Some(owner));
    let Some(held_for) = held_for.filter(|held_for| **held_for != spec.secret_name) else {
        return Ok(());
    };
    progress.doing("verifying that CloudFormation sent the request");
    let held = observe::read_secret(aws, held_for).await?;
    if held.is_some_and(|held| context.owns(&held) && context.is_outdated(&held)) {
        return Err(ApplyError::permanent(messages::later_request()));
    }
    for look in 0..MAX_POLLS {
        if look > 0 {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        if is_in_progress(aws, owner).await? {
            return Ok(());
        }
    }
    let reason = messages::not_in_progress(spec, held_for, owner);
    Err(ApplyError::permanent(reason))
}

async fn is_in_progress(aws: &Aws, owner: &Owner) -> Result<bool, CallError> {
    let shown = cloudformation::stack_resource(aws, owner).await?;
    // The physical ID is not compared. AWS does not document which one a stack shows while it
    // rolls back a replacement.
    Ok(shown.is_some_and(|shown| shown.is_in_progress()))
}
