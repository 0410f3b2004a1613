//! Posts the state of an execution to GitLab. A part of the report that fails does not stop the
//! others, unless GitLab accepts no connection.

mod notes;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::clients::aws::{Aws, CallError};
use crate::clients::gitlab::{
    CommitRef, ErrorScope, GitLab, GitLabError, NoteTarget, ProjectDetails, RetryTime, Sent,
    StatusState,
};
use crate::feedback::change_sets::Audience;
use crate::feedback::reporting::cause::Cause;
use crate::feedback::reporting::execution::{Action, ActionState, Execution, ExecutionState};
use crate::feedback::reporting::open::{OpenedReport, ReportTarget};
use crate::feedback::reporting::outcome::{ReportError, Reported};
use crate::feedback::reporting::plan::{Desired, Post, Scope, Shown, Topic};
use crate::feedback::reporting::statuses::Statuses;
use crate::feedback::reporting::{execution, note, outputs, plan};
use crate::gitops_pipeline::executions::DEPLOY;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::ReportSettings;
use crate::gitops_pipeline::settings::approval_tags::ApprovalTag;
use crate::reconcile::{Next, Reconcile, reconcile};
use cfn_custom_resource::{Clock, Progress};

/// Maximum requests of a part that GitLab does not confirm, or rejects for another delivery's.
pub const MAX_RETRIES: u32 = 4;

/// The pause after such a request.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Reports the parts of an execution that `scope` includes. The execution is the newest one of its
/// commit. `tag` is the tag that was pushed, if the event is about one.
pub async fn report(
    opened: &OpenedReport<'_>,
    scope: Scope,
    tag: Option<&ApprovalTag>,
    execution: Execution,
) -> Reported {
    let ReportTarget { pipeline, settings } = opened.target;
    let context = Context {
        aws: &opened.clients.aws,
        pipeline,
        settings,
        gitlab: &opened.gitlab,
        scope,
        tag,
        clock: &opened.clients.clock,
        commit: CommitRef {
            project: settings.project(),
            sha: execution.commit.clone(),
            branch: pipeline.branch.clone(),
        },
    };
    let mut reporter = Reporter {
        context,
        project: None,
        author: None,
        execution,
        observed: Observed::Execution,
        desired: Desired::default(),
        shown: Shown::default(),
        pipeline_id: None,
        posted: vec![],
        reported: Reported::default(),
        retries: BTreeMap::new(),
        summarized: None,
        is_unreported: false,
        cause: None,
        unread_notes: None,
    };
    // The caller enforces the deadline.
    let progress = Progress::new(SystemTime::UNIX_EPOCH);
    let ended = Box::pin(reconcile(&mut reporter, &progress)).await;
    let mut result = reporter.reported;
    // Without its execution, no part can be reported.
    result.settle(Topic::Execution, ended);
    result.settle(Topic::Note, reporter.unread_notes.map_or(Ok(()), Err));
    result
}

/// The inputs of a report, which do not change.
struct Context<'a> {
    aws: &'a Aws,
    pipeline: &'a PipelineSettings,
    settings: &'a ReportSettings,
    gitlab: &'a GitLab,
    scope: Scope,
    tag: Option<&'a ApprovalTag>,
    clock: &'a Clock,
    commit: CommitRef<'a>,
}

struct Reporter<'a> {
    context: Context<'a>,
    /// Read when it is needed first.
    project: Option<Result<ProjectDetails, GitLabError>>,
    /// GitLab's number of the token's user, if a response has shown it.
    author: Option<u64>,
    execution: Execution,
    observed: Observed,
    desired: Desired,
    shown: Shown,
    /// The number of the pipeline that holds the commit's statuses, if one was read or posted.
    pipeline_id: Option<u64>,
    /// The requests that GitLab accepted since the execution was read.
    posted: Vec<Post>,
    reported: Reported,
    /// The repeated requests of each part.
    retries: BTreeMap<Topic, u32>,
    /// The execution with the shown part of the reason of its failure. `None` if that cannot be
    /// read.
    summarized: Option<Execution>,
    /// Whether GitLab does not show yet that it failed.
    is_unreported: bool,
    /// Why it failed, once that was read.
    cause: Option<Result<Cause, CallError>>,
    /// The error of a note that could not be read. The others are edited.
    unread_notes: Option<ReportError>,
}

/// The last part that is up to date. Each part follows from the ones before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Observed {
    Execution,
    Desired,
    Shown,
}

impl Reporter<'_> {
    async fn decide(&mut self) -> Result<(), ReportError> {
        let (pipeline, settings) = (self.context.pipeline, self.context.settings);
        let (names, state) = (&pipeline.names, self.execution.state);
        let scope = self.context.scope;
        if scope.has_actions(state) {
            self.execution.actions = self.list_actions().await?;
        }
        self.cause = None;
        let summarized = self.summarized().await;
        self.summarized = self.reported.settle(Topic::Execution, summarized);
        let url = self.url();
        let execution = self.summarized.as_ref().unwrap_or(&self.execution);
        let desired = plan::desired(execution, names, settings, &url);
        let includes = |topic| scope.includes(topic, state);
        self.desired = Desired {
            execution: desired
                .execution
                .filter(|_| includes(Topic::Execution) && self.summarized.is_some()),
            approval: desired.approval.filter(|_| includes(Topic::Approval)),
            deployment: desired.deployment.filter(|_| includes(Topic::Deployment)),
            is_repeated: scope == Scope::All,
            ..Desired::default()
        };
        if self.desired.deployment == Some(StatusState::Success) {
            let is_outdated = self.has_later_deployment().await;
            if self.reported.settle(Topic::Deployment, is_outdated) != Some(false) {
                self.desired.deployment = None;
            }
        }
        if self.desired.deployment.is_some() {
            let project = self.project().await.map(ProjectDetails::has_environments);
            if self.reported.settle(Topic::Deployment, project) == Some(false) {
                tracing::info!(
                    "CI/CD or environments are switched off in the project: no deployment"
                );
                self.desired.deployment = None;
            }
        }
        if includes(Topic::EnvironmentUrl) {
            let url = self.environment_url().await;
            self.desired.environment_url =
                self.reported.settle(Topic::EnvironmentUrl, url).flatten();
            let is_deployed = self.desired.deployment == Some(StatusState::Success);
            let tier = plan::tier(&names.env_id, &settings.environment_name);
            self.desired.tier = tier.filter(|_| is_deployed);
        }
        if includes(Topic::Note) {
            let note = self.note(&url).await;
            self.desired.note = self.reported.settle(Topic::Note, note).flatten();
            if self.desired.note.is_none() {
                let state = self.note_state().await;
                self.desired.note_state = self.reported.settle(Topic::Note, state).flatten();
            }
        }
        Ok(())
    }

    /// Whether a later execution has deployed, although it has not ended: its alarms may be watched
    /// for minutes. GitLab takes the latest record for the environment's present deployment.
    async fn has_later_deployment(&self) -> Result<bool, CallError> {
        let (aws, names) = (self.context.aws, &self.context.pipeline.names);
        for id in &self.execution.later_open {
            let actions = execution::list_actions(aws, &names.pipeline(), id).await?;
            let mut deployed = actions.iter().filter(|action| action.name == DEPLOY);
            if deployed.any(|action| action.state == ActionState::Succeeded) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The execution in the console.
    fn url(&self) -> String {
        let pipeline = self.context.pipeline;
        let name = pipeline.names.pipeline();
        pipeline
            .location
            .reported_execution(&name, &self.execution.id)
    }

    async fn list_actions(&self) -> Result<Vec<Action>, CallError> {
        let (aws, names) = (self.context.aws, &self.context.pipeline.names);
        execution::list_actions(aws, &names.pipeline(), &self.execution.id).await
    }

    /// The execution with the shown part of CodePipeline's summary of its failure.
    async fn summarized(&mut self) -> Result<Execution, CallError> {
        let (scope, state) = (self.context.scope, self.execution.state);
        let shows_reason = [Topic::Execution, Topic::Note].into_iter();
        let mut shows_reason = shows_reason.map(|topic| scope.includes(topic, state));
        if self.execution.failed_action().is_none() || !shows_reason.any(|it| it) {
            return Ok(self.execution.clone());
        }
        let audience = self.audience().await;
        let (aws, settings) = (self.context.aws, self.context.settings);
        let names = &self.context.pipeline.names;
        outputs::without_values(aws, settings, names, audience, &self.execution).await
    }

    /// Why the execution failed. It is read when it is needed first: most reports of a failure find
    /// that GitLab shows it.
    async fn cause(&mut self) -> Result<Cause, CallError> {
        if let Some(read) = &self.cause {
            return read.clone();
        }
        let audience = self.audience().await;
        let (aws, settings) = (self.context.aws, self.context.settings);
        let names = &self.context.pipeline.names;
        let read = Cause::read(aws, settings, names, audience, &self.execution).await;
        self.cause.insert(read).clone()
    }

    /// Replaces CodePipeline's summary in the status by the first cause. If that cannot be read,
    /// the summary stays.
    async fn explain_status(&mut self) {
        match self.cause().await {
            Ok(cause) => {
                let summary = self
                    .summarized
                    .as_mut()
                    .and_then(Execution::failed_action_mut);
                if let (Some(first), Some(action)) = (cause.first(), summary) {
                    action.summary = first;
                }
            }
            Err(error) => {
                let error = error.reason();
                tracing::warn!(
                    error = error.as_error(),
                    "a status lacks the cause of a failure"
                );
            }
        }
        let (settings, names) = (self.context.settings, &self.context.pipeline.names);
        if let Some(execution) = &self.summarized {
            let desired = plan::desired(execution, names, settings, &self.url());
            self.desired.execution = desired.execution;
        }
    }

    /// Who may read the reason of a failure. Others than members, if the visibility of the project
    /// is unknown.
    async fn audience(&mut self) -> Audience<'static> {
        if self
            .project()
            .await
            .is_ok_and(|project| project.is_private())
        {
            Audience::Members
        } else {
            Audience::Others
        }
    }

    /// The project, or the error of its first read.
    async fn project(&mut self) -> Result<&ProjectDetails, GitLabError> {
        let read = if let Some(read) = self.project.take() {
            read
        } else {
            let project = self.context.commit.project;
            self.context.gitlab.project(project).await
        };
        self.project.insert(read).as_ref().map_err(Clone::clone)
    }

    /// The address of the environment, from the output of the deployed stack.
    async fn environment_url(&self) -> Result<Option<String>, CallError> {
        let settings = self.context.settings;
        match (&settings.environment_url_output, self.desired.deployment) {
            (Some(output), Some(StatusState::Success)) => {
                outputs::address(self.context.aws, &settings.stack_name, output).await
            }
            _ => Ok(None),
        }
    }

    /// Reads the statuses of the commit, if one is desired.
    async fn read_statuses(&mut self) -> Shown {
        let (gitlab, commit, desired) = (self.context.gitlab, &self.context.commit, &self.desired);
        let mut shown = Shown::default();
        let url = self.url();
        let is_desired = |topic: &Topic| desired.status(*topic).is_some() && self.is_open(*topic);
        if !Topic::STATUSES.iter().any(is_desired) {
            return shown;
        }
        // Both, even if only one of them is reported: the first status of the one joins the
        // pipeline that holds the other.
        for (topic, suffix, statuses) in [
            (Topic::Execution, "", &mut shown.execution),
            (Topic::Approval, plan::APPROVAL_SUFFIX, &mut shown.approval),
        ] {
            let name = plan::status_name(&self.context.pipeline.names, suffix);
            let read = Statuses::read(gitlab, commit, &name, &url).await;
            *statuses = if desired.status(topic).is_some() {
                self.reported.settle(topic, read).unwrap_or_default()
            } else {
                read.unwrap_or_default()
            };
            self.reported.others.extend(statuses.other.clone());
        }
        let Shown {
            execution,
            approval,
            ..
        } = &shown;
        let own = approval.home().or(execution.home());
        let latest = approval.latest_home().or(execution.latest_home());
        self.pipeline_id = own.or(latest).or(self.pipeline_id);
        shown
    }

    /// Reads the present record of each desired one.
    async fn read_shown(&mut self) {
        let mut shown = self.read_statuses().await;
        self.is_unreported = plan::explains_failure(&self.desired, &shown);
        if self.is_unreported {
            self.explain_status().await;
        }
        if let Some(state) = self.desired.note_state.clone()
            && self.is_open(Topic::Note)
        {
            let read = Box::pin(self.outdated_notes(&state)).await;
            let read = self.reported.settle(Topic::Note, read).unwrap_or_default();
            (shown.outdated_notes, shown.missing_note) = (read.outdated, read.missing);
            self.unread_notes = read.unread;
            self.reported.others.extend(read.others);
        }
        let (gitlab, commit, desired) = (self.context.gitlab, &self.context.commit, &self.desired);
        let environment = &self.context.settings.environment_name;
        if let Some(state) = desired.deployment
            && self.is_open(Topic::Deployment)
        {
            let (since, clock) = (self.execution.started, self.context.clock);
            let read = gitlab.has_deployment(commit, environment, state, since, clock);
            let read = self.reported.settle(Topic::Deployment, read.await);
            // The address belongs to the record, even if it is sent again.
            let is_new = self.posted.contains(&Post::CreateDeployment(state));
            shown.is_recorded = read != Some(false) && !is_new;
        }
        if desired.has_environment() && self.is_open(Topic::EnvironmentUrl) {
            let read = gitlab.environment(commit.project, environment).await;
            shown.environment = self.reported.settle(Topic::EnvironmentUrl, read).flatten();
        }
        self.shown = shown;
    }

    /// Whether this part of the report has not failed. Without a connection to GitLab, each would
    /// fail.
    fn is_open(&self, topic: Topic) -> bool {
        let is_unreachable = |error: &GitLabError| error.scope == ErrorScope::GitLab;
        !self.reported.failed.contains_key(&topic)
            && !self.reported.gitlab_errors().any(is_unreachable)
    }

    /// The commit's newest execution, if the state that the requests depend on has changed since it
    /// was read.
    async fn changed(&self) -> Result<Option<Execution>, CallError> {
        let read = &self.execution;
        let is_running = read.state == ExecutionState::Running;
        let of_execution = |post: &Post| post.topic() == Topic::Execution;
        // Only the actions of a running execution change.
        let of_actions = is_running && !self.posted.iter().all(of_execution);
        let is_progressing = of_actions && self.list_actions().await? != read.actions;
        if is_running && !is_progressing && !self.posted.iter().any(of_execution) {
            return Ok(None);
        }
        let pipeline_name = self.context.pipeline.names.pipeline();
        let newest =
            execution::newest_of_same_commit(self.context.aws, &pipeline_name, &read.id).await?;
        let is_same = |newest: &Execution| (&newest.id, newest.state) == (&read.id, read.state);
        Ok(newest.filter(|newest| is_progressing || !is_same(newest)))
    }

    /// The requests that are missing. A request that GitLab accepted is not repeated: GitLab may
    /// show its effect late.
    fn posts(&self) -> Vec<Post> {
        let mut posts = plan::posts(&self.desired, &self.shown);
        posts.retain(|post| self.is_open(post.topic()) && !self.posted.contains(post));
        posts
    }

    /// Sends a request. Returns whether it changed GitLab's records.
    async fn post(&mut self, post: &Post) -> Result<bool, GitLabError> {
        let (gitlab, commit) = (self.context.gitlab, &self.context.commit);
        let environment = &self.context.settings.environment_name;
        match post {
            Post::Status(topic, status) => {
                let home = self.shown.statuses(*topic).and_then(Statuses::home);
                let pipeline_id = home.or(self.pipeline_id);
                let posted = gitlab.post_commit_status(commit, status, pipeline_id);
                let posted = posted.await?;
                self.author = posted.author;
                self.pipeline_id = posted.pipeline_id;
            }
            Post::EndStatus(_, status, pipeline_id) => {
                return gitlab.end_commit_status(commit, status, *pipeline_id).await;
            }
            Post::CreateDeployment(state) => {
                gitlab
                    .create_deployment(commit, environment, *state)
                    .await?;
            }
            Post::ChangeEnvironment {
                id,
                external_url,
                tier,
            } => {
                let (project, url) = (commit.project, external_url.as_deref());
                gitlab.change_environment(project, *id, url, *tier).await?;
            }
            Post::WriteNote(body) => {
                let PipelineSettings {
                    names, location, ..
                } = self.context.pipeline;
                let marker = note::marker(names, location, &commit.sha);
                let places = gitlab.note_places(commit, NoteTarget::Commit).await?;
                let (project, author) = (commit.project, self.author);
                let written = gitlab.write_note(project, &places, author, &marker, body);
                return written.await;
            }
            Post::EditNote(note, body) => {
                gitlab.edit_note(commit.project, note, body).await?;
            }
        }
        Ok(true)
    }
}

impl Reconcile for Reporter<'_> {
    type Step = Vec<Post>;
    type Done = ();
    type Error = ReportError;

    /// Reads GitLab's records. After requests, reads the execution again: another delivery may
    /// have read a later state, and posted it before these requests.
    async fn observe(&mut self) -> Result<(), ReportError> {
        if !self.posted.is_empty()
            && let Some(newest) = self.changed().await?
        {
            self.execution = newest;
            self.posted.clear();
            self.observed = Observed::Execution;
        }
        if self.observed == Observed::Execution {
            self.decide().await?;
            self.observed = Observed::Desired;
        }
        if self.observed == Observed::Desired {
            self.read_shown().await;
            self.observed = Observed::Shown;
        }
        Ok(())
    }

    fn plan(&self) -> Next<Vec<Post>, (), ReportError> {
        let posts = self.posts();
        if posts.is_empty() {
            Next::Done(())
        } else {
            Next::Apply(posts)
        }
    }

    fn describe(&self, posts: &Vec<Post>) -> String {
        let (commit, count) = (&self.context.commit.sha, posts.len());
        format!("posting {count} changes of commit {commit} to GitLab")
    }

    async fn apply(&mut self, posts: Vec<Post>) -> Result<(), ReportError> {
        let mut is_repeated = false;
        for post in posts {
            let retries = self.retries.get(&post.topic()).copied().unwrap_or(0);
            match self.post(&post).await {
                Ok(has_changed) => {
                    // The first deployment creates the environment.
                    if matches!(post, Post::CreateDeployment(_))
                        && self.desired.has_environment()
                        && self.shown.environment.is_none()
                    {
                        self.observed = Observed::Desired;
                    }
                    self.posted.push(post.clone());
                    if has_changed {
                        self.reported.accepted.push(post);
                    }
                }
                // One more attempt: a request without a response may take a minute.
                Err(error)
                    if error.retry != RetryTime::Never
                        && retries < MAX_RETRIES
                        && (retries == 0 || error.sent != Sent::Unknown) =>
                {
                    *self.retries.entry(post.topic()).or_default() += 1;
                    is_repeated = true;
                }
                Err(error) => {
                    // GitLab does not change, for example, an open status that another user's
                    // status has replaced.
                    let is_final = error.retry != RetryTime::Later;
                    let error = ReportError {
                        is_final,
                        ..error.into()
                    };
                    self.reported.settle::<()>(post.topic(), Err(error));
                }
            }
        }
        if is_repeated {
            // The next observation shows whether GitLab executed the requests.
            self.observed = Observed::Desired;
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
        Ok(())
    }
}
