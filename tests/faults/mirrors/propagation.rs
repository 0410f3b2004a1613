//! IAM propagates the permissions of the function late, or never.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{at_rest, nothing_remains};
use crate::fixture::{SECRET, after_create, fake, login, request_delete, serial, stack, with};
use fake_aws::{Denied, Options, explore::paused};
use test_support::propagation::{PermissionChecks, timed};

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
        let grant = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            fake.allow();
        };
        let ((answer, _), ()) = tokio::join!(timed(&stack, &request), grant);
        answer.assert_success();
    });
}

#[test]
fn short_timeout_and_late_delivery_leave_less_time_for_retries() {
    // The retries take a third of the ServiceTimeout since the signature.
    for (service_timeout, age, time) in [("60", 0, 11..=20), ("3600", 60, 0..=4)] {
        paused(async {
            let properties = with(login(), "ServiceTimeout", json!(service_timeout));
            let (fake, stack, request) = checks().prepare("Create", &properties).await;
            fake.deny("*", "");
            tokio::time::sleep(Duration::from_secs(age)).await;
            let (answer, took) = timed(&stack, &request).await;
            answer.assert_reason(["AccessDenied"]);
            assert!(time.contains(&took.as_secs()), "{took:?}");
        });
    }
}

#[test]
fn delete_does_not_retry_denials() {
    after_create(async |fake, stack| {
        fake.deny("*", "");
        let delete = request_delete(stack);
        let (_, took) = timed(stack, &delete).await;
        assert!(took < WORK, "{took:?}");
    });
}
