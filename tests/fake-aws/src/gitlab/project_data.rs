//! The tags, the history, the merge requests, the members and the tasks of a GitLab project.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use crate::gitlab::branch_patterns::is_like;

/// Access levels (`lib/gitlab/access.rb`).
pub(crate) const REPORTER: u64 = 20;

pub const DEVELOPER: u64 = 30;

pub(crate) const MAINTAINER: u64 = 40;

/// The tasks of the other program.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Mirrors whose pushes have begun.
    pub begun: Vec<u64>,
    /// Tags that the API created or deleted, with their projects and commits.
    pub tags: Vec<(u64, String, Option<String>)>,
}

/// A run that is to begin (`RepositoryUpdateRemoteMirrorWorker`).
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub project: u64,
    pub mirror: u64,
    pub due: Duration,
    /// When it was ordered: a run that started later has done its work.
    pub asked: Duration,
    pub tries: u32,
    pub waits: u32,
}

/// A user of GitLab (`app/models/user.rb`).
#[derive(Clone, Debug)]
pub struct User {
    pub username: String,
    /// `active`, `blocked` or another state.
    pub state: &'static str,
    pub bot: bool,
    pub public_email: Option<String>,
}

/// A tag: the object that it names, and the commit. They differ if the tag is annotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub target: String,
    pub commit: String,
}

/// The tags of a project, and who may create them.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    pub all: BTreeMap<String, Tag>,
    /// The rules: a name or a pattern with `*`, and its `create_access_levels`.
    pub protected: Vec<(String, Vec<Value>)>,
    /// The deploy keys: whether each one can push.
    pub deploy_keys: Vec<bool>,
    /// The access level of each member, by the number of the user.
    pub members: BTreeMap<u64, u64>,
    /// `mirror`: the project pulls from an upstream (Premium).
    pub is_pull_mirror: bool,
    /// The tags that belong to a release.
    pub released: BTreeSet<String>,
    /// `releases_access_level` is `disabled`.
    pub has_no_releases: bool,
    /// `ci_push_repository_for_job_token_allowed`. Versions before 17.2 do not show it.
    pub job_tokens_push: Option<bool>,
}

impl Tag {
    pub fn lightweight(commit: &str) -> Self {
        Self {
            target: commit.to_owned(),
            commit: commit.to_owned(),
        }
    }

    /// The tag object has an ID of its own (`doc/api/tags.md`).
    pub fn annotated(commit: &str) -> Self {
        Self {
            target: commit.replacen('c', "d", 1),
            commit: commit.to_owned(),
        }
    }
}

impl Tags {
    /// `can_create_tag?` in `lib/gitlab/user_access.rb`: an entry of any rule that matches admits
    /// (`app/models/concerns/protected_ref.rb`). Without a rule, Developers may.
    pub fn admit(&self, user: u64, name: &str) -> bool {
        let level = self.members.get(&user).copied().unwrap_or(0);
        let is_in =
            |entry: &Value| match (entry["user_id"].as_u64(), entry["access_level"].as_u64()) {
                (Some(one), _) => one == user,
                // A member of an invited group. Each is one here.
                _ if entry["group_id"].is_u64() => level >= DEVELOPER,
                _ if entry["deploy_key_id"].is_u64() => false,
                (None, Some(least)) => least > 0 && level >= least,
                (None, None) => false,
            };
        let mut rules = self.rules_of(name).peekable();
        match rules.peek() {
            None => level >= DEVELOPER,
            Some(_) => rules.flat_map(|(_, entries)| entries).any(is_in),
        }
    }

    /// `protected_tag_checks` of `lib/gitlab/checks/tag_check.rb`.
    pub fn check(&self, user: u64, name: &str, was: bool, is: bool) -> Result<(), &'static str> {
        let is_protected = self.rules_of(name).next().is_some();
        if is_protected && was && is {
            return Err("Protected tags cannot be updated.");
        }
        if is_protected && !is && self.members.get(&user) < Some(&MAINTAINER) {
            return Err(
                "You are not allowed to delete protected tags from this project. Only a \
                        project maintainer or owner can delete a protected tag.",
            );
        }
        if !self.admit(user, name) {
            return Err("You are not allowed to create this tag as it is protected.");
        }
        Ok(())
    }

    pub fn is_protected(&self, name: &str) -> bool {
        self.rules_of(name).next().is_some()
    }

    pub(super) fn rules_of(&self, name: &str) -> impl Iterator<Item = &(String, Vec<Value>)> {
        self.protected.iter().filter(move |(pattern, _)| is_like(pattern, name))
    }
}

/// The user who pushes branches, unless a test names another one.
pub const PUSHER: u64 = 20;

/// A push of a branch or a tag, as GitLab lists it (`app/models/push_event_payload.rb`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushEvent {
    pub at: Duration,
    pub author: u64,
    /// `branch` or `tag`.
    pub kind: &'static str,
    /// `created`, `pushed` or `removed` (`app/services/push_event_payload_service.rb`).
    pub action: &'static str,
    /// `None` in the event of more than one.
    pub name: Option<String>,
    /// `None` for a new one.
    pub from: Option<String>,
    /// `None` if it was deleted.
    pub to: Option<String>,
    /// The number of branches or tags, if the event is of more than one.
    pub count: Option<usize>,
}

impl PushEvent {
    pub fn of(
        kind: &'static str,
        name: &str,
        from: Option<String>,
        to: Option<String>,
        author: u64,
        at: Duration,
    ) -> Self {
        let action = match (&from, &to) {
            (None, _) => "created",
            (_, None) => "removed",
            _ => "pushed",
        };
        Self {
            at,
            author,
            kind,
            action,
            name: Some(name.to_owned()),
            from,
            to,
            count: None,
        }
    }

    /// One event of so many changes, none of which it names
    /// (`app/services/bulk_push_event_payload_service.rb`).
    pub fn hide_among(&mut self, count: usize) {
        (self.name, self.from, self.to) = (None, None, None);
        self.count = Some(count);
    }
}

/// How a project's branches got their tips.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The parents of each commit that was pushed onto another one.
    pub parents: BTreeMap<String, Vec<String>>,
    /// When each commit was made.
    pub committed: BTreeMap<String, Duration>,
    /// The addresses of commits' authors.
    pub author_emails: BTreeMap<String, String>,
    pub messages: BTreeMap<String, String>,
    /// The oldest first.
    pub events: Vec<PushEvent>,
}

impl History {
    /// A commit and its ancestors.
    pub(crate) fn line<'a>(&'a self, commit: &'a str) -> Vec<&'a str> {
        let mut line = vec![commit];
        let mut at = 0;
        while let Some(commit) = line.get(at) {
            for parent in self.parents.get(*commit).into_iter().flatten() {
                if !line.contains(&parent.as_str()) {
                    line.push(parent);
                }
            }
            at += 1;
        }
        line
    }
}

/// A merge request (`app/models/merge_request.rb`).
#[derive(Clone, Debug, Default)]
pub struct MergeRequest {
    pub source_branch: String,
    pub target_branch: String,
    /// Whether its source branch is in a fork.
    pub is_from_fork: bool,
    /// The latest commit of its source branch.
    pub head: String,
    /// The commit that its merge created.
    pub merge_commit: Option<String>,
    /// The commit that a squash created.
    pub squash_commit: Option<String>,
    /// The commits of its source branch when it was merged.
    pub commits: Vec<String>,
    /// Commits of the target branch that the source branch does not have.
    pub commits_behind: u64,
    pub description: String,
    /// The number of the user who created it.
    pub author: u64,
    /// The user who merged it, or set it to merge.
    pub merge_user: Option<u64>,
    /// When it was created. `None` if that was before all else.
    pub created: Option<Duration>,
}
