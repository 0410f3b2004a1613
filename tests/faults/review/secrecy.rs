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
use cfn_gitops::common::logging;

use crate::checks::{Others, check_harmless, check_note, own_notes};
use crate::fixture::{
    GITLAB, LOGIN, STACK, check_health, check_health_for_a_day, deliver, fake, paused, pushed, uuid,
};
use fake_aws::mutants;
use fake_aws::mutants::{body_of, replace_body};
use fake_aws::schedules;
use fake_aws::{Caller, FakeAws, FaultKind, On, Schedules};

/// A value of a parameter of the deployed stack, and of the template configuration.
pub const PARAMETER: &str = "SentinelOfAParameter/+=";
/// A property value of a resource in the template.
pub const PROPERTY: &str = "SentinelOfAProperty/+=";
/// A value for the build.
pub const VARIABLE: &str = "SentinelOfTheBuild/+=";

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

/// Adds a text that the function shows.
pub fn note(text: String) {
    SHOWN.with_borrow_mut(|shown| shown.push(text));
}

/// Whether a recorded text contains this one.
pub fn shown(part: &str) -> bool {
    SHOWN.with_borrow(|shown| shown.iter().any(|text| text.contains(part)))
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
            let (from, to) = (["/", "+", "="], ["%2F", "%2B", "%3D"]);
            let encoded = from.iter().zip(to);
            let encoded = encoded.fold(secret.to_owned(), |text, (one, other)| {
                text.replace(one, other)
            });
            let separator = if request.uri().contains('?') {
                '&'
            } else {
                '?'
            };
            let url = format!("{}{separator}shown={encoded}", request.uri());
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

/// Plays the review of a changed template, and a health check that finds drift.
fn play(leak: impl Fn(&FakeAws) -> Option<(Place, String)>) {
    paused(async {
        let fake = fake().await;
        LEAK.set(leak(&fake));
        fake.drift(STACK, "Topic", "MODIFIED");
        let (build, event) = pushed(&fake, LOGIN, "c1");
        let others = Others::of(&fake);
        deliver(&fake, &event, "event").await;
        check_health_for_a_day(&fake).await;
        let shown = SHOWN.with_borrow(|shown| shown.join("\n"));
        assert!(shown.contains("POST https://gitlab.example.com/api/v4/"));
        assert!(
            shown.contains("build of a review branch"),
            "nothing was logged"
        );
        check_harmless(&fake, &others);
        check_note(&fake, LOGIN.1, &build, "1 **replaced**, 1 added");
    });
}

/// Every secret that the search knows, at every place, is found in the schedule's own check.
#[test]
fn secret_at_any_place_fails_the_check_of_a_schedule() {
    play(|_| None);
    let mut found = 0;
    let known = paused(async { fake().await.every_secret_ever().len() });
    for at in 0..known {
        for place in [Place::Log, Place::Url, Place::Header, Place::Body] {
            let leak = |fake: &FakeAws| Some((place, fake.every_secret_ever()[at].clone()));
            let played = std::panic::catch_unwind(|| play(leak));
            LEAK.take();
            let text = schedules::text(&*played.expect_err("a search that finds it"));
            assert!(text.contains("a secret in:"), "{place:?}: {text}");
            found += 1;
        }
    }
    fake_aws::figure!("secrecy: {found} planted secrets are found");
    assert_eq!(found, 4 * 4, "the token and three sentinels");
}

/// While an operation fails, each error is logged. It contains neither the token nor a value.
#[test]
fn errors_of_each_operation_show_no_secret() {
    let mut schedules = Schedules::default();
    for kind in [
        FaultKind::Denied,
        FaultKind::DeniedExplicitly,
        FaultKind::InternalError500,
    ] {
        for operation in [
            "GetObject",
            "DescribeStacks",
            "CreateChangeSet",
            "DescribeChangeSet",
            "DeleteChangeSet",
            "GitLab.CreateNote",
            "GitLab.ListNotes",
        ] {
            schedules.run(format!("{operation}: {kind:?}"), || {
                paused(async {
                    let fake = fake().await;
                    let (build, event) = pushed(&fake, LOGIN, "c1");
                    let others = Others::of(&fake);
                    fake.break_from_now(On::Operation(operation), kind);
                    deliver(&fake, &event, "event").await;
                    check_health(&fake, "broken health check").await;
                    fake.mend();
                    check_health_for_a_day(&fake).await;
                    check_harmless(&fake, &others);
                    let notes = own_notes(&fake, LOGIN.1);
                    assert!(
                        notes.len() == 1 && notes[0].contains(uuid(&build)),
                        "{notes:?}"
                    );
                });
            });
        }
    }
    let schedules = schedules.finish();
    fake_aws::figure!("schedules: {schedules} calls that fail for hours");
}
