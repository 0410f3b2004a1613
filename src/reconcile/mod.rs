//! The one driver: observe, plan, apply, until the resource matches its spec.
//!
//! Creation, update, deletion, rotation, the first push and the child stack are all driven by
//! [`reconcile`]. They differ in their [`Reconcile`]: its reads, the pure planner that chooses the
//! next step, and the execution of that step. Each step is idempotent, because the process may die
//! after any of them, and the next request for the same resource resumes from what it observes.

pub mod backoff;
pub mod sender;

use std::ops::ControlFlow;
use std::ops::ControlFlow::{Break, Continue};

use crate::clients::aws::CallError;
use crate::common::reason_codes::Code;
use cfn_custom_resource::Progress;

/// No request of the product needs more steps. The limit ends a planner that repeats itself.
const MAX_STEPS: u32 = 1500;

/// The decision of a planner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<Step, Done, Error> {
    /// Execute this step, then plan again.
    Apply(Step),
    /// The resource matches its spec.
    Done(Done),
    /// The resource cannot be changed to match its spec.
    Fail(Error),
}

impl<Step, Done, Error> Next<Step, Done, Error> {
    pub fn map_error<E>(self, error: impl FnOnce(Error) -> E) -> Next<Step, Done, E> {
        match self {
            Next::Apply(step) => Next::Apply(step),
            Next::Done(done) => Next::Done(done),
            Next::Fail(stop) => Next::Fail(error(stop)),
        }
    }
}

impl<Step, Done, Error> From<Step> for Next<Step, Done, Error> {
    fn from(step: Step) -> Self {
        Next::Apply(step)
    }
}

/// Ends a plan with `next`. A part of a plan that chooses nothing continues instead, and its value
/// is the result of the part.
pub fn choose<N, T>(next: impl Into<N>) -> ControlFlow<N, T> {
    Break(next.into())
}

/// Ends a plan with `next`, if `is_needed`.
pub fn choose_if<N>(is_needed: bool, next: impl Into<N>) -> ControlFlow<N> {
    choose_any(is_needed.then_some(next))
}

/// Ends a plan with `next`, if there is one.
pub fn choose_any<N>(next: Option<impl Into<N>>) -> ControlFlow<N> {
    next.map_or(Continue(()), choose)
}

/// A resource that [`reconcile`] changes to its desired state.
pub trait Reconcile {
    /// One idempotent change or read.
    type Step: Send;
    /// The result when nothing is left to do.
    type Done: Send;
    /// Why it failed.
    type Error: From<CallError> + Send;

    /// Reads the parts of the state that the next plan depends on and that may have changed since
    /// the last step.
    fn observe(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Chooses the next step from the state alone.
    fn plan(&self) -> Next<Self::Step, Self::Done, Self::Error>;

    /// The action of `step`, as a gerund phrase with the names of its resources. It is logged with
    /// the step's duration, and ends up in the reason if the time runs out during the step.
    fn describe(&self, step: &Self::Step) -> String;

    /// Executes `step` and updates the state.
    fn apply(&mut self, step: Self::Step) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Observes, plans and applies until `target` is done or fails.
///
/// # Errors
/// The error of the planner, or of the first observation or step that fails. An internal error if
/// the plan does not end.
pub async fn reconcile<T: Reconcile>(
    target: &mut T,
    progress: &Progress,
) -> Result<T::Done, T::Error> {
    for _ in 0..MAX_STEPS {
        target.observe().await?;
        match target.plan() {
            Next::Done(done) => return Ok(done),
            Next::Fail(error) => return Err(error),
            Next::Apply(step) => {
                progress.doing(target.describe(&step));
                target.apply(step).await?;
            }
        }
    }
    let cause = "the steps do not end";
    Err(CallError::local(Code::InternalError, progress.last(), cause).into())
}
