//! Decides whether a tag approves: pure functions of GitLab's records. A tag that is not
//! proved approves nothing.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use crate::clients::gitlab::{
    Commit, GitLabUser, MAINTAINER, ProjectPush, RefChange, RequestedMerge, Tag,
};
use crate::gitops_pipeline::executions::actions::{Action, ActionState};
use crate::gitops_pipeline::executions::cause::is_function;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::approval_tags::Exposure;
use cfn_custom_resource::Remedy;

/// How late GitLab may record a push, which it does in the background: that of the commit, or one
/// to the source branch of its merge request.
const EVENT_DELAY: Duration = Duration::from_secs(60 * 60);

/// The remedy if the next tags can decide.
const DECIDE_AGAIN: &str = "Use the links of this note, or decide in AWS";

/// The summary of the function's approval in CodePipeline.
pub const SUMMARY: &str = "cfn-gitops: the change set has no changes";

/// How the summary of a person's decision in GitLab begins. The person and the tag follow.
pub const BY_PERSON: [&str; 2] = [
    "cfn-gitops: approved in GitLab by ",
    "cfn-gitops: rejected in GitLab by ",
];

/// Why a tag approves and rejects nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Others may have created it.
    #[error(transparent)]
    Exposed(#[from] Exposure),
    #[error("it is not on the commit of the execution")]
    OtherCommit,
    /// GitLab writes the event in the background, so it may follow.
    #[error("GitLab shows no event that names its creator")]
    NoEvent,
    /// One event stands for several tags.
    #[error(
        "it may be one of several tags that were pushed at once, whose creators GitLab does not name"
    )]
    Bulk,
    /// Its events do not name one creator.
    #[error("it was removed, moved or created again")]
    NotCreatedOnce,
    /// A CI job may have created both.
    #[error("it belongs to a release, so a CI job may have created it")]
    Released,
    /// A rejection that is not proved may still be genuine.
    #[error("this request has a rejection, even if that decides nothing")]
    Rejected,
    #[error("its creator is the user of the function's token")]
    OwnUser,
    /// A bot, or a blocked user.
    #[error("its creator is not an active person")]
    NotAPerson,
    /// A rule may admit single users.
    #[error("its creator is not a Maintainer of the project, as far as the token's user sees")]
    NotMaintainer,
    /// Two people are needed.
    #[error("its creator {0}, and another Maintainer has to approve")]
    Author(Contribution),
    #[error(transparent)]
    InAws(#[from] InAws),
    /// GitLab writes the event in the background.
    #[error("GitLab does not show the push of the commit yet")]
    NoPush,
    /// A person has frozen the pipeline.
    #[error("the transition into the stage Deploy is disabled, so only a rejection counts")]
    Held,
    /// A call failed.
    #[error("AWS or GitLab does not show what is needed")]
    Unreadable,
    /// A person may have edited the note. A reaction to it counts, too.
    #[error(
        "a note about the request did not show it, or was changed or reacted to after the tag was created"
    )]
    EditedNote,
}

/// Why no tag decides about a request, even of another person: its commit is not ahead, or GitLab
/// shows too much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InAws {
    /// Then, all commits would be new.
    #[error(
        "no person has approved one of the latest deployments, so the new commits are not known"
    )]
    FirstDeployment,
    /// Then, no commit would be new.
    #[error("the commit was deployed before, so it has no new commits")]
    SameCommit,
    /// The commit was pushed to CodeCommit only, or the branch was moved.
    #[error("the pipeline's branch in GitLab does not contain the commit")]
    NotOnBranch,
    /// An undo, or a rewritten branch.
    #[error("GitLab does not show that the commit follows the last deployed one")]
    NotAhead,
    /// A force push, a removed branch, or a push that GitLab does not show.
    #[error(
        "GitLab does not show that each push of the branch since the last deployed commit only added commits"
    )]
    Moved,
    /// The same, and one event stands for the pushes of several branches.
    #[error(
        "several branches were pushed at once, so GitLab does not show each push of the branch"
    )]
    BulkPush,
    /// The authors of some would be missing.
    #[error(
        "there are more than 100 commits or pushes since the last deployed commit, or one is too long"
    )]
    TooManyCommits,
    #[error("GitLab lists more than 5,000 pushes since the last deployment")]
    TooManyPushes,
    /// Their authors and mergers would be missing.
    #[error("GitLab shows too much of the merge requests of the new commits")]
    TooLargeMerges,
}

/// How the creator of a tag took part in the commits that it would deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contribution {
    #[error("is an author of one of its commits")]
    Commit,
    #[error("has written or merged one of its merge requests")]
    MergeRequest,
    #[error("has pushed one of its commits, or branches or tags that may have one")]
    Push,
}

impl Doubt {
    pub fn remedy(&self) -> Remedy {
        let remedy = match self {
            Doubt::Exposed(exposure) => return exposure.reason().remedy,
            Doubt::EditedNote => {
                "Delete other notes of the token's user that name these tags, read this one, and use its links. Or decide in AWS"
            }
            Doubt::NoEvent => {
                "Wait: the health check looks again. If it stays so, delete the tag, and use the links of the next note"
            }
            Doubt::OtherCommit
            | Doubt::Bulk
            | Doubt::NotCreatedOnce
            | Doubt::Released
            | Doubt::OwnUser
            | Doubt::NotAPerson
            | Doubt::NotMaintainer
            | Doubt::Author(_) => DECIDE_AGAIN,
            Doubt::InAws(InAws::NotOnBranch) => {
                "Find out who moved the branch, or pushed to CodeCommit. Only an approver in AWS decides"
            }
            Doubt::InAws(_) => "Approve or reject in AWS",
            Doubt::NoPush => "Wait: the health check looks again",
            Doubt::Held => "Enable it when the freeze ends: then the health check accepts a tag",
            Doubt::Unreadable => {
                "Wait: the function tries again, and its log has the cause. Or approve in AWS"
            }
            Doubt::Rejected => {
                "Delete the rejection in GitLab if it is a mistake, and use the links of this note"
            }
        };
        remedy.into()
    }
}

/// GitLab's records of the people who made the commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorship {
    /// The commits since the last deployed one.
    pub commits: Vec<Commit>,
    /// The commits that a squash replaced by them.
    pub replaced: Vec<Commit>,
    pub merges: Vec<RequestedMerge>,
    /// The pushes since days before the last deployed one, the newest first.
    pub pushes: Vec<ProjectPush>,
    /// The tags whose commits were read: an event does not show the commit of an annotation.
    pub tags: Vec<Tag>,
    /// The name of the tag that decides.
    pub own_tag: String,
}

/// Who decided in GitLab, and by which tag, according to the summary of an approval.
pub fn person_of<'a>(approval: &'a Action, names: &ResourceNames) -> Option<&'a str> {
    let summary = own_summary(approval, names)?;
    BY_PERSON.iter().find_map(|text| Some(summary.split_once(text)?.1))
}

/// Whether the function has approved it, because there are no changes.
pub fn is_unchanged(approval: &Action, names: &ResourceNames) -> bool {
    own_summary(approval, names).is_some_and(|summary| summary.contains(SUMMARY))
}

/// The summary that the function wrote. `None` if another approver has decided, who can write the
/// same words.
fn own_summary<'a>(approval: &'a Action, names: &ResourceNames) -> Option<&'a str> {
    is_function(&approval.by, names).then_some(&approval.summary)
}

/// The summary that a person in AWS wrote. Empty if it has the function's words, which would name
/// another person.
pub fn reason_of(approval: &Action) -> &str {
    let has_words = BY_PERSON.iter().any(|text| approval.summary.contains(text));
    if has_words { "" } else { &approval.summary }
}

/// Whether a person has given an approval: CodePipeline shows their principal, or the function's
/// summary names them. Only approvers and the function can write a summary.
pub fn is_by_person(approval: &Action, names: &ResourceNames) -> bool {
    let [approved, _] = BY_PERSON;
    let is_named = approval.summary.starts_with(approved)
        || is_principal(&approval.by) && !is_function(&approval.by, names);
    approval.state == ActionState::Succeeded && is_named && !approval.summary.contains(SUMMARY)
}

/// Whether `arn` is that of a principal who can call an API:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.
fn is_principal(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "iam" | "sts", _, _, resource] = parts[..] else {
        return false;
    };
    match resource.split_once('/') {
        Some(("user" | "federated-user", _)) => true,
        Some(("assumed-role", session)) => session.contains('/'),
        _ => resource == "root",
    }
}

/// The push that created the tag `name`: all of its events are one creation of this object by one
/// user. GitLab may write an event twice.
pub fn creation<'p>(
    number: u64,
    name: &str,
    tag: &Tag,
    pushes: &'p [ProjectPush],
) -> Result<&'p ProjectPush, Doubt> {
    if pushes.iter().any(|push| push.project != number) {
        return Err(Exposure::OtherProject.into());
    }
    let of_tags = || pushes.iter().filter(|push| push.is_of_tags);
    let is_it = |push: &&ProjectPush| push.name.as_deref() == Some(name);
    let first = of_tags().filter(is_it).min_by_key(|push| push.at);
    let newest_bulk = of_tags().filter(|push| push.name.is_none()).map(|push| push.at).max();
    let Some(first) = first else {
        return Err(if newest_bulk.is_some() {
            Doubt::Bulk
        } else {
            Doubt::NoEvent
        });
    };
    let is_same = |push: &ProjectPush| {
        let is_creation = push.change == RefChange::Created;
        is_creation && push.author == first.author && push.to.as_ref() == Some(&tag.target)
    };
    if !of_tags().filter(is_it).all(is_same) {
        return Err(Doubt::NotCreatedOnce);
    }
    // Such an event may stand for a removal and another creation of this tag.
    if newest_bulk >= Some(first.at) {
        return Err(Doubt::Bulk);
    }
    Ok(first)
}

/// Checks that `user` is a person who may create the tag. `level` is that of an active member.
pub fn check_person(user: &GitLabUser, level: Option<u64>, own_user: u64) -> Result<(), Doubt> {
    if user.id == own_user {
        Err(Doubt::OwnUser)
    } else if !user.is_active_person || user.username.is_empty() {
        Err(Doubt::NotAPerson)
    } else if level < Some(MAINTAINER) {
        Err(Doubt::NotMaintainer)
    } else {
        Ok(())
    }
}

/// Checks that `user` has neither made, requested, merged nor pushed one of the commits. A push has
/// an event for its last commit only, and one of many branches or tags for none.
pub fn check_authors(
    user: &GitLabUser,
    authorship: &Authorship,
    branch: &str,
) -> Result<(), Doubt> {
    let Authorship { merges, pushes, .. } = authorship;
    if authorship.all_commits().any(|one| user.has_email_of(one)) {
        return Err(Doubt::Author(Contribution::Commit));
    }
    if merges.iter().any(|merge| merge.people.contains(&user.id)) {
        return Err(Doubt::Author(Contribution::MergeRequest));
    }
    if pushes.iter().enumerate().any(|(at, push)| {
        push.author == user.id && authorship.may_add(push, &pushes[at + 1..], branch)
    }) {
        return Err(Doubt::Author(Contribution::Push));
    }
    Ok(())
}

impl Authorship {
    /// The names of the tags that `user` has pushed with objects that may be annotations.
    pub fn unknown_tags(&self, user: u64) -> Vec<&str> {
        let is_unknown = |object: &String| self.commit_of(object).is_none();
        let of_user = |push: &&ProjectPush| {
            push.author == user && push.is_of_tags && push.to.as_ref().is_some_and(is_unknown)
        };
        let pushes = self.pushes.iter().filter(of_user);
        let mut names: Vec<&str> = pushes.filter_map(|push| push.name.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether one of the commits may have come to GitLab by `push`. `older` are the pushes before.
    fn may_add(&self, push: &ProjectPush, older: &[ProjectPush], branch: &str) -> bool {
        if push.change == RefChange::Removed {
            return false;
        }
        let (Some(name), Some(object)) = (&push.name, &push.to) else {
            return true;
        };
        if !push.is_of_tags {
            return self.has_commit(object) || self.is_source(name, push.at, branch);
        }
        let Some(commit) = self.commit_of(object) else {
            return true;
        };
        // A decision of any request, even with a mistyped name, is not a push of a commit that was
        // there before. But a commit can also come by a tag of such a name.
        let is_decision = ["deploy/", "reject/"].iter().any(|it| name.starts_with(it));
        let is_of_it = |it: &&ProjectPush| it.to.as_deref() == Some(commit);
        let was_there = || older.iter().any(|it| is_of_it(&it)) || self.came_late(push, is_of_it);
        self.has_commit(commit) && !(is_decision && was_there())
    }

    /// Whether `push` is that of the request's own tag, and GitLab recorded the commit's push after
    /// it. No person has the tag's name before the pipeline has built the commit.
    fn came_late(&self, push: &ProjectPush, is_of_commit: impl Fn(&&ProjectPush) -> bool) -> bool {
        let is_late = |it: &&ProjectPush| it.at > push.at && it.at <= push.at + EVENT_DELAY;
        let mut of_branches = self.pushes.iter().filter(|it| !it.is_of_tags);
        push.name.as_ref() == Some(&self.own_tag)
            && of_branches.any(|it| is_of_commit(&it) && is_late(&it))
    }

    /// Whether it is one of the commits, or one that a squash or a rebase replaced by them.
    fn has_commit(&self, commit: &str) -> bool {
        // GitLab shows no commit that a fast-forward merge created, even if that was a rebase.
        let is_part = |it: &&RequestedMerge| it.created.is_empty() || self.has_created(it);
        let merges = self.merges.iter().filter(is_part);
        let mut heads = merges.filter_map(|merge| merge.head.as_deref());
        self.all_commits().any(|one| one.id == commit) || heads.any(|head| head == commit)
    }

    fn all_commits(&self) -> impl Iterator<Item = &Commit> {
        self.commits.iter().chain(&self.replaced)
    }

    /// The numbers of the merge requests of which a squash has replaced the commits: the merge
    /// created one of the commits, and their last commit is none of them. A rebase keeps the
    /// authors, and a later merge request only contains the commits.
    pub fn squashed_requests(&self) -> BTreeSet<u64> {
        let is_squashed = |it: &&RequestedMerge| {
            self.has_created(it) && !it.head.as_ref().is_some_and(|head| self.is_new(head))
        };
        let squashed = self.merges.iter().filter(is_squashed);
        squashed.map(|merge| merge.iid).collect()
    }

    /// Whether the merge of a request created one of the commits.
    fn has_created(&self, merge: &RequestedMerge) -> bool {
        merge.created.iter().any(|created| self.is_new(created))
    }

    fn is_new(&self, commit: &str) -> bool {
        self.commits.iter().any(|one| one.id == commit)
    }

    /// Whether the branch `name` was the source of a merge request at that time. Other changes of
    /// the pipeline's `branch` are not part of a merge request.
    fn is_source(&self, name: &String, at: SystemTime, branch: &str) -> bool {
        let is_source = |merge: &&RequestedMerge| merge.source.as_ref() == Some(name);
        let is_before = |merged: SystemTime| at <= merged + EVENT_DELAY;
        let mut merges = self.merges.iter().filter(is_source);
        name != branch && merges.any(|merge| merge.merged.is_none_or(is_before))
    }

    /// The commit of the object of a tag. An object that a branch had is a commit. `None` if it may
    /// be an annotation.
    fn commit_of<'a>(&'a self, object: &'a str) -> Option<&'a str> {
        if let Some(tag) = self.tags.iter().find(|tag| tag.target == object) {
            return Some(&tag.commit);
        }
        let is_it = |end: &Option<String>| end.as_deref() == Some(object);
        let mut of_branches = self.pushes.iter().filter(|push| !push.is_of_tags);
        let is_commit =
            self.has_commit(object) || of_branches.any(|push| is_it(&push.from) || is_it(&push.to));
        is_commit.then_some(object)
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
