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
    /// The response must have arrived by then: the earliest of the invocation's end,
    /// `ServiceTimeout` and the expiry of the URL.
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
        // A Delete whose response CloudFormation no longer accepts has only the invocation's limit.
        let mut end = invocation_ends;
        if !expired {
            end = end.min(url_expiry);
            if !cfn_timed_out {
                end = end.min(cfn_timeout);
            }
        }
        let outlives_invocation = end == invocation_ends;
        let remaining = end.duration_since(now).unwrap_or_default();
        // Reserve an eighth of the time for the response, and at most a minute: enough to retry if
        // the response bucket is slow.
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

    /// Whether CloudFormation no longer accepts a response to the request. It then never deletes
    /// the resources that the request would create.
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
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        // 2026-11-20T07:55:00Z, the signing time of the request below, plus `seconds`.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_161_300 + seconds)
    }

    fn request(service_timeout: u32, expires: u32) -> Request {
        let event = format!(
            r#"{{"ResponseURL":"https://b/?X-Amz-Date=20261120T075500Z&X-Amz-Expires={expires}",
               "ResourceProperties":{{"ServiceTimeout":"{service_timeout}"}}}}"#
        );
        Request::parse(&event, at(0)).expect("a request")
    }

    #[test]
    fn earliest_of_three_deadlines_applies() {
        let in_time = |request: &Request, invocation_ends, end: u64| {
            let deadlines = Deadlines::new(request, at(invocation_ends), at(10));
            assert!(deadlines.respond_until < at(end));
            assert!(deadlines.respond_until > at(end - 1));
            assert!(deadlines.work_until < deadlines.respond_until);
            assert!(deadlines.work_until > at(10));
        };
        in_time(&request(3600, 7200), 900, 900);
        in_time(&request(60, 7200), 900, 60);
        in_time(&request(3600, 50), 900, 50);
    }

    #[test]
    fn too_late_begins_with_the_earlier_of_both_ends() {
        let is_too_late = |timeout, expires, now| {
            Deadlines::new(&request(timeout, expires), at(9000), at(now)).is_too_late()
        };
        assert!(!is_too_late(3600, 7200, 3599));
        assert!(is_too_late(3600, 7200, 3600));
        assert!(!is_too_late(3600, 100, 99));
        assert!(is_too_late(3600, 100, 100));
    }

    #[test]
    fn expired_request_is_bounded_only_by_its_invocation() {
        let deadlines = Deadlines::new(&request(3600, 100), at(9000), at(101));
        assert!(!deadlines.cfn_timed_out);
        assert!(deadlines.respond_until > at(8990));
        assert!(deadlines.outlives_invocation);
    }
}
