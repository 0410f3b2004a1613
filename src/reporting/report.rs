//! Brings GitLab to show the state of an execution.

use std::time::Duration;

use crate::aws::{Aws, CallError};
use crate::change_sets;
use crate::change_sets::Change;
use crate::gitlab::{
    CommitRef, ErrorKind, GitLab, GitLabError, NoteTarget, ProjectDetails, StatusState,
};
use crate::gitops_pipeline::executions::APPROVAL;
use crate::gitops_pipeline::report_target::ReportTarget;
use crate::reconcile::{Next, Reconcile, reconcile};
use crate::reporting::execution::{Action, ActionState, Execution, ExecutionState};
use crate::reporting::outcome::{Cause, Reported};
use crate::reporting::plan::{Desired, Post, Scope, Shown, Topic};
use crate::reporting::{execution, note, outputs, plan};
use cfn_custom_resource::Progress;

/// Maximum requests of a report that GitLab does not confirm, or rejects because another delivery
/// posts at the same time.
const MAX_RETRIES: u32 = 4;

/// The pause after such a request.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Reports what `scope` includes of an execution, the newest one of its commit.
///
/// # Errors
/// If AWS or GitLab fails in a way that may pass.
pub async fn report(
    aws: &Aws,
    gitlab: &GitLab,
    target: &ReportTarget,
    scope: Scope,
    execution: Execution,
) -> Result<Reported, Cause> {
    let context = Context {
        aws,
        target,
        gitlab,
        scope,
        commit: CommitRef {
            project: target.settings.project.clone(),
            sha: execution.commit.clone(),
            branch: target.branch.clone(),
        },
    };
    let mut reporter = Reporter {
        context,
        project: None,
        author: None,
        execution,
        is_decided: false,
        desired: Desired::default(),
        shown: Shown::default(),
        posted: vec![],
        is_unconfirmed: true,
        reported: Reported::default(),
        retries: 0,
    };
    // The caller enforces the deadline.
    let progress = Progress::new(std::time::SystemTime::UNIX_EPOCH);
    Box::pin(reconcile(&mut reporter, &progress)).await?;
    Ok(reporter.reported)
}

/// What a report is about.
struct Context<'a> {
    aws: &'a Aws,
    target: &'a ReportTarget,
    gitlab: &'a GitLab,
    scope: Scope,
    commit: CommitRef,
}

/// A running report.
struct Reporter<'a> {
    context: Context<'a>,
    /// Read when it is needed first.
    project: Option<ProjectDetails>,
    /// GitLab's number of the token's user, if a response has shown it.
    author: Option<u64>,
    execution: Execution,
    /// Whether `desired` is that of the execution.
    is_decided: bool,
    desired: Desired,
    shown: Shown,
    /// The requests that GitLab accepted since the execution was read.
    posted: Vec<Post>,
    /// Whether GitLab may show something else than was read.
    is_unconfirmed: bool,
    reported: Reported,
    retries: u32,
}

impl Reporter<'_> {
    /// Decides what GitLab should show of the execution.
    async fn decide(&mut self) -> Result<(), Cause> {
        let ReportTarget {
            names,
            location,
            settings,
            ..
        } = self.context.target;
        let state = self.execution.state;
        if self.context.scope.has_actions(state) {
            self.execution.actions = self.list_actions().await?;
        }
        let url = location.execution_console(&names.pipeline(), &self.execution.id);
        let desired = plan::desired(&self.execution, names, settings, &url);
        let includes = |topic| self.context.scope.includes(topic, state);
        self.desired = Desired {
            execution: desired.execution.filter(|_| includes(Topic::Execution)),
            approval: desired.approval.filter(|_| includes(Topic::Approval)),
            deployment: desired.deployment.filter(|_| includes(Topic::Deployment)),
            ..Desired::default()
        };
        if self.desired.deployment.is_some() && !self.project().await?.has_environments {
            tracing::info!("CI/CD or environments are switched off in the project: no deployment");
            self.desired.deployment = None;
        }
        if self.context.scope.includes(Topic::EnvironmentUrl, state) {
            self.desired.environment_url = self.environment_url().await?;
        }
        if self.context.scope.includes(Topic::Note, state) {
            self.desired.note = self.note(&url).await?;
        }
        Ok(())
    }

    async fn list_actions(&self) -> Result<Vec<Action>, CallError> {
        let pipeline_name = self.context.target.names.pipeline();
        execution::list_actions(self.context.aws, &pipeline_name, &self.execution.id).await
    }

    async fn project(&mut self) -> Result<&ProjectDetails, GitLabError> {
        let project = match self.project.take() {
            Some(project) => project,
            None => {
                self.context
                    .gitlab
                    .project(&self.context.commit.project)
                    .await?
            }
        };
        Ok(self.project.insert(project))
    }

    /// The address of the environment, from the output of the deployed stack.
    async fn environment_url(&self) -> Result<Option<String>, CallError> {
        let settings = &self.context.target.settings;
        match (&settings.environment_url_output, self.desired.deployment) {
            (Some(output), Some(StatusState::Success)) => {
                outputs::address(self.context.aws, &settings.stack_name, output).await
            }
            _ => Ok(None),
        }
    }

    /// The note about the change set that waits for an approval. `url` is the execution in the console.
    async fn note(&mut self, url: &str) -> Result<Option<String>, Cause> {
        let ReportTarget {
            names, settings, ..
        } = self.context.target;
        let approval = self.execution.action(APPROVAL);
        let waits = approval.is_some_and(|action| action.state == ActionState::Running);
        let Some(name) = settings.change_set_name.as_ref().filter(|_| waits) else {
            return Ok(None);
        };
        let is_wanted = match settings.change_set_comment {
            Some(is_wanted) => is_wanted,
            None => !self.project().await?.is_public,
        };
        if !is_wanted {
            return Ok(None);
        }
        let change_set =
            change_sets::describe(self.context.aws, &settings.stack_name, name).await?;
        let commit = &self.context.commit.sha;
        let render = |changes: &[Change]| note::render(changes, names, settings, commit, url);
        Ok(change_set.map(|change_set| render(&change_set.changes)))
    }

    /// Reads what GitLab shows of everything that it should show.
    async fn read_shown(&mut self) -> Result<(), Cause> {
        let (gitlab, commit, desired) = (self.context.gitlab, &self.context.commit, &self.desired);
        let environment = &self.context.target.settings.environment_name;
        let mut shown = Shown::default();
        let mut rejected = vec![];
        if let Some(status) = self.wanted(Topic::Execution, desired.execution.as_ref()) {
            let read = gitlab.commit_status(commit, &status.name).await;
            shown.execution = settle(Topic::Execution, read, &mut rejected)?.flatten();
        }
        if let Some(status) = self.wanted(Topic::Approval, desired.approval.as_ref()) {
            let read = gitlab.commit_status(commit, &status.name).await;
            shown.approval = settle(Topic::Approval, read, &mut rejected)?.flatten();
        }
        if self.wanted(Topic::Deployment, desired.deployment).is_some() {
            let since = self.execution.started;
            let read = gitlab.deployment(commit, environment, since).await;
            shown.deployment = settle(Topic::Deployment, read, &mut rejected)?.flatten();
        }
        if self
            .wanted(Topic::EnvironmentUrl, desired.environment_url.as_ref())
            .is_some()
        {
            let read = gitlab.environment(&commit.project, environment).await;
            shown.environment = settle(Topic::EnvironmentUrl, read, &mut rejected)?.flatten();
        }
        self.shown = shown;
        self.reported.rejected.extend(rejected);
        Ok(())
    }

    /// `desired`, unless GitLab has rejected this part of the report.
    fn wanted<T>(&self, topic: Topic, desired: Option<T>) -> Option<T> {
        desired.filter(|_| !self.reported.rejected.contains_key(&topic))
    }

    /// The commit's newest execution, if what the requests depend on has changed since it was read.
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
        let pipeline_name = self.context.target.names.pipeline();
        let newest =
            execution::newest_of_same_commit(self.context.aws, &pipeline_name, &read.id).await?;
        let is_same = |newest: &Execution| (&newest.id, newest.state) == (&read.id, read.state);
        Ok(newest.filter(|newest| is_progressing || !is_same(newest)))
    }

    /// The requests that are missing. A request that GitLab accepted is not repeated: GitLab may
    /// show its effect late.
    fn posts(&self) -> Vec<Post> {
        let mut posts = plan::posts(&self.desired, &self.shown);
        posts.retain(|post| {
            !self.reported.rejected.contains_key(&post.topic()) && !self.posted.contains(post)
        });
        posts
    }

    /// Sends a request. Returns whether it changed what GitLab shows.
    async fn post(&mut self, post: &Post) -> Result<bool, GitLabError> {
        let (gitlab, commit) = (self.context.gitlab, &self.context.commit);
        let environment = &self.context.target.settings.environment_name;
        match post {
            Post::Status(_, status) => {
                self.author = gitlab.post_commit_status(commit, status).await?;
            }
            Post::CreateDeployment(state) => {
                gitlab
                    .create_deployment(commit, environment, *state)
                    .await?;
            }
            Post::SetEnvironmentUrl(id, url) => {
                let project = &commit.project;
                gitlab.set_environment_url(project, *id, url).await?;
            }
            Post::WriteNote(body) => {
                let marker = note::marker(&self.context.target.names);
                let target = NoteTarget::Commit;
                let note = (marker.as_str(), body.as_str());
                return gitlab.write_note(commit, self.author, target, note).await;
            }
        }
        Ok(true)
    }
}

impl Reconcile for Reporter<'_> {
    type Step = Vec<Post>;
    type Done = ();
    type Error = Cause;

    /// Reads what GitLab shows. After requests, reads the execution again: another delivery may have
    /// read a later state, and posted it before these requests.
    async fn observe(&mut self) -> Result<(), Cause> {
        if !self.posted.is_empty()
            && let Some(newest) = self.changed().await?
        {
            self.execution = newest;
            self.posted.clear();
            (self.is_decided, self.is_unconfirmed) = (false, true);
        }
        if !self.is_decided {
            self.decide().await?;
            self.is_decided = true;
        }
        if self.is_unconfirmed {
            self.read_shown().await?;
            self.is_unconfirmed = false;
        }
        Ok(())
    }

    fn plan(&self) -> Next<Vec<Post>, (), Cause> {
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

    async fn apply(&mut self, posts: Vec<Post>) -> Result<(), Cause> {
        for post in posts {
            match self.post(&post).await {
                Ok(has_changed) => {
                    // The first deployment creates the environment.
                    let creates = matches!(post, Post::CreateDeployment(_));
                    let has_url = self.desired.environment_url.is_some();
                    self.is_unconfirmed |= creates && has_url && self.shown.environment.is_none();
                    self.posted.push(post.clone());
                    if has_changed {
                        self.reported.accepted.push(post);
                    }
                }
                Err(error) if may_pass(&error) => {
                    self.retries += 1;
                    if self.retries <= MAX_RETRIES {
                        // The next observation shows whether GitLab executed the request.
                        self.is_unconfirmed = true;
                        tokio::time::sleep(RETRY_INTERVAL).await;
                        return Ok(());
                    }
                    if error.is_transient() {
                        return Err(error.into());
                    }
                    // GitLab does not change, for example, an open status that another user's status
                    // has replaced.
                    self.retries = 0;
                    self.reported.rejected.insert(post.topic(), error);
                }
                Err(error) => {
                    self.reported.rejected.insert(post.topic(), error);
                }
            }
        }
        Ok(())
    }

    fn too_many_steps(&self) -> Cause {
        Cause::TooManySteps
    }
}

/// The value of a read. `None` if GitLab rejected it for good, which is added to `rejected`.
fn settle<T>(
    topic: Topic,
    read: Result<T, GitLabError>,
    rejected: &mut Vec<(Topic, GitLabError)>,
) -> Result<Option<T>, GitLabError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if may_pass(&error) => Err(error),
        Err(error) => {
            rejected.push((topic, error));
            Ok(None)
        }
    }
}

/// Whether the same request may succeed later. Another delivery may be posting at the same time:
/// GitLab responds with 409 while it updates the commit's pipeline, and with 400 if the state of a
/// status or of a deployment has changed meanwhile (`app/services/ci/create_commit_status_service.rb`,
/// `app/models/deployment.rb`).
fn may_pass(error: &GitLabError) -> bool {
    let is_conflict = match &error.kind {
        ErrorKind::Rejected { status: 409, .. } => true,
        ErrorKind::Rejected {
            status: 400,
            message,
            ..
        } => message.to_lowercase().contains("cannot transition"),
        _ => false,
    };
    is_conflict || error.is_transient()
}
