//! What an answer has to be, judged without the product's help where that is possible.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use cfn_gitops::cfn::{Deadlines, Request};
use cfn_gitops::http::is_https_or_loopback;
use cfn_gitops::provider::Error;
use serde_json::Value;

use crate::well_formed;

/// One answer that reached an address, whichever that was.
#[derive(Debug)]
pub struct Put {
    pub url: String,
    pub body: String,
}

/// Takes every PUT, and lets everything else through.
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

    /// What came since the last call.
    pub fn take(&self) -> Vec<Put> {
        std::mem::take(&mut self.puts.lock().expect("no panic under this lock"))
    }
}

impl HttpConnector for Bucket {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.method() != "PUT" {
            return self.beyond.call(request);
        }
        let body = request.body().bytes().unwrap_or_default();
        self.puts
            .lock()
            .expect("no panic under this lock")
            .push(Put {
                url: request.uri().to_owned(),
                body: String::from_utf8_lossy(body).into_owned(),
            });
        let ok = StatusCode::try_from(200).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(ok, SdkBody::empty())))
    }
}

/// What became of one event.
pub enum Verdict {
    Succeeded,
    Failed,
    NotARequest,
    /// `ResponseURL` is a string that no request can be sent to.
    NoAddress,
    /// Nothing can be delivered to the address any more.
    Expired,
}

/// Whether `event`, received at `now`, was answered as it has to be.
pub fn judge(
    event: &str,
    now: SystemTime,
    answer: &Result<Value, Error>,
    puts: &[Put],
) -> Result<Verdict, String> {
    let Some(members) = well_formed::members(event) else {
        return not_a_request(answer, puts, "no JSON object");
    };
    // As with every JSON parser in use here, the last of several members counts.
    let text = |name: &str| {
        let named = |(key, _): &&(&str, &str)| decoded(key).as_deref() == Some(name);
        let (_, value) = members.iter().rev().find(named)?;
        decoded(value)
    };
    let Some(url) = text("ResponseURL") else {
        return not_a_request(answer, puts, "no ResponseURL");
    };
    // What can never arrive ends well for Lambda, which would only deliver it again.
    let is_address = HttpRequest::new(SdkBody::empty())
        .set_uri(url.as_str())
        .is_ok();
    if !is_address || !is_https_or_loopback(&url) {
        return match answer {
            Ok(_) if puts.is_empty() => Ok(Verdict::NoAddress),
            _ => Err("an address that cannot be used was tried, or Lambda got an error".to_owned()),
        };
    }
    if puts.is_empty() && has_expired(event, now) {
        return match answer {
            Ok(_) => Ok(Verdict::Expired),
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
    let carried = text("PhysicalResourceId").filter(|id| !id.is_empty());
    form(&put.body, &body, carried.as_deref())
}

/// What CloudFormation takes, whatever it was asked for.
fn form(text: &str, body: &Value, carried: Option<&str>) -> Result<Verdict, String> {
    let broken = |what: &str| Err(what.to_owned());
    if has_null(body) {
        return broken("a member is null");
    }
    let Some(id) = body["PhysicalResourceId"]
        .as_str()
        .filter(|id| !id.is_empty())
    else {
        return broken("PhysicalResourceId is missing or empty");
    };
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
    match body["Status"].as_str() {
        Some("SUCCESS") => Ok(Verdict::Succeeded),
        Some("FAILED") if reason.is_none_or(str::is_empty) => broken("FAILED without a reason"),
        Some("FAILED") if carried.is_some_and(|carried| carried != id) => {
            broken("a failure looks like a replacement")
        }
        Some("FAILED") => Ok(Verdict::Failed),
        _ => broken("Status is neither SUCCESS nor FAILED"),
    }
}

fn not_a_request(
    answer: &Result<Value, Error>,
    puts: &[Put],
    why: &str,
) -> Result<Verdict, String> {
    match answer {
        Err(Error::UnknownEvent) if puts.is_empty() => Ok(Verdict::NotARequest),
        _ => Err(format!("{why}, and yet it was taken for a request")),
    }
}

/// The text of a JSON string; `None` for anything else, and for half a surrogate pair.
fn decoded(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

fn has_expired(event: &str, now: SystemTime) -> bool {
    let long = now + Duration::from_secs(100_000);
    Request::find(event, now).is_some_and(|request| Deadlines::new(&request, long, now).expired)
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}
