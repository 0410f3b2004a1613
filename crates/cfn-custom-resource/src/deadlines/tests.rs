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
fn request_after_cloudformations_timeout_is_recognised() {
    let deadlines = Deadlines::new(&request(60, 7200), at(1000), at(61));
    assert!(deadlines.cfn_timed_out);
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
fn expired_request_is_bounded_only_by_its_invocation() {
    let deadlines = Deadlines::new(&request(3600, 100), at(9000), at(101));
    assert!(!deadlines.cfn_timed_out);
    assert!(deadlines.respond_until > at(8990));
    assert!(deadlines.outlives_invocation);
}
