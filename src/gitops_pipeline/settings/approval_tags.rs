//! The tags with which a person approves or rejects a change set in GitLab, and who can create
//! them.

use serde_json::Value;

use crate::clients::gitlab::{
    Admitted, GitLab, GitLabError, ProjectDetails, ProjectRef, ProtectedTag,
};
use crate::gitops_pipeline::names::ResourceNames;
use cfn_custom_resource::Reason;

/// The number of hexadecimal digits of a key.
const KEY_DIGITS: usize = 16;

/// The highest number of the tags of a request.
pub const MAX_NUMBER: u32 = 999;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The execution of the change set.
    Deploy,
    /// The end of the execution.
    Reject,
}

/// A tag: `deploy/<EnvID>/<ProjectID>/<key>`, or `reject/…`. The next ones of the same request end
/// in `-2`, `-3` and so on: git rejects a name below the name of another tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalTag {
    pub decision: Decision,
    pub names: ResourceNames,
    pub key: String,
    /// From 1 to [`MAX_NUMBER`].
    pub number: u32,
}

/// Why others than Maintainers may create the tags, or why a tag proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason().problem)]
pub enum Exposure {
    /// The answers are about another project.
    OtherProject,
    /// All who can push to the upstream create tags as the user of the mirror.
    PullMirror,
    /// They show the authors of a change.
    NoMergeRequests,
    /// It acts as its owner.
    PushingDeployKey,
    /// A job runs code of Developers, even if a Maintainer started it.
    PushingJobs,
    /// Developers create such tags. With the beginning of their names.
    Unprotected(String, Decision),
    /// GitLab joins overlapping rules by "any" (`app/models/concerns/protected_ref.rb`).
    Admits(String, Admitted, Decision),
}

impl Exposure {
    /// The reason that reports it.
    pub fn reason(&self) -> Reason {
        let (problem, remedy) = match self {
            Exposure::OtherProject => (
                "GitLab shows another project than the pipeline's",
                "Set GitLab.Project to the number of the project",
            ),
            Exposure::PullMirror => (
                "the project is a pull mirror, so others can create its tags",
                "Reject requests that wait in AWS, then end the mirroring",
            ),
            Exposure::NoMergeRequests => (
                "merge requests are switched off in the project, so GitLab does not show who wrote and merged a change",
                "Reject requests that wait in AWS, then switch merge requests on in Settings, General, Visibility, \
                 project features, permissions",
            ),
            Exposure::PushingDeployKey => (
                "a deploy key of the project has write access, and acts as its owner",
                "Reject requests that wait in AWS, then remove its write access",
            ),
            Exposure::PushingJobs => (
                "the project allows CI jobs to push, and they act as the users who started them",
                "Reject requests that wait in AWS, then switch off \"Allow Git push requests to the repository\" in \
                 Settings > CI/CD > Job token permissions",
            ),
            Exposure::Unprotected(tags, decision) => (
                &*format!("no protected tag matches {tags} in the project"),
                &*format!("Protect `{}/*` for Maintainers", decision.name()),
            ),
            Exposure::Admits(pattern, whom, decision) => {
                let tags = format!("{}/…", decision.name());
                (
                    &*format!("the protected tag {pattern:?} matches {tags} and admits {whom}"),
                    &*format!(
                        "Remove that entry, or replace the rule by one that does not match `{tags}`"
                    ),
                )
            }
        };
        Reason::uncoded(problem, remedy.to_owned())
    }
}

impl ApprovalTag {
    pub fn parse(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.split('/').collect();
        let [decision, env_id, project_id, end] = parts[..] else {
            return None;
        };
        let (key, number) = match end.split_once('-') {
            Some((key, number)) => (key, parse_number(number)?),
            None => (end, 1),
        };
        let decision = match decision {
            "deploy" => Decision::Deploy,
            "reject" => Decision::Reject,
            _ => return None,
        };
        let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        let is_key = key.len() == KEY_DIGITS && key.chars().all(is_digit);
        is_key.then_some(ApprovalTag {
            decision,
            names: ResourceNames::new(env_id, project_id)?,
            key: key.to_owned(),
            number,
        })
    }

    /// Parses the `detail` of CodeCommit's event. `None` if it is not about a tag, or the tag has
    /// another name. Anyone with a mirror's password can cause the event, so nothing else of it is
    /// read.
    pub fn parse_event(detail: &Value) -> Option<Self> {
        let is_of_tag = detail["referenceType"] == "tag";
        ApprovalTag::parse(detail["referenceName"].as_str()?).filter(|_| is_of_tag)
    }

    pub fn name(&self) -> String {
        let ResourceNames { env_id, project_id } = &self.names;
        let (decision, key) = (self.decision.name(), &self.key);
        let end = match self.number {
            1 => String::new(),
            number => format!("-{number}"),
        };
        format!("{decision}/{env_id}/{project_id}/{key}{end}")
    }
}

/// The number of a tag that is not the first one. `None` if the function does not write it so.
fn parse_number(text: &str) -> Option<u32> {
    let number = text.parse().ok()?;
    let is_written = (2..=MAX_NUMBER).contains(&number) && text == number.to_string();
    is_written.then_some(number)
}

impl Decision {
    /// The beginning of the tags.
    fn name(self) -> &'static str {
        match self {
            Decision::Deploy => "deploy",
            Decision::Reject => "reject",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagProtection {
    pub project: ProjectDetails,
    pub rules: Vec<ProtectedTag>,
    pub has_pushing_deploy_key: bool,
}

impl TagProtection {
    /// Reads it. The token's user needs to be a Maintainer.
    pub async fn read(gitlab: &GitLab, project: ProjectRef<'_>) -> Result<Self, GitLabError> {
        Ok(TagProtection {
            project: gitlab.project(project).await?,
            rules: gitlab.protected_tags(project).await?,
            has_pushing_deploy_key: gitlab.has_pushing_deploy_key(project).await?,
        })
    }

    /// Checks that only Maintainers can create `tag`.
    ///
    /// # Errors
    /// Why others may.
    pub fn check(&self, tag: &ApprovalTag) -> Result<(), Exposure> {
        if self.project.is_pull_mirror {
            return Err(Exposure::PullMirror);
        }
        if !self.project.has_merge_requests() {
            return Err(Exposure::NoMergeRequests);
        }
        if self.has_pushing_deploy_key {
            return Err(Exposure::PushingDeployKey);
        }
        if self.project.allows_pushes_of_jobs {
            return Err(Exposure::PushingJobs);
        }
        let (name, decision) = (tag.name(), tag.decision);
        let matching = || self.rules.iter().filter(|rule| rule.matches(&name));
        if matching().next().is_none() {
            let tags = name.trim_end_matches(|c| c != '/');
            return Err(Exposure::Unprotected(format!("{tags}…"), decision));
        }
        match matching().find_map(|rule| Some((rule.pattern.clone(), rule.also_admits?))) {
            Some((pattern, whom)) => Err(Exposure::Admits(pattern, whom, decision)),
            None => Ok(()),
        }
    }

    /// Checks that it is about the project with this `number`, and that only Maintainers can create
    /// the tags of the pipeline of `names`.
    ///
    /// # Errors
    /// Why others may.
    pub fn check_all(&self, names: &ResourceNames, number: u64) -> Result<(), Exposure> {
        if self.project.id != number {
            return Err(Exposure::OtherProject);
        }
        for decision in [Decision::Deploy, Decision::Reject] {
            let (names, key) = (names.clone(), "0".repeat(KEY_DIGITS));
            self.check(&ApprovalTag {
                decision,
                names,
                key,
                number: 1,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "approval_tags_tests.rs"]
mod tests;
