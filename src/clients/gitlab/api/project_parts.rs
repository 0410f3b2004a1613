//! The parts of a project that it can switch off, or restrict to members.

use std::fmt;

use serde_json::Value;

/// A part of a project that its settings can switch off, or restrict to members
/// (`app/models/project_feature.rb`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectPart {
    Repository,
    MergeRequests,
    CiCd,
    Environments,
}

/// Who may use a part of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartAccess {
    /// Those who may see the project, or GitLab does not show it: older versions lack some parts.
    Open,
    /// The members of the project (`private`).
    Members,
    /// No one (`disabled`).
    Off,
}

impl ProjectPart {
    /// The member of a project that shows who may use the part
    /// (<https://docs.gitlab.com/api/projects/#project-feature-visibility-level>).
    pub const fn member(self) -> &'static str {
        match self {
            ProjectPart::Repository => "repository_access_level",
            ProjectPart::MergeRequests => "merge_requests_access_level",
            ProjectPart::CiCd => "builds_access_level",
            ProjectPart::Environments => "environments_access_level",
        }
    }

    pub fn access(self, project: &Value) -> PartAccess {
        match project[self.member()].as_str() {
            Some("disabled") => PartAccess::Off,
            Some("private") => PartAccess::Members,
            _ => PartAccess::Open,
        }
    }
}

/// The subject of a sentence, and its verb.
impl fmt::Display for ProjectPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            ProjectPart::Repository => "The repository is",
            ProjectPart::MergeRequests => "Merge requests are",
            ProjectPart::CiCd => "CI/CD is",
            ProjectPart::Environments => "Environments are",
        })
    }
}
