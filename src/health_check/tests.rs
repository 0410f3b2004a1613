//! Which events ask for it, for which environment, and what a line for CloudWatch looks like.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::metrics::{
    APPROVALS_WAITING, CREDENTIAL_AGE, HEALTH_CHECK_FAILED, MIRROR_HEALTHY, PIPELINE_SUCCEEDED,
    SECONDS_SINCE_APPROVAL_REQUEST, SECONDS_SINCE_MIRROR_SYNC, line,
};
use super::{EnvironmentError, HealthCheck, SelfRepair};

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-prd";

#[test]
fn schedules_events_are_health_checks() {
    for (event, environment) in [
        (r#"{"HealthCheck":{"EnvID":"prd"}}"#, "prd"),
        (r#"{"HealthCheck":{}}"#, "prd"),
        (
            r#"{"version":"0","source":"aws.events","detail-type":"Scheduled Event","detail":{}}"#,
            "prd",
        ),
        (
            include_str!(
                "../../tests/fixtures/aws_lambda_events/example-eventbridge-schedule.json"
            ),
            "prd",
        ),
    ] {
        let asked = HealthCheck::parse(event).expect(event);
        let found = asked.environment(FUNCTION).expect(event);
        assert_eq!(found.id, environment);
        assert_eq!(found.user_names, format!("user-{environment}-*"));
    }
}

#[test]
fn schedule_names_the_environments_users() {
    for (said, user_names) in [("gitlab-*", "gitlab-*"), ("", "user-prd-*")] {
        let event = json!({"HealthCheck": {"EnvID": "prd", "UserNames": said}}).to_string();
        let asked = HealthCheck::parse(&event).expect("asked");
        let found = asked.environment(FUNCTION).expect("an environment");
        assert_eq!((&*found.id, &*found.user_names), ("prd", user_names));
    }
}

#[test]
fn self_repair_is_disabled_unless_the_event_names_it() {
    for (given, expected) in [
        (json!("Disabled"), SelfRepair::Disabled),
        (json!("Report"), SelfRepair::Report),
        (json!("Repair"), SelfRepair::Repair),
        (json!(null), SelfRepair::Disabled),
        (json!(true), SelfRepair::Disabled),
    ] {
        let event = json!({"HealthCheck": {"EnvID": "prd", "SelfRepair": given}}).to_string();
        let asked = HealthCheck::parse(&event).expect("asked");
        let found = asked.environment(FUNCTION).expect("an environment");
        assert_eq!(found.self_repair, expected, "{given}");
    }
}

#[test]
fn other_events_are_not_health_checks() {
    for event in [
        "",
        "7",
        "[]",
        "{}",
        r#"{"HealthCheck":null}"#,
        r#"{"HealthCheck":"dev"}"#,
        r#"{"source":"aws.events"}"#,
        r#"{"source":"my.events","detail-type":"Scheduled Event"}"#,
        r#"{"source":"aws.codecommit","detail-type":"CodeCommit Repository State Change"}"#,
    ] {
        assert_eq!(HealthCheck::parse(event), None, "{event}");
    }
}

#[test]
fn environment_is_required() {
    let unnamed = HealthCheck::parse(r#"{"HealthCheck":{}}"#).expect("asked");
    for function in [
        "",
        "arn:aws:lambda:eu-central-1:123456789012:function:other",
        "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-",
        "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-A_B",
    ] {
        assert_eq!(
            unnamed.environment(function),
            Err(EnvironmentError::Unnamed)
        );
    }
    let qualified = format!("{FUNCTION}:live");
    let found = unnamed.environment(&qualified).expect("an environment");
    assert_eq!(found.id, "prd");
    for env_id in ["", "Dev", "1a", "a-b", "a*", &"a".repeat(31)] {
        let event = json!({"HealthCheck": {"EnvID": env_id}}).to_string();
        let asked = HealthCheck::parse(&event).expect("asked");
        assert_eq!(
            asked.environment(FUNCTION),
            Err(EnvironmentError::Unnamed),
            "{env_id}"
        );
    }
}

// claim: function-cannot-write-metrics-of-another-environment
#[test]
fn other_environment_is_rejected() {
    let asked = HealthCheck::parse(r#"{"HealthCheck":{"EnvID":"dev"}}"#).expect("asked");
    for function in [FUNCTION, &format!("{FUNCTION}:live")] {
        let refused = asked.environment(function).expect_err("another one's");
        assert_eq!(
            refused.to_string(),
            "checking the health of environment dev: this function is that of prd"
        );
    }
    // One that is called otherwise is whose the event says.
    for function in [
        "",
        "arn:aws:lambda:eu-central-1:123456789012:function:other",
    ] {
        assert_eq!(asked.environment(function).expect("dev").id, "dev");
    }
}

#[test]
fn minutes_are_the_interval() {
    let minutes = |minutes: u64| Some(Duration::from_secs(minutes * 60));
    for (said, interval) in [
        (json!(15), minutes(15)),
        (json!(null), None),
        (json!(0), None),
        (json!(-1), None),
        (json!("15"), None),
        (json!(1.5), None),
        (json!(u64::MAX), Some(Duration::from_secs(u64::MAX))),
    ] {
        let event = json!({"HealthCheck": {"EnvID": "prd", "Minutes": said}}).to_string();
        let asked = HealthCheck::parse(&event).expect("asked");
        assert_eq!(asked.interval, interval, "{said}");
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_161_300_123)
}

#[test]
fn line_has_each_metric_for_environment_and_subject() {
    let metrics = [
        (MIRROR_HEALTHY, json!(1)),
        (SECONDS_SINCE_MIRROR_SYNC, json!(1.5)),
    ];
    let written = line(now(), "dev", "platform/infra", &metrics);
    assert_eq!(
        written,
        json!({
            "_aws": {
                "Timestamp": 1_795_161_300_123_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "CfnGitOps",
                    "Dimensions": [["EnvID"], ["EnvID", "GitLabProject"]],
                    "Metrics": [
                        {"Name": "MirrorHealthy", "Unit": "None"},
                        {"Name": "SecondsSinceMirrorSync", "Unit": "Seconds"},
                    ],
                }],
            },
            "EnvID": "dev",
            "GitLabProject": "platform/infra",
            "MirrorHealthy": 1,
            "SecondsSinceMirrorSync": 1.5,
        })
    );
}

#[test]
fn line_has_every_described_metric_and_dimension() {
    for (subject, metrics) in [
        ("", vec![(HEALTH_CHECK_FAILED, json!(1))]),
        ("u", vec![(CREDENTIAL_AGE, json!(0.25))]),
        (
            "p",
            vec![
                (PIPELINE_SUCCEEDED, json!(0)),
                (APPROVALS_WAITING, json!(2)),
                (SECONDS_SINCE_APPROVAL_REQUEST, json!(90_000.0)),
            ],
        ),
    ] {
        let written = line(now(), "dev", subject, &metrics);
        let described = &written["_aws"]["CloudWatchMetrics"][0];
        let sets = described["Dimensions"].as_array().expect("dimensions");
        for dimension in sets.iter().flat_map(|set| set.as_array().expect("a set")) {
            let name = dimension.as_str().expect("a name");
            assert!(written[name].is_string(), "{written}");
        }
        let names = described["Metrics"].as_array().expect("metrics");
        assert_eq!(names.len(), metrics.len());
        for metric in names {
            let name = metric["Name"].as_str().expect("a name");
            assert!(written[name].is_number(), "{written}");
        }
    }
}

#[test]
fn dimension_is_cut_to_cloudwatchs_limit() {
    let long = "a".repeat(2000);
    let metrics = [(MIRROR_HEALTHY, json!(0))];
    let written = line(now(), "dev", &long, &metrics);
    let value = written["GitLabProject"].as_str().expect("a value");
    assert_eq!(value.len(), 1024);
}
