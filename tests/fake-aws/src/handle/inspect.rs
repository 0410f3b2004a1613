//! The records that tests read: the account's state, the calls, the responses, the violations.

use std::{fmt::Display, time::SystemTime};

use crate::{
    account::AwsState,
    handle::FakeAws,
    journal::{self, Entry},
    services::{functions::Invoked, response_bucket::SentResponse},
};

impl FakeAws {
    /// Virtual time.
    pub fn now(&self) -> SystemTime {
        let mut inner = self.inner();
        inner.aws.now = inner.now();
        inner.aws.time()
    }

    /// When this fake AWS's time began.
    pub fn began(&self) -> SystemTime {
        let inner = self.inner();
        inner.aws.time() - inner.aws.now
    }

    pub fn look<R>(&self, look: impl FnOnce(&AwsState) -> R) -> R {
        let mut inner = self.inner();
        inner.catch_up();
        look(&inner.aws)
    }

    /// Fails the test unless this holds now.
    #[track_caller]
    pub fn assert_holds(&self, holds: impl FnOnce(&AwsState) -> Result<(), String>) {
        self.assert_holds_in("now", holds);
    }

    /// The same, and the message begins with `context`.
    #[track_caller]
    pub fn assert_holds_in(
        &self,
        context: impl Display,
        holds: impl FnOnce(&AwsState) -> Result<(), String>,
    ) {
        self.look(holds).unwrap_or_else(|broken| panic!("{context}: {broken}"));
    }

    /// A copy of the state.
    pub fn snapshot(&self) -> AwsState {
        let mut inner = self.inner();
        inner.catch_up();
        inner.aws.clone()
    }

    pub fn responses(&self) -> Vec<SentResponse> {
        self.inner().aws.responses.clone()
    }

    /// The function's invocations of itself.
    pub fn invocations(&self) -> Vec<Invoked> {
        self.inner().aws.invocations.clone()
    }

    pub fn journal(&self) -> Vec<Entry> {
        self.inner().journal.clone()
    }

    /// The calls of this caller.
    pub fn journal_of(&self, caller: &str) -> Vec<Entry> {
        let mut journal = self.journal();
        journal.retain(|call| call.caller == caller);
        journal
    }

    /// The journal as lines, for the message of a failed assertion.
    pub fn transcript(&self) -> String {
        let journal = self.journal();
        let lines: Vec<String> = journal.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }

    /// How many calls of an operation met AWS, of all callers.
    pub fn count(&self, operation: &str) -> usize {
        let inner = self.inner();
        let calls = inner.journal.iter();
        calls.filter(|call| call.operation == operation).count()
    }

    /// The round trips of the calls that `counts` selects: the longest chain of calls of which
    /// each was sent after the one before was answered. Set [`Options::latency`]: without it, every
    /// answer is there at once, and every call counts.
    ///
    /// ```ignore
    /// fake.options(|options| options.latency = Duration::from_millis(100));
    /// let put = Service::ResponseBucket;
    /// fake.round_trips(|call| call.caller == "1-Create.1" && call.service != put);
    /// ```
    ///
    /// [`Options::latency`]: crate::Options::latency
    pub fn round_trips(&self, counts: impl Fn(&Entry) -> bool) -> usize {
        let inner = self.inner();
        let calls = inner.journal.iter().filter(|call| counts(call));
        journal::round_trips(calls, inner.aws.options.latency)
    }

    /// The number of calls of this caller, with any result.
    pub fn calls_of(&self, caller: &str) -> usize {
        self.inner().numbered.get(caller).map_or(0, Vec::len)
    }

    /// Faults that have met no call: a schedule that has some tried nothing.
    pub fn faults_left(&self) -> usize {
        let inner = self.inner();
        inner.faults.len() + inner.held.len()
    }

    /// Every password that IAM ever showed.
    pub fn every_secret_ever(&self) -> Vec<String> {
        self.inner().aws.secrets_ever.clone()
    }

    /// The secret that a text contains, plain or as it appears in JSON,
    /// of an address or of a Basic header's base64.
    pub fn secret_in(&self, text: &str) -> Option<String> {
        let secrets = self.every_secret_ever();
        let shortest = secrets.iter().map(String::len).min()?;
        let decoded = decoded_parts(text, shortest);
        let gives_away = |secret: &String| {
            let escaped = secret.replace('/', "\\/");
            let encoded = secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
            let forms = [secret.as_str(), &escaped, &encoded, &encoded.to_lowercase()];
            forms.iter().any(|form| text.contains(form)) || decoded.contains(secret)
        };
        secrets.into_iter().find(gives_away)
    }

    /// Violated invariants, and calls that the fake could not handle.
    pub fn violations(&self) -> Vec<String> {
        let inner = self.inner();
        [inner.violations.as_slice(), inner.aws.complaints.as_slice()].concat()
    }

    /// Fails the test when something was broken, with the journal. A panic at
    /// that instant would only have reached the product's own guard.
    pub fn assert_unbroken(&self) {
        let violations = self.violations();
        let (text, transcript) = (violations.join("\n"), self.transcript());
        assert!(violations.is_empty(), "{text}\n{transcript}");
    }
}

/// The decoded base64 parts of the text, one per line.
fn decoded_parts(text: &str, than: usize) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let parts = text.split(|c| !is_base64(c)).filter(|part| part.len() > than);
    let decoded = parts.filter_map(|part| aws_smithy_types::base64::decode(part).ok());
    let decoded = decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    decoded.collect::<Vec<_>>().join("\n")
}
