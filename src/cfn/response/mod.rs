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
mod tests;
