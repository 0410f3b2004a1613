//! CodeBuild's events.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::{Deserialize, Serialize};

use crate::gitops_pipeline::names::ResourceNames;

/// A change of a review branch's build. The event's state is not read, because a later event may
/// have been delivered before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildEvent {
    pub names: ResourceNames,
    /// The ID of the build: `<project>:<UUID>`.
    pub build_id: String,
}

/// <https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html#sample-build-notifications-ref>
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
struct BuildDetail {
    project_name: String,
    build_id: String,
}

impl BuildEvent {
    /// Reads the event. `None` if it is another event, or if the project's name is not one that
    /// cfn-gitops gives to a project for review branches.
    pub fn parse(event: &str) -> Option<Self> {
        let event: EventBridgeEvent<BuildDetail> = serde_json::from_str(event).ok()?;
        let is_change =
            event.source == "aws.codebuild" && event.detail_type == "CodeBuild Build State Change";
        let names = ResourceNames::from_review_project(&event.detail.project_name)?;
        let (_, build_id) = event.detail.build_id.split_once(":build/")?;
        let is_of_project = build_id.split(':').next() == Some(&event.detail.project_name);
        (is_change && is_of_project).then(|| BuildEvent {
            names,
            build_id: build_id.to_owned(),
        })
    }
}
