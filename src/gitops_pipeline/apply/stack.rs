//! Creates or updates the child stack.

use super::error::ApplyError;
use super::render::{Rendered, Renderer};
use crate::aws::{Aws, CallError, is_role_not_assumable};
use crate::gitops_pipeline::calls::OperationStart;
use crate::gitops_pipeline::plan::apply::{ApplyState, ApplyStep, ApplyStop, StackFailure};
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::request_token::Purpose;
use crate::gitops_pipeline::source::Source;
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::tracker::StackTracker;
use crate::gitops_pipeline::{calls, messages, observe, plan, request_token, tombstone};
use crate::reason_codes::Code;
use crate::reconcile::{Next, Reconcile};
use cfn_custom_resource::Progress;
use cfn_custom_resource::Reason;

/// A child stack that matches its spec.
pub struct ReadyStack {
    pub child: ChildStack,
    /// Whether it had a pipeline when this request observed it first.
    pub had_pipeline: bool,
}

/// Updates the child stack until it matches the content that is rendered for one request.
pub struct StackApplier<'a> {
    renderer: &'a Renderer<'a>,
    source: &'a Source,
    progress: &'a Progress,
    tracker: StackTracker<'a>,
    state: ApplyState,
    rendered: Option<Rendered>,
    had_pipeline: Option<bool>,
}

impl<'a> StackApplier<'a> {
    pub fn new(renderer: &'a Renderer<'a>, source: &'a Source, progress: &'a Progress) -> Self {
        StackApplier {
            renderer,
            source,
            progress,
            tracker: StackTracker::new(renderer.aws, renderer.spec.names.stack()),
            state: ApplyState::default(),
            rendered: None,
            had_pipeline: None,
        }
    }

    fn aws(&self) -> &'a Aws {
        self.renderer.aws
    }

    fn context(&self) -> &'a RequestContext {
        self.renderer.context
    }

    async fn read_created(&mut self) -> Result<(), ApplyError> {
        if let Some(id) = &self.state.created_id {
            let created = observe::observe(self.aws(), id, None).await?;
            self.state.deleted_stack = created.filter(|stack| stack.status == "DELETE_COMPLETE");
        }
        self.state.has_read_created = true;
        Ok(())
    }

    async fn read_tombstone(&mut self) -> Result<(), CallError> {
        let (context, names) = (self.context(), &self.renderer.spec.names);
        let supersedes =
            tombstone::supersedes(self.aws(), names, &context.owner, &context.request).await?;
        self.state.has_tombstone = Some(supersedes);
        Ok(())
    }

    async fn read_failure(&mut self) {
        let stack = self.tracker.child.as_ref();
        let Some(stack) = stack.or(self.state.deleted_stack.as_ref()) else {
            return;
        };
        let request = &self.context().request;
        let is_this = |token: Option<&str>| {
            token
                .and_then(request_token::read)
                .is_none_or(|(other, purpose)| {
                    other == *request && !matches!(purpose, Purpose::RollBack | Purpose::Cancel)
                })
        };
        let reason = match observe::first_failure(self.aws(), stack, is_this).await {
            Ok(reason) => reason,
            Err(error) => error.to_string(),
        };
        self.state.failure = Some(StackFailure {
            is_role_not_assumable: is_role_not_assumable(&reason),
            reason,
        });
    }

    async fn render(&mut self) -> Result<(), ApplyError> {
        let child = self.tracker.child.as_ref();
        let child = child.filter(|child| child.is_settled());
        let rendered = self.renderer.render(child, self.source).await?;
        self.state.content = Some(rendered.key.clone());
        self.rendered = Some(rendered);
        if self.tracker.child.is_some() {
            self.progress.changing();
        }
        // Rendering takes several calls, so a Delete may have arrived meanwhile.
        self.state.has_tombstone = None;
        Ok(())
    }

    /// Starts the operation of `step`. `None` if the stack or the rendering that the step needs
    /// does not exist. No plan contains such a step.
    async fn start(&mut self, step: ApplyStep) -> Option<Result<OperationStart, CallError>> {
        let (aws, context) = (self.aws(), self.context());
        let token = |purpose: &Purpose| context.request.token(purpose);
        let child = self.tracker.child.as_ref();
        let role_arn = &context.role_arn;
        Some(match step {
            ApplyStep::Create { again } | ApplyStep::Update { again } => {
                let rendered = self.rendered.as_ref()?;
                self.state.started_content = Some(rendered.key.clone());
                let desired = self.renderer.content(self.tracker.name(), rendered);
                let token = token(&if again {
                    Purpose::ApplyAgain(rendered.key.clone())
                } else {
                    Purpose::Apply(rendered.key.clone())
                });
                if matches!(step, ApplyStep::Update { .. }) {
                    calls::update(aws, &desired, token).await
                } else {
                    self.progress.changing();
                    self.state.creates_again = again;
                    calls::create(aws, &desired, token).await
                }
            }
            ApplyStep::CancelUpdate => {
                calls::cancel_update(aws, child?, token(&Purpose::Cancel)).await
            }
            ApplyStep::ContinueRollback => {
                let token = token(&Purpose::ContinueRollback);
                calls::continue_rollback(aws, child?, role_arn, token).await
            }
            ApplyStep::Delete { to_create_again } => {
                if to_create_again {
                    self.state.creates_again = true;
                    self.state.created_id = None;
                }
                calls::delete(aws, child?, role_arn, token(&Purpose::Delete)).await
            }
            ApplyStep::ReadCreated
            | ApplyStep::ReadTombstone
            | ApplyStep::ReadFailure
            | ApplyStep::Render
            | ApplyStep::Wait => return None,
        })
    }

    async fn change(&mut self, step: ApplyStep) -> Result<(), ApplyError> {
        if let Some(failure) = &self.state.failure {
            let reason = &failure.reason;
            tracing::warn!(
                reason,
                "a service could not assume a role; starting a second attempt"
            );
        }
        let Some(start) = self.start(step).await else {
            return Err(self.too_many_steps());
        };
        match &start {
            Ok(OperationStart::Creating(id)) => self.state.created_id = Some(id.clone()),
            Ok(OperationStart::NoChange) if self.tracker.child.is_some() => {
                self.state.has_no_changes = true;
                return Ok(());
            }
            _ => {}
        }
        Ok(self.tracker.started(start).await?)
    }

    fn error(&self, stop: ApplyStop) -> ApplyError {
        let name = self.tracker.name();
        let status = self
            .tracker
            .child
            .as_ref()
            .map_or("", |child| &child.status);
        match stop {
            ApplyStop::Foreign(owner) => ApplyError::Refused(messages::foreign_stack(
                name,
                &self.context().owner,
                owner.as_ref(),
                status,
            )),
            ApplyStop::Superseded => ApplyError::Refused(messages::superseded(name)),
            ApplyStop::UnknownStatus => ApplyError::Refused(messages::unknown_status(name, status)),
            ApplyStop::Deleted => ApplyError::Deleted,
            ApplyStop::Failed(child, reason) => {
                ApplyError::StackFailed(messages::stack_failed(name, &child.status, &reason))
            }
        }
    }
}

impl Reconcile for StackApplier<'_> {
    type Step = ApplyStep;
    type Done = ReadyStack;
    type Error = ApplyError;

    async fn observe(&mut self) -> Result<(), ApplyError> {
        if !self.tracker.observe().await? {
            return Ok(());
        }
        // These were read for the former state of the stack.
        self.state.content = None;
        self.state.has_tombstone = None;
        self.state.failure = None;
        self.state.has_read_created = false;
        self.state.deleted_stack = None;
        let child = self.tracker.child.as_ref();
        if let Some(child) = child.filter(|child| child.is_owned_by(self.context())) {
            if child.is_settled() {
                self.had_pipeline.get_or_insert(child.has_pipeline());
            } else {
                self.progress.changing();
            }
        }
        Ok(())
    }

    fn plan(&self) -> Next<ApplyStep, ReadyStack, ApplyError> {
        let child = self.tracker.child.as_ref();
        match (plan::apply::next(child, &self.state, self.context()), child) {
            (Next::Apply(step), _) => Next::Apply(step),
            (Next::Fail(stop), _) => Next::Fail(self.error(stop)),
            (Next::Done(()), Some(child)) => Next::Done(ReadyStack {
                child: child.clone(),
                had_pipeline: self.had_pipeline.unwrap_or(false),
            }),
            (Next::Done(()), None) => Next::Fail(self.too_many_steps()),
        }
    }

    fn describe(&self, step: &ApplyStep) -> String {
        let name = self.tracker.name();
        match step {
            ApplyStep::ReadCreated => format!("looking up the stack {name} that was created"),
            ApplyStep::ReadTombstone => format!("looking up whether {name} was deleted"),
            ApplyStep::ReadFailure => format!("reading why stack {name} failed"),
            ApplyStep::Render => format!("rendering the template of stack {name}"),
            ApplyStep::Create { .. } => format!("creating stack {name}"),
            ApplyStep::Update { again: false } => format!("updating stack {name}"),
            ApplyStep::Update { again: true } => format!("updating stack {name} once more"),
            ApplyStep::CancelUpdate => format!("cancelling the earlier update of stack {name}"),
            ApplyStep::ContinueRollback => format!("continuing the rollback of stack {name}"),
            ApplyStep::Delete {
                to_create_again: false,
            } => format!("deleting what is left of stack {name}"),
            ApplyStep::Delete {
                to_create_again: true,
            } => format!("deleting stack {name} to create it once more"),
            ApplyStep::Wait => {
                let child = self.tracker.child.as_ref();
                let status = child.map_or("", |child| &child.status);
                format!("waiting for stack {name} ({status})")
            }
        }
    }

    async fn apply(&mut self, step: ApplyStep) -> Result<(), ApplyError> {
        match step {
            ApplyStep::ReadCreated => self.read_created().await,
            ApplyStep::ReadTombstone => Ok(self.read_tombstone().await?),
            ApplyStep::ReadFailure => {
                self.read_failure().await;
                Ok(())
            }
            ApplyStep::Render => self.render().await,
            ApplyStep::Wait => {
                self.tracker.wait().await;
                Ok(())
            }
            ApplyStep::Create { .. }
            | ApplyStep::Update { .. }
            | ApplyStep::CancelUpdate
            | ApplyStep::ContinueRollback
            | ApplyStep::Delete { .. } => self.change(step).await,
        }
    }

    fn too_many_steps(&self) -> ApplyError {
        let text = format!(
            "changing stack {}: it did not end; deploy again",
            self.tracker.name()
        );
        ApplyError::CallFailed(Reason::new(Code::InternalError, text))
    }
}
