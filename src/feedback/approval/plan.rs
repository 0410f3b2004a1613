//! Decides whether a tag approves: pure functions of GitLab's records. A tag that is not
//! proved approves nothing.

use std::time::Duration;

use super::summary::{BY_PERSON, SUMMARY};
use crate::clients::gitlab::{
    Commit, Containment, GitLabUser, MAINTAINER, ProjectPush, RequestedMerge, Tag,
};
use crate::gitops_pipeline::executions::actions::{Action, ActionState};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::approval_tags::Exposure;

/// A push to the source branch of a merge request belongs to it if GitLab records it so long after
/// the merge. GitLab records pushes in the background.
const EVENT_DELAY: Duration = Duration::from_secs(60 * 60);

/// The remedy if a new tag of the same name would decide nothing either.
const ASK_AGAIN: &str =
    "Approve in AWS. Or ask again: reject the request in AWS, then retry the stage";

/// Why a tag approves and rejects nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    #[error("it names another request for approval")]
    OtherKey,
    /// Others may have created it.
    #[error(transparent)]
    Exposed(#[from] Exposure),
    #[error("it is not on the commit of the execution")]
    OtherCommit,
    /// The commit was pushed to CodeCommit only, or the branch was moved.
    #[error("the pipeline's branch in GitLab does not contain the commit")]
    NotOnBranch,
    /// GitLab writes the event at once, so it is missing for another reason.
    #[error("GitLab shows no event that names its creator. {}", ASK_AGAIN)]
    NoEvent,
    /// One event stands for several tags.
    #[error(
        "it may be one of several tags that were pushed at once, whose creators GitLab does not name. {}",
        ASK_AGAIN
    )]
    Bulk,
    /// Its events do not name one creator.
    #[error("it was removed, moved or created again. {}", ASK_AGAIN)]
    NotCreatedOnce,
    /// A CI job may have created both.
    #[error(
        "it belongs to a release, so a CI job may have created it. {}",
        ASK_AGAIN
    )]
    Released,
    /// A rejection that is not proved may still be genuine.
    #[error(
        "this request has a rejection, even if that decides nothing. {}",
        ASK_AGAIN
    )]
    Rejected,
    #[error("GitLab lists more than 5,000 pushes since the last deployment. Approve in AWS")]
    TooManyPushes,
    #[error("its creator is {0}")]
    Creator(&'static str),
    /// Two people are needed.
    #[error("its creator {0}. Another Maintainer has to approve")]
    Author(&'static str),
    /// Then, all commits would be new.
    #[error(
        "none of the latest executions has succeeded after the approval of a person, so the authors are not known. Approve in AWS, or set Approval.AllowAuthor"
    )]
    FirstDeployment,
    /// Then, no commit would be new.
    #[error(
        "its commit is the last deployed one, so there are no new commits whose authors are known. Approve in AWS, or set Approval.AllowAuthor"
    )]
    SameCommit,
    /// The authors of some would be missing.
    #[error(
        "there are more than 100 commits since the last deployed one, or one is too long. Approve in AWS"
    )]
    TooManyCommits,
    /// Their authors and mergers would be missing.
    #[error("GitLab shows too much of the merge requests of its commits. Approve in AWS")]
    TooLargeMerges,
    /// GitLab does not have the last deployed commit, or the commit is an older one.
    #[error("GitLab does not show the commits since the last deployed one. Approve in AWS")]
    UnknownCommits,
    /// A call failed.
    #[error(
        "AWS or GitLab does not show what is needed. The function's log says what, and it tries again"
    )]
    Unreadable,
    #[error("the tags of this request were changed meanwhile")]
    Changed,
}

/// GitLab's records of the people who made the commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorship {
    /// The commits since the last deployed one.
    pub commits: Vec<Commit>,
    pub merges: Vec<RequestedMerge>,
    /// The pushes since days before the last deployed commit was read.
    pub pushes: Vec<ProjectPush>,
}

/// Whether a person has given an approval: CodePipeline shows their principal, or the function's
/// summary names them. Only approvers and the function can write a summary.
pub fn is_by_person(approval: &Action, names: &ResourceNames) -> bool {
    let [approved, _] = BY_PERSON;
    let is_named = approval.summary.starts_with(approved)
        || is_principal(&approval.by, &names.function_role());
    approval.state == ActionState::Succeeded && is_named && !approval.summary.contains(SUMMARY)
}

/// Whether `arn` is that of a principal who can call an API, other than a session of `own_role`:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.
fn is_principal(arn: &str, own_role: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "iam" | "sts", _, _, resource] = parts[..] else {
        return false;
    };
    match resource.split_once('/') {
        Some(("user" | "federated-user", _)) => true,
        Some(("assumed-role", session)) => session
            .split_once('/')
            .is_some_and(|(role, _)| role != own_role),
        _ => resource == "root",
    }
}

/// Checks that a tag is on the execution's `commit`, which the branch in GitLab contains.
pub fn check_commit(tag: &Tag, commit: &str, containment: Containment) -> Result<(), Doubt> {
    if tag.commit != commit {
        return Err(Doubt::OtherCommit);
    }
    match containment {
        Containment::Contained => Ok(()),
        Containment::Missing | Containment::NoBranch => Err(Doubt::NotOnBranch),
    }
}

/// The number of the user who created the tag `name`: all of its events are one creation of this
/// object by one user. GitLab may write an event twice.
pub fn creator(
    number: u64,
    name: &str,
    tag: &Tag,
    pushes: Option<&[ProjectPush]>,
) -> Result<u64, Doubt> {
    let pushes = pushes.ok_or(Doubt::TooManyPushes)?;
    if pushes.iter().any(|push| push.project != number) {
        return Err(Exposure::OtherProject.into());
    }
    let of_tags = || pushes.iter().filter(|push| push.is_of_tags);
    let is_it = |push: &&ProjectPush| push.name.as_deref() == Some(name);
    let first = of_tags().filter(is_it).min_by_key(|push| push.at);
    let newest_bulk = of_tags()
        .filter(|push| push.name.is_none())
        .map(|push| push.at)
        .max();
    let Some(first) = first else {
        return Err(if newest_bulk.is_some() {
            Doubt::Bulk
        } else {
            Doubt::NoEvent
        });
    };
    let is_same = |push: &ProjectPush| {
        push.creates && push.author == first.author && push.to.as_ref() == Some(&tag.target)
    };
    if !of_tags().filter(is_it).all(is_same) {
        return Err(Doubt::NotCreatedOnce);
    }
    // Such an event may stand for a removal and another creation of this tag.
    if newest_bulk >= Some(first.at) {
        return Err(Doubt::Bulk);
    }
    Ok(first.author)
}

/// Checks that `user` is a person who may create the tag. `level` is that of an active member.
pub fn check_person(user: &GitLabUser, level: Option<u64>, own_user: u64) -> Result<(), Doubt> {
    if user.id == own_user {
        Err(Doubt::Creator("the user of the function's token"))
    } else if !user.is_active_person || user.username.is_empty() {
        // A bot, or a blocked user.
        Err(Doubt::Creator("not an active person"))
    } else if level < Some(MAINTAINER) {
        // A rule may admit single users.
        Err(Doubt::Creator(
            "not a Maintainer of the project, as far as the token's user sees",
        ))
    } else {
        Ok(())
    }
}

/// The commits between the last `deployed` one and `commit`, if GitLab shows all of them.
pub fn check_commits(
    listed: Option<Vec<Commit>>,
    deployed: &str,
    commit: &str,
) -> Result<Vec<Commit>, Doubt> {
    if commit == deployed {
        return Err(Doubt::SameCommit);
    }
    let listed = listed.ok_or(Doubt::TooManyCommits)?;
    let has_commit = listed.iter().any(|one| one.id == commit);
    has_commit.then_some(listed).ok_or(Doubt::UnknownCommits)
}

/// Checks that `user` has neither made, requested, merged nor pushed one of the commits. A push has
/// an event for its last commit only, and one of many branches for none.
pub fn check_authors(
    user: &GitLabUser,
    authorship: &Authorship,
    branch: &str,
) -> Result<(), Doubt> {
    let Authorship {
        commits,
        merges,
        pushes,
    } = authorship;
    if commits.iter().any(|commit| user.has_email_of(commit)) {
        return Err(Doubt::Author("is an author of one of its commits"));
    }
    if merges.iter().any(|merge| merge.people.contains(&user.id)) {
        return Err(Doubt::Author(
            "has written or merged one of its merge requests",
        ));
    }
    let is_part = |push: &&ProjectPush| {
        let has_commit = commits.iter().any(|one| push.to.as_ref() == Some(&one.id));
        let is_source = |name: &String| {
            // Other changes of the pipeline's branch, and the removal of a branch, are not part of
            // a merge request.
            if name == branch || push.to.is_none() {
                return false;
            }
            let mut sources = merges
                .iter()
                .filter(|merge| merge.source.as_ref() == Some(name));
            sources.any(|merge| {
                merge
                    .merged
                    .is_none_or(|merged| push.at <= merged + EVENT_DELAY)
            })
        };
        has_commit || push.name.as_ref().is_none_or(is_source)
    };
    let mut own = pushes
        .iter()
        .filter(|push| !push.is_of_tags && push.author == user.id);
    if own.any(|push| is_part(&push)) {
        return Err(Doubt::Author("has pushed one of its commits"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
