//! Facts about a failed request to AWS or GitLab: whether it was sent, and when it may succeed.

/// Whether the service's API got the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing was sent, or it was stopped before the API: by a proxy, by a redirect or by
    /// throttling.
    No,
    /// It may have been executed: there is no response, none that can be read, or an internal
    /// error.
    Unknown,
    /// The service evaluated and rejected it.
    Yes,
}

/// When the same request may succeed without a change by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryTime {
    Never,
    /// The state that it changes was changed meanwhile. It may fail for ever, and has to be decided
    /// again after that state was read.
    AfterRead,
    Later,
}
