//! Bringing one answer to its presigned address.

use std::time::{Duration, SystemTime};

use super::{Clock, ResponseUrl};

/// One attempt may take this long at most, and half of the time that is left: a bucket that accepts
/// and then says nothing must not use up the time in which a second attempt would succeed.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Shorter than this no attempt is: connecting takes a part of it.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(250);

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why one attempt brought no status. What was tried is left out on purpose: the texts of HTTP
/// clients hold the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// The address could not be reached, or did not answer.
    #[error("the response bucket cannot be reached")]
    Unreachable,
    /// It is no address that anything can be put at.
    #[error("the response address cannot be used")]
    Unusable,
}

/// Why an answer did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The bucket will not take it, however often it is tried: the address has expired or is
    /// not genuine.
    #[error("the response bucket refused the answer with HTTP status {0}")]
    Rejected(u16),
    /// The address expired before there was anything to deliver.
    #[error("the response address has expired")]
    Expired,
    /// It is not an address that a response may be sent to.
    #[error("the response address cannot be used: it is not an HTTPS address of Amazon S3")]
    Unusable,
    /// It was tried until no time was left.
    #[error("the response bucket could not be reached in time")]
    OutOfTime,
}

/// Puts `body` at `url`, trying again after network faults, 5xx and 429 until `until`.
///
/// `put` makes one attempt and answers the HTTP status.
pub async fn deliver<P, F>(
    put: P,
    url: &ResponseUrl,
    body: &str,
    until: SystemTime,
    clock: &Clock,
) -> Result<(), SendError>
where
    P: Fn(String, String) -> F,
    F: Future<Output = Result<u16, PutError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        // A first attempt is always made, be it late: an answer that is refused costs nothing.
        let limit = (clock.until(until) / 2).clamp(SHORTEST_ATTEMPT, ATTEMPT);
        let attempt = put(url.expose().to_owned(), body.to_owned());
        match tokio::time::timeout(limit, attempt).await {
            Ok(Ok(200..=299)) => return Ok(()),
            Ok(Ok(status)) if status >= 500 || status == 429 || status == 408 => {
                tracing::warn!(status, "the response bucket failed, trying again");
            }
            Ok(Ok(status)) => return Err(SendError::Rejected(status)),
            Ok(Err(PutError::Unusable)) => return Err(SendError::Unusable),
            Ok(Err(PutError::Unreachable)) | Err(_) => {
                tracing::warn!("the response bucket did not answer, trying again");
            }
        }
        let jittered = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        if clock.until(until) <= jittered + SHORTEST_ATTEMPT {
            return Err(SendError::OutOfTime);
        }
        tokio::time::sleep(jittered).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests;
