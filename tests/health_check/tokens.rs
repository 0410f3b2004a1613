//! The expiry of GitLab's tokens.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use crate::fixture::{
    Looked, PROJECT, REPOSITORY, TOKEN, USER, empty_world, fake, look, mirrored, properties,
};
use fake_aws::request::Service;
use fake_aws::{FakeAws, FaultKind, On};

const DAYS_LEFT: &str = "GitLabTokenDaysLeft";

/// How often the expiry was requested.
fn requests(fake: &FakeAws) -> usize {
    fake.count("GitLab.GetToken")
}

/// A health check that reads no expiry, and finds no other fault.
async fn looked_without_expiry(fake: &FakeAws) -> Looked {
    let looked = look(fake).await;
    assert!(looked.values(DAYS_LEFT, TOKEN).is_empty());
    looked
}

#[tokio::test(start_paused = true)]
async fn token_days_left_count_to_midnight_utc_of_its_date() {
    let (fake, _) = fake().await;
    // A token that does not expire has no metric.
    looked_without_expiry(&fake).await.assert_healthy();
    assert_eq!(requests(&fake), 1);
    fake.gitlab_tokens_expire_after_midnight(20);
    let looked = look(&fake).await;
    looked.assert_healthy();
    // The fake's time starts at noon.
    let days = looked.value(DAYS_LEFT, TOKEN);
    assert!((days - 20.5).abs() < 0.1, "{days}");
    tokio::time::sleep(Duration::from_hours(24 * 10)).await;
    let days = look(&fake).await.value(DAYS_LEFT, TOKEN);
    assert!((days - 10.5).abs() < 0.1, "{days}");
}

#[tokio::test(start_paused = true)]
async fn every_credential_of_all_pages_is_checked_and_its_token_once() {
    let fake = empty_world();
    for number in 0..5 {
        let (user, project) = (format!("user-dev-{number}"), format!("a/p{number}"));
        mirrored(&fake, &user, &project, &format!("codecommit-dev-r{number}")).await;
    }
    fake.gitlab_tokens_expire_after_midnight(20);
    for checks in 1..=2 {
        let looked = look(&fake).await;
        looked.assert_healthy();
        for number in 0..5 {
            looked.value("CredentialAge", &format!("user-dev-{number}"));
            looked.value("MirrorHealthy", &format!("a/p{number}"));
        }
        looked.value(DAYS_LEFT, TOKEN);
        assert_eq!(requests(&fake), checks);
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_or_lost_expiry_request_is_not_a_fault() {
    for kind in [
        FaultKind::Denied,
        FaultKind::InternalError500,
        FaultKind::RequestLost,
        FaultKind::RequestHangs,
    ] {
        let (fake, _) = fake().await;
        fake.gitlab_tokens_expire_after_midnight(20);
        fake.break_from_now(On::Operation("GitLab.GetToken"), kind);
        let looked = looked_without_expiry(&fake).await;
        assert!(looked.is_healthy(PROJECT), "{kind:?}");
        looked.assert_healthy();
    }
}

#[tokio::test(start_paused = true)]
async fn expired_token_is_a_fault_of_its_mirrors() {
    let (fake, _) = fake().await;
    fake.gitlab_tokens_expire_after_midnight(1);
    tokio::time::sleep(Duration::from_hours(40)).await;
    let looked = looked_without_expiry(&fake).await;
    assert!(!looked.is_healthy(PROJECT));
    expect![[r#"the mirror of project platform/infra to repository codecommit-dev-cfn-infra: looking up push mirror 100 of project platform/infra at https://gitlab.example.com: HTTP 401: GitLab rejects the token (Token is expired. You can either do re-authorization or token refresh) from secret gitlab/token, key "token". Store a valid token with `aws secretsmanager put-secret-value --secret-id gitlab/token --secret-string file:///dev/stdin`"#]].assert_eq(&looked.unhealthy());
}

#[tokio::test(start_paused = true)]
async fn unreachable_gitlab_is_not_asked_for_the_expiry() {
    let (fake, mut stack) = fake().await;
    fake.gitlab_project("a/second", &["main"]);
    let mut properties = properties(USER, PROJECT, REPOSITORY);
    let mut second = properties["Mirrors"][0].clone();
    second["GitLabProject"] = json!("a/second");
    properties["Mirrors"] = json!([properties["Mirrors"][0], second]);
    stack.update(&properties, None).await.assert_success();
    fake.gitlab_tokens_expire_after_midnight(20);
    fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost);
    let looked = looked_without_expiry(&fake).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    assert_eq!(requests(&fake), 0);
}
