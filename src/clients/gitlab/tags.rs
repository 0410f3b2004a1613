//! Tags, and who may create them.
//!
//! Source: <https://docs.gitlab.com/api/tags/>, <https://docs.gitlab.com/api/protected_tags/>,
//! <https://docs.gitlab.com/api/deploy_keys/>.

use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::branches::{Tip, ref_matches};
use super::error::{MAINTAINER, Result};
use super::list::Reading;
use super::project_ref::ProjectRef;
use super::transport::{Area, GitLab, query_value};

/// GitLab's message if a tag does not exist (`lib/api/tags.rb`).
const NO_TAG: &str = "404 Tag Not Found";

/// GitLab's messages if a tag has no release: `not_found!` in `lib/api/releases.rb`, and for a
/// record that is missing.
const NO_RELEASE: [&str; 2] = ["404 Not Found", "404 Not found"];

/// The members of an entry of a rule that are read. `user_id` and `group_id` admit single members,
/// whose own role decides.
const KNOWN_MEMBERS: [&str; 5] = [
    "id",
    "access_level",
    "access_level_description",
    "user_id",
    "group_id",
];

/// The access levels of entries beside Maintainers (`lib/gitlab/access.rb`).
const NO_ONE: u64 = 0;
const DEVELOPER: u64 = 30;
const OWNER: u64 = 50;
const ADMINISTRATOR: u64 = 60;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The ID of its object: of its commit, or of an annotation.
    pub target: String,
    pub commit: String,
}

#[derive(Deserialize)]
struct ShownTag {
    name: String,
    target: String,
    commit: Tip,
}

/// A rule about the tags that match a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedTag {
    /// A name, or a pattern with `*`.
    pub pattern: String,
    /// Whom it admits beside Maintainers. `None` if Maintainers alone.
    pub also_admits: Option<Admitted>,
}

/// Whom a rule admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    DeployKey,
    Developers,
    UnknownRole,
}

impl fmt::Display for Admitted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Admitted::DeployKey => "a deploy key",
            Admitted::Developers => "Developers",
            Admitted::UnknownRole => "a role that is unknown to cfn-gitops",
        })
    }
}

impl ProtectedTag {
    pub fn matches(&self, name: &str) -> bool {
        ref_matches(&self.pattern, name)
    }

    pub(crate) fn parse(rule: &Value) -> Option<Self> {
        let mut entries = rule["create_access_levels"].as_array()?.iter();
        Some(ProtectedTag {
            pattern: rule["name"].as_str()?.to_owned(),
            also_admits: entries.find_map(also_admitted),
        })
    }
}

/// Whom an entry of a rule admits beside Maintainers. The entry of a deploy key has the access
/// level 40, too (`app/models/concerns/protected_ref_deploy_key_access.rb`).
fn also_admitted(entry: &Value) -> Option<Admitted> {
    let members = entry.as_object().into_iter().flatten();
    let mut set = members.filter(|(_, value)| !value.is_null());
    let level = entry["access_level"].as_u64();
    let is_single = !entry["user_id"].is_null() || !entry["group_id"].is_null();
    if !entry["deploy_key_id"].is_null() {
        Some(Admitted::DeployKey)
    } else if set.any(|(name, _)| !KNOWN_MEMBERS.contains(&name.as_str())) {
        Some(Admitted::UnknownRole)
    } else if is_single || matches!(level, Some(NO_ONE | MAINTAINER | OWNER | ADMINISTRATOR)) {
        None
    } else if level == Some(DEVELOPER) {
        Some(Admitted::Developers)
    } else {
        Some(Admitted::UnknownRole)
    }
}

impl GitLab {
    /// The tag `name`. `None` if it does not exist.
    pub async fn tag(&self, project: ProjectRef<'_>, name: &str) -> Result<Option<Tag>> {
        let part = format!("/repository/tags/{}", query_value(name));
        let purpose = format!("looking up tag {name} of project {project}");
        let call = self.get(Area::Project(project), &part, &purpose);
        match call.find::<ShownTag>(&[NO_TAG]).await? {
            None => Ok(None),
            Some(shown) if shown.name == name => Ok(Some(Tag {
                target: shown.target,
                commit: shown.commit.id,
            })),
            Some(_) => Err(call.unexpected()),
        }
    }

    /// Whether the tag `name` belongs to a release. A CI job creates both at once, without a
    /// setting that allows jobs to push (`app/services/releases/create_service.rb`).
    pub async fn has_release(&self, project: ProjectRef<'_>, name: &str) -> Result<bool> {
        let part = format!("/releases/{}", query_value(name));
        let purpose = format!("looking up the release of tag {name} of project {project}");
        let call = self.get(Area::Project(project), &part, &purpose);
        let found = call.find::<IgnoredAny>(&NO_RELEASE).await?;
        Ok(found.is_some())
    }

    /// The rules about tags. The token's user needs to be a Maintainer.
    pub async fn protected_tags(&self, project: ProjectRef<'_>) -> Result<Vec<ProtectedTag>> {
        let purpose = format!("listing the protected tags of project {project}");
        let call = self.get(Area::Rules(project), "/protected_tags", &purpose);
        call.list(Reading::ALL, ProtectedTag::parse).await
    }

    /// Whether a deploy key of the project can push. It acts as its owner, whom GitLab does not
    /// show (`lib/gitlab/deploy_key_access.rb`).
    pub async fn has_pushing_deploy_key(&self, project: ProjectRef<'_>) -> Result<bool> {
        let purpose = format!("listing the deploy keys of project {project}");
        let call = self.get(Area::Rules(project), "/deploy_keys", &purpose);
        let may_push = |key: &Value| Some(key["can_push"] != false);
        Ok(call.list(Reading::ALL, may_push).await?.contains(&true))
    }
}
