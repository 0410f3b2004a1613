//! The status of the drift: another account's, and none without commit statuses.

use serde_json::Value;

use crate::checks::drift_statuses;
use crate::fixture::{CHILD, PROJECT, check_health, in_account};
use fake_aws::gitlab::records::{OWN_USER, Status};
use test_support::child_settings::set_child_settings;

/// Another account with the same `EnvID` and `ProjectID` has deployed the same commit.
#[test]
fn drift_status_of_another_account_is_not_replaced() {
    in_account(async |fake| {
        check_health(fake, "health check").await;
        let own = drift_statuses(fake);
        let other = Status {
            state: "failed",
            target_url: own[0].target_url.replace("123456789012", "210987654321"),
            user: OWN_USER,
            ..own[0].clone()
        };
        fake.change(|aws| {
            let records = &mut aws.gitlab.project_mut(PROJECT).records;
            let posted = records.post_status(other.clone(), None);
            posted.expect("a new status");
        });
        check_health(fake, "second health check").await;
        let statuses = drift_statuses(fake);
        let shown = statuses.iter().map(|one| (one.state, &one.target_url));
        assert_eq!(shown.collect::<Vec<_>>(), [("failed", &other.target_url)]);
    });
}

#[test]
fn drift_has_no_status_without_commit_statuses() {
    in_account(async |fake| {
        fake.arrange(|aws| {
            let set = |settings: &mut Value| settings["Report"]["CommitStatus"] = false.into();
            set_child_settings(aws, CHILD, set);
        });
        check_health(fake, "health check").await;
        assert_eq!(drift_statuses(fake), []);
    });
}
