//! Which instances of GitLab cannot be reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::{ErrorScope, GitLabError};

/// The instances of GitLab that one check or one delivery could not reach, by their addresses.
/// Without it, each project would wait for the same GitLab.
///
/// An error of one project may be its own: GitLab responds with 500 or not at all if its repository
/// is broken. So only a failed connection, or errors of two projects, make a GitLab unreachable.
#[derive(Debug, Default)]
pub struct UnreachableGitLabs(Mutex<BTreeMap<String, Failures>>);

#[derive(Debug, Default)]
struct Failures {
    projects: BTreeSet<String>,
    /// The error that made the GitLab unreachable.
    error: Option<GitLabError>,
}

impl UnreachableGitLabs {
    /// Adds an error of a request to the GitLab at `url`. `project` is `None` if it was about none.
    /// A project that one property names by its path and another one by its number counts twice.
    pub fn note(&self, url: &str, project: Option<&str>, error: &GitLabError) {
        if error.scope == ErrorScope::Request {
            return;
        }
        let mut gitlabs = self.locked();
        let failures = gitlabs.entry(url.to_owned()).or_default();
        failures.projects.extend(project.map(ToOwned::to_owned));
        if error.scope == ErrorScope::GitLab || failures.projects.len() > 1 {
            let doing = format!(
                "skipped, because {url} does not respond as expected. The last request was {}",
                error.doing
            );
            let error = error.clone();
            failures.error.get_or_insert(GitLabError { doing, ..error });
        }
    }

    /// The error of the GitLab at `url`. `None` if it is not known to be unreachable.
    pub fn error_of(&self, url: &str) -> Option<GitLabError> {
        self.locked().get(url)?.error.clone()
    }

    /// The lock is never held across a call, and the map is valid after a panic.
    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::gitlab::{ErrorKind, RetryTime, Sent};

    #[test]
    fn errors_of_one_project_do_not_make_gitlab_unreachable() {
        const URL: &str = "https://a.example";
        let (own, unclear, all) = (ErrorScope::Request, ErrorScope::Unclear, ErrorScope::GitLab);
        // Each row: the errors of projects, and whether GitLab is unreachable then.
        let rows = [
            (vec![("1", unclear), ("1", unclear)], false),
            (vec![("1", unclear), ("2", own)], false),
            (vec![("1", unclear), ("2", unclear)], true),
            (vec![("1", all)], true),
        ];
        for (errors, expected) in rows {
            let gitlabs = UnreachableGitLabs::default();
            for (project, scope) in &errors {
                let kind = ErrorKind::NoResponse;
                let error = GitLabError::new(kind, Sent::Unknown, RetryTime::Later, *scope);
                gitlabs.note(URL, Some(*project), &error.of("posting"));
            }
            assert_eq!(gitlabs.error_of(URL).is_some(), expected, "{errors:?}");
            assert_eq!(gitlabs.error_of("https://b.example"), None);
        }
    }
}
