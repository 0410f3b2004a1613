//! Handles CloudFormation's requests: finds the resource, and runs it within the invocation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use super::context::{Handler, Invocation};
use super::error::HandlerError;
use super::event::ReceivedRequest;
use super::outcome::EventOutcome;
use crate::clients::aws;
use crate::clients::failing_calls::FailingCalls;
use crate::common::logging::CallCounter;
use crate::common::reason_codes;
use crate::common::reason_codes::Code;
use crate::feedback::reporting::ReportedPipeline;
use crate::gitops_pipeline;
use crate::handler::self_invocation;
use crate::handler::self_invocation::Position;
use cfn_custom_resource::{
    Clock, Failure, Handled, Outcome, Progress, ProtocolCodes, Request, RequestType, Resource,
    SendError, handle_request,
};

impl Handler {
    pub(super) async fn handle_request(
        &self,
        received: ReceivedRequest<'_>,
        invocation: &Invocation,
        calls: &CallCounter,
    ) -> Result<EventOutcome, HandlerError> {
        let request = &received.request;
        let span = Span::current();
        span.record("request", &request.request_id);
        span.record("request_type", request.request_type.map(RequestType::name));
        span.record("resource_type", &request.resource_type);
        span.record("stack", &request.stack_id);
        span.record("logical_id", &request.logical_resource_id);
        let hop = received.position.hop;
        tracing::info!(id = request.physical_resource_id, hop, "request");
        let handled = match request.resource_type.as_str() {
            "Custom::MirrorCredential" => {
                let resource = Arc::clone(&self.mirror_credential);
                self.run(resource, received, invocation, calls).await
            }
            "Custom::GitOpsPipeline" => {
                let resource = Arc::new(ReportedPipeline {
                    clients: self.clients.clone(),
                    pipeline: Arc::clone(&self.gitops_pipeline),
                });
                self.run(resource, received, invocation, calls).await
            }
            _ => {
                let resource = Arc::new(UnknownType);
                self.run(resource, received, invocation, calls).await
            }
        };
        match handled {
            Handled::Continued => Ok(EventOutcome::Continued { hop: hop + 1 }),
            Handled::MaybeContinued => Err(HandlerError::MaybeContinued),
            // If Lambda delivers the event again, the response may be delivered.
            Handled::Responded {
                sent: Err(error @ SendError::Unreachable),
                ..
            } => Err(error.into()),
            // The response was delivered, or another delivery of the event could not deliver it.
            Handled::Responded { status, body, .. } => Ok(EventOutcome::Responded { status, body }),
        }
    }

    async fn run<R: Resource>(
        &self,
        resource: Arc<R>,
        received: ReceivedRequest<'_>,
        invocation: &Invocation,
        calls: &CallCounter,
    ) -> Handled {
        let function_arn = &invocation.function_arn;
        let put = |url, body| self.response_clients.http.put(self.response_hosts, url, body);
        let failing = FailingCalls::continuing(&received.position.failing);
        let continue_later = |within| {
            let failing = failing.texts();
            self_invocation::continue_request(
                &self.response_clients.aws,
                function_arn,
                received.event,
                Position {
                    failing,
                    ..received.position.clone()
                },
                received.received_at,
                within,
            )
        };
        let resource = Arc::new(ScopedResource {
            resource,
            calls: calls.clone(),
            failing: failing.clone(),
            clock: self.clients.clock.clone(),
            is_continuation: received.position.hop > 0,
            function_arn: function_arn.clone(),
        });
        let deadline = self.deadline(invocation);
        handle_request(
            resource,
            received.request,
            deadline,
            &self.clients.clock,
            &self.worker,
            put,
            continue_later,
        )
        .await
    }
}

/// A resource whose work counts its AWS calls. The work runs in a task of its own, which does not
/// inherit the invocation's counter.
///
/// In the first minute of a Create or an Update its calls retry denials, while IAM propagates the
/// function's permissions. A Delete removes only resources that the function could create, and
/// retries none. The Delete of a rejected Create is the exception, because it may be the function's
/// first request as well.
struct ScopedResource<R> {
    resource: Arc<R>,
    calls: CallCounter,
    failing: FailingCalls,
    clock: Clock,
    /// An earlier invocation has worked on the request.
    is_continuation: bool,
    function_arn: String,
}

impl<R> ScopedResource<R> {
    /// How long the work on `request` retries denials.
    fn time_for_propagation(&self, request: &Request, progress: &Progress) -> Duration {
        let id = request.physical_resource_id.as_deref();
        let retries = match request.request_type {
            Some(RequestType::Create | RequestType::Update) => true,
            Some(RequestType::Delete) => id.is_some_and(gitops_pipeline::is_rejected),
            None => false,
        };
        if !retries {
            return Duration::ZERO;
        }
        aws::time_for_propagation(request.signed_at, self.clock.now(), progress.until())
    }
}

impl<R: Resource> Resource for ScopedResource<R> {
    const RESUMABLE: bool = R::RESUMABLE;
    const CODES: ProtocolCodes = reason_codes::PROTOCOL;

    fn physical_id(&self, request: &Request) -> String {
        self.resource.physical_id(request)
    }

    fn rejected_id(&self, request: &Request) -> String {
        self.resource.rejected_id(request)
    }

    fn failing(&self) -> Option<String> {
        self.failing.describe()
    }

    async fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> Result<Outcome, Failure> {
        if self.is_continuation {
            progress.changing();
        }
        if let Some(reason) = gitops_pipeline::names_another_function(&request, &self.function_arn)
        {
            return Err(Failure(reason));
        }
        let time = self.time_for_propagation(&request, &progress);
        let work = Arc::clone(&self.resource).handle(request, progress);
        let work = self.failing.note(aws::retrying_denials(time, work));
        self.calls.count(work).await
    }
}

/// A resource type that this function does not provide.
struct UnknownType;

impl Resource for UnknownType {
    fn physical_id(&self, request: &Request) -> String {
        match &request.physical_resource_id {
            Some(id) => id.clone(),
            None => "unknown-resource-type".to_owned(),
        }
    }

    async fn handle(self: Arc<Self>, request: Request, _: Progress) -> Result<Outcome, Failure> {
        if request.request_type == Some(RequestType::Delete) {
            // The Create was rejected and created nothing, so the Delete must not block the stack.
            return Ok(Outcome {
                physical_resource_id: self.physical_id(&request),
                attributes: BTreeMap::new(),
                note: None,
            });
        }
        let shown: String = request.resource_type.chars().take(128).collect();
        let problem = format!("ResourceType: {shown} is not provided by this function");
        let remedy = "Set it to Custom::MirrorCredential or Custom::GitOpsPipeline";
        Err(Failure::new(Code::WrongFunction, problem, remedy))
    }
}
