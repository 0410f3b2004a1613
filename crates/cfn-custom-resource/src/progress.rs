//! The current step, for the log and for the reason of a request that runs out of time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;
use tracing::Span;

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
    /// `None` before the first step, and when the last one has ended.
    began: Option<Instant>,
}

impl Progress {
    /// A step log in the current span, for work that is interrupted at `until`.
    pub fn new(until: SystemTime) -> Self {
        Progress {
            until,
            span: Span::current(),
            step: Arc::new(Mutex::new(RunningStep {
                doing: "starting".to_owned(),
                began: None,
            })),
            changes: Arc::default(),
        }
    }

    /// Call this before the request's first change. A Create that fails before it counts as
    /// rejected: see [`Resource::rejected_id`](crate::Resource::rejected_id).
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
        let doing = what.into();
        let is_running = self.step().began.is_some();
        if is_running && self.last() == doing {
            return;
        }
        self.ended("done");
        self.span.record("step", &*doing);
        let began = Some(Instant::now());
        *self.step() = RunningStep { doing, began };
    }

    /// Ends the last step with an outcome.
    pub fn ended(&self, outcome: &'static str) {
        self.ended_because(outcome, None);
    }

    /// Ends the last step with an outcome, and with its cause if it is known.
    pub fn ended_because(&self, outcome: &'static str, error: Option<&str>) {
        let mut step = self.step();
        if let Some(began) = step.began.take() {
            let took = began.elapsed().as_millis();
            let duration_ms = u64::try_from(took).unwrap_or(u64::MAX);
            let doing = step.doing.as_str();
            tracing::info!(parent: &self.span, step = doing, outcome, error, duration_ms, "step");
        }
    }

    /// The last step; `starting` before the first one.
    pub fn last(&self) -> String {
        self.step().doing.clone()
    }

    fn step(&self) -> MutexGuard<'_, RunningStep> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
