//! The diagnosis: every part with its problem, and no change.

use cfn_gitops::clients::aws::SdkClients;
use cfn_gitops::clients::http::Http;
use expect_test::expect;
use serde_json::json;

use crate::fixture::{
    SECRET, TOKEN, USER, child, create_pipeline, diagnosed, empty_world, fake, look, owner,
    problem_of,
};
use fake_aws::clients::sdk_config;
use fake_aws::gitlab::Scope;
use fake_aws::{FakeAws, redacted};

#[tokio::test(start_paused = true)]
async fn each_problem_is_shown_with_its_remedy() {
    let (fake, _) = fake().await;
    fake.foreign_credential(USER);
    let foreign = "another credential of user user-dev-mirror";
    expect!["its secret does not hold it. Unless a deployment or a rotation runs, delete it: aws iam delete-service-specific-credential --user-name user-dev-mirror --service-specific-credential-id <key>"].assert_eq(&problem_of(&fake, foreign).await);
}

#[tokio::test(start_paused = true)]
async fn token_of_a_pipeline_is_checked() {
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
    expect![[r#"
        it expires at <time>. Create a token with the scope api, and store it in the secret
        its scope is read_api. Create a token with the scope api, and store it in the secret"#]]
    .assert_eq(&token_problems(&fake).await);
    fake.change(|aws| drop(aws.secrets.remove(TOKEN)));
    expect!["reading GitLab's token from secret gitlab/token: no such secret in this account and region. Create the secret, or set GitLab.TokenSecretId to the secret of a GitLab token"].assert_eq(&problem_of(&fake, TOKEN).await);
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
    let problem = async || {
        let checks = diagnosed(&fake).await.into_iter();
        let problems: Vec<_> = checks.filter_map(|(_, problem)| problem).collect();
        redacted(&problems.join("\n"))
    };
    assert_eq!(problem().await, "");
    show(false, true);
    expect!["the logs of failed builds are not posted, because project 40 is internal. Make it private in its Settings, General, Visibility, project features, permissions, or set Report.BuildLog to false (in the templates: ReportToGitLab to true)"].assert_eq(&problem().await);
    show(true, false);
    expect!["the logs of failed builds are not posted, because project 40 is public. Make it private in its Settings, General, Visibility, project features, permissions, or set Report.BuildLog to false (in the templates: ReportToGitLab to true)"].assert_eq(&problem().await);
    // The token's user may no longer see it.
    fake.change(|aws| aws.gitlab.project_mut(SHOP).access = None);
    show(false, false);
    expect!["the logs of failed builds are not posted, because the visibility of project 40 is unknown: looking up project 40 at https://gitlab.example.com: HTTP 404: GitLab does not show the project: there is no such project, or the token's user may not see it. Set GitLabProject (of a pipeline: GitLab.Project) to the full path, with all groups, or to the project's number. If it is right, make the token's user a Maintainer of the project"].assert_eq(&problem().await);
    let mut without = properties.clone();
    without["Report"] = json!({});
    assert!(stack.update(&without, None).await.is_success());
    assert_eq!(problem().await, "");
}

/// The problems of a token that expires soon, and of one with another scope.
async fn token_problems(fake: &FakeAws) -> String {
    let problem = async || problem_of(fake, TOKEN).await;
    assert_eq!(problem().await, "");
    fake.gitlab_tokens_expire_after_midnight(20);
    assert_eq!(problem().await, "");
    fake.gitlab_tokens_expire_after_midnight(10);
    let expiry = problem().await;
    let days = look(fake).await.value("GitLabTokenDaysLeft", TOKEN);
    assert!((days - 10.5).abs() < 0.1, "{days}");
    fake.gitlab_token_for(TOKEN, "gitlab.example.com", Scope::ReadApi);
    let scope = problem().await;
    fake.gitlab_token_for(TOKEN, "gitlab.example.com", Scope::Granular);
    assert_eq!(problem().await, "");
    format!("{expiry}\n{scope}")
}

#[tokio::test(start_paused = true)]
async fn deleted_secret_of_a_mirror_is_a_problem() {
    let (fake, mut stack) = fake().await;
    let secret = "secret codecommit-mirror/user-dev-mirror";
    let connector = fake.connector("a person");
    let aws = SdkClients::new(&sdk_config(connector.clone()), &Http::new(connector));
    let deletion = aws.secrets.delete_secret().secret_id(SECRET).recovery_window_in_days(30).send();
    deletion.await.expect("scheduled for deletion");
    expect!["it is scheduled for deletion (DeletedDate <time>), and its mirrors still push with its login. Every update and rotation fails. Restore it: aws secretsmanager restore-secret --secret-id codecommit-mirror/user-dev-mirror"].assert_eq(&problem_of(&fake, secret).await);
    // The secret of a deleted resource stays for some days, too.
    let restored = aws.secrets.restore_secret().secret_id(SECRET).send();
    restored.await.expect("restored");
    assert!(stack.delete().await.is_success());
    assert_eq!(
        diagnosed(&fake).await,
        [("function cfn-gitops-dev".to_owned(), None)]
    );
}

#[tokio::test(start_paused = true)]
async fn stack_that_blocks_its_pipeline_is_a_problem() {
    let fake = empty_world();
    let owner = owner(&fake, "owner");
    let mut shown = vec![];
    for status in [
        "UPDATE_ROLLBACK_FAILED",
        "UPDATE_FAILED",
        "DELETE_FAILED",
        "ROLLBACK_COMPLETE",
        "CREATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_IN_PROGRESS",
    ] {
        let name = format!("gitops-dev-{}", status.to_lowercase().replace('_', "-"));
        child(&fake, &name, status, &owner);
        let problem = problem_of(&fake, &name).await;
        let is_logged = look(&fake).await.unhealthy().contains(&name);
        assert_eq!(is_logged, !problem.is_empty(), "{name}");
        shown.push(problem);
    }
    shown.retain(|problem| !problem.is_empty());
    expect![[r#"
        its status is UPDATE_ROLLBACK_FAILED: its update failed and could not be rolled back. Remove the cause in its events. Then update its resource, which continues the rollback, or run `aws cloudformation continue-update-rollback --stack-name arn:aws:cloudformation:eu-central-1:123456789012:stack/gitops-dev-update-rollback-failed/<uuid>`
        its status is UPDATE_FAILED: its update failed and was not rolled back, so CloudFormation accepts no other one. Run `aws cloudformation rollback-stack --stack-name arn:aws:cloudformation:eu-central-1:123456789012:stack/gitops-dev-update-failed/<uuid>`
        its status is DELETE_FAILED: it could not be deleted. Remove the cause in its events, then delete its resource again
        its status is ROLLBACK_COMPLETE: it was never created completely, so there is no pipeline. Remove the cause in its events, then update its resource with a changed property, such as Tags
        its status is CREATE_FAILED: it was never created completely, so there is no pipeline. Remove the cause in its events, then update its resource with a changed property, such as Tags"#]].assert_eq(&shown.join("\n"));
}
