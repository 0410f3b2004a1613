//! Adds the pipeline to the child stack, and ensures that it runs the pushed commit.

use std::time::SystemTime;

use super::event::FirstPush;
use super::latest_commit::{IfUnlisted, LatestCommit};
use super::plan;
use super::plan::{Branch, End, FirstPushState, FirstPushStep, FirstPushStop};
use crate::aws::{Aws, CallError};
use crate::codecommit;
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::source::{Lookup, Retry, Source};
use crate::gitops_pipeline::tracker::StackTracker;
use crate::gitops_pipeline::{calls, observe, request_token};
use crate::reason_codes::Code;
use crate::reconcile::{Next, Reconcile, reconcile};
use cfn_custom_resource::{Progress, Reason, ReasonCode};

/// The result of a first push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// The pipeline exists and runs the commit, or a later one.
    Pipeline {
        /// The name of the pipeline.
        name: String,
        /// Whether the function started an execution in addition to the pipeline's first one.
        by_hand: bool,
    },
    /// No stack of this function waits for the push.
    Nothing {
        /// The reason, for the log.
        because: String,
    },
}

/// Why the pipeline was not created. Lambda retries the event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("updating stack {stack_name} for its branch's first push: {cause}")]
pub struct NotStarted {
    stack_name: String,
    cause: Reason,
}

impl NotStarted {
    pub(crate) fn code(&self) -> ReasonCode {
        self.cause.code
    }
}

/// Adds the pipeline to the stack that waits for `push`, and ensures that it runs the commit.
pub async fn start(aws: &Aws, push: &FirstPush) -> Result<Started, NotStarted> {
    let Some(names) = push.names() else {
        let because = "the event names no stack of a pipeline".to_owned();
        return Ok(Started::Nothing { because });
    };
    let not_started = |cause: Reason| NotStarted {
        stack_name: names.stack(),
        cause,
    };
    // The caller enforces the deadline.
    let progress = Progress::new(SystemTime::UNIX_EPOCH);
    let mut applier = FirstPushApplier::new(aws, push, &names);
    let end = Box::pin(reconcile(&mut applier, &progress)).await;
    match (end.map_err(not_started)?, &applier.source) {
        (End::Ignored(because), _) => Ok(Started::Nothing { because }),
        (End::HasPipeline, source) => applier
            .run(source.as_ref())
            .await
            .map_err(|error| not_started(error.reason())),
    }
}

/// Adds the pipeline to one stack, for one delivery of an event.
struct FirstPushApplier<'a> {
    aws: &'a Aws,
    push: &'a FirstPush,
    names: &'a ResourceNames,
    tracker: StackTracker<'a>,
    state: FirstPushState,
    source: Option<Source>,
}

impl<'a> FirstPushApplier<'a> {
    fn new(aws: &'a Aws, push: &'a FirstPush, names: &'a ResourceNames) -> Self {
        FirstPushApplier {
            aws,
            push,
            names,
            tracker: StackTracker::new(aws, names.stack()),
            state: FirstPushState {
                token: request_token::of_first_push(),
                failure: None,
                has_source: false,
                branch: None,
            },
            source: None,
        }
    }

    async fn read_failure(&mut self) -> Result<(), CallError> {
        if let Some(child) = &self.tracker.child {
            let token = self.state.token.as_str();
            let is_this = |of: Option<&str>| of == Some(token);
            let reason = observe::first_failure(self.aws, child, is_this).await?;
            self.state.failure = Some(reason);
        }
        Ok(())
    }

    async fn open_source(&mut self) -> Result<(), CallError> {
        if let Some(child) = &self.tracker.child {
            let repository = self.push.repository(child);
            let source = Source::open(self.aws, self.names, Some(&repository), Retry::No).await?;
            self.source = Some(source);
            self.state.has_source = true;
        }
        Ok(())
    }

    async fn read_branch(&mut self) -> Result<(), CallError> {
        if let Some(source) = &self.source {
            self.state.branch = Some(match source.branch_tip(&self.push.branch).await? {
                Lookup::Found(Some(_)) => Branch::Exists,
                Lookup::Found(None) => Branch::Missing,
                Lookup::Denied(_) => Branch::Denied,
            });
        }
        Ok(())
    }

    async fn announce(&mut self) -> Result<(), Reason> {
        let Some(child) = &self.tracker.child else {
            return Ok(());
        };
        let Some(location) = AwsLocation::from_arn(&child.id) else {
            return Err(Reason::new(
                Code::InternalError,
                "the stack's ID is not an ARN",
            ));
        };
        let role_arn = location.role(&self.names.provisioning_role());
        let token = self.state.token.clone();
        tracing::info!(pipeline_stack = self.tracker.name(), "the branch exists");
        let start = calls::announce_branch(self.aws, child, &role_arn, token).await;
        let started = self.tracker.started(start).await;
        started.map_err(|error| error.reason())
    }

    /// Ensures that the pipeline runs the pushed commit, or a later one.
    async fn run(&self, source: Option<&Source>) -> Result<Started, CallError> {
        let (aws, branch) = (self.aws, &self.push.branch);
        let mut by_hand = false;
        if let Some(source) = source {
            // A given repository keeps its default branch.
            if source.is_own() && source.name() == self.names.repository() {
                codecommit::set_default_branch(&aws.codecommit, source.name(), branch).await?;
            }
            let commit = LatestCommit::new(self.names, source, branch);
            let commit = commit.with_push(self.push.commit.as_deref());
            by_hand = commit.ensure_executed(aws, IfUnlisted::Start).await?;
        }
        Ok(Started::Pipeline {
            name: self.names.pipeline(),
            by_hand,
        })
    }
}

impl Reconcile for FirstPushApplier<'_> {
    type Step = FirstPushStep;
    type Done = End;
    type Error = Reason;

    async fn observe(&mut self) -> Result<(), Reason> {
        if self
            .tracker
            .observe()
            .await
            .map_err(|error| error.reason())?
        {
            self.state.branch = None;
            self.state.failure = None;
        }
        Ok(())
    }

    fn plan(&self) -> Next<FirstPushStep, End, Reason> {
        let child = self.tracker.child.as_ref();
        match plan::next(child, self.tracker.name(), self.push, &self.state) {
            Next::Apply(step) => Next::Apply(step),
            Next::Done(end) => Next::Done(end),
            Next::Fail(FirstPushStop::Failed(reason)) => {
                Next::Fail(Reason::new(Code::StackFailed, reason))
            }
            Next::Fail(FirstPushStop::Unchangeable(status)) => {
                let text = format!("it is {status}");
                Next::Fail(Reason::new(Code::StackUnchangeable, text))
            }
        }
    }

    fn describe(&self, step: &FirstPushStep) -> String {
        let name = self.tracker.name();
        match step {
            FirstPushStep::ReadFailure => format!("reading why the update of stack {name} failed"),
            FirstPushStep::OpenSource => format!("opening the repository of stack {name}"),
            FirstPushStep::ReadBranch => format!("looking up branch {}", self.push.branch),
            FirstPushStep::Announce => format!("updating stack {name}"),
            FirstPushStep::Wait => {
                let child = self.tracker.child.as_ref();
                let status = child.map_or("", |child| &child.status);
                format!("waiting for stack {name} ({status})")
            }
        }
    }

    async fn apply(&mut self, step: FirstPushStep) -> Result<(), Reason> {
        let read = match step {
            FirstPushStep::ReadFailure => self.read_failure().await,
            FirstPushStep::OpenSource => self.open_source().await,
            FirstPushStep::ReadBranch => self.read_branch().await,
            FirstPushStep::Announce => return self.announce().await,
            FirstPushStep::Wait => {
                self.tracker.wait().await;
                Ok(())
            }
        };
        read.map_err(|error| error.reason())
    }

    fn too_many_steps(&self) -> Reason {
        Reason::new(Code::InternalError, "the stack's operations do not end")
    }
}
