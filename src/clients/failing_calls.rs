//! The calls that fail, or get no response, while the work goes on.
//!
//! If a time limit cuts the work, its step is the call that happened to run. The cause is a call
//! that is retried, or one whose failure the work waits to resolve. So each attempt is noted here,
//! and the text of each time limit names the calls whose latest attempt failed a short time ago. An
//! answer, even one that rejects the call, removes the call.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A call without a response is named after this time.
const SLOW: Duration = Duration::from_secs(2);

/// The most calls that a text names.
const MAX_NAMED: usize = 3;

/// A failure of longer ago was tolerated: the work goes on without the call. The longest wait for
/// the result of one, IAM's list of a new credential, takes less.
const MAX_AGE: Duration = Duration::from_secs(120);

/// The most characters of a cause.
const MAX_CAUSE: usize = 300;

tokio::task_local! {
    static CALLS: FailingCalls;
}

/// The failing calls of some work. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct FailingCalls(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    calls: Mutex<BTreeMap<String, FailingCall>>,
    /// Those of the work around.
    outer: Option<FailingCalls>,
}

#[derive(Clone, Debug)]
struct FailingCall {
    /// The service, the operation and the cause. `None` if there was no response yet.
    text: Option<String>,
    /// The attempts of this invocation.
    attempts: u32,
    /// When the latest attempt began or failed.
    since: Instant,
}

impl FailingCalls {
    /// With the `texts` of an earlier invocation.
    pub fn continuing(texts: &BTreeMap<String, String>) -> Self {
        let calls = FailingCalls::default();
        for (operation, text) in texts.iter().take(MAX_NAMED) {
            let text = Some(text.chars().take(MAX_CAUSE).collect());
            let (attempts, since) = (0, Instant::now());
            let call = FailingCall {
                text,
                attempts,
                since,
            };
            calls.lock().insert(operation.clone(), call);
        }
        calls
    }

    /// Runs `work` and notes its calls. A task that it spawns does not note them.
    pub async fn note<F: Future>(&self, work: F) -> F::Output {
        CALLS.scope(self.clone(), work).await
    }

    /// The operations that failed last, each with its service, cause and attempts. The latest is
    /// first.
    fn latest(&self) -> Vec<(String, String)> {
        let calls = self.lock();
        let mut failing: Vec<_> = calls.iter().filter(|(_, call)| call.is_failing()).collect();
        failing.sort_by_key(|(_, call)| Reverse(call.since));
        let named = failing.into_iter().take(MAX_NAMED);
        named
            .map(|(operation, call)| (operation.clone(), call.describe(operation)))
            .collect()
    }

    /// The same by their operations.
    pub fn texts(&self) -> BTreeMap<String, String> {
        self.latest().into_iter().collect()
    }

    /// The texts in a sentence. `None` if no call fails.
    pub fn describe(&self) -> Option<String> {
        let texts = self.latest().into_iter().map(|(_, text)| text);
        let texts: Vec<String> = texts.collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, FailingCall>> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FailingCall {
    fn is_failing(&self) -> bool {
        let age = self.since.elapsed();
        age <= MAX_AGE && (self.text.is_some() || age >= SLOW)
    }

    fn describe(&self, operation: &str) -> String {
        let text = match &self.text {
            Some(text) => text.clone(),
            None => format!("{operation}: no response"),
        };
        match self.attempts {
            0 => text,
            1 => format!("{text}, 1 attempt"),
            attempts => format!("{text}, {attempts} attempts"),
        }
    }
}

/// Changes the calls of the current work, and of the work around it.
fn change(change: impl Fn(&mut BTreeMap<String, FailingCall>)) {
    // Outside of `note` there are none.
    let _ = CALLS.try_with(|calls| {
        let mut scope = Some(calls);
        while let Some(calls) = scope {
            change(&mut calls.lock());
            scope = calls.0.outer.as_ref();
        }
    });
}

/// An attempt at `operation` begins.
pub fn began(operation: &str) {
    change(|calls| {
        let since = Instant::now();
        let new = FailingCall {
            text: None,
            attempts: 0,
            since,
        };
        let call = calls.entry(operation.to_owned()).or_insert(new);
        (call.attempts, call.since) = (call.attempts + 1, since);
    });
}

/// The latest attempt at `operation` of `service` failed, and the call may be repeated, or the work
/// waits for its result.
pub fn failed(service: &str, operation: &str, cause: &str) {
    let cause: String = cause.chars().take(MAX_CAUSE).collect();
    let text = format!("{service} {operation}: {cause}");
    change(|calls| {
        if let Some(call) = calls.get_mut(operation) {
            (call.text, call.since) = (Some(text.clone()), Instant::now());
        }
    });
}

/// The service answered `operation`, or another call returned its result.
pub fn answered(operation: &str) {
    change(|calls| drop(calls.remove(operation)));
}

/// The work was cut by a time limit. With the calls that failed meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfTime(Option<String>);

impl OutOfTime {
    /// The calls of work that was cut.
    pub fn of(calls: &FailingCalls) -> Self {
        OutOfTime(calls.describe())
    }

    /// The failing calls, then `what`.
    pub fn and(&self, what: &str) -> String {
        match &self.0 {
            Some(calls) => format!("{calls}; {what}"),
            None => what.to_owned(),
        }
    }
}

impl fmt::Display for OutOfTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.and("no time was left"))
    }
}

/// Runs `work` for at most `time`.
///
/// # Errors
/// If the time is over.
pub async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Result<T, OutOfTime> {
    let calls = FailingCalls(Arc::new(Noted {
        calls: Mutex::default(),
        outer: CALLS.try_with(Clone::clone).ok(),
    }));
    let done = tokio::time::timeout(time, calls.note(work)).await;
    done.map_err(|_| OutOfTime::of(&calls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_limit_names_the_calls_that_still_fail() {
        let outer = FailingCalls::default();
        let work = within(Duration::from_secs(9), async {
            for _ in 0..2 {
                began("GetBranch");
                failed("CodeCommit", "GetBranch", "HTTP 500");
            }
            began("GetRole");
            failed("IAM", "GetRole", "HTTP 503");
            began("GetRole");
            answered("GetRole");
            began("ListUsers");
            std::future::pending::<()>().await;
        });
        let cut = outer.note(work).await.expect_err("it never ends");
        let expected = "CodeCommit GetBranch: HTTP 500, 2 attempts; ListUsers: no response, 1 attempt; no time was left";
        assert_eq!(cut.to_string(), expected);
        assert_eq!(OutOfTime::of(&outer), cut);
        // Another invocation continues.
        let later = FailingCalls::continuing(&outer.texts());
        assert_eq!(OutOfTime::of(&later), cut);
        later.note(async { answered("GetBranch") }).await;
        assert_eq!(later.texts().len(), 1);
        // The work goes on without it.
        tokio::time::sleep(MAX_AGE + SLOW).await;
        assert_eq!(OutOfTime::of(&later).to_string(), "no time was left");
    }
}
