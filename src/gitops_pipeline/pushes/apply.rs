//! Adds the pipeline to the child stack, and ensures that it runs the pushed commit. Starts the
//! pipeline of a stack with `Source.Paths`.

use std::time::SystemTime;

use aws_sdk_cloudformation::types::Parameter;

use super::changed_files::start_if_matching;
use super::event::BranchPush;
use super::plan::{End, FirstBranch, FirstPushState, FirstPushStep};
use super::{latest_commit, plan};
use crate::clients::aws::{Aws, CallError};
use crate::clients::codecommit;
use crate::common::stop::Stop;
use crate::gitops_pipeline::calls::{OperationStart, into_start};
use crate::gitops_pipeline::executions::Outcome;
use crate::gitops_pipeline::holds;
use crate::gitops_pipeline::intent_log::request_token;
use crate::gitops_pipeline::names::{AwsLocation, EventRule, ResourceNames};
use crate::gitops_pipeline::observe::tracker::StackTracker;
use crate::gitops_pipeline::source::{Lookup, Retry, Source};
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::template;
use crate::reconcile::{Next, Reconcile, reconcile};
use cfn_custom_resource::{Failure, Progress, Reason};

pub async fn start(aws: &Aws, push: &BranchPush) -> Result<Outcome, Stop<Failure>> {
    let Some(names) = &push.names else {
        return Err(Stop::nothing("the event names no stack of a pipeline"));
    };
    let mut applier = FirstPushApplier {
        aws,
        push,
        names,
        tracker: StackTracker::new(aws, names.stack()),
        state: FirstPushState {
            token: request_token::of_first_push(),
            branch: None,
        },
    };
    let started = applier.run().await;
    started.map_err(|stop| {
        stop.map(|mut reason| {
            reason.problem = format!("handling a push: {}", reason.problem);
            Failure(reason)
        })
    })
}

/// Adds the pipeline to one stack, for one delivery of an event.
struct FirstPushApplier<'a> {
    aws: &'a Aws,
    push: &'a BranchPush,
    names: &'a ResourceNames,
    tracker: StackTracker<'a>,
    state: FirstPushState,
}

impl FirstPushApplier<'_> {
    async fn run(&mut self) -> Result<Outcome, Stop<Reason>> {
        // The caller enforces the deadline.
        let progress = Progress::new(SystemTime::UNIX_EPOCH);
        match Box::pin(reconcile(self, &progress)).await? {
            End::Ignored(because) => Err(Stop::nothing(because)),
            End::HasPipeline(child) => self.execute(&child).await,
            End::Held => Ok(Outcome::Frozen),
        }
    }

    /// Ensures that the pipeline runs the pushed commit, or a later one.
    async fn execute(&self, child: &ChildStack) -> Result<Outcome, Stop<Reason>> {
        let (aws, branch) = (self.aws, &self.push.branch);
        let source = self.open_source(child).await?;
        let pushed = self.push.commit.as_deref();
        let settings = child.settings().ok_or(Stop::nothing("its stack has lost its settings"))?;
        // Without an event, the branch's latest commit needs an execution.
        let paths = settings.paths.filter(|_| pushed.is_some());
        // With `Source.Paths`, each push gets here, and not only one that adds the pipeline.
        let is_first =
            paths.is_none() || self.push.old_commit.is_none() || self.tracker.has_previous();
        // A given repository keeps its default branch.
        if is_first && source.is_own() && source.name() == self.names.repository() {
            codecommit::set_default_branch(&aws.codecommit, source.name(), branch).await?;
        }
        if let Some(paths) = paths {
            let repository = source.name();
            return start_if_matching(aws, self.names, repository, self.push, &paths).await;
        }
        Ok(latest_commit::ensure_executed(aws, self.names, &source, branch, pushed).await?)
    }

    async fn open_source(&self, child: &ChildStack) -> Result<Source, CallError> {
        let repository = child.repository();
        Source::open(self.aws, self.names, repository.as_ref(), Retry::No).await
    }

    async fn read_branch(&mut self) -> Result<(), CallError> {
        if let Some(child) = &self.tracker.child {
            let source = self.open_source(child).await?;
            let is_pushed = match source.tip(&self.push.branch).await? {
                Lookup::Found(tip) => tip.commit().is_some(),
                // Without an event, only the lookup shows that the branch was pushed.
                Lookup::Denied(_) => self.push.repository_arn.is_some(),
            };
            self.state.branch = Some(if !is_pushed {
                FirstBranch::Absent
            } else if holds::is_held(self.aws, self.names, EventRule::Push).await? {
                FirstBranch::Held
            } else {
                FirstBranch::Pushed
            });
        }
        Ok(())
    }

    async fn add_pipeline(&mut self) -> Result<(), CallError> {
        if let Some(child) = &self.tracker.child
            && let Some(location) = AwsLocation::from_arn(&child.id)
        {
            let role_arn = location.role(&self.names.provisioning_role());
            let start = add_pipeline(self.aws, child, role_arn, &self.state.token).await;
            self.tracker.started(start).await?;
        }
        Ok(())
    }
}

/// Adds the pipeline. Changes only this one of the stack's parameters.
async fn add_pipeline(
    aws: &Aws,
    child: &ChildStack,
    role_arn: String,
    token: &str,
) -> Result<OperationStart, CallError> {
    let parameters = child.parameters.keys().map(|key| {
        let parameter = Parameter::builder().parameter_key(key);
        if key == template::BRANCH_EXISTS {
            parameter.parameter_value("true").build()
        } else {
            parameter.use_previous_value(true).build()
        }
    });
    let call = aws
        .cloudformation
        .update_stack()
        .stack_name(&child.id)
        .use_previous_template(true)
        .set_parameters(Some(parameters.collect()))
        .role_arn(role_arn)
        .client_request_token(token);
    into_start(format!("updating stack {}", child.id), call.send().await)
}

impl Reconcile for FirstPushApplier<'_> {
    type Step = FirstPushStep;
    type Done = End;
    type Error = Reason;

    async fn observe(&mut self) -> Result<(), Reason> {
        let is_new = self.tracker.observe().await;
        if is_new? {
            self.state.branch = None;
        }
        Ok(())
    }

    fn plan(&self) -> Next<FirstPushStep, End, Reason> {
        let child = self.tracker.child.as_ref();
        plan::next(child, self.tracker.name(), self.push, &self.state)
    }

    fn describe(&self, step: &FirstPushStep) -> String {
        let name = self.tracker.name();
        match step {
            FirstPushStep::ReadBranch => format!("looking up branch {}", self.push.branch),
            FirstPushStep::AddPipeline => format!("updating stack {name}"),
            FirstPushStep::ReadFailure => format!("reading why the update of stack {name} failed"),
            FirstPushStep::Wait => self.tracker.describe_wait(),
        }
    }

    async fn apply(&mut self, step: FirstPushStep) -> Result<(), Reason> {
        match step {
            FirstPushStep::ReadBranch => self.read_branch().await?,
            FirstPushStep::AddPipeline => self.add_pipeline().await?,
            FirstPushStep::ReadFailure => self.tracker.read_failure(|_, _| false).await,
            FirstPushStep::Wait => self.tracker.wait().await,
        }
        Ok(())
    }
}
