//! The diagnosis: every part with its problem, and no change.

use crate::fixture::{TOKEN, diagnosed, fake, pipeline};
use fake_aws::FakeAws;
use fake_aws::gitlab::Scope;

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
async fn diagnosis_lists_healthy_parts() {
    let (fake, _) = fake().await;
    pipeline(&fake, PIPELINE, &["Succeeded"]);
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
}

#[tokio::test(start_paused = true)]
async fn diagnosis_changes_nothing() {
    let (fake, _) = fake().await;
    pipeline(&fake, PIPELINE, &["Failed"]);
    let before = fake.journal().len();
    diagnosed(&fake).await;
    for entry in &fake.journal()[before..] {
        let operation = entry.operation.rsplit('.').next().unwrap_or_default();
        let reads = ["Get", "List", "Describe"];
        let is_read = reads.iter().any(|verb| operation.starts_with(verb));
        assert!(is_read, "{}", entry.operation);
    }
}

#[tokio::test(start_paused = true)]
async fn token_that_expires_soon_is_a_problem() {
    let (fake, _) = fake().await;
    fake.gitlab_tokens_expire_after_midnight(20);
    assert_eq!(problem_of(&fake, TOKEN).await, None);
    fake.gitlab_tokens_expire_after_midnight(10);
    let problem = problem_of(&fake, TOKEN).await.expect("a problem");
    assert!(
        problem.contains("it expires at 2026-12-01T00:00:00"),
        "{problem}"
    );
    assert!(problem.contains("Create a token"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn token_without_scope_api_is_a_problem() {
    let (fake, _) = fake().await;
    fake.gitlab_token_for(TOKEN, "gitlab.example.com", Scope::ReadApi);
    let problem = problem_of(&fake, TOKEN).await.expect("a problem");
    assert!(problem.contains("its scope is read_api"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn failed_execution_is_a_problem() {
    let (fake, _) = fake().await;
    pipeline(&fake, PIPELINE, &["Succeeded", "Failed"]);
    let problem = problem_of(&fake, PIPELINE).await.expect("a problem");
    assert!(problem.contains("its newest execution failed"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn credential_outside_the_secret_is_a_problem() {
    let (fake, _) = fake().await;
    fake.foreign_credential("user-dev-mirror");
    let problem = problem_of(&fake, "another credential of user user-dev-mirror").await;
    let problem = problem.expect("a problem");
    let remedy = "delete-service-specific-credential --user-name user-dev-mirror";
    assert!(problem.contains(remedy), "{problem}");
}
