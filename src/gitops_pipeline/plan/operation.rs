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
    /// The caller that started the latest operation on `child`. `started_content` is the content
    /// that this invocation started to apply. It counts if CloudFormation shows no token.
    pub fn of(child: &ChildStack, context: &RequestContext, started_content: Option<&str>) -> Self {
        match (child.latest_purpose(), started_content) {
            (Some((request, purpose)), _) if request == context.request => StartedBy::This(purpose),
            (Some((_, purpose)), _) => StartedBy::Earlier(purpose),
            (None, Some(started)) if child.latest_token.is_none() => {
                StartedBy::This(Purpose::Apply(started.to_owned()))
            }
            (None, _) => StartedBy::Other,
        }
    }

    /// Whether an earlier request started to create or update the stack.
    pub fn is_earlier_change(&self) -> bool {
        matches!(self, StartedBy::Earlier(purpose) if purpose.content().is_some())
    }
}
