//! Every event gets its response: arbitrary JSON is passed to the library, and
//! every event with a response address gets one response, in the form that CloudFormation accepts.
//!
//! `EVENT_FUZZ_SEED` repeats a run, `EVENT_FUZZ_COUNT` makes it longer or shorter; a failure
//! names the seed of its event, which `EVENT_FUZZ_ONLY` runs alone.

#![allow(clippy::too_many_lines)] // Scenarios and tables are lists.

mod answers;
mod arbitrary;
mod recorded_events;
mod valid;
mod variants;
mod well_formed;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use answers::{Bucket, Put, judge};
use arbitrary::Source;
use cfn_custom_resource::Clock;
use cfn_gitops::handler::{Handler, HandlerError, Invocation};
use fake_aws::extent::cases;
use fake_aws::{FakeAws, Line, Options, clients};
use fastrand::Rng;
use serde_json::{Value, json};

const COUNT: u64 = 100_000;
const SEED: u64 = 20_261_120;

// claim: every-event-with-a-response-url-gets-one-response-and-none-panics
// claim: events-of-any-kind-get-a-result-and-none-panics
#[test]
fn every_event_with_a_response_url_gets_one_response() {
    collect_panics();
    let seed = setting("EVENT_FUZZ_SEED").unwrap_or(SEED);
    if let Some(only) = setting("EVENT_FUZZ_ONLY") {
        let figures = Figures::default();
        return Fuzzer::run(async |fuzzer| fuzzer.one(only, &figures).await);
    }
    let count = setting("EVENT_FUZZ_COUNT").unwrap_or_else(|| cases(COUNT, COUNT));
    let count = usize::try_from(count).unwrap();
    fake_aws::figure!("EVENT_FUZZ_SEED={seed}");
    let figures = Figures::default();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                Fuzzer::run(async |fuzzer| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            break;
                        }
                        let seed = seed.wrapping_mul(1_000_003).wrapping_add(number as u64);
                        fuzzer.one(seed, &figures).await;
                    }
                });
            });
        }
    });
    let figures = figures.0.into_inner().expect("no panic under this lock");
    fake_aws::figure!("{count} events: {figures:?}");
    // Of each result at least one in so many.
    for (result, one_in) in [
        ("answered", 2),
        ("SUCCESS", 50),
        ("handed over", 2000),
        ("first push", 500),
    ] {
        let found = figures.get(result).copied().unwrap_or_default();
        assert!(found * one_in > count, "too few: {result}");
    }
}

/// How often each result occurred, and the number of calls of AWS.
#[derive(Default)]
struct Figures(Mutex<BTreeMap<&'static str, usize>>);

impl Figures {
    fn add(&self, result: &'static str, times: usize) {
        let mut figures = self.0.lock().expect("no panic under this lock");
        *figures.entry(result).or_default() += times;
    }
}

/// One provider over one line, and the worlds that events meet.
struct Fuzzer {
    provider: Handler,
    line: Line,
    bucket: Bucket,
    clock: Clock,
    source: Source,
    /// Before any Create, after one of each kind, and after the branch's first push.
    worlds: [FakeAws; 3],
}

impl Fuzzer {
    fn run(work: impl AsyncFnOnce(&Fuzzer)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let fuzzer = Fuzzer::new().await;
            work(&fuzzer).await;
        });
    }

    async fn new() -> Self {
        let line = Line::new();
        let bucket = Bucket::before(line.connector());
        let before = recorded_events::fake(Options {
            // A stack in little virtual time, which is still real work.
            resource_takes: Duration::from_millis(500),
            ..Options::default()
        });
        before.repository("codecommit-dev-cfn-infra");
        let clock = Clock::starting_at(before.now());
        let config = clients::sdk_config(bucket.connector());
        let provider = Handler::new(&config, bucket.connector(), clock.clone());
        let source = Source {
            credentials: valid::credentials(&before),
            pipelines: valid::pipelines(&before),
        };
        let set_up = async |fake: &FakeAws, event: &Value| {
            line.connect(&fake.caller("set-up"));
            let invocation = invocation(clock.now() + Duration::from_mins(15));
            let answer = provider.handle(&event.to_string(), &invocation).await;
            bucket.take();
            answer.expect("an answer")
        };
        let after = before.fork();
        for create in [&source.credentials[0], &source.pipelines[0]] {
            assert_eq!(set_up(&after, create).await["Status"], "SUCCESS");
        }
        let pushed = after.fork();
        pushed.push("codecommit-dev-cfn-orders", "development", "commit");
        let started = set_up(&pushed, &valid::event(&pushed, "first-push")).await;
        assert_eq!(started["PipelineName"], "codepipeline-dev-cfn-orders");
        Fuzzer {
            provider,
            line,
            bucket,
            clock,
            source,
            worlds: [before, after, pushed],
        }
    }

    async fn one(&self, seed: u64, figures: &Figures) {
        let mut rng = Rng::with_seed(seed);
        let fake = rng.choice(&self.worlds).expect("three").fork();
        // Virtual time passes with every event that waits. Each event is signed again.
        let signed_then = self.source.credentials[0]["ResponseURL"].as_str();
        let signed_then = signed_at(signed_then.expect("one"));
        let url = fake.response_url("now");
        let event = self.source.event(&mut rng).replace(signed_then, signed_at(&url));
        let now = self.clock.now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.expect("after 1970").as_secs().to_string();
        let event = event.replace(&valid::RECEIVED.to_string(), &now);
        self.line.connect(&fake.caller("fuzz"));
        let now = self.clock.now();
        let remaining = *rng.choice(&[0, 1, 30, 900, 900, 900]).expect("a time");
        let deadline = now + Duration::from_secs(remaining);
        PANICS.take();
        let (answer, puts, hops) = self.answered(&fake, &event, deadline).await;
        let calls = fake.calls_of("fuzz");
        figures.add("calls of AWS", calls);
        let verdict = judge(&event, now, &answer, &puts, calls);
        let shown = || format!("EVENT_FUZZ_ONLY={seed}\n{event}\n{answer:?}\n{puts:?}");
        let told = PANICS.take();
        assert!(told.is_empty(), "{}\n{}", told.join("\n"), shown());
        for put in &puts {
            assert_eq!(fake.secret_in(&put.body), None, "a password\n{}", shown());
            let told = put.body.contains(valid::SENTINEL);
            assert!(!told, "a variable of the build\n{}", shown());
        }
        assert_eq!(fake.violations(), Vec::<String>::new(), "{}", shown());
        let result = verdict.unwrap_or_else(|broken| panic!("{broken}\n{}", shown()));
        figures.add(result, 1);
        if ["SUCCESS", "FAILED"].contains(&result) {
            figures.add("answered", 1);
        }
        if hops > 0 {
            figures.add("handed over", 1);
        }
    }

    /// Passes the event to the function, and then each continuation that it requests from Lambda:
    /// returns the last result, all PUTs, and the number of continuations.
    async fn answered(
        &self,
        fake: &FakeAws,
        event: &str,
        mut deadline: SystemTime,
    ) -> (Result<Value, HandlerError>, Vec<Put>, usize) {
        let mut text = event.to_owned();
        let mut hops = 0;
        loop {
            let answer = self.provider.handle(&text, &invocation(deadline)).await;
            let Some(asked) = fake.invocations().get(hops).cloned() else {
                return (answer, self.bucket.take(), hops);
            };
            hops += 1;
            let hop = &asked.payload["Continuation"]["Hop"];
            let says = json!({"Continuation": {"Hop": hop}});
            assert_eq!(answer.as_ref().ok(), Some(&says), "{text}");
            text = asked.payload.to_string();
            deadline = self.clock.now() + Duration::from_mins(15);
        }
    }
}

/// `X-Amz-Date=` and the text after it.
fn signed_at(url: &str) -> &str {
    let mut parts = url.split('&');
    parts
        .find(|part| part.starts_with("X-Amz-Date="))
        .expect("an address that is signed")
}

fn invocation(deadline: SystemTime) -> Invocation {
    Invocation {
        function_arn: "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev".to_owned(),
        request_id: "invocation".to_owned(),
        deadline,
    }
}

thread_local! {
    /// The panics of the event that this thread works on, be they caught by the product's guard or
    /// not. Each event's tasks run in one thread.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(vec![]) };
}

fn collect_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()));
        before(panic);
    }));
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is a number")))
}
