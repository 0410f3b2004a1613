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

impl Status {
    /// The name in responses.
    pub fn name(self) -> &'static str {
        match self {
            Status::Success => "SUCCESS",
            Status::Failed => "FAILED",
        }
    }
}

/// A response, before it is shortened.
#[derive(Clone, Debug)]
pub struct Response {
    /// The result of a request.
    pub status: Status,
    /// Never empty. On Update, another ID than the request's means a replacement.
    pub physical_resource_id: String,
    /// Why the request failed, or a warning of a success. If the body would be too large, its
    /// problem is shortened. Its remedy and its code are kept.
    pub reason: Option<Reason>,
    /// The attributes for `Fn::GetAtt`.
    pub data: BTreeMap<&'static str, String>,
}

impl Response {
    /// The body to send, and the status in it: at most [`MAX_BODY_BYTES`] of UTF-8, unless the
    /// members that are copied from the request are larger. If the attributes do not fit, the body
    /// is a FAILED with the code `too_large`.
    pub fn body(&self, request: &Request, too_large: ReasonCode) -> (Status, String) {
        let body = self.shortened(request);
        if body.len() <= MAX_BODY_BYTES || self.data.is_empty() {
            return (self.status, body);
        }
        // Shortened attributes would be wrong values.
        let problem = "sending the response: the attributes exceed 4096 bytes";
        let remedy = "Shorten the names in the properties";
        let failed = Response {
            status: Status::Failed,
            reason: Some(Reason::new(too_large, problem, remedy)),
            data: BTreeMap::new(),
            // With any other ID, CloudFormation would delete the resource as replaced.
            physical_resource_id: match &request.physical_resource_id {
                Some(id) => id.clone(),
                None => self.physical_resource_id.clone(),
            },
        };
        (failed.status, failed.shortened(request))
    }

    /// The body with as much of the reason as fits: its problem is shortened. If its remedy has no
    /// room either, the whole text is cut at its end. The code stays.
    fn shortened(&self, request: &Request) -> String {
        let Some(reason) = &self.reason else {
            return self.render(request, None);
        };
        let whole = self.render(request, Some(&reason.to_string()));
        if whole.len() <= MAX_BODY_BYTES {
            return whole;
        }
        let cut = |text: &str, rest: &str| {
            let at = |end: usize| self.render(request, Some(&format!("{}…{rest}", &text[..end])));
            let ends: Vec<usize> = text.char_indices().map(|(end, _)| end).collect();
            let fitting = ends.partition_point(|end| at(*end).len() <= MAX_BODY_BYTES);
            fitting.checked_sub(1).map(|last| at(ends[last]))
        };
        let code = reason.suffix();
        cut(&reason.problem, &format!(" {}{code}", reason.remedy))
            .or_else(|| cut(&reason.text(), &code))
            .unwrap_or_else(|| self.render(request, Some(&format!("…{code}"))))
    }

    fn render(&self, request: &Request, reason: Option<&str>) -> String {
        let mut members = Map::new();
        let mut put = |name: &str, value: &str| {
            members.insert(name.to_owned(), Value::String(value.to_owned()));
        };
        put("Status", self.status.name());
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

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
