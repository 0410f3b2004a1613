//! IAM propagates the permissions of the function late, or never.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{nothing_left, one_live_login};
use crate::cloudformation::{ParentStack, RequestOutcome, stack};
use crate::{USER, fake, properties, with};
use fake_aws::custom_resource::StackRequest;
use fake_aws::{Denied, FakeAws, Options, explore::paused};

const MINUTE: Duration = Duration::from_secs(60);

/// What a request takes beside the retries of denials.
const WORK: Duration = Duration::from_secs(10);

fn secret() -> String {
    format!("codecommit-mirror/{USER}")
}

/// A fake AWS in which the next request is `request_type`.
async fn scene(request_type: &str, wanted: &Value) -> (FakeAws, ParentStack, StackRequest) {
    let fake = fake(Options::default());
    let mut stack = stack(&fake);
    if request_type == "Create" {
        let request = stack.request("Create", None, wanted, None);
        return (fake, stack, request);
    }
    assert!(stack.create(&properties()).await.is_success());
    tokio::time::sleep(Duration::from_secs(600)).await;
    let request = stack.request("Update", Some(&secret()), wanted, Some(&properties()));
    (fake, stack, request)
}

fn wanted() -> Value {
    let tagged = with(
        properties(),
        "Tags",
        json!([{"Key": "team", "Value": "platform"}]),
    );
    with(tagged, "RotationSerial", json!("2"))
}

/// Each action that a request calls, and all of them.
fn actions(request_type: &str) -> BTreeSet<String> {
    let journal = paused(async {
        let (fake, stack, request) = scene(request_type, &wanted()).await;
        let before = fake.journal().len();
        assert!(stack.deliver(&request).await.is_success());
        fake.journal().split_off(before)
    });
    let called = journal.iter().filter(|entry| entry.service.has_policies());
    let actions = called.map(|entry| format!("{}:{}", entry.service, entry.operation));
    actions.chain(["*".to_owned()]).collect()
}

/// Delivers the request: what it answered, and after how long.
async fn timed(stack: &ParentStack, request: &StackRequest) -> (RequestOutcome, Duration) {
    let began = tokio::time::Instant::now();
    let answer = stack.deliver(request).await;
    (answer, began.elapsed())
}

#[test]
fn permission_that_comes_late_delays_and_does_not_fail() {
    let mut schedules = 0;
    for request_type in ["Create", "Update"] {
        for action in actions(request_type) {
            paused(async {
                let (fake, stack, request) = scene(request_type, &wanted()).await;
                fake.withhold(&action, Duration::from_secs(40));
                let (answer, _) = timed(&stack, &request).await;
                let told = fake.transcript();
                assert!(answer.is_success(), "{action}: {answer:?}\n{told}");
                let held = fake.look(|aws| one_live_login(aws, &secret(), USER));
                held.unwrap_or_else(|broken| panic!("{action}: {broken}\n{told}"));
                fake.assert_unbroken();
            });
            schedules += 1;
        }
    }
    fake_aws::figure!("schedules: {schedules} permissions of a credential that come late");
    assert!(schedules > 15, "{schedules}");
}

#[test]
fn permission_that_never_comes_fails_after_a_minute() {
    for request_type in ["Create", "Update"] {
        for action in actions(request_type) {
            paused(async {
                let (fake, mut stack, request) = scene(request_type, &wanted()).await;
                fake.deny(&action, "");
                let (answer, took) = timed(&stack, &request).await;
                let reason = answer.reason();
                assert!(took < MINUTE + WORK, "{action}: {took:?}");
                if !answer.is_success() {
                    assert!(reason.contains("AccessDenied"), "{action}: {reason}");
                    assert!(took > MINUTE / 2, "{action}: {took:?}");
                }
                fake.allow();
                stack.delete_id(&secret(), &wanted()).await;
                fake.look(nothing_left).expect("nothing");
                fake.assert_unbroken();
            });
        }
    }
}

#[test]
fn another_kind_of_denial_fails_at_once() {
    for why in [Denied::Explicitly, Denied::ByBoundary] {
        for request_type in ["Create", "Update"] {
            for action in actions(request_type) {
                paused(async {
                    let (fake, stack, request) = scene(request_type, &wanted()).await;
                    fake.deny_because(&action, "", why);
                    let (answer, took) = timed(&stack, &request).await;
                    assert!(took < WORK, "{action}: {took:?} {answer:?}");
                });
            }
        }
    }
}

#[test]
fn denial_without_a_reason_is_retried() {
    paused(async {
        let (fake, stack, request) = scene("Create", &wanted()).await;
        fake.deny_because("secretsmanager:CreateSecret", "", Denied::Unexplained);
        let world_then = fake.clone();
        let grant = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            world_then.allow();
        });
        let (answer, _) = timed(&stack, &request).await;
        assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
        grant.await.expect("no panic");
    });
}

#[test]
fn retries_take_a_third_of_a_short_service_timeout() {
    paused(async {
        let hurried = with(properties(), "ServiceTimeout", json!("60"));
        let (fake, stack, request) = scene("Create", &hurried).await;
        fake.deny("*", "");
        let (answer, took) = timed(&stack, &request).await;
        assert!(answer.reason().contains("AccessDenied"), "{answer:?}");
        let third = Duration::from_secs(20);
        assert!(took > third / 2 && took <= third, "{took:?}");
    });
}

#[test]
fn late_delivery_of_a_request_does_not_retry_again() {
    paused(async {
        let (fake, stack, request) = scene("Create", &properties()).await;
        fake.deny("*", "");
        tokio::time::sleep(MINUTE).await;
        let (answer, took) = timed(&stack, &request).await;
        assert!(answer.reason().contains("AccessDenied"), "{answer:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    });
}

#[test]
fn delete_does_not_retry_denials() {
    paused(async {
        let (fake, mut stack, request) = scene("Create", &properties()).await;
        assert!(stack.deliver(&request).await.is_success());
        fake.deny("*", "");
        let delete = stack.request("Delete", Some(&secret()), &properties(), None);
        let (_, took) = timed(&stack, &delete).await;
        assert!(took < WORK, "{took:?}");
    });
}
