//! Posts the state of an execution to GitLab. A part of the report that fails does not stop the
//! others, unless GitLab accepts no connection.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::clients::aws::{Aws, CallError};
use crate::clients::gitlab::{
    CommitRef, ErrorScope, GitLab, GitLabError, Note, NoteTarget, ProjectDetails, RetryTime, Sent,
    StatusState,
};
use crate::feedback::approval::{ApprovalRequest, Doubt, Inquiry};
use crate::feedback::change_sets;
use crate::feedback::change_sets::Audience;
use crate::feedback::failures;
use crate::feedback::reporting::cause::Cause;
use crate::feedback::reporting::execution::{Action, ActionState, Execution, ExecutionState};
use crate::feedback::reporting::note::{ExecutionEnd, FailureText, NoteOf, NoteState};
use crate::feedback::reporting::open::{OpenedReport, ReportTarget};
use crate::feedback::reporting::outcome::{ReportError, Reported};
use crate::feedback::reporting::plan::{Desired, Post, Scope, Shown, Topic};
use crate::feedback::reporting::written_notes::WrittenNotes;
use crate::feedback::reporting::{execution, note, outputs, plan, written_notes};
use crate::feedback::rights;
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY};
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
            project: settings.project.clone(),
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
        cause: Ok(Cause::default()),
        summary: String::new(),
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
    commit: CommitRef,
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
    /// Why it failed, as its reader may know it.
    cause: Result<Cause, ReportError>,
    /// The shown part of the summary of the failed action.
    summary: String,
    /// The error of a note that could not be read. The others are edited.
    unread_notes: Option<ReportError>,
}

/// The notes that do not show the state of an execution.
#[derive(Default)]
struct OutdatedNotes {
    /// Those that exist, and their new text.
    outdated: Vec<(Note, String)>,
    /// The one that a place does not have.
    missing: Option<String>,
    unread: Option<ReportError>,
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
        let shown = self.explained().await;
        let shown = self.reported.settle(Topic::Execution, shown);
        let url = pipeline
            .location
            .execution_console(&names.pipeline(), &self.execution.id);
        let execution = shown.as_ref().unwrap_or(&self.execution);
        let desired = plan::desired(execution, names, settings, &url);
        let failed = shown.as_ref().and_then(Execution::failed_action);
        self.summary = failed.map_or(String::new(), |action| action.summary.clone());
        let includes = |topic| scope.includes(topic, state);
        self.desired = Desired {
            execution: desired
                .execution
                .filter(|_| includes(Topic::Execution) && shown.is_some()),
            approval: desired.approval.filter(|_| includes(Topic::Approval)),
            deployment: desired.deployment.filter(|_| includes(Topic::Deployment)),
            ..Desired::default()
        };
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

    async fn list_actions(&self) -> Result<Vec<Action>, CallError> {
        let (aws, names) = (self.context.aws, &self.context.pipeline.names);
        execution::list_actions(aws, &names.pipeline(), &self.execution.id).await
    }

    /// The execution with the shown part of the cause of its failure.
    async fn explained(&mut self) -> Result<Execution, ReportError> {
        self.cause = Ok(Cause::default());
        if self.execution.failed_action().is_none() {
            return Ok(self.execution.clone());
        }
        let audience = self.audience().await;
        let (aws, settings) = (self.context.aws, self.context.settings);
        let (names, execution) = (&self.context.pipeline.names, &self.execution);
        let cause = Cause::read(aws, settings, names, audience, execution).await;
        let mut shown = outputs::without_values(aws, settings, names, audience, execution).await?;
        if let Ok(cause) = &cause
            && let (Some(first), Some(action)) = (cause.first(), shown.failed_action_mut())
        {
            action.summary = first;
        }
        self.cause = cause.map_err(ReportError::from);
        Ok(shown)
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
            let project = &self.context.commit.project;
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

    /// The note about the change set that waits for an approval. `url` is the execution in the
    /// console.
    async fn note(&mut self, url: &str) -> Result<Option<String>, ReportError> {
        let (pipeline, settings) = (self.context.pipeline, self.context.settings);
        let approval = self.execution.action(APPROVAL);
        let waits = self.execution.state == ExecutionState::Running
            && approval.is_some_and(|action| action.state == ActionState::Running);
        let Some(name) = settings.change_set_name.as_ref().filter(|_| waits) else {
            return Ok(None);
        };
        if !self.has_notes().await? {
            return Ok(None);
        }
        let (changes, tags) = if let Some((request, tags)) = self.tags().await? {
            (Some(request.change_set), tags)
        } else {
            let aws = self.context.aws;
            let described = change_sets::describe(aws, &settings.stack_name, name).await?;
            (described, String::new())
        };
        let Some(change_set) = changes else {
            return Ok(None);
        };
        let names = &pipeline.names;
        let rights = if settings.deploy_role_arn.is_some() {
            String::new()
        } else {
            rights::missing(self.context.aws, names, &change_set.changes).await
        };
        let note = self.note_of(url).waiting(&change_set.changes);
        Ok(Some(note + &rights + &tags))
    }

    /// Whether the project gets notes: by default not a public one, where everyone reads them.
    async fn has_notes(&mut self) -> Result<bool, GitLabError> {
        match self.context.settings.change_set_comment {
            Some(has_notes) => Ok(has_notes),
            None => Ok(!self.project().await?.is_public()),
        }
    }

    /// The state that the commit's notes have to show. `None` if nothing has changed since the
    /// change set was listed, or if there are no notes.
    async fn note_state(&mut self) -> Result<Option<NoteState>, GitLabError> {
        let state = NoteState::of(&self.execution);
        let is_noted = if state.is_failure() {
            self.has_notes().await?
        } else {
            state.has_ended() && written_notes::may_exist(self.context.settings, &self.execution)
        };
        Ok(is_noted.then_some(state))
    }

    fn note_of<'a>(&'a self, url: &'a str) -> NoteOf<'a> {
        NoteOf {
            names: &self.context.pipeline.names,
            settings: self.context.settings,
            commit: &self.context.commit.sha,
            url,
        }
    }

    /// The notes that do not show `state`, with their new text, and the one that is missing. Also
    /// the error of a note or an execution that could not be read.
    async fn outdated_notes(&self, state: &NoteState) -> Result<OutdatedNotes, ReportError> {
        let (aws, pipeline) = (self.context.aws, self.context.pipeline);
        let (execution, names) = (&self.execution, &pipeline.names);
        let url = pipeline
            .location
            .execution_console(&names.pipeline(), &execution.id);
        let of = self.note_of(&url);
        let notes = WrittenNotes::read(self.context.gitlab, names, &self.context.commit).await?;
        if !state.is_failure() {
            let (outdated, unread) = notes.outdated(aws, pipeline, of, execution).await;
            return Ok(OutdatedNotes {
                outdated,
                missing: None,
                unread,
            });
        }
        let mut result = OutdatedNotes {
            unread: notes.unread.clone(),
            ..OutdatedNotes::default()
        };
        let failed = execution.failed_action();
        // A condition of a stage has no attempt of its own.
        let attempt = failed.map_or(&execution.id, |action| &action.attempt);
        let reads_again = self.context.scope == Scope::All;
        let pipeline_name = names.pipeline();
        if notes.show_failure(attempt, reads_again)
            || notes
                .one_still_waits(aws, &pipeline_name, execution)
                .await?
        {
            return Ok(result);
        }
        let failure = self.failure_text(state, attempt, &notes, &url).await?;
        let written = notes.most_informative();
        let body = of.ended(state, Some(&failure), written.as_ref());
        let on_commit = notes.on_commit.iter();
        result.outdated = on_commit.map(|note| (note.clone(), body.clone())).collect();
        result.missing = Some(body);
        Ok(result)
    }

    /// Why the execution failed, for its notes. `notes` are those that were written before.
    async fn failure_text(
        &self,
        state: &NoteState,
        attempt: &str,
        notes: &WrittenNotes,
        url: &str,
    ) -> Result<FailureText, ReportError> {
        let cause = self.cause.clone()?;
        let mut text = cause.text(&self.summary, url);
        let mut is_log_late = false;
        if let Cause::Build(build) = &cause
            && self.context.settings.build_log
        {
            // It was read for the reader of the cause.
            let project = self.project.as_ref().and_then(|read| read.as_ref().ok());
            let log = failures::text::of_log(self.context.aws, build, project).await;
            text += &log.text;
            // It is read once more, by the health check.
            is_log_late = log.is_late && !notes.show_failure(attempt, false);
        }
        if self.execution.action(DEPLOY).is_some() && state.end != ExecutionEnd::RolledBack {
            text += &note::way_back(&self.context.pipeline.names);
        }
        Ok(FailureText {
            attempt: attempt.to_owned(),
            is_log_late,
            text,
        })
    }

    /// The request of the execution that waits, and the part of the note about its tags. `None` if
    /// tags do not approve.
    async fn tags(&mut self) -> Result<Option<(ApprovalRequest, String)>, ReportError> {
        let (aws, pipeline) = (self.context.aws, self.context.pipeline);
        let Some((settings, approvals)) = pipeline.gitlab_approvals() else {
            return Ok(None);
        };
        let gitlab_url = &self.context.settings.access.url;
        let project = self.project().await?;
        let own = || format!("{gitlab_url}/{}", project.path);
        let url = project.web_url.clone().unwrap_or_else(own);
        let name = pipeline.names.pipeline();
        let request = ApprovalRequest::read(aws, &name, settings).await?;
        let is_own = |request: &ApprovalRequest| request.execution_id == self.execution.id;
        let Some(request) = request.filter(is_own) else {
            return Ok(None);
        };
        let inquiry = Inquiry {
            gitlab: self.context.gitlab,
            pipeline,
            approvals,
            request: &request,
        };
        let mut doubts = match Box::pin(inquiry.decide(aws)).await {
            Ok(decided) => decided.doubts,
            Err(error) => {
                let error = ReportError::from(error);
                let error = error.reason.as_error();
                tracing::warn!(
                    pipeline = name,
                    error,
                    "the tags of a request are not checked"
                );
                let [_, deploy] = inquiry.tags();
                vec![(deploy.name(), Doubt::Unreadable)]
            }
        };
        let other = self.context.tag.filter(|tag| tag.key != request.key);
        doubts.extend(other.map(|tag| (tag.name(), Doubt::OtherKey)));
        let names = inquiry.tags().map(|tag| tag.name());
        let written = note::tags(&url, &self.context.commit.sha, names, &doubts);
        Ok(Some((request, written)))
    }

    /// Reads the present record of each desired one.
    async fn read_shown(&mut self) {
        let (gitlab, commit, desired) = (self.context.gitlab, &self.context.commit, &self.desired);
        let environment = &self.context.settings.environment_name;
        let mut shown = Shown::default();
        let is_desired = |topic: &Topic| desired.status(*topic).is_some() && self.is_open(*topic);
        if Topic::STATUSES.iter().any(is_desired) {
            // Both, even if only one of them is reported: the first status of the one joins the
            // pipeline that holds the other.
            for (topic, suffix, statuses) in [
                (Topic::Execution, "", &mut shown.execution),
                (Topic::Approval, plan::APPROVAL_SUFFIX, &mut shown.approval),
            ] {
                let name = plan::status_name(&self.context.pipeline.names, suffix);
                let read = gitlab.commit_statuses(commit, &name).await;
                *statuses = if desired.status(topic).is_some() {
                    self.reported.settle(topic, read).unwrap_or_default()
                } else {
                    read.unwrap_or_default()
                };
            }
        }
        if desired.deployment.is_some() && self.is_open(Topic::Deployment) {
            let since = self.execution.started;
            let clock = self.context.clock;
            let read = gitlab.deployment(commit, environment, since, clock).await;
            shown.deployment = self.reported.settle(Topic::Deployment, read).flatten();
        }
        if desired.has_environment() && self.is_open(Topic::EnvironmentUrl) {
            let read = gitlab.environment(&commit.project, environment).await;
            shown.environment = self.reported.settle(Topic::EnvironmentUrl, read).flatten();
        }
        let statuses = shown.execution.iter().chain(&shown.approval);
        let read = statuses.filter_map(|one| one.pipeline_id).next_back();
        self.pipeline_id = read.or(self.pipeline_id);
        if let Some(state) = &desired.note_state
            && self.is_open(Topic::Note)
        {
            let read = Box::pin(self.outdated_notes(state)).await;
            let read = self.reported.settle(Topic::Note, read).unwrap_or_default();
            (shown.outdated_notes, shown.missing_note) = (read.outdated, read.missing);
            self.unread_notes = read.unread;
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
                let latest = self.shown.statuses(*topic).last();
                let pipeline_id = latest.and_then(|latest| latest.pipeline_id);
                let pipeline_id = pipeline_id.or(self.pipeline_id);
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
                let (project, url) = (&commit.project, external_url.as_deref());
                gitlab.change_environment(project, *id, url, *tier).await?;
            }
            Post::WriteNote(body) => {
                let marker = note::marker(&self.context.pipeline.names, &commit.sha);
                let places = gitlab.note_places(commit, NoteTarget::Commit).await?;
                let (project, author) = (&commit.project, self.author);
                let written = gitlab.write_note(project, &places, author, &marker, body);
                return written.await;
            }
            Post::EditNote(note, body) => {
                gitlab.edit_note(&commit.project, note, body).await?;
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
