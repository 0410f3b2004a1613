//! IAM propagates the permissions of the function late, or never.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{at_rest, nothing_remains};
use crate::fixture::{SECRET, fake, login, serial, stack, with};
use fake_aws::{Denied, Options, explore::paused};
use test_support::propagation::{PermissionChecks, timed};

const MINUTE: Duration = Duration::from_secs(60);

/// The time of a request in addition to the retries of denials.
const WORK: Duration = Duration::from_secs(10);

fn wanted() -> Value {
    let tags = json!([{"Key": "team", "Value": "platform"}]);
    serial(&with(login(), "Tags", tags), 2)
}

fn checks() -> PermissionChecks {
    PermissionChecks {
        account: || {
            let fake = fake(Options::default());
            let stack = stack(&fake);
            (fake, stack)
        },
        before: login(),
        wanted: wanted(),
        work: WORK,
    }
}

#[test]
fn late_permission_delays_and_does_not_fail() {
    let schedules = checks().late_permission_delays(&|fake| {
        fake.assert_holds(|aws| at_rest(aws, &wanted(), false));
    });
    fake_aws::figure!("schedules: {schedules} permissions of a credential that come late");
    assert!(schedules > 15, "{schedules}");
}

#[test]
fn missing_permission_fails_after_a_minute() {
    checks().missing_permission_fails(&async |fake, mut stack| {
        stack.delete_id(SECRET, &wanted()).await;
        fake.assert_holds(nothing_remains);
    });
}

#[test]
fn another_kind_of_denial_fails_at_once() {
    checks().other_denial_fails_at_once();
}

#[test]
fn denial_without_a_reason_is_retried() {
    paused(async {
        let (fake, stack, request) = checks().prepare("Create", &wanted()).await;
        fake.deny_because("secretsmanager:CreateSecret", "", Denied::Unexplained);
        let later = fake.clone();
        let grant = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            later.allow();
        });
        let (answer, _) = timed(&stack, &request).await;
        answer.assert_success();
        grant.await.expect("no panic");
    });
}

#[test]
fn retries_take_a_third_of_a_short_service_timeout() {
    paused(async {
        let hurried = with(login(), "ServiceTimeout", json!("60"));
        let (fake, stack, request) = checks().prepare("Create", &hurried).await;
        fake.deny("*", "");
        let (answer, took) = timed(&stack, &request).await;
        answer.assert_reason(["AccessDenied"]);
        let third = Duration::from_secs(20);
        assert!(took > third / 2 && took <= third, "{took:?}");
    });
}

#[test]
fn late_delivery_of_a_request_does_not_retry_again() {
    paused(async {
        let (fake, stack, request) = checks().prepare("Create", &login()).await;
        fake.deny("*", "");
        tokio::time::sleep(MINUTE).await;
        let (answer, took) = timed(&stack, &request).await;
        answer.assert_reason(["AccessDenied"]);
        assert!(took < Duration::from_secs(5), "{took:?}");
    });
}

#[test]
fn delete_does_not_retry_denials() {
    paused(async {
        let (fake, mut stack, request) = checks().prepare("Create", &login()).await;
        stack.deliver(&request).await.assert_success();
        fake.deny("*", "");
        let delete = stack.request("Delete", Some(SECRET), &login(), None);
        let (_, took) = timed(&stack, &delete).await;
        assert!(took < WORK, "{took:?}");
    });
}
