//! The log of the real process, as CloudWatch Logs Insights reads it.

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
        assert!(
            fields.all(|value| !value.is_object() && !value.is_array()),
            "{line}"
        );
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
    let line = found
        .next()
        .unwrap_or_else(|| panic!("no line {message}: {lines:?}"));
    assert!(found.next().is_none(), "two lines {message}: {lines:?}");
    line
}

#[test]
fn every_log_line_names_its_request() {
    let function = Setup::new().start();
    let minute = Duration::from_mins(1);
    for (request_id, logical_id, user) in [("one", "First", "user-a"), ("two", "Second", "user-b")]
    {
        let event = create(&function, request_id, logical_id, user);
        let answer = function.invoke(&event, minute).result();
        assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    }
    let lines = lines(&function.ended());
    let (one_of, two_of) = (of(&lines, "one"), of(&lines, "two"));
    assert_eq!(
        one_of.len() + two_of.len(),
        lines.len(),
        "whose is one of {lines:?}?"
    );
    for (of_it, logical_id) in [(&one_of, "First"), (&two_of, "Second")] {
        for line in of_it {
            assert_eq!(
                line["stack"],
                "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/1"
            );
            assert_eq!(line["logical_id"], logical_id);
            assert_eq!(line["request_type"], "Create");
            assert_eq!(line["resource_type"], "Custom::MirrorCredential");
            assert!(line["lambda_request"].is_string(), "{line}");
            assert!(line["elapsed_ms"].is_u64(), "{line}");
            assert!(
                line["timestamp"].is_string() && line["level"].is_string(),
                "{line}"
            );
        }
    }
    assert_ne!(one_of[0]["lambda_request"], two_of[0]["lambda_request"]);
}

#[test]
fn steps_and_the_result_of_a_request_are_logged() {
    let function = Function::start();
    let event = create(&function, "one", "First", "user-a");
    function.succeeds(&event);
    let lines = lines(&function.ended());
    let of_it = of(&lines, "one");
    let issued = "issuing the service-specific credential of user user-a";
    let steps: Vec<&&Value> = of_it
        .iter()
        .filter(|line| line["message"] == "step")
        .collect();
    assert!(steps.iter().any(|line| line["step"] == issued), "{steps:?}");
    for step in &steps {
        assert!(step["duration_ms"].is_u64(), "{step}");
        assert_eq!(step["outcome"], "done", "{step}");
    }
    let end = one(&of_it, "end");
    assert_eq!(Some(&end), of_it.last(), "nothing comes after the end");
    assert_eq!(
        (&end["status"], &end["level"]),
        (&json!("SUCCESS"), &json!("INFO"))
    );
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
        let answer = function.answered(&function.request("Create", &properties));
        assert_eq!(answer["Status"], "FAILED", "{answer}");
        let lines = lines(&function.ended());
        let of_it = of(&lines, "request-Create");
        let failed = one(&of_it, "FAILED");
        assert_eq!(failed["reason"], answer["Reason"]);
        assert_eq!(
            (&failed["step"], &failed["logical_id"]),
            (&json!("reading user nobody"), &json!("Credential"))
        );
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
    function
        .invoke(&json!({"HealthCheck": {"EnvID": "dev"}}), minute)
        .result();
    function.invoke(&json!({"Nonsense": 1}), minute).error();
    let lines = lines(&function.ended());
    let ends: Vec<(&Value, &Value)> = lines
        .iter()
        .filter(|line| line["message"] == "end")
        .map(|line| (&line["status"], &line["environment"]))
        .collect();
    let null = Value::Null;
    assert_eq!(
        ends,
        [(&json!("SUCCESS"), &json!("dev")), (&json!("ERROR"), &null)]
    );
}
