//! Which executions are started again.

use std::time::Duration;

use serde_json::json;

use super::{
    AGAIN, CANCELED, LONG_ACTION, approving, assert_executions, check_health, executions, update,
    waiting,
};
use crate::fixture::{
    BRANCH, CHILD, PIPELINE, REPOSITORY, changed, cross_account, deliver_events, in_account,
    in_project, properties, push, with,
};
use fake_aws::{FakeAws, Options, ResourceAction};
use test_support::custom_resource::{ParentStack, RollBack};

#[test]
fn update_starts_the_canceled_commit_again() {
    in_project(waiting(Options::default()), async |fake, stack| {
        let lists = fake.count("ListPipelineExecutions");
        update(stack, &approving()).await.assert_success();
        assert_executions(fake, AGAIN);
        assert_eq!(fake.count("ListPipelineExecutions"), lists + 1);
        for name in ["check", "later check"] {
            check_health(fake, name).await;
            assert_executions(fake, AGAIN);
        }
    });
}

#[test]
fn update_of_something_else_lists_no_executions() {
    for wanted in [changed(properties()), properties()] {
        in_project(waiting(Options::default()), async |fake, stack| {
            let lists = fake.count("ListPipelineExecutions");
            update(stack, &wanted).await.assert_success();
            assert_executions(fake, &[("commit-1", "InProgress")]);
            assert_eq!(fake.count("ListPipelineExecutions"), lists);
        });
    }
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
        fake_aws::figure!(
            "canceled executions: {calls} calls of a health check without one, {} of one that starts it",
            calls_of(fake, "check")
        );
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
            fake.change(|aws| {
                let pipeline = aws.pipelines.get_mut(PIPELINE).expect("the pipeline");
                pipeline.executions[0].status = status;
            });
            update(stack, &approving()).await.assert_success();
            check_health(fake, "check").await;
            assert_executions(fake, &[("commit-1", status)]);
        });
    }
}

#[test]
fn execution_canceled_in_the_console_is_not_started() {
    in_project(waiting(Options::default()), async |fake, stack| {
        fake.change(|aws| {
            let now = aws.now;
            let pipeline = aws.pipelines.get_mut(PIPELINE).expect("the pipeline");
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
        let last = ("commit-1", "InProgress");
        assert_executions(fake, &[CANCELED[0], CANCELED[0], last]);
    });
    // The child stack fails after it has updated the pipeline.
    in_project(waiting(Options::default()), async |fake, stack| {
        let role = "arn:aws:iam::123456789012:role/role-dev-events";
        let wanted = with(approving(), "EventRoleArn", json!(role));
        fake.fail_resource("EventRule", ResourceAction::Update, "no such role", 1);
        let answer = update(stack, &wanted).await;
        assert!(!answer.is_success());
        let was_updated = fake.look(|aws| {
            let events = &aws.stacks.named(CHILD).expect("the stack").events;
            events.iter().any(|event| {
                event.kind.ends_with("::Pipeline") && event.status == "UPDATE_COMPLETE"
            })
        });
        assert!(was_updated);
        assert_executions(fake, AGAIN);
    });
}

#[test]
fn newer_push_is_not_overtaken() {
    let mut times = 0;
    for action in [Duration::ZERO, Duration::from_secs(3), LONG_ACTION] {
        for after in (0..14_000).step_by(400) {
            let options = Options {
                actions_take: action,
                ..Options::default()
            };
            in_project(waiting(options), async |fake, stack| {
                let pushing = fake.clone();
                let other = tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(after)).await;
                    push(&pushing, REPOSITORY, "commit-2", "second").await;
                });
                update(stack, &approving()).await.assert_success();
                other.await.expect("no panic in a push");
                tokio::time::sleep(LONG_ACTION).await;
                for name in ["check", "later check"] {
                    check_health(fake, name).await;
                }
                let context = format!("a push after {after} ms");
                let found = executions(fake);
                let (commit, status) = found.last().expect("an execution");
                assert_eq!(
                    (&**commit, *status),
                    ("commit-2", "InProgress"),
                    "{context}"
                );
                let running = found.iter().filter(|(_, status)| *status == "InProgress");
                assert!(running.count() <= 2, "{context}");
                assert!(found.len() <= 4, "{context}");
            });
            times += 1;
        }
    }
    fake_aws::figure!("canceled executions: a push at {times} times of an update");
}

#[test]
fn commit_that_is_no_longer_the_head_is_not_started() {
    for delete in [true, false] {
        in_project(updated_during_an_action(), async |fake, _| {
            tokio::time::sleep(LONG_ACTION).await;
            fake.change(|aws| {
                let held = aws
                    .repositories
                    .get_mut(REPOSITORY)
                    .expect("the repository");
                if delete {
                    held.branches.clear();
                } else {
                    held.push(BRANCH, "commit-2");
                }
            });
            check_health(fake, "check").await;
            // The later push has no execution.
            let later = [CANCELED[0], ("commit-2", "InProgress")];
            assert_executions(fake, if delete { CANCELED } else { &later });
        });
    }
}

#[test]
fn paths_decide_whether_a_later_head_is_another_push() {
    let files = [("shop/a", "1"), ("docs/a", "1")];
    for (later, is_started) in [
        ([("shop/a", "1"), ("docs/a", "2")], true),
        ([("shop/a", "2"), ("docs/a", "1")], false),
    ] {
        in_account(async |fake, stack| {
            let paths = json!({"Paths": {"Includes": ["shop/**"]}});
            stack
                .create(&with(properties(), "Source", paths.clone()))
                .await
                .assert_success();
            let reactions = fake.push_files(REPOSITORY, BRANCH, "commit-1", &files);
            deliver_events(fake, &reactions, "first").await;
            // EventBridge loses the event of a matching push. The update does not replace it, but
            // the health check does.
            fake.push_files(REPOSITORY, BRANCH, "commit-2", &later);
            update(stack, &with(approving(), "Source", paths))
                .await
                .assert_success();
            let again = [CANCELED[0], ("commit-2", "InProgress")];
            assert_executions(fake, &again[..=usize::from(is_started)]);
            check_health(fake, "check").await;
            assert_executions(fake, &again);
        });
    }
}

#[test]
fn commit_of_another_account_is_started_if_it_can_be_looked_up() {
    for (is_denied, expected) in [(false, AGAIN), (true, CANCELED)] {
        in_account(async |fake, stack| {
            fake.repository_in_other_account(REPOSITORY);
            fake.push_in_other_account(REPOSITORY, BRANCH, "commit-1");
            stack.create(&cross_account()).await.assert_success();
            tokio::time::sleep(Duration::from_mins(2)).await;
            if is_denied {
                fake.deny("sts:AssumeRole", "");
            }
            let approval = json!({"CustomData": "Look"});
            update(stack, &with(cross_account(), "Approval", approval))
                .await
                .assert_success();
            check_health(fake, "check").await;
            assert_executions(fake, expected);
            fake.allow();
        });
    }
}
