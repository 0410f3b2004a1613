//! The response's body.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Reason, ReasonCode, Request};

/// CloudFormation's limit of a response.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>
pub const MAX_BODY_BYTES: usize = 4096;

/// The result of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The request succeeded.
    Success,
    /// The request failed. [`Response::reason`] has the cause.
    Failed,
}

/// A response, before it is shortened.
#[derive(Clone, Debug)]
pub struct Response {
    /// The result of a request.
    pub status: Status,
    /// Never empty. On Update, another ID than the request's means a replacement.
    pub physical_resource_id: String,
    /// Why the request failed, or a warning of a success. If the body would be too large, its text is
    /// shortened at the end. Its code is kept.
    pub reason: Option<Reason>,
    /// The attributes for `Fn::GetAtt`.
    pub data: BTreeMap<&'static str, String>,
}

impl Response {
    /// The body to send: at most [`MAX_BODY_BYTES`] of UTF-8, unless the members that are copied from
    /// the request are larger. If the attributes do not fit, the body is a FAILED with the code
    /// `too_large`.
    pub fn body(&self, request: &Request, too_large: ReasonCode) -> String {
        let whole = self.reason.as_ref().map(ToString::to_string);
        let whole = self.render(request, whole.as_deref());
        if whole.len() <= MAX_BODY_BYTES {
            return whole;
        }
        let Some(reason) = &self.reason else {
            // Shortened attributes would be wrong values.
            let failed = Response {
                status: Status::Failed,
                reason: Some(Reason::new(
                    too_large,
                    "sending the response: the attributes exceed 4096 bytes",
                )),
                data: BTreeMap::new(),
                // With any other ID, CloudFormation would delete the resource as replaced.
                physical_resource_id: match &request.physical_resource_id {
                    Some(id) => id.clone(),
                    None => self.physical_resource_id.clone(),
                },
            };
            return failed.body(request, too_large);
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

/// The number of bytes of a character in the JSON of `serde_json`.
fn escaped_length(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests;
