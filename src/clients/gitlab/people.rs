//! Users, with their memberships, commits and merge requests.
//!
//! Source: <https://docs.gitlab.com/api/users/>, <https://docs.gitlab.com/api/project_members/>,
//! <https://docs.gitlab.com/api/commits/>.

use std::time::SystemTime;

use serde_json::Value;

use super::call::Call;
use super::error::{ErrorKind, Result};
use super::list::{ListPart, Reading};
use super::members::typed;
use super::merge_request::MergeRequest;
use super::project_ref::ProjectRef;
use super::sanitize;
use super::transport::{Area, GitLab};

/// The most commits of a range.
pub const MAX_COMMITS: usize = 100;

/// The most merge requests of a commit. Each has its whole description, as each commit has its
/// message.
const MAX_MERGES: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitLabUser {
    pub id: u64,
    /// The name that others see, without characters that GitLab does not allow in it.
    pub username: String,
    /// Whether it is an active person, as far as GitLab shows that. `bot` is also false for ghosts
    /// and placeholders (`app/models/concerns/has_user_type.rb`), which are not members.
    pub is_active_person: bool,
    /// The public address. Empty if there is none.
    pub public_email: String,
}

/// The beginning of the line of a message that names a co-author. GitLab writes it for suggestions
/// that are applied together (`lib/gitlab/suggestions/commit_message.rb`).
const CO_AUTHOR: &str = "co-authored-by";

/// A commit, and the addresses of its author, its committer and its co-authors. They are free text:
/// a forged address excludes a person, and admits none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    /// Empty if GitLab does not show them, as in the list of a merge request
    /// (<https://gitlab.com/gitlab-org/gitlab/-/issues/496665>).
    pub parents: Vec<String>,
    pub emails: Vec<String>,
}

/// A merge request of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedMerge {
    /// Its number within the project.
    pub iid: u64,
    /// Its author, and who merged it.
    pub people: Vec<u64>,
    /// Its source branch in this project, unless it is open or closed: a squash or a rebase
    /// replaces the commits that were pushed to it. An open or closed request may have any
    /// branch, and one of a fork a branch of the same name.
    pub source: Option<String>,
    /// The last commit of its source branch, unless it is open or closed.
    pub head: Option<String>,
    /// The commits of its merge and of its squash. GitLab may show only the former, and none after
    /// a fast-forward merge without a squash.
    pub created: Vec<String>,
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
        commit.emails.iter().any(|email| is_public(email) || is_private(email))
    }
}

impl Commit {
    /// Parses an element of a list of commits (`lib/api/entities/commit.rb`). `None` if it does not
    /// show who made the commit.
    fn parse(shown: &Value) -> Option<Self> {
        let text = |name: &str| shown[name].as_str();
        let own = [text("author_email")?, text("committer_email")?].into_iter();
        let emails = own.chain(co_authors(text("message")?));
        Some(Commit {
            id: text("id")?.to_owned(),
            parents: typed(&shown["parent_ids"]).unwrap_or_default(),
            emails: emails.map(ToOwned::to_owned).collect(),
        })
    }
}

/// The addresses of the lines `Co-authored-by: Name <address>`, in any case and anywhere in the
/// message: a squash or a revert may put them into its middle.
fn co_authors(message: &str) -> impl Iterator<Item = &str> {
    let people = message.split(['\n', '\r']).filter_map(|line| {
        let at = line.to_ascii_lowercase().find(CO_AUTHOR)?;
        line[at + CO_AUTHOR.len()..].trim_start().strip_prefix(':')
    });
    let is_around = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';');
    let words = people.flat_map(move |people| people.split(is_around));
    words.filter(|word| word.contains('@'))
}

impl GitLab {
    pub async fn user(&self, id: u64) -> Result<GitLabUser> {
        let purpose = format!("looking up user {id}");
        let call = self.get(Area::Instance, &format!("/users/{id}"), &purpose);
        let shown: Value = call.send().await?;
        if shown["id"] != id {
            return Err(call.unexpected());
        }
        // GitLab shows it, or null (`lib/api/entities/user.rb`). Without it, an author is missed.
        if shown.get("public_email").is_none() {
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
    pub async fn member_level(&self, project: ProjectRef<'_>, user: u64) -> Result<Option<u64>> {
        let part = format!("/members/all/{user}");
        let purpose = format!("looking up member {user} of project {project}");
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
        project: ProjectRef<'_>,
        from: &str,
        to: &str,
    ) -> Result<Option<Vec<Commit>>> {
        let range = format!("{from}..{to}");
        let purpose = format!("listing the commits {range} of project {project}");
        let call = self.get(Area::Project(project), "/repository/commits", &purpose);
        read_commits(&call.query("ref_name", &range)).await
    }

    /// The commits of the merge request `iid`, also those that its merge replaced. `None` if there
    /// are more than [`MAX_COMMITS`], or a message of a megabyte.
    pub async fn commits_of_request(
        &self,
        project: ProjectRef<'_>,
        iid: u64,
    ) -> Result<Option<Vec<Commit>>> {
        let part = format!("/merge_requests/{iid}/commits");
        let purpose = format!("listing the commits of merge request {iid} of project {project}");
        read_commits(&self.get(Area::Report(project), &part, &purpose)).await
    }

    /// The merge requests that contain a commit, or created it, in any state: their authors can
    /// close them. `None` if GitLab shows more of them than is read: a description of a megabyte
    /// must not hide its author.
    pub async fn merges_of(
        &self,
        project: ProjectRef<'_>,
        commit: &str,
    ) -> Result<Option<Vec<RequestedMerge>>> {
        let call = self.merge_requests_of(project, commit);
        let reading = Reading::first(4, MAX_MERGES + 1);
        let listed = call.read(reading, RequestedMerge::parse).await;
        or_too_many(listed, MAX_MERGES)
    }
}

async fn read_commits(call: &Call<'_>) -> Result<Option<Vec<Commit>>> {
    let reading = Reading::first(20, MAX_COMMITS + 1);
    or_too_many(call.read(reading, Commit::parse).await, MAX_COMMITS)
}

/// A list that is too large has too many elements, or too long ones.
fn or_too_many<T>(listed: Result<ListPart<T>>, limit: usize) -> Result<Option<Vec<T>>> {
    match listed {
        Err(error) if error.kind == ErrorKind::TooLarge => Ok(None),
        listed => Ok(listed?.at_most(limit)),
    }
}

impl RequestedMerge {
    /// Parses an element of GitLab's list (`lib/api/entities/merge_request_basic.rb`). `None` if it
    /// does not show whom or what the request has: that is not the same as null. A state that
    /// GitLab does not have today is like a merge.
    fn parse(shown: &Value) -> Option<Self> {
        let listed: MergeRequest = typed(shown)?;
        // GitLab before 14.7 shows `merged_by` only, and later versions will not.
        let [author, merge_user, merged_by] =
            ["author", "merge_user", "merged_by"].map(|name| shown.get(name));
        let merger = merge_user.or(merged_by)?;
        let people = [Some(author?), Some(merger), merged_by].into_iter().flatten();
        let people = people.filter(|one| !one.is_null());
        let is_unmerged = matches!(listed.state.as_str(), "opened" | "closed");
        let source = match listed.source_branch.as_ref() {
            _ if is_unmerged || listed.is_from_fork() => None,
            name => Some(name?.clone()),
        };
        let mut created = vec![];
        for name in ["merge_commit_sha", "squash_commit_sha"] {
            created.extend(typed::<Option<String>>(shown.get(name)?)?);
        }
        Some(RequestedMerge {
            iid: listed.iid,
            people: people.map(|one| one["id"].as_u64()).collect::<Option<_>>()?,
            source,
            head: listed.sha.filter(|_| !is_unmerged),
            created,
            merged: listed.merged_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(change: impl FnOnce(&mut Value)) -> Value {
        let mut shown = json!({
            "iid": 3, "state": "merged", "source_branch": "development", "sha": "abc",
            "merge_commit_sha": null, "squash_commit_sha": "def",
            "author": {"id": 7}, "merge_user": {"id": 8}, "merged_by": null,
            "source_project_id": 15, "target_project_id": 15});
        change(&mut shown);
        shown
    }

    #[test]
    fn people_of_a_merge_request_count_in_each_state() {
        let source = |state: &str, project: u64| {
            let shown = shown(|it| {
                it["state"] = json!(state);
                it["source_project_id"] = json!(project);
            });
            let merge = RequestedMerge::parse(&shown).expect("a merge request");
            assert_eq!(merge.people, [7, 8], "{state}");
            (merge.source.is_some(), merge.head.is_some())
        };
        for (state, is_merged) in [
            ("merged", true),
            ("locked", true),
            ("of the future", true),
            ("opened", false),
            ("closed", false),
        ] {
            assert_eq!(source(state, 15), (is_merged, is_merged), "{state}");
            assert_eq!(source(state, 16), (false, is_merged), "{state} in a fork");
        }
    }

    #[test]
    fn merge_request_without_a_member_is_not_read() {
        for name in [
            "author",
            "merge_user",
            "source_branch",
            "merge_commit_sha",
            "squash_commit_sha",
        ] {
            let missing = shown(|it| {
                let members = it.as_object_mut().expect("an object");
                members.retain(|member, _| member != name && member != "merged_by");
            });
            assert_eq!(RequestedMerge::parse(&missing), None, "{name}");
        }
        for name in ["author", "merge_user", "merged_by"] {
            for (person, people) in [
                (json!({}), None),
                (json!("ann"), None),
                (Value::Null, Some(())),
            ] {
                let changed = shown(|it| it[name] = person.clone());
                let merge = RequestedMerge::parse(&changed).map(drop);
                assert_eq!(merge, people, "{name} {person}");
            }
        }
    }

    fn with_message(message: &str) -> Value {
        json!({"id": "abc", "author_email": "a@b", "committer_email": "", "message": message})
    }

    #[test]
    fn commit_without_its_people_is_not_read() {
        for name in ["author_email", "committer_email", "message"] {
            let mut shown = with_message("text");
            assert!(Commit::parse(&shown).is_some());
            shown[name] = Value::Null;
            assert_eq!(Commit::parse(&shown), None, "{name}");
        }
    }

    #[test]
    fn co_authors_of_a_commit_are_authors() {
        for message in [
            "Co-authored-by: Ann <ann@b>",
            "fix\n\nCO-AUTHORED-BY: Ann O'Neil <ann@b>\r\nReviewed-by: Bob <bob@b>\n",
            "* one\r\n    co-authored-by : ann@b\n\n* two",
            "Revert \"fix\"\n> Co-Authored-By: <ann@b>.",
        ] {
            let commit = Commit::parse(&with_message(message)).expect("a commit");
            assert_eq!(commit.emails, ["a@b", "", "ann@b"], "{message}");
        }
        for message in [
            "Ann <ann@b>",
            "Co-authored-by Ann <ann@b>",
            "Co-authored-by: Ann",
        ] {
            let commit = Commit::parse(&with_message(message)).expect("a commit");
            assert_eq!(commit.emails, ["a@b", ""], "{message}");
        }
    }
}
