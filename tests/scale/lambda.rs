//! Lambda, as far as it lies between CloudFormation and the function: so many execution
//! environments, each with one event at a time, and a queue before them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use cfn_custom_resource::Clock;
use cfn_gitops::handler::{Handler, Invocation};
use serde_json::Value;
use tokio::sync::Semaphore;

use fake_aws::FakeAws;
use fake_aws::Line;
use fake_aws::clients::sdk_config;
use test_support::custom_resource::{FUNCTION, LAMBDA_MAX_LIFETIME};

/// How long the queue keeps an event (`MaximumEventAgeInSeconds` in `template.yaml`).
const KEPT: Duration = Duration::from_secs(3600);

/// "Lambda retries […] two more times, with a one-minute wait before the first retry, and two
/// minutes" (Lambda Developer Guide, asynchronous invocation).
const TRIES: u32 = 3;

/// The time of a call without any delay.
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// One function in one account and region.
#[derive(Clone)]
pub struct Lambda {
    fake: FakeAws,
    free: Arc<Semaphore>,
    /// Environments that have answered something and wait for more.
    warm: Arc<Mutex<Vec<Environment>>>,
}

/// One copy of the function, which remains between two events.
struct Environment {
    line: Line,
    provider: Handler,
}

impl Lambda {
    /// A function that runs so often at the same time.
    pub fn new(fake: &FakeAws, concurrency: usize) -> Self {
        Lambda {
            fake: fake.clone(),
            free: Arc::new(Semaphore::new(concurrency)),
            warm: Arc::default(),
        }
    }

    /// Runs the function for an event, and for each continuation, until there is
    /// none.
    pub async fn invoke(&self, name: &str, event: Value) {
        let mut next = Some((name.to_owned(), event));
        while let Some((name, event)) = next.take() {
            let queued = self.fake.now();
            for attempt in 1..=TRIES {
                let caller = format!("{name}.{attempt}");
                // First come, first served. The real queue is polled again after one second and
                // up to five minutes.
                let place = self.free.acquire().await.expect("never closed");
                if self.fake.now() > queued + KEPT {
                    return;
                }
                let is_done = self.run(&caller, &event).await;
                drop(place);
                if is_done {
                    let mut asked = self.fake.take_invocations_of(&caller).into_iter();
                    next = asked.next().map(|one| (format!("{caller}+"), one.payload));
                    break;
                }
                tokio::time::sleep(Duration::from_mins(attempt.into())).await;
            }
        }
    }

    /// One invocation: whether Lambda took it as done.
    async fn run(&self, name: &str, event: &Value) -> bool {
        let warm = self.warm().pop();
        let environment = warm.unwrap_or_else(|| self.start());
        environment.line.connect(&self.fake.caller(name));
        let invocation = Invocation {
            request_id: name.to_owned(),
            deadline: self.fake.now() + LAMBDA_MAX_LIFETIME,
            function_arn: FUNCTION.to_owned(),
        };
        let event = event.to_string();
        let work = environment.provider.handle(&event, &invocation);
        let Ok(answer) = tokio::time::timeout(LAMBDA_MAX_LIFETIME, work).await else {
            // Lambda ends the environment with it.
            return false;
        };
        self.warm().push(environment);
        answer.is_ok()
    }

    fn start(&self) -> Environment {
        let line = Line::new();
        let wire = SharedHttpConnector::new(Distant(line.connector()));
        let clock = Clock::starting_at(self.fake.now());
        Environment {
            provider: Handler::new(&sdk_config(wire.clone()), wire, clock),
            line,
        }
    }

    fn warm(&self) -> MutexGuard<'_, Vec<Environment>> {
        self.warm.lock().expect("no panic under this lock")
    }
}

/// The service behind it is a round trip away.
pub struct Distant(pub SharedHttpConnector);

impl HttpConnector for Distant {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let there = self.0.clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(ROUND_TRIP).await;
            there.call(request).await
        })
    }
}

impl fmt::Debug for Distant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Distant")
    }
}
