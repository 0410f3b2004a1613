//! The responses that CloudFormation accepted must be valid, in time and without secrets.

use serde_json::Value;

use crate::reason_codes;
use fake_aws::FakeAws;

/// Every reason ends with a code of the table, and a failure has a reason.
fn assert_has_code(body: &str) {
    let body: Value = serde_json::from_str(body).expect("JSON");
    let has_code = match body["Reason"].as_str() {
        Some(reason) => reason_codes::split(reason).is_some(),
        None => body["Status"] == "SUCCESS",
    };
    assert!(has_code, "{body}");
}

/// Every delivery answered once at most, with a code in each reason, and no answer holds a secret.
pub fn answers_are_sound(fake: &FakeAws) {
    let deliveries = fake.responses();
    let (journal, transcript) = (fake.journal(), fake.transcript());
    for delivery in &deliveries {
        let body = String::from_utf8(delivery.body.clone()).expect("UTF-8");
        assert!(body.len() <= 4096);
        assert!(!body.contains("null"), "{body}");
        assert_has_code(&body);
        assert_eq!(fake.secret_in(&body), None, "a secret in an answer");
        assert!(
            !body.contains("X-Amz-Signature"),
            "the address in an answer"
        );
        let caller = &delivery.caller;
        let of_caller = deliveries.iter().filter(|other| other.caller == *caller);
        let accepted = of_caller.count();
        let lost = journal.iter().filter(|entry| {
            entry.caller == *caller && entry.operation == "PutResponse" && entry.answered.is_none()
        });
        let is_once = accepted <= 1 + lost.count();
        assert!(is_once, "{caller} answered {accepted} times\n{transcript}");
    }
    let secret = fake.secret_in(&transcript);
    assert_eq!(secret, None, "a secret in a request's parameters");
}
