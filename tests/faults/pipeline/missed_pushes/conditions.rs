//! The conditions under which the health check starts a missed push.

use std::time::Duration;

use serde_json::json;

use super::{assert_commits, check_health, deployed, deployed_with, end_executions, lose_push};
use crate::fixture::{
    BRANCH, REPOSITORY, cross_account, in_account, in_project, properties, set_event_rule, with,
};

#[test]
fn frozen_environment_counts_and_starts_nothing() {
    in_project(deployed(), async |fake, _| {
        set_event_rule(fake, "DISABLED");
        lose_push(fake, "commit-2");
        for name in ["check", "later check"] {
            check_health(fake, name).await;
            assert_commits(fake, &["commit-1"]);
        }
        set_event_rule(fake, "ENABLED");
        check_health(fake, "last check").await;
        assert_commits(fake, &["commit-1", "commit-2"]);
    });
}

#[test]
fn paths_decide_about_a_lost_event() {
    for (content, expected) in [("1", &["commit-1"][..]), ("2", &["commit-1", "commit-2"])] {
        let paths = json!({"Paths": {"Includes": ["shop/**"]}});
        let wanted = with(properties(), "Source", paths);
        in_project(deployed_with(&wanted), async |fake, _| {
            // The event is for the function, which does not get it.
            let files = [("shop/a", content), ("docs/a", "2")];
            fake.push_files(REPOSITORY, BRANCH, "commit-2", &files);
            check_health(fake, "check").await;
            assert_commits(fake, expected);
        });
    }
}

#[test]
fn commit_of_another_account_is_started_if_it_can_be_looked_up() {
    for (is_denied, is_canceled, expected) in [
        (false, false, &["commit-1", "commit-2"][..]),
        (true, false, &["commit-1"]),
        (false, true, &["commit-1", "commit-1"]),
        (true, true, &["commit-1"]),
    ] {
        in_account(async |fake, stack| {
            fake.repository_in_other_account(REPOSITORY);
            fake.push_in_other_account(REPOSITORY, BRANCH, "commit-1");
            stack.create(&cross_account()).await.assert_success();
            tokio::time::sleep(Duration::from_mins(2)).await;
            if is_canceled {
                let wanted = with(cross_account(), "Approval", json!({"CustomData": "Look"}));
                stack.update(&wanted, None).await.assert_success();
                tokio::time::sleep(Duration::from_secs(10)).await;
            } else {
                end_executions(fake, "Succeeded");
                fake.change(|aws| {
                    let held = aws.other_account.repositories.get_mut(REPOSITORY);
                    held.expect("the repository").push(BRANCH, "commit-2");
                });
            }
            if is_denied {
                fake.deny("sts:AssumeRole", "");
            }
            check_health(fake, "check").await;
            assert_commits(fake, expected);
            fake.allow();
        });
    }
}
