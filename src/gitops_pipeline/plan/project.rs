//! Plans to which project of GitLab a pipeline belongs.
//!
//! The template names it by a number or by a path. A number never passes to another project, and a
//! path does, so the child stack stores the number to which the path led.

use crate::clients::gitlab::{GitLabError, other_project};
use crate::gitops_pipeline::spec::GitLabProject;
use cfn_custom_resource::Reason;

/// The name of the property in reasons.
pub const PROPERTY: &str = "GitLab.Project";

/// The project of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundProject {
    /// `None` if the pipeline has no `GitLab`, or if the number is not known.
    pub number: Option<u64>,
    /// Why it was not compared with the number that GitLab shows.
    pub warning: Option<Reason>,
}

impl FoundProject {
    pub fn known(number: Option<u64>) -> Self {
        FoundProject {
            number,
            warning: None,
        }
    }
}

/// The project to which the path of `target` leads. `stored` is the number to which it led before,
/// and `shown` is what GitLab responds to the path. If the request `changes` nothing of `GitLab`, a
/// GitLab that does not respond prevents no other change.
///
/// # Errors
/// If it leads to another project than before, or if its project is not known.
pub fn found(
    target: &GitLabProject,
    stored: Option<u64>,
    shown: Result<u64, GitLabError>,
    changes: bool,
) -> Result<FoundProject, Reason> {
    let redirected = |error: &GitLabError| stored.and(error.moved_to());
    let shown = shown.or_else(|error| redirected(&error).ok_or(error));
    match (shown, stored) {
        (Ok(shown), Some(stored)) if shown != stored => {
            Err(other_project(PROPERTY, &target.project, stored, shown))
        }
        (Ok(shown), _) => Ok(FoundProject::known(Some(shown))),
        (Err(error), None) if changes => Err(error.reason()),
        (Err(error), stored) => Ok(FoundProject {
            number: stored,
            warning: Some(unread(stored, &error)),
        }),
    }
}

/// That a request succeeded although GitLab did not show the project.
fn unread(stored: Option<u64>, error: &GitLabError) -> Reason {
    let reason = error.reason();
    let problem = match stored {
        Some(number) => format!(
            "the pipeline keeps project {number} of GitLab, which was not compared with its path: {}",
            reason.problem
        ),
        None => format!(
            "nothing is reported to GitLab until the next update, because the number of the project is not \
             known: {}",
            reason.problem
        ),
    };
    Reason { problem, ..reason }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clients::gitlab::{ErrorKind, Rejection};
    use crate::gitops_pipeline::spec;

    /// The number, or the code and the parts of the problem.
    fn outcome(
        stored: Option<u64>,
        shown: Result<u64, GitLabError>,
        changes: bool,
    ) -> Result<(Option<u64>, bool), String> {
        let properties = json!({
            "EnvID": "dev",
            "ProjectID": "shop",
            "GitLab": {"TokenSecretId": "gitlab/shop", "Project": "platform/shop"},
        });
        let spec = spec::decode(&properties).expect("valid");
        let found = found(&spec.gitlab.expect("GitLab"), stored, shown, changes);
        let shown = found.map(|found| (found.number, found.warning.is_some()));
        shown.map_err(|reason| reason.to_string())
    }

    fn unreachable() -> GitLabError {
        GitLabError::unsent(ErrorKind::Unreachable).of("looking up project platform/shop")
    }

    #[test]
    fn project_is_the_one_that_the_path_leads_to() {
        assert_eq!(outcome(None, Ok(42), true), Ok((Some(42), false)));
        assert_eq!(outcome(Some(42), Ok(42), false), Ok((Some(42), false)));
        let rejected = outcome(None, Err(unreachable()), true);
        assert!(rejected.is_err_and(|error| error.contains("looking up project")));
    }

    #[test]
    fn path_of_another_project_is_rejected_with_both_numbers() {
        for changes in [true, false] {
            let rejected = outcome(Some(42), Ok(99), changes).expect_err("another project");
            for part in [
                "GitLab.Project platform/shop leads to project 99",
                "it was project 42",
                "GitLab.Project: 42",
                "GitLab.Project: 99",
            ] {
                assert!(rejected.contains(part), "{rejected}");
            }
        }
    }

    #[test]
    fn unread_project_prevents_no_other_change() {
        for changes in [true, false] {
            let kept = outcome(Some(42), Err(unreachable()), changes);
            assert_eq!(kept, Ok((Some(42), true)));
        }
        assert_eq!(outcome(None, Err(unreachable()), false), Ok((None, true)));
    }

    #[test]
    fn redirect_is_compared_with_the_stored_number() {
        let moved = |to| {
            let cause = Rejection::ProjectMoved(Some(to));
            let error = GitLabError::rejected(301, cause, "redirected".to_owned());
            error.of("looking up project platform/shop")
        };
        assert_eq!(
            outcome(Some(42), Err(moved(42)), true),
            Ok((Some(42), false))
        );
        let rejected = outcome(Some(42), Err(moved(99)), true).expect_err("another project");
        assert!(rejected.contains("leads to project 99"), "{rejected}");
        // A new path is the present one of its project.
        let rejected = outcome(None, Err(moved(42)), true).expect_err("a former path");
        assert!(rejected.contains("The project was moved"), "{rejected}");
    }
}
