//! Until when an answer is of use, and until when there is time to work for it.

use std::time::{Duration, SystemTime};

use super::Request;

/// How long the presigned address of an answer is good for when it does not say.
const RESPONSE_URL_VALID_FOR: Duration = Duration::from_secs(7200);

/// Kept back from the time to answer, for the way there.
const MARGIN: Duration = Duration::from_millis(300);

/// The points in time that bound one request.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// The work on the request ends here, done or not, so that its answer can be delivered.
    pub work_until: SystemTime,
    /// The answer has to be there by now: the earliest of the invocation's end, `ServiceTimeout`
    /// and the expiry of the address.
    pub answer_until: SystemTime,
    /// CloudFormation no longer waits (`ServiceTimeout`, counted from when it signed).
    pub cfn_timed_out: bool,
    /// Nothing can be delivered to the address any more (`X-Amz-Expires`, counted from when it was
    /// signed).
    pub expired: bool,
    /// The invocation ends before the request does: another one could go on with it.
    pub outlives_invocation: bool,
}

impl Deadlines {
    /// The deadlines of `request`, worked on since `now` by an invocation that ends at
    /// `invocation_ends`.
    pub fn new(request: &Request, invocation_ends: SystemTime, now: SystemTime) -> Self {
        let gives_up = request.signed_at + request.service_timeout();
        let valid_for = request
            .response_url
            .valid_for()
            .unwrap_or(RESPONSE_URL_VALID_FOR);
        let expires = request.signed_at + valid_for;
        let cfn_timed_out = gives_up <= now;
        let is_expired = expires <= now;
        // A Delete whose response CloudFormation no longer takes has only the invocation's limit.
        let mut end = invocation_ends;
        if !cfn_timed_out && !is_expired {
            end = end.min(gives_up);
        }
        if !is_expired {
            end = end.min(expires);
        }
        let outlives_invocation = end == invocation_ends;
        let remaining = end.duration_since(now).unwrap_or_default();
        // An eighth of a short time is kept for delivery, and no more than a minute of a long one:
        // enough to try again when the response bucket is slow.
        let reserve = (remaining / 8).min(Duration::from_secs(60));
        let margin = MARGIN.min(remaining / 16);
        Deadlines {
            work_until: end - reserve - margin,
            answer_until: end - margin,
            cfn_timed_out,
            expired: is_expired,
            outlives_invocation,
        }
    }

    /// Whether CloudFormation takes no response to the request any more. It then never deletes what
    /// the request would create.
    ///
    /// The times are CloudFormation's signature and Lambda's clock. If Lambda's clock is ahead, a
    /// request that is still awaited fails, and is repeated. If it is behind, CloudFormation has
    /// already sent a Delete whose signature is later than the request's, and the resources compare
    /// signatures alone. So neither direction needs an allowance here.
    pub fn is_too_late(&self) -> bool {
        self.cfn_timed_out || self.expired
    }
}

#[cfg(test)]
mod tests;
