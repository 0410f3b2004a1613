//! The effects of GitLab's limits, outages and slowness: projects without commits, no free
//! place, pushes that take longer than the function's timeout.

use std::time::Duration;

use serde_json::json;

use crate::checks::{self, Watch};
use crate::fixture::{
    PROJECT, REPOSITORY, in_account, in_account_with, mirror, options, properties, with,
};
use fake_aws::request::Service;
use fake_aws::{FaultKind, On};
use test_support::Rotated;

#[test]
fn protection_removed_during_a_create_fails_it() {
    let options = options(|options| options.login_late = Duration::from_secs(20));
    in_account_with(options, async |fake, stack, _| {
        let unprotect = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert!(!fake.look(checks::our_mirrors).is_empty(), "not made yet");
            fake.protect(PROJECT, &[]);
        };
        let properties = properties();
        let (created, ()) = tokio::join!(stack.create(&properties), unprotect);
        created.assert_reason(["would push every branch"]);
        tokio::time::sleep(Duration::from_mins(10)).await;
        fake.look(|aws| assert!(aws.codecommit.repositories[REPOSITORY].branches.is_empty()));
        fake.assert_holds(checks::nothing_remains);
    });
}

#[test]
fn rotation_waits_minutes_for_gitlab() {
    in_account(async |fake, stack, rotation| {
        stack.create(&properties()).await.assert_success();
        let watch = Watch::begin(fake);
        watch.expect(checks::pairs(&properties()));
        fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost);
        let repair = async {
            tokio::time::sleep(Duration::from_mins(2)).await;
            fake.mend();
        };
        let (rotated, ()) = tokio::join!(rotation.rotate(), repair);
        assert_eq!(rotated, Rotated::Finished);
        fake.assert_holds(|aws| checks::at_rest(aws, &properties(), true));
    });
}

#[test]
fn push_longer_than_the_deadline_fails_and_leaves_nothing() {
    let options = options(|options| options.sync_takes = Duration::from_mins(40));
    in_account_with(options, async |fake, stack, _| {
        let created = stack.create(&properties()).await;
        created.assert_reason(["push mirror", PROJECT]);
        let journal = fake.journal();
        let of = |operation: &str| {
            let calls = journal.iter().filter(|call| call.operation == operation);
            calls.map(|call| call.at).collect::<Vec<_>>()
        };
        // All of the twelve minutes are used.
        let (synced, polls) = (of("GitLab.SyncMirror")[0], of("GitLab.GetMirror"));
        let waited = polls.last().expect("a poll").saturating_sub(synced);
        assert_eq!(waited.as_secs(), 12 * 60, "{waited:?}");
        tokio::time::sleep(Duration::from_hours(2)).await;
        fake.assert_holds(checks::nothing_remains);
    });
}

#[test]
fn project_can_be_named_by_its_id() {
    in_account(async |fake, stack, rotation| {
        let number = fake.look(|aws| aws.gitlab.named(PROJECT).id);
        let mirrors = json!([mirror(&number.to_string(), REPOSITORY)]);
        let properties = with(properties(), "Mirrors", mirrors);
        stack.create(&properties).await.assert_success();
        let watch = Watch::begin(fake);
        watch.expect(vec![(PROJECT.to_owned(), REPOSITORY.to_owned())]);
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        assert_eq!(fake.look(checks::our_mirrors).len(), 1);
        watch.expect_nothing();
        stack.delete().await.assert_success();
        fake.assert_holds(checks::nothing_remains);
    });
}

#[test]
fn slow_gitlab_leaves_a_short_delete_the_time_for_aws() {
    for (service_timeout, kind) in [
        ("20", FaultKind::RequestHangs),
        ("60", FaultKind::RequestHangs),
        ("60", FaultKind::Throttled),
    ] {
        in_account(async |fake, stack, _| {
            let short = with(properties(), "ServiceTimeout", json!(service_timeout));
            stack.create(&short).await.assert_success();
            fake.break_from_now(On::Service(Service::GitLab), kind);
            let answer = stack.delete().await;
            answer.assert_success();
            assert!(answer.note().ends_with(" - CFG-416"), "{answer:?}");
            fake.look(|aws| assert!(checks::ours(aws).is_empty()));
        });
    }
}
