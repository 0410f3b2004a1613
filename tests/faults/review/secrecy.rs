//! No secret is in a log line, in a request to GitLab, in a metric or in a result of the function.
//!
//! Every schedule records them: `wire` the requests, and a subscriber of the process the lines of
//! the function at `RUST_LOG=trace`. The schedule's check searches them.

use std::cell::RefCell;
use std::sync::Once;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use cfn_gitops::logging;

use crate::fixture::GITLAB;
use fake_aws::mutants;
use fake_aws::mutants::body_of;
use fake_aws::{Caller, FakeAws};

/// A value of a parameter of the deployed stack, and of the template configuration.
pub const PARAMETER: &str = "SentinelOfAParameter/+=";
/// A property value of a resource in the template.
pub const PROPERTY: &str = "SentinelOfAProperty/+=";
/// A value for the build.
pub const VARIABLE: &str = "SentinelOfTheBuild/+=";

thread_local! {
    /// The lines and requests since the last search. A schedule runs on one thread.
    static SHOWN: RefCell<Vec<String>> = const { RefCell::new(vec![]) };
}

/// Begins a schedule's record.
pub fn record() {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let note = |line: &[u8]| note(String::from_utf8_lossy(line).into_owned());
        let subscriber = logging::subscriber("trace", note);
        tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
    });
    SHOWN.take();
}

/// Adds a text that the function shows.
pub fn note(text: String) {
    SHOWN.with_borrow_mut(|shown| shown.push(text));
}

/// Fails if a recorded text contains a secret.
pub fn check_shown(fake: &FakeAws) {
    let shown = SHOWN.take().join("\n");
    assert_eq!(fake.secret_in(&shown), None, "a secret in:\n{shown}");
}

/// The product's connector, which records the requests to GitLab.
pub fn wire(fake: &FakeAws, caller: &Caller) -> SharedHttpConnector {
    SharedHttpConnector::new(Recorder(mutants::wire(fake, caller)))
}

#[derive(Debug)]
struct Recorder(SharedHttpConnector);

impl HttpConnector for Recorder {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.uri().starts_with(GITLAB) {
            note(text_of(&request));
        }
        self.0.call(request)
    }
}

/// A request without the header that has to contain the token.
fn text_of(request: &HttpRequest) -> String {
    let headers = request.headers().iter();
    let headers: Vec<String> = headers
        .filter(|(name, _)| *name != "private-token")
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let (method, url) = (request.method(), request.uri());
    format!(
        "{method} {url}\n{}\n{}",
        headers.join("\n"),
        body_of(request)
    )
}
