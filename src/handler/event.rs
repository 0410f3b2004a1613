//! The events that the function handles, each with its one parser.

use std::time::SystemTime;

use serde_json::Value;

use super::error::HandlerError;
use super::self_invocation;
use super::self_invocation::Position;
use crate::feedback::reporting::PipelineEvent;
use crate::feedback::review::BuildEvent;
use crate::gitops_pipeline::pushes::BranchPush;
use crate::gitops_pipeline::settings::approval_tags::ApprovalTag;
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
    /// A tag of CodeCommit that may approve or reject a change set.
    Tag(ApprovalTag),
    /// A state change of an execution of CodePipeline.
    Execution(PipelineEvent),
    /// A state change of CodeBuild's build of a review branch.
    Build(BuildEvent),
    /// A scheduled health check, or a diagnosis.
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
    /// Parses the event `text`, which was received at `now`. Members that nothing reads may be
    /// missing or have any type.
    ///
    /// # Errors
    /// If the event is of no known kind, or too large and not a request.
    pub fn parse(text: &'a str, now: SystemTime) -> Result<Self, HandlerError> {
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
        let rotation = RotationEvent::parse(&event).map(Event::Rotation);
        rotation
            .or_else(|| Event::of_eventbridge(&event))
            .or_else(|| HealthCheck::parse(&event).map(Event::HealthCheck))
            .ok_or_else(|| HandlerError::UnknownEvent(shown_origin(&event)))
    }

    /// Parses EventBridge's event of a service.
    /// <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>
    fn of_eventbridge(event: &Value) -> Option<Self> {
        let detail = &event["detail"];
        let detail_type = event["detail-type"].as_str().unwrap_or_default();
        match (event["source"].as_str()?, detail_type) {
            ("aws.codecommit", _) => BranchPush::parse(event)
                .map(Event::Push)
                .or_else(|| ApprovalTag::parse_event(detail).map(Event::Tag)),
            (
                "aws.codepipeline",
                "CodePipeline Pipeline Execution State Change"
                | "CodePipeline Action Execution State Change",
            ) => PipelineEvent::parse(detail).map(Event::Execution),
            ("aws.codebuild", "CodeBuild Build State Change") => {
                BuildEvent::parse(detail).map(Event::Build)
            }
            _ => None,
        }
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
