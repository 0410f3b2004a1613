//! The diagnosis: every part with its problem, and no change.

use std::time::Duration;

use cfn_gitops::clients::aws::SdkClients;
use cfn_gitops::clients::http::Http;
use serde_json::json;

use crate::fixture::{
    PROJECT, REPOSITORY, SECRET, TOKEN, create_pipeline, diagnosed, empty_world, fake, look,
    mirrored, owner, pipeline, tags,
};
use fake_aws::clients::sdk_config;
use fake_aws::gitlab::Scope;
use fake_aws::{Entry, FakeAws};
use test_support::{Rotation, RotationStep};

const PIPELINE: &str = "codepipeline-dev-cfn-shop";

/// The problem of the only check whose subject contains `subject`.
async fn problem_of(fake: &FakeAws, subject: &str) -> Option<String> {
    let checks = diagnosed(fake).await;
    let mut about = checks.iter().filter(|(of, _)| of.contains(subject));
    let (_, problem) = about.next().expect("a check");
    assert!(about.next().is_none(), "{checks:?}");
    problem.clone()
}

#[tokio::test(start_paused = true)]
async fn diagnosis_lists_healthy_parts_and_changes_nothing() {
    let (fake, _) = fake().await;
    pipeline(&fake, PIPELINE, &["Succeeded"]);
    let before = fake.journal().len();
    let checks = diagnosed(&fake).await;
    assert!(checks.iter().all(|(_, problem)| problem.is_none()));
    let subjects: Vec<_> = checks.iter().map(|(subject, _)| subject.as_str()).collect();
    let expected = [
        "the credential of user user-dev-mirror",
        "the mirror of project platform/infra to repository codecommit-dev-cfn-infra",
        "the GitLab token in secret gitlab/token",
        "pipeline codepipeline-dev-cfn-shop",
    ];
    assert_eq!(subjects, expected);
    pipeline(&fake, PIPELINE, &["Failed"]);
    diagnosed(&fake).await;
    assert!(fake.journal()[before..].iter().all(Entry::reads));
}

fn expire(fake: &FakeAws, days: u64) {
    fake.gitlab_tokens_expire_after_midnight(days);
}

fn scope(fake: &FakeAws, scope: Scope) {
    fake.gitlab_token_for(TOKEN, "gitlab.example.com", scope);
}

/// The subject of a check, its state, and texts of its problem: none if it is healthy.
type Row = (&'static str, fn(&FakeAws), &'static [&'static str]);

#[tokio::test(start_paused = true)]
async fn each_problem_is_shown_with_its_remedy() {
    let rows: [Row; 6] = [
        (TOKEN, |fake| expire(fake, 20), &[]),
        (
            TOKEN,
            |fake| expire(fake, 10),
            &["it expires at 2026-12-01T00:00:00", "Create a token"],
        ),
        (
            TOKEN,
            |fake| scope(fake, Scope::ReadApi),
            &["its scope is read_api"],
        ),
        (TOKEN, |fake| scope(fake, Scope::Granular), &[]),
        (
            PIPELINE,
            |fake| pipeline(fake, PIPELINE, &["Succeeded", "Failed"]),
            &["its newest execution failed"],
        ),
        (
            "another credential of user user-dev-mirror",
            |fake| drop(fake.foreign_credential("user-dev-mirror")),
            &["delete-service-specific-credential --user-name user-dev-mirror"],
        ),
    ];
    for (subject, arrange, texts) in rows {
        let (fake, _) = fake().await;
        arrange(&fake);
        let problem = problem_of(&fake, subject).await;
        assert_eq!(problem.is_some(), !texts.is_empty(), "{problem:?}");
        let problem = problem.unwrap_or_default();
        assert!(texts.iter().all(|text| problem.contains(text)), "{problem}");
    }
}

/// A killed delivery leaves one: its secret names only the mirrors of the next delivery.
#[tokio::test(start_paused = true)]
async fn disabled_mirror_without_a_secret_is_a_problem() {
    let (fake, _) = fake().await;
    let to = |repository| {
        format!("https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/{repository}/")
    };
    let left = fake.manual_mirror(PROJECT, &to(REPOSITORY), None, false);
    // The mirrors of other people.
    fake.manual_mirror(PROJECT, &to("other"), None, false);
    let pushed = fake.manual_mirror(
        PROJECT,
        &to(REPOSITORY).replace(".com/", ".com:443/"),
        None,
        false,
    );
    fake.change(|aws| {
        let now = aws.now;
        let mirrors = &mut aws.gitlab.project_mut(PROJECT).mirrors;
        mirrors.get_mut(&pushed).expect("just created").updated = Some(now);
    });
    let problem = problem_of(&fake, "another push mirror")
        .await
        .expect("a problem");
    assert!(problem.contains("no secret names it"), "{problem}");
    assert!(problem.contains("Mirroring repositories"), "{problem}");
    let subject = format!("project {PROJECT} to repository {REPOSITORY}, {left}");
    assert!(problem_of(&fake, &subject).await.is_some());
    let looked = look(&fake).await;
    assert!(looked.texts("Unhealthy").is_empty(), "{}", looked.summary);
}

#[tokio::test(start_paused = true)]
async fn disabled_mirror_of_another_secret_is_only_its_own_problem() {
    let (fake, _) = fake().await;
    mirrored(&fake, "user-dev-second", PROJECT, REPOSITORY).await;
    fake.change(|aws| {
        let mirrors = &mut aws.gitlab.project_mut(PROJECT).mirrors;
        let second = mirrors.values_mut().last().expect("a mirror");
        (second.enabled, second.started, second.updated) = (false, None, None);
    });
    let checks = diagnosed(&fake).await;
    assert!(
        checks.iter().any(|(_, problem)| problem.is_some()),
        "{checks:?}"
    );
    assert!(
        checks
            .iter()
            .all(|(of, _)| !of.contains("another push mirror")),
        "{checks:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn deleted_secret_of_a_mirror_is_a_problem() {
    let (fake, mut stack) = fake().await;
    let secret = "secret codecommit-mirror/user-dev-mirror";
    let connector = fake.connector("a person");
    let aws = SdkClients::new(&sdk_config(connector.clone()), &Http::new(connector));
    let deletion = aws.secrets.delete_secret().secret_id(SECRET);
    let deletion = deletion.recovery_window_in_days(30).send();
    deletion.await.expect("scheduled for deletion");
    let problem = problem_of(&fake, secret).await.expect("a problem");
    let remedy = "restore-secret --secret-id codecommit-mirror/user-dev-mirror";
    assert!(problem.contains(remedy), "{problem}");
    // The secret of a deleted resource stays for some days, too.
    let restored = aws.secrets.restore_secret().secret_id(SECRET).send();
    restored.await.expect("restored");
    assert!(stack.delete().await.is_success());
    assert_eq!(diagnosed(&fake).await, []);
}

#[tokio::test(start_paused = true)]
async fn pending_rotation_is_a_problem_and_stays() {
    let (fake, stack) = fake().await;
    let mut rotation = Rotation::of(&fake, SECRET, stack.kind.wire);
    rotation.begin().expect("a rotation");
    rotation.step(RotationStep::Create).await.expect("created");
    tokio::time::sleep(Duration::from_hours(24)).await;
    let subject = "the rotation of secret";
    let problem = problem_of(&fake, subject).await.expect("a problem");
    assert!(
        problem.contains("Secrets Manager reattempts it"),
        "{problem}"
    );
    rotation.cancel().expect("a secret");
    tokio::time::sleep(Duration::from_hours(2)).await;
    let problem = problem_of(&fake, subject).await.expect("a problem");
    assert!(problem.contains("no rotation schedule"), "{problem}");
    assert_eq!(fake.mirrors(PROJECT).len(), 2, "it only reads");
}

#[tokio::test(start_paused = true)]
async fn stack_that_blocks_its_pipeline_is_a_problem() {
    let fake = empty_world();
    let owner = owner(&fake, "owner");
    for (status, says) in [
        (
            "UPDATE_ROLLBACK_FAILED",
            "continue-update-rollback --stack-name arn:",
        ),
        ("DELETE_FAILED", "delete its resource again"),
        ("ROLLBACK_COMPLETE", "a changed property, such as Tags"),
        ("CREATE_FAILED", "a changed property, such as Tags"),
        ("UPDATE_ROLLBACK_COMPLETE", ""),
        ("UPDATE_IN_PROGRESS", ""),
    ] {
        let name = format!("gitops-dev-{}", status.to_lowercase().replace('_', "-"));
        fake.stack(&name, status, &tags(&owner));
        let problem = problem_of(&fake, &name).await;
        assert_eq!(problem.is_some(), !says.is_empty(), "{problem:?}");
        let problem = problem.unwrap_or_default();
        assert!(problem.contains(says), "{problem}");
        let is_logged = look(&fake)
            .await
            .texts("Unhealthy")
            .join("")
            .contains(&name);
        assert_eq!(is_logged, !says.is_empty(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn token_of_a_pipeline_is_checked_as_a_mirrors() {
    let fake = empty_world();
    fake.gitlab_project("platform/shop", &["development"]);
    fake.gitlab_token(TOKEN);
    let properties = json!({
        "EnvID": "dev",
        "ProjectID": "shop",
        "GitLab": {
            "Url": "https://gitlab.example.com", "TokenSecretId": TOKEN, "Project": "platform/shop",
        },
    });
    create_pipeline(&fake, &properties).await;
    assert_eq!(problem_of(&fake, TOKEN).await, None);
    fake.gitlab_tokens_expire_after_midnight(10);
    let problem = problem_of(&fake, TOKEN).await.expect("a problem");
    assert!(problem.contains("it expires at 2026-12-01"), "{problem}");
    let days = look(&fake).await.value("GitLabTokenDaysLeft", TOKEN);
    assert!((days - 10.5).abs() < 0.1, "{days}");
    fake.gitlab_token_for(TOKEN, "gitlab.example.com", Scope::ReadApi);
    let problem = problem_of(&fake, TOKEN).await.expect("a problem");
    assert!(problem.contains("its scope is read_api"), "{problem}");
    fake.change(|aws| drop(aws.secrets.remove(TOKEN)));
    let problem = problem_of(&fake, TOKEN).await.expect("a problem");
    assert!(problem.contains("no such secret"), "{problem}");
}
