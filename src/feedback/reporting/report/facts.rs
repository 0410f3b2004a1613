//! The inputs of a report, and an execution with the facts that its parts share. Each fact is read
//! when it is needed first.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::clients::Clients;
use crate::clients::aws::{Aws, CallError};
use crate::clients::gitlab::{CommitRef, GitLab, GitLabError, ProjectDetails};
use crate::feedback::change_sets::Audience;
use crate::feedback::execution;
use crate::feedback::execution::{Action, Execution, ExecutionState};
use crate::feedback::failures::cause::Cause;
use crate::feedback::failures::outputs;
use crate::feedback::reporting::plan::{Occasion, Topic};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::ReportSettings;

/// The longest read of the project's visibility: without it, less of a reason is shown.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest reads of CodePipeline's reason and of the first cause. A status does not wait longer
/// for either.
const REASON_TIMEOUT: Duration = Duration::from_secs(10);

/// A pipeline that is reported. All reports of an event share the client of its GitLab.
pub struct OpenedReport<'a> {
    pub clients: &'a Clients,
    pub pipeline: &'a PipelineSettings,
    /// The parts of the report, and its place in GitLab.
    pub settings: &'a ReportSettings,
    pub gitlab: GitLab,
}

/// The inputs of a report, which do not change, and facts about its project.
pub(super) struct Context<'a> {
    pub opened: &'a OpenedReport<'a>,
    pub occasion: Occasion,
    pub commit: CommitRef<'a>,
    project: OnceCell<Result<ProjectDetails, GitLabError>>,
    audience: OnceCell<Audience<'static>>,
    /// GitLab's number of the token's user, if a response has shown it.
    pub author: OnceLock<u64>,
}

impl<'a> Context<'a> {
    pub fn new(opened: &'a OpenedReport<'a>, occasion: Occasion, commit: &str) -> Self {
        Context {
            opened,
            occasion,
            commit: CommitRef {
                project: opened.settings.project(),
                sha: commit.to_owned(),
                branch: opened.pipeline.branch.clone(),
            },
            project: OnceCell::new(),
            audience: OnceCell::new(),
            author: OnceLock::new(),
        }
    }

    pub fn aws(&self) -> &'a Aws {
        &self.opened.clients.aws
    }

    pub fn gitlab(&self) -> &'a GitLab {
        &self.opened.gitlab
    }

    pub fn pipeline(&self) -> &'a PipelineSettings {
        self.opened.pipeline
    }

    pub fn names(&self) -> &'a ResourceNames {
        &self.pipeline().names
    }

    pub fn settings(&self) -> &'a ReportSettings {
        self.opened.settings
    }

    /// The project, or the error of its first read.
    pub async fn project(&self) -> Result<&ProjectDetails, GitLabError> {
        let read = || self.gitlab().project(self.commit.project);
        let read = self.project.get_or_init(read).await;
        read.as_ref().map_err(Clone::clone)
    }

    /// Who may read the reason of a failure. Others than members, if the visibility of the project
    /// is unknown.
    async fn audience(&self) -> Audience<'static> {
        let read = async || {
            let read = timeout(VISIBILITY_TIMEOUT, self.project()).await;
            match read {
                Ok(Ok(project)) if project.is_private() => Audience::Members,
                _ => Audience::Others,
            }
        };
        *self.audience.get_or_init(read).await
    }

    async fn list_actions(&self, id: &str) -> Result<Vec<Action>, CallError> {
        execution::list_actions(self.aws(), &self.names().pipeline(), id).await
    }
}

/// An execution, with the facts about it.
pub(super) struct Facts<'a> {
    pub context: &'a Context<'a>,
    /// With its actions, if the report depends on them.
    pub execution: Execution,
    summarized: OnceCell<Execution>,
    cause: OnceCell<Result<Cause, CallError>>,
    /// Set if GitLab did not show that it failed, before the report.
    pub unreported: OnceLock<()>,
}

impl<'a> Facts<'a> {
    pub async fn read(
        context: &'a Context<'a>,
        mut execution: Execution,
    ) -> Result<Self, CallError> {
        if context.occasion.has_actions(execution.state) {
            execution.actions = context.list_actions(&execution.id).await?;
        }
        Ok(Facts {
            context,
            execution,
            summarized: OnceCell::new(),
            cause: OnceCell::new(),
            unreported: OnceLock::new(),
        })
    }

    /// Whether a part of the report is about this execution.
    pub fn includes(&self, topic: Topic) -> bool {
        self.context.occasion.includes(topic, self.execution.state)
    }

    /// The execution in the console.
    pub fn url(&self) -> String {
        let PipelineSettings {
            names, location, ..
        } = self.context.pipeline();
        location.reported_execution(&names.pipeline(), &self.execution.id)
    }

    /// The commit's newest execution, if the state that the requests about these parts depend on
    /// has changed since it was read. Also `None` if no request was sent.
    pub async fn changed(&self, posted: &BTreeSet<Topic>) -> Result<Option<Self>, CallError> {
        let (context, read) = (self.context, &self.execution);
        let is_running = read.state == ExecutionState::Running;
        let is_about_execution = posted.contains(&Topic::Execution);
        // Only the actions of a running execution change.
        let of_actions = is_running && posted.iter().any(|it| *it != Topic::Execution);
        let is_progressing = of_actions && context.list_actions(&read.id).await? != read.actions;
        if posted.is_empty() || is_running && !is_progressing && !is_about_execution {
            return Ok(None);
        }
        let name = context.names().pipeline();
        let newest = execution::newest_of_same_commit(context.aws(), &name, &read.id).await?;
        let is_same = |newest: &Execution| (&newest.id, newest.state) == (&read.id, read.state);
        match newest.filter(|newest| is_progressing || !is_same(newest)) {
            Some(newest) => Facts::read(context, newest).await.map(Some),
            None => Ok(None),
        }
    }

    /// The execution with the shown part of CodePipeline's summary of its failure.
    pub async fn summarized(&self) -> Result<&Execution, CallError> {
        let (context, execution) = (self.context, &self.execution);
        let read = async || {
            if execution.failed_action().is_none() {
                return Ok(execution.clone());
            }
            let audience = context.audience().await;
            let (aws, pipeline) = (context.aws(), context.pipeline());
            let read = outputs::without_values(aws, pipeline, audience, execution);
            match timeout(REASON_TIMEOUT, read).await {
                Ok(read) => read,
                Err(_) => Ok(outputs::without_reasons(execution)),
            }
        };
        self.summarized.get_or_try_init(read).await
    }

    /// Why the execution failed. Most reports of a failure find that GitLab shows it, and do not
    /// need this.
    pub async fn cause(&self) -> Result<&Cause, CallError> {
        let (context, execution) = (self.context, &self.execution);
        let read = async || {
            let audience = context.audience().await;
            Cause::read(context.aws(), context.pipeline(), audience, execution).await
        };
        self.cause.get_or_init(read).await.as_ref().map_err(Clone::clone)
    }

    /// The execution with the first cause instead of CodePipeline's `summarized` one. If that
    /// cannot be read in time, the summary stays.
    pub async fn explained(&self, summarized: &Execution) -> Execution {
        let mut execution = summarized.clone();
        let error = match timeout(REASON_TIMEOUT, self.cause()).await {
            Ok(Ok(cause)) => {
                if let (Some(first), Some(action)) = (cause.first(), execution.failed_action_mut())
                {
                    action.summary = first;
                }
                return execution;
            }
            Ok(Err(error)) => error.reason().problem,
            Err(_) => "AWS does not respond in time".to_owned(),
        };
        tracing::warn!(error, "a status lacks the cause of a failure");
        execution
    }
}
