//! Users, with their memberships, commits and merge requests.
//!
//! Source: <https://docs.gitlab.com/api/users/>, <https://docs.gitlab.com/api/project_members/>,
//! <https://docs.gitlab.com/api/commits/>.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use super::error::{ErrorKind, Result};
use super::list::{ListPart, Reading};
use super::members::{lenient, typed};
use super::merge_request::MergeRequest;
use super::sanitize;
use super::transport::{Area, GitLab};

/// The most commits of a range.
pub const MAX_COMMITS: usize = 100;

/// The most merge requests of a commit. Each has its whole description, as each commit has its
/// message.
const MAX_MERGES: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitLabUser {
    /// GitLab's number.
    pub id: u64,
    /// The name that others see, without characters that GitLab does not allow in it.
    pub username: String,
    /// Whether it is an active person, as far as GitLab shows that. `bot` is also false for ghosts
    /// and placeholders (`app/models/concerns/has_user_type.rb`), which are not members.
    pub is_active_person: bool,
    /// The public address. Empty if there is none.
    pub public_email: String,
}

/// A commit, and the addresses of its author and its committer. They are free text: a forged
/// address excludes a person, and admits none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Commit {
    pub id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub author_email: String,
    #[serde(default, deserialize_with = "lenient")]
    pub committer_email: String,
}

/// A merge request of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedMerge {
    /// Its author, and who merged it.
    pub people: Vec<u64>,
    /// Its source branch in this project, if it was merged: a squash or a rebase replaces the
    /// commits that were pushed to it. An open request may have any branch, and one of a fork a
    /// branch of the same name.
    pub source: Option<String>,
    /// When it was merged. `None` if it was not, or if GitLab does not show it.
    pub merged: Option<SystemTime>,
}

impl GitLabUser {
    /// Whether a commit has an address of this user: the public one, or the private one, which
    /// begins with the user's number (`lib/gitlab/private_commit_email.rb`).
    pub fn has_email_of(&self, commit: &Commit) -> bool {
        let is_public = |email: &str| {
            !self.public_email.is_empty() && email.eq_ignore_ascii_case(&self.public_email)
        };
        let id = self.id.to_string();
        let is_private = |email: &str| email.split(['-', '@']).next() == Some(id.as_str());
        let mut emails = [&commit.author_email, &commit.committer_email].into_iter();
        emails.any(|email| is_public(email) || is_private(email))
    }
}

impl GitLab {
    /// The user with this number.
    pub async fn user(&self, id: u64) -> Result<GitLabUser> {
        let purpose = format!("looking up user {id}");
        let call = self.get(Area::Instance, &format!("/users/{id}"), &purpose);
        let shown: Value = call.send().await?;
        if shown["id"] != id {
            return Err(call.unexpected());
        }
        let text = |member: &str| shown[member].as_str().unwrap_or_default();
        Ok(GitLabUser {
            id,
            username: sanitize::only(text("username"), "_.-"),
            is_active_person: shown["bot"] == false && shown["state"] == "active",
            public_email: text("public_email").to_owned(),
        })
    }

    /// The access level of an active member. Members of the project's groups count, too. `None` if
    /// the user is not a member.
    pub async fn member_level(&self, project: &str, user: u64) -> Result<Option<u64>> {
        let part = format!("/members/all/{user}");
        let purpose = format!("looking up member {user} of");
        let call = self.get(Area::Project(project), &part, &purpose);
        // `lib/api/members.rb` looks up the member among those that exist.
        let found: Option<Value> = call.find(&["404 Not found", "404 Not Found"]).await?;
        let member = found.filter(|it| it["id"] == user && it["state"] == "active");
        Ok(member.and_then(|member| member["access_level"].as_u64()))
    }

    /// The commits of `to` that `from` does not have. `None` if there are more than
    /// [`MAX_COMMITS`], or a message of a megabyte. If GitLab does not have `from`, the list may be
    /// empty.
    pub async fn commits_since(
        &self,
        project: &str,
        from: &str,
        to: &str,
    ) -> Result<Option<Vec<Commit>>> {
        let range = format!("{from}..{to}");
        let purpose = format!("listing the commits {range} of");
        let call = self.get(Area::Project(project), "/repository/commits", &purpose);
        let call = call.query("ref_name", &range);
        let listed = call.read(Reading::first(20, MAX_COMMITS + 1), typed).await;
        or_too_many(listed, MAX_COMMITS)
    }

    /// The merge requests that contain a commit, or created it. Closed ones are left out. `None` if
    /// GitLab shows more of them than is read: a description of a megabyte must not hide its
    /// author.
    pub async fn merges_of(
        &self,
        project: &str,
        commit: &str,
    ) -> Result<Option<Vec<RequestedMerge>>> {
        let mut call = self.merge_requests_of(project, commit);
        let url = &self.url;
        call.doing = format!("listing the merge requests of commit {commit} in {project} at {url}");
        let listed = call.read(Reading::first(4, MAX_MERGES + 1), typed).await;
        let merges = or_too_many(listed, MAX_MERGES)?.map(Vec::into_iter);
        Ok(merges.map(|merges| merges.filter_map(RequestedMerge::from).collect()))
    }
}

/// A list that is too large has too many elements, or too long ones.
fn or_too_many<T>(listed: Result<ListPart<T>>, limit: usize) -> Result<Option<Vec<T>>> {
    match listed {
        Err(error) if error.kind == ErrorKind::TooLarge => Ok(None),
        listed => Ok(listed?.at_most(limit)),
    }
}

impl RequestedMerge {
    /// `None` if it was closed.
    fn from(listed: MergeRequest) -> Option<Self> {
        let people = &listed.people;
        let people = [people.author, people.merge_user, people.merged_by];
        let is_source = !listed.is_from_fork() && listed.state != "opened";
        (listed.state != "closed").then(|| RequestedMerge {
            people: people.into_iter().flatten().collect(),
            source: listed.source_branch.filter(|_| is_source),
            merged: listed.merged_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn source_branch_counts_only_if_it_was_merged_in_the_project() {
        let source = |state: &str, project: u64| {
            let author = json!({"id": 7});
            let listed = json!({
                "iid": 3, "state": state, "source_branch": "development", "author": author,
                "source_project_id": project, "target_project_id": 15});
            let merge = typed(&listed).and_then(RequestedMerge::from);
            merge.map(|merge| (merge.people, merge.source))
        };
        let merged = Some("development".to_owned());
        assert_eq!(source("merged", 15), Some((vec![7], merged)));
        assert_eq!(source("merged", 16), Some((vec![7], None)));
        assert_eq!(source("opened", 15), Some((vec![7], None)));
        assert_eq!(source("closed", 15), None);
    }
}
