//! The current step, for the log and for the reason of a request that runs out of time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;
use tracing::Span;

/// The step before the first one.
const STARTING: &str = "starting";
/// The outcome of a step that another step follows.
const DONE: &str = "done";

/// The step log of one request. Each step becomes a line of the log when it ends. While it runs, it
/// is the field `step` of the surrounding span, if the span has this field.
#[derive(Clone, Debug)]
pub struct Progress {
    until: SystemTime,
    span: Span,
    step: Arc<Mutex<RunningStep>>,
    changes: Arc<AtomicBool>,
}

#[derive(Debug)]
struct RunningStep {
    /// A gerund, the thing and its ID.
    doing: String,
    began: Instant,
    is_over: bool,
}

impl Progress {
    /// A step log in the current span, for work that is interrupted at `until`.
    pub fn new(until: SystemTime) -> Self {
        Progress {
            until,
            span: Span::current(),
            step: Arc::new(Mutex::new(RunningStep::new(STARTING.to_owned()))),
            changes: Arc::default(),
        }
    }

    /// Call this before the request's first change. A Create that fails before it counts as rejected:
    /// see [`Resource::rejected_id`](crate::Resource::rejected_id).
    pub fn changing(&self) {
        self.changes.store(true, Ordering::Relaxed);
    }

    /// Whether [`Progress::changing`] was called.
    pub fn has_changes(&self) -> bool {
        self.changes.load(Ordering::Relaxed)
    }

    /// When the work is interrupted. Stop waiting for anything well before.
    pub fn until(&self) -> SystemTime {
        self.until
    }

    /// Starts a step and ends the step before: a gerund, the thing and its ID.
    pub fn doing(&self, what: impl Into<String>) {
        let what = what.into();
        let mut step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if step.doing == what && !step.is_over {
            return;
        }
        self.log(&mut step, DONE);
        self.span.record("step", &*what);
        *step = RunningStep::new(what);
    }

    /// Ends the last step with an outcome.
    pub fn ended(&self, outcome: &'static str) {
        let mut step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        self.log(&mut step, outcome);
    }

    /// The last step.
    pub fn last(&self) -> String {
        let step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        step.doing.clone()
    }

    fn log(&self, step: &mut RunningStep, outcome: &'static str) {
        // Nothing was done before the first step.
        let is_nothing = step.doing == STARTING && outcome == DONE;
        if !step.is_over && !is_nothing {
            let took = step.began.elapsed().as_millis();
            let duration_ms = u64::try_from(took).unwrap_or(u64::MAX);
            let doing = step.doing.as_str();
            tracing::info!(parent: &self.span, step = doing, outcome, duration_ms, "step");
        }
        step.is_over = true;
    }
}

impl RunningStep {
    fn new(doing: String) -> Self {
        RunningStep {
            doing,
            began: Instant::now(),
            is_over: false,
        }
    }
}
