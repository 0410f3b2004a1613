//! A person deploys an earlier commit again: the health check does not overrule them, until an event
//! starts a newer execution.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    INTERVAL, assert_commits, assert_executions, check_health, commits, deployed, deployed_with,
    end_executions, lose_push, started_by_function,
};
use crate::fixture::{
    BRANCH, REPOSITORY, change_pipeline, deliver_events, event, in_project, paused, properties,
    pushed, with,
};
use fake_aws::schedules::Moment;
use fake_aws::{Caller, Execution, FakeAws, Schedules};
use test_support::custom_resource::{ParentStack, deliver_once};
use test_support::defects::Defect;

const PERSON: &str = "arn:aws:sts::123456789012:assumed-role/Administrator/jane";

/// A person starts an execution with this commit, by an override of the source revision.
fn undo(fake: &FakeAws, commit: &str) {
    change_pipeline(fake, |pipeline, now| {
        let id = format!("undo-{}", pipeline.executions.len());
        let mut execution = Execution::with_status(id, "InProgress", now);
        execution.start_by(PERSON);
        execution.revision = Some(commit.to_owned());
        pipeline.executions.push(execution);
    });
}

/// The project of `properties`, which has deployed `commit-1` and then `commit-2`, with the event of
/// the latter.
async fn bad_release() -> (FakeAws, ParentStack, Value) {
    let (fake, stack) = deployed().await;
    let event = lose_push(&fake, "commit-2");
    fake.send_event(&event);
    tokio::time::sleep(Duration::from_mins(2)).await;
    end_executions(&fake, "Succeeded");
    assert_commits(&fake, &["commit-1", "commit-2"]);
    (fake, stack, event)
}

async fn project() -> (FakeAws, ParentStack) {
    let (fake, stack, _) = bad_release().await;
    (fake, stack)
}

/// The same after the undo of `commit-2`.
async fn undone() -> (FakeAws, ParentStack) {
    let (fake, stack) = project().await;
    undo(&fake, "commit-1");
    (fake, stack)
}

/// Two health checks start nothing.
async fn assert_held(fake: &FakeAws) {
    let before = commits(fake);
    for name in ["check", "later check"] {
        check_health(fake, name).await;
        assert_eq!(commits(fake), before);
        tokio::time::sleep(INTERVAL).await;
    }
}

/// A push whose event arrives ends the undo.
async fn assert_push_is_deployed(fake: &FakeAws) {
    let mut expected = commits(fake);
    let reactions = fake.push(REPOSITORY, BRANCH, "commit-9");
    deliver_events(fake, &reactions, "next push").await;
    expected.push("commit-9".to_owned());
    check_health(fake, "check of the next push").await;
    assert_eq!(commits(fake), expected);
}

#[test]
fn undo_is_not_overruled_however_it_ends() {
    for status in ["InProgress", "Succeeded", "Failed", "Stopped"] {
        in_project(undone(), async |fake, _| {
            end_executions(fake, status);
            assert_held(fake).await;
            // A person retries the stage that failed, or whose approval was rejected.
            change_pipeline(fake, |pipeline, now| {
                let undo = pipeline.executions.last_mut().expect("the undo");
                (undo.status, undo.changed) = ("InProgress", now);
            });
            assert_held(fake).await;
            end_executions(fake, "Succeeded");
            assert_held(fake).await;
            assert_commits(fake, &["commit-1", "commit-2", "commit-1"]);
            assert_push_is_deployed(fake).await;
        });
    }
}

#[test]
fn lost_push_before_or_after_an_undo_is_not_started() {
    for is_before in [true, false] {
        in_project(project(), async |fake, _| {
            if is_before {
                lose_push(fake, "commit-3");
                undo(fake, "commit-1");
            } else {
                undo(fake, "commit-1");
                lose_push(fake, "commit-3");
            }
            assert_held(fake).await;
            end_executions(fake, "Succeeded");
            assert_held(fake).await;
            assert_push_is_deployed(fake).await;
            // The next push is healed again.
            lose_push(fake, "commit-10");
            check_health(fake, "last check").await;
            assert_eq!(commits(fake).last().map(|it| &**it), Some("commit-10"));
        });
    }
}

#[test]
fn undo_that_an_update_cancels_starts_nothing() {
    for is_lost in [false, true] {
        in_project(undone(), async |fake, stack| {
            if is_lost {
                lose_push(fake, "commit-3");
            }
            let wanted = with(properties(), "Approval", json!({"CustomData": "Look"}));
            stack.update(&wanted, None).await.assert_success();
            tokio::time::sleep(Duration::from_secs(10)).await;
            let canceled = [
                ("commit-1", "Succeeded"),
                ("commit-2", "Succeeded"),
                ("commit-1", "Cancelled"),
            ];
            assert_executions(fake, &canceled);
            assert_held(fake).await;
            assert_executions(fake, &canceled);
        });
    }
}

#[test]
fn second_event_of_the_bad_commit_starts_one_execution() {
    // Only the pipeline sees it.
    let project = async {
        let (fake, stack, event) = bad_release().await;
        undo(&fake, "commit-1");
        fake.send_event(&event);
        (fake, stack)
    };
    in_project(project, async |fake, _| {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_held(fake).await;
        assert_commits(fake, &["commit-1", "commit-2", "commit-1", "commit-2"]);
        assert_eq!(started_by_function(fake), 0);
    });
}

#[test]
fn tip_that_a_person_starts_is_not_an_undo() {
    in_project(project(), async |fake, _| {
        undo(fake, "commit-1");
        // *Release change*.
        undo(fake, "commit-2");
        assert_held(fake).await;
        assert_push_is_deployed(fake).await;
    });
}

#[test]
fn push_lost_after_a_release_of_the_tip_is_started() {
    in_project(project(), async |fake, _| {
        undo(fake, "commit-2");
        end_executions(fake, "Succeeded");
        lose_push(fake, "commit-3");
        check_health(fake, "check").await;
        assert_commits(fake, &["commit-1", "commit-2", "commit-2", "commit-3"]);
        assert_held(fake).await;
    });
}

/// With `Source.Paths` the function starts the executions of events.
#[test]
fn undo_is_not_overruled_by_an_earlier_event_of_paths() {
    let paths = json!({"Paths": {"Includes": ["shop/**"]}});
    let wanted = with(properties(), "Source", paths);
    in_project(deployed_with(&wanted), async |fake, _| {
        let [earlier, latest] = [("commit-2", "2"), ("commit-3", "3")].map(|(commit, content)| {
            event(&fake.push_files(REPOSITORY, BRANCH, commit, &[("shop/a", content)]))
        });
        let deliver = async |event: &Value, name: &str| {
            deliver_once(fake, name, &pushed(fake, name, event.clone())).await;
            tokio::time::sleep(Duration::from_secs(10)).await;
        };
        deliver(&latest, "latest").await;
        end_executions(fake, "Succeeded");
        undo(fake, "commit-1");
        for (event, name) in [(&latest, "latest again"), (&earlier, "earlier")] {
            deliver(event, name).await;
            assert_commits(fake, &["commit-1", "commit-3", "commit-1"]);
        }
        // Neither other files nor a lost event start anything.
        for (commit, content) in [("commit-4", "3"), ("commit-5", "5")] {
            let files = [("shop/a", content), ("docs/a", "1")];
            fake.push_files(REPOSITORY, BRANCH, commit, &files);
            assert_held(fake).await;
        }
        let next = fake.push_files(REPOSITORY, BRANCH, "commit-6", &[("shop/a", "6")]);
        deliver(&event(&next), "next").await;
        assert_commits(fake, &["commit-1", "commit-3", "commit-1", "commit-6"]);
    });
}

#[test]
fn undo_between_the_looks_of_a_health_check_holds_the_start() {
    let mut schedules = Schedules::default();
    for after in (0..60).step_by(5) {
        schedules.run(format!("an undo after {after} s"), || {
            in_project(project(), async |fake, _| {
                lose_push(fake, "commit-3");
                let checking = tokio::spawn({
                    let fake = fake.clone();
                    async move { check_health(&fake, "check").await }
                });
                tokio::time::sleep(Duration::from_secs(after)).await;
                undo(fake, "commit-1");
                checking.await.expect("no panic in a check");
                assert_commits(fake, &["commit-1", "commit-2", "commit-1"]);
                assert_held(fake).await;
            });
        });
    }
    schedules.report("times of an undo during a health check that found a missed push");
}

#[test]
fn late_event_at_each_call_of_a_held_check_starts_once() {
    let mut schedules = Schedules::default();
    for is_after in [false, true] {
        let name = |call| format!("an event at {call}, after: {is_after}");
        schedules.each_call(name, |call| event_at(Moment { call, is_after }));
    }
    schedules.report("events at the calls of a health check after an undo");
}

/// Plays the lost event, which arrives at a call of the health check after all. Returns whether the
/// check has such a call.
fn event_at(moment: Moment) -> bool {
    let lost = std::sync::Arc::new(std::sync::Mutex::new(Value::Null));
    let arriving = std::sync::Arc::clone(&lost);
    let arrive = move |fake: &FakeAws| {
        let event = arriving.lock().expect("no panic").clone();
        fake.send_event(&event);
    };
    let is_of_check = |_: &FakeAws, caller: &Caller| caller.name() == "check";
    let calls = moment.play(is_of_check, arrive, async |_| {
        let (fake, mut stack) = undone().await;
        *lost.lock().expect("no panic") = lose_push(&fake, "commit-3");
        check_health(&fake, "check").await;
        check_health(&fake, "second check").await;
        let found = commits(&fake);
        let expected = ["commit-1", "commit-2", "commit-1", "commit-3"];
        // The check may have ended before the event.
        assert!(found == expected || found == expected[..3], "{found:?}");
        assert_eq!(started_by_function(&fake), 0, "{found:?}");
        crate::checks::delete_completely(&mut stack).await;
    });
    calls > moment.call
}

#[test]
fn product_that_overrules_people_is_noticed() {
    // It takes the start of a person for that of an event.
    let defect = Defect::Reads(
        "ListPipelineExecutions",
        "\"StartPipelineExecution\"",
        "\"CloudWatchEvent\"",
    );
    defect.assert_noticed("a lost push after an undo", "commit-3", || {
        paused(async {
            let (fake, _) = undone().await;
            lose_push(&fake, "commit-3");
            assert_held(&fake).await;
        });
    });
    defect.assert_noticed("an undo", "commit-2", || {
        paused(async {
            let (fake, _) = undone().await;
            assert_held(&fake).await;
        });
    });
}
