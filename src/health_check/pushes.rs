//! Starts the pipelines whose branches have a commit that no execution has.

use std::time::Duration;

use tokio::time::Instant;

use super::checker::Checker;
use super::findings::Findings;
use super::metrics;
use super::progress::TimeLimits;
use crate::clients::aws::CallError;
use crate::clients::gitlab;
use crate::clients::gitlab::{Containment, GitLabError};
use crate::gitops_pipeline::missed_push::{self, DeployedBranch, MissedPush};
use crate::gitops_pipeline::pushes::Child;
use crate::gitops_pipeline::report_settings::ReportSettings;
use crate::mirror_credential::health::ForeignTip;

/// How long after the first look the second one follows. An event arrives within seconds, and
/// CodePipeline lists the execution that it starts as soon.
const SECOND_LOOK_DELAY: Duration = Duration::from_secs(60);

/// How long GitLab may take to show where a commit is.
const GITLAB_TIMEOUT: Duration = Duration::from_secs(20);

/// The least time for the second looks and the starts.
const MIN_TIME: Duration = Duration::from_secs(10);

/// A push without an execution, as the first look found it.
#[derive(Clone, Debug)]
pub struct SuspectedPush {
    /// The branch.
    pub branch: DeployedBranch,
    /// What the first look found.
    pub missed: MissedPush,
    /// The branch's project in GitLab. `None` if the pipeline has no `GitLab`.
    pub report: Option<ReportSettings>,
    /// When the first look ended.
    pub found: Instant,
}

impl SuspectedPush {
    /// Whether it is the push of `tip` to this repository of this account.
    fn is_of(&self, repository: &str, tip: &ForeignTip) -> bool {
        let branch = &self.branch;
        branch.is_in(repository) && branch.name == tip.branch && self.missed.commit == tip.commit
    }

    /// What a diagnosis checks.
    pub fn subject(&self) -> String {
        format!(
            "branch {} of pipeline {}",
            self.branch.name,
            self.branch.names.pipeline()
        )
    }

    /// What is wrong, and the remedy.
    pub fn problem(&self) -> String {
        let commit = &self.missed.commit;
        format!(
            "no execution has its latest commit {commit}. The next health check starts one, unless the event \
             rule is disabled or GitLab's branch does not contain the commit"
        )
    }
}

/// What became of a suspected push.
enum Outcome {
    /// Another execution has the tip, or the branch has another tip now.
    NotMissed,
    Started,
    /// The event rule is disabled.
    Frozen,
    /// The branch in GitLab was rewound or deleted since it had the tip.
    Removed,
    /// The branch in this project of GitLab never had the tip.
    Foreign(String),
}

impl Checker<'_> {
    /// Looks for a push without an execution to the branch of `child`, the first time.
    pub async fn look_for_missed_push(
        &self,
        child: &Child,
    ) -> Result<Option<SuspectedPush>, CallError> {
        let Some(branch) = &child.deploys else {
            return Ok(None);
        };
        let missed = missed_push::find(self.clients.aws, branch).await?;
        let settings = child.settings.as_ref();
        Ok(missed.map(|missed| SuspectedPush {
            branch: branch.clone(),
            missed,
            report: settings.and_then(|settings| settings.report.clone()),
            found: Instant::now(),
        }))
    }

    /// Starts the pipelines of the `suspected` pushes that a second look confirms.
    pub async fn start_missed_pushes(
        &self,
        suspected: &[SuspectedPush],
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        for push in suspected {
            let second_look = push.found + SECOND_LOOK_DELAY;
            let pipeline = push.branch.names.pipeline();
            if second_look + MIN_TIME > limits.end {
                // The next check finds it again.
                tracing::warn!(
                    pipeline,
                    "no time for a second look at a push without an execution"
                );
                continue;
            }
            let mut foreign = findings.foreign.iter();
            // The check of the mirror has reported it.
            if foreign.any(|(repository, tip)| push.is_of(repository, tip)) {
                continue;
            }
            tokio::time::sleep_until(second_look).await;
            let left = limits.end.saturating_duration_since(Instant::now());
            let handled = Box::pin(self.start_missed_push(push));
            match tokio::time::timeout(left, handled).await {
                Ok(Ok(outcome)) => self.report_missed_push(push, &pipeline, outcome, findings),
                Ok(Err(error)) => {
                    let problem = format!("it does not run commit {}: {error}", push.missed.commit);
                    self.emit(&pipeline, &[(metrics::MISSED_PUSHES, 1.into())]);
                    findings.checked(format!("pipeline {pipeline}"), Some(problem));
                }
                Err(_) => tracing::warn!(pipeline, "no time to start a push without an execution"),
            }
        }
    }

    async fn start_missed_push(&self, push: &SuspectedPush) -> Result<Outcome, CallError> {
        let (aws, branch) = (self.clients.aws, &push.branch);
        if missed_push::find(aws, branch).await?.as_ref() != Some(&push.missed) {
            return Ok(Outcome::NotMissed);
        }
        if let Some(report) = &push.report
            && let Some(outcome) = self.compare_with_gitlab(report, push).await
        {
            return Ok(outcome);
        }
        if missed_push::is_frozen(aws, &branch.names.event_rule()).await? {
            return Ok(Outcome::Frozen);
        }
        missed_push::start(aws, branch, &push.missed).await?;
        Ok(Outcome::Started)
    }

    /// Why the tip is not started, if GitLab shows that its branch does not contain it. If GitLab does not
    /// answer, the tip is started, as its event would have started it.
    async fn compare_with_gitlab(
        &self,
        report: &ReportSettings,
        push: &SuspectedPush,
    ) -> Option<Outcome> {
        let (aws, http, project) = (self.clients.aws, self.clients.http, &report.project);
        let (branch, commit) = (&push.branch.name, &push.missed.commit);
        let read = async {
            let gitlab = gitlab::open(aws, http, &report.access).await?;
            match gitlab.branch_contains(project, branch, commit).await? {
                Containment::Contained => Ok(None),
                Containment::NoBranch => Ok(Some(Outcome::Removed)),
                Containment::Missing => {
                    let pushes = gitlab.latest_pushes(project).await?;
                    let outcome = if pushes.had_tip(branch, commit) {
                        Outcome::Removed
                    } else {
                        Outcome::Foreign(project.clone())
                    };
                    Ok::<_, GitLabError>(Some(outcome))
                }
            }
        };
        match tokio::time::timeout(GITLAB_TIMEOUT, Box::pin(read)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a push without an execution is not compared with GitLab");
                None
            }
            Err(_) => {
                tracing::warn!("no time to compare a push without an execution with GitLab");
                None
            }
        }
    }

    fn report_missed_push(
        &self,
        push: &SuspectedPush,
        pipeline: &str,
        outcome: Outcome,
        findings: &mut Findings,
    ) {
        let (branch, commit) = (&push.branch.name, &push.missed.commit);
        match outcome {
            Outcome::NotMissed => return,
            Outcome::Started => {
                tracing::warn!(
                    pipeline,
                    branch,
                    commit,
                    "started: the push had no execution"
                );
                findings.started.push(pipeline.to_owned());
            }
            Outcome::Frozen => tracing::warn!(
                pipeline,
                branch,
                commit,
                "the push has no execution and is not started: the event rule is disabled"
            ),
            Outcome::Removed => {
                tracing::warn!(
                    pipeline,
                    branch,
                    commit,
                    "not started: the branch in GitLab no longer has the commit"
                );
                return;
            }
            Outcome::Foreign(project) => {
                tracing::error!(
                    pipeline,
                    branch,
                    commit,
                    "not started: the branch in GitLab never had the commit"
                );
                self.emit(&project, &[(metrics::FOREIGN_TIPS, 1.into())]);
                return;
            }
        }
        self.emit(pipeline, &[(metrics::MISSED_PUSHES, 1.into())]);
    }
}
