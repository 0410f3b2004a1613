//! The log of the real process, as CloudWatch Logs Insights reads it, with the metrics of a health
//! check.

use std::time::Duration;

use serde_json::{Value, json};

use crate::function::{Function, Setup};

/// The lines that are not metrics. Each is one JSON object without nested objects.
fn lines(output: &str) -> Vec<Value> {
    let lines = output.lines().filter(|line| !line.contains("\"_aws\""));
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    for line in &lines {
        let mut fields = line.as_object().expect("an object").values();
        let is_flat = fields.all(|value| !value.is_object() && !value.is_array());
        assert!(is_flat, "{line}");
    }
    lines
}

fn create(function: &Function, request_id: &str, logical_id: &str, user: &str) -> Value {
    function.aws.fake.user(user);
    let properties = json!({"ServiceToken": crate::lambda::FUNCTION, "UserName": user});
    let mut request = function.request("Create", &properties);
    request["RequestId"] = json!(request_id);
    request["LogicalResourceId"] = json!(logical_id);
    request
}

fn of<'a>(lines: &'a [Value], request_id: &str) -> Vec<&'a Value> {
    let of_it = |line: &&Value| line["request"] == request_id;
    lines.iter().filter(of_it).collect()
}

fn one<'a>(lines: &[&'a Value], message: &str) -> &'a Value {
    let mut found = lines.iter().filter(|line| line["message"] == message);
    let (line, more) = (found.next(), found.next());
    assert!(
        line.is_some() && more.is_none(),
        "one line {message}: {lines:?}"
    );
    line.expect("one line")
}

#[test]
fn every_log_line_names_its_request_and_the_last_its_result() {
    let function = Function::start();
    let requests = [("one", "First", "user-a"), ("two", "Second", "user-b")];
    for (request_id, logical_id, user) in requests {
        function.succeeds(&create(&function, request_id, logical_id, user));
    }
    let lines = lines(&function.ended());
    let lines_of = requests.map(|(request_id, ..)| of(&lines, request_id));
    let number = lines_of[0].len() + lines_of[1].len();
    assert_eq!(number, lines.len(), "whose is one of {lines:?}?");
    for (of_it, (_, logical_id, user)) in lines_of.iter().zip(requests) {
        for line in of_it {
            let stack = "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/1";
            assert_eq!(line["stack"], stack);
            assert_eq!(line["logical_id"], logical_id);
            assert_eq!(line["request_type"], "Create");
            assert_eq!(line["resource_type"], "Custom::MirrorCredential");
            for text in ["lambda_request", "timestamp", "level"] {
                assert!(line[text].is_string(), "{text}: {line}");
            }
            assert!(line["elapsed_ms"].is_u64(), "{line}");
        }
        assert_steps_and_end(of_it, user);
    }
    let [one, two] = lines_of.map(|lines| &lines[0]["lambda_request"]);
    assert_ne!(one, two);
}

fn assert_steps_and_end(of_it: &[&Value], user: &str) {
    let issued = format!("issuing the service-specific credential of user {user}");
    let is_step = |line: &&&Value| line["message"] == "step";
    let steps: Vec<&&Value> = of_it.iter().filter(is_step).collect();
    assert!(steps.iter().any(|line| line["step"] == issued), "{steps:?}");
    for step in &steps {
        assert!(step["duration_ms"].is_u64(), "{step}");
        assert_eq!(step["outcome"], "done", "{step}");
    }
    let end = one(of_it, "end");
    assert_eq!(Some(&end), of_it.last(), "nothing comes after the end");
    assert_eq!(end["status"], "SUCCESS");
    assert_eq!(end["level"], "INFO");
    let took = |line: &Value| line["duration_ms"].as_u64().expect("a duration");
    assert!(steps.iter().map(|line| took(line)).sum::<u64>() <= took(end) + steps.len() as u64);
    assert!(end["aws_calls"].as_u64() > Some(3), "{end}");
    assert_eq!(end["aws_retries"], 0, "{end}");
}

#[test]
fn failed_request_logs_its_step_and_error_fields() {
    for level in ["", "error"] {
        let function = Setup::new().with("RUST_LOG", level).start();
        let properties = json!({"ServiceToken": crate::lambda::FUNCTION, "UserName": "nobody"});
        let reason = function.fails(&function.request("Create", &properties));
        let lines = lines(&function.ended());
        let of_it = of(&lines, "request-Create");
        let failed = one(&of_it, "FAILED");
        let part = |name: &str| failed[name].as_str().expect("a part of the reason");
        let (error, remedy, code) = (part("error"), part("remedy"), part("code"));
        assert_eq!(format!("{error}. {remedy} - {code}"), reason);
        assert_eq!(failed["step"], "reading user nobody");
        assert_eq!(failed["logical_id"], "Credential");
        if level.is_empty() {
            // Work before the first step that took no time is not a step.
            let step = of_it.iter().rfind(|line| line["message"] == "step");
            let step = step.expect("a step");
            assert_eq!(step["step"], "reading user nobody");
            assert_eq!(step["outcome"], "failed");
            assert_eq!(one(&of_it, "end")["status"], "FAILED");
        }
    }
}

#[test]
fn other_events_log_a_last_line() {
    let function = Function::start();
    let minute = Duration::from_mins(1);
    function.invoke(&json!({"HealthCheck": {"EnvID": "dev"}}), minute).result();
    function.invoke(&json!({"Nonsense": 1}), minute).error();
    let lines = lines(&function.ended());
    let ends = lines.iter().filter(|line| line["message"] == "end");
    let ends: Vec<Value> = ends.map(|line| json!([line["status"], line["environment"]])).collect();
    assert_eq!(ends, [json!(["SUCCESS", "dev"]), json!(["ERROR", null])]);
}

/// The lines that CloudWatch counts.
fn metrics(output: &str) -> Vec<Value> {
    let lines = output.lines().filter(|line| line.contains("\"_aws\""));
    lines.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
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
