//! Why a Create or an Update ended early.

use crate::clients::aws::CallError;
use crate::gitops_pipeline::messages;
use cfn_custom_resource::Reason;

pub enum ApplyError {
    /// The request is rejected, a later request supersedes it, or a call failed. Existing resources
    /// stay, because another delivery may have reported them.
    Failed(Reason),
    /// The operation on the stack failed. The function deletes a stack that it failed to create, so
    /// that the name is free. A stack that was complete has its former content.
    StackFailed(Reason),
    /// A Delete came after this request. The function deletes the resources that this request
    /// created.
    Deleted,
}

impl From<CallError> for ApplyError {
    fn from(error: CallError) -> Self {
        ApplyError::Failed(messages::with_remedy(error).reason())
    }
}
