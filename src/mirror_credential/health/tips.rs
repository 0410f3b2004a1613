//! Compares the branches of GitLab with those that a mirror pushed to CodeCommit. It changes
//! nothing.

use std::time::{Duration, SystemTime};

use crate::clients::aws::{Aws, CallError};
use crate::clients::codecommit::{self, BranchTip};
use crate::clients::gitlab::{Branch, Containment, ErrorKind, ErrorScope, GitLab, GitLabError};
use crate::common::commands::create_repository;
use crate::common::pace::Pace;
use crate::mirror_credential::intent_log::mirrors::MirrorPlace;
use cfn_custom_resource::Reason;

/// The most branches of a mirror that are compared. Most mirrors push the branches of two or three
/// environments.
pub(super) const MAX_COMPARED: usize = 10;

/// The time after which a branch whose commit GitLab does not have is compared again: GitLab writes
/// the event of a push after the push, in a job.
const SECOND_LOOK_DELAY: Duration = Duration::from_secs(10);

/// The branches of a mirror, compared with GitLab's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComparedTips {
    /// How long CodeCommit has lacked the latest commit of a branch: the longest time. Zero if it
    /// lacks none. `None` if no branch was compared.
    pub lag: Option<Duration>,
    /// The branches whose commit in CodeCommit GitLab's branch does not contain, and never had.
    pub foreign: Vec<ForeignTip>,
}

impl ComparedTips {
    fn add(&mut self, branch: &str, compared: Compared, now: SystemTime) {
        let lag = match compared {
            Compared::Same => Duration::ZERO,
            Compared::Lags(since) => {
                since.and_then(|since| now.duration_since(since).ok()).unwrap_or_default()
            }
            Compared::Foreign(commit) => {
                let branch = branch.to_owned();
                return self.foreign.push(ForeignTip { branch, commit });
            }
        };
        self.lag = self.lag.max(Some(lag));
    }
}

/// The latest commit of a branch in CodeCommit, which the mirror did not push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignTip {
    pub branch: String,
    pub commit: String,
}

#[derive(Debug, thiserror::Error)]
pub enum TipsError {
    #[error(transparent)]
    CodeCommit(#[from] CallError),
    #[error(transparent)]
    GitLab(#[from] GitLabError),
    #[error("repository {0} does not exist")]
    NoRepository(String),
}

impl TipsError {
    pub fn reason(&self) -> Reason {
        match self {
            TipsError::CodeCommit(error) => error.reason(),
            TipsError::GitLab(error) => error.reason(),
            TipsError::NoRepository(name) => {
                let before = "If a Custom::GitOpsPipeline creates it, delete the stack of that resource if it exists, then \
                     update the resource with a changed property, such as RenderingSerial (in the templates of a \
                     release: the parameter GitLabProjectUrl or ResourceTags). Otherwise create it \
                     again: ";
                let remedy =
                    create_repository(name).after(before).then(". Then push to the project");
                Reason::uncoded(self.to_string(), remedy)
            }
        }
    }

    /// Whether GitLab does not respond.
    fn is_silent(&self) -> bool {
        match self {
            TipsError::GitLab(error) => {
                error.scope == ErrorScope::GitLab || error.kind == ErrorKind::NoResponse
            }
            TipsError::CodeCommit(_) | TipsError::NoRepository(_) => false,
        }
    }

    /// Whether every other branch has the same error.
    fn is_final(&self) -> bool {
        self.is_silent() || matches!(self, TipsError::NoRepository(_))
    }
}

/// A branch in CodeCommit, compared with GitLab's.
enum Compared {
    /// Both have the same commit, or GitLab has deleted the branch.
    Same,
    /// CodeCommit lacks a commit, since then. `None` if GitLab does not show since when.
    Lags(Option<SystemTime>),
    /// GitLab's branch never had this commit.
    Foreign(String),
}

pub struct Comparison<'a> {
    pub aws: &'a Aws,
    pub gitlab: &'a GitLab,
    pub place: MirrorPlace<'a>,
    /// The pace of the requests to GitLab.
    pub pace: &'a Pace,
    pub now: SystemTime,
}

impl Comparison<'_> {
    /// Compares the first of `branches`. For each branch with the same commit on both sides, it
    /// takes one call of CodeCommit. Also returns the errors of the branches that were not
    /// compared.
    pub async fn of(&self, branches: &[Branch]) -> (ComparedTips, Vec<TipsError>) {
        let (mut all, mut errors, mut unknown) = (ComparedTips::default(), vec![], vec![]);
        for branch in branches.iter().take(MAX_COMPARED) {
            let compared = match self.tip(&branch.name).await {
                Ok(tip) if tip.as_deref() == Some(&branch.tip.id) => Ok(Compared::Same),
                Ok(_) => self.look(&branch.name).await,
                Err(error) => Err(error),
            };
            match compared {
                Ok(Compared::Foreign(_)) => unknown.push(&branch.name),
                Ok(compared) => all.add(&branch.name, compared, self.gitlab.now(self.now)),
                Err(error) => {
                    // Each further branch would wait for the same GitLab.
                    let is_final = error.is_final();
                    errors.push(error);
                    if is_final {
                        break;
                    }
                }
            }
        }
        // One pause for all branches, so that many of them leave time for other mirrors.
        if !unknown.is_empty() {
            tokio::time::sleep(SECOND_LOOK_DELAY).await;
        }
        for name in unknown {
            match self.look(name).await {
                Ok(compared) => all.add(name, compared, self.gitlab.now(self.now)),
                Err(error) => errors.push(error),
            }
        }
        (all, errors)
    }

    /// CodeCommit is read first. So a push in between only makes GitLab's branch longer.
    async fn look(&self, name: &str) -> Result<Compared, TipsError> {
        let project = self.place.project;
        let tip = self.tip(name).await?;
        self.pace.wait().await;
        let Some(branch) = self.gitlab.branch(project, name).await? else {
            return Ok(Compared::Same);
        };
        if tip.as_ref() == Some(&branch.tip.id) {
            return Ok(Compared::Same);
        }
        let pushes = self.gitlab.latest_pushes(project).await?;
        if let Some(tip) = tip
            && !pushes.contains_tip(name, &tip)
        {
            let history = self.gitlab.history_contains(project, &branch.tip.id, &tip);
            if history.await? != Containment::Contained {
                return Ok(Compared::Foreign(tip));
            }
        }
        let pushed_at = pushes.pushed_at(name, &branch.tip.id);
        Ok(Compared::Lags(pushed_at.or(branch.tip.committed_at)))
    }

    /// The latest commit of a branch in CodeCommit. `None` if the branch does not exist.
    async fn tip(&self, branch: &str) -> Result<Option<String>, TipsError> {
        let repository_name = self.place.repository_name;
        let read = || codecommit::tip(&self.aws.codecommit, repository_name, branch);
        let mut tip = read().await?;
        if tip == BranchTip::NoRepository {
            // One such answer may be wrong.
            tip = read().await?;
        }
        match tip {
            BranchTip::Commit(commit) => Ok(Some(commit)),
            BranchTip::NoBranch => Ok(None),
            BranchTip::NoRepository => Err(TipsError::NoRepository(repository_name.to_owned())),
        }
    }
}
