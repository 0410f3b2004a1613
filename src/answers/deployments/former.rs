//! The former deployments, and the revisions with which each can be started again.

use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use super::shown::ShownPipeline;
use crate::answers::shape::{self, Attempt, InBranch, Latest, Ran, Revision, ShownDeployment};
use crate::clients::codecommit::CommitText;
use crate::common::commands::cfn_gitops;
use crate::common::one_line::{one_line, shortened};
use crate::gitops_pipeline::executions::actions::DeployAttempt;
use crate::gitops_pipeline::executions::declared::{PipelineMode, SourceAction};
use crate::gitops_pipeline::executions::{
    ExecutionStatus, IMAGE, SOURCE, commit_of, find, is_rollback, status_of, title, title_of,
};
use crate::gitops_pipeline::holds::RuleState;
use crate::gitops_pipeline::names::{EventRule, ResourceNames};
use crate::health_check::findings::Problem;
use cfn_custom_resource::Remedy;

/// The most deployments in an answer.
pub const MAX_DEPLOYMENTS: usize = 10;

/// The most characters of an author's name, and of a revision in a text.
const MAX_AUTHOR: usize = 40;
const MAX_REVISION: usize = 80;

/// The remedy if CodePipeline cannot start a commit. The commits to revert are those after it.
const REVERT: &str =
    "Revert the bad commit in GitLab instead: git revert <commit>, and merge or push it";

/// An execution whose action Deploy has succeeded, even if it failed later because of an alarm.
pub struct FormerDeployment<'a> {
    attempt: &'a DeployAttempt,
    /// `None` if CodePipeline no longer lists it, or its executions are not read.
    listed: Option<&'a PipelineExecutionSummary>,
}

/// The executions that the answer needs.
pub fn needed(attempts: &[DeployAttempt]) -> Vec<&str> {
    let deployed = latest(attempts).into_iter().chain(later(attempts));
    deployed.map(|attempt| &*attempt.execution_id).collect()
}

/// The latest deployments, the last one first.
pub fn deployments<'a>(shown: &'a ShownPipeline<'_>) -> Vec<FormerDeployment<'a>> {
    let (attempts, listed) = (shown.attempts.as_deref(), shown.listed.as_deref());
    let latest = latest(attempts.unwrap_or_default()).into_iter();
    let deployments = latest.map(|attempt| FormerDeployment {
        attempt,
        listed: listed.and_then(|listed| find(listed, &attempt.execution_id)),
    });
    deployments.collect()
}

/// The last attempt of each execution that has deployed.
fn latest(attempts: &[DeployAttempt]) -> Vec<&DeployAttempt> {
    let mut latest: Vec<&DeployAttempt> = vec![];
    for attempt in attempts.iter().filter(|attempt| attempt.has_succeeded) {
        let is_new = latest.iter().all(|one| one.execution_id != attempt.execution_id);
        if is_new && latest.len() < MAX_DEPLOYMENTS {
            latest.push(attempt);
        }
    }
    latest
}

/// The last attempt after the last deployment, if it has not succeeded. One without a time counts
/// as later.
fn later(attempts: &[DeployAttempt]) -> Option<&DeployAttempt> {
    let deployed = attempts.iter().find(|attempt| attempt.has_succeeded)?;
    let mut others = attempts.iter().filter(|attempt| !attempt.has_succeeded);
    others.find(|attempt| attempt.at.is_none() || attempt.at > deployed.at)
}

/// The members about the pipeline.
pub fn about(shown: &ShownPipeline<'_>) -> Latest {
    let declared = shown.declared.as_ref();
    let later = shown.attempts.as_deref().and_then(later);
    Latest {
        execution_mode: declared.map(|it| it.mode.as_str().to_owned()),
        branch: declared.and_then(|it| it.code()?.branch.clone()),
        has_approval: declared.map(|it| it.has_approval),
        image_rule: image_rule(shown),
        obstacle: pipeline_obstacle(shown),
        later: later.map(|it| shown_attempt(it, shown)),
        deployments: vec![],
    }
}

/// The event rule by which a push of the image deploys the newest commit. Even if its state is not
/// read, because it may be enabled.
fn image_rule(shown: &ShownPipeline<'_>) -> Option<String> {
    let has_image = shown.declared.as_ref()?.sources.iter().any(|it| it.name == IMAGE);
    let mut rules = shown.rules.iter();
    let (rule, state) = rules.find(|(rule, _)| *rule == EventRule::Image)?;
    let may_start = match state {
        Some(RuleState::Enabled) | None => true,
        Some(RuleState::Disabled | RuleState::Missing | RuleState::Unknown(_)) => false,
    };
    (has_image && may_start).then(|| rule.name(shown.names))
}

/// Why nothing can be started.
fn pipeline_obstacle(shown: &ShownPipeline<'_>) -> Option<Problem> {
    let pipeline = shown.names.pipeline();
    let Some(declared) = &shown.declared else {
        let problem = format!("the stages of pipeline {pipeline} are not read");
        return Some(Problem::new(problem, REVERT));
    };
    if let PipelineMode::Other(mode) = &declared.mode {
        let problem = format!(
            "{pipeline} has the ExecutionMode {mode}, in which CodePipeline may deploy another \
             commit than the named one, so nothing is started"
        );
        return Some(Problem::new(problem, REVERT));
    }
    if declared.code().is_none_or(|code| code.branch.is_none()) {
        let problem = format!("{pipeline} has no source action {SOURCE} that reads a branch");
        return Some(Problem::new(problem, REVERT));
    }
    match &shown.attempts {
        None => {
            let problem = format!("the deployments of {pipeline} are not read");
            Some(Problem::new(problem, REVERT))
        }
        Some(attempts) if latest(attempts).is_empty() => {
            let problem = format!("CodePipeline lists no deployment of {pipeline}");
            let (project_id, env_id) = (&shown.names.project_id, &shown.names.env_id);
            let remedy =
                cfn_gitops(["failures", project_id, "--env", env_id]).after("See what failed: ");
            Some(Problem::new(problem, remedy))
        }
        Some(_) => None,
    }
}

/// The obstacle of a project without a pipeline.
pub fn absent(names: &ResourceNames) -> Problem {
    let problem = format!("pipeline {} does not exist", names.pipeline());
    Problem::new(problem, see_projects(names))
}

pub fn see_projects(names: &ResourceNames) -> Remedy {
    cfn_gitops(["status", "--env", &names.env_id]).after("See the projects: ")
}

fn shown_attempt(attempt: &DeployAttempt, shown: &ShownPipeline<'_>) -> Attempt {
    let listed = shown.listed.as_deref().and_then(|listed| find(listed, &attempt.execution_id));
    Attempt {
        ran: Ran {
            execution_id: attempt.execution_id.clone(),
            commit: listed.and_then(commit_of).map(str::to_owned),
            title: None,
            at: attempt.at.map(Into::into),
        },
        status: attempt.status.clone(),
    }
}

impl FormerDeployment<'_> {
    pub fn commit(&self) -> Option<&str> {
        commit_of(self.listed?)
    }

    fn revision(&self, action_name: &str) -> Option<&str> {
        let mut revisions = self.listed?.source_revisions().iter();
        let revision = revisions.find(|revision| revision.action_name() == action_name)?;
        revision.revision_id().filter(|id| !id.is_empty())
    }

    /// Whether it has the revisions of `other` in the source actions that the pipeline has now: a
    /// former version of it may have had others.
    fn is_same_as(&self, other: &Self, shown: &ShownPipeline<'_>) -> bool {
        let is_same =
            |source: &SourceAction| self.revision(&source.name) == other.revision(&source.name);
        let mut sources = shown.declared.iter().flat_map(|it| &it.sources);
        self.attempt.execution_id == other.attempt.execution_id
            || self.commit().is_some() && self.commit() == other.commit() && sources.all(is_same)
    }

    /// The deployment. `newest` is the last one, and `text` its commit.
    pub fn shown(
        &self,
        shown: &ShownPipeline<'_>,
        newest: &Self,
        text: Option<&CommitText>,
        in_branch: Option<InBranch>,
    ) -> ShownDeployment {
        let is_later = shown.attempts.as_deref().and_then(later).is_some();
        let is_same = self.is_same_as(newest, shown);
        let of_commit = text.and_then(|text| title(&text.message));
        let author = text.map(|text| shortened(&one_line(&text.author), MAX_AUTHOR));
        let status = self.listed.map(status_of);
        let (revisions, obstacle) = match self.start_revisions(shown) {
            Ok(revisions) => (revisions, None),
            Err(problem) => (vec![], Some(Problem::new(problem, REVERT))),
        };
        ShownDeployment {
            ran: Ran {
                execution_id: self.attempt.execution_id.clone(),
                commit: self.commit().map(str::to_owned),
                title: of_commit.or_else(|| title_of(self.listed?)),
                at: self.attempt.at.map(Into::into),
            },
            status: self.listed.and_then(|it| Some(it.status()?.as_str().to_owned())),
            is_rollback: self.listed.is_some_and(is_rollback),
            has_failed: status == Some(ExecutionStatus::Failed),
            is_deployed_now: Some(is_same).filter(|_| !(is_same && is_later)),
            author: shape::text(&author.unwrap_or_default()),
            image: self.revision(IMAGE).map(str::to_owned),
            revisions,
            obstacle,
            in_branch: in_branch.unwrap_or_else(|| self.without_commit()),
        }
    }

    /// The revision of each source action that the pipeline has now, as `StartPipelineExecution`
    /// takes it. One that is missing would be the newest.
    ///
    /// # Errors
    /// Why it cannot be started with them.
    /// <https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html>
    fn start_revisions(&self, shown: &ShownPipeline<'_>) -> Result<Vec<Revision>, String> {
        let (id, pipeline) = (&self.attempt.execution_id, shown.names.pipeline());
        let not_read = || format!("the revisions of execution {id} are not read");
        let declared = shown.declared.as_ref().ok_or_else(not_read)?;
        if shown.listed.is_none() {
            return Err(not_read());
        }
        let revisions = declared.sources.iter().map(|SourceAction { name, provider, .. }| {
            let kind = match provider.as_str() {
                "CodeCommit" => "COMMIT_ID",
                "ECR" => "IMAGE_DIGEST",
                other => {
                    return Err(format!(
                        "source action {name} of {pipeline} has the provider {other}, whose \
                         revision this version of cfn-gitops cannot name"
                    ));
                }
            };
            let revision = self.revision(name).ok_or_else(|| {
                format!("CodePipeline shows no revision of source action {name} for execution {id}")
            })?;
            if !has_form(kind, revision) {
                let text = shortened(&one_line(revision), MAX_REVISION);
                return Err(format!(
                    "the revision {text} of source action {name} is not of the form {kind}"
                ));
            }
            Ok(Revision {
                action_name: name.clone(),
                revision_type: kind,
                revision_value: revision.to_owned(),
            })
        });
        revisions.collect()
    }

    /// `InBranch` of a deployment without a known commit.
    fn without_commit(&self) -> InBranch {
        let id = &self.attempt.execution_id;
        InBranch::not_known(Problem::new(
            format!("CodePipeline shows no commit of execution {id}"),
            "Choose another deployment",
        ))
    }
}

fn has_form(kind: &str, revision: &str) -> bool {
    let is_hex = |text: &str, length: usize| {
        let mut bytes = text.bytes();
        text.len() == length && bytes.all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    };
    match revision.strip_prefix("sha256:") {
        Some(digest) => kind == "IMAGE_DIGEST" && is_hex(digest, 64),
        None => kind == "COMMIT_ID" && is_hex(revision, 40),
    }
}
