//! The product's calls, counted or changed on their way to AWS and GitLab.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

use crate::schedule::schedules::Schedules;
use crate::{failures, handle::FakeAws, request::Call, wire::Caller, world::call};

pub use aws_smithy_runtime_api::client::{
    http::HttpConnector,
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};

/// The response to a request.
pub type Response = Result<HttpResponse, ConnectorError>;

type Pass = Arc<dyn Fn(FakeAws, Caller, HttpRequest) -> HttpConnectorFuture + Send + Sync>;

thread_local! {
    static AT_WORK: RefCell<Option<Pass>> = const { RefCell::new(None) };
}

/// The product's connector. During [`past`], its `pass` sends the calls.
pub fn wire(fake: &FakeAws, caller: &Caller) -> SharedHttpConnector {
    match AT_WORK.with_borrow(Clone::clone) {
        None => caller.connector(),
        Some(pass) => SharedHttpConnector::new(Wire {
            pass,
            fake: fake.clone(),
            honest: caller.clone(),
        }),
    }
}

struct Wire {
    pass: Pass,
    fake: FakeAws,
    honest: Caller,
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        (self.pass)(self.fake.clone(), self.honest.clone(), request)
    }
}

/// Plays with `pass` between the product and AWS.
pub fn past<F: Future<Output = Response> + Send + 'static, R>(
    pass: impl Fn(FakeAws, Caller, HttpRequest) -> F + Send + Sync + 'static,
    play: impl FnOnce() -> R,
) -> std::thread::Result<R> {
    AT_WORK.set(Some(Arc::new(move |fake, honest, request| {
        HttpConnectorFuture::new(pass(fake, honest, request))
    })));
    let played = catch_unwind(AssertUnwindSafe(play));
    AT_WORK.set(None);
    played
}

/// Plays with `pass` between the product and AWS. Returns the report of a check, or `None` if none
/// noticed it.
pub fn notice<F: Future<Output = Response> + Send + 'static>(
    pass: impl Fn(FakeAws, Caller, HttpRequest) -> F + Send + Sync + 'static,
    play: impl FnOnce(),
) -> Option<String> {
    let played = past(pass, play).err();
    played.map(|panic| failures::message(&*panic))
}

/// The most often that an invocation may repeat a change which no read shows. It sends the creation
/// of a stack again with each poll until that has ended: CloudFormation executes one of them, because
/// all have the same request token, and then rejects the name. Every other change is repeated at
/// most twelve times.
const MOST_REPEATS: usize = 25;

/// Plays each of `plays` once for each operation that reads. The reads of this operation give an
/// invocation their first answer for ever: it cannot see the effect of any step that it executes.
/// Panics if it repeats a change without end. Returns the number of schedules.
pub fn assert_ends_with_frozen_reads<P: Fn()>(
    plays: impl IntoIterator<Item = (String, P)>,
) -> usize {
    let mut schedules = Schedules::one_in(4);
    for (name, play) in plays {
        for read in reads_of(&play) {
            schedules.run(format!("{name}: {read} shows no change"), || {
                let repeats = repeats_with(&read, &play).into_iter();
                let most = repeats.max_by_key(|(_, repeats)| *repeats);
                let is_short = most.as_ref().is_none_or(|(_, most)| *most <= MOST_REPEATS);
                assert!(is_short, "repeated without end: {most:?}");
            });
        }
    }
    schedules.report("with reads that show no change")
}

/// The operations of `play` that read.
fn reads_of(play: impl Fn()) -> BTreeSet<String> {
    let reads = Arc::new(Mutex::new(BTreeSet::new()));
    let listed = Arc::clone(&reads);
    let note = move |_, honest: Caller, request: HttpRequest| {
        if let Ok(call) = Call::decode(&request)
            && call::reads(call.service, &call.operation)
        {
            locked(&listed).insert(call.operation);
        }
        async move { honest.call(request).await }
    };
    past(note, play).unwrap_or_else(|panic| resume_unwind(panic));
    std::mem::take(&mut *locked(&reads))
}

/// How often each invocation of `play` called each operation that changes something, while the reads
/// of `frozen` show no change. A denied change may be repeated for a minute: it is not counted. A
/// failed assertion of the play does not count either.
fn repeats_with(frozen: &str, play: impl Fn()) -> BTreeMap<String, usize> {
    let changes = Arc::new(Mutex::new(BTreeMap::new()));
    let counted = Arc::clone(&changes);
    let (frozen, first) = (frozen.to_owned(), Arc::new(Firsts::default()));
    let pass = move |_, honest: Caller, request: HttpRequest| {
        let (counted, first) = (Arc::clone(&counted), Arc::clone(&first));
        let is_frozen = operation_of(&request) == frozen;
        async move {
            if is_frozen {
                return repeat_first(&honest, request, &first, "").await;
            }
            let call = Call::decode(&request);
            let name = honest.name().to_owned();
            let response = honest.call(request).await?;
            if let Ok(call) = call
                && !call::reads(call.service, &call.operation)
                && response.status().is_success()
            {
                let change = format!("{} of {name}", call.operation);
                *locked(&counted).entry(change).or_default() += 1;
            }
            Ok(response)
        }
    };
    drop(past(pass, play));
    std::mem::take(&mut *locked(&changes))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first responses, by the caller, the address and the body of the request.
pub type Firsts = Mutex<BTreeMap<(String, String, String), HttpResponse>>;

/// Sends `request`, or returns its first response with this text again.
///
/// # Errors
/// If the request was not answered.
pub async fn repeat_first(
    honest: &Caller,
    request: HttpRequest,
    first: &Firsts,
    text: &str,
) -> Response {
    let caller = honest.name().to_owned();
    let key = (caller, request.uri().to_owned(), body_of(&request));
    if let Some(known) = locked(first).get(&key) {
        return Ok(with_body(known, bytes_of(known)));
    }
    let response = honest.call(request).await?;
    if has_text(&response, text) {
        locked(first).insert(key, with_body(&response, bytes_of(&response)));
    }
    Ok(response)
}

/// A forged response.
pub fn invented(status: u16, body: &'static str) -> HttpResponse {
    let status = status.try_into().expect("a status");
    HttpResponse::new(status, SdkBody::from(body))
}

/// The operation that `request` calls. Empty if no service would accept it.
pub fn operation_of(request: &HttpRequest) -> String {
    Call::decode(request).map_or_else(|_| String::new(), |call| call.operation)
}

/// The text that `request` carries.
pub fn body_of(request: &HttpRequest) -> String {
    let bytes = request.body().bytes().unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// Another body for `request`, with the length that it has.
pub fn replace_body(request: &mut HttpRequest, body: String) {
    let length = body.len().to_string();
    request.headers_mut().insert("content-length", length);
    *request.body_mut() = SdkBody::from(body);
}

/// Replaces a part of the body of `request`.
pub fn replace_in_body(request: &mut HttpRequest, part: &str, by: &str) {
    let body = body_of(request).replace(part, by);
    replace_body(request, body);
}

/// The JSON that `response` carries, changed.
pub fn replace_json(response: HttpResponse, change: impl FnOnce(&mut Value)) -> HttpResponse {
    let Ok(mut json) = serde_json::from_slice(bytes_of(&response)) else {
        return response;
    };
    change(&mut json);
    with_body(&response, json.to_string())
}

/// Whether the body of `response` contains `text`.
pub fn has_text(response: &HttpResponse, text: &str) -> bool {
    String::from_utf8_lossy(bytes_of(response)).contains(text)
}

/// The response with `part` replaced.
pub fn replace_in_response(response: &HttpResponse, part: &str, by: &str) -> HttpResponse {
    let body = String::from_utf8_lossy(bytes_of(response));
    with_body(response, body.replace(part, by))
}

fn bytes_of(response: &HttpResponse) -> &[u8] {
    response.body().bytes().unwrap_or_default()
}

/// The response with another body.
fn with_body(response: &HttpResponse, body: impl Into<SdkBody>) -> HttpResponse {
    let mut changed = HttpResponse::new(response.status(), body.into());
    for (name, value) in response.headers() {
        if name != "content-length" {
            changed.headers_mut().append(name.to_owned(), value.to_owned());
        }
    }
    changed
}
