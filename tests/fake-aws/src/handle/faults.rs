//! The faults of one call. A fault occurs once, unless it lasts.

use crate::gitlab::GitLab;
use crate::request::{Call, Service};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Never arrives; the caller sees a connection error at once, as with a
    /// reset connection. Most losses look like this, and an SDK's timeout
    /// turns a silent one into nearly the same error.
    RequestLost,
    /// Arrives, is executed, and the connection breaks before the answer.
    AnswerLost,
    /// Never arrives, and the caller sees no error: only its own timeout.
    RequestHangs,
    /// Executed, and the answer never comes: only the caller's own timeout.
    AnswerHangs,
    /// Not executed, answered with the service's internal error.
    InternalError500,
    /// Not executed, answered with the service's own error for "too fast".
    Throttled,
    /// Not executed, answered as if the user, repository or secret that it names did not exist: it
    /// is new. See [`crate::Options::new_things_late`].
    NotFoundYet,
    /// Not executed, answered as where no policy allows it.
    Denied,
    /// Not executed, answered as where a policy denies it explicitly.
    DeniedExplicitly,
    /// The caller is killed before the call is executed.
    KilledBefore,
    /// The call is executed, and the caller is killed before it gets the response.
    KilledAfter,
}

impl FaultKind {
    /// The six that every schedule of single faults goes through.
    pub const EACH: [Self; 6] = [
        Self::RequestLost,
        Self::AnswerLost,
        Self::InternalError500,
        Self::Throttled,
        Self::KilledBefore,
        Self::KilledAfter,
    ];

    /// The losses that only the caller's own timeout can end.
    pub const SILENT: [Self; 2] = [Self::RequestHangs, Self::AnswerHangs];

    /// Whether the call takes effect nevertheless.
    pub fn executes(self) -> bool {
        matches!(
            self,
            Self::AnswerLost | Self::AnswerHangs | Self::KilledAfter
        )
    }
}

/// Which call of a caller fails, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: At,
    pub kind: FaultKind,
}

/// Calls count from 0, with all attempts of the SDK, PUTs and probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    Call(usize),
    Operation(String, usize),
    /// This call and every later one.
    Since(usize),
}

impl Fault {
    /// Hits the caller's call of this index, of any kind.
    pub fn at(call: usize, kind: FaultKind) -> Self {
        Self {
            at: At::Call(call),
            kind,
        }
    }

    /// Strikes the caller's call of this index and every later one.
    pub fn since(call: usize, kind: FaultKind) -> Self {
        Self {
            at: At::Since(call),
            kind,
        }
    }

    /// Strikes the caller's call of this operation with this index among them.
    pub fn on(operation: &str, index: usize, kind: FaultKind) -> Self {
        Self {
            at: At::Operation(operation.to_owned(), index),
            kind,
        }
    }
}

impl At {
    /// Whether it means the last of these calls of a caller's.
    pub(crate) fn is_last_of(&self, operations: &[String]) -> bool {
        let Some((operation, before)) = operations.split_last() else {
            return false;
        };
        match self {
            At::Call(at) => *at == before.len(),
            At::Since(at) => *at <= before.len(),
            At::Operation(name, at) => {
                let same = before.iter().filter(|other| *other == operation).count();
                name == operation && *at == same
            }
        }
    }
}

/// A fault that every caller has from some moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lasting {
    pub on: On,
    pub kind: FaultKind,
}

/// Which calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    Service(Service),
    Operation(&'static str),
    /// Requests about this project in GitLab.
    Project(&'static str),
}

impl Lasting {
    pub(crate) fn strikes(&self, call: &Call, gitlab: &GitLab) -> bool {
        match &self.on {
            On::Service(service) => call.service == *service,
            On::Operation(operation) => call.operation == *operation,
            On::Project(project) => {
                let named = call.text("project").unwrap_or_default();
                let mut projects = gitlab.projects.values();
                call.service == Service::GitLab
                    && projects.any(|one| {
                        one.path == *project && (named == one.path || named == one.id.to_string())
                    })
            }
        }
    }
}
