//! The answer's body.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Reason, Request};
use crate::reason_codes::Code;

/// CloudFormation takes no larger body. Source: the custom resource response object's reference.
pub const MAX_BODY_BYTES: usize = 4096;

/// What became of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was done.
    Success,
    /// It was not; [`Response::reason`] says why.
    Failed,
}

/// One answer, before it is cut to size.
#[derive(Clone, Debug)]
pub struct Response {
    /// What became of the request.
    pub status: Status,
    /// Never empty; CloudFormation takes another id on Update as a replacement.
    pub physical_resource_id: String,
    /// Why it failed, or what is to be known although it succeeded. Its text is cut at the end if the
    /// body would be too large. Its code stays.
    pub reason: Option<Reason>,
    /// The attributes for `Fn::GetAtt`.
    pub data: BTreeMap<&'static str, String>,
}

impl Response {
    /// The body to be put at the request's address: at most [`MAX_BODY_BYTES`] of UTF-8, as long
    /// as what has to be copied from the request leaves room for that.
    pub fn body(&self, request: &Request) -> String {
        let whole = self.reason.as_ref().map(ToString::to_string);
        let whole = self.render(request, whole.as_deref());
        if whole.len() <= MAX_BODY_BYTES {
            return whole;
        }
        let Some(reason) = &self.reason else {
            // Attributes cannot be cut without lying; say so instead.
            let too_large = Response {
                status: Status::Failed,
                reason: Some(Reason::new(
                    Code::InternalError,
                    "answering: the attributes exceed 4096 bytes",
                )),
                data: BTreeMap::new(),
                // Any other id would make CloudFormation think that the resource was replaced.
                physical_resource_id: match &request.physical_resource_id {
                    Some(id) => id.clone(),
                    None => self.physical_resource_id.clone(),
                },
            };
            return too_large.body(request);
        };
        let with_code = format!("…{}", reason.suffix());
        let has_room = self.render(request, Some(&with_code)).len() <= MAX_BODY_BYTES;
        // Only IDs longer than any of CloudFormation's leave no room for the code.
        let end_of_reason = if has_room {
            with_code
        } else {
            "…".to_owned()
        };
        let reason = &reason.text;
        let room = MAX_BODY_BYTES.saturating_sub(self.render(request, Some(&end_of_reason)).len());
        let mut used = 0;
        let mut end = 0;
        for (start, character) in reason.char_indices() {
            used += escaped_length(character);
            if used > room {
                break;
            }
            end = start + character.len_utf8();
        }
        self.render(request, Some(&format!("{}{end_of_reason}", &reason[..end])))
    }

    fn render(&self, request: &Request, reason: Option<&str>) -> String {
        let mut members = Map::new();
        let mut put = |name: &str, value: &str| {
            members.insert(name.to_owned(), Value::String(value.to_owned()));
        };
        put(
            "Status",
            match self.status {
                Status::Success => "SUCCESS",
                Status::Failed => "FAILED",
            },
        );
        put("PhysicalResourceId", &self.physical_resource_id);
        put("StackId", &request.stack_id);
        put("RequestId", &request.request_id);
        put("LogicalResourceId", &request.logical_resource_id);
        if let Some(reason) = reason {
            put("Reason", reason);
        }
        if !self.data.is_empty() {
            let data = self.data.iter();
            let data = data.map(|(name, value)| ((*name).to_owned(), value.clone().into()));
            members.insert("Data".to_owned(), Value::Object(data.collect()));
        }
        Value::Object(members).to_string()
    }
}

/// How many bytes a character takes in the JSON that `serde_json` writes.
fn escaped_length(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn body(reason: &str) -> String {
        let event =
            r#"{"ResponseURL":"https://x/","StackId":"s","RequestId":"r","LogicalResourceId":"l"}"#;
        let request = Request::find(event, SystemTime::UNIX_EPOCH).expect("a request");
        let response = Response {
            status: Status::Failed,
            physical_resource_id: "id".to_owned(),
            reason: Some(Reason::new(Code::AwsRejected, reason)),
            data: BTreeMap::new(),
        };
        response.body(&request)
    }

    #[test]
    fn no_reason_makes_the_body_too_large_whatever_its_script() {
        for unit in ["a", "ü", "漢", "🦀", "\"", "\u{1}", "\n", "\\"] {
            for length in [0, 1, 600, 3900, 4000, 4096, 9000] {
                let body = body(&unit.repeat(length));
                assert!(body.len() <= MAX_BODY_BYTES, "{unit} × {length}");
                let value: Value = serde_json::from_str(&body).expect("JSON");
                assert_eq!(value["RequestId"], "r");
                let reason = value["Reason"].as_str().expect("a reason");
                assert!(reason.ends_with(" [CFG-207]"), "{unit} × {length}");
                if length > 4000 {
                    assert!(body.len() > MAX_BODY_BYTES - 8, "{unit}: room was wasted");
                }
            }
        }
    }

    #[test]
    fn attributes_that_do_not_fit_fail_without_looking_like_a_replacement() {
        let event = r#"{"ResponseURL":"https://x/","PhysicalResourceId":"old"}"#;
        let request = Request::find(event, SystemTime::UNIX_EPOCH).expect("a request");
        let response = Response {
            status: Status::Success,
            physical_resource_id: "new".to_owned(),
            reason: None,
            data: BTreeMap::from([("Name", "x".repeat(5000))]),
        };
        let body: Value = serde_json::from_str(&response.body(&request)).expect("JSON");
        assert_eq!(body["Status"], "FAILED");
        assert_eq!(body["PhysicalResourceId"], "old");
    }

    #[test]
    fn members_are_those_of_the_fixture_of_aws_lambda_events() {
        let fixture: Value = serde_json::from_str(include_str!(
            "../../tests/fixtures/aws_lambda_events/example-cloudformation-custom-resource-response.json"
        ))
        .expect("JSON");
        let request = Request::find(r#"{"ResponseURL":"https://x/"}"#, SystemTime::UNIX_EPOCH);
        let response = Response {
            status: Status::Failed,
            physical_resource_id: "id".to_owned(),
            reason: Some(Reason::new(Code::AwsRejected, "x")),
            data: BTreeMap::from([("Key1", "a".to_owned())]),
        };
        let body = response.body(&request.expect("a request"));
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
}
