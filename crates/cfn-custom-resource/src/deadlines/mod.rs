//! The deadlines of a request: for its work, and for its response.

use std::time::{Duration, SystemTime};

use crate::Request;

/// How long a presigned URL is valid if it does not contain `X-Amz-Expires`.
const RESPONSE_URL_VALID_FOR: Duration = Duration::from_secs(7200);

/// Reserved for the network at the end.
const MARGIN: Duration = Duration::from_millis(300);

/// The deadlines of one request.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// The work stops here, so that time remains for the response.
    pub work_until: SystemTime,
    /// The response must have arrived by then: the earliest of the invocation's end, `ServiceTimeout`
    /// and the expiry of the URL.
    pub respond_until: SystemTime,
    /// Whether CloudFormation no longer waits (`ServiceTimeout` after it signed the URL).
    pub cfn_timed_out: bool,
    /// Whether the URL has expired (`X-Amz-Expires` after it was signed).
    pub expired: bool,
    /// Whether the invocation ends before the request does, so that another one could continue it.
    pub outlives_invocation: bool,
}

impl Deadlines {
    /// The deadlines of `request`, which an invocation handles from `now` to `invocation_ends`.
    pub fn new(request: &Request, invocation_ends: SystemTime, now: SystemTime) -> Self {
        let cfn_timeout = request.signed_at + request.service_timeout();
        let valid_for = request.response_url.valid_for();
        let url_expiry = request.signed_at + valid_for.unwrap_or(RESPONSE_URL_VALID_FOR);
        let cfn_timed_out = cfn_timeout <= now;
        let expired = url_expiry <= now;
        // A Delete whose response CloudFormation no longer takes has only the invocation's limit.
        let mut end = invocation_ends;
        if !expired {
            end = end.min(url_expiry);
            if !cfn_timed_out {
                end = end.min(cfn_timeout);
            }
        }
        let outlives_invocation = end == invocation_ends;
        let remaining = end.duration_since(now).unwrap_or_default();
        // Reserve an eighth of the time for the response, and at most a minute: enough to retry if the
        // response bucket is slow.
        let reserve = (remaining / 8).min(Duration::from_secs(60));
        let margin = MARGIN.min(remaining / 16);
        Deadlines {
            work_until: end - reserve - margin,
            respond_until: end - margin,
            cfn_timed_out,
            expired,
            outlives_invocation,
        }
    }

    /// Whether CloudFormation accepts no response to the request any more. It then never deletes what
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
