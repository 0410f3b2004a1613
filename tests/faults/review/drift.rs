//! The repair of the pipeline's own stack whose response is lost, and another account's statuses.

use std::time::Duration;

use cfn_gitops::health_check::SelfRepair;

use crate::checks::{drift_statuses, is_drifted};
use crate::fixture::{CHILD, PROJECT, check_health, check_health_with, in_account};
use fake_aws::gitlab::records::{OWN_USER, Status};
use fake_aws::{Fault, FaultKind, SeenTokens};
use test_support::secrecy::shows;

/// The repair begins once, and the drift is reported in each case.
#[test]
fn lost_response_of_a_repair_is_no_failed_check() {
    let cases = [
        (FaultKind::AnswerLost, SeenTokens::SameAnswer),
        (FaultKind::AnswerLost, SeenTokens::Refused),
        (FaultKind::DeniedExplicitly, SeenTokens::SameAnswer),
    ];
    for (kind, seen_tokens) in cases {
        in_account(async |fake| {
            fake.options(|options| options.seen_tokens = seen_tokens);
            fake.drift(CHILD, "ReviewRule", "MODIFIED");
            fake.inject("health check", Fault::on("ExecuteChangeSet", 0, kind));
            check_health_with(fake, "health check", SelfRepair::Repair).await;
            assert!(shows(r#""DriftedResources":1"#), "{kind:?}");
            assert!(!shows(r#""HealthCheckFailed":1"#), "{kind:?}");
            let is_denied = kind == FaultKind::DeniedExplicitly;
            assert_eq!(shows("It was not repaired: executing"), is_denied);
            assert_eq!(shows("The repair was started"), !is_denied);
            tokio::time::sleep(Duration::from_mins(1)).await;
            assert_eq!(is_drifted(fake), is_denied, "{kind:?} {seen_tokens:?}");
        });
    }
}

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
        let shown = drift_statuses(fake);
        let shown = shown.iter().map(|one| (one.state, &one.target_url));
        assert_eq!(shown.collect::<Vec<_>>(), [("failed", &other.target_url)]);
    });
}
