//! Starts the pipelines whose branches have a commit that no execution has, or whose execution an
//! update canceled.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::checker::Checker;
use super::concurrent::{
    Checking, PIPELINES_PER_SECOND, SECOND_LOOK_DELAY, TimeLimits, check_each,
};
use super::findings::{Findings, ForeignPush};
use super::metrics;
use crate::clients::aws::CallError;
use crate::clients::failing_calls::within;
use crate::clients::gitlab;
use crate::clients::gitlab::{Containment, GitLabError, RetryTime};
use crate::common::commands::aws;
use crate::common::pace::Pace;
use crate::gitops_pipeline::child::Child;
use crate::gitops_pipeline::executions::Outcome;
use crate::gitops_pipeline::holds::{self, DeclaredRule, Hold, RuleState};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::pushes::missed_push::{self, MissedPush, MissingPart, PipelineLook};
use crate::gitops_pipeline::settings::ReportSettings;
use cfn_custom_resource::Reason;

/// How long GitLab may take to show where a commit is.
const GITLAB_TIMEOUT: Duration = Duration::from_secs(20);

/// A missed push, as the first look found it.
#[derive(Clone, Debug)]
pub struct SuspectedPush {
    pub pipeline: String,
    pub settings: PipelineSettings,
    pub missed: MissedPush,
    /// The freeze of the event rule that starts it. `None` if it is not frozen, and after an undo:
    /// then nothing starts it at the end of a freeze either.
    pub hold: Option<Hold>,
    /// When the first look ended.
    pub found: Instant,
}

impl SuspectedPush {
    /// Whether it is the push `foreign` to a repository of this account.
    fn is_of(&self, ForeignPush { repository, tip }: &ForeignPush) -> bool {
        let settings = &self.settings;
        settings.has_source(repository)
            && settings.branch == tip.branch
            && self.missed.commit == tip.commit
    }

    /// Adds it to the findings of a diagnosis.
    pub fn report(&self, findings: &mut Findings) {
        let subject = branch_subject(&self.settings);
        let Some(hold) = &self.hold else {
            return findings.checked(subject, Some(self.problem()));
        };
        let commit = &self.missed.commit;
        findings.held(format!("commit {commit} of {subject}"), hold.clone());
    }

    fn problem(&self) -> Reason {
        let commit = &self.missed.commit;
        if self.missed.is_undone {
            let problem = format!(
                "no execution has its latest commit {commit}, and none is started: a person started the \
                 newest execution with another commit"
            );
            let command = [
                "codepipeline",
                "start-pipeline-execution",
                "--name",
                &self.pipeline,
            ];
            let remedy = aws(command)
                .after("Deploy the latest commit: ")
                .then(". Or revert it in GitLab");
            return Reason::uncoded(problem, remedy);
        }
        let problem = if self.missed.was_canceled {
            format!(
                "an update of the pipeline canceled the execution of its latest commit {commit}"
            )
        } else {
            format!(
                "no execution has its latest commit {commit}, which may have been pushed in the last minute"
            )
        };
        let remedy = "Wait for the next health check, which starts one. It does not if the event rule is \
            disabled, GitLab's branch does not contain the commit, or GitLab rejects the look-up";
        Reason::uncoded(problem, remedy)
    }
}

/// The result of the first look at the pipeline of a stack.
#[derive(Debug, Default)]
pub struct LookedAt {
    pub missed: Option<SuspectedPush>,
    /// The parts of the stack that a person has deleted.
    pub missing: Vec<MissingPart>,
    /// The subject of a branch of another account, if only the health check looks at it.
    pub unread_branch: Option<String>,
}

fn branch_subject(settings: &PipelineSettings) -> String {
    let (branch, pipeline) = (&settings.branch, settings.names.pipeline());
    format!("branch {branch} of pipeline {pipeline}")
}

fn suspected(
    settings: &PipelineSettings,
    missed: MissedPush,
    rules: &[DeclaredRule],
) -> SuspectedPush {
    let disabled = DeclaredRule {
        rule: missed.rule,
        state: RuleState::Disabled,
    };
    let is_held = rules.contains(&disabled) && !missed.is_undone;
    SuspectedPush {
        hold: is_held.then(|| Hold::Rule(missed.rule, settings.names.clone())),
        pipeline: settings.names.pipeline(),
        settings: settings.clone(),
        missed,
        found: Instant::now(),
    }
}

impl Checker<'_> {
    /// Looks up the event rules of `child`. It does so while an operation runs, too: people freeze
    /// then.
    pub async fn look_at_rules(&self, child: &Child) -> Result<Vec<DeclaredRule>, CallError> {
        let (aws, mut found) = (&self.clients.aws, vec![]);
        let Some(settings) = &child.settings else {
            return Ok(found);
        };
        for rule in settings.event_rules() {
            let state = holds::rule_state(aws, &settings.names, rule).await?;
            found.push(DeclaredRule { rule, state });
        }
        Ok(found)
    }

    /// Looks for a missed push to the branch of `child`, the stack `name`, and for missing parts of
    /// the stack, whose event rules are `rules`.
    pub async fn look_at_pipeline(
        &self,
        name: &str,
        child: &Child,
        rules: &[DeclaredRule],
    ) -> Result<LookedAt, CallError> {
        let mut looked = self.look_at_parts(child, rules).await?;
        if !looked.missing.is_empty() {
            // The stack may have been updated or deleted since it was read, and one answer that
            // something does not exist may be wrong.
            let shown = match self.gitops_pipeline.look_up_child(name).await? {
                Some(now) => {
                    let rules = self.look_at_rules(&now).await?;
                    self.look_at_parts(&now, &rules).await?.missing
                }
                None => vec![],
            };
            looked.missing.retain(|part| shown.contains(part));
        }
        Ok(looked)
    }

    /// One look. It finds nothing while an operation runs.
    async fn look_at_parts(
        &self,
        child: &Child,
        rules: &[DeclaredRule],
    ) -> Result<LookedAt, CallError> {
        let (aws, mut looked) = (&self.clients.aws, LookedAt::default());
        let Some(settings) = &child.settings else {
            return Ok(looked);
        };
        if child.is_runnable {
            // The role of the function that only reads assumes no other one.
            let is_readable = self.may_change() || !settings.is_cross_account();
            let look = if is_readable {
                missed_push::find(aws, settings, self.schedule.began).await?
            } else {
                looked.unread_branch = Some(branch_subject(settings));
                missed_push::find_pipeline(aws, settings).await?
            };
            match look {
                PipelineLook::Missing(part) => {
                    looked.missing.push(part);
                    return Ok(looked);
                }
                PipelineLook::Push(missed) => {
                    looked.missed = Some(suspected(settings, missed, rules));
                }
                PipelineLook::Nothing => {}
            }
        } else if child.waits_for.is_none() {
            return Ok(looked);
        }
        let missing = rules.iter().filter(|it| it.state == RuleState::Missing);
        looked.missing.extend(missing.map(|it| MissingPart::EventRule(it.rule)));
        Ok(looked)
    }

    /// Starts the pipelines of the `suspected` pushes that a second look confirms. The next check
    /// finds the others again.
    pub async fn start_missed_pushes<'a>(
        &self,
        suspected: impl Iterator<Item = &'a SuspectedPush>,
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        let foreign = &findings.foreign;
        // The check of the mirror has reported the others.
        let is_known = |push: &SuspectedPush| foreign.iter().any(|foreign| push.is_of(foreign));
        let suspected = suspected.filter(|push| !is_known(push));
        let last = limits.last_look();
        let (in_time, late): (Vec<_>, Vec<_>) = suspected.partition(|push| push.found <= last);
        let items = in_time.iter().map(|push| (push.pipeline.as_str(), *push));
        let pace = &Pace::per_second(PIPELINES_PER_SECOND);
        let start = |_, push: &'a SuspectedPush| -> Checking<'_, _> {
            Box::pin(async move {
                sleep_until(push.found + SECOND_LOOK_DELAY).await;
                pace.wait().await;
                (push, self.start_missed_push(push).await)
            })
        };
        let limits = limits.until(limits.end);
        let left = check_each(items.collect(), &limits, start, |_, (push, started)| {
            self.report_missed_push(push, started, findings);
        });
        if left.await + late.len() > 0 {
            tracing::warn!("no time for a second look at missed pushes");
        }
    }

    /// `None` if the push needs no start.
    async fn start_missed_push(&self, push: &SuspectedPush) -> Result<Option<Outcome>, Reason> {
        let (aws, settings) = (&self.clients.aws, &push.settings);
        let found = missed_push::find(aws, settings, self.schedule.began).await?;
        if found != PipelineLook::Push(push.missed.clone()) {
            return Ok(None);
        }
        if let Some(report) = &settings.stored.report {
            let is_in_gitlab = self.is_in_gitlab(report, push).await;
            if !is_in_gitlab.map_err(|error| error.reason())? {
                return Ok(None);
            }
        }
        let started = missed_push::start(aws, &settings.names, &push.missed).await?;
        Ok(Some(started))
    }

    /// Whether GitLab's branch contains the tip. Also `true` if GitLab does not respond now: the
    /// event would have started the tip.
    ///
    /// # Errors
    /// If GitLab rejects the look-up. A revoked token would otherwise end this comparison for ever.
    async fn is_in_gitlab(
        &self,
        report: &ReportSettings,
        push: &SuspectedPush,
    ) -> Result<bool, GitLabError> {
        let (aws, http, project) = (&self.clients.aws, &self.clients.http, report.project());
        let (pipeline, branch, commit) =
            (&push.pipeline, &push.settings.branch, &push.missed.commit);
        let read = async {
            let gitlab = gitlab::open(aws, http, &report.access).await?;
            let found = gitlab.branch_contains(project, branch, commit).await?;
            Ok::<_, GitLabError>((gitlab, found))
        };
        let (gitlab, found) = match within(GITLAB_TIMEOUT, Box::pin(read)).await {
            Ok(Ok((_, Containment::Contained))) => return Ok(true),
            Ok(Ok(read)) => read,
            Ok(Err(error)) if error.retry != RetryTime::Later => return Err(error),
            Ok(Err(error)) => {
                warn!(
                    error.reason(),
                    "a push without an execution is not compared with GitLab"
                );
                return Ok(true);
            }
            Err(error) => {
                tracing::warn!(%error, "no time to compare a push without an execution with GitLab");
                return Ok(true);
            }
        };
        // GitLab's events only decide about the report.
        let is_foreign = found == Containment::Missing
            && match timeout(GITLAB_TIMEOUT, Box::pin(gitlab.latest_pushes(project))).await {
                Ok(pushes) => !pushes?.contains_tip(branch, commit),
                Err(_) => false,
            };
        if is_foreign {
            tracing::error!(
                pipeline,
                branch,
                commit,
                "not started: the branch in GitLab never had the commit"
            );
            self.emit(&report.project, &[(metrics::FOREIGN_TIPS, 1.into())]);
        } else {
            // It was rewound or deleted since.
            tracing::warn!(
                pipeline,
                branch,
                commit,
                "not started: the branch in GitLab does not have the commit"
            );
        }
        Ok(false)
    }

    fn report_missed_push(
        &self,
        push: &SuspectedPush,
        started: Result<Option<Outcome>, Reason>,
        findings: &mut Findings,
    ) {
        let (pipeline, branch, commit) =
            (&push.pipeline, &push.settings.branch, &push.missed.commit);
        let text = match started {
            Ok(None) => return,
            // An update is ordinary, so the metric and its alarm do not count this start.
            Ok(Some(Outcome::Started)) if push.missed.was_canceled => {
                return tracing::warn!(
                    pipeline,
                    commit,
                    "started again: an update of the pipeline canceled the execution"
                );
            }
            Ok(Some(Outcome::Started)) => {
                findings.started.push(pipeline.clone());
                "started: the push had no execution"
            }
            Ok(Some(Outcome::Frozen)) if push.missed.is_undone => {
                "the push has no execution and is not started: a person started the newest execution with \
                 another commit. Start the pipeline, or revert the push in GitLab"
            }
            Ok(Some(Outcome::Frozen)) if push.missed.was_canceled => {
                "an update canceled the execution, and it is not started: the event rule is disabled"
            }
            Ok(Some(Outcome::Frozen)) => {
                "the push has no execution and is not started: the event rule is disabled"
            }
            Err(reason) => return self.report_failed_start(push, reason, findings),
        };
        tracing::warn!(pipeline, branch, commit, "{text}");
        self.emit(pipeline, &[(metrics::MISSED_PUSHES, 1.into())]);
    }

    fn report_failed_start(&self, push: &SuspectedPush, reason: Reason, findings: &mut Findings) {
        let (pipeline, branch, commit) =
            (&push.pipeline, &push.settings.branch, &push.missed.commit);
        error!(reason, pipeline, branch, commit, "a commit is not started");
        let mut subject = format!("commit {commit}");
        if push.missed.was_canceled {
            subject += ", whose execution was canceled";
        }
        let problem = format!("it does not run {subject}: {}", reason.problem);
        let problem = Some(Reason { problem, ..reason });
        findings.checked(format!("pipeline {pipeline}"), problem);
        self.emit(pipeline, &[(metrics::MISSED_PUSHES, 1.into())]);
    }
}
