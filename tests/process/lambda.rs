//! Lambda's side of the Runtime API: hands out events one by one, and collects their
//! results. Source: "Using the Lambda runtime API" in the Lambda Developer Guide.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::http::{self, Answer, Reply, Request};
use test_support::reason_codes;

/// The function's ARN.
pub const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops";

/// The time limit of every wait. Only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// How an invocation ended.
#[derive(Clone, Debug)]
pub enum Ended {
    Result(Value),
    /// Lambda delivers the event again.
    Error(Value),
}

impl Ended {
    pub fn result(self) -> Value {
        match self {
            Ended::Result(result) => {
                if let Some(reason) = result["Reason"].as_str() {
                    assert!(reason_codes::split(reason).is_some(), "{reason}");
                }
                result
            }
            Ended::Error(error) => panic!("Lambda got an error: {error}"),
        }
    }

    pub fn error(self) -> Value {
        match self {
            Ended::Error(error) => {
                let message = error["errorMessage"].as_str().unwrap_or_default();
                assert!(reason_codes::split(message).is_some(), "{error}");
                error
            }
            Ended::Result(result) => panic!("Lambda got a result: {result}"),
        }
    }
}

/// One function's Runtime API.
#[derive(Clone)]
pub struct Lambda {
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    queued: Vec<(u64, Vec<u8>, SystemTime)>,
    invocations: u64,
    ended: Vec<(u64, Ended, Instant)>,
    waits: bool,
    /// The number of polls.
    asked: u64,
    /// How many processes there were before the present one.
    former: u64,
    /// The results of the next polls and responses. Later ones are served.
    polls: Vec<Reply>,
    results: Vec<Reply>,
    /// Every body that was posted.
    posted: Vec<String>,
}

impl Lambda {
    pub fn start() -> (Self, SocketAddr) {
        let lambda = Lambda {
            state: Arc::default(),
        };
        let serving = lambda.clone();
        let server = http::serve(move |request| serving.handle(&request));
        (lambda, server.address)
    }

    /// Hands `event` to the function, which has `time` for it.
    pub fn invoke(&self, event: impl Into<Vec<u8>>, time: Duration) -> Invocation {
        self.invoke_until(event, SystemTime::now() + time)
    }

    /// Passes `event` to the function, with the deadline `deadline`.
    pub fn invoke_until(&self, event: impl Into<Vec<u8>>, deadline: SystemTime) -> Invocation {
        let mut state = self.state();
        state.invocations += 1;
        let id = state.invocations;
        state.queued.push((id, event.into(), deadline));
        drop(state);
        self.state.1.notify_all();
        Invocation {
            lambda: self.clone(),
            id,
            began: Instant::now(),
        }
    }

    /// Waits until the process polls: it has started, or has finished all its events.
    pub fn wait_until_asked(&self) {
        self.wait("the process to ask for an event", |state| {
            let is_idle = state.waits && state.queued.is_empty();
            (is_idle && state.asked > state.invocations).then_some(())
        });
    }

    /// Gives the next polls these results, one by one, beginning with one that waits.
    pub fn next_polls(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state().polls.extend(replies);
        self.state.1.notify_all();
    }

    /// Gives the next posts these results, one by one.
    pub fn next_results(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state().results.extend(replies);
    }

    /// The process has ended, with its poll. Another one may start.
    pub fn forget_process(&self) {
        let mut state = self.state();
        state.former += 1;
        state.waits = false;
        drop(state);
        self.state.1.notify_all();
    }

    /// Everything that the process ever posted.
    pub fn posted(&self) -> Vec<String> {
        self.state().posted.clone()
    }

    fn handle(&self, request: &Request) -> Reply {
        let path = request.target.trim_start_matches("/2018-06-01/runtime/");
        if request.method == "GET" && path == "invocation/next" {
            return self.next();
        }
        let mut state = self.state();
        state.posted.push(request.text());
        if !state.results.is_empty() {
            return state.results.remove(0);
        }
        let parts: Vec<&str> = path.split('/').collect();
        let body = serde_json::from_slice(&request.body).unwrap_or_default();
        let (id, ended) = match parts[..] {
            ["invocation", id, "response"] => (id, Ended::Result(body)),
            ["invocation", id, "error"] => (id, Ended::Error(body)),
            _ => return Reply::status(404),
        };
        let id = id.rsplit('-').next().and_then(|id| id.parse().ok());
        state.ended.push((id.expect("an id from here"), ended, Instant::now()));
        drop(state);
        self.state.1.notify_all();
        Reply::status(202)
    }

    fn next(&self) -> Reply {
        let mut state = self.state();
        state.waits = true;
        state.asked += 1;
        self.state.1.notify_all();
        let process = state.former;
        while state.former == process && state.queued.is_empty() && state.polls.is_empty() {
            let waited = self.state.1.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if state.former != process {
            return Reply::Reset;
        }
        state.waits = false;
        if !state.polls.is_empty() {
            return state.polls.remove(0);
        }
        let (id, event, deadline) = state.queued.remove(0);
        let deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970");
        let id = format!("00000000-0000-0000-0000-{id:012}");
        Reply::Answer(Answer::of_runtime_api(id, deadline, FUNCTION, event))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let locked = self.state.0.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(&self, what: &str, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            if let Some(found) = look(&mut state) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}");
            let waited = self.state.1.wait_timeout(state, left);
            state = waited.expect("no panic under this lock").0;
        }
    }
}

/// One event on its way.
pub struct Invocation {
    lambda: Lambda,
    id: u64,
    began: Instant,
}

impl Invocation {
    /// How it ended, and after how long.
    pub fn ended(&self) -> (Ended, Duration) {
        self.lambda.wait("the invocation to end", |state| {
            let ended = state.ended.iter().find(|(id, ..)| *id == self.id);
            ended.map(|(_, ended, at)| (ended.clone(), at.duration_since(self.began)))
        })
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        let state = self.lambda.state();
        state.ended.iter().any(|(id, ..)| *id == self.id)
    }

    pub fn result(&self) -> Value {
        self.ended().0.result()
    }

    pub fn error(&self) -> Value {
        self.ended().0.error()
    }
}
