//! Credentials and mirrors.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use crate::fixture::{
    PROJECT, SECRET, TOKEN, USER, diagnosed, empty_world, fake, look, look_at, mirrored,
    mirrored_from, problem_of,
};
use fake_aws::gitlab::{Gateway, Mirror};
use fake_aws::{EmptyProjects, FakeAws, FaultKind, On};
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
    looked.assert_healthy();
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
async fn credentials_of_another_environment_are_not_checked() {
    let (fake, _) = fake().await;
    mirrored(&fake, "user-prd-mirror", "a/prd", "codecommit-prd-r").await;
    fake.deny("*", "user-prd-");
    let calls = fake.journal().len();
    let looked = look(&fake).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    // No call is denied: the account's trail would show it at every check.
    for entry in &fake.journal()[calls..] {
        let is_about_prd = entry.params.values().any(|value| value.to_string().contains("prd"));
        // No stack imports the ServiceToken.
        let is_answered = entry.answered == Some(200) || entry.operation == "ListImports";
        assert!(!is_about_prd && is_answered, "{entry}");
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
    // A matching user that cannot be read is reported.
    let mut left = vec![];
    for (user, pattern) in [(USER, "user-dev-*"), ("gitlab-1", "gitlab-*")] {
        fake.deny("*", user);
        let looked = look_at(&fake, pattern, "denied", time).await;
        assert!(looked.has_failed());
        left.extend(looked.texts("NotChecked"));
        fake.allow();
    }
    expect![[r#"
        reading the tags of user user-dev-mirror: AccessDenied: User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized to perform: iam:ListUserTags on resource: arn:aws:iam::123456789012:user/user-dev-mirror because no identity-based policy allows the iam:ListUserTags action. Deploy the provider stack again, or allow iam:ListUserTags in a policy of the function's role
        reading the tags of user gitlab-1: AccessDenied: User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized to perform: iam:ListUserTags on resource: arn:aws:iam::123456789012:user/gitlab-1 because no identity-based policy allows the iam:ListUserTags action. Deploy the provider stack again, or allow iam:ListUserTags in a policy of the function's role
        reading the tags of user gitlab-12: AccessDenied: User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized to perform: iam:ListUserTags on resource: arn:aws:iam::123456789012:user/gitlab-12 because no identity-based policy allows the iam:ListUserTags action. Deploy the provider stack again, or allow iam:ListUserTags in a policy of the function's role"#]].assert_eq(&left.join("\n"));
}

fn change_mirror(fake: &FakeAws, change: impl Fn(&mut Mirror)) {
    fake.change(|aws| {
        let mirrors = aws.gitlab.project_mut(PROJECT).mirrors.values_mut();
        mirrors.for_each(change);
    });
}

pub fn damage(fake: &FakeAws, how: &'static str) {
    let credential = fake.look(|aws| aws.credentials(USER)[0].id.clone());
    match how {
        "gone" => fake.change(|aws| aws.gitlab.project_mut(PROJECT).mirrors.clear()),
        "disabled" => change_mirror(fake, |mirror| mirror.enabled = false),
        "other settings" => change_mirror(fake, |mirror| {
            mirror.only_protected_branches = false;
            mirror.keep_divergent_refs = true;
        }),
        "credential deleted" => fake.change(|aws| aws.withdraw(USER, &credential)),
        "credential inactive" => fake.change(|aws| aws.deactivate(USER, &credential)),
        "token deleted" => drop(fake.change(|aws| aws.secrets.remove(TOKEN))),
        "protected by a group" => {
            fake.protect(PROJECT, &[]);
            fake.protect_by_group(PROJECT, &["main"]);
        }
        "a person's regex" => change_mirror(fake, |mirror| {
            mirror.only_protected_branches = false;
            mirror.branch_regex = Some("^main$".to_owned());
        }),
        status @ ("failed" | "to_retry") => change_mirror(fake, |mirror| {
            mirror.status = status;
            mirror.last_error = Some("denied at https://a:hunter2@host/r".to_owned());
        }),
        _ => panic!("{how}"),
    }
}

// claim: missing-disabled-or-failing-mirror-is-unhealthy
#[tokio::test(start_paused = true)]
async fn missing_disabled_or_failing_mirror_is_unhealthy() {
    let mut shown = vec![];
    for how in [
        "gone",
        "disabled",
        "other settings",
        "failed",
        "to_retry",
        "credential deleted",
        "credential inactive",
        "token deleted",
        "protected by a group",
        "a person's regex",
    ] {
        let (fake, _) = fake().await;
        damage(&fake, how);
        tokio::time::sleep(Duration::from_mins(25)).await;
        let calls = fake.journal().len();
        let looked = look(&fake).await;
        assert!(!looked.is_healthy(PROJECT), "{how}");
        // The finding has the remedy: the check itself creates and enables no mirror.
        for entry in &fake.journal()[calls..] {
            assert!(entry.reads(), "{how}: {}", entry.operation);
        }
        let texts = looked.unhealthy();
        shown.push(format!("{how}: {texts}"));
        assert!(!texts.contains("hunter2"), "{texts}");
        let has_age = !looked.values("CredentialAge", USER).is_empty();
        assert_eq!(has_age, how != "credential deleted", "{how}");
    }
    expect![[r#"
        gone: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: it is gone (100 at https://gitlab.example.com). Create it again: update its stack with a new RotationSerial
        disabled: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: it is disabled (100 at https://gitlab.example.com), or GitLab is in silent mode. Enable it in GitLab, or update its stack with a new RotationSerial
        other settings: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: GitLab has other settings than its stack (100 at https://gitlab.example.com): OnlyProtectedBranches and KeepDivergentRefs. Update its stack with a new RotationSerial, which sets them again
        failed: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: its latest push failed (100 at https://gitlab.example.com): denied at https://*****@host/r. Correct this cause, then press the mirror's update button in the project's Settings, Repository, Mirroring repositories. If its login is rejected, update its stack with a new RotationSerial
        to_retry: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: its latest push failed (100 at https://gitlab.example.com): denied at https://*****@host/r. Correct this cause, then press the mirror's update button in the project's Settings, Repository, Mirroring repositories. If its login is rejected, update its stack with a new RotationSerial
        credential deleted: the credential of user user-dev-mirror: it does not exist. Update its stack with a new RotationSerial, which issues another one
        the mirror of project platform/infra to repository codecommit-dev-cfn-infra: its credential is gone from user user-dev-mirror. Update its stack with a new RotationSerial, which issues another login
        credential inactive: the credential of user user-dev-mirror: it is inactive. Update its stack with a new RotationSerial, which issues another one
        the mirror of project platform/infra to repository codecommit-dev-cfn-infra: its credential of user user-dev-mirror is inactive. Update its stack with a new RotationSerial, which issues another login
        token deleted: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: reading GitLab's token from secret gitlab/token: no such secret in this account and region. Create the secret, or set GitLab.TokenSecretId to the secret of a GitLab token
        protected by a group: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: push mirror 100 at https://gitlab.example.com: GitLab would push every branch of project platform/infra, because the project itself protects none (a group's protection does not count). Protect the branches to mirror in the project (Settings, Repository, Protected branches), or set OnlyProtectedBranches to false
        a person's regex: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: GitLab has other settings than its stack (100 at https://gitlab.example.com): OnlyProtectedBranches and mirror_branch_regex. Update its stack with a new RotationSerial, which sets them again"#]].assert_eq(&shown.join("\n"));
}

/// The mirror is healthy, and only the answer about it is not GitLab's.
#[tokio::test(start_paused = true)]
async fn foreign_answer_about_a_mirror_is_not_that_it_is_gone() {
    for gateway in Gateway::each("GitLab.GetMirror") {
        let (fake, _) = fake().await;
        fake.change(|aws| aws.options.gitlab.gateway = Some(gateway));
        let looked = look(&fake).await;
        assert!(!looked.is_healthy(PROJECT), "{gateway:?}");
        let texts = looked.unhealthy();
        let shown = format!("HTTP {}", gateway.status);
        let is_named = texts.contains(&shown) && !texts.contains("it is gone");
        assert!(is_named, "{gateway:?}: {texts}");
    }
}

/// GitLab hides the project from the token's user.
#[tokio::test(start_paused = true)]
async fn hidden_project_is_named() {
    let (fake, _) = fake().await;
    fake.change(|aws| aws.gitlab.project_mut(PROJECT).access = None);
    let looked = look(&fake).await;
    expect!["the mirror of project platform/infra to repository codecommit-dev-cfn-infra: looking up push mirror 100 of project platform/infra at https://gitlab.example.com: HTTP 404: GitLab does not show the project: there is no such project, or the token's user may not see it. Set GitLabProject (of a pipeline: GitLab.Project) to the full path, with all groups, or to the project's number. If it is right, make the token's user a Maintainer of the project"].assert_eq(&looked.unhealthy());
}

/// An Update sends the settings first, and saves them last. It may run for minutes after it stored
/// the login.
#[tokio::test(start_paused = true)]
async fn other_settings_are_a_fault_if_cloudformation_confirms_it() {
    let (fake, _) = fake().await;
    damage(&fake, "other settings");
    assert!(look(&fake).await.is_healthy(PROJECT));
    tokio::time::sleep(Duration::from_mins(25)).await;
    assert!(!look(&fake).await.is_healthy(PROJECT));
    fake.change(|aws| {
        let declared = aws.stacks.declared.values_mut();
        declared.for_each(|one| one.status = "UPDATE_IN_PROGRESS");
    });
    assert!(look(&fake).await.is_healthy(PROJECT));
    // The rest of the check goes on.
    fake.deny("cloudformation:DescribeStackResource", "");
    let looked = look(&fake).await;
    assert!(looked.is_healthy(PROJECT));
    looked.value("CredentialAge", USER);
}

/// A part of a password in the middle of a message that is too long to be shown.
#[tokio::test(start_paused = true)]
async fn shortened_message_shows_no_part_of_the_password() {
    let (fake, _) = fake().await;
    let password = fake.look(|aws| aws.credentials(USER)[0].password.clone());
    for length in (250..300).step_by(7) {
        let message = format!("{} {password} is denied", "x".repeat(length));
        change_mirror(&fake, |mirror| {
            mirror.status = "failed";
            mirror.last_error = Some(message.clone());
        });
        let texts = look(&fake).await.unhealthy();
        assert!(texts.contains(&"x".repeat(length)), "{texts}");
        assert!(!texts.contains(&password[..4]), "{texts}");
    }
}

#[tokio::test(start_paused = true)]
async fn inactive_credential_without_mirrors_is_unhealthy() {
    let (fake, mut stack) = fake().await;
    let removed = stack.update(&json!({"UserName": USER}), None).await;
    removed.assert_success();
    look(&fake).await.assert_healthy();
    damage(&fake, "credential inactive");
    expect!["the credential of user user-dev-mirror: it is inactive. Update its stack with a new RotationSerial, which issues another one"].assert_eq(&look(&fake).await.unhealthy());
}

#[tokio::test(start_paused = true)]
async fn mirror_started_for_longer_than_the_lease_is_unhealthy() {
    let (fake, _) = fake().await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    fake.push_to_gitlab(PROJECT, "main", "cut off");
    fake.kill_sidekiq(PROJECT);
    tokio::time::sleep(Duration::from_mins(50)).await;
    let looked = look(&fake).await;
    assert!(looked.is_healthy(PROJECT));
    let lag = looked.value("MirrorLagSeconds", PROJECT);
    assert!((lag - 50.0 * 60.0).abs() < 60.0, "{lag}");
    tokio::time::sleep(Duration::from_mins(20)).await;
    let looked = look(&fake).await;
    assert!(!looked.is_healthy(PROJECT));
    expect!["the mirror of project platform/infra to repository codecommit-dev-cfn-infra: GitLab shows a push in progress since <time> (100 at https://gitlab.example.com): its process was killed. Push a commit to the project, which corrects that, or change RotationSerial, which replaces the mirror"].assert_eq(&looked.unhealthy());
    // The remedy that it names.
    fake.push_to_gitlab(PROJECT, "main", "next");
    tokio::time::sleep(Duration::from_mins(1)).await;
    let looked = look(&fake).await;
    assert!(looked.is_healthy(PROJECT));
    assert!(looked.value("MirrorLagSeconds", PROJECT).abs() < 1e-9);
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
        fake.gitlab_project(PROJECT, &[]);
        mirrored_from(&fake, USER, PROJECT, "codecommit-dev-r").await;
        let looked = look(&fake).await;
        assert!(looked.is_healthy(PROJECT), "{behaviour:?}");
        assert!(looked.values("SecondsSinceMirrorSync", PROJECT).is_empty());
        assert!(looked.values("MirrorLagSeconds", PROJECT).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn pending_rotation_is_reported_and_kept_while_scheduled() {
    let (fake, stack) = fake().await;
    let mut rotation = Rotation::of(&fake, SECRET, stack.kind.wire);
    let mut shown = vec![];
    for step in [None, Some(RotationStep::Create)] {
        rotation.begin().expect("a rotation");
        if let Some(step) = step {
            rotation.step(step).await.expect("created");
        }
        tokio::time::sleep(Duration::from_mins(70)).await;
        look(&fake).await.assert_healthy();
        tokio::time::sleep(Duration::from_hours(24)).await;
        let texts = look(&fake).await.unhealthy();
        shown.push(texts.clone());
        let problem = problem_of(&fake, "the rotation of secret").await;
        assert!(texts.ends_with(&problem), "{problem}");
        assert!(rotation.is_pending());
        assert_eq!(rotation.reattempt().await, Rotated::Finished);
        look(&fake).await.assert_healthy();
    }
    shown.dedup();
    expect!["the rotation of secret codecommit-mirror/user-dev-mirror to version <uuid>: it is pending since <time>, and Secrets Manager reattempts it. Look into the log of its steps for why they fail"].assert_eq(&shown.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn pending_rotation_without_schedule_is_ended_after_75_min() {
    let (fake, stack) = fake().await;
    let mut rotation = Rotation::of(&fake, SECRET, stack.kind.wire);
    rotation.begin().expect("a rotation");
    rotation.step(RotationStep::Create).await.expect("created");
    rotation.cancel().expect("a secret");
    tokio::time::sleep(Duration::from_mins(70)).await;
    look(&fake).await;
    assert_eq!(fake.mirrors(PROJECT).len(), 2, "it may go on");
    tokio::time::sleep(Duration::from_mins(6)).await;
    expect!["it is pending since <time>, and the secret has no rotation schedule. Wait for the next health check, which ends it"].assert_eq(&problem_of(&fake, "the rotation of secret").await);
    assert_eq!(fake.mirrors(PROJECT).len(), 2, "a diagnosis only reads");
    let looked = look(&fake).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    assert_eq!(fake.mirrors(PROJECT).len(), 1);
    assert_eq!(rotation.rotate().await, Rotated::Finished);
    let looked = look(&fake).await;
    assert!(looked.is_healthy(PROJECT));
    assert!(looked.value("CredentialAge", USER) < 0.01);
    // The user still has the superseded credential, which is inactive.
    let problems: Vec<_> = diagnosed(&fake)
        .await
        .into_iter()
        .filter(|(_, problem)| problem.is_some())
        .collect();
    assert_eq!(problems, [], "after a rotation");
}

/// GitLab rejects a part of a rollback, which succeeds.
#[tokio::test(start_paused = true)]
async fn mirror_that_a_rollback_did_not_restore_is_reported() {
    let other = ("platform/other", "codecommit-dev-cfn-other");
    let mut shown = vec![];
    for is_added in [true, false] {
        let (fake, mut stack) = fake().await;
        fake.gitlab_project(other.0, &["main"]);
        fake.repository(other.1);
        let (_, one) = stack.resource.clone().expect("a resource");
        let mut two = one.clone();
        let second = json!({"GitLabProject": other.0, "RepositoryName": other.1});
        two["Mirrors"].as_array_mut().expect("a list").push(second);
        let (before, after) = if is_added { (one, two) } else { (two, one) };
        stack.update(&before, None).await;
        let update = stack.request_update(&after);
        stack.deliver(&update).await.assert_success();
        fake.break_from_now(On::Project(other.0), FaultKind::InternalError500);
        let back = stack.request_back(SECRET, &before, &after);
        stack.deliver(&back).await.assert_success();
        fake.mend();
        stack.show("UPDATE_COMPLETE", "UPDATE_COMPLETE", SECRET);
        let looked = look(&fake).await;
        assert!(!looked.is_healthy(other.0), "{is_added}");
        shown.push(looked.unhealthy());
        // The remedy.
        let mut renewed = before.clone();
        renewed["RotationSerial"] = json!("2");
        stack.update(&renewed, None).await.assert_success();
        look(&fake).await.assert_healthy();
    }
    expect![[r#"
        the mirror of project platform/other to repository codecommit-dev-cfn-other: its stack does not have it (101 at https://gitlab.example.com), and it may push. Update its stack with a new RotationSerial, which removes it
        the mirror of project platform/other to repository codecommit-dev-cfn-other: its secret does not name it: GitLab rejected it in a rollback. Update its stack with a new RotationSerial, which creates it"#]].assert_eq(&shown.join("\n"));
}
