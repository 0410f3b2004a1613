//! Whatever event comes, nobody is left waiting: arbitrary JSON goes through the library, and
//! every event that says where to answer is answered, once, in the form that CloudFormation takes.
//!
//! `EVENTS_FUZZ_SEED` repeats a run, `EVENTS_FUZZ_COUNT` makes it longer or shorter; a failure
//! names the seed of its event, which `EVENTS_FUZZ_ONLY` runs alone.

/// Prints a figure of a run, also when the test passes: the harness captures `println!`.
macro_rules! figure {
    ($($text:tt)*) => {{
        use std::io::Write;
        let line = format!($($text)*);
        // Nobody reads it where standard output is closed.
        let _ = writeln!(std::io::stdout(), "{line}");
    }};
}

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod arbitrary;
mod recorded_events;
mod well_formed;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use answers::{Bucket, Verdict, judge};
use arbitrary::Source;
use cfn_gitops::cfn::Clock;
use cfn_gitops::provider::{Invocation, Provider};
use fastrand::Rng;
use serde_json::{Value, json};
use support::{Line, World, clients};

const COUNT: usize = 100_000;
const SEED: u64 = 20_261_120;

/// Every panic of this process, be it caught by the product's guard or not.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[test]
fn every_event_that_says_where_to_answer_is_answered_once_and_none_panics() {
    count_panics();
    let seed = setting("EVENTS_FUZZ_SEED").unwrap_or(SEED);
    if let Some(only) = setting("EVENTS_FUZZ_ONLY") {
        let figures = Figures::default();
        return Fuzzer::run(async |fuzzer| fuzzer.one(only, &figures).await);
    }
    let count = setting("EVENTS_FUZZ_COUNT").map_or(COUNT, |count| usize::try_from(count).unwrap());
    figure!("EVENTS_FUZZ_SEED={seed}");
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
    figures.print(count);
    assert!(
        figures.answered.load(Ordering::Relaxed) * 2 > count,
        "too few were requests"
    );
    assert!(
        figures.succeeded.load(Ordering::Relaxed) * 50 > count,
        "too few were valid"
    );
}

/// What became of the events.
#[derive(Default)]
struct Figures {
    answered: AtomicUsize,
    succeeded: AtomicUsize,
    not_requests: AtomicUsize,
    no_address: AtomicUsize,
    expired: AtomicUsize,
    calls: AtomicUsize,
}

impl Figures {
    fn print(&self, count: usize) {
        let of = |figure: &AtomicUsize| figure.load(Ordering::Relaxed);
        figure!(
            "{count} events: {} answered ({} SUCCESS, {} FAILED), {} not requests, {} with an \
             address that is none, {} with one that had expired; {} calls of AWS",
            of(&self.answered),
            of(&self.succeeded),
            of(&self.answered) - of(&self.succeeded),
            of(&self.not_requests),
            of(&self.no_address),
            of(&self.expired),
            of(&self.calls),
        );
    }
}

/// One provider over one line, and the worlds that events meet.
struct Fuzzer {
    provider: Provider,
    line: Line,
    bucket: Bucket,
    clock: Clock,
    source: Source,
    /// Before any Create, and after one.
    worlds: [World; 2],
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
        let before = World::new();
        before.user("mirror");
        before.repository("infra");
        let clock = Clock::starting_at(before.now());
        let config = clients::sdk_config(bucket.connector());
        let provider = Provider::new(&config, bucket.connector(), clock.clone());
        let valid = valid_requests(&before);
        let after = before.fork();
        line.connect(&after.caller("set-up"));
        let invocation = invocation(clock.now() + Duration::from_mins(15));
        let created = provider.answer(&valid[0].to_string(), &invocation).await;
        assert_eq!(created.expect("an answer")["Status"], "SUCCESS");
        bucket.take();
        Fuzzer {
            provider,
            line,
            bucket,
            clock,
            source: Source { valid },
            worlds: [before, after],
        }
    }

    async fn one(&self, seed: u64, figures: &Figures) {
        let mut rng = Rng::with_seed(seed);
        let world = rng.choice(&self.worlds).expect("two").fork();
        // Virtual time passes with every event that waits for something; each is signed anew.
        let signed_then = signed_at(self.source.valid[0]["ResponseURL"].as_str().expect("one"));
        let url = world.response_url("now");
        let event = self.source.event(&mut rng);
        let event = event.replace(signed_then, signed_at(&url));
        self.line.connect(&world.caller("fuzz"));
        let now = self.clock.now();
        let remaining = *rng.choice(&[0, 1, 30, 900, 900, 900]).expect("a time");
        let deadline = now + Duration::from_secs(remaining);
        CURRENT.set(seed);
        let answer = self.provider.answer(&event, &invocation(deadline)).await;
        let puts = self.bucket.take();
        figures
            .calls
            .fetch_add(world.calls_of("fuzz"), Ordering::Relaxed);
        let verdict = judge(&event, now, &answer, &puts);
        let shown = || format!("EVENTS_FUZZ_ONLY={seed}\n{event}\n{answer:?}\n{puts:?}");
        let told = panics_of(seed);
        assert!(told.is_empty(), "{}\n{}", told.join("\n"), shown());
        for put in &puts {
            assert_eq!(world.secret_in(&put.body), None, "a password\n{}", shown());
        }
        assert_eq!(world.violations(), Vec::<String>::new(), "{}", shown());
        let figure = match verdict {
            Ok(Verdict::Succeeded) => {
                figures.succeeded.fetch_add(1, Ordering::Relaxed);
                &figures.answered
            }
            Ok(Verdict::Failed) => &figures.answered,
            Ok(Verdict::NotARequest) => &figures.not_requests,
            Ok(Verdict::NoAddress) => &figures.no_address,
            Ok(Verdict::Expired) => &figures.expired,
            Err(broken) => panic!("{broken}\n{}", shown()),
        };
        figure.fetch_add(1, Ordering::Relaxed);
    }
}

/// Create first; then what else a stack sends.
fn valid_requests(world: &World) -> Vec<Value> {
    let request = |kind: &str, properties: &Value| {
        json!({
            "RequestType": kind,
            "ResponseURL": world.response_url(kind),
            "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/1",
            "RequestId": format!("request-{kind}"),
            "LogicalResourceId": "Credential",
            "ResourceType": "Custom::MirrorCredential",
            "ResourceProperties": properties,
        })
    };
    let plain = json!({"ServiceToken": "arn", "UserName": "mirror"});
    let whole = json!({
        "ServiceToken": "arn", "ServiceTimeout": "600", "UserName": "mirror",
        "KmsKeyId": "alias/mirror", "RepositoryNames": ["infra"],
        "ForeignCredentials": "Refuse", "RotationSerial": "1", "UrlSafePassword": "true",
        "Tags": [{"Key": "Team", "Value": "基盤"}, {"Key": "Stage", "Value": ""}],
    });
    let elsewhere =
        json!({"ServiceToken": "arn", "UserName": "mirror", "SecretName": "codecommit-mirror/x"});
    let with = |mut request: Value, name: &str, value: Value| {
        request[name] = value;
        request
    };
    let id = || json!("codecommit-mirror/mirror");
    let update = |properties: &Value| {
        let request = with(request("Update", properties), "PhysicalResourceId", id());
        with(request, "OldResourceProperties", plain.clone())
    };
    let other_type = json!("Custom::GitOpsPipeline");
    vec![
        request("Create", &plain),
        request("Create", &whole),
        update(&plain),
        update(&whole),
        update(&elsewhere),
        with(request("Delete", &plain), "PhysicalResourceId", id()),
        with(
            request("Delete", &whole),
            "PhysicalResourceId",
            json!("invented-by-CloudFormation"),
        ),
        with(request("Create", &plain), "ResourceType", other_type),
        request("Dance", &plain),
    ]
}

/// `X-Amz-Date=` and what follows it.
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
    /// The seed of the event that this thread works on.
    static CURRENT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Each event's tasks run in its own thread, so that the thread tells whose a panic is.
fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let seed = CURRENT.get();
        let mut panics = PANICS
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        panics.push(format!("{seed}: {panic}"));
        drop(panics);
        before(panic);
    }));
}

fn panics_of(seed: u64) -> Vec<String> {
    let panics = PANICS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let prefix = format!("{seed}: ");
    let own = panics.iter().filter(|panic| panic.starts_with(&prefix));
    own.cloned().collect()
}

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
    )
}
