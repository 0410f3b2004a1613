//! An update of a pipeline cancels its executions. The health check starts the canceled commit
//! again, once.

use std::time::Duration;

use serde_json::{Value, json};

use super::{assert_executions, check_health, executions, health_check, lose_push};
use crate::checks::delete_completely;
use crate::fixture::{
    BRANCH, CHILD, REPOSITORY, change_pipeline, created_with, delete_branch, deliver_events,
    in_account, in_project, properties, push, with,
};
use crate::interleavings::{deliver_both, in_any_order};
use fake_aws::{FakeAws, Options, ResourceAction};
use test_support::custom_resource::{ParentStack, RequestOutcome, RollBack, deliver_beside};

/// How long the action still runs that is running at the update.
const LONG_ACTION: Duration = Duration::from_mins(10);

/// One start of the canceled commit.
const AGAIN: &[(&str, &str)] = &[("commit-1", "Cancelled"), ("commit-1", "InProgress")];

/// No start.
const CANCELED: &[(&str, &str)] = &[("commit-1", "Cancelled")];

/// A change of the pipeline.
fn approving() -> Value {
    with(properties(), "Approval", json!({"CustomData": "Look"}))
}

/// The project with an execution of `commit-1`, which waits for its approval.
async fn waiting(options: Options) -> (FakeAws, ParentStack) {
    let (fake, stack) = created_with(options, &properties()).await;
    push(&fake, REPOSITORY, "commit-1", "first").await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_executions(&fake, &[("commit-1", "InProgress")]);
    (fake, stack)
}

async fn update(stack: &mut ParentStack, wanted: &Value) -> RequestOutcome {
    let answer = stack.update(wanted, None).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    answer
}

/// The project whose execution an update has canceled.
pub async fn canceled() -> (FakeAws, ParentStack) {
    let (fake, mut stack) = waiting(Options::default()).await;
    update(&mut stack, &approving()).await.assert_success();
    assert_executions(&fake, CANCELED);
    (fake, stack)
}

#[test]
fn each_update_that_cancels_an_execution_is_followed_by_a_start() {
    in_project(canceled(), async |fake, stack| {
        check_health(fake, "check").await;
        update(stack, &properties()).await.assert_success();
        assert_executions(fake, &[CANCELED[0], CANCELED[0]]);
        for name in ["second check", "third check"] {
            check_health(fake, name).await;
            let expected = [CANCELED[0], CANCELED[0], AGAIN[1]];
            assert_executions(fake, &expected);
        }
    });
}

/// The pipeline after an update, while an action runs for [`LONG_ACTION`].
async fn updated_during_an_action() -> (FakeAws, ParentStack) {
    let options = Options {
        actions_take: LONG_ACTION,
        ..Options::default()
    };
    let (fake, mut stack) = waiting(options).await;
    update(&mut stack, &approving()).await.assert_success();
    (fake, stack)
}

/// The calls of a health check, without the polls of its comparison with the template, whose number
/// is random.
fn calls_of(fake: &FakeAws, name: &str) -> usize {
    let calls = fake.journal_of(name).into_iter();
    let calls = calls.filter(|call| call.operation != "DescribeChangeSet");
    calls.count()
}

#[test]
fn health_check_starts_what_was_canceled_later() {
    in_project(updated_during_an_action(), async |fake, _| {
        check_health(fake, "early").await;
        assert_executions(fake, &[("commit-1", "InProgress")]);
        let calls = calls_of(fake, "early");
        tokio::time::sleep(LONG_ACTION).await;
        for name in ["check", "later check"] {
            check_health(fake, name).await;
            assert_executions(fake, AGAIN);
        }
        assert_eq!(calls_of(fake, "later check"), calls);
    });
}

#[test]
fn execution_canceled_long_ago_is_not_started() {
    for (hours, expected) in [(23, AGAIN), (25, CANCELED)] {
        in_project(updated_during_an_action(), async |fake, stack| {
            tokio::time::sleep(LONG_ACTION + Duration::from_hours(hours)).await;
            check_health(fake, "check").await;
            assert_executions(fake, expected);
            if expected == CANCELED {
                // Neither does an update of the pipeline then.
                let wanted = with(properties(), "Approval", json!({"CustomData": "Again"}));
                update(stack, &wanted).await.assert_success();
                check_health(fake, "later check").await;
                assert_executions(fake, CANCELED);
            }
        });
    }
}

#[test]
fn execution_that_a_person_ended_is_not_started() {
    for status in ["Stopped", "Superseded", "Failed", "Succeeded", "Stopping"] {
        in_project(waiting(Options::default()), async |fake, stack| {
            change_pipeline(fake, |pipeline, _| pipeline.executions[0].status = status);
            update(stack, &approving()).await.assert_success();
            check_health(fake, "check").await;
            assert_executions(fake, &[("commit-1", status)]);
        });
    }
}

#[test]
fn execution_canceled_in_the_console_is_not_started() {
    in_project(waiting(Options::default()), async |fake, stack| {
        change_pipeline(fake, |pipeline, now| {
            pipeline.update(&with(pipeline.properties.clone(), "Stages", json!([])), now);
        });
        check_health(fake, "check").await;
        assert_executions(fake, CANCELED);
        update(stack, &approving()).await.assert_success();
        check_health(fake, "later check").await;
        assert_executions(fake, CANCELED);
    });
}

#[test]
fn rolled_back_updates_leave_one_running_execution() {
    // The parent stack fails after the Update.
    in_project(waiting(Options::default()), async |fake, stack| {
        stack.update(&approving(), Some(RollBack::UpdateBack)).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        check_health(fake, "check").await;
        assert_executions(fake, AGAIN);
    });
    // The child stack fails after it has updated the pipeline.
    in_project(waiting(Options::default()), async |fake, stack| {
        let wanted = with(approving(), "Tags", json!({"Team": "shop"}));
        fake.fail_resource("EventRule", ResourceAction::Update, "too many tags", 1);
        let answer = update(stack, &wanted).await;
        assert!(!answer.is_success());
        let was_updated = fake.look(|aws| {
            let events = &aws.stacks.named(CHILD).expect("the stack").events;
            events.iter().any(|event| {
                event.kind.ends_with("::Pipeline") && event.status == "UPDATE_COMPLETE"
            })
        });
        assert!(was_updated);
        check_health(fake, "check").await;
        assert_executions(fake, AGAIN);
    });
}

#[test]
fn newer_push_is_not_overtaken() {
    for action in [Duration::ZERO, Duration::from_secs(3), LONG_ACTION] {
        for after in (0..14_000).step_by(400) {
            let options = Options {
                actions_take: action,
                ..Options::default()
            };
            in_project(waiting(options), async |fake, stack| {
                let updating = stack.request_update(&approving());
                let updated = deliver_beside(fake, &updating);
                tokio::time::sleep(Duration::from_millis(after)).await;
                push(fake, REPOSITORY, "commit-2", "second").await;
                updated.await;
                stack.heard(&updating).await.assert_success();
                stack.resource = Some((CHILD.to_owned(), approving()));
                tokio::time::sleep(LONG_ACTION).await;
                for name in ["check", "later check"] {
                    check_health(fake, name).await;
                }
                let found = executions(fake);
                let context = format!("a push after {after} ms: {found:?}");
                let last = ("commit-2".to_owned(), "InProgress");
                assert_eq!(found.last(), Some(&last), "{context}");
                let running = found.iter().filter(|(_, status)| *status == "InProgress");
                assert!(running.count() <= 2, "{context}");
                assert!(found.len() <= 3, "{context}");
            });
        }
    }
}

#[test]
fn commit_that_is_no_longer_the_head_is_not_started() {
    for delete in [true, false] {
        in_project(updated_during_an_action(), async |fake, _| {
            tokio::time::sleep(LONG_ACTION).await;
            if delete {
                delete_branch(fake);
            } else {
                lose_push(fake, "commit-2");
            }
            check_health(fake, "check").await;
            // The later push has no execution.
            let later = [CANCELED[0], ("commit-2", "InProgress")];
            assert_executions(fake, if delete { CANCELED } else { &later });
        });
    }
}

#[test]
fn later_tip_with_other_files_does_not_hide_the_canceled_one() {
    let files = [("shop/a", "1"), ("docs/a", "1")];
    for later in [
        [("shop/a", "1"), ("docs/a", "2")],
        [("shop/a", "2"), ("docs/a", "1")],
    ] {
        in_account(async |fake, stack| {
            let paths = json!({"Paths": {"Includes": ["shop/**"]}});
            let wanted = with(properties(), "Source", paths.clone());
            stack.create(&wanted).await.assert_success();
            let reactions = fake.push_files(REPOSITORY, BRANCH, "commit-1", &files);
            deliver_events(fake, &reactions, "first").await;
            // EventBridge loses the event of a matching push, so that push is missed as well.
            fake.push_files(REPOSITORY, BRANCH, "commit-2", &later);
            let wanted = with(approving(), "Source", paths);
            update(stack, &wanted).await.assert_success();
            for name in ["check", "later check"] {
                check_health(fake, name).await;
                assert_executions(fake, &[CANCELED[0], ("commit-2", "InProgress")]);
            }
        });
    }
}

#[test]
fn update_and_a_health_check_start_one_execution() {
    let what = "an Update that cancels an execution and a health check";
    in_any_order(what, async |schedule| {
        let (fake, mut stack) = waiting(Options {
            resource_takes: Duration::from_millis(300),
            ..Options::default()
        })
        .await;
        let update = stack.request_update(&approving());
        let check = health_check(&fake, "check");
        deliver_both(&fake, schedule, ("one", &update), ("zother", &check)).await;
        stack.heard(&update).await.assert_success();
        for name in ["later check", "last check"] {
            check_health(&fake, name).await;
            assert_executions(&fake, AGAIN);
        }
        stack.resource = Some((CHILD.to_owned(), approving()));
        delete_completely(&mut stack).await;
    });
}
