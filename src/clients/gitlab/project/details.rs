//! The details of a project.
//!
//! Source: <https://docs.gitlab.com/api/projects/#retrieve-a-project>.

use serde_json::Value;

use crate::clients::gitlab::api::endpoints::REQUESTS;
use crate::clients::gitlab::api::error::Result;
use crate::clients::gitlab::api::project_parts::{PartAccess, ProjectPart};
use crate::clients::gitlab::api::project_ref::ProjectRef;
use crate::clients::gitlab::api::transport::{Area, GitLab};

/// The details that GitLab shows of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectDetails {
    /// Its number, which never passes to another project.
    pub id: u64,
    /// Whether no part that merge requests need is switched off.
    pub has_merge_requests: bool,
    /// Whether its repository has no commit.
    pub is_empty: bool,
    /// Its default branch, or the one that the first push creates. `None` if the user may not read
    /// the code (`lib/api/entities/basic_project_details.rb`).
    pub default_branch: Option<String>,
    pub visibility: Visibility,
    /// The size of its Git LFS objects in bytes. 0 if LFS is off, or if GitLab does not show it.
    pub lfs_objects_size: u64,
}

/// Who may see a project. <https://docs.gitlab.com/user/public_access/>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Its members.
    Private,
    /// All users of the instance, except external ones.
    Internal,
    Public,
    /// GitLab does not show it, or has a level that this version does not know.
    #[default]
    Unknown,
}

impl Visibility {
    fn parse(value: &Value) -> Self {
        match value.as_str() {
            Some("private") => Visibility::Private,
            Some("internal") => Visibility::Internal,
            Some("public") => Visibility::Public,
            _ => Visibility::Unknown,
        }
    }

    /// Why others than its members may see a project, as the end of a sentence about it. `None` if
    /// they cannot.
    pub fn beyond_members(self) -> Option<&'static str> {
        match self {
            Visibility::Private => None,
            Visibility::Internal => Some("is internal"),
            Visibility::Public => Some("is public"),
            Visibility::Unknown => Some("has a visibility that is unknown"),
        }
    }
}

impl GitLab {
    pub async fn project(&self, project: ProjectRef<'_>) -> Result<ProjectDetails> {
        // With the statistics, which a Reporter and above may read.
        let call = self.get(
            Area::Project(project),
            "",
            &format!("looking up project {project}"),
        );
        let call = call.query("statistics", "true");
        call.decode(&call.success().await?, ProjectDetails::parse)
    }
}

impl ProjectDetails {
    pub fn is_public(&self) -> bool {
        self.visibility == Visibility::Public
    }

    /// Whether only its members may see it. False if that is unknown.
    pub fn is_private(&self) -> bool {
        self.visibility == Visibility::Private
    }

    /// Parses GitLab's description. `None` if it has no number. Every other member has a default.
    pub fn parse(described: &Value) -> Option<Self> {
        let is_off = |part: &ProjectPart| part.access(described) == PartAccess::Off;
        Some(ProjectDetails {
            id: described["id"].as_u64()?,
            has_merge_requests: !REQUESTS.iter().any(is_off),
            is_empty: described["empty_repo"] == true,
            default_branch: described["default_branch"].as_str().map(ToOwned::to_owned),
            visibility: Visibility::parse(&described["visibility"]),
            lfs_objects_size: described["statistics"]["lfs_objects_size"]
                .as_u64()
                .filter(|_| described["lfs_enabled"] != false)
                .unwrap_or_default(),
        })
    }
}
