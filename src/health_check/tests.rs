//! The events that request it, their environments, and the format of a line for CloudWatch.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::metrics::{
    APPROVALS_WAITING, CREDENTIAL_AGE, DRIFTED_RESOURCES, FOREIGN_TIPS, GITLAB_TOKEN_DAYS_LEFT,
    HEALTH_CHECK_FAILED, MIRROR_HEALTHY, MIRROR_LAG_SECONDS, PIPELINE_SUCCEEDED,
    SECONDS_SINCE_MIRROR_SYNC, line,
};
use super::{Environment, HealthCheck, RejectedCheck};

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-prd";

/// The result of a health check with these members, as the function receives it.
fn asked(members: &Value, function: &str) -> Result<HealthCheck, RejectedCheck> {
    let event = json!({"HealthCheck": members});
    assert!(HealthCheck::is_requested_by(&event));
    HealthCheck::parse(&event, function)
}

/// The environment of an event with this member.
fn with(name: &str, value: &Value) -> Environment {
    let asked = asked(&json!({"EnvID": "prd", name: value}), FUNCTION);
    asked.expect("an environment").environment
}

#[test]
fn schedules_events_are_health_checks() {
    for event in [
        r#"{"HealthCheck":{"EnvID":"prd"}}"#,
        r#"{"HealthCheck":{}}"#,
        r#"{"version":"0","source":"aws.events","detail-type":"Scheduled Event","detail":{}}"#,
        include_str!("../../tests/fixtures/aws_lambda_events/example-eventbridge-schedule.json"),
    ] {
        let read = serde_json::from_str(event).expect(event);
        let check = HealthCheck::parse(&read, FUNCTION).expect(event);
        assert_eq!(check.interval, None);
        let found = check.environment;
        assert_eq!((&*found.id, &*found.user_names), ("prd", "user-prd-*"));
    }
}

#[test]
fn schedule_names_the_environments_users() {
    for (given, user_names) in [("gitlab-*", "gitlab-*"), ("", "user-prd-*")] {
        assert_eq!(with("UserNames", &json!(given)).user_names, user_names);
    }
}

#[test]
fn age_of_a_credential_is_a_number_of_the_event() {
    let days = |given| with("CredentialAgeAlarmDays", &given).credential_age_days;
    assert_eq!(days(json!(10)), Some(10));
    assert_eq!((days(json!("10")), days(json!(null))), (None, None));
}

#[test]
fn environment_is_required() {
    for function in [
        "",
        "arn:aws:lambda:eu-central-1:123456789012:function:other",
        "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-",
        "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-A_B",
    ] {
        let found = asked(&json!({}), function);
        assert_eq!(found, Err(RejectedCheck::NoEnvironment));
    }
    let qualified = format!("{FUNCTION}:live");
    let found = asked(&json!({}), &qualified).expect("an environment");
    assert_eq!(found.environment.id, "prd");
    for env_id in ["", "Dev", "1a", "a-b", "a*", &"a".repeat(31)] {
        let found = asked(&json!({"EnvID": env_id}), FUNCTION);
        assert_eq!(found, Err(RejectedCheck::NoEnvironment), "{env_id}");
    }
}

// claim: function-cannot-write-metrics-of-another-environment
#[test]
fn other_environment_is_rejected() {
    let asked = |function: &str| asked(&json!({"EnvID": "dev"}), function);
    for function in [FUNCTION, &format!("{FUNCTION}:live")] {
        let refused = asked(function).expect_err("another one's");
        assert_eq!(
            refused.to_string(),
            "looking at environment dev: this function is that of prd"
        );
    }
    // A function with another name belongs to the environment that the event names.
    for function in [
        "",
        "arn:aws:lambda:eu-central-1:123456789012:function:other",
    ] {
        assert_eq!(asked(function).expect("dev").environment.id, "dev");
    }
}

#[test]
fn minutes_are_the_interval() {
    let minutes = |minutes: u64| Some(Duration::from_secs(minutes * 60));
    let interval = |given: Value| {
        let members = json!({"EnvID": "prd", "Minutes": given});
        asked(&members, FUNCTION).expect("a health check").interval
    };
    assert_eq!(interval(json!(15)), minutes(15));
    let longest = Some(Duration::from_secs(u64::MAX));
    assert_eq!(interval(json!(u64::MAX)), longest);
    for given in [json!(null), json!(0), json!(-1), json!("15"), json!(1.5)] {
        assert_eq!(interval(given), None);
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_161_300_123)
}

#[test]
fn value_is_wrong_beyond_its_metrics_limit() {
    for (metric, right, wrong) in [
        (MIRROR_HEALTHY, 1.0, 0.0),
        (MIRROR_LAG_SECONDS, 900.0, 900.5),
        (FOREIGN_TIPS, 0.0, 1.0),
        (GITLAB_TOKEN_DAYS_LEFT, 14.0, 13.9),
        (CREDENTIAL_AGE, 45.0, 45.1),
        (PIPELINE_SUCCEEDED, 1.0, 0.0),
        (APPROVALS_WAITING, 0.0, 1.0),
        (DRIFTED_RESOURCES, 0.0, 2.0),
    ] {
        let found = (metric.is_wrong(right), metric.is_wrong(wrong));
        assert_eq!(found, (false, true), "{}", metric.name);
    }
    assert!(!SECONDS_SINCE_MIRROR_SYNC.is_wrong(1e9));
}

#[test]
fn line_has_its_subjects_metrics_if_one_is_wrong() {
    for (healthy, dimensions) in [
        (1, json!([["EnvID"]])),
        (0, json!([["EnvID"], ["EnvID", "GitLabProject"]])),
    ] {
        let metrics = [
            (SECONDS_SINCE_MIRROR_SYNC, json!(1.5)),
            (MIRROR_HEALTHY, json!(healthy)),
        ];
        let written = line(now(), "dev", "platform/infra", &metrics);
        let expected = json!({
            "_aws": {
                "Timestamp": 1_795_161_300_123_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "CfnGitOps",
                    "Dimensions": dimensions,
                    "Metrics": [
                        {"Name": "SecondsSinceMirrorSync", "Unit": "Seconds"},
                        {"Name": "MirrorHealthy", "Unit": "None"},
                    ],
                }],
            },
            "EnvID": "dev",
            "GitLabProject": "platform/infra",
            "MirrorHealthy": healthy,
            "SecondsSinceMirrorSync": 1.5,
        });
        assert_eq!(written, expected);
    }
}

#[test]
fn line_of_the_environment_has_no_subject() {
    let written = line(now(), "dev", "", &[(HEALTH_CHECK_FAILED, json!(1))]);
    let described = &written["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(described["Dimensions"], json!([["EnvID"]]));
    assert_eq!(written["HealthCheckFailed"], 1);
}

#[test]
fn dimension_is_cut_to_cloudwatchs_limit() {
    let long = "a".repeat(2000);
    let metrics = [(MIRROR_HEALTHY, json!(0))];
    let written = line(now(), "dev", &long, &metrics);
    let value = written["GitLabProject"].as_str().expect("a value");
    assert_eq!(value.len(), 1024);
}
