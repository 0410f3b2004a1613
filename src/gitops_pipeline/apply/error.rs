//! Why a Create or an Update ended early.

use crate::aws::CallError;
use crate::gitops_pipeline::messages;
use cfn_custom_resource::Reason;

/// Why a Create or an Update ended early.
pub enum ApplyError {
    /// The request is rejected, or another request is responsible.
    Refused(Reason),
    /// The operation on the stack failed. A stack that was not created is deleted, so that its name
    /// is free. A stack that was complete has its former content.
    StackFailed(Reason),
    /// A call failed. What exists stays: another delivery may have reported it.
    CallFailed(Reason),
    /// A Delete came after this request, so what this request created is deleted.
    Deleted,
}

impl From<CallError> for ApplyError {
    fn from(error: CallError) -> Self {
        ApplyError::CallFailed(messages::with_remedy(error).reason())
    }
}
