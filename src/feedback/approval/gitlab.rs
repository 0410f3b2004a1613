//! Reads from GitLab who approves or rejects a change set.
//!
//! CodeCommit's event of a tag proves nothing: a stolen password of a mirror can push tags and
//! commits. So every record is read from GitLab, and nothing is approved if a record cannot be
//! read.

use std::time::SystemTime;

use super::ahead;
use super::ahead::Ahead;
use super::plan;
use super::plan::{Authorship, Doubt, InAws};
use super::request::{ApprovalRequest, Range};
use super::tags::{LatestTags, RequestTags};
use crate::clients::gitlab::{Containment, GitLab, GitLabError, GitLabUser, MAX_COMMITS, Tag};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::ReportSettings;
use crate::gitops_pipeline::settings::approval_tags::{
    ApprovalTag, Decision, Exposure, TagProtection,
};

/// The most tags of a person whose commits are looked up. Each takes a call.
const MAX_TAGS: usize = 20;

/// The most pushes after that of the commit. Each takes a call.
const MAX_LATER: usize = 100;

#[derive(Debug, thiserror::Error)]
enum Unproved {
    /// GitLab's records contradict it.
    #[error(transparent)]
    Doubt(#[from] Doubt),
    /// GitLab does not return its records.
    #[error(transparent)]
    Failed(#[from] GitLabError),
}

/// The decision by the tags of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The tag that decides, if the notes show the request.
    pub verdict: Option<Verdict>,
    /// The number of the tags that the notes have to show.
    pub number: u32,
    /// The tags that decide nothing, and why.
    pub doubts: Vec<(String, Doubt)>,
    /// Why no tag approves, even of another person.
    pub obstacle: Option<Doubt>,
    /// Whether the decision may still follow. A note that is edited meanwhile would be later than
    /// the tag.
    pub is_open: bool,
}

/// A tag that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub tag: ApprovalTag,
    pub user: GitLabUser,
    pub commit: String,
    /// When GitLab recorded the tag.
    pub at: SystemTime,
}

impl Decided {
    /// A decision that may follow.
    pub fn open(obstacle: Option<Doubt>) -> Self {
        Decided {
            verdict: None,
            number: 1,
            doubts: vec![],
            obstacle,
            is_open: true,
        }
    }
}

/// Who decides about a request.
pub struct Inquiry<'a> {
    pub gitlab: &'a GitLab,
    pub pipeline: &'a PipelineSettings,
    /// Its project in GitLab.
    pub report: &'a ReportSettings,
    pub request: &'a ApprovalRequest,
    /// The commits that it deploys.
    pub range: &'a Range,
}

impl From<InAws> for Unproved {
    fn from(reason: InAws) -> Self {
        Unproved::Doubt(reason.into())
    }
}

impl Inquiry<'_> {
    /// The decision by the latest tags of the request. A rejection wins, and nothing is approved
    /// while one exists that is not proved.
    pub async fn decide(&self) -> Result<Decided, GitLabError> {
        let ahead = match Box::pin(self.ahead()).await {
            Ok(ahead) => ahead,
            Err(Unproved::Doubt(doubt)) => {
                return Ok(Decided {
                    is_open: !matches!(doubt, Doubt::InAws(_)),
                    ..Decided::open(Some(doubt))
                });
            }
            Err(Unproved::Failed(error)) => return Err(error),
        };
        let tags = RequestTags {
            gitlab: self.gitlab,
            project: self.report.project(),
            names: &self.pipeline.names,
            request: self.request,
        };
        let latest = tags.latest(&ahead.pushes).await?;
        let mut decided = Box::pin(self.prove_tags(&latest, &ahead)).await?;
        if decided.verdict.is_some() && tags.read(latest.number).await? != latest.shown {
            decided.verdict = None;
            decided.is_open = true;
        }
        // The event may follow, and the note has to be older.
        let mut doubts = decided.doubts.iter();
        if let Some((tag, doubt)) = doubts.find(|(_, doubt)| *doubt == Doubt::NoEvent) {
            let remedy = doubt.remedy();
            tracing::warn!(tag, error = %doubt, %remedy, "a tag decides nothing yet");
            decided.number = latest.number;
            decided.is_open = true;
        }
        Ok(decided)
    }

    /// The decision by the `latest` tags. A rejection comes first.
    async fn prove_tags(&self, latest: &LatestTags, ahead: &Ahead) -> Result<Decided, GitLabError> {
        let is_held = self.request.is_held;
        let mut decided = Decided {
            number: latest.next,
            is_open: false,
            ..Decided::open(is_held.then_some(Doubt::Held))
        };
        let tags = self.request.tags(&self.pipeline.names, latest.number);
        for (tag, shown) in tags.into_iter().zip(&latest.shown) {
            let (name, Some(shown)) = (tag.name(), shown) else {
                continue;
            };
            let approves = tag.decision == Decision::Deploy;
            if approves && (latest.has_rejection || !decided.doubts.is_empty()) {
                decided.doubts.push((name, Doubt::Rejected));
                break;
            }
            if approves && is_held {
                decided.is_open = true;
                break;
            }
            match Box::pin(self.prove(tag, shown, ahead)).await {
                Ok(verdict) => {
                    decided.verdict = Some(verdict);
                    break;
                }
                // It is the same for the next tags.
                Err(Unproved::Doubt(doubt @ Doubt::InAws(_))) => {
                    decided.obstacle = Some(doubt);
                    break;
                }
                Err(Unproved::Doubt(doubt)) => decided.doubts.push((name, doubt)),
                Err(Unproved::Failed(error)) => return Err(error),
            }
        }
        Ok(decided)
    }

    /// GitLab's records of the commit that waits, if it is ahead of the deployed ones.
    async fn ahead(&self) -> Result<Ahead, Unproved> {
        let (gitlab, project, range) = (self.gitlab, self.report.project(), self.range);
        let (commit, branch) = (&range.commit, &self.pipeline.branch);
        let (base, started) = range.base.as_ref().ok_or(InAws::FirstDeployment)?;
        if [base, &range.deployed].contains(&commit) {
            return Err(InAws::SameCommit.into());
        }
        if gitlab.branch_contains(project, branch, commit).await? != Containment::Contained {
            return Err(InAws::NotOnBranch.into());
        }
        let commits = gitlab.commits_since(project, base, commit).await?;
        let commits = commits.ok_or(InAws::TooManyCommits)?;
        let is_before = |former: &str| ahead::descends(&commits, commit, former);
        if !is_before(base) {
            return Err(InAws::NotAhead.into());
        }
        if !is_before(&range.deployed)
            && !gitlab.is_ancestor(project, &range.deployed, commit).await?
        {
            return Err(InAws::NotAhead.into());
        }
        let pushes = gitlab.pushes_since(project, *started).await?.ok_or(InAws::TooManyPushes)?;
        let later = ahead::check_pushes([base, commit], &commits, branch, &pushes)?;
        if later.len() > MAX_LATER {
            return Err(InAws::TooManyCommits.into());
        }
        for [from, to] in later {
            if !gitlab.is_ancestor(project, from, to).await? {
                return Err(InAws::Moved.into());
            }
        }
        Ok(Ahead { commits, pushes })
    }

    /// The verdict by the tag, if everything about it is proved.
    async fn prove(
        &self,
        tag: ApprovalTag,
        shown: &Tag,
        ahead: &Ahead,
    ) -> Result<Verdict, Unproved> {
        let (gitlab, report) = (self.gitlab, self.report);
        let (number, project) = (report.project_number, report.project());
        let protection = TagProtection::read(gitlab, project).await?;
        if protection.project.id != number {
            return Err(Doubt::from(Exposure::OtherProject).into());
        }
        protection.check(&tag).map_err(Doubt::from)?;
        if shown.commit != self.range.commit {
            return Err(Doubt::OtherCommit.into());
        }
        if protection.project.has_releases() && gitlab.has_release(project, &tag.name()).await? {
            return Err(Doubt::Released.into());
        }
        let created = plan::creation(number, &tag.name(), shown, &ahead.pushes)?;
        let user = gitlab.user(created.author).await?;
        let level = gitlab.member_level(project, created.author).await?;
        let own_user = gitlab.own_user_id().await?;
        plan::check_person(&user, level, own_user)?;
        let approvals = self.pipeline.gitlab_approvals();
        if approvals.is_none_or(|(_, approvals)| !approvals.allow_author) {
            self.check_authors(&user, &tag, shown, ahead).await?;
        }
        Ok(Verdict {
            tag,
            user,
            commit: self.range.commit.clone(),
            at: created.at,
        })
    }

    /// Checks that `user`, who created the tag, is not one of those who made the new commits.
    async fn check_authors(
        &self,
        user: &GitLabUser,
        tag: &ApprovalTag,
        shown: &Tag,
        ahead: &Ahead,
    ) -> Result<(), Unproved> {
        let (gitlab, project) = (self.gitlab, self.report.project());
        let mut authorship = Authorship {
            commits: ahead.commits.clone(),
            replaced: vec![],
            merges: vec![],
            pushes: ahead.pushes.clone(),
            tags: vec![shown.clone()],
            own_tag: tag.name(),
        };
        for commit in &ahead.commits {
            let found =
                gitlab.merges_of(project, &commit.id).await?.ok_or(InAws::TooLargeMerges)?;
            authorship.merges.extend(found);
        }
        for iid in authorship.squashed_requests() {
            let replaced = gitlab.commits_of_request(project, iid).await?;
            authorship.replaced.extend(replaced.ok_or(InAws::TooLargeMerges)?);
            if authorship.replaced.len() > MAX_COMMITS {
                return Err(InAws::TooLargeMerges.into());
            }
        }
        let unknown = authorship.unknown_tags(user.id);
        let mut tags = vec![];
        for name in unknown.into_iter().take(MAX_TAGS) {
            tags.extend(gitlab.tag(project, name).await?);
        }
        authorship.tags.extend(tags);
        plan::check_authors(user, &authorship, &self.pipeline.branch)?;
        Ok(())
    }
}
