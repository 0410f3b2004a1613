//! Creates or updates the child stack.

use aws_sdk_cloudformation::types::OnFailure;

use super::error::ApplyError;
use super::render::{Rendered, Renderer};
use crate::clients::aws::CallError;
use crate::clients::cloudformation::StackStatus;
use crate::gitops_pipeline::calls::{OperationStart, StackCall, into_start};
use crate::gitops_pipeline::delete::StackCreation;
use crate::gitops_pipeline::intent_log::{Purpose, RequestKey};
use crate::gitops_pipeline::observe::tracker::StackTracker;
use crate::gitops_pipeline::plan::apply::{ApplyState, ApplyStep, ApplyStop};
use crate::gitops_pipeline::source::Source;
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::{messages, observe, plan};
use crate::reconcile::{Next, Reconcile};
use cfn_custom_resource::Progress;

/// Updates the child stack until it matches the content that is rendered for one request.
pub struct StackApplier<'a> {
    renderer: &'a Renderer<'a>,
    source: &'a Source,
    progress: &'a Progress,
    tracker: StackTracker<'a>,
    state: ApplyState,
    rendered: Option<Rendered>,
    had_pipeline: Option<bool>,
    has_sent_creation: bool,
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
            has_sent_creation: false,
        }
    }

    /// Whether the stack had a pipeline when this request observed it first.
    pub fn had_pipeline(&self) -> bool {
        self.had_pipeline == Some(true)
    }

    /// Whether a stack of this resource was observed.
    pub fn has_found_own(&self) -> bool {
        let child = self.tracker.child.as_ref();
        child.is_some_and(|child| child.is_owned_by(self.renderer.context))
    }

    /// Whether this invocation has created the stack, which the reads need not show yet.
    pub fn creation(&self) -> StackCreation {
        match &self.state.created_id {
            Some(id) => StackCreation::Sent(id.clone()),
            None if self.has_sent_creation => StackCreation::MayBeSent,
            None => StackCreation::Settled,
        }
    }

    /// Observes the stack. A Create probably has none: it renders the content of a new stack and
    /// reads the tombstone at the same time. Reads that fail are repeated when the plan needs them.
    pub async fn start(&mut self, creates: bool) -> Result<(), ApplyError> {
        if !creates {
            return self.observe().await;
        }
        let renderer = self.renderer;
        let content = renderer.render(None, self.source);
        let ahead = async { Ok(tokio::join!(content, renderer.is_deleted())) };
        let ((), ahead) = tokio::try_join!(self.observe(), ahead)?;
        if let (None, (Ok(rendered), has_tombstone)) = (&self.tracker.child, ahead) {
            self.state.content = Some(rendered.key.clone());
            self.state.has_tombstone = Some(has_tombstone);
            self.rendered = Some(rendered);
        }
        Ok(())
    }

    /// Reads the stack that this invocation created. If it was deleted, it is the observed stack.
    async fn read_created(&mut self) -> Result<(), CallError> {
        if let Some(id) = &self.state.created_id {
            let created = observe::observe(self.renderer.aws, id, None).await?;
            self.tracker.child =
                created.filter(|stack| stack.status == StackStatus::DeleteComplete);
        }
        self.state.has_read_created = true;
        Ok(())
    }

    async fn read_failure(&mut self) {
        let own = &self.renderer.context.request;
        let is_change = |request: &RequestKey, purpose: &Purpose| {
            request == own && !matches!(purpose, Purpose::RollBack | Purpose::Cancel)
        };
        self.tracker.read_failure(is_change).await;
    }

    async fn read_properties(&mut self) -> Result<(), CallError> {
        let Renderer { aws, context, .. } = *self.renderer;
        if let Some(child) = &self.tracker.child {
            let key = observe::properties_key(aws, &child.id).await?;
            self.state.has_properties = Some(key.as_ref() == Some(&context.properties_key));
        }
        Ok(())
    }

    async fn render(&mut self) -> Result<(), ApplyError> {
        let child = self.tracker.child.as_ref();
        let child = child.filter(|child| child.status.is_complete());
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

    /// Sends the rendered content. A second attempt has a token of its own.
    async fn send(&mut self, is_new: bool, again: bool) -> Result<(), ApplyError> {
        let Some(rendered) = &self.rendered else {
            return self.render().await;
        };
        let key = rendered.key.clone();
        let purpose = if again {
            Purpose::ApplyAgain(key)
        } else {
            Purpose::Apply(key)
        };
        let start = if is_new {
            self.progress.changing();
            self.state.creates_again = again;
            self.has_sent_creation = true;
            create(self.call(&purpose), rendered).await
        } else {
            update(self.call(&purpose), rendered).await
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

    /// Deletes a stack that failed. If its failure was read, this request creates it again.
    async fn delete(&mut self) -> Result<(), CallError> {
        let child = self.tracker.child.as_ref();
        if let Some(failure) = child.and_then(|child| child.failure.as_ref()) {
            tracing::warn!(
                error = failure,
                "a service could not assume a role; creating it again"
            );
            self.state.creates_again = true;
            self.state.created_id = None;
        }
        let start = self.call(&Purpose::Delete).delete().await;
        self.tracker.started(start).await
    }

    fn call(&self, purpose: &Purpose) -> StackCall<'_> {
        self.tracker.call(self.renderer.context, purpose)
    }

    fn error(&self, stop: ApplyStop) -> ApplyError {
        let (name, child) = (self.tracker.name(), self.tracker.child.as_ref());
        let own = &self.renderer.context.owner;
        ApplyError::Failed(match (stop, child) {
            (ApplyStop::Deleted, _) => return ApplyError::Deleted,
            (ApplyStop::Failed(reason), _) => {
                let status = child.map(|child| &child.status);
                let reason = messages::stack_failed(name, status, &reason);
                return ApplyError::StackFailed(reason);
            }
            (ApplyStop::Superseded, _) | (_, None) => messages::superseded(name),
            (ApplyStop::Foreign(owner), Some(child)) => {
                messages::foreign_stack(name, own, owner.as_ref(), child)
            }
            (ApplyStop::Untagged, Some(child)) => messages::stack_is_untagged(name, own, child),
            (ApplyStop::UnknownStatus, Some(child)) => {
                messages::unknown_status(name, &child.status)
            }
        })
    }
}

impl Reconcile for StackApplier<'_> {
    type Step = ApplyStep;
    type Done = ChildStack;
    type Error = ApplyError;

    async fn observe(&mut self) -> Result<(), ApplyError> {
        if !self.tracker.observe().await? {
            return Ok(());
        }
        // These were read for the former state of the stack.
        self.state.content = None;
        self.state.has_tombstone = None;
        self.state.has_read_created = false;
        self.state.has_properties = None;
        let child = self.tracker.child.as_ref();
        if let Some(child) = child.filter(|child| child.is_owned_by(self.renderer.context)) {
            if child.status.is_complete() {
                self.had_pipeline.get_or_insert(child.has_pipeline());
            } else {
                self.progress.changing();
            }
        }
        Ok(())
    }

    fn plan(&self) -> Next<ApplyStep, ChildStack, ApplyError> {
        let child = self.tracker.child.as_ref();
        let next = plan::apply::next(child, &self.state, self.renderer.context);
        next.map_error(|stop| self.error(stop))
    }

    fn describe(&self, step: &ApplyStep) -> String {
        let name = self.tracker.name();
        match step {
            ApplyStep::ReadCreated => format!("looking up the stack {name} that was created"),
            ApplyStep::ReadTombstone => format!("looking up whether {name} was deleted"),
            ApplyStep::ReadFailure => format!("reading why stack {name} failed"),
            ApplyStep::ReadProperties => format!("comparing the properties of stack {name}"),
            ApplyStep::Render => format!("rendering the template of stack {name}"),
            ApplyStep::Create { .. } => format!("creating stack {name}"),
            ApplyStep::Update { again: false } => format!("updating stack {name}"),
            ApplyStep::Update { again: true } => format!("updating stack {name} once more"),
            ApplyStep::CancelUpdate => format!("cancelling the earlier update of stack {name}"),
            ApplyStep::ContinueRollback => format!("continuing the rollback of stack {name}"),
            ApplyStep::Delete => format!("deleting what is left of stack {name}"),
            ApplyStep::Wait => self.tracker.describe_wait(),
        }
    }

    async fn apply(&mut self, step: ApplyStep) -> Result<(), ApplyError> {
        match step {
            ApplyStep::ReadCreated => self.read_created().await?,
            ApplyStep::ReadTombstone => {
                self.state.has_tombstone = Some(self.renderer.is_deleted().await);
            }
            ApplyStep::ReadFailure => self.read_failure().await,
            ApplyStep::ReadProperties => self.read_properties().await?,
            ApplyStep::Render => self.render().await?,
            ApplyStep::Create { again } => self.send(true, again).await?,
            ApplyStep::Update { again } => self.send(false, again).await?,
            ApplyStep::CancelUpdate => {
                let start = self.call(&Purpose::Cancel).cancel_update().await;
                self.tracker.started(start).await?;
            }
            ApplyStep::ContinueRollback => {
                let start = continue_rollback(self.call(&Purpose::ContinueRollback)).await;
                self.tracker.started(start).await?;
            }
            ApplyStep::Delete => self.delete().await?,
            ApplyStep::Wait => self.tracker.wait().await,
        }
        Ok(())
    }
}

/// Creates the stack. If the creation fails, CloudFormation deletes the resources and keeps the
/// stack, whose events contain the reason.
async fn create(call: StackCall<'_>, content: &Rendered) -> Result<OperationStart, CallError> {
    let StackCall { aws, name, .. } = call;
    let call = aws
        .cloudformation
        .create_stack()
        .stack_name(name)
        .template_body(&content.template)
        .set_parameters(Some(content.parameters.clone()))
        .set_tags(Some(content.tags.clone()))
        .role_arn(call.role_arn)
        .on_failure(OnFailure::Rollback)
        .client_request_token(call.token);
    match call.send().await.map(|output| output.stack_id) {
        Ok(Some(id)) => Ok(OperationStart::Creating(id)),
        other => into_start(format!("creating stack {name}"), other),
    }
}

async fn update(call: StackCall<'_>, content: &Rendered) -> Result<OperationStart, CallError> {
    let StackCall { aws, name, .. } = call;
    let call = aws
        .cloudformation
        .update_stack()
        .stack_name(name)
        .template_body(&content.template)
        .set_parameters(Some(content.parameters.clone()))
        .set_tags(Some(content.tags.clone()))
        .role_arn(call.role_arn)
        .client_request_token(call.token);
    into_start(format!("updating stack {name}"), call.send().await)
}

async fn continue_rollback(call: StackCall<'_>) -> Result<OperationStart, CallError> {
    let StackCall { aws, id, .. } = call;
    let call = aws
        .cloudformation
        .continue_update_rollback()
        .stack_name(id)
        .role_arn(call.role_arn)
        .client_request_token(call.token);
    into_start(
        format!("continuing the rollback of stack {id}"),
        call.send().await,
    )
}
