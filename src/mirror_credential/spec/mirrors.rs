//! The properties `GitLab` and `Mirrors`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::clients::codecommit::REPOSITORY_NAME;
use crate::clients::gitlab::project::property::{MEMBERS, PROJECT};
use crate::clients::gitlab::{Access, Settings};
use crate::common::branch_names::BRANCH_NAME;
use cfn_custom_resource::{Kind, Object, Property, ValidationErrors};

pub static GITLAB: Property = Property::new("GitLab", Kind::Object(&ACCESS));

/// `Mirrors`. One Lambda invocation can push and confirm 50 mirrors, but not many more.
pub static MIRRORS: Property = Property::new(
    "Mirrors",
    Kind::List {
        items: &Kind::Object(&MIRROR),
        max: Some((50, "must be at most 50")),
    },
);

static ACCESS: [Property; 4] = MEMBERS;

static MIRROR: [Property; 6] = [
    Property::required("GitLabProject", Kind::Text(&PROJECT))
        .doc(
            "The project in GitLab, by its number or its full path. The mirror stays in the project \
             whose number GitLab showed when it was created, even if [another project takes the \
             path](../concepts/mirrors.md#a-project-is-known-by-its-number). `Mirrors` has at most 50 \
             entries, and requires `GitLab`.",
        ),
    Property::required("RepositoryName", Kind::Text(&REPOSITORY_NAME))
        .doc("The CodeCommit repository to which GitLab pushes."),
    Property::new("OnlyProtectedBranches", Kind::Boolean)
        .or("true")
        .doc(
            "If true, GitLab pushes only branches that the [project itself \
             protects](../concepts/mirrors.md#branches), and tags. If false, it pushes every branch.",
        ),
    Property::new("KeepDivergentRefs", Kind::Boolean)
        .or("false")
        .doc(
            "If true, GitLab keeps branches of CodeCommit that have diverged, and deletes none. \
             If false, it overwrites them.",
        ),
    Property::new(
        "RequiredBranches",
        Kind::List {
            items: &Kind::Text(&BRANCH_NAME),
            max: None,
        },
    )
    .doc(
        "Branches that must be mirrored. The request fails, before anything changes, if one of \
         them would not be. In a project without commits, the default branch is accepted: \
         GitLab protects it with the first push.",
    ),
    Property::new("WaitForSync", Kind::Boolean).or("true").doc(
        "If true, the resource completes only after GitLab has pushed ([how long that \
         takes](../concepts/mirrors.md#times)). If false, the function requests a push and does \
         not wait.",
    ),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedMirror {
    /// Number or full path.
    pub project: String,
    pub repository_name: String,
    pub settings: Settings,
    /// Branches that must be among them.
    pub required_branches: Vec<String>,
    /// Whether the request succeeds only after GitLab has pushed.
    pub waits_for_sync: bool,
}

impl WantedMirror {
    /// The number of its project. `None` if the template has a path.
    pub fn number(&self) -> Option<u64> {
        self.project.parse().ok()
    }
}

/// The value of `GitLab`. The other properties may be invalid.
pub fn gitlab_in(properties: &Value) -> Option<Access> {
    static TABLE: [Property; 1] = [GITLAB];
    let only_gitlab = serde_json::json!({"GitLab": properties["GitLab"]});
    let mut errors = ValidationErrors::default();
    let properties = Object::decode(&TABLE, &only_gitlab, "", &mut errors);
    Access::decode(properties.object("GitLab")).filter(|_| errors.0.is_empty())
}

/// The valid entries of `Mirrors`. The other properties may be invalid.
pub fn mirrors_in(properties: &Value) -> Vec<WantedMirror> {
    static TABLE: [Property; 1] = [MIRRORS];
    let only_mirrors = serde_json::json!({"Mirrors": properties["Mirrors"]});
    let mut errors = ValidationErrors::default();
    let properties = Object::decode(&TABLE, &only_mirrors, "", &mut errors);
    decode_mirrors(&properties, &mut errors)
}

/// Reads `Mirrors`. A project and a repository must be a unique pair.
pub fn decode_mirrors(properties: &Object, errors: &mut ValidationErrors) -> Vec<WantedMirror> {
    let mut mirrors = Vec::new();
    let mut pairs = BTreeSet::new();
    for object in properties.objects("Mirrors") {
        let Some(mirror) = decode_mirror(object) else {
            continue;
        };
        if pairs.insert((mirror.project.clone(), mirror.repository_name.clone())) {
            mirrors.push(mirror);
        } else {
            errors.add(object.path(), "is given twice");
        }
    }
    mirrors
}

fn decode_mirror(mirror: &Object) -> Option<WantedMirror> {
    let mut required_branches = Vec::new();
    for branch in mirror.texts("RequiredBranches") {
        if !required_branches.contains(&branch) {
            required_branches.push(branch);
        }
    }
    Some(WantedMirror {
        project: mirror.text("GitLabProject")?,
        repository_name: mirror.text("RepositoryName")?,
        settings: Settings {
            only_protected_branches: mirror.boolean("OnlyProtectedBranches"),
            has_branch_regex: false,
            keep_divergent_refs: mirror.boolean("KeepDivergentRefs"),
        },
        required_branches,
        waits_for_sync: mirror.boolean("WaitForSync"),
    })
}

#[cfg(test)]
#[path = "mirrors_tests.rs"]
mod tests;
