//! The pushes of GitLab's mirrors: times, references and results.

use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

use super::gitlab::{Asking, PROJECT, REPOSITORY, URL};
use fake_aws::EmptyProjects;

impl Asking {
    async fn enabled(&self, more: Value) -> u64 {
        let mut body = json!({"url": self.login_url(), "enabled": true});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.mirror(body).await
    }

    async fn sync(&self, mirror: u64) -> u16 {
        let path = format!("/remote_mirrors/{mirror}/sync");
        self.ask("POST", &path, None).await.status
    }

    async fn status(&self, mirror: u64) -> String {
        self.look(mirror).await["update_status"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The commit of a branch in `CodeCommit`.
    fn commit(&self, branch: &str) -> Option<String> {
        let fake = &self.fake;
        fake.look(|aws| {
            aws.codecommit.repositories[REPOSITORY]
                .branches
                .get(branch)
                .cloned()
        })
    }

    fn withdraw_all(&self) {
        self.fake.change(|aws| {
            let (now, held) = (aws.now, aws.credentials("mirror"));
            for credential in held {
                let gone = |iam: &mut fake_aws::iam::Iam| iam.withdraw("mirror", &credential.id);
                aws.iam.change(now, gone).unwrap();
            }
        });
    }
}

async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn sync_takes_its_time_and_leaves_its_time() {
    let gitlab = Asking::new();
    let mirror = gitlab.enabled(json!({})).await;
    assert_eq!(gitlab.sync(mirror).await, 204);
    assert_eq!(gitlab.status(mirror).await, "started");
    assert_eq!(gitlab.commit("main"), None);
    seconds(4).await;
    let look = gitlab.look(mirror).await;
    assert_eq!(look["update_status"], "finished");
    assert_eq!(look["last_update_started_at"], "2026-11-20T12:00:00Z");
    assert_eq!(look["last_successful_update_at"], "2026-11-20T12:00:03Z");
    assert_eq!(gitlab.commit("main").unwrap(), "first-of-main");
    assert_eq!(gitlab.commit("feature").unwrap(), "first-of-feature");
    gitlab.fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn disabled_mirror_is_not_synced_and_not_pushed_to() {
    let gitlab = Asking::new();
    let mirror = gitlab.enabled(json!({"enabled": false})).await;
    assert_eq!(gitlab.sync(mirror).await, 400);
    gitlab.fake.push_to_gitlab(PROJECT, "main", "second");
    seconds(600).await;
    assert_eq!(gitlab.status(mirror).await, "none");
    assert_eq!(gitlab.commit("main"), None);
    assert!(gitlab.fake.mirrors_work(PROJECT, REPOSITORY).is_err());
}

#[tokio::test(start_paused = true)]
async fn push_runs_mirrors_once_a_minute_or_once_in_five() {
    for (protected, delay) in [(true, 60), (false, 300)] {
        let gitlab = Asking::new();
        gitlab
            .enabled(json!({"only_protected_branches": protected}))
            .await;
        gitlab.fake.push_to_gitlab(PROJECT, "main", "second");
        seconds(4).await;
        assert_eq!(gitlab.commit("main").unwrap(), "second");
        gitlab.fake.push_to_gitlab(PROJECT, "main", "third");
        gitlab.fake.push_to_gitlab(PROJECT, "main", "fourth");
        seconds(delay - 1).await;
        assert_eq!(gitlab.commit("main").unwrap(), "second");
        seconds(5).await;
        assert_eq!(gitlab.commit("main").unwrap(), "fourth");
        assert_eq!(gitlab.fake.look(|aws| aws.gitlab.jobs.len()), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn mirror_pushes_the_selected_branches() {
    for (settings, main, feature) in [
        (json!({"only_protected_branches": true}), true, false),
        (
            json!({"mirror_branch_regex": "^fea.*e$|^nothing"}),
            false,
            true,
        ),
        (json!({"mirror_branch_regex": "ai"}), true, false),
        // Gitaly treats an empty list as every branch.
        (json!({"mirror_branch_regex": "^nothing$"}), true, true),
        (json!({}), true, true),
    ] {
        let gitlab = Asking::new();
        let mirror = gitlab.enabled(settings.clone()).await;
        gitlab.sync(mirror).await;
        seconds(4).await;
        assert_eq!(gitlab.commit("main").is_some(), main, "{settings}");
        assert_eq!(gitlab.commit("feature").is_some(), feature, "{settings}");
        assert_eq!(gitlab.status(mirror).await, "finished");
    }
}

#[tokio::test(start_paused = true)]
async fn mirror_without_own_protected_branch_pushes_all() {
    let pushes_feature = |own: &'static [&'static str], groups: &'static [&'static str]| async move {
        let gitlab = Asking::new();
        gitlab.fake.protect(PROJECT, own);
        gitlab.fake.protect_by_group(PROJECT, groups);
        let mirror = gitlab
            .enabled(json!({"only_protected_branches": true}))
            .await;
        gitlab.sync(mirror).await;
        seconds(4).await;
        assert_eq!(gitlab.status(mirror).await, "finished");
        gitlab.commit("feature").is_some()
    };
    assert!(pushes_feature(&["f*ure"], &[]).await);
    assert!(!pushes_feature(&["f*e-2"], &[]).await);
    assert!(!pushes_feature(&["main"], &["feature"]).await);
    assert!(pushes_feature(&[], &["main"]).await);
    assert!(pushes_feature(&[], &[]).await);
}

#[tokio::test(start_paused = true)]
async fn killed_push_stays_started_until_a_later_push() {
    for (has_ended_before, lease) in [(true, 3600), (false, 3 * 3600)] {
        let gitlab = Asking::new();
        let mirror = gitlab
            .enabled(json!({"only_protected_branches": true}))
            .await;
        if has_ended_before {
            gitlab.sync(mirror).await;
            seconds(120).await;
        }
        gitlab.fake.push_to_gitlab(PROJECT, "main", "second");
        assert_eq!(gitlab.status(mirror).await, "started");
        gitlab.fake.kill_sidekiq(PROJECT);
        seconds(10).await;
        // A sync answers, and does nothing.
        assert_eq!(gitlab.sync(mirror).await, 204);
        assert_eq!(gitlab.fake.look(|aws| aws.gitlab.jobs.len()), 0);
        // A push waits for the lease.
        gitlab.fake.push_to_gitlab(PROJECT, "main", "third");
        seconds(lease - 60).await;
        assert_eq!(gitlab.status(mirror).await, "started");
        assert_ne!(gitlab.commit("main").as_deref(), Some("third"));
        seconds(600).await;
        assert_eq!(gitlab.status(mirror).await, "finished");
        assert_eq!(gitlab.commit("main").as_deref(), Some("third"));
    }
}

#[tokio::test(start_paused = true)]
async fn push_after_the_lease_marks_a_killed_push_as_failed() {
    let gitlab = Asking::new();
    let mirror = gitlab
        .enabled(json!({"only_protected_branches": true}))
        .await;
    gitlab.sync(mirror).await;
    gitlab.fake.kill_sidekiq(PROJECT);
    seconds(24 * 3600).await;
    assert_eq!(gitlab.status(mirror).await, "started");
    gitlab
        .fake
        .options(|options| options.sync_takes = Duration::from_secs(5));
    gitlab.fake.change(|aws| {
        let mirrors = &mut aws.gitlab.project_mut(PROJECT).mirrors;
        mirrors.get_mut(&mirror).expect("a mirror").enabled = false;
    });
    // No mirror of the project is enabled: nothing corrects it.
    gitlab.fake.push_to_gitlab(PROJECT, "main", "second");
    assert_eq!(gitlab.status(mirror).await, "started");
    gitlab.fake.change(|aws| {
        let mirrors = &mut aws.gitlab.project_mut(PROJECT).mirrors;
        mirrors.get_mut(&mirror).expect("a mirror").enabled = true;
    });
    gitlab.fake.push_to_gitlab(PROJECT, "main", "third");
    seconds(10).await;
    assert_eq!(gitlab.status(mirror).await, "finished");
    assert_eq!(gitlab.commit("main").as_deref(), Some("third"));
}

#[tokio::test(start_paused = true)]
async fn failed_push_is_tried_three_times_more() {
    let gitlab = Asking::new();
    let mirror = gitlab
        .enabled(json!({"only_protected_branches": true}))
        .await;
    gitlab.withdraw_all();
    gitlab.sync(mirror).await;
    let mut seen = vec![];
    for _ in 0..4 {
        seen.push(gitlab.status(mirror).await);
        seconds(60).await;
    }
    assert_eq!(seen, ["to_retry", "to_retry", "to_retry", "failed"]);
    let look = gitlab.look(mirror).await;
    assert_eq!(look["last_update_at"], "2026-11-20T12:03:00Z");
    assert_eq!(look["last_successful_update_at"], Value::Null);
    let error = look["last_error"].as_str().unwrap();
    assert!(
        error.contains("Authentication failed for 'https://*****:*****@"),
        "{error}"
    );
    let failed = gitlab.fake.look(|aws| aws.failed_pushes.clone());
    assert_eq!(failed.len(), 4);
    assert_eq!(failed[0].repository.as_deref(), Some(REPOSITORY));
    assert_eq!(failed[0].made_by, "test");
    seconds(3600).await;
    assert_eq!(gitlab.fake.look(|aws| aws.failed_pushes.len()), 4);
    let told = gitlab.fake.transcript();
    assert_eq!(gitlab.fake.secret_in(&told), None);
    gitlab
        .fake
        .options(|options| options.gitlab.errors_show_the_login = true);
    gitlab.sync(mirror).await;
    let shown = gitlab.look(mirror).await.to_string();
    assert!(gitlab.fake.secret_in(&shown).is_some());
}

#[tokio::test(start_paused = true)]
async fn login_deleted_during_a_push_stops_the_push() {
    let gitlab = Asking::new();
    let mirror = gitlab.enabled(json!({})).await;
    gitlab.sync(mirror).await;
    seconds(1).await;
    gitlab.withdraw_all();
    seconds(3).await;
    assert_eq!(gitlab.status(mirror).await, "to_retry");
    assert_eq!(gitlab.commit("main"), None);
    assert_eq!(gitlab.fake.look(|aws| aws.failed_pushes.len()), 1);
}

#[tokio::test(start_paused = true)]
async fn push_survives_the_deletion_of_its_mirror() {
    let gitlab = Asking::new();
    let mirror = gitlab.enabled(json!({})).await;
    gitlab.sync(mirror).await;
    let path = format!("/remote_mirrors/{mirror}");
    assert_eq!(gitlab.ask("DELETE", &path, None).await.status, 204);
    seconds(4).await;
    assert_eq!(gitlab.commit("main").unwrap(), "first-of-main");
    let mirror = gitlab.enabled(json!({})).await;
    gitlab.sync(mirror).await;
    gitlab
        .ask("DELETE", &format!("/remote_mirrors/{mirror}"), None)
        .await;
    gitlab.withdraw_all();
    seconds(4).await;
    assert_eq!(gitlab.fake.look(|aws| aws.failed_pushes.len()), 1);
}

#[tokio::test(start_paused = true)]
async fn push_during_a_run_starts_another_sync_does_not() {
    let gitlab = Asking::new();
    gitlab
        .fake
        .options(|options| options.sync_takes = Duration::from_secs(100));
    let mirror = gitlab
        .enabled(json!({"only_protected_branches": true}))
        .await;
    gitlab.sync(mirror).await;
    assert_eq!(gitlab.status(mirror).await, "started");
    assert_eq!(gitlab.sync(mirror).await, 204);
    assert_eq!(gitlab.fake.look(|aws| aws.gitlab.jobs.len()), 0);
    seconds(10).await;
    gitlab.fake.push_to_gitlab(PROJECT, "main", "second");
    // It is due after 70 seconds, waits for the first, and needs its own time.
    seconds(95).await;
    assert_eq!(gitlab.commit("main").unwrap(), "first-of-main");
    seconds(120).await;
    assert_eq!(gitlab.commit("main").unwrap(), "second");
}

#[tokio::test(start_paused = true)]
async fn push_without_permission_or_repository_fails() {
    let gitlab = Asking::new();
    let mirror = gitlab.enabled(json!({})).await;
    gitlab.fake.take_git_push("mirror");
    gitlab.sync(mirror).await;
    let error = gitlab.look(mirror).await["last_error"].to_string();
    assert!(error.contains("error: 403"), "{error}");

    let gitlab = Asking::new();
    let url = gitlab.login_url().replace("repos/infra", "repos/none");
    let mirror = gitlab.mirror(json!({"url": url, "enabled": true})).await;
    gitlab.sync(mirror).await;
    let error = gitlab.look(mirror).await["last_error"].to_string();
    assert!(error.contains("not found"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn empty_project_is_never_mirrored_in_any_of_three_ways() {
    for (way, sync, status) in [
        (EmptyProjects::NeverRun, 204, "none"),
        (EmptyProjects::Fail, 204, "to_retry"),
        (EmptyProjects::LookDisabled, 400, "none"),
    ] {
        let gitlab = Asking::new();
        gitlab
            .fake
            .options(|options| options.gitlab.empty_projects = way);
        gitlab.fake.change(|aws| {
            let project = aws.gitlab.project_mut(PROJECT);
            project.branches.clear();
            project.protected.clear();
        });
        let body = gitlab.ask("GET", "", None).await.body;
        assert_eq!(body["empty_repo"], true);
        let mirror = gitlab
            .enabled(json!({"only_protected_branches": true}))
            .await;
        assert_eq!(gitlab.sync(mirror).await, sync);
        seconds(4).await;
        let look = gitlab.look(mirror).await;
        assert_eq!(look["update_status"], status);
        assert_eq!(look["last_successful_update_at"], Value::Null);
        // The first push makes it like any other project.
        gitlab.fake.push_to_gitlab(PROJECT, "main", "first");
        seconds(120).await;
        assert_eq!(gitlab.commit("main").unwrap(), "first", "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn diverged_refs_are_overwritten_unless_kept() {
    for keep in [false, true] {
        let gitlab = Asking::new();
        gitlab.fake.push(REPOSITORY, "main", "theirs");
        let mirror = gitlab.enabled(json!({"keep_divergent_refs": keep})).await;
        gitlab.sync(mirror).await;
        seconds(4).await;
        let look = gitlab.look(mirror).await;
        assert_eq!(gitlab.commit("feature").unwrap(), "first-of-feature");
        if keep {
            assert_eq!(gitlab.commit("main").unwrap(), "theirs");
            assert_eq!(look["update_status"], "failed");
            assert!(look["last_error"].to_string().contains("refs/heads/main"));
        } else {
            assert_eq!(gitlab.commit("main").unwrap(), "first-of-main");
            assert_eq!(look["update_status"], "finished");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn mirrors_work_if_one_pushes_and_none_fails() {
    let gitlab = Asking::new();
    let works = || gitlab.fake.mirrors_work(PROJECT, REPOSITORY);
    let refused = |says: &str| {
        let broken = works().expect_err("it does not work");
        assert!(broken.contains(says), "{broken}");
    };
    refused("does not reach");
    let mirror = gitlab
        .enabled(json!({"only_protected_branches": true}))
        .await;
    works().expect("a mirror that works");
    assert_eq!(gitlab.commit("main"), None, "it was only tried");
    gitlab.sync(mirror).await;
    seconds(30).await;
    works().expect("the next run is put off, and comes");
    let disable = Some(json!({"enabled": false}));
    gitlab
        .ask("PUT", &format!("/remote_mirrors/{mirror}"), disable)
        .await;
    refused("does not reach");
    let foreign = gitlab.fake.foreign_credential("mirror");
    let url = URL.replace(".com/", ".com:443/");
    gitlab
        .fake
        .manual_mirror(PROJECT, &url, Some(&foreign), true);
    refused("a foreign mirror");
    let enable = Some(json!({"enabled": true}));
    gitlab
        .ask("PUT", &format!("/remote_mirrors/{mirror}"), enable)
        .await;
    works().expect("both work");
    gitlab.withdraw_all();
    refused("Authentication failed");
    gitlab.fake.assert_unbroken();
}
