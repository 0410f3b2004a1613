//! What is being done, for the reason of a request that runs out of time, and for the log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;
use tracing::Span;

/// What is being done before anything was noted.
const STARTING: &str = "starting";
/// How a step ended after which the next one was noted.
const DONE: &str = "done";

/// What the handler is doing. Each step that it notes becomes a line of the log when it is over, and
/// is the field `step` of the lines that are logged meanwhile, where the span around has such a field.
#[derive(Clone, Debug)]
pub struct Progress {
    until: SystemTime,
    span: Span,
    step: Arc<Mutex<Step>>,
    changes: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Step {
    /// A gerund, the thing and its id.
    doing: String,
    began: Instant,
    is_over: bool,
}

impl Progress {
    /// For work that ends at `until`, and is logged in the span that this is called in.
    pub fn new(until: SystemTime) -> Self {
        Progress {
            until,
            span: Span::current(),
            step: Arc::new(Mutex::new(Step::new(STARTING.to_owned()))),
            changes: Arc::default(),
        }
    }

    /// Notes that the request has changed something in AWS, or is about to. A Create that fails
    /// before this is noted was rejected.
    pub fn changing(&self) {
        self.changes.store(true, Ordering::Relaxed);
    }

    /// Whether [`Progress::changing`] was called.
    pub fn has_changes(&self) -> bool {
        self.changes.load(Ordering::Relaxed)
    }

    /// The work is broken off then; what may wait should stop waiting well before.
    pub fn until(&self) -> SystemTime {
        self.until
    }

    /// Notes what is being done now: a gerund, the thing and its id. What was done before is done.
    pub fn doing(&self, what: impl Into<String>) {
        let what = what.into();
        let mut step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if step.doing == what && !step.is_over {
            return;
        }
        self.log(&mut step, DONE);
        self.span.record("step", &*what);
        *step = Step::new(what);
    }

    /// Notes that the work is over: how the last step ended.
    pub fn ended(&self, outcome: &'static str) {
        let mut step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        self.log(&mut step, outcome);
    }

    /// The step that was noted last.
    pub fn last(&self) -> String {
        let step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        step.doing.clone()
    }

    fn log(&self, step: &mut Step, outcome: &'static str) {
        // What has gone on to a first step is no step itself.
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

impl Step {
    fn new(doing: String) -> Self {
        Step {
            doing,
            began: Instant::now(),
            is_over: false,
        }
    }
}
