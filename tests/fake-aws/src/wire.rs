//! The way of one call: through the gate, past the faults, to the service, into
//! the journal. And who calls.

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use std::{
    fmt,
    future::{Future, pending},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Notify;

use crate::{
    failures,
    handle::{FakeAws, fate::Fate},
    request::Call,
};

/// One running copy of the product: its name in journals and schedules, and
/// whether it still runs. A redelivery is a new caller, as Lambda's would be.
#[derive(Clone)]
pub struct Caller {
    fake: FakeAws,
    name: Arc<str>,
    life: Arc<CallerState>,
}

#[derive(Default)]
struct CallerState {
    over: AtomicBool,
    ended: Notify,
}

/// The result of a caller's work.
#[derive(Debug, PartialEq, Eq)]
pub enum Run<T> {
    Finished(T),
    /// A fault ended it, as the end of its sandbox would.
    Killed,
}

impl<T> Run<T> {
    pub fn finished(self) -> Option<T> {
        match self {
            Self::Finished(result) => Some(result),
            Self::Killed => None,
        }
    }
}

impl FakeAws {
    /// A running copy of the product.
    pub fn caller(&self, name: &str) -> Caller {
        failures::note(self);
        Caller::new(self, name)
    }

    pub fn connector(&self, name: &str) -> SharedHttpConnector {
        self.caller(name).connector()
    }
}

impl Caller {
    pub fn new(fake: &FakeAws, name: &str) -> Self {
        Self {
            fake: fake.clone(),
            name: name.into(),
            life: Arc::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The product's connector.
    pub fn connector(&self) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }

    /// Runs work until it finishes or a fault kills it. Killed work is dropped
    /// at its present await.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Run<T> {
        tokio::select! {
            biased;
            () = self.killed() => Run::Killed,
            // On the heap: an SDK call's future is large.
            result = Box::pin(work) => Run::Finished(result),
        }
    }

    /// Waits for a fault that kills this caller.
    pub async fn killed(&self) {
        while self.is_alive() {
            self.life.ended.notified().await;
        }
    }

    fn is_alive(&self) -> bool {
        !self.life.over.load(Ordering::SeqCst)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        // Work that a dead caller has spawned must not outlive it.
        if !self.is_alive() {
            return pending().await;
        }
        let call = Call::decode(&request).map_err(|reason| {
            self.fake.complain(&reason);
            ConnectorError::other(reason.into(), None)
        })?;
        let index = self.fake.number(&self.name, &call);
        if let Some(time) = self.fake.take_hold(&self.name) {
            tokio::time::sleep(time).await;
        }
        if let Some(gate) = self.fake.gate() {
            gate.pass(&self.name, index, &call).await;
        }
        if !self.is_alive() {
            return pending().await;
        }
        let fate = self.fake.meet(&self.name, index, &call);
        if let Some(latency) = self.fake.latency() {
            tokio::time::sleep(latency).await;
        }
        match fate {
            Fate::Answered(answer) => Ok(answer.into_http()),
            Fate::Broken => Err(ConnectorError::io("connection reset by peer".into())),
            Fate::Silent => pending().await,
            Fate::Fatal => {
                self.life.over.store(true, Ordering::SeqCst);
                self.life.ended.notify_waiters();
                self.life.ended.notify_one();
                pending().await
            }
        }
    }
}

impl HttpConnector for Caller {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let caller = self.clone();
        HttpConnectorFuture::new(async move { caller.send(request).await })
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Caller({})", self.name)
    }
}

/// A connector whose target can be changed. The creation of SDK clients takes most of
/// the time in a run of many worlds. So they are created once, over a line, and each run
/// connects the line to its own caller. Two copies at once need two lines.
#[derive(Clone, Debug, Default)]
pub struct Line {
    end: Arc<Mutex<Option<Caller>>>,
}

impl Line {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn connector(&self) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }

    pub fn connect(&self, caller: &Caller) {
        *self.end.lock().expect("no panic under this lock") = Some(caller.clone());
    }
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let end = self.end.lock().expect("no panic under this lock").clone();
        match end {
            Some(caller) => caller.call(request),
            None => HttpConnectorFuture::ready(Err(ConnectorError::user(
                "this line is connected to no caller".into(),
            ))),
        }
    }
}
