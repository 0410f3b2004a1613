//! The events of EventBridge that the function handles. `tests/templates/test_events.py` compares
//! them with the rules of the templates.

use serde::Serialize;
use serde_json::Value;

/// The meaning of an event of EventBridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Reference,
    Execution,
    Build,
    HealthCheck,
}

/// The members by which events of a kind are recognized.
/// <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Origin {
    pub source: &'static str,
    /// Empty if the source alone distinguishes the events.
    pub detail_types: &'static [&'static str],
    /// The events, for the text of the error about an unknown one.
    #[serde(skip)]
    pub what: &'static str,
    #[serde(skip)]
    kind: Kind,
}

pub const ORIGINS: [Origin; 4] = [
    Origin {
        source: "aws.codecommit",
        detail_types: &[],
        what: "a CodeCommit branch's push",
        kind: Kind::Reference,
    },
    Origin {
        source: "aws.codepipeline",
        detail_types: &[
            "CodePipeline Pipeline Execution State Change",
            "CodePipeline Action Execution State Change",
        ],
        what: "a CodePipeline state change",
        kind: Kind::Execution,
    },
    Origin {
        source: "aws.codebuild",
        detail_types: &["CodeBuild Build State Change"],
        what: "a CodeBuild state change",
        kind: Kind::Build,
    },
    // A schedule sends this if its target has no input.
    Origin {
        source: "aws.events",
        detail_types: &["Scheduled Event"],
        what: "a schedule",
        kind: Kind::HealthCheck,
    },
];

impl Kind {
    /// The kind of an event of EventBridge. `None` if the function handles none of its origin.
    pub fn of(event: &Value) -> Option<Self> {
        let detail_type = event["detail-type"].as_str().unwrap_or_default();
        let is_of = |origin: &&Origin| {
            let types = origin.detail_types;
            event["source"] == origin.source && (types.is_empty() || types.contains(&detail_type))
        };
        ORIGINS.iter().find(is_of).map(|origin| origin.kind)
    }
}
