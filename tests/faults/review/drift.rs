//! The commit status of the deployed stack's drift.

use crate::checks::{Others, check_harmless};
use crate::fixture::{CHILD, DEPLOYED, PROJECT, STACK, check_health, in_account};
use fake_aws::FakeAws;
use test_support::secrecy::shows;

/// A change set that fails compares nothing.
#[test]
fn failed_comparison_shows_no_status() {
    in_account(async |fake| {
        fake.fail_next_change_set(STACK, "a hook");
        check_health(fake, "health check").await;
        assert_eq!(statuses(fake), 0);
    });
}

fn statuses(fake: &FakeAws) -> usize {
    fake.look(|aws| {
        let records = &aws.gitlab.named(PROJECT).records;
        records.current(DEPLOYED, "cfn-gitops/dev/shop/drift").len()
    })
}

/// `Report.Drift`
#[test]
fn drift_without_its_status_is_only_a_metric() {
    for is_wanted in [true, false] {
        in_account(async |fake| {
            fake.drift(STACK, "Orders", "MODIFIED");
            fake.arrange(|aws| {
                let now = aws.now;
                let child = aws.stacks.named_mut(CHILD).expect("the pipeline's stack");
                let settings = child.outputs.get_mut("Reporting").expect("settings");
                assert!(settings.contains(r#""Drift":true"#), "{settings}");
                *settings = settings.replace(r#""Drift":true"#, &format!(r#""Drift":{is_wanted}"#));
                child.arrange("UPDATE_COMPLETE", None, None, now);
            });
            let others = Others::of(fake);
            check_health(fake, "health check").await;
            assert!(shows(r#""DriftedResources":1"#));
            check_harmless(fake, &others);
            assert_eq!(statuses(fake), usize::from(is_wanted));
        });
    }
}
