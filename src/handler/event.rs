//! The events that the function handles, each with its one parser.

use std::time::SystemTime;

use serde_json::Value;

use super::error::HandlerError;
use super::origins::Kind;
use super::self_invocation;
use super::self_invocation::Position;
use crate::feedback::reporting::PipelineEvent;
use crate::feedback::review::BuildEvent;
use crate::gitops_pipeline::pushes::BranchPush;
use crate::health_check::HealthCheck;
use crate::mirror_credential::rotation::RotationEvent;
use cfn_custom_resource::{MAX_EVENT_BYTES, Request};

/// An event.
#[derive(Debug)]
pub enum Event<'a> {
    /// CloudFormation's request, which it has sent or another invocation continues.
    Request(Box<ReceivedRequest<'a>>),
    /// A step of Secrets Manager's rotation.
    Rotation(RotationEvent),
    /// A push of a branch of CodeCommit.
    Push(BranchPush),
    /// A state change of an execution of CodePipeline.
    Execution(PipelineEvent),
    /// A state change of CodeBuild's build of a review branch.
    Build(BuildEvent),
    /// A scheduled health check.
    HealthCheck(HealthCheck),
}

/// A custom resource's request, as this invocation received it.
#[derive(Debug)]
pub struct ReceivedRequest<'a> {
    /// The content of `event`.
    pub request: Request,
    /// The event as CloudFormation sent it.
    pub event: &'a str,
    /// How many invocations have worked on the request.
    pub position: Position,
    /// When the original invocation received it.
    pub received_at: SystemTime,
}

impl<'a> Event<'a> {
    /// Parses the event `text`, which the function `function_arn` received at `now`. Members that
    /// nothing reads may be missing or have any type.
    ///
    /// # Errors
    /// If the event is of no known kind, or too large and not a request, or a health check that the
    /// function rejects.
    pub fn parse(text: &'a str, function_arn: &str, now: SystemTime) -> Result<Self, HandlerError> {
        let (event, position) = self_invocation::parse(text);
        let received_at = position.received_at(now);
        if let Some(request) = Request::parse(event, received_at) {
            return Ok(Event::Request(Box::new(ReceivedRequest {
                request,
                event,
                position,
                received_at,
            })));
        }
        if event.len() > MAX_EVENT_BYTES {
            return Err(HandlerError::EventTooLarge(event.len()));
        }
        let event: Value = serde_json::from_str(event).unwrap_or_default();
        if let Some(rotation) = RotationEvent::parse(&event) {
            return Ok(Event::Rotation(rotation));
        }
        let requested = HealthCheck::is_requested_by(&event).then_some(Kind::HealthCheck);
        let detail = &event["detail"];
        let parsed = match Kind::of(&event).or(requested) {
            Some(Kind::Reference) => BranchPush::parse(&event).map(Event::Push),
            Some(Kind::Execution) => PipelineEvent::parse(detail).map(Event::Execution),
            Some(Kind::Build) => BuildEvent::parse(detail).map(Event::Build),
            Some(Kind::HealthCheck) => {
                let check = HealthCheck::parse(&event, function_arn)?;
                return Ok(Event::HealthCheck(check));
            }
            None => None,
        };
        parsed.ok_or_else(|| HandlerError::UnknownEvent(shown_origin(&event)))
    }
}

/// The source and the detail-type of an unknown event of AWS, for the text of the error. Empty for
/// another one, which may contain a secret.
fn shown_origin(event: &Value) -> String {
    let member = |name: &str| event[name].as_str().unwrap_or_default();
    let origin = format!("{}, {}", member("source"), member("detail-type"));
    let is_shown = |c: char| c.is_ascii_alphanumeric() || " .,_-/".contains(c);
    if origin.starts_with("aws.") && origin.len() <= 128 && origin.chars().all(is_shown) {
        format!(" ({origin})")
    } else {
        String::new()
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
