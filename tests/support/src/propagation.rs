//! IAM propagates the permissions of the function late, or never: the checks that hold for every
//! custom resource.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::custom_resource::{ParentStack, RequestOutcome, StackRequest};
use serde_json::Value;

use fake_aws::{Denied, FakeAws, Fault, FaultKind, Options, explore::paused};

const MINUTE: Duration = Duration::from_secs(60);

/// An account that is ready for the request under test.
pub type Prepared = (FakeAws, ParentStack, StackRequest);

/// The requests of one custom resource, and their limits.
pub struct PermissionChecks {
    pub account: fn() -> (FakeAws, ParentStack),
    /// The properties before an Update.
    pub before: Value,
    pub wanted: Value,
    /// The time of a request in addition to the retries of denials.
    pub work: Duration,
}

impl PermissionChecks {
    /// An account in which the next request is a Create or an Update to these properties.
    pub async fn prepare(&self, request_type: &str, wanted: &Value) -> Prepared {
        let (fake, mut stack) = (self.account)();
        if request_type == "Create" {
            let request = stack.request("Create", None, wanted, None);
            return (fake, stack, request);
        }
        stack.create(&self.before).await.assert_success();
        tokio::time::sleep(Duration::from_mins(10)).await;
        let request = stack.request_update(wanted);
        (fake, stack, request)
    }

    /// Each action that a request calls, and `*`.
    fn actions(&self, request_type: &str) -> BTreeSet<String> {
        let journal = paused(async {
            let (fake, stack, request) = self.prepare(request_type, &self.wanted).await;
            let before = fake.journal().len();
            assert!(stack.deliver(&request).await.is_success());
            fake.journal().split_off(before)
        });
        let called = journal.iter().filter(|entry| entry.service.has_policies());
        let actions = called.map(|entry| format!("{}:{}", entry.service, entry.operation));
        actions.chain(["*".to_owned()]).collect()
    }

    /// Each request with each of its actions.
    fn each(&self, check: &impl AsyncFn(Prepared, &str)) -> usize {
        let mut schedules = 0;
        for request_type in ["Create", "Update"] {
            for action in self.actions(request_type) {
                paused(async {
                    check(self.prepare(request_type, &self.wanted).await, &action).await;
                });
                schedules += 1;
            }
        }
        schedules
    }

    /// A permission that arrives after 40 seconds delays the request. Returns the number of
    /// schedules.
    pub fn late_permission_delays(&self, check: &impl Fn(&FakeAws)) -> usize {
        self.each(&async |(fake, stack, request), action| {
            fake.withhold(action, Duration::from_secs(40));
            let answer = stack.deliver(&request).await;
            let transcript = fake.transcript();
            assert!(answer.is_success(), "{action}: {answer:?}\n{transcript}");
            check(&fake);
            fake.assert_unbroken();
        })
    }

    /// A missing permission fails the request after a minute of retries. `clean_up` deletes the
    /// resource and checks that nothing is left.
    pub fn missing_permission_fails(&self, clean_up: &impl AsyncFn(&FakeAws, ParentStack)) {
        self.each(&async |(fake, stack, request), action| {
            fake.deny(action, "");
            let (answer, took) = timed(&stack, &request).await;
            let reason = answer.reason();
            assert!(took < MINUTE + self.work, "{action}: {took:?}");
            if !answer.is_success() {
                assert!(reason.contains("AccessDenied"), "{action}: {reason}");
                assert!(took > MINUTE / 2, "{action}: {took:?}");
            }
            fake.allow();
            clean_up(&fake, stack).await;
            fake.assert_unbroken();
        });
    }

    /// An explicit denial, or one by a permissions boundary, is not retried.
    pub fn other_denial_fails_at_once(&self) {
        for why in [Denied::Explicitly, Denied::ByBoundary] {
            self.each(&async |(fake, stack, request), action| {
                fake.deny_because(action, "", why);
                let (answer, took) = timed(&stack, &request).await;
                assert!(took < self.work, "{action}: {took:?} {answer:?}");
                let transcript = fake.transcript();
                assert_eq!(retried_denials(&fake), 0, "{action}\n{transcript}");
            });
        }
    }
}

/// The requests of one custom resource that name new things, which AWS does not show yet.
pub struct ExistenceChecks {
    /// A new account, in which everything was created just before.
    pub account: fn(Options) -> (FakeAws, ParentStack),
    pub wanted: fn() -> Value,
    /// The calls that name these things.
    pub calls: &'static [&'static str],
}

impl ExistenceChecks {
    /// A Create succeeds once all things are shown. In a world that shows everything at once, it
    /// takes no longer and no more calls than their first look.
    pub fn create_waits_for_new_things(&self) {
        for seconds in [0, 1, 5, 12, 25] {
            paused(async {
                let new_things_late = Duration::from_secs(seconds);
                let options = Options {
                    new_things_late,
                    ..Options::default()
                };
                let (fake, mut stack) = (self.account)(options);
                let request = stack.request("Create", None, &(self.wanted)(), None);
                let (answer, took) = timed(&stack, &request).await;
                let transcript = fake.transcript();
                assert!(answer.is_success(), "{seconds} s: {answer:?}\n{transcript}");
                assert!(took > new_things_late, "{seconds} s: {took:?}");
                fake.assert_unbroken();
            });
        }
    }

    /// One call after another does not find a new thing yet, which is then found. Returns the
    /// number of schedules.
    pub fn create_waits_at_each_call(&self) -> usize {
        let create = |fault: Option<(&str, usize)>| {
            paused(async {
                let (fake, mut stack) = (self.account)(Options::default());
                let request = stack.request("Create", None, &(self.wanted)(), None);
                if let Some((caller, index)) = fault {
                    fake.inject(caller, Fault::at(index, FaultKind::NotFoundYet));
                }
                let answer = stack.deliver(&request).await;
                let transcript = fake.transcript();
                assert!(answer.is_success(), "{fault:?} {answer:?}\n{transcript}");
                assert_eq!(fake.faults_left(), 0, "struck nothing");
                fake.assert_unbroken();
                fake.journal()
            })
        };
        let journal = create(None);
        let names_a_thing = |call: &&fake_aws::Entry| {
            call.outcome == "ok" && self.calls.contains(&call.operation.as_str())
        };
        let calls: Vec<_> = journal.iter().filter(names_a_thing).collect();
        for call in &calls {
            create(Some((&call.caller, call.index)));
        }
        calls.len()
    }

    /// A thing that does not exist fails a Create, or the Update that names it, with `reason`, after
    /// the time of propagation and not at once.
    pub fn missing_fails_after_a_minute(&self, request_type: &str, wanted: &Value, reason: &str) {
        paused(async {
            let (_, mut stack) = (self.account)(Options::default());
            let request = if request_type == "Create" {
                stack.request("Create", None, wanted, None)
            } else {
                stack.create(&(self.wanted)()).await.assert_success();
                stack.request_update(wanted)
            };
            let (answer, took) = timed(&stack, &request).await;
            answer.assert_reason([reason]);
            let expected = Duration::from_secs(50)..Duration::from_secs(75);
            assert!(
                expected.contains(&took),
                "{request_type}: {took:?} {answer:?}"
            );
        });
    }
}

/// Delivers the request. Returns the outcome and the time that it took.
pub async fn timed(stack: &ParentStack, request: &StackRequest) -> (RequestOutcome, Duration) {
    let began = tokio::time::Instant::now();
    let answer = stack.deliver(request).await;
    (answer, began.elapsed())
}

/// The number of times that a caller repeated the call that had just been denied.
pub fn retried_denials(fake: &FakeAws) -> usize {
    let journal = fake.journal();
    let repeats = journal.windows(2).filter(|pair| {
        pair[0].outcome.starts_with("AccessDenied")
            && pair[0].caller == pair[1].caller
            && (&pair[0].operation, &pair[0].params) == (&pair[1].operation, &pair[1].params)
    });
    repeats.count()
}
