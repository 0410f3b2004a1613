//! The rules for a response, checked without the product's code if possible.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use cfn_custom_resource::{Deadlines, MAX_EVENT_BYTES, Request};
use cfn_gitops::clients::http::ResponseHosts;
use cfn_gitops::handler::HandlerError;
use cfn_gitops::handler::self_invocation;
use serde_json::Value;

use crate::well_formed;
use test_support::reason_codes;

/// One response that reached an address, of any kind.
#[derive(Debug)]
pub struct Put {
    pub url: String,
    pub body: String,
}

/// Accepts every PUT except GitLab's, and passes on everything else.
#[derive(Clone, Debug)]
pub struct Bucket {
    puts: Arc<Mutex<Vec<Put>>>,
    beyond: SharedHttpConnector,
}

impl Bucket {
    pub fn before(beyond: SharedHttpConnector) -> Self {
        Bucket {
            puts: Arc::default(),
            beyond,
        }
    }

    pub fn connector(&self) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }

    /// The responses since the last call.
    pub fn take(&self) -> Vec<Put> {
        std::mem::take(&mut self.puts.lock().expect("no panic under this lock"))
    }
}

impl HttpConnector for Bucket {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.method() != "PUT" || request.uri().contains("/api/v4/") {
            return self.beyond.call(request);
        }
        let body = request.body().bytes().unwrap_or_default();
        let put = Put {
            url: request.uri().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
        };
        self.puts.lock().expect("no panic under this lock").push(put);
        let ok = StatusCode::try_from(200).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(ok, SdkBody::empty())))
    }
}

/// The members without which a request is FAILED with any other members.
const REQUIRED: [&str; 4] = ["StackId", "RequestId", "LogicalResourceId", "ResourceType"];

/// Checks the response to `event`, received at `now`, and its number of calls of AWS. Returns the
/// kind of result.
pub fn judge(
    event: &str,
    now: SystemTime,
    answer: &Result<Value, HandlerError>,
    puts: &[Put],
    calls: usize,
) -> Result<&'static str, String> {
    // A continuation's members may make an address expire.
    let received_at = self_invocation::parse(event).1.received_at(now);
    let event = continued(event)?;
    let Some(members) = well_formed::members(event) else {
        return not_a_request(answer, puts, event, "no JSON object");
    };
    // As with every JSON parser in use here, the last of several members counts.
    let text = |name: &str| {
        let named = |(key, _): &&(&str, &str)| decoded(key).as_deref() == Some(name);
        let (_, value) = members.iter().rev().find(named)?;
        decoded(value)
    };
    let Some(url) = text("ResponseURL") else {
        return not_a_request(answer, puts, event, "no ResponseURL");
    };
    let is_missing = |name: &&str| text(name).is_none_or(|text| text.is_empty());
    let missing: Vec<&str> = REQUIRED.into_iter().filter(is_missing).collect();
    if !missing.is_empty() && calls > 0 {
        return Err(format!("without {missing:?} AWS was called"));
    }
    let deletes = text("RequestType").as_deref() == Some("Delete");
    if !deletes && deadlines(event, received_at, now).is_some_and(|ends| ends.is_too_late()) {
        if calls > 0 {
            return Err("AWS was called for a request without a waiting caller".to_owned());
        }
        if answer.as_ref().is_ok_and(|body| body["Status"] != "FAILED") {
            return Err("a request without a waiting caller did not fail".to_owned());
        }
    }
    // An undeliverable response is a success for Lambda, which would only deliver the event again.
    let is_address = HttpRequest::new(SdkBody::empty()).set_uri(url.as_str()).is_ok();
    if !is_address || !ResponseHosts::S3.accept(&url) {
        return match answer {
            Ok(_) if puts.is_empty() => Ok("unusable address"),
            _ => Err("an address that cannot be used was tried, or Lambda got an error".to_owned()),
        };
    }
    let has_expired = deadlines(event, received_at, now).is_some_and(|ends| ends.expired);
    if puts.is_empty() && has_expired {
        return match answer {
            Ok(_) => Ok("expired address"),
            Err(_) => Err("an address that has expired is delivered again".to_owned()),
        };
    }
    let [put] = puts else {
        return Err(format!("{} answers instead of one", puts.len()));
    };
    if put.url != url {
        return Err(format!("answered at {} instead of {url}", put.url));
    }
    let body: Value =
        serde_json::from_str(&put.body).map_err(|error| format!("the answer: {error}"))?;
    if answer.as_ref().ok() != Some(&body) {
        return Err("Lambda's result is another one than CloudFormation's".to_owned());
    }
    for name in ["StackId", "RequestId", "LogicalResourceId"] {
        if text(name).is_some_and(|given| body[name] != given) {
            return Err(format!("{name} was not copied verbatim"));
        }
    }
    if !missing.is_empty() {
        let reason = body["Reason"].as_str().unwrap_or_default();
        let names = format!("reading the request: {}: ", missing.join(", "));
        // The reason is cut off where the request's own IDs leave no room.
        let text = reason_codes::split(reason).map_or(reason, |(text, _)| text);
        // The remedy follows if it has room.
        let cut = text.split_once('…').map(|(cut, _)| cut).filter(|_| put.body.len() > 4000);
        let names_them =
            reason.starts_with(&names) || cut.is_some_and(|cut| names.starts_with(cut));
        if body["Status"] != "FAILED" || !names_them {
            return Err(format!("without {missing:?} it was answered otherwise"));
        }
    }
    let carried = text("PhysicalResourceId").filter(|id| !id.is_empty());
    form(&put.body, &body, carried.as_deref())
}

/// CloudFormation's rules for every response.
fn form(text: &str, body: &Value, carried: Option<&str>) -> Result<&'static str, String> {
    let broken = |what: &str| Err(what.to_owned());
    if has_null(body) {
        return broken("a member is null");
    }
    let id = body["PhysicalResourceId"].as_str().unwrap_or_default();
    if id.is_empty() {
        return broken("PhysicalResourceId is missing or empty");
    }
    if id.len() > 1024 && carried != Some(id) {
        return broken("PhysicalResourceId is longer than 1 KB");
    }
    let mut least = body.clone();
    least["Reason"] = Value::String("…".to_owned());
    least.as_object_mut().map(|members| members.remove("Data"));
    if text.len() > 4096 && least.to_string().len() <= 4096 {
        return Err(format!("the body has {} bytes", text.len()));
    }
    let reason = body["Reason"].as_str();
    let has_code = reason.is_some_and(|reason| reason_codes::split(reason).is_some());
    match body["Status"].as_str() {
        Some("SUCCESS") => Ok("SUCCESS"),
        Some("FAILED") if reason.is_none_or(str::is_empty) => broken("FAILED without a reason"),
        Some("FAILED") if carried.is_some_and(|carried| carried != id) => {
            broken("a failure looks like a replacement")
        }
        Some("FAILED") if !has_code && text.len() < 4085 => {
            broken("the reason ends without a code")
        }
        Some("FAILED") => Ok("FAILED"),
        _ => broken("Status is neither SUCCESS nor FAILED"),
    }
}

/// The event in a continuation, or the whole of any other event. The product decides which event is
/// a continuation, and must accept every clear one.
fn continued(event: &str) -> Result<&str, String> {
    let (read, _) = self_invocation::parse(event);
    if !event.contains("\"Continuation\"") {
        return Ok(read);
    }
    let members = well_formed::members(event).unwrap_or_default();
    let [(a, position), (b, inner)] = members[..] else {
        return Ok(read);
    };
    let names = [decoded(a), decoded(b)];
    let are_meant = names == ["Continuation", "Event"].map(|name| Some(name.to_owned()));
    let hop = match well_formed::members(position).unwrap_or_default()[..] {
        [(name, hop)] if decoded(name).as_deref() == Some("Hop") => hop.parse::<u32>().ok(),
        _ => None,
    };
    if are_meant && hop.is_some() && read != inner {
        return Err("a continuation was taken for something else".to_owned());
    }
    Ok(read)
}

fn not_a_request(
    answer: &Result<Value, HandlerError>,
    puts: &[Put],
    event: &str,
    why: &str,
) -> Result<&'static str, String> {
    let push = is_first_push(event);
    match answer {
        _ if !puts.is_empty() => Err(format!("{why}, and yet it was answered")),
        Err(HandlerError::UnknownEvent(_)) if push != Some(true) => Ok("not a request"),
        Err(HandlerError::EventTooLarge(size)) if *size > MAX_EVENT_BYTES => Ok("too large"),
        Ok(body) if push != Some(false) => {
            let text = |name: &str| body[name].as_str().is_some_and(|text| !text.is_empty());
            if text("PipelineName") || text("Ignored") {
                Ok("first push")
            } else {
                Err("a push's result says nothing".to_owned())
            }
        }
        Err(HandlerError::NotStarted(_) | HandlerError::OutOfTime(_)) if push != Some(false) => {
            Ok("first push")
        }
        _ => Err(format!("{why}, and yet it was taken for something else")),
    }
}

/// Whether the event is about a push to a branch; `None` where parsers may differ.
fn is_first_push(event: &str) -> Option<bool> {
    if !event.contains("aws.codecommit") {
        return Some(false);
    }
    let value: Value = serde_json::from_str(event).ok()?;
    if value["source"] != "aws.codecommit" {
        // If there are two such members, the product uses neither.
        return Some(false);
    }
    let members = well_formed::members(event)?;
    let detail = &value["detail"];
    let count = |text: &str, name: &str| {
        let members = well_formed::members(text).unwrap_or_default();
        let named = |(key, _): &&(&str, &str)| decoded(key).as_deref() == Some(name);
        members.iter().filter(named).count()
    };
    let is_once = |text: &str, name: &str| count(text, name) == 1;
    let (_, text) = members.iter().find(|(key, _)| decoded(key).as_deref() == Some("detail"))?;
    let names = ["event", "referenceType", "referenceName", "repositoryName"];
    let optional = |name: &str, is_right: fn(&Value) -> bool| {
        count(event, name) <= 1 && value.get(name).is_none_or(is_right)
    };
    let is_list_of_texts = |value: &Value| {
        let elements = value.as_array();
        elements.is_some_and(|elements| elements.iter().all(Value::is_string))
    };
    let is_time = |value: &Value| value == "2026-01-01T00:00:00Z";
    let texts = ["StackName", "version", "id", "account", "region"];
    let is_plain = is_once(event, "source")
        && is_once(event, "detail")
        && is_once(event, "detail-type")
        && value["detail-type"].is_string()
        && texts.iter().all(|name| optional(name, Value::is_string))
        && optional("resources", is_list_of_texts)
        && optional("time", is_time)
        && names.iter().all(|name| is_once(text, name) && detail[name].is_string());
    let is_push = ["referenceCreated", "referenceUpdated"].contains(&detail["event"].as_str()?)
        && detail["referenceType"] == "branch";
    (is_plain || !is_push).then_some(is_push)
}

/// The text of a JSON string; `None` for anything else, and for half a surrogate pair.
fn decoded(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

fn deadlines(event: &str, received_at: SystemTime, now: SystemTime) -> Option<Deadlines> {
    let long = now + Duration::from_secs(100_000);
    let request = Request::parse(event, received_at)?;
    Some(Deadlines::new(&request, long, now))
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}
