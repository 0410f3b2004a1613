//! Which events ask for it, for which environment, and what a line for CloudWatch looks like.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::metrics::{Metric, Subject, line};
use super::{EnvironmentError, HealthCheck};

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-prd";

#[test]
fn the_schedule_of_the_template_and_any_other_ask_for_it() {
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
fn the_schedule_of_the_template_says_which_users_are_the_environments() {
    for (said, user_names) in [("gitlab-*", "gitlab-*"), ("", "user-prd-*")] {
        let event = json!({"HealthCheck": {"EnvID": "prd", "UserNames": said}}).to_string();
        let asked = HealthCheck::parse(&event).expect("asked");
        let found = asked.environment(FUNCTION).expect("an environment");
        assert_eq!((&*found.id, &*found.user_names), ("prd", user_names));
    }
}

#[test]
fn nothing_else_asks_for_it() {
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
fn an_environment_has_to_be_named_by_somebody() {
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

// claim: the-function-of-an-environment-writes-the-metrics-of-no-other
#[test]
fn the_function_of_an_environment_writes_the_metrics_of_no_other() {
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

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_161_300_123)
}

#[test]
fn a_line_has_each_metric_for_the_environment_and_for_the_one_that_it_is_about() {
    let metrics = [
        Metric::MirrorHealthy(true),
        Metric::SecondsSinceMirrorSync(1.5),
    ];
    let written = line(now(), "dev", &Subject::Project("platform/infra"), &metrics);
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
fn every_metric_that_a_line_describes_and_every_dimension_stands_in_it() {
    for (subject, metrics) in [
        (Subject::Environment, vec![Metric::HealthCheckFailed(true)]),
        (Subject::User("u"), vec![Metric::CredentialAge(0.25)]),
        (
            Subject::Pipeline("p"),
            vec![
                Metric::PipelineSucceeded(false),
                Metric::ApprovalsWaiting(2),
                Metric::SecondsSinceApprovalRequest(90_000.0),
            ],
        ),
    ] {
        let written = line(now(), "dev", &subject, &metrics);
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
fn the_value_of_a_dimension_is_not_longer_than_cloudwatch_takes() {
    let long = "a".repeat(2000);
    let metrics = [Metric::MirrorHealthy(false)];
    let written = line(now(), "dev", &Subject::Project(&long), &metrics);
    let value = written["GitLabProject"].as_str().expect("a value");
    assert_eq!(value.len(), 1024);
}
