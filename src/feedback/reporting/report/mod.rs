//! Posts the state of an execution to GitLab, in rounds: the commit statuses, then the record, then
//! the notes. A part of the report that fails does not stop the others, unless GitLab accepts no
//! connection, and one that hangs does not delay them.

mod notes;

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::clients::aws::{Aws, CallError};
use crate::clients::gitlab::{
    CommitRef, CommitStatus, GitLab, GitLabError, NotePlace, NoteText, ProjectDetails, RetryTime,
    Sent, StatusState,
};
use crate::feedback::change_sets::Audience;
use crate::feedback::reporting::cause::Cause;
use crate::feedback::reporting::execution::{Action, Execution, ExecutionState};
use crate::feedback::reporting::open::{Asked, AskedRequest, OpenedReport, ReportTarget};
use crate::feedback::reporting::outcome::{ReportError, Reported};
use crate::feedback::reporting::plan::{Desired, Post, Scope, Shown, Topic};
use crate::feedback::reporting::statuses::Statuses;
use crate::feedback::reporting::{execution, note, outputs, plan};
use crate::gitops_pipeline::executions::actions;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::ReportSettings;
use crate::reconcile::{Next, Reconcile, reconcile};
use cfn_custom_resource::{Clock, Progress};

/// Maximum requests of a part that GitLab does not confirm, or rejects for another delivery's.
pub const MAX_RETRIES: u32 = 4;

/// The pause after such a request.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// The parts of each round: the most important ones are first, and the costly texts are last.
const ROUNDS: [&[Topic]; 3] = [
    &Topic::STATUSES,
    &[Topic::Deployment, Topic::EnvironmentUrl],
    &[Topic::Note],
];

/// The time after which the next round begins, even if a part of GitLab hangs.
pub const ROUND_TIME: Duration = Duration::from_secs(10);

/// The longest read of the project's visibility: without it, less of a reason is shown.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest reads of CodePipeline's reason and of the first cause. A status does not wait longer
/// for either.
const REASON_TIMEOUT: Duration = Duration::from_secs(10);

/// Reports the parts of an execution that `scope` includes. The execution is the newest one of its
/// commit. `asked` is the request that waits in the pipeline. If it is not known, it is read for
/// the note.
pub async fn report(
    opened: &OpenedReport<'_>,
    scope: Scope,
    asked: &OnceCell<Asked>,
    execution: Execution,
) -> Reported {
    let ReportTarget { pipeline, settings } = opened.target;
    let context = Context {
        opened,
        aws: &opened.clients.aws,
        pipeline,
        settings,
        gitlab: &opened.gitlab,
        scope,
        asked,
        clock: &opened.clients.clock,
        commit: CommitRef {
            project: settings.project(),
            sha: execution.commit.clone(),
            branch: pipeline.branch.clone(),
        },
        project: OnceCell::new(),
        audience: OnceCell::new(),
    };
    let mut reported = Reported::default();
    // Without its execution, no part can be reported.
    let read = context.with_actions(execution).await;
    let Some(execution) = reported.settle(Topic::Execution, read) else {
        return reported;
    };
    let mut latest = Reporter::new(&context, execution);
    let mut running = FuturesUnordered::<BoxFuture<'_, Reporter<'_>>>::new();
    for topics in ROUNDS {
        if reported.is_unreachable() {
            break;
        }
        running.push(Box::pin(latest.next(topics).run()));
        let all = async {
            while let Some(mut ended) = running.next().await {
                reported.add(mem::take(&mut ended.reported));
                latest = ended;
            }
        };
        if timeout(ROUND_TIME, all).await.is_err() {
            tracing::warn!("a part of the report takes long: the next one begins");
        }
    }
    while let Some(ended) = running.next().await {
        reported.add(ended.reported);
    }
    reported
}

/// The inputs of a report, which do not change, and the project, which is read when it is needed
/// first.
struct Context<'a> {
    opened: &'a OpenedReport<'a>,
    aws: &'a Aws,
    pipeline: &'a PipelineSettings,
    settings: &'a ReportSettings,
    gitlab: &'a GitLab,
    scope: Scope,
    asked: &'a OnceCell<Asked>,
    clock: &'a Clock,
    commit: CommitRef<'a>,
    project: OnceCell<Result<ProjectDetails, GitLabError>>,
    audience: OnceCell<Audience<'static>>,
}

impl Context<'_> {
    /// The execution with its actions, if the report depends on them.
    async fn with_actions(&self, mut execution: Execution) -> Result<Execution, CallError> {
        if self.scope.has_actions(execution.state) {
            execution.actions = self.list_actions(&execution.id).await?;
        }
        Ok(execution)
    }

    async fn list_actions(&self, id: &str) -> Result<Vec<Action>, CallError> {
        let pipeline_name = self.pipeline.names.pipeline();
        execution::list_actions(self.aws, &pipeline_name, id).await
    }

    /// The project, or the error of its first read.
    async fn project(&self) -> Result<&ProjectDetails, GitLabError> {
        let read = || self.gitlab.project(self.commit.project);
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
}

/// A round of the report.
struct Reporter<'a> {
    context: &'a Context<'a>,
    /// Its parts.
    topics: &'static [Topic],
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
    /// Whether GitLab did not show that it failed, before the report.
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

impl<'a> Reporter<'a> {
    fn new(context: &'a Context<'a>, execution: Execution) -> Self {
        Reporter {
            context,
            topics: &[],
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
        }
    }

    /// The round of these parts, which does not repeat the reads of this one.
    fn next(&self, topics: &'static [Topic]) -> Self {
        Reporter {
            topics,
            author: self.author,
            summarized: self.summarized.clone(),
            is_unreported: self.is_unreported,
            cause: self.cause.clone(),
            ..Reporter::new(self.context, self.execution.clone())
        }
    }

    async fn run(mut self) -> Self {
        // The caller enforces the deadline.
        let progress = Progress::new(SystemTime::UNIX_EPOCH);
        let ended = Box::pin(reconcile(&mut self, &progress)).await;
        let topic = self.topics.first().copied();
        self.reported.settle(topic.unwrap_or(Topic::Execution), ended);
        let unread = self.unread_notes.take();
        self.reported.settle(Topic::Note, unread.map_or(Ok(()), Err));
        self
    }

    async fn decide(&mut self) {
        let (names, settings) = (&self.context.pipeline.names, self.context.settings);
        let includes = |topic: &Topic| {
            let state = self.execution.state;
            self.topics.contains(topic) && self.context.scope.includes(*topic, state)
        };
        let [execution, approval, deployment, environment, note] =
            Topic::ALL.map(|it| includes(&it));
        if (execution || note) && self.summarized.is_none() {
            let summarized = self.summarized().await;
            let topic = if note { Topic::Note } else { Topic::Execution };
            self.summarized = self.reported.settle(topic, summarized);
        }
        let url = self.url();
        let shown = self.summarized.as_ref();
        let desired = plan::desired(shown.unwrap_or(&self.execution), names, settings, &url);
        self.desired = Desired {
            execution: desired.execution.filter(|_| execution && shown.is_some()),
            approval: self.explained(desired.approval.filter(|_| approval)),
            deployment: desired.deployment.filter(|_| deployment),
            is_repeated: self.context.scope == Scope::All,
            ..Desired::default()
        };
        if self.desired.deployment == Some(StatusState::Success) {
            let is_outdated = self.is_outdated().await;
            if self.reported.settle(Topic::Deployment, is_outdated) != Some(false) {
                self.desired.deployment = None;
            }
        }
        if environment {
            let url = self.environment_url().await;
            self.desired.environment_url =
                self.reported.settle(Topic::EnvironmentUrl, url).flatten();
            let is_deployed = self.desired.deployment == Some(StatusState::Success);
            let tier = plan::tier(&names.env_id, &settings.environment_name);
            self.desired.tier = tier.filter(|_| is_deployed);
        }
        if note {
            let note = self.note(&url).await;
            self.desired.note = self.reported.settle(Topic::Note, note).flatten();
            if self.desired.note.is_none() {
                let state = self.note_state().await;
                self.desired.note_state = self.reported.settle(Topic::Note, state).flatten();
            }
        }
    }

    /// The status of the approval. If a tag by an edited note decides nothing, it states that.
    fn explained(&self, status: Option<CommitStatus>) -> Option<CommitStatus> {
        let mut status = status?;
        let asked = self.context.asked.get().and_then(|asked| asked.as_ref().ok());
        let asked = asked.filter(|it| it.request.execution_id == self.execution.id);
        if let Some(tag) = asked.and_then(AskedRequest::edited_tag)
            && status.state == StatusState::Pending
        {
            status.description = plan::edited_note(tag);
        }
        Some(status)
    }

    /// Whether another execution is deployed. GitLab takes the latest record for the environment's
    /// present deployment, so that of an earlier one comes too late.
    async fn is_outdated(&self) -> Result<bool, CallError> {
        let pipeline_name = self.context.pipeline.names.pipeline();
        let deployed = actions::deployments(self.context.aws, &pipeline_name, 1).await?;
        Ok(deployed.first() != Some(&self.execution.id))
    }

    /// The execution in the console.
    fn url(&self) -> String {
        let pipeline = self.context.pipeline;
        let name = pipeline.names.pipeline();
        pipeline.location.reported_execution(&name, &self.execution.id)
    }

    /// The execution with the shown part of CodePipeline's summary of its failure.
    async fn summarized(&self) -> Result<Execution, CallError> {
        if self.execution.failed_action().is_none() {
            return Ok(self.execution.clone());
        }
        let audience = self.context.audience().await;
        let (aws, settings) = (self.context.aws, self.context.settings);
        let names = &self.context.pipeline.names;
        let read = outputs::without_values(aws, settings, names, audience, &self.execution);
        match timeout(REASON_TIMEOUT, read).await {
            Ok(read) => read,
            Err(_) => Ok(outputs::without_reasons(&self.execution)),
        }
    }

    /// Why the execution failed. It is read when it is needed first: most reports of a failure find
    /// that GitLab shows it.
    async fn cause(&mut self) -> Result<Cause, CallError> {
        if let Some(read) = &self.cause {
            return read.clone();
        }
        let audience = self.context.audience().await;
        let (aws, settings) = (self.context.aws, self.context.settings);
        let names = &self.context.pipeline.names;
        let read = Cause::read(aws, settings, names, audience, &self.execution).await;
        self.cause.insert(read).clone()
    }

    /// Replaces CodePipeline's summary in the status by the first cause. If that cannot be read in
    /// time, the summary stays.
    async fn explain_status(&mut self) {
        let error = match timeout(REASON_TIMEOUT, self.cause()).await {
            Ok(Ok(cause)) => {
                let summary = self.summarized.as_mut().and_then(Execution::failed_action_mut);
                if let (Some(first), Some(action)) = (cause.first(), summary) {
                    action.summary = first;
                }
                None
            }
            Ok(Err(error)) => Some(error.reason().problem),
            Err(_) => Some("AWS does not respond in time".to_owned()),
        };
        if let Some(error) = error {
            tracing::warn!(error, "a status lacks the cause of a failure");
        }
        let (settings, names) = (self.context.settings, &self.context.pipeline.names);
        if let Some(execution) = &self.summarized {
            let desired = plan::desired(execution, names, settings, &self.url());
            self.desired.execution = desired.execution;
        }
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
        self.shown = self.read_statuses().await;
        if plan::explains_failure(&self.desired, &self.shown) {
            self.is_unreported = true;
            self.explain_status().await;
        }
        self.read_record().await;
        if let Some(state) = self.desired.note_state.clone()
            && self.is_open(Topic::Note)
        {
            let read = Box::pin(self.outdated_notes(&state)).await;
            let read = self.reported.settle(Topic::Note, read).unwrap_or_default();
            (self.shown.outdated_notes, self.shown.missing_note) = (read.outdated, read.missing);
            self.unread_notes = read.unread;
            self.reported.others.extend(read.others);
        }
        if let Some(body) = self.desired.note.clone()
            && self.context.pipeline.gitlab_approvals().is_some()
        {
            let read = self.edited_elsewhere(&body).await;
            self.shown.outdated_notes = self.reported.settle(Topic::Note, read).unwrap_or_default();
        }
    }

    /// Reads whether the deployment has a record, and then its environment.
    async fn read_record(&mut self) {
        let (gitlab, commit) = (self.context.gitlab, &self.context.commit);
        let environment = &self.context.settings.environment_name;
        let Some(state) = self.desired.deployment else {
            return;
        };
        // The address belongs to the record, even if it is sent again.
        let is_new = self.posted.contains(&Post::CreateDeployment(state));
        if !is_new && self.is_open(Topic::Deployment) {
            let (since, clock) = (self.execution.started, self.context.clock);
            let read = gitlab.has_deployment(commit, environment, state, since, clock);
            match read.await {
                Err(error) if error.lacks_environments() => {
                    tracing::info!("{error}: no deployment");
                    self.desired = Desired::default();
                    return;
                }
                read => {
                    let read = self.reported.settle(Topic::Deployment, read);
                    self.shown.is_recorded = read != Some(false);
                }
            }
        }
        // It does not delay a record that is missing.
        let is_missing = !is_new && !self.shown.is_recorded && self.is_open(Topic::Deployment);
        if !is_missing && self.desired.has_environment() && self.is_open(Topic::EnvironmentUrl) {
            let read = gitlab.environment(commit.project, environment).await;
            self.shown.environment = self.reported.settle(Topic::EnvironmentUrl, read).flatten();
        }
    }

    /// Whether this part of the report has not failed. Without a connection to GitLab, each would
    /// fail.
    fn is_open(&self, topic: Topic) -> bool {
        !self.reported.failed.contains_key(&topic) && !self.reported.is_unreachable()
    }

    /// The commit's newest execution, if the state that the requests depend on has changed since it
    /// was read.
    async fn changed(&self) -> Result<Option<Execution>, CallError> {
        let read = &self.execution;
        let is_running = read.state == ExecutionState::Running;
        let of_execution = |post: &Post| post.topic() == Topic::Execution;
        // Only the actions of a running execution change.
        let of_actions = is_running && !self.posted.iter().all(of_execution);
        let is_progressing =
            of_actions && self.context.list_actions(&read.id).await? != read.actions;
        if is_running && !is_progressing && !self.posted.iter().any(of_execution) {
            return Ok(None);
        }
        let pipeline_name = self.context.pipeline.names.pipeline();
        let newest =
            execution::newest_of_same_commit(self.context.aws, &pipeline_name, &read.id).await?;
        let is_same = |newest: &Execution| (&newest.id, newest.state) == (&read.id, read.state);
        match newest.filter(|newest| is_progressing || !is_same(newest)) {
            Some(newest) => self.context.with_actions(newest).await.map(Some),
            None => Ok(None),
        }
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
                let posted = gitlab.post_commit_status(commit, status, pipeline_id).await?;
                self.author = posted.author;
                self.pipeline_id = posted.pipeline_id;
            }
            Post::EndStatus(_, status, pipeline_id) => {
                return gitlab.end_commit_status(commit, status, *pipeline_id).await;
            }
            Post::CreateDeployment(state) => {
                gitlab.create_deployment(commit, environment, *state).await?;
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
                let places = gitlab.commit_places(commit, None).await?;
                return self.write_note(&places.noted, body).await;
            }
            Post::EditNote(note, body) => {
                let short = note::short(body);
                let text = NoteText {
                    whole: body,
                    short: &short,
                };
                let edited = gitlab.edit_note(commit.project, note, text).await;
                // Only a Maintainer may edit the note of another user.
                let is_denied = |error: &GitLabError| error.retry == RetryTime::Never;
                if !note.is_own && edited.as_ref().is_err_and(is_denied) {
                    let place = [note.place.clone()];
                    return self.write_note(&place, body).await;
                }
                return edited;
            }
        }
        Ok(true)
    }

    async fn write_note(&self, places: &[NotePlace], body: &str) -> Result<bool, GitLabError> {
        let (gitlab, commit) = (self.context.gitlab, &self.context.commit);
        let PipelineSettings {
            names, location, ..
        } = self.context.pipeline;
        let marker = note::marker(names, location, &commit.sha);
        let (project, author, short) = (commit.project, self.author, note::short(body));
        let text = NoteText {
            whole: body,
            short: &short,
        };
        gitlab.write_note(project, places, author, &marker, text).await
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
            (self.summarized, self.cause) = (None, None);
            self.posted.clear();
            self.observed = Observed::Execution;
        }
        if self.observed == Observed::Execution {
            self.decide().await;
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
            // The environment is read after the record, which creates it if it is the first one.
            if matches!(post, Post::CreateDeployment(_)) && self.desired.has_environment() {
                self.observed = Observed::Desired;
            }
            match self.post(&post).await {
                Ok(has_changed) => {
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
