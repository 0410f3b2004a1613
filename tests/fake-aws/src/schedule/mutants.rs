//! Mutants: the real product behind a wire that changes its calls. The checks of a
//! test have to detect each of them.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;

use crate::{failures, handle::FakeAws, request::Call, wire::Caller};

pub use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};

/// The response to a request.
pub type Response = Result<HttpResponse, ConnectorError>;

/// One way to misbehave.
pub trait Mutant: Copy + fmt::Debug + Send + Sync + 'static {
    /// Sends `request`, changed by the mutant. `honest` sends a request unchanged.
    fn pass(
        self,
        fake: FakeAws,
        honest: Caller,
        request: HttpRequest,
    ) -> impl Future<Output = Response> + Send;
}

type Pass = Arc<dyn Fn(FakeAws, Caller, HttpRequest) -> HttpConnectorFuture + Send + Sync>;

thread_local! {
    static AT_WORK: RefCell<Option<Pass>> = const { RefCell::new(None) };
}

/// The product's connector: unchanged, or changed by the active mutant.
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

/// Runs the scenario with `mutant`, asserts that a check reports `says`, and prints that report.
pub fn assert_noticed(mutant: impl Mutant, says: &str, play: impl FnOnce()) {
    let pass = move |fake, honest, request| mutant.pass(fake, honest, request);
    let Err(panic) = past(pass, play) else {
        panic!("{mutant:?} went unnoticed");
    };
    let text = failures::message(&*panic);
    assert!(
        text.contains(says),
        "{mutant:?} was noticed for another reason: {text}"
    );
    let first = text.lines().next().unwrap_or_default();
    let first: String = first.chars().take(160).collect();
    crate::figure!("mutant {mutant:?}: noticed: {first}");
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

/// Sends `request` once more than its sender does.
pub async fn send_twice(honest: &Caller, request: &HttpRequest) -> Result<(), ConnectorError> {
    let again = request.try_clone().expect("a request in memory");
    honest.call(again).await.map(drop)
}
