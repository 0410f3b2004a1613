//! CloudFormation: the statuses and resources of stacks, and the imports of exports.

mod stack_status;

use aws_sdk_cloudformation::types::ResourceStatus::{
    CreateComplete, CreateFailed, CreateInProgress, DeleteComplete, DeleteSkipped, ImportComplete,
    UpdateComplete, UpdateInProgress,
};
use aws_sdk_cloudformation::types::{ResourceStatus, StackEvent, StackResourceSummary};

pub use self::stack_status::StackStatus;
use crate::clients::aws::{Aws, CallError, optional, required};
use crate::common::ownership::Owner;

/// A resource of a stack, as CloudFormation shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackResource {
    pub logical_id: String,
    pub resource_type: String,
    /// `None` until the resource is created.
    pub physical_id: Option<String>,
    pub status: Option<ResourceStatus>,
    /// Its attribute `Metadata` in the template, as JSON text. `None` in a list.
    pub metadata: Option<String>,
}

impl StackResource {
    /// Whether the stack is creating or updating it now.
    pub fn is_in_progress(&self) -> bool {
        matches!(self.status, Some(CreateInProgress | UpdateInProgress))
    }

    /// Whether its latest operation succeeded, and none has begun since. With a status that this
    /// function does not know, it is not.
    pub fn is_complete(&self) -> bool {
        matches!(
            self.status,
            Some(CreateComplete | UpdateComplete | ImportComplete)
        )
    }

    /// Whether it has this physical ID.
    pub fn has_id(&self, physical_id: &str) -> bool {
        self.physical_id.as_deref() == Some(physical_id)
    }

    /// Whether it exists by the stack's record, and no operation changes it. With a status that
    /// this function does not know, it does: a missing resource is then reported.
    pub fn is_declared(&self) -> bool {
        !self.is_gone() && !self.status_ends_with("_IN_PROGRESS")
    }

    /// Whether its stack does not have it, or no longer. CloudFormation shows those of a deleted
    /// stack for 90 days.
    pub fn is_gone(&self) -> bool {
        matches!(
            self.status,
            Some(CreateFailed | DeleteComplete | DeleteSkipped)
        )
    }

    /// Whether it may have this physical ID: it has it, or an operation may be changing the ID.
    pub fn may_be(&self, physical_id: &str) -> bool {
        let id = self.physical_id.as_deref();
        !self.status_ends_with("_COMPLETE") || id.is_none_or(|id| id == physical_id)
    }

    fn status_ends_with(&self, suffix: &str) -> bool {
        self.status.as_ref().is_some_and(|status| status.as_str().ends_with(suffix))
    }

    /// Whether it is declared under this physical ID.
    pub fn is_declared_as(&self, physical_id: &str) -> bool {
        self.is_declared() && self.physical_id.as_deref().is_none_or(|id| id == physical_id)
    }
}

/// Whether the resource of the event has failed.
pub fn has_failed(event: &StackEvent) -> bool {
    let status = event.resource_status();
    status.is_some_and(|status| status.as_str().ends_with("_FAILED"))
}

/// Looks up the resource `owner`. `None` if the stack or the resource does not exist.
pub async fn stack_resource(aws: &Aws, owner: &Owner) -> Result<Option<StackResource>, CallError> {
    let (stack_id, logical_id) = (&owner.stack_id, &owner.logical_id);
    let call = aws.cloudformation.describe_stack_resource();
    let call = call.stack_name(stack_id).logical_resource_id(logical_id);
    let doing = || format!("looking up resource {logical_id} of stack {stack_id}");
    // CloudFormation has no other code for a stack or a resource that does not exist.
    let described = optional(call.send().await, &["ValidationError"], doing)?;
    let detail = described.and_then(|described| described.stack_resource_detail);
    Ok(detail.map(|detail| StackResource {
        logical_id: logical_id.clone(),
        resource_type: detail.resource_type.unwrap_or_default(),
        physical_id: detail.physical_resource_id,
        status: detail.resource_status,
        metadata: detail.metadata,
    }))
}

/// Whether the stack is in an operation that may send requests for its resources.
pub async fn is_in_operation(aws: &Aws, stack_id: &str) -> Result<bool, CallError> {
    has_status(aws, stack_id, StackStatus::is_in_progress).await
}

/// Whether the stack rolls an operation back, `continue-update-rollback` included. A nested stack
/// has a status of its own.
pub async fn is_rolling_back(aws: &Aws, stack_id: &str) -> Result<bool, CallError> {
    has_status(aws, stack_id, StackStatus::is_rolling_back).await
}

/// Whether the stack was deleted, within the 90 days in which `ListStacks` shows it.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html>
pub async fn is_deleted(aws: &Aws, stack_id: &str) -> Result<bool, CallError> {
    has_status(aws, stack_id, |status| {
        *status == StackStatus::DeleteComplete
    })
    .await
}

/// Whether the stack has a `wanted` status. `ListStacks` shows statuses, and no parameters and
/// outputs as `DescribeStacks` does.
async fn has_status(
    aws: &Aws,
    stack_id: &str,
    wanted: fn(&StackStatus) -> bool,
) -> Result<bool, CallError> {
    let wanted = StackStatus::all_that(wanted);
    let call = aws.cloudformation.list_stacks().set_stack_status_filter(Some(wanted));
    let mut stacks = call.into_paginator().items().send();
    while let Some(stack) = stacks.next().await {
        let stack = required(stack, || "listing the stacks by their status".to_owned())?;
        if stack.stack_id.as_deref() == Some(stack_id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The resources of a stack.
pub async fn stack_resources(aws: &Aws, stack_id: &str) -> Result<Vec<StackResource>, CallError> {
    let call = aws.cloudformation.list_stack_resources();
    let pages = call.stack_name(stack_id).into_paginator().items().send();
    let listed: Result<Vec<StackResourceSummary>, _> = pages.collect().await;
    let listed = required(listed, || {
        format!("listing the resources of stack {stack_id}")
    })?;
    let resources = listed.into_iter().map(|summary| StackResource {
        logical_id: summary.logical_resource_id.unwrap_or_default(),
        resource_type: summary.resource_type.unwrap_or_default(),
        physical_id: summary.physical_resource_id,
        status: summary.resource_status,
        metadata: None,
    });
    Ok(resources.collect())
}

/// The names of the stacks that import `export`. CloudFormation rejects the question if none does,
/// or if no stack exports it.
pub async fn importing_stacks(aws: &Aws, export: &str) -> Result<Vec<String>, CallError> {
    let call = aws.cloudformation.list_imports().export_name(export);
    let pages = call.into_paginator().items().send();
    let listed: Result<Vec<String>, _> = pages.collect().await;
    let doing = || format!("listing the imports of {export}");
    Ok(optional(listed, &["ValidationError"], doing)?.unwrap_or_default())
}
