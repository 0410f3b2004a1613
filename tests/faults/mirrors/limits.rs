//! The effects of GitLab's limits, outages and slowness: projects without commits, no free
//! place, pushes that take longer than the function's timeout.

use std::time::Duration;

use serde_json::json;

use crate::checks::{self, Watch};
use crate::fixture::{
    PROJECT, REPOSITORY, SECRET, fake, in_account, in_account_with, mirror, properties, rotation,
    serial, stack, with,
};
use fake_aws::explore::paused;
use fake_aws::request::Service;
use fake_aws::{EmptyProjects, FakeAws, Options};
use fake_aws::{FaultKind, On};
use test_support::Rotated;

#[test]
fn project_without_commits_counts_as_synced() {
    for way in [
        EmptyProjects::NeverRun,
        EmptyProjects::Fail,
        EmptyProjects::LookDisabled,
    ] {
        paused(async {
            let mut options = Options::default();
            options.gitlab.empty_projects = way;
            let fake = fake(options);
            fake.change(|aws| {
                let project = aws.gitlab.project_mut(PROJECT);
                project.branches.clear();
                project.commits.clear();
            });
            let mut stack = stack(&fake);
            let created = stack.create(&properties()).await;
            assert!(created.is_success(), "{way:?}: {created:?}");
            tokio::time::sleep(Duration::from_mins(10)).await;
            let watch = Watch::begin(&fake);
            watch.expect(checks::pairs(&properties()));
            fake.push_to_gitlab(PROJECT, "main", "the first");
            tokio::time::sleep(Duration::from_mins(10)).await;
            let arrived = fake.look(|aws| {
                aws.codecommit.repositories[REPOSITORY]
                    .branches
                    .contains_key("main")
            });
            assert!(arrived, "{way:?}");
            let again = stack.update(&properties(), None).await;
            assert!(again.is_success(), "{way:?}: {again:?}");
            fake.assert_unbroken();
        });
    }
}

#[test]
fn create_without_wait_ends_before_the_push() {
    let options = Options {
        sync_takes: Duration::from_mins(30),
        ..Options::default()
    };
    in_account_with(options, async |fake, stack, _| {
        let mut unawaited = mirror(PROJECT, REPOSITORY);
        unawaited["WaitForSync"] = json!("false");
        let properties = with(properties(), "Mirrors", json!([unawaited]));
        stack.create(&properties).await.assert_success();
        assert!(fake.now().duration_since(fake.began()).unwrap() < Duration::from_mins(1));
        assert!(fake.look(|aws| aws.codecommit.repositories[REPOSITORY].branches.is_empty()));
        tokio::time::sleep(Duration::from_mins(31)).await;
        let branches = || {
            let branches =
                fake.look(|aws| aws.codecommit.repositories[REPOSITORY].branches.clone());
            branches.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(branches(), ["development", "main"]);
        fake.options(|options| options.sync_takes = Duration::from_secs(3));
        let of_regex = json!([{
            "GitLabProject": PROJECT, "RepositoryName": REPOSITORY,
            "BranchRegex": "^main$|^feature$", "RequiredBranches": ["feature"],
        }]);
        let properties = with(properties, "Mirrors", of_regex);
        stack.update(&properties, None).await.assert_success();
        fake.push_to_gitlab(PROJECT, "feature", "second-of-feature");
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert_eq!(branches(), ["development", "feature", "main"]);
    });
}

#[test]
fn branch_regex_fails_on_a_gitlab_that_ignores_it() {
    paused(async {
        let mut options = Options::default();
        options.gitlab.premium = false;
        let fake = fake(options);
        let of_regex = json!([{
            "GitLabProject": PROJECT, "RepositoryName": REPOSITORY, "BranchRegex": "^main$",
        }]);
        let answer = stack(&fake)
            .create(&with(properties(), "Mirrors", of_regex))
            .await;
        answer.assert_reason(["BranchRegex"]);
        fake.assert_holds(checks::nothing_remains);
        let pushed = fake.look(|aws| aws.codecommit.repositories[REPOSITORY].branches.len());
        assert_eq!(pushed, 0, "nothing that was not asked for is pushed");
        fake.assert_unbroken();
    });
}

#[test]
fn rotation_without_a_free_place_fails_and_keeps_the_login() {
    in_account(async |fake, stack, rotation| {
        stack.create(&properties()).await.assert_success();
        for number in fake.mirrors(PROJECT).len()..10 {
            let url = format!("https://example.com/{number}");
            fake.manual_mirror(PROJECT, &url, None, true);
        }
        let watch = Watch::begin(fake);
        watch.expect(checks::pairs(&properties()));
        let Rotated::Failed { reason, .. } = rotation.rotate().await else {
            panic!("there was a place");
        };
        assert!(reason.contains("Maximum number"), "{reason}");
        fake.assert_holds(|aws| checks::at_rest(aws, &properties(), false));
        fake.change(|aws| {
            let mirrors = aws.gitlab.project_mut(PROJECT).mirrors.values_mut();
            let last = mirrors.filter(|mirror| !mirror.is_ours()).last();
            last.expect("a handmade one").enabled = false;
        });
        // For as long as an invocation, an open claim looks like a peer's.
        tokio::time::sleep(Duration::from_mins(30)).await;
        assert_eq!(rotation.rotate().await, Rotated::Finished);
    });
}

#[test]
fn eleventh_mirror_of_an_older_gitlab_is_enabled() {
    paused(async {
        let mut options = Options::default();
        options.gitlab.enabled_mirrors_limit = None;
        let fake = fake(options);
        for number in 0..12 {
            let url = format!("https://example.com/{number}");
            fake.manual_mirror(PROJECT, &url, None, true);
        }
        let (mut stack, mut rotation) = (stack(&fake), rotation(&fake));
        stack.create(&properties()).await.assert_success();
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        fake.assert_unbroken();
    });
}

/// The repository's content.
fn branches(fake: &FakeAws) -> Vec<String> {
    let branches = fake.look(|aws| aws.codecommit.repositories[REPOSITORY].branches.clone());
    branches.into_keys().collect()
}

/// A push is in progress, and the process that pushes is killed.
async fn kill_a_push(fake: &FakeAws) {
    tokio::time::sleep(Duration::from_mins(10)).await;
    fake.push_to_gitlab(PROJECT, "main", "cut off");
    fake.kill_sidekiq(PROJECT);
}

#[test]
fn killed_mirror_is_replaced_by_an_update() {
    for (age, waits) in [
        (Duration::from_hours(2), false),
        (Duration::from_mins(1), true),
    ] {
        in_account(async |fake, stack, _| {
            stack.create(&properties()).await.assert_success();
            let old = fake.look(checks::our_mirrors);
            kill_a_push(fake).await;
            tokio::time::sleep(age).await;
            let began = fake.now();
            let updated = stack.update(&serial(&properties(), 2), None).await;
            updated.assert_success();
            assert!(updated.note().contains("a push under way since"));
            let took = fake.now().duration_since(began).expect("later");
            assert_eq!(took > Duration::from_mins(2), waits, "{took:?}");
            let new = fake.look(checks::our_mirrors);
            assert!(new.len() == 1 && new != old, "{new:?}");
            fake.mirrors_work(PROJECT, REPOSITORY).expect("it pushes");
            stack.delete().await.assert_success();
            fake.assert_holds(checks::nothing_remains);
        });
    }
}

#[test]
fn killed_mirror_is_replaced_by_a_rotation() {
    for age in [Duration::from_hours(2), Duration::from_mins(1)] {
        in_account(async |fake, stack, rotation| {
            stack.create(&properties()).await.assert_success();
            kill_a_push(fake).await;
            tokio::time::sleep(age).await;
            assert_eq!(rotation.rotate().await, Rotated::Finished);
            assert_eq!(fake.look(checks::our_mirrors).len(), 1);
            fake.mirrors_work(PROJECT, REPOSITORY).expect("it pushes");
        });
    }
}

#[test]
fn regex_without_a_branch_fails_before_anything_is_pushed() {
    paused(async {
        let fake = fake(Options::default());
        let of_regex = json!([{
            "GitLabProject": PROJECT, "RepositoryName": REPOSITORY, "BranchRegex": "^release$",
        }]);
        let asked = with(properties(), "Mirrors", of_regex);
        let created = stack(&fake).create(&asked).await;
        created.assert_reason(["would push every branch", "BranchRegex \"^release$\""]);
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert_eq!(branches(&fake), Vec::<String>::new());
        fake.assert_holds(checks::nothing_remains);
        fake.assert_unbroken();
    });
}

#[test]
fn protection_removed_during_a_create_fails_it() {
    let options = Options {
        login_late: Duration::from_secs(20),
        ..Options::default()
    };
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
        assert_eq!(branches(fake), Vec::<String>::new());
        fake.assert_holds(checks::nothing_remains);
    });
}

#[test]
fn update_and_rotation_of_an_unprotected_project_push_nothing() {
    in_account(async |fake, stack, rotation| {
        let mirrors = json!([{"GitLabProject": PROJECT, "RepositoryName": REPOSITORY}]);
        let properties = with(properties(), "Mirrors", mirrors);
        stack.create(&properties).await.assert_success();
        fake.protect(PROJECT, &[]);
        fake.protect_by_group(PROJECT, &["main"]);
        let again = stack.update(&properties, None).await;
        again.assert_success();
        assert!(again.note().contains("would push every branch"));
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert_eq!(branches(fake), ["development", "main"]);
        let refused = stack.update(&serial(&properties, 2), None).await;
        refused.assert_reason(["would push every branch"]);
        fake.protect(PROJECT, &["main"]);
        stack
            .update(&serial(&properties, 2), None)
            .await
            .assert_success();
        assert_eq!(branches(fake), ["development", "main"]);
    });
}

#[test]
fn lfs_objects_are_named_in_the_answer() {
    paused(async {
        let fake = fake(Options::default());
        fake.change(|aws| aws.gitlab.project_mut(PROJECT).lfs_objects_size = 4096);
        let created = stack(&fake).create(&properties()).await;
        created.assert_success();
        let expected = format!("project {PROJECT} has 4096 bytes of Git LFS objects");
        assert!(created.note().contains(&expected), "{created:?}");
        fake.assert_unbroken();
    });
}

#[test]
fn rotation_waits_minutes_for_gitlab_and_is_pending_after_hours() {
    for (minutes, is_outlasted) in [(2, true), (180, false)] {
        in_account(async |fake, stack, rotation| {
            stack.create(&properties()).await.assert_success();
            let watch = Watch::begin(fake);
            watch.expect(checks::pairs(&properties()));
            fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost);
            let repair = async {
                tokio::time::sleep(Duration::from_mins(minutes)).await;
                fake.mend();
            };
            let (rotated, ()) = tokio::join!(rotation.rotate(), repair);
            let context = format!("{minutes} minutes: {rotated:?}");
            assert_eq!(rotated == Rotated::Finished, is_outlasted, "{context}");
            assert_eq!(rotation.is_pending(), !is_outlasted, "{context}");
            assert_eq!(rotation.come_due().await, Rotated::Finished, "{context}");
            fake.assert_holds_in(&context, |aws| checks::at_rest(aws, &properties(), true));
        });
    }
}

#[test]
fn push_longer_than_the_deadline_fails_and_leaves_nothing() {
    paused(async {
        let fake = fake(Options {
            sync_takes: Duration::from_mins(40),
            ..Options::default()
        });
        let created = stack(&fake).create(&properties()).await;
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
        fake.assert_unbroken();
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
fn update_with_unreachable_gitlab_fails_and_breaks_nothing() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        let watch = Watch::begin(fake);
        watch.expect(checks::pairs(&properties()));
        fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost);
        let next = serial(&properties(), 2);
        let update = stack.request("Update", Some(SECRET), &next, Some(&properties()));
        let failed = stack.deliver(&update).await;
        failed.assert_reason(["GitLab did not respond"]);
        let back = stack.request("Update", Some(SECRET), &properties(), Some(&next));
        let _ = stack.deliver(&back).await;
        fake.mend();
        fake.assert_holds(|aws| checks::at_rest(aws, &properties(), false));
        stack.update(&next, None).await.assert_success();
    });
}
