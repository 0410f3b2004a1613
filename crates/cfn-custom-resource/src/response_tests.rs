use std::time::SystemTime;

use super::*;

const CODE: ReasonCode = ReasonCode("CFG-207");

fn body(reason: &str) -> String {
    let event =
        r#"{"ResponseURL":"https://x/","StackId":"s","RequestId":"r","LogicalResourceId":"l"}"#;
    let request = Request::parse(event, SystemTime::UNIX_EPOCH).expect("a request");
    let response = Response {
        status: Status::Failed,
        physical_resource_id: "id".to_owned(),
        reason: Some(Reason::new(CODE, reason)),
        data: BTreeMap::new(),
    };
    response.body(&request, CODE)
}

#[test]
fn reason_in_any_script_fits_the_body() {
    for unit in ["a", "ü", "漢", "🦀", "\"", "\u{1}", "\n", "\\"] {
        for length in [0, 1, 600, 3900, 4000, 4096, 9000] {
            let body = body(&unit.repeat(length));
            assert!(body.len() <= MAX_BODY_BYTES, "{unit} × {length}");
            let value: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(value["RequestId"], "r");
            let reason = value["Reason"].as_str().expect("a reason");
            assert!(reason.ends_with(" - CFG-207"), "{unit} × {length}");
            if length > 4000 {
                assert!(body.len() > MAX_BODY_BYTES - 8, "{unit}: room was wasted");
            }
        }
    }
}

#[test]
fn too_large_attributes_fail_with_the_same_physical_id() {
    let event = r#"{"ResponseURL":"https://x/","PhysicalResourceId":"old"}"#;
    let request = Request::parse(event, SystemTime::UNIX_EPOCH).expect("a request");
    let response = Response {
        status: Status::Success,
        physical_resource_id: "new".to_owned(),
        reason: None,
        data: BTreeMap::from([("Name", "x".repeat(5000))]),
    };
    let body: Value = serde_json::from_str(&response.body(&request, CODE)).expect("JSON");
    assert_eq!(body["Status"], "FAILED");
    assert_eq!(body["PhysicalResourceId"], "old");
}

#[test]
fn members_are_those_of_the_fixture_of_aws_lambda_events() {
    let fixture: Value = serde_json::from_str(include_str!(
            "../../../tests/fixtures/aws_lambda_events/example-cloudformation-custom-resource-response.json"
        ))
        .expect("JSON");
    let request = Request::parse(r#"{"ResponseURL":"https://x/"}"#, SystemTime::UNIX_EPOCH);
    let response = Response {
        status: Status::Failed,
        physical_resource_id: "id".to_owned(),
        reason: Some(Reason::new(CODE, "x")),
        data: BTreeMap::from([("Key1", "a".to_owned())]),
    };
    let body = response.body(&request.expect("a request"), CODE);
    let mut body: Map<String, Value> = serde_json::from_str(&body).expect("JSON");
    // Optional: no attribute is a secret.
    body.insert("NoEcho".to_owned(), Value::Bool(false));
    let fixture = fixture.as_object().expect("an object");
    assert!(body.keys().eq(fixture.keys()), "{body:?}");
    assert_eq!(body["Status"], fixture["Status"]);
}

#[test]
fn no_member_is_null() {
    assert!(!body("x").contains("null"));
    assert!(!body("x").contains("Data"));
}

#[test]
fn reason_without_a_code_is_its_text() {
    let event = r#"{"ResponseURL":"https://x/"}"#;
    let request = Request::parse(event, SystemTime::UNIX_EPOCH).expect("a request");
    let reason = |length: usize| {
        let response = Response {
            status: Status::Failed,
            physical_resource_id: "id".to_owned(),
            reason: Some(Reason::new(ReasonCode::NONE, "x".repeat(length))),
            data: BTreeMap::new(),
        };
        let body = response.body(&request, ReasonCode::NONE);
        let body: Value = serde_json::from_str(&body).expect("JSON");
        body["Reason"].as_str().expect("a reason").to_owned()
    };
    assert_eq!(reason(3), "xxx");
    assert!(reason(5000).ends_with("x…"));
}
