//! The pushes of GitLab's mirrors: times, references and results.

use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

use super::gitlab::{Asking, PROJECT, REPOSITORY, URL};
use fake_aws::EmptyProjects;

impl Asking {
    async fn enabled(&self, more: Value) -> u64 {
        let mut body = json!({"url": self.login_url(), "enabled": true});
        for (name, value) in more.as_object().expect("members") {
            body[name] = value.clone();
        }
        self.mirror(body).await
    }

    /// Creates a mirror, and lets it push.
    async fn synced(&self, more: Value) -> u64 {
        let mirror = self.enabled(more).await;
        assert_eq!(self.sync(mirror).await, 204);
        seconds(4).await;
        mirror
    }

    async fn enabled_for_protected(&self) -> u64 {
        self.enabled(json!({"only_protected_branches": true})).await
    }

    async fn enable(&self, mirror: u64, is_enabled: bool) {
        let path = format!("/remote_mirrors/{mirror}");
        self.ask("PUT", &path, Some(json!({"enabled": is_enabled}))).await;
    }

    async fn sync(&self, mirror: u64) -> u16 {
        let path = format!("/remote_mirrors/{mirror}/sync");
        self.ask("POST", &path, None).await.status
    }

    async fn status(&self, mirror: u64) -> String {
        let status = &self.look(mirror).await["update_status"];
        status.as_str().expect("a status").to_owned()
    }

    async fn last_error(&self, mirror: u64) -> String {
        self.look(mirror).await["last_error"].to_string()
    }

    fn push(&self, commit: &str) {
        self.fake.push_to_gitlab(PROJECT, "main", commit);
    }

    /// The commit of a branch in `CodeCommit`. Empty if it does not exist.
    fn commit(&self, branch: &str) -> String {
        self.fake.look(|aws| {
            let held = &aws.codecommit.repositories[REPOSITORY];
            held.branches.get(branch).cloned().unwrap_or_default()
        })
    }

    fn waiting_runs(&self) -> usize {
        self.fake.look(|aws| aws.gitlab.jobs.len())
    }

    fn failed_pushes(&self) -> usize {
        self.fake.look(|aws| aws.failed_pushes.len())
    }

    fn withdraw_all(&self) {
        self.fake.change(|aws| {
            for credential in aws.credentials("mirror") {
                aws.withdraw("mirror", &credential.id);
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
    assert_eq!(gitlab.commit("main"), "");
    seconds(4).await;
    let look = gitlab.look(mirror).await;
    assert_eq!(look["update_status"], "finished");
    assert_eq!(look["last_update_started_at"], "2026-11-20T12:00:00Z");
    assert_eq!(look["last_successful_update_at"], "2026-11-20T12:00:03Z");
    assert_eq!(gitlab.commit("main"), "first-of-main");
    gitlab.fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn push_runs_mirrors_once_a_minute_or_once_in_five() {
    for (protected, delay) in [(true, 60), (false, 300)] {
        let gitlab = Asking::new();
        let settings = json!({"only_protected_branches": protected});
        gitlab.enabled(settings).await;
        gitlab.push("second");
        seconds(4).await;
        assert_eq!(gitlab.commit("main"), "second");
        gitlab.push("third");
        gitlab.push("fourth");
        seconds(delay - 1).await;
        assert_eq!(gitlab.commit("main"), "second");
        seconds(5).await;
        assert_eq!(gitlab.commit("main"), "fourth");
        assert_eq!(gitlab.waiting_runs(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn mirror_pushes_the_selected_branches() {
    let protected = json!({"only_protected_branches": true});
    // The branches that the project and its group protect, and whether `main` and `feature` arrive.
    let all = [
        (&json!({}), "main", "", [true, true]),
        (
            &json!({"mirror_branch_regex": "ea"}),
            "main",
            "",
            [false, true],
        ),
        (&protected, "f*ure", "", [false, true]),
        (&protected, "f*e-2", "", [false, false]),
        (&protected, "main", "feature", [true, false]),
        // Without a protected branch of its own, it pushes all.
        (&protected, "", "main", [true, true]),
        (&protected, "", "", [true, true]),
    ];
    for (settings, own, groups, arrives) in all {
        let gitlab = Asking::new();
        let names = |names: &'static str| names.split_whitespace().collect::<Vec<_>>();
        gitlab.fake.protect(PROJECT, &names(own));
        gitlab.fake.protect_by_group(PROJECT, &names(groups));
        let mirror = gitlab.synced(settings.clone()).await;
        assert_eq!(gitlab.status(mirror).await, "finished");
        let arrived = ["main", "feature"].map(|branch| !gitlab.commit(branch).is_empty());
        assert_eq!(arrived, arrives, "{settings} {own} {groups}");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_push_stays_started_until_a_later_push() {
    for (has_ended_before, lease) in [(true, 3600), (false, 3 * 3600)] {
        let gitlab = Asking::new();
        let mirror = gitlab.enabled_for_protected().await;
        if has_ended_before {
            gitlab.sync(mirror).await;
            seconds(120).await;
        }
        gitlab.push("second");
        assert_eq!(gitlab.status(mirror).await, "started");
        gitlab.fake.kill_sidekiq(PROJECT);
        seconds(10).await;
        // A sync answers, and does nothing.
        assert_eq!(gitlab.sync(mirror).await, 204);
        assert_eq!(gitlab.waiting_runs(), 0);
        // A push waits for the lease.
        gitlab.push("third");
        seconds(lease - 60).await;
        assert_eq!(gitlab.status(mirror).await, "started");
        assert_ne!(gitlab.commit("main"), "third");
        seconds(600).await;
        assert_eq!(gitlab.status(mirror).await, "finished");
        assert_eq!(gitlab.commit("main"), "third");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_push_of_a_disabled_mirror_is_not_corrected() {
    let gitlab = Asking::new();
    let mirror = gitlab.enabled_for_protected().await;
    gitlab.sync(mirror).await;
    gitlab.fake.kill_sidekiq(PROJECT);
    seconds(24 * 3600).await;
    gitlab.enable(mirror, false).await;
    gitlab.push("second");
    assert_eq!(gitlab.status(mirror).await, "started");
    gitlab.enable(mirror, true).await;
    gitlab.push("third");
    seconds(10).await;
    assert_eq!(gitlab.status(mirror).await, "finished");
    assert_eq!(gitlab.commit("main"), "third");
}

#[tokio::test(start_paused = true)]
async fn failed_push_is_tried_three_times_more() {
    let gitlab = Asking::new();
    let mirror = gitlab.enabled_for_protected().await;
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
    let error = gitlab.last_error(mirror).await;
    let masked = "Authentication failed for 'https://*****:*****@";
    assert!(error.contains(masked), "{error}");
    let failed = gitlab.fake.look(|aws| aws.failed_pushes[0].clone());
    assert_eq!(failed.repository.as_deref(), Some(REPOSITORY));
    assert_eq!(failed.made_by, "test");
    seconds(3600).await;
    assert_eq!(gitlab.failed_pushes(), 4);
    let fake = &gitlab.fake;
    assert_eq!(fake.secret_in(&fake.transcript()), None);
}

#[tokio::test(start_paused = true)]
async fn push_needs_its_login_to_its_end_and_no_mirror() {
    for is_withdrawn in [false, true] {
        let gitlab = Asking::new();
        let mirror = gitlab.enabled(json!({})).await;
        gitlab.sync(mirror).await;
        seconds(1).await;
        let path = format!("/remote_mirrors/{mirror}");
        assert_eq!(gitlab.ask("DELETE", &path, None).await.status, 204);
        if is_withdrawn {
            gitlab.withdraw_all();
        }
        seconds(3).await;
        let arrived = if is_withdrawn { "" } else { "first-of-main" };
        assert_eq!(gitlab.commit("main"), arrived);
        assert_eq!(gitlab.failed_pushes(), usize::from(is_withdrawn));
    }
}

#[tokio::test(start_paused = true)]
async fn push_during_a_run_starts_another_sync_does_not() {
    let gitlab = Asking::new();
    let fake = &gitlab.fake;
    fake.options(|options| options.sync_takes = Duration::from_secs(100));
    let mirror = gitlab.enabled_for_protected().await;
    gitlab.sync(mirror).await;
    assert_eq!(gitlab.status(mirror).await, "started");
    assert_eq!(gitlab.sync(mirror).await, 204);
    assert_eq!(gitlab.waiting_runs(), 0);
    seconds(10).await;
    gitlab.push("second");
    // It is due after 70 seconds, waits for the first, and needs its own time.
    seconds(95).await;
    assert_eq!(gitlab.commit("main"), "first-of-main");
    seconds(120).await;
    assert_eq!(gitlab.commit("main"), "second");
}

#[tokio::test(start_paused = true)]
async fn push_without_permission_or_repository_fails() {
    let gitlab = Asking::new();
    let mirror = gitlab.enabled(json!({})).await;
    gitlab.fake.take_git_push("mirror");
    gitlab.sync(mirror).await;
    let error = gitlab.last_error(mirror).await;
    assert!(error.contains("error: 403"), "{error}");

    let gitlab = Asking::new();
    let url = gitlab.login_url().replace("repos/infra", "repos/none");
    let mirror = gitlab.mirror(json!({"url": url, "enabled": true})).await;
    gitlab.sync(mirror).await;
    let error = gitlab.last_error(mirror).await;
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
        let fake = &gitlab.fake;
        fake.options(|options| options.gitlab.empty_projects = way);
        fake.change(|aws| {
            let project = aws.gitlab.project_mut(PROJECT);
            project.branches.clear();
            project.protected.clear();
        });
        assert_eq!(gitlab.get("").await["empty_repo"], true);
        let mirror = gitlab.enabled_for_protected().await;
        assert_eq!(gitlab.sync(mirror).await, sync);
        seconds(4).await;
        let look = gitlab.look(mirror).await;
        assert_eq!(look["update_status"], status);
        assert_eq!(look["last_successful_update_at"], Value::Null);
        // The first push makes it like any other project.
        gitlab.push("first");
        seconds(120).await;
        assert_eq!(gitlab.commit("main"), "first", "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn diverged_refs_are_overwritten_unless_kept() {
    for (keep, main, status) in [
        (false, "first-of-main", "finished"),
        (true, "theirs", "failed"),
    ] {
        let gitlab = Asking::new();
        gitlab.fake.push(REPOSITORY, "main", "theirs");
        let mirror = gitlab.synced(json!({"keep_divergent_refs": keep})).await;
        assert_eq!(gitlab.commit("feature"), "first-of-feature");
        assert_eq!(gitlab.commit("main"), main);
        assert_eq!(gitlab.status(mirror).await, status);
        let error = gitlab.last_error(mirror).await;
        assert_eq!(error.contains("refs/heads/main"), keep, "{error}");
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
    let mirror = gitlab.enabled_for_protected().await;
    works().expect("a mirror that works");
    assert_eq!(gitlab.commit("main"), "", "it was only tried");
    gitlab.sync(mirror).await;
    seconds(30).await;
    works().expect("the next run is put off, and comes");
    gitlab.enable(mirror, false).await;
    refused("does not reach");
    let foreign = gitlab.fake.foreign_credential("mirror");
    let url = URL.replace(".com/", ".com:443/");
    let manual = gitlab.fake.manual_mirror(PROJECT, &url, Some(&foreign), true);
    assert_ne!(manual, mirror);
    refused("a foreign mirror");
    gitlab.enable(mirror, true).await;
    works().expect("both work");
    gitlab.withdraw_all();
    refused("Authentication failed");
    gitlab.fake.assert_unbroken();
}
