//! Careless products: each lacks the care that one unkind setting tests. Without the setting, no
//! check notices them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_aws::mutants::{
    ConnectorError, Firsts, HttpConnector, HttpRequest, HttpResponse, Response, body_of, has_text,
    invented, notice, operation_of, repeat_first, replace_in_body, replace_in_response,
    replace_json, send_twice,
};
use fake_aws::{Caller, FakeAws};
use serde_json::Value;
use tokio::time::Instant;

use crate::worlds::{Mixture, SETTINGS};
use products::CARELESS;

mod products;

/// In place of an operation: all of them.
const ANY: &str = "";

/// How the product acts without its care. The first text is the operation.
#[derive(Clone, Copy, Debug)]
enum Lack {
    /// Each invocation takes its first response with the second text for all later ones.
    Believes(&'static str, &'static str),
    /// It reads only the first page of GitLab's list.
    ReadsOnePage(&'static str),
    /// It reads the second text of a response as the third one.
    Reads(&'static str, &'static str, &'static str),
    /// It takes a response with this text for an empty list.
    Drops(&'static str, &'static str),
    /// It omits a request with the second text, as if it had succeeded.
    Omits(&'static str, &'static str),
    /// It sends the third text instead of the second one.
    Sends(&'static str, &'static str, &'static str),
    /// It fails without the second text in the response.
    Needs(&'static str, &'static str),
    /// It does not read this header of GitLab's responses.
    Ignores(&'static str),
    /// Its next answer to CloudFormation shows this member of the response unmasked.
    Shows(&'static str, &'static str),
    /// It sends each request twice.
    Repeats(&'static str),
    /// It does not wait longer than that for any response.
    GivesUpAfter(Duration),
    /// Each invocation stops to poll that long after its first call.
    PollsFor(&'static str, Duration),
}

/// A careless product, the setting that shows it, and the story in which a check notices it there.
struct Careless {
    /// The settings of both worlds.
    beside: &'static str,
    setting: &'static str,
    lack: Lack,
    story: &'static str,
    says: &'static str,
}

/// Plays those whose stories have this `prefix`.
///
/// # Panics
/// If one is not shown, or if a setting has none.
pub fn assert_each_shown(prefix: &str, play: impl Fn(&str, &Mixture)) {
    for setting in SETTINGS {
        // A mutant of its own reads English only.
        let has_product = CARELESS.iter().any(|careless| careless.setting == setting.name);
        assert!(has_product || setting.group == "language", "{setting:?}");
    }
    for careless in CARELESS.iter().filter(|careless| careless.story.starts_with(prefix)) {
        careless.assert_shown(&play);
    }
}

impl Careless {
    /// Plays the story without the setting and with it.
    ///
    /// # Panics
    /// If the product is noticed without it, or not with it.
    fn assert_shown(&self, play: impl Fn(&str, &Mixture)) {
        let Careless {
            beside,
            setting,
            lack,
            story,
            says,
        } = self;
        let without = lack.notice(|| play(story, &Mixture::called(beside)));
        assert_eq!(without, None, "{lack:?} is noticed without {setting}");
        let with = Mixture::called(&format!("{beside},{setting}"));
        let Some(text) = lack.notice(|| play(story, &with)) else {
            panic!("{lack:?} went unnoticed with {setting}");
        };
        let is_reason = text.contains(says);
        assert!(is_reason, "{lack:?} was noticed for another reason: {text}");
        fake_aws::figure!("careless with {setting}: noticed");
    }
}

/// The earlier calls of a careless product.
#[derive(Default)]
struct Memory {
    responses: Firsts,
    first_calls: Mutex<BTreeMap<String, Instant>>,
    shown: Mutex<Value>,
}

impl Memory {
    /// The time since the caller's first call.
    fn since(&self, caller: &str) -> Duration {
        let mut calls = self.first_calls.lock().expect("no panic under this lock");
        let first = calls.entry(caller.to_owned());
        first.or_insert_with(Instant::now).elapsed()
    }

    /// Remembers a member of the response, if it has it.
    fn note(&self, response: HttpResponse, member: &str) -> HttpResponse {
        replace_json(response, |json| {
            if json[member].is_string() {
                *self.shown.lock().expect("no panic under this lock") = json[member].clone();
            }
        })
    }

    /// Adds the text that it remembers to the reason of an answer.
    fn show(&self, request: &mut HttpRequest) {
        let shown = self.shown.lock().expect("no panic under this lock");
        if shown.is_string() {
            let text = shown.to_string().replacen('"', r#""Reason":""#, 1);
            replace_in_body(request, r#""Reason":""#, text.trim_end_matches('"'));
        }
    }
}

impl Lack {
    /// The report of a check that notices the product while it plays. `None` if none does.
    fn notice(self, play: impl FnOnce()) -> Option<String> {
        let memory = Arc::new(Memory::default());
        let pass =
            move |_: FakeAws, honest, request| self.pass(Arc::clone(&memory), honest, request);
        notice(pass, play)
    }

    async fn pass(self, memory: Arc<Memory>, honest: Caller, mut request: HttpRequest) -> Response {
        let operation = operation_of(&request);
        let is = |name: &str| name == operation;
        match self {
            Lack::Believes(name, text) if is(name) => {
                repeat_first(honest, request, &memory.responses, text).await
            }
            Lack::Omits(name, text) if is(name) && body_of(&request).contains(text) => {
                Ok(invented(200, "{}"))
            }
            Lack::Sends(name, text, other) if is(name) => {
                replace_in_body(&mut request, text, other);
                honest.call(request).await
            }
            Lack::Shows(..) if is("PutResponse") => {
                memory.show(&mut request);
                honest.call(request).await
            }
            Lack::ReadsOnePage(name) if is(name) && is_later_page(&request) => {
                Ok(invented(200, "[]"))
            }
            Lack::Repeats(name) if is(name) => {
                let again = request.try_clone().expect("a request in memory");
                let response = honest.call(request).await?;
                send_twice(&honest, &again).await?;
                Ok(response)
            }
            Lack::GivesUpAfter(time) => {
                let called = tokio::time::timeout(time, honest.call(request)).await;
                called.unwrap_or_else(|_| Err(late()))
            }
            Lack::PollsFor(name, time) if is(name) && memory.since(honest.name()) > time => {
                Err(late())
            }
            _ => Ok(self.read(&memory, &operation, honest.call(request).await?)),
        }
    }

    /// The response as the product reads it.
    fn read(self, memory: &Memory, operation: &str, mut response: HttpResponse) -> HttpResponse {
        let is = |name: &str| name == operation;
        match self {
            Lack::Needs(name, text) if is(name) && !has_text(&response, text) => {
                invented(500, "{}")
            }
            Lack::Drops(name, text) if is(name) && has_text(&response, text) => invented(200, "[]"),
            Lack::Reads(name, text, other)
                if (is(name) || name == ANY) && has_text(&response, text) =>
            {
                replace_in_response(&response, text, other)
            }
            Lack::Ignores(header) if operation.starts_with("GitLab.") => {
                response.headers_mut().remove(header);
                response
            }
            Lack::Shows(name, member) if is(name) => memory.note(response, member),
            _ => response,
        }
    }
}

fn late() -> ConnectorError {
    ConnectorError::timeout("it is late".into())
}

fn is_later_page(request: &HttpRequest) -> bool {
    let (_, query) = request.uri().split_once('?').unwrap_or_default();
    let mut page = query.split('&').filter_map(|one| one.strip_prefix("page="));
    page.any(|page| page != "1")
}
