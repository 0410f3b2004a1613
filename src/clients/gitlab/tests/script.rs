//! A GitLab that sends the given responses, once each, in their order, and nothing more.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use tokio::time::Instant;

use crate::clients::http::{Http, HttpError};

/// The result of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    Nothing(HttpError),
    Silence,
}

impl Reply {
    pub fn json(status: u16, body: impl Into<Value>) -> Self {
        Self::text(status, &body.into().to_string())
    }

    pub fn text(status: u16, body: &str) -> Self {
        Reply::Answer {
            status,
            headers: vec![],
            body: body.to_owned(),
        }
    }

    pub fn empty(status: u16) -> Self {
        Self::text(status, "")
    }

    pub fn page(status: u16) -> Self {
        Self::text(status, "<!DOCTYPE html><html><body>Oops</body></html>")
    }

    pub fn message(status: u16, message: &str) -> Self {
        Self::json(status, serde_json::json!({"message": message}))
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Reply::Answer { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: String,
    pub uri: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub at: Instant,
}

impl Sent {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a body of JSON")
    }
}

/// The requests that are expected, with their answers, and those that came.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<State>>);

/// Shows nothing: the requests are secret, and the clients' `Debug` includes this.
impl fmt::Debug for Script {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Script")
    }
}

#[derive(Default)]
struct State {
    expected: VecDeque<(String, Reply)>,
    sent: Vec<Sent>,
}

impl Script {
    /// The next request is to be `request`, a method and the path below the API's address (or, with
    /// another host, a whole address).
    pub fn then(self, request: &str, reply: Reply) -> Self {
        let expected = (request.to_owned(), reply);
        self.state(|state| state.expected.push_back(expected));
        self
    }

    pub fn then_times(mut self, times: usize, request: &str, reply: &Reply) -> Self {
        for _ in 0..times {
            self = self.then(request, reply.clone());
        }
        self
    }

    pub fn http(&self) -> Http {
        Http::new(SharedHttpConnector::new(self.clone()))
    }

    /// The requests. Every expected one must have been sent.
    pub fn sent(&self) -> Vec<Sent> {
        self.state(|state| {
            assert!(state.expected.is_empty(), "not asked: {:?}", state.expected);
            state.sent.clone()
        })
    }

    fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().expect("the script"))
    }

    fn reply(&self, request: &HttpRequest) -> Reply {
        let body = request.body().bytes().unwrap_or_default();
        let headers = request.headers().iter();
        let sent = Sent {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            body: String::from_utf8(body.to_vec()).expect("UTF-8"),
            at: Instant::now(),
        };
        let operation = sent.header("x-amz-target").map(ToOwned::to_owned);
        let path = sent.uri.strip_prefix("https://gitlab.example.com/api/v4");
        let shown = operation.unwrap_or_else(|| {
            let path = path.unwrap_or(&sent.uri);
            format!("{} {path}", sent.method)
        });
        self.state(|state| {
            state.sent.push(sent);
            let (expected, reply) =
                state.expected.pop_front().unwrap_or_else(|| panic!("not expected: {shown}"));
            assert_eq!(shown, expected);
            reply
        })
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.reply(&request) {
            Reply::Answer {
                status,
                headers,
                body,
            } => {
                let status = StatusCode::try_from(status).expect("a status");
                let mut answer = HttpResponse::new(status, SdkBody::from(body));
                for (name, value) in headers {
                    answer.headers_mut().append(name, value);
                }
                HttpConnectorFuture::ready(Ok(answer))
            }
            Reply::Nothing(reason) => {
                HttpConnectorFuture::ready(Err(ConnectorError::io(reason.into())))
            }
            Reply::Silence => HttpConnectorFuture::new(async {
                tokio::time::sleep(Duration::from_hours(1)).await;
                Err(ConnectorError::io("at last".into()))
            }),
        }
    }
}
