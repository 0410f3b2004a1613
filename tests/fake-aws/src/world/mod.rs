//! The clock, the options and the records that all services use.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use aws_smithy_types::{DateTime, date_time::Format};
use fastrand::Rng;
use serde_json::Value;

/// A call, decoded.
pub mod call;
/// Where one GitLab differs from another.
pub mod gitlab_behaviour;
/// The texts of GitLab in the language of the token's user.
pub mod gitlab_languages;
/// Reads that show an earlier state.
pub(crate) mod lateness;
/// Where AWS's answer differs from day to day.
pub mod options;
/// The rates at which services throttle.
pub(crate) mod rates;
/// Errors and answers in the forms that AWS uses.
pub mod response;
/// The tags that AWS accepts.
pub(crate) mod tags;

pub use call::{Call, form, unescaped};
pub(crate) use lateness::{History, Shared};
pub use options::Options;
use rates::Buckets;
pub use response::{
    ApiResponse, ApiResult, AwsError, BAD_PARAMETERS, Denied, JsonResult, element, elements,
    escaped, pairs, rejected,
};
pub(crate) use tags::Tags;

/// When a fake AWS begins: 2026-11-20T12:00:00Z.
const START: u64 = 1_795_176_000;

/// The calls that the function's role does not allow.
#[derive(Clone, Debug)]
pub struct Denial {
    /// An action, or `*`.
    pub action: String,
    /// A part of the resource's name or ARN.
    pub resource: String,
    pub why: Denied,
    /// When IAM has propagated the permission; None: never.
    pub until: Option<Duration>,
}

impl Denial {
    fn is_of(&self, action: &str, resource: &str, now: Duration) -> bool {
        (self.action == "*" || self.action == action)
            && resource.contains(self.resource.as_str())
            && self.until.is_none_or(|until| now < until)
    }
}

/// A resource of a stack without a life of its own here: a build project, a log group, a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub properties: Value,
    pub tags: Tags,
    /// The stack that created it. `None` for a resource of another owner.
    pub stack_id: Option<String>,
}

#[derive(Clone, Debug)]
pub struct World {
    /// Virtual time since the fake AWS began, as of the latest call.
    pub now: Duration,
    pub options: Options,
    /// By type and name.
    pub made: BTreeMap<(String, String), Made>,
    pub denied: Vec<Denial>,
    /// CloudFormation can assume the roles that it is given from then on.
    pub(crate) roles_from: Duration,
    pub buckets: Buckets,
    /// Calls that the product must not make: the fake's own complaints.
    pub complaints: Vec<String>,
    pub random: Rng,
    pub secrets_ever: Vec<String>,
    /// The reads so far that may be late, by operation.
    reads: RefCell<BTreeMap<String, usize>>,
    ids: u64,
}

impl World {
    pub(crate) fn new(options: Options, seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            options,
            made: BTreeMap::new(),
            denied: vec![],
            roles_from: Duration::ZERO,
            buckets: Buckets::default(),
            complaints: vec![],
            random: Rng::with_seed(seed),
            secrets_ever: vec![],
            reads: RefCell::default(),
            ids: 0,
        }
    }

    pub(crate) fn find_denial(&self, action: &str, resource: &str) -> Option<&Denial> {
        self.denied.iter().find(|denial| denial.is_of(action, resource, self.now))
    }

    pub(crate) fn deny(&mut self, action: &str, part: &str, why: Denied, until: Option<Duration>) {
        self.denied.push(Denial {
            action: action.to_owned(),
            resource: part.to_owned(),
            why,
            until,
        });
    }

    /// Why the function's role may not do this. `None` if it may.
    pub(crate) fn denial(&self, action: &str, resource: &str) -> Option<Denied> {
        self.find_denial(action, resource).map(|denial| denial.why)
    }

    /// An id that nothing else has, and that another run of the same gives too.
    pub fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("00000000-0000-4000-8000-{:012}", self.ids)
    }

    pub fn remember_secret(&mut self, secret: &str) {
        self.secrets_ever.push(secret.to_owned());
    }

    /// How late this read is.
    pub(crate) fn lateness(&self, call: &Call, late: Duration) -> Duration {
        let mut reads = self.reads.borrow_mut();
        let count = reads.entry(call.operation.clone()).or_default();
        *count += 1;
        if self.options.replicas_differ && *count % 2 == 1 {
            return Duration::ZERO;
        }
        late
    }

    pub fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(START) + self.now
    }

    /// The time that GitLab's clock shows.
    pub(crate) fn by_gitlabs_clock(&self) -> SystemTime {
        let behaviour = &self.options.gitlab;
        self.time() + behaviour.clock_ahead - behaviour.clock_behind
    }

    /// The virtual time of these seconds since 1970. Zero if they are before its beginning.
    pub fn since_epoch(seconds: u64) -> Duration {
        Duration::from_secs(seconds.saturating_sub(START))
    }

    /// Seconds since 1970, as the JSON services give times.
    pub fn seconds(at: Duration) -> f64 {
        (Duration::from_secs(START) + at).as_secs_f64()
    }

    /// Milliseconds of the Unix epoch, as CloudWatch Logs gives times.
    pub fn millis(at: Duration) -> u64 {
        let millis = (Duration::from_secs(START) + at).as_millis();
        millis.try_into().expect("before the year 292 billion")
    }

    /// ISO 8601 to the second, as IAM gives times.
    pub fn date(at: Duration) -> String {
        let whole = Duration::from_secs(START).as_secs() + at.as_secs();
        DateTime::from_secs(whole.try_into().expect("before the year 292 billion"))
            .fmt(Format::DateTime)
            .expect("a date that can be written")
    }

    /// The first midnight UTC after `at`.
    pub fn next_midnight(at: Duration) -> Duration {
        let day = 24 * 3600;
        Duration::from_secs(at.as_secs() + day - (START + at.as_secs()) % day)
    }

    /// ISO 8601 to the millisecond, as CloudFormation gives times.
    pub fn instant(at: Duration) -> String {
        Self::instant_of(SystemTime::UNIX_EPOCH + Duration::from_secs(START) + at)
    }

    /// The same.
    pub(crate) fn instant_of(at: SystemTime) -> String {
        let whole = at.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis();
        let whole = i64::try_from(whole).expect("before the year 292 million");
        DateTime::from_millis(whole)
            .fmt(Format::DateTime)
            .expect("a date that can be written")
    }

    /// Answers as AWS does, and remembers that the fake AWS has a hole: a panic
    /// here would only reach the product's own guard.
    pub(crate) fn unknown_operation(&mut self, service: &str, operation: &str) -> AwsError {
        self.complaints.push(format!("the fake does not know {service}:{operation}"));
        rejected("InvalidAction", format!("no operation {operation}"))
    }
}
