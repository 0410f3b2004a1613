//! CodeBuild's events.

use serde_json::Value;

use crate::gitops_pipeline::names::ResourceNames;

/// A change of a review branch's build. The event's state is not read, because a later event may
/// have been delivered before.
/// <https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html#sample-build-notifications-ref>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildEvent {
    pub names: ResourceNames,
    /// The ID of the build: `<project>:<UUID>`.
    pub build_id: String,
}

impl BuildEvent {
    /// Parses the event's `detail`. `None` if the project's name is not one that cfn-gitops gives
    /// to a project for review branches.
    pub fn parse(detail: &Value) -> Option<Self> {
        let project = detail["project-name"].as_str()?;
        let (_, build_id) = detail["build-id"].as_str()?.split_once(":build/")?;
        let names = ResourceNames::from_review_project(project)?;
        (build_id.split(':').next() == Some(project)).then(|| BuildEvent {
            names,
            build_id: build_id.to_owned(),
        })
    }
}
