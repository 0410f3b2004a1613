//! The trait that you implement for a custom resource type, and its result.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Failure, Progress, ProtocolCodes, Reason, Request};

/// The result of a request that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The resource's ID. On Update, another ID than the request's means a replacement:
    /// CloudFormation then sends a Delete for the old ID.
    pub physical_resource_id: String,
    /// The attributes for `Fn::GetAtt`.
    pub attributes: BTreeMap<&'static str, String>,
    /// A warning for the operator, sent as the success's `Reason`.
    pub note: Option<Reason>,
}

/// A custom resource type.
pub trait Resource: Send + Sync + 'static {
    /// Whether another invocation with the same request can continue work that the end of this one
    /// interrupts. If not, such a request fails.
    const RESUMABLE: bool = false;

    /// The codes of the failures that the protocol reports for this resource.
    const CODES: ProtocolCodes = ProtocolCodes::NONE;

    /// The physical ID of the resource that `request` creates or would create. It must be known in
    /// advance, equal for every delivery of the request, not empty, and of at most 1 KB.
    fn physical_id(&self, request: &Request) -> String;

    /// The physical ID of a Create that failed before it called [`Progress::changing`]. The
    /// conditions of [`Resource::physical_id`] apply. CloudFormation sends a Delete for this ID.
    fn rejected_id(&self, request: &Request) -> String {
        self.physical_id(request)
    }

    /// The obstacle to the work's end at present, such as a call that fails each time it is
    /// repeated. The reason of a request that runs out of time has it, after the current step.
    fn failing(&self) -> Option<String> {
        None
    }

    /// Executes `request`. Lambda can deliver every request twice, late, or while another delivery
    /// of it runs.
    fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> impl Future<Output = Result<Outcome, Failure>> + Send;
}
