//! Credentials and mirrors.

use std::time::Duration;

use serde_json::json;

use crate::fixture::{
    PROJECT, SECRET, TOKEN, USER, empty_world, fake, look, look_at, mirrored, properties,
};
use fake_aws::EmptyProjects;
use test_support::{Rotated, Rotation, RotationStep};

#[tokio::test(start_paused = true)]
async fn empty_account_is_healthy() {
    let looked = look(&empty_world()).await;
    assert!(!looked.has_failed());
    // One line about orphaned stacks, one about the check itself.
    assert_eq!(looked.lines.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn mirror_that_pushes_is_healthy() {
    let (fake, _) = fake().await;
    tokio::time::sleep(Duration::from_hours(36)).await;
    let calls = fake.journal().len();
    let looked = look(&fake).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    assert!(looked.texts("Unhealthy").is_empty(), "{}", looked.summary);
    assert!((looked.value("MirrorHealthy", PROJECT) - 1.0).abs() < 1e-9);
    assert!((looked.value("CredentialAge", USER) - 1.5).abs() < 0.01);
    let since = looked.value("SecondsSinceMirrorSync", PROJECT);
    assert!((since - 36.0 * 3600.0).abs() < 120.0, "{since}");
    assert!(looked.value("MirrorLagSeconds", PROJECT).abs() < 1e-9);
    // It only reads.
    for entry in &fake.journal()[calls..] {
        assert!(entry.reads(), "{}", entry.operation);
    }
}

#[tokio::test(start_paused = true)]
async fn every_credential_is_checked_on_every_page() {
    let fake = empty_world();
    for number in 0..5 {
        let (user, project) = (format!("user-dev-{number}"), format!("a/p{number}"));
        mirrored(&fake, &user, &project, &format!("codecommit-dev-r{number}")).await;
    }
    let looked = look(&fake).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    for number in 0..5 {
        looked.value("CredentialAge", &format!("user-dev-{number}"));
        looked.value("MirrorHealthy", &format!("a/p{number}"));
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_of_another_environment_are_not_checked() {
    let (fake, _) = fake().await;
    mirrored(&fake, "user-prd-mirror", "a/prd", "codecommit-prd-r").await;
    fake.deny("*", "user-prd-");
    let calls = fake.journal().len();
    let looked = look(&fake).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    // No call is denied: the account's trail would show it at every check.
    for entry in &fake.journal()[calls..] {
        let is_about_prd = entry
            .params
            .values()
            .any(|value| value.to_string().contains("prd"));
        assert!(!is_about_prd && entry.answered == Some(200), "{entry}");
    }
    assert!(looked.values("MirrorHealthy", "a/prd").is_empty());
    assert!(looked.values("CredentialAge", "user-prd-mirror").is_empty());
    looked.value("MirrorHealthy", PROJECT);
}

#[tokio::test(start_paused = true)]
async fn users_that_match_the_pattern_are_checked() {
    let (fake, _) = fake().await;
    mirrored(&fake, "gitlab-1", "a/one", "codecommit-dev-one").await;
    mirrored(&fake, "gitlab-12", "a/twelve", "codecommit-dev-twelve").await;
    let time = Duration::from_secs(300);
    for (pattern, users) in [
        ("gitlab-*", &["gitlab-1", "gitlab-12"][..]),
        ("gitlab-?", &["gitlab-1"]),
        ("gitlab-12", &["gitlab-12"]),
        ("*", &[USER, "gitlab-1", "gitlab-12"]),
        ("Gitlab-*", &[]),
    ] {
        let looked = look_at(&fake, pattern, pattern, time).await;
        assert!(!looked.has_failed(), "{}", looked.summary);
        for user in [USER, "gitlab-1", "gitlab-12"] {
            let is_seen = !looked.values("CredentialAge", user).is_empty();
            assert_eq!(is_seen, users.contains(&user), "{pattern} {user}");
        }
        assert_eq!(looked.summary["Checked"]["mirrors"], users.len());
    }
}

#[tokio::test(start_paused = true)]
async fn matching_user_that_cannot_be_read_is_reported() {
    for (user, pattern) in [(USER, "user-dev-*"), ("gitlab-1", "gitlab-*")] {
        let (fake, _) = fake().await;
        if user != USER {
            mirrored(&fake, user, "a/one", "codecommit-dev-one").await;
        }
        fake.deny("*", user);
        let looked = look_at(&fake, pattern, "denied", Duration::from_secs(300)).await;
        assert!(looked.has_failed());
        assert!(looked.texts("NotChecked")[0].contains(user));
    }
}

// claim: missing-disabled-or-failing-mirror-is-unhealthy
#[tokio::test(start_paused = true)]
async fn missing_disabled_or_failing_mirror_is_unhealthy() {
    for (what, says) in [
        ("gone", "it is gone"),
        ("disabled", "it is disabled"),
        ("failed", "its latest push failed"),
        ("to_retry", "its latest push failed"),
    ] {
        let (fake, _) = fake().await;
        fake.change(|aws| {
            let mirrors = &mut aws.gitlab.project_mut(PROJECT).mirrors;
            let id = *mirrors.keys().next().expect("a mirror");
            let mirror = mirrors.get_mut(&id).expect("a mirror");
            match what {
                "gone" => drop(mirrors.remove(&id)),
                "disabled" => mirror.enabled = false,
                status => {
                    mirror.status = status;
                    mirror.last_error = Some("denied at https://a:hunter2@host/r".to_owned());
                }
            }
        });
        let looked = look(&fake).await;
        assert!(!looked.has_failed(), "{what}: {}", looked.summary);
        assert!(looked.value("MirrorHealthy", PROJECT) < 0.5, "{what}");
        let texts = looked.texts("Unhealthy").join("\n");
        assert!(texts.contains(says) && texts.contains(PROJECT), "{texts}");
        assert!(!texts.contains("hunter2"), "{texts}");
    }
}

#[tokio::test(start_paused = true)]
async fn inactive_credential_without_mirrors_is_unhealthy() {
    let (fake, mut stack) = fake().await;
    let removed = stack.update(&json!({"UserName": USER}), None).await;
    assert!(removed.is_success(), "{removed:?}");
    assert!(look(&fake).await.texts("Unhealthy").is_empty());
    fake.change(|aws| {
        for held in aws.credentials(USER) {
            aws.deactivate(USER, &held.id);
        }
    });
    let texts = look(&fake).await.texts("Unhealthy").join("\n");
    assert!(
        texts.contains("it is inactive") && texts.contains(USER),
        "{texts}"
    );
}

#[tokio::test(start_paused = true)]
async fn mirror_started_for_longer_than_the_lease_is_unhealthy() {
    let (fake, _) = fake().await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    fake.push_to_gitlab(PROJECT, "main", "cut off");
    fake.kill_sidekiq(PROJECT);
    tokio::time::sleep(Duration::from_mins(50)).await;
    let looked = look(&fake).await;
    assert!(looked.value("MirrorHealthy", PROJECT) > 0.5);
    let lag = looked.value("MirrorLagSeconds", PROJECT);
    assert!((lag - 50.0 * 60.0).abs() < 60.0, "{lag}");
    tokio::time::sleep(Duration::from_mins(20)).await;
    let looked = look(&fake).await;
    assert!(looked.value("MirrorHealthy", PROJECT) < 0.5);
    let texts = looked.texts("Unhealthy").join("\n");
    assert!(texts.contains("its process was killed"), "{texts}");
    // The remedy that it names.
    fake.push_to_gitlab(PROJECT, "main", "next");
    tokio::time::sleep(Duration::from_mins(1)).await;
    let looked = look(&fake).await;
    assert!(looked.value("MirrorHealthy", PROJECT) > 0.5);
    assert!(looked.value("MirrorLagSeconds", PROJECT).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn mirror_that_pushes_every_branch_is_unhealthy() {
    let (fake, _) = fake().await;
    fake.protect(PROJECT, &[]);
    fake.protect_by_group(PROJECT, &["main"]);
    let text = |looked: &crate::fixture::Looked| {
        assert!(!looked.has_failed(), "{}", looked.summary);
        assert!(looked.value("MirrorHealthy", PROJECT) < 0.5);
        looked.texts("Unhealthy").join("\n")
    };
    let shown = text(&look(&fake).await);
    assert!(shown.contains("itself protects none"), "{shown}");
    fake.protect(PROJECT, &["main"]);
    assert!(look(&fake).await.value("MirrorHealthy", PROJECT) > 0.5);
    fake.change(|aws| {
        let mirrors = aws.gitlab.project_mut(PROJECT).mirrors.values_mut();
        for mirror in mirrors {
            mirror.only_protected_branches = false;
            mirror.branch_regex = Some("^nothing$".to_owned());
        }
    });
    let shown = text(&look(&fake).await);
    assert!(shown.contains("matches BranchRegex"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn mirror_without_an_active_credential_is_unhealthy() {
    for removes in [true, false] {
        let (fake, _) = fake().await;
        fake.change(|aws| {
            let id = aws.credentials(USER)[0].id.clone();
            if removes {
                aws.withdraw(USER, &id);
            } else {
                aws.deactivate(USER, &id);
            }
        });
        let looked = look(&fake).await;
        assert!(looked.value("MirrorHealthy", PROJECT) < 0.5);
        assert_eq!(looked.values("CredentialAge", USER).is_empty(), removes);
    }
}

#[tokio::test(start_paused = true)]
async fn project_without_commits_is_healthy() {
    for behaviour in [
        EmptyProjects::NeverRun,
        EmptyProjects::Fail,
        EmptyProjects::LookDisabled,
    ] {
        let fake = empty_world();
        fake.options(|options| options.gitlab.empty_projects = behaviour);
        fake.user(USER);
        fake.repository("codecommit-dev-r");
        fake.gitlab_project(PROJECT, &[]);
        fake.gitlab_token(TOKEN);
        let mut stack = mirrored(&fake, "user-dev-other", "a/other", "codecommit-dev-o").await;
        stack.resource = None;
        stack.arn.push_str("-empty");
        stack.starts_counting_at(100);
        let created = stack
            .create(&properties(USER, PROJECT, "codecommit-dev-r"))
            .await;
        assert!(created.is_success(), "{behaviour:?}: {}", created.reason());
        let looked = look(&fake).await;
        assert!(
            looked.value("MirrorHealthy", PROJECT) > 0.5,
            "{behaviour:?}"
        );
        assert!(looked.values("SecondsSinceMirrorSync", PROJECT).is_empty());
        assert!(looked.values("MirrorLagSeconds", PROJECT).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn health_check_finds_the_new_mirror_after_a_rotation() {
    let (fake, stack) = fake().await;
    let mut rotation = Rotation::of(&fake, SECRET, stack.kind.wire);
    tokio::time::sleep(Duration::from_hours(48)).await;
    assert_eq!(rotation.rotate().await, Rotated::Finished);
    let looked = look(&fake).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    assert!(looked.value("MirrorHealthy", PROJECT) > 0.5);
    assert!(looked.value("CredentialAge", USER) < 0.01);
}

#[tokio::test(start_paused = true)]
async fn pending_rotation_is_reported_and_kept_while_scheduled() {
    let (fake, stack) = fake().await;
    let mut rotation = Rotation::of(&fake, SECRET, stack.kind.wire);
    for (step, says) in [
        (None, "the rotation of secret"),
        (Some(RotationStep::Create), "to version"),
    ] {
        rotation.begin().expect("a rotation");
        if let Some(step) = step {
            rotation.step(step).await.expect("created");
        }
        tokio::time::sleep(Duration::from_mins(70)).await;
        let early = look(&fake).await;
        assert!(early.texts("Unhealthy").is_empty(), "{}", early.summary);
        tokio::time::sleep(Duration::from_hours(24)).await;
        let looked = look(&fake).await;
        assert!(!looked.has_failed(), "{}", looked.summary);
        let texts = looked.texts("Unhealthy").join("\n");
        assert!(texts.contains(says), "{texts}");
        assert!(texts.contains(rotation.version()), "{texts}");
        assert!(texts.contains("is pending since 20"), "{texts}");
        assert!(rotation.is_pending());
        assert_eq!(rotation.reattempt().await, Rotated::Finished);
        let looked = look(&fake).await;
        assert!(looked.texts("Unhealthy").is_empty(), "{}", looked.summary);
    }
}

#[tokio::test(start_paused = true)]
async fn pending_rotation_without_schedule_is_ended_after_75_min() {
    let (fake, stack) = fake().await;
    let mut rotation = Rotation::of(&fake, SECRET, stack.kind.wire);
    rotation.begin().expect("a rotation");
    rotation.step(RotationStep::Create).await.expect("created");
    let mirrors = fake.mirrors(PROJECT).len();
    assert_eq!(mirrors, 2);
    rotation.cancel().expect("a secret");
    tokio::time::sleep(Duration::from_mins(70)).await;
    look(&fake).await;
    assert_eq!(fake.mirrors(PROJECT).len(), mirrors, "it may go on");
    tokio::time::sleep(Duration::from_mins(6)).await;
    let looked = look(&fake).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    assert_eq!(fake.mirrors(PROJECT).len(), 1);
    assert_eq!(rotation.rotate().await, Rotated::Finished);
    assert!(look(&fake).await.value("MirrorHealthy", PROJECT) > 0.5);
}
