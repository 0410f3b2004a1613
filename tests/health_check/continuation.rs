//! A health check that takes more than one invocation: every part is done once, and no fault between
//! two parts loses something unnoticed.

use std::collections::BTreeMap;
use std::time::Duration;

use cfn_custom_resource::Clock;
use cfn_gitops::handler::{Handler, HandlerError, Invocation};
use cfn_gitops::health_check::{CheckProgress, Part};
use serde_json::{Value, json};

use crate::fixture::{Looked, USER, empty_world, look, look_at, look_part, mirrored, pipeline};
use fake_aws::clients::sdk_config;
use fake_aws::custom_resource::FUNCTION;
use fake_aws::explore::paused;
use fake_aws::{FakeAws, Fault, FaultKind, On, Schedules};

const STACKS: usize = 36;
const ORPHANS: usize = 3;
const OWNER: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/gone/1";

/// The time of an invocation: enough for about 25 stacks.
const LIFETIME: Duration = Duration::from_secs(10);

/// An account with a mirror, two pipelines, and more stacks than one invocation checks.
async fn large() -> FakeAws {
    let fake = empty_world();
    fake.options(|options| options.page_length = None);
    mirrored(&fake, USER, "platform/infra", "codecommit-dev-cfn-infra").await;
    pipeline(&fake, "codepipeline-dev-cfn-good", &["Succeeded"]);
    pipeline(&fake, "codepipeline-dev-cfn-bad", &["Failed"]);
    fake.stack("owner", "CREATE_COMPLETE", &[]);
    let owner = fake.look(|aws| aws.stacks.named("owner").expect("just made").id.clone());
    for number in 0..STACKS {
        // The orphans are spread over the parts.
        let is_orphan = number % (STACKS / ORPHANS) == 1;
        let owner = if is_orphan { OWNER } else { &owner };
        let tags = [
            ("cfn-gitops:stack-id", owner),
            ("cfn-gitops:logical-id", "Project"),
        ];
        let name = format!("gitops-dev-p{number:03}");
        fake.stack(&name, "CREATE_COMPLETE", &tags);
    }
    fake
}

fn scheduled() -> Value {
    json!({"HealthCheck": {"EnvID": "dev", "UserNames": "user-dev-*", "Minutes": 15}})
}

/// One invocation with `event`. `None` if it was killed.
async fn invoke(fake: &FakeAws, name: &str, event: &Value) -> Option<Result<Value, HandlerError>> {
    invoke_for(fake, name, event, LIFETIME).await
}

async fn invoke_for(
    fake: &FakeAws,
    name: &str,
    event: &Value,
    lifetime: Duration,
) -> Option<Result<Value, HandlerError>> {
    let caller = fake.caller(name);
    let connector = caller.connector();
    let clock = Clock::starting_at(fake.now());
    let handler = Handler::new(&sdk_config(connector.clone()), connector, clock);
    let invocation = Invocation {
        request_id: name.to_owned(),
        deadline: fake.now() + lifetime,
        function_arn: FUNCTION.to_owned(),
    };
    let event = event.to_string();
    caller
        .run(handler.handle(&event, &invocation))
        .await
        .finished()
}

/// Runs the function as Lambda does: an invocation that is killed or fails is tried twice more, and
/// each continuation is run. Returns the results of all invocations that succeeded.
async fn run(fake: &FakeAws, event: Value) -> Vec<Value> {
    let mut events = vec![("part".to_owned(), event)];
    let mut results = vec![];
    while let Some((name, event)) = events.pop() {
        for attempt in 1..=3 {
            let caller = format!("{name}.{attempt}");
            let outcome = invoke(fake, &caller, &event).await;
            for invoked in fake.take_invocations_of(&caller) {
                assert_eq!(fake.secret_in(&invoked.payload.to_string()), None);
                events.push((format!("{caller}+"), invoked.payload));
            }
            if let Some(Ok(result)) = outcome {
                results.push(result);
                break;
            }
            tokio::time::sleep(Duration::from_mins(attempt)).await;
        }
    }
    assert_eq!(fake.secret_in(&fake.transcript()), None);
    results
}

/// The summary of the last part, and the unhealthy ones of all parts.
fn ended(results: &[Value]) -> (&Value, BTreeMap<String, usize>) {
    let last = results.last().expect("a result");
    assert!(last.get("Continuation").is_none(), "{last}");
    let mut unhealthy = BTreeMap::new();
    for result in results {
        let found = result["HealthCheck"]["Unhealthy"].as_array();
        for one in found.expect("a list") {
            let one = one.as_str().expect("a text").to_owned();
            *unhealthy.entry(one).or_default() += 1;
        }
    }
    (&last["HealthCheck"], unhealthy)
}

/// Everything was checked, and everything unhealthy was found.
fn assert_complete(results: &[Value]) {
    let (last, unhealthy) = ended(results);
    let checked = json!({"mirrors": 1, "credentials": 1, "pipelines": 2});
    assert_eq!(last["Checked"], checked, "{results:#?}");
    assert_eq!(last["NotChecked"], json!([]), "{results:#?}");
    assert_eq!(unhealthy.len(), 1 + ORPHANS, "{results:#?}");
}

/// Runs the parts of a check until all is done.
async fn look_in_parts(fake: &FakeAws, time: Duration) -> Vec<Looked> {
    let mut progress = Some(CheckProgress::default());
    let mut all = vec![];
    while let Some(now) = progress.take() {
        let part = Part {
            schedule: Part::whole(Duration::ZERO).schedule,
            progress: now,
            time,
            is_last: false,
        };
        let caller = format!("part {}", all.len());
        let (looked, rest) = look_part(fake, "user-dev-*", &caller, part).await;
        all.push(looked);
        progress = rest;
    }
    all
}

#[tokio::test(start_paused = true)]
async fn parts_write_each_metric_once_and_the_sums_last() {
    let fake = large().await;
    for number in 0..30 {
        let name = format!("codepipeline-dev-cfn-n{number:02}");
        pipeline(&fake, &name, &["Succeeded"]);
    }
    let whole = look(&fake).await;
    // Enough for ten stacks.
    let parts = look_in_parts(&fake, Duration::from_secs(4)).await;
    assert!(parts.len() > 3, "{}", parts.len());
    let all = Looked {
        lines: parts.iter().flat_map(|part| part.lines.clone()).collect(),
        summary: parts.last().expect("a part").summary.clone(),
    };
    assert!(!all.has_failed());
    assert!((all.value("OrphanedPipelineStacks", "") - 3.0).abs() < 1e-9);
    assert!(all.values("CredentialAge", USER).len() == 1);
    for number in 0..30 {
        let name = format!("codepipeline-dev-cfn-n{number:02}");
        assert_eq!(all.values("PipelineSucceeded", &name), [1.0]);
    }
    assert_eq!(all.lines.len(), whole.lines.len());
    assert_eq!(all.summary["Checked"], whole.summary["Checked"]);
    let mut unhealthy: Vec<_> = parts
        .iter()
        .flat_map(|part| part.texts("Unhealthy"))
        .collect();
    let mut expected = whole.texts("Unhealthy");
    unhealthy.sort();
    expected.sort();
    assert_eq!(unhealthy, expected);
}

#[tokio::test(start_paused = true)]
async fn failure_in_an_earlier_part_fails_the_whole_check() {
    let fake = large().await;
    fake.inject("part 0", Fault::on("DescribeStacks", 3, FaultKind::Denied));
    let parts = look_in_parts(&fake, Duration::from_secs(4)).await;
    let (last, earlier) = parts.split_last().expect("parts");
    assert_eq!(earlier[0].texts("NotChecked").len(), 1);
    assert!(last.has_failed());
    let texts = last.texts("NotChecked");
    assert!(texts[0].contains("1 checks failed in earlier"), "{texts:?}");
}

#[tokio::test(start_paused = true)]
async fn too_much_for_one_invocation_continues_in_another() {
    let fake = large().await;
    let began = fake.now();
    let results = run(&fake, scheduled()).await;
    assert_eq!(results.len(), 2, "{results:#?}");
    assert_eq!(results[0]["Continuation"]["Hop"], 1);
    assert_complete(&results);
    let took = fake.now().duration_since(began).expect("forwards");
    assert!(took < LIFETIME * 2, "{took:?}");
    // Nothing is looked up twice.
    assert_eq!(fake.count("DescribeStacks"), STACKS);
    assert_eq!(fake.count("ListPipelineExecutions"), 2);
}

#[tokio::test(start_paused = true)]
async fn duplicate_and_late_continuations_only_read() {
    let fake = large().await;
    let first = invoke(&fake, "first", &scheduled()).await;
    assert!(first.expect("not killed").is_ok());
    let next = fake.take_invocations_of("first").remove(0).payload;
    let calls = fake.journal().len();
    for _ in 0..2 {
        let results = run(&fake, next.clone()).await;
        assert_eq!(results.len(), 1);
        let (last, _) = ended(&results);
        assert_eq!(last["NotChecked"], json!([]));
        assert_eq!(last["Checked"]["pipelines"], 2);
    }
    assert!(fake.journal()[calls..].iter().all(fake_aws::Entry::reads));
    // The next check has begun: this one says that it is incomplete, and calls nothing.
    tokio::time::sleep(Duration::from_mins(15)).await;
    let calls = fake.journal().len();
    let results = run(&fake, next).await;
    let (last, _) = ended(&results);
    let why = last["NotChecked"][0].as_str().expect("a text");
    assert!(why.contains("no time") && why.contains("HealthCheckMinutes"));
    assert_eq!(fake.journal().len(), calls);
}

#[tokio::test(start_paused = true)]
async fn continuation_that_lambda_rejects_is_reported() {
    for (kind, code) in [
        (FaultKind::Denied, "AccessDenied"),
        (FaultKind::DeniedExplicitly, "AccessDenied"),
    ] {
        let fake = large().await;
        fake.break_from_now(On::Operation("Invoke"), kind);
        let results = run(&fake, scheduled()).await;
        assert_eq!(results.len(), 1);
        let (last, _) = ended(&results);
        let why = last["NotChecked"][0].as_str().expect("a text");
        assert!(why.starts_with("continuing the health check"), "{why}");
        assert!(why.contains(code), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn continuations_are_limited() {
    let fake = large().await;
    let event = json!({"Continuation": {"Hop": 14}, "Event": scheduled()});
    let results = run(&fake, event).await;
    assert_eq!(results.len(), 1);
    let (last, _) = ended(&results);
    let why = last["NotChecked"][0].as_str().expect("a text");
    assert!(why.contains("14 invocations"), "{why}");
    assert_eq!(fake.count("Invoke"), 0);
}

#[tokio::test(start_paused = true)]
async fn check_without_an_interval_continues() {
    let fake = large().await;
    let results = run(&fake, json!({"HealthCheck": {"EnvID": "dev"}})).await;
    assert_eq!(results.len(), 2);
    assert_complete(&results);
}

#[tokio::test(start_paused = true)]
async fn progress_that_cannot_be_read_begins_anew() {
    let fake = large().await;
    let mut event = scheduled();
    event["HealthCheck"]["Progress"] = json!({"Stacks": 7});
    assert_complete(&run(&fake, event).await);
}

#[tokio::test(start_paused = true)]
async fn diagnosis_of_many_is_complete_or_says_that_it_is_not() {
    let fake = large().await;
    let event = json!({"Doctor": {"EnvID": "dev"}});
    for (lifetime, is_complete) in [(LIFETIME * 2, true), (LIFETIME, false)] {
        let found = invoke_for(&fake, "doctor", &event, lifetime).await;
        let found = found.expect("not killed").expect("a result");
        let checks = found["Doctor"]["Checks"].as_array().expect("a list");
        // With the credential, its mirror, the token and two pipelines.
        assert_eq!(checks.len() == STACKS + 5, is_complete, "{found}");
        let why = found["Doctor"]["NotChecked"][0].as_str();
        assert_eq!(why.is_none(), is_complete, "{found}");
        assert!(why.is_none_or(|why| why.contains("no time")));
    }
    assert_eq!(fake.count("Invoke"), 0);
}

/// Each fault at each call of both parts, with Lambda's retries of killed and failed invocations.
#[test]
fn single_fault_at_any_call_loses_nothing() {
    let places = paused(async {
        let fake = large().await;
        let first = fake.journal().len();
        run(&fake, scheduled()).await;
        let mut calls: BTreeMap<String, usize> = BTreeMap::new();
        let mut places = vec![];
        let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
        for entry in &fake.journal()[first..] {
            let index = calls.entry(entry.caller.clone()).or_default();
            // The look-ups of stacks are all alike: the first, one amid, and the last of a part.
            let of = (entry.caller.clone(), entry.operation.clone());
            let times = seen.entry(of).or_default();
            if *times < 2 || (*times).is_multiple_of(9) {
                let kinds = FaultKind::EACH.into_iter().chain(FaultKind::SILENT);
                let kinds = kinds.filter(|kind| !(kind.executes() && entry.reads()));
                let place = |kind| (entry.caller.clone(), Fault::at(*index, kind));
                places.extend(kinds.map(place));
            }
            *times += 1;
            *index += 1;
        }
        places
    });
    let mut schedules = Schedules::default();
    for (caller, fault) in places {
        schedules.run(format!("{fault:?} of {caller}"), || {
            paused(async {
                let fake = large().await;
                fake.inject(&caller, fault);
                let results = run(&fake, scheduled()).await;
                assert_eq!(fake.faults_left(), 0);
                assert_complete(&results);
                let again = look_at(&fake, "user-dev-*", "again", Duration::from_mins(10)).await;
                assert!(!again.has_failed());
            });
        });
    }
    let schedules = schedules.finish();
    fake_aws::figure!("schedules: {schedules} single faults in a health check of two parts");
    assert!(schedules > 100);
}
