//! The repair of the pipeline's own stack whose response is lost.

use std::time::Duration;

use cfn_gitops::health_check::SelfRepair;

use crate::checks::is_drifted;
use crate::fixture::{CHILD, check_health_with, in_account};
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
