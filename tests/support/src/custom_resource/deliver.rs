//! Lambda's deliveries of a request: retried if one is killed, continued if the function requests
//! it.

use std::time::Duration;

use cfn_custom_resource::Clock;
use cfn_gitops::gitops_pipeline::spec::FunctionApprovals;
use cfn_gitops::handler::{Handler, Invocation};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{
    custom_resource::{FUNCTION, LAMBDA_MAX_LIFETIME, StackRequest},
    reason_codes,
};
use fake_aws::{FakeAws, Schedule, clients::sdk_config};

/// The delay between the request for a continuation and its start.
const BEGINS_AFTER: Duration = Duration::from_secs(1);

/// One delivery: its name, its number of attempts, and its event.
struct Delivering {
    name: String,
    attempt: u32,
    event: Value,
    after: Duration,
}

struct Delivered {
    was: Delivering,
    /// Whether Lambda took it as done; None when it was killed.
    finished: Option<bool>,
}

impl Delivering {
    fn begin(self, fake: &FakeAws, request: &StackRequest, running: &mut JoinSet<Delivered>) {
        let (fake, request) = (fake.clone(), request.clone());
        running.spawn(Box::pin(async move {
            tokio::time::sleep(self.after).await;
            let name = format!("{}.{}", self.name, self.attempt);
            let one = StackRequest {
                event: self.event.clone(),
                ..request
            };
            Delivered {
                finished: deliver_once(&fake, &name, &one).await,
                was: self,
            }
        }));
    }
}

/// Delivers an event until Lambda has nothing more to do for it: each delivery
/// up to three times, each continuation as a delivery of its own, side by side.
pub async fn deliver_all(fake: &FakeAws, request: &StackRequest, mut twice: bool) {
    let mut running = JoinSet::new();
    let first = Delivering {
        name: request.name.clone(),
        attempt: 1,
        event: request.event.clone(),
        after: Duration::ZERO,
    };
    first.begin(fake, request, &mut running);
    while let Some(delivered) = running.join_next().await {
        let Delivered { was, finished } = delivered.unwrap_or_else(|failure| {
            std::panic::resume_unwind(failure.into_panic());
        });
        let caller = format!("{}.{}", was.name, was.attempt);
        let mut invocations = fake.invocations();
        invocations.retain(|one| one.caller == caller);
        for (index, invoked) in invocations.iter().enumerate() {
            let number = match index {
                0 => String::new(),
                index => index.to_string(),
            };
            let continued = Delivering {
                name: format!("{caller}+{number}"),
                attempt: 1,
                event: invoked.payload.clone(),
                after: BEGINS_AFTER,
            };
            continued.begin(fake, request, &mut running);
        }
        let after = match finished {
            Some(true) if twice => {
                twice = false;
                Duration::ZERO
            }
            Some(true) => continue,
            // An error or the end of the process: Lambda waits and tries again.
            Some(false) | None => Duration::from_mins(was.attempt.into()),
        };
        if was.attempt < 3 {
            let again = Delivering {
                attempt: was.attempt + 1,
                after,
                ..was
            };
            again.begin(fake, request, &mut running);
        }
    }
}

/// The same beside the test, which awaits its end.
pub fn deliver_beside(fake: &FakeAws, request: &StackRequest) -> impl Future<Output = ()> + use<> {
    let (fake, request) = (fake.clone(), request.clone());
    let running = tokio::spawn(Box::pin(async move {
        deliver_all(&fake, &request, false).await;
    }));
    async { running.await.expect("no panic in a delivery") }
}

/// One delivery, whose calls have this name: whether Lambda took it as done; `None` when it was
/// killed.
pub async fn deliver_once(fake: &FakeAws, name: &str, request: &StackRequest) -> Option<bool> {
    answered_once(fake, name, request).await.map(|answer| answer.is_ok())
}

/// Delivers two requests at once, under their names, in the order of `schedule`.
pub async fn deliver_both(
    fake: &FakeAws,
    schedule: &Schedule,
    (one, first): (&str, &StackRequest),
    (other, second): (&str, &StackRequest),
) {
    fake.obey(schedule);
    let deliveries = schedule.both(
        deliver_once(fake, one, first),
        deliver_once(fake, other, second),
    );
    deliveries.await;
}

/// The answer of the function that only reads.
pub async fn asked(fake: &FakeAws, name: &str, question: &Value) -> Value {
    let caller = fake.caller(&format!("reader {name}"));
    let wire = caller.connector();
    let clock = Clock::starting_at(fake.now());
    let reader = Handler::new(&sdk_config(wire.clone()), wire, clock).reading(Value::Null);
    let invocation = Invocation {
        request_id: name.to_owned(),
        deadline: fake.now() + LAMBDA_MAX_LIFETIME,
        function_arn: format!("{FUNCTION}-read"),
    };
    let answer = reader.handle(&question.to_string(), &invocation).await;
    let answer = answer.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        fake.secret_in(&answer.to_string()),
        None,
        "a secret in an answer"
    );
    answer
}

/// Like [`deliver_once`], with the function's result.
pub async fn answered_once(
    fake: &FakeAws,
    name: &str,
    request: &StackRequest,
) -> Option<Result<Value, String>> {
    let caller = fake.caller(name);
    let clock = Clock::starting_at(fake.now());
    let wire = (request.wire)(fake, &caller);
    let config = sdk_config(wire.clone());
    let provider = Handler::new(&config, wire, clock).allowing(FunctionApprovals::NoChanges);
    let invocation = Invocation {
        request_id: request.name.clone(),
        deadline: fake.now() + request.lifetime,
        function_arn: FUNCTION.to_owned(),
    };
    let event = request.event.to_string();
    let work = caller.run(provider.handle(&event, &invocation));
    // Lambda ends a delivery that is still running.
    let run = tokio::time::timeout(request.lifetime, work).await.ok()?;
    run.finished().map(|answer| {
        let shown = format!("{answer:?}");
        assert_eq!(fake.secret_in(&shown), None, "a secret in Lambda's result");
        assert!(
            !shown.contains("X-Amz-Signature"),
            "the address in Lambda's result"
        );
        answer.map_err(|error| {
            let text = error.to_string();
            assert!(reason_codes::split(&text).is_some(), "{text}");
            text
        })
    })
}
