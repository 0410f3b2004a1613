//! Fuzz targets: a request, its address, its answer.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Value, json};

use cfn_custom_resource::{
    Deadlines, MAX_BODY_BYTES, Reason, ReasonCode, Request, Response, Status,
};
use fuzz::{Choices, SENTINEL, fuzz};

const CODE: ReasonCode = ReasonCode("CFG-207");

const CLOCKS_DIFFER: Duration = Duration::from_secs(300);

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A request as text that is almost JSON, or as JSON that is almost a request.
fn event(choices: &mut Choices) -> String {
    let request = json!({
        "RequestType": "Update",
        "ResponseURL": format!(
            "https://b.example.com/?X-Amz-Date=20261120T075500Z&X-Amz-Expires=7200&s={SENTINEL}"
        ),
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/1",
        "RequestId": "r",
        "LogicalResourceId": "l",
        "PhysicalResourceId": "p",
        "ResourceType": "Custom::MirrorCredential",
        "ResourceProperties": {"ServiceTimeout": "60", "UserName": "u"},
        "OldResourceProperties": {"UserName": "v"},
    });
    if choices.below(2) == 0 {
        choices.json(&[request]).to_string()
    } else {
        choices.text(&[&request.to_string()])
    }
}

// claim: request-is-copied-into-its-response-and-limits-its-time
#[test]
fn request_is_copied_into_its_answer_and_bounds_its_time() {
    fuzz(|choices| {
        let event = event(choices);
        let received = at(1_795_161_310);
        let Some(request) = Request::parse(&event, received) else {
            return;
        };
        let as_json: Option<Value> = serde_json::from_str(&event).ok();
        if let Some(sent) = &as_json {
            assert!(sent["ResponseURL"].is_string(), "{event}");
            let stack_id = sent["StackId"].as_str().unwrap_or_default();
            assert_eq!(stack_id, request.stack_id);
        }
        assert!(!format!("{:?}", request.response_url).contains(SENTINEL));
        assert!(request.physical_resource_id.as_deref() != Some(""));
        assert!(request.signed_at <= received + CLOCKS_DIFFER);
        let timeout = request.service_timeout().as_secs();
        assert!((1..=3600).contains(&timeout), "{timeout}");
        for remaining in [0, 1, 900] {
            let ends = received + Duration::from_secs(remaining);
            let deadlines = Deadlines::new(&request, ends, received);
            assert!(deadlines.work_until <= deadlines.respond_until, "{event}");
            assert!(deadlines.respond_until <= ends, "{event}");
        }
    });
}

// claim: signing-time-is-read-from-the-address
#[test]
fn when_an_address_was_signed_is_read_from_it() {
    fuzz(|choices| {
        // Until the year 9999.
        let seconds = choices.number() % 253_402_300_799;
        let stamp = DateTime::from(at(seconds)).fmt(Format::DateTime);
        let stamp = stamp.expect("a time").replace(['-', ':'], "");
        let expires = choices.number() % 100_000;
        let before = choices.one_of(&["a=b&", "", "X-Amz-Date&", "x-amz-datex=1&"]);
        let url = format!("https://b/?{before}X-Amz-Date={stamp}&X-Amz-Expires={expires}");
        let event = json!({"ResponseURL": url}).to_string();
        let found = Request::parse(&event, at(seconds)).expect("a request");
        assert_eq!(found.signed_at, at(seconds), "{url}");
        let valid_for = Duration::from_secs(expires);
        assert_eq!(found.response_url.valid_for(), Some(valid_for));

        let url = choices.text(&[&url, "https://b/?X-Amz-Date=20261120T075500Z"]);
        let event = json!({"ResponseURL": url}).to_string();
        let found = Request::parse(&event, at(1000)).expect("a request");
        assert!(found.signed_at <= at(1000) + CLOCKS_DIFFER, "{url}");
    });
}

// claim: request-is-copied-into-its-response-and-limits-its-time
#[test]
fn response_fits_and_starts_with_its_reason() {
    fuzz(|choices| {
        let request = r#"{"ResponseURL":"https://b/","StackId":"s","PhysicalResourceId":"old"}"#;
        let request = Request::parse(request, at(0)).expect("a request");
        let seeds = ["making x: AccessDenied\n", "é", "\u{1}\"\\", "🦀 </x>"];
        let reason = choices.text(&seeds).repeat(1 + choices.below(600));
        let value = choices.text(&seeds).repeat(choices.below(600));
        let response = Response {
            status: Status::Success,
            physical_resource_id: "old".to_owned(),
            reason: (choices.below(3) > 0).then(|| Reason::new(CODE, reason.clone(), "Do it")),
            data: BTreeMap::from([("Name", value.clone())]),
        };
        // Attributes that do not fit are left out of the response.
        if response.reason.is_some() && value.len() > 200 {
            return;
        }
        let (_, body) = response.body(&request, CODE);
        assert!(body.len() <= MAX_BODY_BYTES, "{}", body.len());
        let read: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(read["PhysicalResourceId"], "old");
        assert_eq!(read["StackId"], "s");
        if response.reason.is_some() {
            let told = read["Reason"].as_str().expect("a reason");
            let told = told.strip_suffix(" Do it - CFG-207").expect("remedy and code");
            let (cut, whole) = (told.strip_suffix('…'), reason.trim_end_matches(['.', ' ']));
            let end = if whole.ends_with(['?', '!']) { "" } else { "." };
            assert!(cut.map_or(told == format!("{whole}{end}"), |cut| {
                reason.starts_with(cut)
            }));
            assert_eq!(read["Data"]["Name"], json!(value));
        }
    });
}
