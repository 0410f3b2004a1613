//! The diagnosis: every part with its problem, and no change.

use cfn_gitops::clients::aws::SdkClients;
use cfn_gitops::clients::http::Http;
use serde_json::json;

use crate::fixture::{
    PROJECT, REPOSITORY, SECRET, TOKEN, USER, assert_problem, create_pipeline, diagnosed,
    empty_world, fake, look, mirrored, owner, pipeline, tags,
};
use fake_aws::clients::sdk_config;
use fake_aws::gitlab::Scope;
use fake_aws::{Entry, FakeAws};

const PIPELINE: &str = "codepipeline-dev-cfn-shop";

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

#[tokio::test(start_paused = true)]
async fn each_problem_is_shown_with_its_remedy() {
    let (fake, _) = fake().await;
    assert_token_problems(&fake).await;
    pipeline(&fake, PIPELINE, &["Succeeded", "Failed"]);
    assert_problem(&fake, PIPELINE, &["its newest execution failed"]).await;
    fake.foreign_credential(USER);
    let foreign = "another credential of user user-dev-mirror";
    let remedy = "delete-service-specific-credential --user-name user-dev-mirror";
    assert_problem(&fake, foreign, &[remedy]).await;
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
    assert_token_problems(&fake).await;
    fake.change(|aws| drop(aws.secrets.remove(TOKEN)));
    assert_problem(&fake, TOKEN, &["no such secret"]).await;
}

#[tokio::test(start_paused = true)]
async fn project_that_is_not_private_gets_no_logs() {
    const SHOP: &str = "platform/shop";
    let fake = empty_world();
    let project = fake.gitlab_project(SHOP, &["development"]);
    fake.gitlab_token(TOKEN);
    let properties = json!({
        "EnvID": "dev",
        "ProjectID": "shop",
        "GitLab": {"Url": "https://gitlab.example.com", "TokenSecretId": TOKEN, "Project": project},
        "Report": {"BuildLog": true},
    });
    let mut stack = create_pipeline(&fake, &properties).await;
    let show = |is_public, is_internal| {
        fake.change(|aws| {
            let records = &mut aws.gitlab.project_mut(SHOP).records;
            (records.is_public, records.is_internal) = (is_public, is_internal);
        });
    };
    let subject = "gitops-dev-shop";
    assert_problem(&fake, subject, &[]).await;
    let remedy = "set Report.BuildLog to false";
    show(false, true);
    let internal = "failed builds are not posted, because project";
    assert_problem(&fake, subject, &[internal, "is internal", remedy]).await;
    show(true, false);
    assert_problem(&fake, subject, &["is public", remedy]).await;
    // The token's user may no longer see it.
    fake.change(|aws| aws.gitlab.project_mut(SHOP).access = None);
    show(false, false);
    assert_problem(
        &fake,
        subject,
        &["not posted, because the visibility of project"],
    )
    .await;
    let mut without = properties.clone();
    without["Report"] = json!({});
    assert!(stack.update(&without, None).await.is_success());
    assert_problem(&fake, subject, &[]).await;
}

async fn assert_token_problems(fake: &FakeAws) {
    assert_problem(fake, TOKEN, &[]).await;
    fake.gitlab_tokens_expire_after_midnight(20);
    assert_problem(fake, TOKEN, &[]).await;
    fake.gitlab_tokens_expire_after_midnight(10);
    let texts = ["it expires at 2026-12-01T00:00:00", "Create a token"];
    assert_problem(fake, TOKEN, &texts).await;
    let days = look(fake).await.value("GitLabTokenDaysLeft", TOKEN);
    assert!((days - 10.5).abs() < 0.1, "{days}");
    fake.gitlab_token_for(TOKEN, "gitlab.example.com", Scope::ReadApi);
    assert_problem(fake, TOKEN, &["its scope is read_api"]).await;
    fake.gitlab_token_for(TOKEN, "gitlab.example.com", Scope::Granular);
    assert_problem(fake, TOKEN, &[]).await;
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
    let with_port = to(REPOSITORY).replace(".com/", ".com:443/");
    let pushed = fake.manual_mirror(PROJECT, &with_port, None, false);
    fake.change(|aws| {
        let now = aws.now;
        let mirrors = &mut aws.gitlab.project_mut(PROJECT).mirrors;
        mirrors.get_mut(&pushed).expect("just created").updated = Some(now);
    });
    let texts = ["no secret names it", "Mirroring repositories"];
    assert_problem(&fake, "another push mirror", &texts).await;
    let subject = format!("project {PROJECT} to repository {REPOSITORY}, {left}");
    assert_problem(&fake, &subject, &texts).await;
    look(&fake).await.assert_healthy();
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
    let has_problem = checks.iter().any(|(_, problem)| problem.is_some());
    let is_left_over = checks.iter().any(|(of, _)| of.contains("another push"));
    assert!(has_problem && !is_left_over, "{checks:?}");
}

#[tokio::test(start_paused = true)]
async fn deleted_secret_of_a_mirror_is_a_problem() {
    let (fake, mut stack) = fake().await;
    let secret = "secret codecommit-mirror/user-dev-mirror";
    let connector = fake.connector("a person");
    let aws = SdkClients::new(&sdk_config(connector.clone()), &Http::new(connector));
    let deletion = aws.secrets.delete_secret().secret_id(SECRET).recovery_window_in_days(30).send();
    deletion.await.expect("scheduled for deletion");
    let remedy = "restore-secret --secret-id codecommit-mirror/user-dev-mirror";
    assert_problem(&fake, secret, &[remedy]).await;
    // The secret of a deleted resource stays for some days, too.
    let restored = aws.secrets.restore_secret().secret_id(SECRET).send();
    restored.await.expect("restored");
    assert!(stack.delete().await.is_success());
    assert_eq!(diagnosed(&fake).await, []);
}

#[tokio::test(start_paused = true)]
async fn stack_that_blocks_its_pipeline_is_a_problem() {
    let fake = empty_world();
    let owner = owner(&fake, "owner");
    let command = "continue-update-rollback --stack-name arn:";
    for (status, texts) in [
        ("UPDATE_ROLLBACK_FAILED", &[command][..]),
        ("DELETE_FAILED", &["delete its resource again"]),
        ("ROLLBACK_COMPLETE", &["a changed property, such as Tags"]),
        ("CREATE_FAILED", &["a changed property, such as Tags"]),
        ("UPDATE_ROLLBACK_COMPLETE", &[]),
        ("UPDATE_IN_PROGRESS", &[]),
    ] {
        let name = format!("gitops-dev-{}", status.to_lowercase().replace('_', "-"));
        fake.stack(&name, status, &tags(&owner));
        assert_problem(&fake, &name, texts).await;
        let is_logged = look(&fake).await.unhealthy().contains(&name);
        assert_eq!(is_logged, !texts.is_empty(), "{name}");
    }
}
