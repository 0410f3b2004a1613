//! IAM propagates the permissions of the function late, or never.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::checks::{at_rest, nothing_remains};
use crate::fixture::{
    OTHER_REPOSITORY, OTHER_USER, SECRET, USER, after_create, both, fake, login, properties,
    request_delete, serial, stack, with,
};
use fake_aws::interceptor::{HttpConnector, invented, operation_of, past};
use fake_aws::{Caller, Denied, FaultKind, On, Options, explore::paused, redacted};
use test_support::propagation::{ExistenceChecks, PermissionChecks, timed};

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

const NEW_THINGS: ExistenceChecks = ExistenceChecks {
    account: |options| {
        let fake = fake(options);
        let stack = stack(&fake);
        (fake, stack)
    },
    wanted: properties,
    calls: &[
        "ListUserTags",
        "ListServiceSpecificCredentials",
        "TagUser",
        "CreateServiceSpecificCredential",
        "GetRepository",
        "DescribeSecret",
        "GetSecretValue",
    ],
};

#[test]
fn create_finds_what_was_made_just_before() {
    NEW_THINGS.create_waits_for_new_things();
}

#[test]
fn create_finds_it_at_each_call() {
    let schedules = NEW_THINGS.create_waits_at_each_call();
    fake_aws::figure!("schedules: {schedules} calls of a Create that do not find a new thing yet");
    assert!(schedules >= 8, "{schedules}");
}

/// The property, the value that does not exist, and the reason.
const MISSING: [(&str, &str, &str); 3] = [
    (
        "UserName",
        "typo",
        "there is no IAM user of that name in this account. Create it",
    ),
    (
        "RepositoryNames",
        "typo",
        "looking up repository typo: it does not exist in eu-central-1 of the function's account. Create it",
    ),
    (
        "TokenSecretId",
        "typo",
        "no such secret in this account and region",
    ),
];

fn misspelled(name: &str, value: &str) -> Value {
    match name {
        "RepositoryNames" => with(properties(), name, json!([value])),
        "TokenSecretId" => {
            let mut properties = properties();
            properties["GitLab"][name] = json!(value);
            properties
        }
        _ => with(properties(), name, json!(value)),
    }
}

#[test]
fn missing_thing_fails_a_create_after_a_minute() {
    for (name, value, reason) in MISSING {
        NEW_THINGS.missing_fails_after_a_minute("Create", &misspelled(name, value), reason);
        NEW_THINGS.missing_fails_after_a_minute("Update", &misspelled(name, value), reason);
    }
}

/// An Update names the thing, as the Create did.
#[test]
fn thing_that_existed_before_is_not_waited_for() {
    let wanted = serial(&both(), 2);
    for (thing, reason) in [
        ("user", "CFG-301"),
        ("repository", "CFG-208"),
        ("token", "CFG-404"),
    ] {
        paused(async {
            let (fake, mut stack) = (NEW_THINGS.account)(Options::default());
            stack.create(&both()).await.assert_success();
            fake.change(|aws| match thing {
                "user" => {
                    let now = aws.now;
                    aws.iam.change(now, |iam| iam.users.remove(USER));
                }
                "repository" => aws.codecommit.remove(OTHER_REPOSITORY),
                _ => {
                    aws.secrets.remove("gitlab/token");
                }
            });
            let request = stack.request_update(&wanted);
            let (answer, took) = timed(&stack, &request).await;
            answer.assert_reason([reason]);
            assert!(took < WORK, "{thing}: {took:?}");
        });
    }
}

#[test]
fn delete_does_not_wait_for_a_user() {
    after_create(async |fake, stack| {
        // Later, IAM shows every user.
        tokio::time::sleep(Duration::from_mins(1)).await;
        fake.change(|aws| {
            let now = aws.now;
            aws.iam.change(now, |iam| iam.users.remove(USER));
        });
        let delete = request_delete(stack);
        let (answer, took) = timed(stack, &delete).await;
        answer.assert_success();
        assert!(took < WORK, "{took:?}");
    });
}

/// The Create sees the user only after the Delete, and must not issue a credential.
#[test]
fn delete_before_the_user_is_seen_stops_the_create() {
    for seconds in [1, 5, 12, 25] {
        for pause in [0, 1, 4, 11, 24] {
            paused(async {
                let new_things_late = Duration::from_secs(seconds);
                let options = Options {
                    new_things_late,
                    ..Options::default()
                };
                let (fake, mut stack) = (NEW_THINGS.account)(options);
                let create = stack.request("Create", None, &properties(), None);
                let id = Some(test_support::custom_resource::INVENTED_ID);
                let delete = stack.request("Delete", id, &properties(), None);
                let deletion = async {
                    tokio::time::sleep(Duration::from_secs(pause)).await;
                    stack.deliver(&delete).await
                };
                let (_, deleted) = tokio::join!(stack.deliver(&create), deletion);
                deleted.assert_success();
                fake.assert_holds(nothing_remains);
                fake.assert_unbroken();
            });
        }
    }
}

/// IAM answers with the code of a missing user where it offers no such credentials.
#[test]
fn missing_service_is_no_missing_user() {
    paused(async {
        let (fake, mut stack) = (NEW_THINGS.account)(Options::default());
        let operation = On::Operation("ListServiceSpecificCredentials");
        fake.break_from_now(operation, FaultKind::NotFoundYet);
        let answer = stack.create(&with(login(), "UserName", json!(OTHER_USER))).await;
        expect!["listing the service-specific credentials of user user-dev-other: NoSuchEntity: The user with name user-dev-other cannot be found. AWS's message is all that is known - CFG-207"].assert_eq(&redacted(answer.reason()));
    });
}

/// A key of the secret that KMS does not find yet. The text is a recorded response:
/// <https://github.com/hashicorp/terraform-provider-aws/pull/13303>.
#[test]
fn create_finds_a_key_that_was_made_just_before() {
    const KEY: &str = "alias/mirror";
    const NO_KEY: &str = r#"{"__type": "InvalidParameterException",
        "Message": "The operation failed because of an invalid KMS key: Invalid keyId"}"#;
    let create = |answers: usize| {
        let left = Arc::new(AtomicUsize::new(answers));
        let pass = move |_, honest: Caller, request| {
            let left = Arc::clone(&left);
            async move {
                let is_it = operation_of(&request) == "CreateSecret";
                let count = |left: usize| left.checked_sub(1);
                let (set, fetch) = (Ordering::SeqCst, Ordering::SeqCst);
                if is_it && left.fetch_update(set, fetch, count).is_ok() {
                    return Ok(invented(400, NO_KEY));
                }
                honest.call(request).await
            }
        };
        let play = || {
            paused(async {
                let (_, mut stack) = (NEW_THINGS.account)(Options::default());
                let wanted = with(login(), "KmsKeyId", json!(KEY));
                let request = stack.request("Create", None, &wanted, None);
                timed(&stack, &request).await
            })
        };
        past(pass, play).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    };
    create(3).0.assert_success();
    let (answer, took) = create(usize::MAX);
    answer.assert_reason(["invalid KMS key"]);
    assert!(took > Duration::from_secs(50), "{took:?}");
}
