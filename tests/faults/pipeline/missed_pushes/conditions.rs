//! The conditions under which the health check starts a missed push.

use std::time::Duration;

use serde_json::json;

use super::{assert_commits, check_health, deployed, deployed_with, end_executions, lose_push};
use crate::fixture::{
    BRANCH, PIPELINE, REPOSITORY, cross_account, in_account, in_project, properties, with,
};

const EVENT_RULE: &str = "event-rule-dev-codepipeline-exec-cfn-shop";

#[test]
fn lost_event_of_a_later_push_is_deployed() {
    in_project(deployed(), async |fake, _| {
        lose_push(fake, "commit-2");
        check_health(fake, "check").await;
        assert_commits(fake, &["commit-1", "commit-2"]);
        end_executions(fake, "Succeeded");
        check_health(fake, "later check").await;
        assert_commits(fake, &["commit-1", "commit-2"]);
    });
}

#[test]
fn tip_that_failed_or_was_stopped_is_not_started_again() {
    for status in ["Failed", "Stopped", "Superseded", "Succeeded", "Cancelled"] {
        in_project(deployed(), async |fake, _| {
            fake.push(REPOSITORY, BRANCH, "commit-2");
            tokio::time::sleep(Duration::from_secs(10)).await;
            end_executions(fake, status);
            check_health(fake, "check").await;
            assert_commits(fake, &["commit-1", "commit-2"]);
        });
    }
}

#[test]
fn push_whose_execution_ended_while_reading_is_deployed() {
    for (status, expected) in [
        ("Cancelled", &["commit-1", "", "commit-2"][..]),
        ("Failed", &["commit-1", "", "commit-2"]),
        // A person stopped it.
        ("Stopped", &["commit-1", ""]),
    ] {
        in_project(deployed(), async |fake, _| {
            fake.push(REPOSITORY, BRANCH, "commit-2");
            tokio::time::sleep(Duration::from_secs(10)).await;
            fake.change(|aws| {
                let pipeline = aws.pipelines.get_mut(PIPELINE).expect("the pipeline");
                let execution = pipeline.executions.last_mut().expect("an execution");
                execution.revision = None;
                execution.status = status;
            });
            check_health(fake, "check").await;
            assert_commits(fake, expected);
        });
    }
}

#[test]
fn start_by_a_person_does_not_hide_a_lost_event() {
    for (started_by, expected) in [
        (
            Some("arn:aws:iam::123456789012:user/jane"),
            &["commit-1", "commit-0"][..],
        ),
        // An event of an earlier push came last.
        (None, &["commit-1", "commit-0", "commit-1"]),
    ] {
        in_project(deployed(), async |fake, _| {
            fake.change(|aws| {
                let now = aws.now;
                let pipeline = aws.pipelines.get_mut(PIPELINE).expect("the pipeline");
                let mut earlier = pipeline.executions[0].clone();
                earlier.id = "earlier".to_owned();
                earlier.revision = Some("commit-0".to_owned());
                earlier.started = now;
                if let Some(person) = started_by {
                    earlier.start_by(person);
                }
                pipeline.executions.push(earlier);
            });
            check_health(fake, "check").await;
            assert_commits(fake, expected);
        });
    }
}

#[test]
fn pipeline_without_listed_executions_is_not_started() {
    in_project(deployed(), async |fake, _| {
        fake.change(|aws| {
            let pipeline = aws.pipelines.get_mut(PIPELINE).expect("the pipeline");
            pipeline.executions.clear();
        });
        lose_push(fake, "commit-2");
        check_health(fake, "check").await;
        assert_commits(fake, &[]);
    });
}

#[test]
fn frozen_environment_counts_and_starts_nothing() {
    in_project(deployed(), async |fake, _| {
        let set = |state: &'static str| {
            fake.change(|aws| {
                let key = ("AWS::Events::Rule".to_owned(), EVENT_RULE.to_owned());
                aws.made.get_mut(&key).expect("the rule").properties["State"] = json!(state);
            });
        };
        set("DISABLED");
        lose_push(fake, "commit-2");
        for name in ["check", "later check"] {
            check_health(fake, name).await;
            assert_commits(fake, &["commit-1"]);
        }
        set("ENABLED");
        check_health(fake, "last check").await;
        assert_commits(fake, &["commit-1", "commit-2"]);
    });
}

#[test]
fn paths_decide_about_a_lost_event() {
    for (content, expected) in [("1", &["commit-1"][..]), ("2", &["commit-1", "commit-2"])] {
        let paths = json!({"Paths": {"Includes": ["shop/**"]}});
        let properties = with(properties(), "Source", paths);
        in_project(deployed_with(&properties), async |fake, _| {
            // The event is for the function, which does not get it.
            let files = [("shop/a", content), ("docs/a", "2")];
            fake.push_files(REPOSITORY, BRANCH, "commit-2", &files);
            check_health(fake, "check").await;
            assert_commits(fake, expected);
        });
    }
}

#[test]
fn lost_event_of_another_account_counts_if_it_can_be_looked_up() {
    for (is_denied, expected) in [
        (false, &["commit-1", "commit-2"][..]),
        (true, &["commit-1"]),
    ] {
        in_account(async |fake, stack| {
            fake.repository_in_other_account(REPOSITORY);
            fake.push_in_other_account(REPOSITORY, BRANCH, "commit-1");
            stack.create(&cross_account()).await.assert_success();
            tokio::time::sleep(Duration::from_mins(2)).await;
            end_executions(fake, "Succeeded");
            fake.change(|aws| {
                let held = aws.other_account.repositories.get_mut(REPOSITORY);
                held.expect("the repository").push(BRANCH, "commit-2");
            });
            if is_denied {
                fake.deny("sts:AssumeRole", "");
            }
            check_health(fake, "check").await;
            assert_commits(fake, expected);
            fake.allow();
        });
    }
}
