//! The scheduled health check in the real process: the metrics in the log.

use std::time::Duration;

use serde_json::{Value, json};

use crate::function::{Function, Setup};

/// The lines that CloudWatch counts.
fn metrics(output: &str) -> Vec<Value> {
    let lines = output.lines().filter(|line| line.contains("\"_aws\""));
    lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

fn checked(setup: Setup) -> (Value, Vec<Value>) {
    let function = setup.start();
    let user = "user-dev-watched";
    function.aws.fake.user(user);
    let properties = json!({"ServiceToken": crate::lambda::FUNCTION, "UserName": user});
    function.succeeds(&function.request("Create", &properties));
    let event = json!({"HealthCheck": {"EnvID": "dev"}});
    let summary = function.invoke(&event, Duration::from_secs(60)).result();
    assert_eq!(summary["HealthCheck"]["EnvID"], "dev");
    (summary, metrics(&function.ended()))
}

#[test]
fn metrics_are_logged_at_every_log_level() {
    for level in ["", "error", "off"] {
        let (summary, lines) = checked(Setup::new().with("RUST_LOG", level));
        let none: [Value; 0] = [];
        assert_eq!(summary["HealthCheck"]["NotChecked"], json!(none));
        // Credentials and stacks are checked concurrently.
        let [first, second, whole] = &lines[..] else {
            panic!("three lines of metrics: {lines:#?}");
        };
        let is_credential = first.get("UserName").is_some();
        let (credential, stacks) = if is_credential {
            (first, second)
        } else {
            (second, first)
        };
        assert_eq!(credential["UserName"], "user-dev-watched");
        assert!(credential["CredentialAge"].is_number());
        assert_eq!(stacks["OrphanedPipelineStacks"], json!(0));
        assert_eq!(stacks["OutdatedPipelineStacks"], json!(0));
        assert_eq!(whole["HealthCheckFailed"], json!(0));
        for line in &lines {
            assert!(line["_aws"]["Timestamp"].is_number(), "{line}");
        }
    }
}

#[test]
fn diagnosis_lists_its_checks_without_metrics() {
    let function = Function::start();
    let event = json!({"Doctor": {"EnvID": "dev"}});
    let summary = function.invoke(&event, Duration::from_secs(60)).result();
    assert_eq!(summary["Doctor"]["EnvID"], "dev");
    assert!(summary["Doctor"]["Checks"].is_array(), "{summary}");
    assert!(metrics(&function.ended()).is_empty());
}
