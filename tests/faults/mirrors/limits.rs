//! The effects of GitLab's limits, outages and slowness: projects without commits, no free
//! place, pushes that take longer than the function's timeout.

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use crate::checks::{self, Watch};
use crate::fixture::{
    PROJECT, REPOSITORY, SECRET, in_account, in_account_with, mirror, options, properties, serial,
    with,
};
use fake_aws::request::Service;
use fake_aws::secrets::versions::{Version, VersionContent};
use fake_aws::{FakeAws, FaultKind, On, redacted};
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
        expect!["Mirrors[0]: GitLab would push every branch of project platform/team/infra, because the project itself protects none (a group's protection does not count). Protect the branches to mirror in the project (Settings, Repository, Protected branches), or set OnlyProtectedBranches to false - CFG-413"].assert_eq(&redacted(created.reason()));
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
        expect!["pushing project platform/team/infra to repository codecommit-dev-cfn-infra with push mirror 101: the push did not end in time; GitLab reports no reason; GitLab shows a push in progress since <time>. If its process was killed, push to the project after one hour, or after three hours for a mirror that never ended a push: then GitLab corrects that - CFG-415"].assert_eq(&redacted(created.reason()));
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

/// The step is the call that happened to run. The cause is the one that fails.
#[test]
fn time_limit_names_the_call_that_fails() {
    const LIST: &str = "ListServiceSpecificCredentials";
    const CREATE: &str = "CreateServiceSpecificCredential";
    let error = FaultKind::InternalError500;
    for (operation, kind, service_timeout, expected) in [
        (
            LIST,
            error,
            "20",
            "IAM ListServiceSpecificCredentials: HTTP 500 (ServiceFailure",
        ),
        (
            CREATE,
            error,
            "30",
            "IAM CreateServiceSpecificCredential: HTTP 500 (ServiceFailure",
        ),
        (
            "DescribeSecret",
            error,
            "30",
            "Secrets Manager DescribeSecret: HTTP 500 (InternalServiceError",
        ),
        (
            "ListUserTags",
            FaultKind::Throttled,
            "60",
            "IAM ListUserTags: HTTP 400 (Throttling",
        ),
        (
            "GetRepository",
            FaultKind::RequestHangs,
            "30",
            "CodeCommit GetRepository: no response, ",
        ),
        (
            "PutSecretValue",
            error,
            "40",
            "Secrets Manager PutSecretValue: HTTP 500 (InternalServiceError), ",
        ),
        (
            "TagUser",
            FaultKind::RequestLost,
            "20",
            "IAM TagUser: no response, ",
        ),
        (
            "GitLab.CreateMirror",
            FaultKind::Throttled,
            "30",
            "GitLab POST /projects/",
        ),
    ] {
        // The SDK's backoff is random.
        fastrand::seed(1);
        in_account(async |fake, stack, _| {
            let short = with(properties(), "ServiceTimeout", json!(service_timeout));
            fake.break_from_now(On::Operation(operation), kind);
            let create = stack.request("Create", None, &short, None);
            let answer = stack.deliver(&create).await;
            let reason = answer.reason();
            println!("{operation}: {reason}");
            let (_, cut) = reason.split_once(expected).expect(expected);
            assert!(
                cut.contains(" attempt") && cut.contains("; no time was left"),
                "{reason}"
            );
            assert!(fake.secret_in(reason).is_none());
            fake.mend();
        });
    }
}

/// Fills a secret with versions of this day, so that so many more fit.
fn fill(fake: &FakeAws, places: usize) {
    fake.change(|aws| {
        let now = aws.now;
        let secret = aws.secrets.get_mut(SECRET).expect("a secret");
        for number in secret.versions.len()..100 - places {
            let stages = BTreeSet::new();
            let value = VersionContent {
                text: "{}".to_owned(),
                binary: false,
            };
            let version = Version {
                value,
                stages,
                created: now,
            };
            secret.versions.insert(format!("{number:036}"), version);
        }
    });
}

/// Secrets Manager keeps each version for a day. Its quota fails an Update, and not its rollback.
#[test]
fn quota_of_versions_fails_an_update_and_not_its_rollback() {
    let mut reasons = BTreeSet::new();
    for places in 0..4 {
        in_account(async |fake, stack, _| {
            stack.create(&properties()).await.assert_success();
            fill(fake, places);
            let began = fake.now();
            // With its rollback, which succeeds.
            let answer = stack.update(&serial(&properties(), 2), None).await;
            reasons.insert(redacted(answer.reason()));
            let took = fake.now().duration_since(began).expect("a time");
            println!("{places}: {took:?}, {}", answer.reason());
            assert!(took < Duration::from_secs(60), "repeated for {took:?}");
            fake.look(|aws| checks::at_rest(aws, &properties(), false)).expect("at rest");
            tokio::time::sleep(Duration::from_hours(25)).await;
            stack.update(&serial(&properties(), 3), None).await.assert_success();
        });
    }
    expect!["storing in secret arn:aws:secretsmanager:eu-central-1:123456789012:secret:codecommit-mirror/user-dev-codecommit-mirroring-<suffix>: LimitExceededException. Deploy again tomorrow: the secret has reached its quota of versions, because it was changed too often within a day, about 25 times. Secrets Manager removes versions that are older than a day - CFG-209"].assert_eq(&Vec::from_iter(reasons).join("\n"));
}
