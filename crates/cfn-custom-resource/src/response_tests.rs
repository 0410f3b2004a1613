use std::time::SystemTime;

use super::*;

const CODE: ReasonCode = ReasonCode("CFG-207");

fn body(status: Status, reason: Option<Reason>, data: BTreeMap<&'static str, String>) -> String {
    let event = r#"{"ResponseURL":"https://x/","PhysicalResourceId":"old","RequestId":"r"}"#;
    let request = Request::parse(event, SystemTime::UNIX_EPOCH).expect("a request");
    let response = Response {
        status,
        physical_resource_id: "new".to_owned(),
        reason,
        data,
    };
    let (status, body) = response.body(&request, CODE);
    let value: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(value["Status"], status.name());
    body
}

fn failed(code: ReasonCode, reason: String) -> (String, String) {
    let body = body(
        Status::Failed,
        Some(Reason::new(code, reason, "Do it")),
        BTreeMap::new(),
    );
    let value: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(value["RequestId"], "r");
    (body, value["Reason"].as_str().expect("a reason").to_owned())
}

#[test]
fn reason_in_any_script_fits_the_body() {
    for unit in ["a", "ü", "漢", "🦀", "\"", "\u{1}", "\n", "\\"] {
        for length in [0, 1, 600, 3900, 4000, 4096, 9000] {
            let (body, reason) = failed(CODE, unit.repeat(length));
            assert!(body.len() <= MAX_BODY_BYTES, "{unit} × {length}");
            assert!(reason.ends_with(" Do it - CFG-207"), "{unit} × {length}");
            if length > 4000 {
                assert!(body.len() > MAX_BODY_BYTES - 8, "{unit}: room was wasted");
            }
        }
    }
}

#[test]
fn request_that_fills_the_body_leaves_the_code() {
    let event = format!(
        r#"{{"ResponseURL":"https://x/","RequestId":"{}"}}"#,
        "r".repeat(5000)
    );
    let request = Request::parse(&event, SystemTime::UNIX_EPOCH).expect("a request");
    let response = Response {
        status: Status::Failed,
        physical_resource_id: "new".to_owned(),
        reason: Some(Reason::new(CODE, "reading the request: no", "Do it")),
        data: BTreeMap::new(),
    };
    let (_, body) = response.body(&request, CODE);
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["Reason"], "… - CFG-207");
}

#[test]
fn too_large_attributes_fail_with_the_same_physical_id() {
    let data = BTreeMap::from([("Name", "x".repeat(5000))]);
    let body: Value = serde_json::from_str(&body(Status::Success, None, data)).expect("JSON");
    assert_eq!(body["Status"], "FAILED");
    assert_eq!(body["PhysicalResourceId"], "old");
}

#[test]
fn members_are_those_of_the_fixture_of_aws_lambda_events() {
    let fixture: Value = serde_json::from_str(include_str!(
            "../../../tests/fixtures/aws_lambda_events/example-cloudformation-custom-resource-response.json"
        ))
        .expect("JSON");
    let data = BTreeMap::from([("Key1", "a".to_owned())]);
    let body = body(Status::Failed, Some(Reason::new(CODE, "x", "Do it")), data);
    let mut body: Map<String, Value> = serde_json::from_str(&body).expect("JSON");
    // Optional: no attribute is a secret.
    body.insert("NoEcho".to_owned(), Value::Bool(false));
    let fixture = fixture.as_object().expect("an object");
    assert!(body.keys().eq(fixture.keys()), "{body:?}");
    assert_eq!(body["Status"], fixture["Status"]);
}

#[test]
fn reason_without_a_code_is_its_text() {
    let reason = |length: usize| failed(ReasonCode::NONE, "x".repeat(length)).1;
    assert_eq!(reason(3), "xxx. Do it");
    assert!(reason(5000).ends_with("x… Do it"));
}
