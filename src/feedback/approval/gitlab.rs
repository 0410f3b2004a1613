//! Reads from GitLab who approves or rejects a change set.
//!
//! CodeCommit's event of a tag proves nothing: a stolen password of a mirror can push tags and
//! commits. So every record is read from GitLab, and nothing is approved if a record cannot be
//! read.

use super::plan;
use super::plan::{Authorship, Doubt};
use super::request::{ApprovalRequest, ApprovedBefore, Range};
use crate::clients::aws::{Aws, CallError};
use crate::clients::gitlab::{
    Containment, GitLab, GitLabError, GitLabUser, ProjectPush, ProjectRef, Tag,
};
use crate::feedback::change_sets::Creation;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::approval_tags::{
    ApprovalTag, Decision, Exposure, TagProtection,
};
use crate::gitops_pipeline::settings::{GitLabApprovals, ReportSettings};

/// The most tags of a person whose commits are looked up. Each takes a call.
const MAX_TAGS: usize = 20;

/// Why it is unknown who approves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    #[error(transparent)]
    Aws(#[from] CallError),
    #[error(transparent)]
    GitLab(#[from] GitLabError),
}

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// The tag that decides, and who created it.
    pub verdict: Option<(ApprovalTag, GitLabUser)>,
    /// The tags that decide nothing, and why.
    pub doubts: Vec<(String, Doubt)>,
}

/// Who decides about a request.
pub struct Inquiry<'a> {
    pub gitlab: &'a GitLab,
    pub pipeline: &'a PipelineSettings,
    /// Its project in GitLab.
    pub report: &'a ReportSettings,
    /// How its change sets are approved.
    pub approvals: &'a GitLabApprovals,
    pub request: &'a ApprovalRequest,
}

impl Inquiry<'_> {
    /// The names of the request's tags. A rejection comes first.
    pub fn tags(&self) -> [ApprovalTag; 2] {
        [Decision::Reject, Decision::Deploy].map(|decision| ApprovalTag {
            decision,
            names: self.pipeline.names.clone(),
            key: self.request.key.clone(),
        })
    }

    /// The decision by the tags of the request. A rejection wins, and nothing is approved while one
    /// exists that is not proved.
    pub async fn decide(&self, aws: &Aws) -> Result<Decided, ApprovalError> {
        let mut decided = Decided::default();
        let change_set = &self.request.change_set;
        let is_executable = matches!(change_set.creation, Creation::Complete | Creation::Empty);
        let before = self.read_tags().await?;
        if before == [None, None] || change_set.id.is_empty() || !is_executable {
            return Ok(decided);
        }
        let (names, allow_author) = (&self.pipeline.names, self.approvals.allow_author);
        let range = self.request.range(aws, names, allow_author).await?;
        let Some(range) = range else {
            return Ok(decided);
        };
        for (tag, shown) in self.tags().iter().zip(&before) {
            let Some(shown) = shown else {
                continue;
            };
            // A rejection comes first.
            if !decided.doubts.is_empty() {
                decided.doubts.push((tag.name(), Doubt::Rejected));
                break;
            }
            match Box::pin(self.prove(tag, shown, &range)).await {
                Ok(user) => {
                    decided.verdict = Some((tag.clone(), user));
                    break;
                }
                Err(Unproved::Doubt(doubt)) => decided.doubts.push((tag.name(), doubt)),
                Err(Unproved::Failed(error)) => return Err(error.into()),
            }
        }
        if decided.verdict.is_some()
            && self.read_tags().await? != before
            && let Some((tag, _)) = decided.verdict.take()
        {
            decided.doubts.push((tag.name(), Doubt::Changed));
        }
        Ok(decided)
    }

    fn project(&self) -> ProjectRef<'_> {
        self.report.project()
    }

    async fn read_tags(&self) -> Result<[Option<Tag>; 2], GitLabError> {
        let [reject, deploy] = self.tags().map(|tag| tag.name());
        let project = self.project();
        Ok([
            self.gitlab.tag(project, &reject).await?,
            self.gitlab.tag(project, &deploy).await?,
        ])
    }

    /// The person who created the tag, if everything about it is proved.
    async fn prove(
        &self,
        tag: &ApprovalTag,
        shown: &Tag,
        range: &Range,
    ) -> Result<GitLabUser, Unproved> {
        let (gitlab, number, project) = (self.gitlab, self.report.project_number, self.project());
        let protection = TagProtection::read(gitlab, project).await?;
        if protection.project.id != number {
            return Err(Doubt::from(Exposure::OtherProject).into());
        }
        protection.check(tag).map_err(Doubt::from)?;
        let (branch, commit) = (&self.pipeline.branch, &range.commit);
        let containment = gitlab.branch_contains(project, branch, commit).await?;
        plan::check_commit(shown, commit, containment)?;
        let is_undo = self.is_undo(range).await?;
        let undo = range.approved_before.as_ref().filter(|_| is_undo);
        let former = undo.and_then(|before| before.former.as_ref());
        let starts = [&range.deployed.as_ref(), &former];
        let starts = starts.into_iter().flatten().map(|(_, started)| *started);
        let starts = starts.chain(undo.map(|before| before.started));
        let since = starts.fold(self.request.since, Ord::min);
        let pushes = gitlab.pushes_since(project, since).await?;
        if protection.project.has_releases() && gitlab.has_release(project, &tag.name()).await? {
            return Err(Doubt::Released.into());
        }
        let creator = plan::creator(number, &tag.name(), shown, pushes.as_deref())?;
        let user = gitlab.user(creator).await?;
        let level = gitlab.member_level(project, creator).await?;
        let own_user = gitlab.own_user_id().await?;
        plan::check_person(&user, level, own_user)?;
        if !self.approvals.allow_author {
            let pushes: Vec<_> = pushes.into_iter().flatten().collect();
            self.check_ranges(&user, shown, range, &pushes, undo)
                .await?;
        }
        Ok(user)
    }

    /// Whether the commit is an ancestor of the last deployed one, and a person has approved a
    /// deployment of it before. An ancestor that none was deployed of may be a state that no one
    /// has looked at: a commit in the middle of a push, whose defect the next one removed.
    async fn is_undo(&self, range: &Range) -> Result<bool, GitLabError> {
        let (Some((deployed, _)), Some(_)) = (&range.deployed, &range.approved_before) else {
            return Ok(false);
        };
        let (gitlab, project) = (self.gitlab, self.project());
        let found = gitlab.history_contains(project, deployed, &range.commit);
        Ok(found.await? == Containment::Contained)
    }

    /// Checks that `user`, who created the tag `shown`, is not one of those who made the commits of
    /// `range`: those since the last deployed one, or those that an `undo` removes. The commits
    /// that an undo restores count too, unless another person has approved them before: with
    /// `AllowAuthor`, their author may have been the only one who looked at them.
    async fn check_ranges(
        &self,
        user: &GitLabUser,
        shown: &Tag,
        range: &Range,
        pushes: &[ProjectPush],
        undo: Option<&ApprovedBefore>,
    ) -> Result<(), Unproved> {
        let (deployed, _) = range.deployed.as_ref().ok_or(Doubt::FirstDeployment)?;
        let commit = &range.commit;
        let authorship = |restored| Authorship {
            commits: vec![],
            merges: vec![],
            pushes: pushes.to_vec(),
            tags: vec![shown.clone()],
            restored,
        };
        let Some(before) = undo else {
            let of_new = authorship(None);
            return self.check_authors(user, deployed, commit, of_new).await;
        };
        let of_removed = authorship(Some(commit.clone()));
        self.check_authors(user, commit, deployed, of_removed)
            .await?;
        if before.approver.is_some_and(|approver| approver != user.id) {
            return Ok(());
        }
        let (former, _) = before.former.as_ref().ok_or(Doubt::FirstRestored)?;
        let of_restored = authorship(None);
        self.check_authors(user, former, commit, of_restored).await
    }

    /// Checks that `user` is not one of those who made the commits of `to` that `from` does not
    /// have. `authorship` has GitLab's other records.
    async fn check_authors(
        &self,
        user: &GitLabUser,
        from: &str,
        to: &str,
        mut authorship: Authorship,
    ) -> Result<(), Unproved> {
        let (gitlab, project) = (self.gitlab, self.project());
        let listed = gitlab.commits_since(project, from, to).await?;
        authorship.commits = plan::check_commits(listed, from, to)?;
        for commit in &authorship.commits {
            let found = gitlab.merges_of(project, &commit.id).await?;
            let found = found.ok_or(Doubt::TooLargeMerges)?;
            authorship.merges.extend(found);
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
