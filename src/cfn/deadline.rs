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
    pub gave_up: bool,
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
        let gave_up = gives_up <= now;
        let is_expired = expires <= now;
        // A Delete whose response CloudFormation no longer takes has only the invocation's limit.
        let mut end = invocation_ends;
        if !gave_up && !is_expired {
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
            gave_up,
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
        self.gave_up || self.expired
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
        Request::find(&event, at(0)).expect("a request")
    }

    #[test]
    fn the_earliest_of_three_ends_bounds_the_answer() {
        let in_time = |request: &Request, invocation_ends, end: u64| {
            let deadlines = Deadlines::new(request, at(invocation_ends), at(10));
            assert!(deadlines.answer_until < at(end));
            assert!(deadlines.answer_until > at(end - 1));
            assert!(deadlines.work_until < deadlines.answer_until);
            assert!(deadlines.work_until > at(10));
        };
        in_time(&request(3600, 7200), 900, 900);
        in_time(&request(60, 7200), 900, 60);
        in_time(&request(3600, 50), 900, 50);
    }

    #[test]
    fn a_request_that_cloudformation_gave_up_on_is_recognised() {
        let deadlines = Deadlines::new(&request(60, 7200), at(1000), at(61));
        assert!(deadlines.gave_up);
        assert!(!deadlines.expired);
        assert!(Deadlines::new(&request(60, 100), at(1000), at(101)).expired);
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
    fn expired_request_is_bounded_by_its_invocation_alone() {
        let deadlines = Deadlines::new(&request(3600, 100), at(9000), at(101));
        assert!(!deadlines.gave_up);
        assert!(deadlines.answer_until > at(8990));
        assert!(deadlines.outlives_invocation);
    }
}
