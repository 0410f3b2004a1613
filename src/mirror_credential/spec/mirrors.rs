//! The properties `GitLab` and `Mirrors`.

use std::collections::BTreeSet;

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

use crate::clients::codecommit::REPOSITORY_NAME;
use crate::clients::gitlab::property::{MEMBERS, PROJECT};
use crate::clients::gitlab::{Access, Settings};
use crate::common::branch_names::BRANCH_NAME;
use cfn_custom_resource::{Format, Kind, Object, Pattern, Property, ValidationErrors};

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

static MIRROR: [Property; 7] = [
    Property::required("GitLabProject", Kind::Text(&PROJECT))
        .doc(
            "The project in GitLab, by its number or its full path. The mirror stays in the project \
             whose number GitLab showed when it was created, even if [another project takes the \
             path](../concepts/mirrors.md#a-project-is-known-by-its-number). `Mirrors` has at most 50 \
             entries, and requires `GitLab`.",
        ),
    Property::required("RepositoryName", Kind::Text(&REPOSITORY_NAME))
        .doc("The CodeCommit repository to which GitLab pushes."),
    // With `BranchRegex`, the default is false.
    Property::new("OnlyProtectedBranches", Kind::Boolean)
        .or("true")
        .doc(
            "If true, GitLab pushes only branches that the [project itself \
             protects](../concepts/mirrors.md#branches), and tags. Must be false, or left out, \
             with `BranchRegex`.",
        ),
    Property::new("BranchRegex", Kind::Text(&REGEX)).doc(
        "A regular expression (RE2) that selects the branches to push. One existing branch must \
         match. Documented for GitLab Premium. With `RequiredBranches` it must also be valid \
         for Rust's `regex-lite`, which checks them: no `\\p{…}`.",
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

// GitLab's limit of `mirror_branch_regex`.
static REGEX: Format = Format::new(
    Pattern::new("^[\\s\\S]").up_to(255),
    "must be a regular expression of at most 255 characters",
);

/// The maximum size of a compiled `BranchRegex` in bytes. Matching a larger one against a branch
/// could take a second, and would block the function during that time.
const MAX_REGEX_BYTES: usize = 64 * 1024;

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
        let Some(mirror) = decode_mirror(object, errors) else {
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

fn decode_mirror(mirror: &Object, errors: &mut ValidationErrors) -> Option<WantedMirror> {
    let branch_regex = mirror.text("BranchRegex");
    let only_protected_branches = if mirror.is_set("OnlyProtectedBranches") {
        mirror.boolean("OnlyProtectedBranches")
    } else {
        branch_regex.is_none()
    };
    if only_protected_branches && branch_regex.is_some() {
        errors.add(
            mirror.path_of("BranchRegex"),
            "must not be set with OnlyProtectedBranches: true; GitLab accepts one of them",
        );
    }
    let required_branches = decode_branches(mirror, branch_regex.as_deref(), errors);
    Some(WantedMirror {
        project: mirror.text("GitLabProject")?,
        repository_name: mirror.text("RepositoryName")?,
        settings: Settings {
            only_protected_branches,
            branch_regex,
            keep_divergent_refs: mirror.boolean("KeepDivergentRefs"),
        },
        required_branches,
        waits_for_sync: mirror.boolean("WaitForSync"),
    })
}

/// Reads `RequiredBranches`. The mirror's regular expression must match each of them.
fn decode_branches(
    mirror: &Object,
    branch_regex: Option<&str>,
    errors: &mut ValidationErrors,
) -> Vec<String> {
    let compile = |regex| RegexBuilder::new(regex).size_limit(MAX_REGEX_BYTES).build();
    let compiled: Option<Result<Regex, _>> = branch_regex.map(compile);
    let mut branches = Vec::new();
    for (path, branch) in mirror.texts("RequiredBranches") {
        match &compiled {
            Some(Ok(regex)) if !regex.is_match(&branch) => {
                errors.add(path, "would not be mirrored: BranchRegex does not match it");
            }
            Some(Err(_)) => {
                let what = "cannot be checked: this function cannot evaluate BranchRegex";
                errors.add(path, what);
            }
            _ if branches.contains(&branch) => {}
            _ => branches.push(branch),
        }
    }
    branches
}

#[cfg(test)]
#[path = "mirrors_tests.rs"]
mod tests;
