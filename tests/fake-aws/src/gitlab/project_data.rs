//! The history, the merge requests and the tasks of a GitLab project.

use std::{collections::BTreeMap, time::Duration};

/// Access levels (`lib/gitlab/access.rb`).
pub(crate) const REPORTER: u64 = 20;

pub const DEVELOPER: u64 = 30;

pub(crate) const MAINTAINER: u64 = 40;

/// The tasks of the other program.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Mirrors whose pushes have begun.
    pub begun: Vec<u64>,
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

/// A push of a branch or a tag, as GitLab lists it (`app/models/push_event_payload.rb`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushEvent {
    pub at: Duration,
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
        at: Duration,
    ) -> Self {
        let action = match (&from, &to) {
            (None, _) => "created",
            (_, None) => "removed",
            _ => "pushed",
        };
        Self {
            at,
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
    /// Commits of the target branch that the source branch does not have.
    pub commits_behind: u64,
    pub description: String,
}
