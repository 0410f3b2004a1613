//! Sends one response to its presigned URL.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::{Attempt, Clock, ResponseUrl, doubling, retry};

/// The time limit of one attempt, which is also limited to half of the remaining time. A bucket
/// that accepts the connection and sends nothing must not use up the time of a second attempt.
const MAX_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The least time limit of an attempt: connecting takes a part of it.
const MIN_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(250);

const MIN_PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Why a response was not delivered. It has no source error, because the errors of HTTP clients
/// contain the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The bucket rejected it, and would again: the URL has expired or is forged.
    #[error("the response bucket rejected the response with HTTP status {0}")]
    Rejected(u16),
    /// The URL had expired before the request was handled.
    #[error("the response address has expired")]
    Expired,
    /// A response must not be sent to this URL.
    #[error("the response address cannot be used: it is not an HTTPS address of Amazon S3")]
    Unusable,
    /// No program listens at the URL, which is an address of this machine.
    #[error("no program of this machine listens at the response address")]
    Refused,
    /// The bucket was not reached, or failed, until the deadline.
    #[error("the response bucket could not be reached in time")]
    Unreachable,
}

impl SendError {
    /// The imperative for the operator.
    pub fn remedy(self) -> &'static str {
        match self {
            SendError::Rejected(_) | SendError::Expired => "Repeat the stack operation",
            SendError::Unusable => "Send the ResponseURL that CloudFormation sends",
            SendError::Refused => "Start a server at the address, or ignore this in a local run",
            SendError::Unreachable => {
                "Check the function's network path to Amazon S3, then repeat the stack operation"
            }
        }
    }
}

/// Sends `body` to `url`. Retries after network errors, 5xx, 408 and 429 until `until`.
///
/// `put` makes one attempt and returns the HTTP status. [`SendError::Unreachable`] is retried,
/// every other error is final.
pub async fn send_response<P, F>(
    put: P,
    url: &ResponseUrl,
    body: &str,
    until: SystemTime,
    clock: &Clock,
) -> Result<(), SendError>
where
    P: Fn(String, String) -> F,
    F: Future<Output = Result<u16, SendError>>,
{
    // A later attempt would have less time than the least.
    let last = Instant::now() + clock.until(until).saturating_sub(MIN_ATTEMPT_TIMEOUT);
    let may_pass = Attempt::MayPass(Err(SendError::Unreachable), Duration::ZERO);
    let attempt = async || {
        // The first attempt is made even if it is late: a rejected response does no harm.
        let limit = (clock.until(until) / 2).clamp(MIN_ATTEMPT_TIMEOUT, MAX_ATTEMPT_TIMEOUT);
        let attempt = put(url.expose().to_owned(), body.to_owned());
        match tokio::time::timeout(limit, attempt).await {
            Ok(Ok(200..=299)) => Attempt::Final(Ok(())),
            Ok(Ok(status)) if status >= 500 || status == 429 || status == 408 => {
                tracing::warn!(status, "the response bucket failed, retrying");
                may_pass.clone()
            }
            Ok(Ok(status)) => Attempt::Final(Err(SendError::Rejected(status))),
            Ok(Err(SendError::Unreachable)) | Err(_) => {
                tracing::warn!("the response bucket did not respond, retrying");
                may_pass.clone()
            }
            Ok(Err(error)) => Attempt::Final(Err(error)),
        }
    };
    retry(doubling(MIN_PAUSE, MAX_PAUSE), Some(last), attempt).await
}

#[cfg(test)]
#[path = "send_response_tests.rs"]
mod tests;
