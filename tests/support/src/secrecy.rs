//! The product's output: its log lines at `RUST_LOG=trace`, its requests to GitLab, and a test's
//! additions. A schedule runs on one thread, records all of it, and searches it for secrets.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use cfn_gitops::common::logging;

use fake_aws::interceptor::{self, body_of, replace_body};
use fake_aws::{Caller, FakeAws, gitlab, schedules};

/// A value of a parameter of the deployed stack, and of its change sets.
pub const PARAMETER: &str = "SentinelOfAParameter/+=";

/// Parts of a `ResponseURL`, whose signature lets anyone respond to CloudFormation.
const RESPONSE_URL: [&str; 2] = ["X-Amz-Signature", "%3Astack/test/"];

thread_local! {
    /// The lines and requests since the last search.
    static SHOWN: RefCell<Vec<String>> = const { RefCell::new(vec![]) };
    /// Where every request to GitLab shows a secret, and the secret's index.
    static LEAK: Cell<Option<(Place, usize)>> = const { Cell::new(None) };
}

/// Where a defect of the function shows a secret.
#[derive(Clone, Copy, Debug)]
enum Place {
    Log,
    Url,
    Header,
    Body,
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

/// Whether a recorded text contains this one.
pub fn shows(part: &str) -> bool {
    SHOWN.with_borrow(|shown| shown.iter().any(|text| text.contains(part)))
}

/// Fails if a recorded text contains a secret.
pub fn assert_none_shown(fake: &FakeAws) {
    let shown = SHOWN.take().join("\n");
    assert_eq!(fake.secret_in(&shown), None, "a secret in:\n{shown}");
    let part = RESPONSE_URL.iter().find(|part| shown.contains(**part));
    assert_eq!(part, None, "a part of a ResponseURL in:\n{shown}");
}

/// The product's connector, which records the requests to GitLab.
pub fn wire(fake: &FakeAws, caller: &Caller) -> SharedHttpConnector {
    SharedHttpConnector::new(Recorder {
        fake: fake.clone(),
        sends: interceptor::wire(fake, caller),
    })
}

struct Recorder {
    fake: FakeAws,
    sends: SharedHttpConnector,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Recorder")
    }
}

impl HttpConnector for Recorder {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let host = format!("https://{}", gitlab::HOST);
        if request.uri().starts_with(&host) {
            if let Some((place, at)) = LEAK.get() {
                show(place, &self.fake.every_secret_ever()[at], &mut request);
            }
            note(text_of(&request));
        }
        self.sends.call(request)
    }
}

/// A request without the header that has to contain the token.
fn text_of(request: &HttpRequest) -> String {
    let headers = request.headers().iter().filter(|(name, _)| *name != "private-token");
    let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
    let (method, url, headers) = (request.method(), request.uri(), headers.join("\n"));
    format!("{method} {url}\n{headers}\n{}", body_of(request))
}

fn show(place: Place, secret: &str, request: &mut HttpRequest) {
    match place {
        Place::Log => tracing::trace!(target: "cfn_gitops::defect", secret),
        Place::Url => {
            let escaped = secret.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
            let has_query = request.uri().contains('?');
            let separator = if has_query { '&' } else { '?' };
            let url = format!("{}{separator}shown={escaped}", request.uri());
            request.set_uri(url).expect("an address");
        }
        Place::Header => {
            let secret = secret.to_owned();
            request.headers_mut().insert("x-shown", secret);
        }
        Place::Body => {
            let body = body_of(request);
            if let Some(rest) = body.strip_prefix('{') {
                replace_body(request, format!("{{\"shown\":\"{secret}\",{rest}"));
            }
        }
    }
}

/// Shows each of the `known` secrets at each place, and asserts that the checks of `play` find it.
/// Returns the number of these leaks.
pub fn assert_each_leak_is_found(known: usize, play: impl Fn()) -> usize {
    play();
    let mut found = 0;
    for at in 0..known {
        for place in [Place::Log, Place::Url, Place::Header, Place::Body] {
            LEAK.set(Some((place, at)));
            let played = catch_unwind(AssertUnwindSafe(&play));
            LEAK.take();
            let text = schedules::text(&*played.expect_err("a search that finds it"));
            assert!(text.contains("a secret in:"), "{place:?}: {text}");
            found += 1;
        }
    }
    fake_aws::figure!("secrecy: {found} planted secrets are found");
    found
}
