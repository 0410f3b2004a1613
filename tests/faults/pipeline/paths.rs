//! `Source.Paths`: pushes that start the pipeline, and pushes that do not.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::checks::{nothing_remains, runs, watch};
use crate::fixture::{
    BRANCH, CHILD, GIVEN, PIPELINE, REPOSITORY, changed, deliver_events, fake, paused, properties,
    pushed, stack, with,
};
use fake_aws::custom_resource::{ParentStack, deliver_all, deliver_once};
use fake_aws::{
    FakeAws, Fault, FaultKind, On, Options, Rate, Reaction, ResourceAction, Schedule, Schedules,
    Service, explore_reduced, sample,
};

/// A commit's files.
type Files = [(&'static str, &'static str)];

const FIRST: &Files = &[("services/shop/a", "1"), ("docs/a", "1"), ("a.md", "1")];
const MATCHING: &Files = &[("services/shop/a", "2"), ("docs/a", "1"), ("a.md", "1")];
const OTHER: &Files = &[("services/shop/a", "1"), ("docs/a", "2"), ("a.md", "1")];

fn wanted() -> Value {
    let paths = json!({"Includes": ["services/shop/**"], "Excludes": ["**/*.md"]});
    with(properties(), "Source", json!({"Paths": paths}))
}

/// The project after its branch's first push.
async fn running(options: Options) -> (FakeAws, ParentStack) {
    let fake = fake(options);
    watch(&fake, 1, &[]);
    let mut stack = stack(&fake);
    let answer = stack.create(&wanted()).await;
    assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
    push(&fake, "commit-1", FIRST, "first").await;
    has_run(&fake, &[("commit-1", 1)]);
    tokio::time::sleep(Duration::from_mins(2)).await;
    (fake, stack)
}

/// Pushes a commit without delivering the event.
fn event_of(fake: &FakeAws, commit: &str, files: &Files) -> Value {
    let reactions = fake.push_files(REPOSITORY, BRANCH, commit, files);
    let [Reaction::Event { payload, .. }] = &reactions[..] else {
        panic!("not for the function: {reactions:?}");
    };
    payload.clone()
}

async fn deliver(fake: &FakeAws, event: &Value, name: &str) {
    deliver_all(fake, &pushed(fake, name, event.clone()), false).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
}

async fn push(fake: &FakeAws, commit: &str, files: &Files, name: &str) {
    deliver(fake, &event_of(fake, commit, files), name).await;
}

fn has_run(fake: &FakeAws, commits: &[(&str, usize)]) {
    let expected = commits
        .iter()
        .map(|(commit, times)| ((*commit).to_owned(), *times));
    let runs = fake.look(|aws| runs(aws, PIPELINE));
    assert_eq!(runs, expected.collect(), "{}", fake.transcript());
}

async fn gone(fake: &FakeAws, stack: &mut ParentStack) {
    let deleted = stack.delete().await;
    assert!(deleted.is_success(), "{deleted:?}\n{}", fake.transcript());
    let left = fake.look(|aws| nothing_remains(aws, &[]));
    left.unwrap_or_else(|left| panic!("{left}\n{}", fake.transcript()));
    fake.assert_unbroken();
}

#[test]
fn only_a_push_of_a_matching_file_starts() {
    let unchanged = ("docs/a", "1");
    let pushes: [(&str, &Files, usize); 8] = [
        ("changed", MATCHING, 1),
        ("another file", OTHER, 0),
        ("nothing", FIRST, 0),
        (
            "added",
            &[FIRST[0], unchanged, FIRST[2], ("services/shop/b/c", "1")],
            1,
        ),
        ("deleted", &[unchanged, FIRST[2]], 1),
        ("moved out", &[unchanged, FIRST[2], ("services/a", "1")], 1),
        (
            "excluded",
            &[FIRST[0], unchanged, FIRST[2], ("services/shop/a.md", "1")],
            0,
        ),
        (
            "almost",
            &[FIRST[0], unchanged, FIRST[2], ("services/shopping/a", "1")],
            0,
        ),
    ];
    for (what, files, times) in pushes {
        paused(async {
            let (fake, mut stack) = running(Options::default()).await;
            push(&fake, "commit-2", files, "push").await;
            let runs = fake.look(|aws| runs(aws, PIPELINE));
            let ran = runs.get("commit-2").copied().unwrap_or(0);
            assert_eq!(ran, times, "{what}\n{}", fake.transcript());
            let calls = fake.calls_of("push.1");
            fake_aws::figure!("paths: a push ({what}) makes {calls} calls");
            gone(&fake, &mut stack).await;
        });
    }
}

#[test]
fn new_branch_always_starts() {
    paused(async {
        let (fake, mut stack) = running(Options::default()).await;
        let delete = |aws: &mut fake_aws::AwsState| {
            let held = aws
                .repositories
                .get_mut(REPOSITORY)
                .expect("the repository");
            held.branches.clear();
        };
        fake.change(delete);
        push(&fake, "commit-2", OTHER, "again").await;
        has_run(&fake, &[("commit-1", 1), ("commit-2", 1)]);
        // The same commit again.
        fake.change(delete);
        push(&fake, "commit-2", OTHER, "same").await;
        has_run(&fake, &[("commit-1", 1), ("commit-2", 2)]);
        gone(&fake, &mut stack).await;
    });
}

#[test]
fn deleted_branch_starts_nothing() {
    paused(async {
        let (fake, mut stack) = running(Options::default()).await;
        let event = event_of(&fake, "commit-2", MATCHING);
        fake.change(|aws| {
            let held = aws
                .repositories
                .get_mut(REPOSITORY)
                .expect("the repository");
            held.branches.clear();
        });
        deliver(&fake, &event, "push").await;
        has_run(&fake, &[("commit-1", 1)]);
        gone(&fake, &mut stack).await;
    });
}

#[test]
fn unreadable_difference_starts() {
    let many: Vec<(String, &str)> = (0..60).map(|n| (format!("docs/{n}"), "1")).collect();
    for what in ["commit is gone", "denied", "no answer", "too many"] {
        paused(async {
            let (fake, mut stack) = running(Options::default()).await;
            let files: Vec<(&str, &str)> = many
                .iter()
                .map(|(path, text)| (path.as_str(), *text))
                .collect();
            let files: Vec<(&str, &str)> = match what {
                "too many" => files.into_iter().chain(FIRST.iter().copied()).collect(),
                _ => OTHER.to_vec(),
            };
            let reactions = fake.push_files(REPOSITORY, BRANCH, "commit-2", &files);
            let operation = On::Operation("GetDifferences");
            match what {
                "commit is gone" => fake.change(|aws| {
                    let held = aws
                        .repositories
                        .get_mut(REPOSITORY)
                        .expect("the repository");
                    held.trees.remove("commit-1");
                }),
                "denied" => fake.break_from_now(operation, FaultKind::Denied),
                "no answer" => fake.break_from_now(operation, FaultKind::RequestLost),
                _ => fake.options(|options| options.page_length = Some(1)),
            }
            deliver_events(&fake, &reactions, "push").await;
            has_run(&fake, &[("commit-1", 1), ("commit-2", 1)]);
            fake.mend();
            fake.options(|options| options.page_length = None);
            gone(&fake, &mut stack).await;
        });
    }
}

#[test]
fn force_push_compares_the_two_trees() {
    paused(async {
        let (fake, mut stack) = running(Options::default()).await;
        push(&fake, "commit-2", MATCHING, "forth").await;
        has_run(&fake, &[("commit-1", 1), ("commit-2", 1)]);
        push(&fake, "commit-1", FIRST, "back").await;
        has_run(&fake, &[("commit-1", 2), ("commit-2", 1)]);
        push(&fake, "commit-2", MATCHING, "forth-again").await;
        has_run(&fake, &[("commit-1", 2), ("commit-2", 2)]);
        push(&fake, "amended", MATCHING, "amended").await;
        has_run(&fake, &[("commit-1", 2), ("commit-2", 2)]);
        gone(&fake, &mut stack).await;
    });
}

#[test]
fn repeated_event_starts_once() {
    for later in [0, 30, 3600, 36_000] {
        for files in [MATCHING, OTHER] {
            paused(async {
                let (fake, mut stack) = running(Options::default()).await;
                let event = event_of(&fake, "commit-2", files);
                let expected: &[(&str, usize)] = if files == MATCHING {
                    &[("commit-1", 1), ("commit-2", 1)]
                } else {
                    &[("commit-1", 1)]
                };
                for time in 0..3 {
                    deliver(&fake, &event, &format!("push-{time}")).await;
                    has_run(&fake, expected);
                    tokio::time::sleep(Duration::from_secs(later)).await;
                }
                gone(&fake, &mut stack).await;
            });
        }
    }
}

/// Each order of three events: the latest execution that starts has the branch's latest matching
/// commit, and no commit runs twice.
#[test]
fn events_in_any_order_end_with_the_latest_commit() {
    let mut schedules = Schedules::default();
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        for repeated in 0..3 {
            schedules.run(format!("{order:?} and {repeated} again"), || {
                paused(async {
                    let (fake, mut stack) = running(Options::default()).await;
                    let events = [
                        event_of(&fake, "commit-2", MATCHING),
                        event_of(&fake, "commit-3", &[("services/shop/a", "3")]),
                        event_of(&fake, "commit-4", &[("services/shop/a", "3"), ("b", "1")]),
                    ];
                    for (index, event) in order.into_iter().chain([repeated]).enumerate() {
                        deliver(&fake, &events[event], &format!("push-{index}")).await;
                    }
                    let runs = fake.look(|aws| runs(aws, PIPELINE));
                    assert!(
                        runs.values().all(|times| *times == 1),
                        "{runs:?}\n{}",
                        fake.transcript()
                    );
                    let latest = fake.look(|aws| {
                        let executions = &aws.pipelines[PIPELINE].executions;
                        executions.last().and_then(|one| one.revision.clone())
                    });
                    // Nothing that matches changed after the third commit.
                    let latest = latest.unwrap_or_default();
                    assert!(
                        ["commit-3", "commit-4"].contains(&&*latest),
                        "{latest}\n{}",
                        fake.transcript()
                    );
                    gone(&fake, &mut stack).await;
                });
            });
        }
    }
    let count = schedules.finish();
    fake_aws::figure!("schedules: {count} orders of three pushes with Source.Paths");
}

#[test]
fn event_twice_at_once_starts_once_in_any_order() {
    let run = |schedule: Schedule| async move {
        fastrand::seed(schedule.seed());
        let (fake, mut stack) = running_under(&schedule).await;
        let event = event_of(&fake, "commit-2", MATCHING);
        let deliveries = ["one", "other"].map(|name| {
            let (fake, one) = (fake.clone(), pushed(&fake, name, event.clone()));
            let after = Duration::from_millis(schedule.seed() * 170 % 3_000);
            Box::pin(async move {
                if name == "other" {
                    tokio::time::sleep(after).await;
                }
                deliver_once(&fake, &fake.caller(name), &one).await
            })
        });
        let [one, other] = deliveries;
        let done = schedule.both(one, other).await;
        assert_eq!(done, (Some(true), Some(true)), "{}", fake.transcript());
        tokio::time::sleep(Duration::from_secs(10)).await;
        has_run(&fake, &[("commit-1", 1), ("commit-2", 1)]);
        gone(&fake, &mut stack).await;
    };
    let explored = explore_reduced(5_000, 0, run);
    sample(60, 4, run);
    fake_aws::figure!(
        "schedules: {} interleavings of a push with Source.Paths delivered twice, and 60 at random",
        explored.runs
    );
    assert!(explored.complete);
}

async fn running_under(schedule: &Schedule) -> (FakeAws, ParentStack) {
    let (fake, stack) = running(Options::default()).await;
    fake.obey(schedule);
    (fake, stack)
}

#[test]
fn each_single_fault_of_a_push_starts_once() {
    let kinds = FaultKind::EACH.into_iter().chain(FaultKind::SILENT);
    let kinds: Vec<FaultKind> = kinds.collect();
    let mut schedules = Schedules::default();
    for (files, expected) in [
        (MATCHING, &[("commit-1", 1), ("commit-2", 1)][..]),
        (OTHER, &[("commit-1", 1)][..]),
    ] {
        let calls = paused(async {
            let (fake, _) = running(Options::default()).await;
            push(&fake, "commit-2", files, "push").await;
            fake.calls_of("push.1")
        });
        for (index, kind) in (0..calls).flat_map(|at| kinds.iter().map(move |kind| (at, *kind))) {
            for twice in [false, true] {
                schedules.run(format!("{kind:?} at call {index}"), || {
                    paused(async {
                        let (fake, mut stack) = running(Options::default()).await;
                        fake.inject("push.1", Fault::at(index, kind));
                        let event = event_of(&fake, "commit-2", files);
                        deliver_all(&fake, &pushed(&fake, "push", event), twice).await;
                        tokio::time::sleep(Duration::from_secs(10)).await;
                        assert_eq!(fake.faults_left(), 0);
                        has_run(&fake, expected);
                        gone(&fake, &mut stack).await;
                    });
                });
            }
        }
    }
    let count = schedules.finish();
    fake_aws::figure!("schedules: {count} single faults of a push with Source.Paths");
    assert!(count > 100);
}

#[test]
fn outage_of_a_service_is_over_before_the_last_delivery() {
    for service in [
        Service::CodeCommit,
        Service::CloudFormation,
        Service::CodePipeline,
    ] {
        paused(async {
            let (fake, mut stack) = running(Options::default()).await;
            let event = event_of(&fake, "commit-2", MATCHING);
            fake.break_from_now(On::Service(service), FaultKind::InternalError500);
            let ending = fake.clone();
            let end = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(100)).await;
                ending.mend();
            });
            deliver(&fake, &event, "push").await;
            end.await.expect("no panic");
            has_run(&fake, &[("commit-1", 1), ("commit-2", 1)]);
            gone(&fake, &mut stack).await;
        });
    }
}

#[test]
fn push_while_the_stack_is_updated_runs_once() {
    for after in [0, 2, 4, 6, 8, 10] {
        paused(async {
            let (fake, mut stack) = running(Options::default()).await;
            let update = stack.request("Update", Some(CHILD), &changed(wanted()), Some(&wanted()));
            let updating = (fake.clone(), update.clone());
            let updated = tokio::spawn(Box::pin(async move {
                deliver_all(&updating.0, &updating.1, false).await;
            }));
            tokio::time::sleep(Duration::from_secs(after)).await;
            push(&fake, "commit-2", MATCHING, "push").await;
            push(&fake, "commit-3", OTHER, "another").await;
            updated.await.expect("no panic in a delivery");
            let answer = stack.heard(&update).await;
            assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
            // From the second commit to the third, the matching file changed back.
            has_run(&fake, &[("commit-1", 1), ("commit-2", 1), ("commit-3", 1)]);
            stack.resource = Some((CHILD.to_owned(), changed(wanted())));
            gone(&fake, &mut stack).await;
        });
    }
}

#[test]
fn paths_are_added_changed_and_removed() {
    paused(async {
        let fake = fake(Options::default());
        watch(&fake, 1, &[]);
        let mut stack = stack(&fake);
        assert!(stack.create(&properties()).await.is_success());
        let first = fake.push_files(REPOSITORY, BRANCH, "commit-1", FIRST);
        deliver_events(&fake, &first, "first").await;
        assert!(stack.update(&wanted(), None).await.is_success());
        push(&fake, "commit-2", OTHER, "other").await;
        has_run(&fake, &[("commit-1", 1)]);
        let docs = json!({"Paths": {"Includes": ["docs/**"]}});
        let docs = with(properties(), "Source", docs);
        assert!(stack.update(&docs, None).await.is_success());
        push(&fake, "commit-3", FIRST, "docs").await;
        has_run(&fake, &[("commit-1", 1), ("commit-3", 1)]);
        // The event waits while the paths are removed: then every push starts the pipeline.
        let waiting = event_of(&fake, "commit-4", MATCHING);
        assert!(stack.update(&properties(), None).await.is_success());
        deliver(&fake, &waiting, "waiting").await;
        has_run(&fake, &[("commit-1", 1), ("commit-3", 1), ("commit-4", 1)]);
        let last = fake.push_files(REPOSITORY, BRANCH, "commit-5", OTHER);
        assert!(matches!(last[..], [Reaction::Started { .. }]), "{last:?}");
        gone(&fake, &mut stack).await;
    });
}

#[test]
fn failed_rollback_of_the_stack_does_not_stop_pushes() {
    paused(async {
        let (fake, mut stack) = running(Options::default()).await;
        fake.change(|aws| {
            let id = aws.stacks.named(CHILD).expect("the stack").id.clone();
            let child = aws.stacks.all.get_mut(&id).expect("the stack");
            child.status = "UPDATE_ROLLBACK_FAILED";
            if let Some(event) = child.events.last_mut() {
                std::sync::Arc::make_mut(event).status = "UPDATE_ROLLBACK_FAILED";
            }
        });
        push(&fake, "commit-2", MATCHING, "push").await;
        has_run(&fake, &[("commit-1", 1), ("commit-2", 1)]);
        gone(&fake, &mut stack).await;
    });
}

#[test]
fn event_after_the_delete_starts_nothing() {
    paused(async {
        let (fake, mut stack) = running(Options::default()).await;
        let event = event_of(&fake, "commit-2", MATCHING);
        gone(&fake, &mut stack).await;
        deliver(&fake, &event, "push").await;
        assert!(fake.look(|aws| aws.pipelines.is_empty()));
        assert_eq!(fake.count("StartPipelineExecution"), 0);
    });
}

#[test]
fn first_push_that_fails_is_retried_with_the_event() {
    paused(async {
        let fake = fake(Options::default());
        watch(&fake, 1, &[]);
        let mut stack = stack(&fake);
        assert!(stack.create(&wanted()).await.is_success());
        fake.fail_resource("Pipeline", ResourceAction::Create, "no such role yet", 1);
        push(&fake, "commit-1", FIRST, "push").await;
        has_run(&fake, &[("commit-1", 1)]);
        gone(&fake, &mut stack).await;
    });
}

const PROJECTS: usize = 50;

fn project(index: usize) -> Value {
    let paths = json!({"Includes": [format!("services/p{index}/**")]});
    json!({
        "EnvID": "dev",
        "ProjectID": format!("p{index}"),
        "Source": {"RepositoryName": GIVEN, "Paths": paths},
    })
}

/// Delivers the events of one push at the same time.
async fn deliver_at_once(fake: &FakeAws, reactions: &[Reaction], name: &str) {
    assert_eq!(reactions.len(), PROJECTS);
    let mut running = JoinSet::new();
    for (index, reaction) in reactions.iter().cloned().enumerate() {
        let (fake, name) = (fake.clone(), format!("{name}-{index}"));
        running.spawn(Box::pin(async move {
            deliver_events(&fake, &[reaction], &name).await;
        }));
    }
    while let Some(done) = running.join_next().await {
        done.expect("no panic in a delivery");
    }
}

#[test]
fn push_to_a_repository_of_fifty_projects_starts_one() {
    paused(async {
        let fake = fake(Options {
            rates: vec![Rate::of(Service::CloudFormation, 3.0, 10.0)],
            ..Options::default()
        });
        watch(&fake, PROJECTS, &[]);
        let mut creating = JoinSet::new();
        for index in 0..PROJECTS {
            let fake = fake.clone();
            creating.spawn(Box::pin(async move {
                let mut stack = stack(&fake);
                stack.starts_counting_at(index * 100);
                let answer = stack.create(&project(index)).await;
                assert!(answer.is_success(), "p{index}: {answer:?}");
            }));
        }
        while let Some(done) = creating.join_next().await {
            done.expect("no panic in a request");
        }
        let mut files: Vec<(String, &str)> = (0..PROJECTS)
            .map(|index| (format!("services/p{index}/a"), "1"))
            .collect();
        let push_all = |commit: &str, files: &[(String, &str)]| {
            let files: Vec<(&str, &str)> = files
                .iter()
                .map(|(path, text)| (path.as_str(), *text))
                .collect();
            fake.push_files(GIVEN, BRANCH, commit, &files)
        };
        deliver_at_once(&fake, &push_all("commit-1", &files), "first").await;
        let started = |commit: &str| -> Vec<String> {
            fake.look(|aws| {
                let names = aws.pipelines.keys();
                let has_run = |name: &&String| runs(aws, name).get(commit) == Some(&1);
                names.filter(has_run).cloned().collect()
            })
        };
        assert_eq!(
            started("commit-1").len(),
            PROJECTS,
            "the first push starts all"
        );
        files[7].1 = "2";
        let before = fake.journal().len();
        let reactions = push_all("commit-2", &files);
        deliver_at_once(&fake, &reactions, "second").await;
        assert_eq!(started("commit-2"), ["codepipeline-dev-cfn-p7"]);
        let calls = fake.journal().len() - before;
        deliver_at_once(&fake, &reactions, "repeated").await;
        assert_eq!(started("commit-2"), ["codepipeline-dev-cfn-p7"]);
        fake_aws::figure!(
            "paths: a push to a repository of {PROJECTS} projects makes {calls} calls"
        );
        fake.assert_unbroken();
    });
}
