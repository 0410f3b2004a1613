//! No secret is in a log line, in a request to GitLab or in a result of the function.
//!
//! Every schedule records them: `wire` the requests, and a subscriber of the process the lines of
//! the function at `RUST_LOG=trace`. The schedule's check searches them.

use std::cell::RefCell;
use std::sync::Once;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use cfn_gitops::common::logging;

use crate::checks::check;
use crate::fixture::{GITLAB, SHOP, catch_up, deliver_once, fake, paused};
use crate::scripts::scripts;
use fake_aws::mutants::{body_of, replace_body};
use fake_aws::schedules;
use fake_aws::{Caller, FakeAws};

/// A value of a parameter of the deployed stack and of its change set.
pub const PARAMETER: &str = "SentinelOfAParameter/+=";
/// A property value of a resource in the change set.
pub const PROPERTY: &str = "SentinelOfAProperty/+=";
/// An output of the deployed stack that is not the environment's address.
pub const OUTPUT: &str = "SentinelOfAnOutput/+=";
/// A value for the build.
pub const VARIABLE: &str = "SentinelOfTheBuild/+=";
/// Parts of a `ResponseURL`, whose signature lets anyone respond to CloudFormation.
const RESPONSE_URL: [&str; 2] = ["X-Amz-Signature", "%3Astack/test/"];

thread_local! {
    /// The lines and requests since the last search. A schedule runs on one thread.
    static SHOWN: RefCell<Vec<String>> = const { RefCell::new(vec![]) };
    /// What every request to GitLab shows, and where.
    static LEAK: RefCell<Option<(Place, String)>> = const { RefCell::new(None) };
}

/// Where a mutant of the function shows a secret.
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

/// Fails if a recorded text contains a secret.
pub fn check_shown(fake: &FakeAws) {
    let shown = SHOWN.take().join("\n");
    assert_eq!(fake.secret_in(&shown), None, "a secret in:\n{shown}");
    let part = RESPONSE_URL.iter().find(|part| shown.contains(**part));
    assert_eq!(part, None, "a part of a ResponseURL in:\n{shown}");
}

/// The product's connector, which records the requests to GitLab.
pub fn wire(_: &FakeAws, caller: &Caller) -> SharedHttpConnector {
    SharedHttpConnector::new(Recorder(caller.clone()))
}

#[derive(Debug)]
struct Recorder(Caller);

impl HttpConnector for Recorder {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if request.uri().starts_with(GITLAB) {
            if let Some((place, secret)) = LEAK.with_borrow(Clone::clone) {
                show(place, &secret, &mut request);
            }
            note(text_of(&request));
        }
        self.0.call(request)
    }
}

fn note(text: String) {
    SHOWN.with_borrow_mut(|shown| shown.push(text));
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

fn show(place: Place, secret: &str, request: &mut HttpRequest) {
    match place {
        Place::Log => tracing::trace!(target: "cfn_gitops::mutant", secret),
        Place::Url => {
            let separator = if request.uri().contains('?') {
                '&'
            } else {
                '?'
            };
            let secret = secret
                .replace('/', "%2F")
                .replace('+', "%2B")
                .replace('=', "%3D");
            let url = format!("{}{separator}shown={secret}", request.uri());
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

/// Plays the script "waiting", whose note has a change set, and the health check.
fn play(leak: impl Fn(&FakeAws) -> Option<(Place, String)>) {
    let script = scripts().into_iter().find(|one| one.name == "waiting");
    let script = script.expect("a script");
    paused(async {
        let fake = fake(&[SHOP]).await;
        LEAK.set(leak(&fake));
        for (at, step) in script.steps.iter().enumerate() {
            step.take(&fake, SHOP).await;
            if step.has_event() {
                deliver_once(&fake, SHOP, step.subject(), &format!("event-{at}")).await;
            }
        }
        catch_up(&fake, SHOP, "health check").await;
        let shown = SHOWN.with_borrow(|shown| shown.join("\n"));
        assert!(shown.contains("POST https://gitlab.example.com/api/v4/"));
        assert!(shown.contains("pipeline execution"), "nothing was logged");
        check(&fake, SHOP, &script.expected);
    });
}

/// Every secret that the search knows, at every place, is found in the schedule's own check.
#[test]
fn secret_at_any_place_fails_the_check_of_a_schedule() {
    play(|_| None);
    let mut found = 0;
    let (mut at, mut known) = (0, 1);
    while at < known {
        for place in [Place::Log, Place::Url, Place::Header, Place::Body] {
            let leak = |fake: &FakeAws| {
                let secrets = fake.every_secret_ever();
                Some((place, secrets[at].clone()))
            };
            let played = std::panic::catch_unwind(|| play(leak));
            LEAK.take();
            let text = schedules::text(&*played.expect_err("a search that finds it"));
            assert!(text.contains("a secret in:"), "{place:?}: {text}");
            found += 1;
        }
        known = paused(async { fake(&[SHOP]).await.every_secret_ever().len() });
        at += 1;
    }
    fake_aws::figure!("secrecy: {found} planted secrets are found");
    assert_eq!(found, 4 * 5, "the token and four sentinels");
}
