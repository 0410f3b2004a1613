//! One run of one function: its environment, and its record.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use fake_aws::FakeAws;

/// The input of a run.
#[derive(Debug, Deserialize)]
pub struct Prepared {
    /// The account's IAM users.
    users: Vec<String>,
    /// The latency of each AWS call, in milliseconds.
    latency_ms: u64,
    /// The function's events, in this order.
    events: VecDeque<Value>,
}

/// The present run. A function of an earlier one, which may still wait here, meets nothing of it.
#[derive(Default)]
pub struct Runs {
    present: Mutex<Run>,
    /// A run is over.
    changed: Condvar,
}

/// Times are in nanoseconds since 1970.
#[derive(Default)]
pub struct Run {
    /// Which run it is.
    pub number: u64,
    pub fake: FakeAws,
    pub latency: Duration,
    pub events: VecDeque<Value>,
    pub record: Record,
}

/// The steps, in the form of the record.
#[derive(Default, Serialize)]
pub struct Record {
    pub invocations: Vec<Invocation>,
    pub responses: Vec<Response>,
    /// The calls that the account could not handle.
    pub complaints: Vec<String>,
    /// How many credentials and secrets there are at the end.
    pub credentials: usize,
    pub secrets: usize,
}

/// One event on its way.
#[derive(Default, Serialize)]
pub struct Invocation {
    /// When it was handed to the function.
    pub delivered: u64,
    /// When the function answered Lambda.
    pub answered: u64,
    /// Whether that was a result, and no error.
    pub succeeded: bool,
    /// The body of that, where it was none.
    pub error: Option<String>,
}

/// A response to `CloudFormation`, and the status of the bucket's answer.
#[derive(Serialize)]
pub struct Response {
    pub status: u16,
    pub body: Value,
}

impl Runs {
    /// Ends the present run, and creates a new one.
    pub fn prepare(&self, prepared: Prepared) {
        let mut run = self.present();
        *run = Run {
            number: run.number + 1,
            latency: Duration::from_millis(prepared.latency_ms),
            events: prepared.events,
            ..Run::default()
        };
        for user in &prepared.users {
            run.fake.user(user);
        }
        drop(run);
        self.changed.notify_all();
    }

    pub fn present(&self) -> MutexGuard<'_, Run> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run of this number, if it is not over.
    pub fn if_present(&self, number: u64) -> Option<MutexGuard<'_, Run>> {
        Some(self.present()).filter(|run| run.number == number)
    }

    /// Waits until `run` is over.
    pub fn wait_for_the_end(&self, mut run: MutexGuard<'_, Run>) {
        let number = run.number;
        while run.number == number {
            let waited = self.changed.wait(run);
            run = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Run {
    /// The record so far, with the account's content.
    pub fn record(&mut self) -> &Record {
        let count = self.fake.look(|aws| {
            let users = aws.iam.latest().users.values();
            (
                users.map(|user| user.credentials.len()).sum(),
                aws.secrets.len(),
            )
        });
        (self.record.credentials, self.record.secrets) = count;
        self.record.complaints = self.fake.violations();
        &self.record
    }
}

pub fn now() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_1970.map_or(0, |time| time.as_nanos().try_into().unwrap_or(u64::MAX))
}
