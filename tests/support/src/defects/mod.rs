//! Products with one defect each, which a check has to notice: the function, whose calls are changed
//! on their way to AWS and GitLab.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_aws::interceptor::{
    ConnectorError, Firsts, HttpConnector, HttpRequest, HttpResponse, Response, body_of, has_text,
    invented, notice, operation_of, repeat_first, replace_in_body, replace_in_response,
    replace_json,
};
use fake_aws::{Caller, FakeAws};
use serde_json::Value;
use tokio::time::Instant;

use crate::runner::{Account, play_called};
use crate::worlds::{Mixture, SETTINGS};
use products::PRODUCTS;

pub use products::delete_foreign;

mod products;

/// In place of an operation: all of them.
pub const ANY: &str = "";

/// A mistake of the product. The first text is the operation.
#[derive(Clone, Copy, Debug)]
pub enum Defect {
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
    /// It omits the request, and takes this for the status and the text of the response.
    Invents(&'static str, u16, &'static str),
    /// It sends the third text instead of the second one.
    Sends(&'static str, &'static str, &'static str),
    /// It fails without the second text in the response.
    Needs(&'static str, &'static str),
    /// It does not read this header of GitLab's responses.
    Ignores(&'static str),
    /// Its next answer to CloudFormation shows this member of the response unmasked.
    Shows(&'static str, &'static str),
    /// It sends each request twice, and omits those of the second operation, which undo it.
    Repeats(&'static str, &'static str),
    /// It sends each request to the first host to the second one, too.
    Copies(&'static str, &'static str),
    /// It does not wait longer than that for any response.
    GivesUpAfter(Duration),
    /// Each invocation stops to poll that long after its first call.
    PollsFor(&'static str, Duration),
    /// Before the request, it changes the account or the request. The text is the invocation.
    Changes(&'static str, fn(&FakeAws, &str, &mut HttpRequest)),
}

/// How the names of stories begin that have products.
const KINDS: [&str; 4] = ["mirrors_", "pipeline_", "report_", "review_"];

/// A product with one defect, and the story in which a check notices it.
struct Product {
    defect: Defect,
    story: &'static str,
    /// A part of the check's report.
    says: &'static str,
    /// The setting without which no check notices it. Empty if it has none.
    setting: &'static str,
    /// The settings of both worlds.
    beside: &'static str,
}

/// Plays those whose stories are of this kind.
///
/// # Panics
/// If one is not noticed, if a setting has none, or if no kind has the story of one.
pub fn assert_each_noticed<A: Account>() {
    assert!(KINDS.contains(&A::PREFIX), "not a kind: {}", A::PREFIX);
    for Product { story, .. } in PRODUCTS {
        assert!(KINDS.iter().any(|kind| story.starts_with(kind)), "{story}");
    }
    for setting in SETTINGS {
        assert!(
            PRODUCTS.iter().any(|one| one.setting == setting.name),
            "{setting:?}"
        );
    }
    let of_these = PRODUCTS.iter().filter(|one| one.story.starts_with(A::PREFIX));
    let lost: Vec<String> = of_these.filter_map(|one| one.check(play_called::<A>).err()).collect();
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

impl Product {
    /// No check notices it without this setting.
    const fn only_with(self, setting: &'static str) -> Self {
        Product { setting, ..self }
    }

    /// In the world with the setting and in the one without it.
    const fn beside(self, beside: &'static str) -> Self {
        Product { beside, ..self }
    }

    /// An error unless a check notices the product as its row states.
    fn check(&self, play: impl Fn(&str, &Mixture)) -> Result<(), String> {
        let Product {
            defect,
            story,
            says,
            setting,
            beside,
        } = self;
        let notice = |mixture: &Mixture| defect.notice(|| play(story, mixture));
        if !setting.is_empty()
            && let Some(text) = notice(&Mixture::called(beside))
        {
            return Err(format!("{story}: noticed without {setting}: {text}"));
        }
        let mixture = Mixture::called(&format!("{beside},{setting}"));
        let name = format!("{story} {mixture}");
        defect.check_says(name.trim_end(), says, notice(&mixture))
    }
}

/// The earlier calls of a product.
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

impl Defect {
    /// In the kind world. The report of the check that notices it contains `says`.
    const fn in_story(self, story: &'static str, says: &'static str) -> Product {
        Product {
            defect: self,
            story,
            says,
            setting: "",
            beside: "",
        }
    }

    /// Plays, and fails unless a check notices the defect. Its report has to contain `says`.
    ///
    /// # Panics
    /// If it does not.
    pub fn assert_noticed(self, name: &str, says: &str, play: impl FnOnce()) {
        let checked = self.check_says(name, says, self.notice(play));
        checked.unwrap_or_else(|text| panic!("{text}"));
    }

    /// `make defects` lists what this prints.
    fn check_says(self, name: &str, says: &str, noticed: Option<String>) -> Result<(), String> {
        match noticed {
            None => Err(format!("{name}: {says}: not noticed")),
            Some(text) if !text.contains(says) => {
                Err(format!("{name}: {says}: for another reason: {text}"))
            }
            Some(text) => {
                fake_aws::figure!("defect in {name}, `{says}`, {self:?}: {text:.160}");
                Ok(())
            }
        }
    }

    /// The report of a check that notices the product while it plays. `None` if none does.
    pub fn notice(self, play: impl FnOnce()) -> Option<String> {
        let memory = Arc::new(Memory::default());
        let pass =
            move |fake, honest, request| self.pass(Arc::clone(&memory), fake, honest, request);
        notice(pass, play)
    }

    async fn pass(
        self,
        memory: Arc<Memory>,
        fake: FakeAws,
        honest: Caller,
        mut request: HttpRequest,
    ) -> Response {
        let operation = operation_of(&request);
        let is = |name: &str| is(name, &operation);
        match self {
            Defect::Sends(name, text, other) if is(name) => {
                replace_in_body(&mut request, text, other);
            }
            Defect::Shows(..) if is("PutResponse") => memory.show(&mut request),
            Defect::Changes(name, change) if is(name) => {
                change(&fake, honest.name(), &mut request);
            }
            _ => {}
        }
        let again = self.again(&operation, &request);
        let response = match self {
            Defect::Believes(name, text) if is(name) => {
                repeat_first(&honest, request, &memory.responses, text).await
            }
            Defect::Omits(name, text) if is(name) && body_of(&request).contains(text) => {
                Ok(invented(200, "{}"))
            }
            Defect::Invents(name, status, text) if is(name) => Ok(invented(status, text)),
            Defect::Repeats(_, undo) if undo == operation => Ok(invented(204, "")),
            Defect::ReadsOnePage(name) if is(name) && is_later_page(&request) => {
                Ok(invented(200, "[]"))
            }
            Defect::GivesUpAfter(time) => {
                let called = tokio::time::timeout(time, honest.call(request)).await;
                called.unwrap_or_else(|_| Err(late()))
            }
            Defect::PollsFor(name, time) if is(name) && memory.since(honest.name()) > time => {
                Err(late())
            }
            _ => Ok(self.read(&memory, &operation, honest.call(request).await?)),
        };
        if let Some(again) = again {
            honest.call(again).await?;
        }
        response
    }

    /// The second request after this one. `None` if the defect sends one only.
    fn again(self, operation: &str, request: &HttpRequest) -> Option<HttpRequest> {
        let mut again = request.try_clone()?;
        match self {
            Defect::Repeats(name, _) if name == operation => {}
            Defect::Copies(host, other) if request.uri().contains(host) => {
                again.set_uri(request.uri().replace(host, other)).expect("an address");
            }
            _ => return None,
        }
        Some(again)
    }

    /// The response as the product reads it.
    fn read(self, memory: &Memory, operation: &str, mut response: HttpResponse) -> HttpResponse {
        let is = |name: &str| is(name, operation);
        match self {
            Defect::Needs(name, text) if is(name) && !has_text(&response, text) => {
                invented(500, "{}")
            }
            Defect::Drops(name, text) if is(name) && has_text(&response, text) => {
                invented(200, "[]")
            }
            Defect::Reads(name, text, other) if is(name) && has_text(&response, text) => {
                replace_in_response(&response, text, other)
            }
            Defect::Ignores(header) if operation.starts_with("GitLab.") => {
                response.headers_mut().remove(header);
                response
            }
            Defect::Shows(name, member) if is(name) => memory.note(response, member),
            _ => response,
        }
    }
}

/// Whether a defect with this name of an operation changes the calls of this one.
fn is(name: &str, operation: &str) -> bool {
    name == ANY || name == operation
}

fn late() -> ConnectorError {
    ConnectorError::timeout("it is late".into())
}

fn is_later_page(request: &HttpRequest) -> bool {
    let (_, query) = request.uri().split_once('?').unwrap_or_default();
    let mut page = query.split('&').filter_map(|one| one.strip_prefix("page="));
    page.any(|page| page != "1")
}
