//! The expiry of GitLab's tokens.

use std::time::Duration;

use serde_json::json;

use crate::fixture::{Looked, PROJECT, REPOSITORY, TOKEN, USER, fake, look, mirrored, properties};
use fake_aws::request::Service;
use fake_aws::{FakeAws, FaultKind, On};

const DAYS_LEFT: &str = "GitLabTokenDaysLeft";

/// How often the expiry was requested since call `from`.
fn requests(fake: &FakeAws, from: usize) -> usize {
    let journal = fake.journal();
    let requests = journal[from..].iter();
    requests
        .filter(|entry| entry.operation == "GitLab.GetToken")
        .count()
}

/// A health check that reads no expiry, and finds no other fault.
async fn looked_without_expiry(fake: &FakeAws) -> Looked {
    let looked = look(fake).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    assert!(looked.values(DAYS_LEFT, TOKEN).is_empty());
    looked
}

#[tokio::test(start_paused = true)]
async fn token_days_left_count_to_midnight_utc_of_its_date() {
    let (fake, _) = fake().await;
    fake.gitlab_tokens_expire_after_midnight(20);
    let looked = look(&fake).await;
    assert!(looked.texts("Unhealthy").is_empty(), "{}", looked.summary);
    // The fake's time starts at noon.
    let days = looked.value(DAYS_LEFT, TOKEN);
    assert!((days - 20.5).abs() < 0.1, "{days}");
    tokio::time::sleep(Duration::from_hours(24 * 10)).await;
    let days = look(&fake).await.value(DAYS_LEFT, TOKEN);
    assert!((days - 10.5).abs() < 0.1, "{days}");
}

#[tokio::test(start_paused = true)]
async fn token_of_many_mirrors_is_read_once_per_check() {
    let (fake, _) = fake().await;
    for number in 0..5 {
        let (user, project) = (format!("user-dev-{number}"), format!("a/p{number}"));
        mirrored(&fake, &user, &project, &format!("codecommit-dev-r{number}")).await;
    }
    fake.gitlab_tokens_expire_after_midnight(20);
    for _ in 0..2 {
        let calls = fake.journal().len();
        look(&fake).await.value(DAYS_LEFT, TOKEN);
        assert_eq!(requests(&fake, calls), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn token_that_does_not_expire_has_no_metric() {
    let (fake, _) = fake().await;
    let looked = looked_without_expiry(&fake).await;
    assert!(looked.texts("Unhealthy").is_empty(), "{}", looked.summary);
    assert_eq!(requests(&fake, 0), 1);
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
        assert!(looked.value("MirrorHealthy", PROJECT) > 0.5, "{kind:?}");
        assert!(looked.texts("Unhealthy").is_empty(), "{}", looked.summary);
    }
}

#[tokio::test(start_paused = true)]
async fn expired_token_is_a_fault_of_its_mirrors() {
    let (fake, _) = fake().await;
    fake.gitlab_tokens_expire_after_midnight(1);
    tokio::time::sleep(Duration::from_hours(40)).await;
    let looked = looked_without_expiry(&fake).await;
    assert!(looked.value("MirrorHealthy", PROJECT) < 0.5);
    let texts = looked.texts("Unhealthy").join("\n");
    assert!(
        texts.contains(TOKEN) && texts.contains("expired"),
        "{texts}"
    );
}

#[tokio::test(start_paused = true)]
async fn unreachable_gitlab_is_not_asked_for_the_expiry() {
    let (fake, mut stack) = fake().await;
    fake.gitlab_project("a/second", &["main"]);
    let mut properties = properties(USER, PROJECT, REPOSITORY);
    let second = json!({"GitLabProject": "a/second", "RepositoryName": REPOSITORY});
    properties["Mirrors"]
        .as_array_mut()
        .expect("a list")
        .push(second);
    stack.update(&properties, None).await.assert_success();
    fake.gitlab_tokens_expire_after_midnight(20);
    fake.break_from_now(On::Service(Service::GitLab), FaultKind::RequestLost);
    looked_without_expiry(&fake).await;
    assert_eq!(requests(&fake, 0), 0);
}
