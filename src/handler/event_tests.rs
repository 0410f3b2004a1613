use serde_json::json;

use super::*;

fn parse(text: &str) -> Result<Event<'_>, HandlerError> {
    let function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev";
    Event::parse(text, function_arn, SystemTime::UNIX_EPOCH)
}

/// The kind of an event, or of its error.
fn kind(text: &str) -> &'static str {
    match parse(text) {
        Ok(Event::Request(received)) if received.position.hop > 0 => "continued request",
        Ok(Event::Request(_)) => "request",
        Ok(Event::Rotation(_)) => "rotation",
        Ok(Event::Push(_)) => "push",
        Ok(Event::Execution(_)) => "execution",
        Ok(Event::Build(_)) => "build",
        Ok(Event::HealthCheck(_)) => "health check",
        Err(HandlerError::UnknownEvent(_)) => "unknown",
        Err(HandlerError::EventTooLarge(_)) => "too large",
        Err(HandlerError::Rejected(_)) => "rejected",
        Err(error) => panic!("{error}"),
    }
}

/// An event of EventBridge.
fn of(source: &str, detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0",
        "source": source,
        "detail-type": detail_type,
        "time": "2026-11-27T06:00:00Z",
        "resources": ["arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-shop"],
        "detail": detail,
    })
}

const CODECOMMIT: &str = "CodeCommit Repository State Change";
const OF_EXECUTION: &str = "CodePipeline Pipeline Execution State Change";
const OF_ACTION: &str = "CodePipeline Action Execution State Change";
const OF_BUILD: &str = "CodeBuild Build State Change";

fn request() -> Value {
    json!({"ResponseURL": "https://bucket/", "RequestType": "Create"})
}

fn rotation() -> Value {
    json!({"Step": "createSecret", "SecretId": "secret", "ClientRequestToken": "version"})
}

fn push() -> Value {
    let detail =
        json!({"event": "referenceUpdated", "referenceType": "branch", "referenceName": "main"});
    let mut event = of("aws.codecommit", CODECOMMIT, &detail);
    event["StackName"] = json!("gitops-dev-shop");
    event
}

fn execution() -> Value {
    let detail = json!({"pipeline": "codepipeline-dev-cfn-shop", "execution-id": "e"});
    of("aws.codepipeline", OF_EXECUTION, &detail)
}

fn build() -> Value {
    let project = "codebuild-dev-review-shop";
    let id = format!("arn:aws:codebuild:eu-central-1:123456789012:build/{project}:1");
    let detail = json!({"project-name": project, "build-id": id});
    of("aws.codebuild", OF_BUILD, &detail)
}

/// The event with another value at this path.
fn with(mut event: Value, path: &str, value: Value) -> Value {
    *event.pointer_mut(path).expect(path) = value;
    event
}

/// The event without the member at this path.
fn without(mut event: Value, parent: &str, member: &str) -> Value {
    let members = event.pointer_mut(parent).and_then(Value::as_object_mut);
    members.and_then(|it| it.remove(member)).expect(member);
    event
}

fn assert_kinds(rows: impl IntoIterator<Item = (Value, &'static str)>) {
    for (event, expected) in rows {
        assert_eq!(kind(&event.to_string()), expected, "{event}");
    }
}

#[test]
fn each_kind_of_event_is_parsed() {
    let action = with(execution(), "/detail-type", json!(OF_ACTION));
    assert_kinds([
        (request(), "request"),
        (
            json!({"Continuation": {"Hop": 2}, "Event": request()}),
            "continued request",
        ),
        (rotation(), "rotation"),
        (push(), "push"),
        (execution(), "execution"),
        (action, "execution"),
        (build(), "build"),
        (json!({"HealthCheck": {"EnvID": "dev"}}), "health check"),
        (
            of("aws.events", "Scheduled Event", &json!({})),
            "health check",
        ),
        // The other function answers questions.
        (json!({"Doctor": {}}), "unknown"),
        (json!({"Projects": {}}), "unknown"),
        (json!({"HealthCheck": {"EnvID": "prd"}}), "rejected"),
    ]);
}

#[test]
fn other_source_or_detail_type_is_unknown() {
    for event in [push(), execution(), build()] {
        for source in [
            json!("aws.s3"),
            json!("my.events"),
            json!(["aws.codebuild"]),
        ] {
            assert_kinds([(with(event.clone(), "/source", source), "unknown")]);
        }
        assert_kinds([(without(event, "", "source"), "unknown")]);
    }
    for event in [execution(), build()] {
        for other in [CODECOMMIT, "CodePipeline Stage Execution State Change", ""] {
            let other = with(event.clone(), "/detail-type", json!(other));
            assert_kinds([(other, "unknown")]);
        }
        assert_kinds([(without(event, "", "detail-type"), "unknown")]);
    }
    let build_of_a_pipeline = with(build(), "/detail-type", json!(OF_EXECUTION));
    assert_kinds([
        (build_of_a_pipeline, "unknown"),
        (of("aws.events", "Other Event", &json!({})), "unknown"),
        (of("my.events", "Scheduled Event", &json!({})), "unknown"),
        // The source alone distinguishes events of CodeCommit.
        (with(push(), "/detail-type", json!("")), "push"),
        (without(push(), "", "detail-type"), "push"),
    ]);
}

#[test]
fn event_without_a_needed_member_is_unknown() {
    for (event, parent, members) in [
        (
            rotation(),
            "",
            &["Step", "SecretId", "ClientRequestToken"][..],
        ),
        (
            push(),
            "/detail",
            &["event", "referenceType", "referenceName"],
        ),
        (execution(), "/detail", &["pipeline", "execution-id"]),
        (build(), "/detail", &["project-name", "build-id"]),
    ] {
        for member in members {
            let path = format!("{parent}/{member}");
            for value in [json!(null), json!(7), json!([]), json!({}), json!("other")] {
                let is_name = ["SecretId", "ClientRequestToken", "execution-id"].contains(member)
                    || event == push() && *member == "referenceName";
                if !(is_name && value == "other") {
                    assert_kinds([(with(event.clone(), &path, value), "unknown")]);
                }
            }
            assert_kinds([(without(event.clone(), parent, member), "unknown")]);
        }
    }
    for event in [push(), execution(), build()] {
        for detail in [json!(null), json!("text"), json!([])] {
            assert_kinds([(with(event.clone(), "/detail", detail), "unknown")]);
        }
    }
}

#[test]
fn member_that_is_not_needed_may_have_any_type() {
    for (event, expected) in [
        (push(), "push"),
        (execution(), "execution"),
        (build(), "build"),
    ] {
        // The time of a replay tool, for example.
        for value in [json!("2026-11-27 06:00:00"), json!(7), json!(null)] {
            for member in ["/time", "/resources", "/version"] {
                assert_kinds([(with(event.clone(), member, value.clone()), expected)]);
            }
        }
        for member in ["time", "resources", "version"] {
            assert_kinds([(without(event.clone(), "", member), expected)]);
        }
    }
    assert_kinds([
        (with(push(), "/StackName", json!(7)), "push"),
        (without(push(), "", "StackName"), "push"),
    ]);
}

#[test]
fn continuation_contains_one_request() {
    let continued = |event: Value| json!({"Continuation": {"Hop": 1}, "Event": event});
    assert_kinds([
        (continued(request()), "continued request"),
        (continued(continued(request())), "unknown"),
        (continued(json!({})), "unknown"),
        (continued(push()), "push"),
        (json!({"Continuation": {}, "Event": request()}), "unknown"),
        (
            json!({"Continuation": {"Hop": "1"}, "Event": request()}),
            "unknown",
        ),
    ]);
}

#[test]
fn other_text_is_unknown() {
    for text in ["", "7", "[]", "{}", "null", "{", "\"text\"", "[[["] {
        assert_eq!(kind(text), "unknown", "{text}");
    }
    assert_kinds([
        (json!({"ResponseURL": 7}), "unknown"),
        (json!({"HealthCheck": null}), "unknown"),
        (json!({"HealthCheck": "dev"}), "unknown"),
        (json!({"source": "aws.events"}), "unknown"),
        (
            json!({"source": "aws.codecommit", "detail-type": CODECOMMIT}),
            "unknown",
        ),
    ]);
}

#[test]
fn only_a_request_may_be_larger_than_the_limit() {
    let padded = |event: Value, bytes: usize| {
        let (end, text) = (
            bytes.saturating_sub(event.to_string().len()),
            event.to_string(),
        );
        text + &" ".repeat(end)
    };
    for (event, expected) in [(push(), "push"), (json!({}), "unknown")] {
        assert_eq!(kind(&padded(event.clone(), MAX_EVENT_BYTES)), expected);
        assert_eq!(kind(&padded(event, MAX_EVENT_BYTES + 1)), "too large");
    }
    let large = with(
        json!({"ResponseURL": "https://bucket/", "ResourceProperties": ""}),
        "/ResourceProperties",
        json!("x".repeat(MAX_EVENT_BYTES)),
    );
    assert_eq!(kind(&large.to_string()), "request");
    let continued = json!({"Continuation": {"Hop": 1}, "Event": large});
    assert_eq!(kind(&continued.to_string()), "continued request");
}

#[test]
fn unknown_event_shows_its_origin_if_it_is_harmless() {
    let shown = |source: &str, detail_type: &str| {
        let event = of(source, detail_type, &json!({"password": "hunter2"})).to_string();
        let error = parse(&event).expect_err("unknown");
        let text = error.to_string();
        assert!(!text.contains("hunter2"), "{text}");
        let (_, rest) = text.split_once("this kind").expect("its beginning");
        let (origin, _) = rest.split_once(". Send one").expect("its end");
        origin.to_owned()
    };
    assert_eq!(
        shown("aws.s3", "Object Created"),
        " (aws.s3, Object Created)"
    );
    assert_eq!(shown("", "Object Created"), "");
    assert_eq!(shown("glpat-0123456789", "Object Created"), "");
    assert_eq!(shown("aws.s3", "a\nb"), "");
    assert_eq!(shown("a\u{202e}b", "Object Created"), "");
    assert_eq!(shown("", ""), "");
    assert_eq!(shown(&"x".repeat(127), "Kind"), "");
}
