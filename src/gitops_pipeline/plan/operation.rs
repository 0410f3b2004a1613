//! The request that started a stack's latest operation.

use crate::gitops_pipeline::intent_log::Purpose;
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::state::ChildStack;

/// The caller that started the latest operation, and its purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartedBy {
    This(Purpose),
    /// An earlier request of the same resource.
    Earlier(Purpose),
    /// A person, a first push, or an unknown caller.
    Other,
}

impl StartedBy {
    /// The caller that started the latest operation on `child`, by its token.
    pub fn of(child: &ChildStack, context: &RequestContext) -> Self {
        match child.latest_purpose() {
            Some((request, purpose)) if request == context.request => StartedBy::This(purpose),
            Some((_, purpose)) => StartedBy::Earlier(purpose),
            None => StartedBy::Other,
        }
    }

    /// Whether an earlier request started to create or update the stack.
    pub fn is_earlier_change(&self) -> bool {
        matches!(self, StartedBy::Earlier(purpose) if purpose.content().is_some())
    }
}
