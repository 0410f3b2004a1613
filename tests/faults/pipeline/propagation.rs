//! IAM propagates permissions and roles late, or never.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{assert_nothing_remains, watch};
use crate::fixture::{BRANCH, CHILD, changed, fake, paused, properties, push, ruled, stack, with};
use fake_aws::{FakeAws, Options, ResourceAction};
use test_support::custom_resource::RequestOutcome;
use test_support::propagation::{PermissionChecks, retried_denials, timed};

const MINUTE: Duration = Duration::from_secs(60);

/// The time of a request in addition to the retries of denials: CloudFormation's work on the stack.
const WORK: Duration = Duration::from_secs(60);

/// The errors of services that cannot assume a role.
const NOT_ASSUMABLE: [(&str, &str); 3] = [
    (
        "BuildProject",
        "CodeBuild is not authorized to perform: sts:AssumeRole on \
         arn:aws:iam::123456789012:role/role-dev-codebuild-cfn (Service: AWSCodeBuild; Status Code: \
         400; Error Code: InvalidInputException)",
    ),
    (
        "Pipeline",
        "CodePipeline is not authorized to perform AssumeRole on role \
         arn:aws:iam::123456789012:role/role-dev-codepipeline-cfn (Service: AWSCodePipeline; Status \
         Code: 400; Error Code: InvalidStructureException)",
    ),
    (
        "EventRule",
        "Provided role 'arn:aws:iam::123456789012:role/role-dev-eventbridge-codepipeline-exec' \
         cannot be assumed by principal 'events.amazonaws.com'.",
    ),
];

fn wanted() -> Value {
    changed(ruled())
}

fn checks() -> PermissionChecks {
    PermissionChecks {
        account: || {
            let fake = fake(Options::default());
            watch(&fake, 1, &[]);
            let stack = stack(&fake);
            (fake, stack)
        },
        before: ruled(),
        wanted: wanted(),
        work: WORK,
    }
}

#[test]
fn late_permission_delays_and_does_not_fail() {
    let schedules = checks().late_permission_delays(&|_| {});
    fake_aws::figure!("schedules: {schedules} permissions of a pipeline that come late");
    assert!(schedules > 15, "{schedules}");
}

#[test]
fn missing_permission_fails_after_a_minute() {
    checks().missing_permission_fails(&async |fake, mut stack| {
        stack.delete_id(CHILD, &wanted()).await;
        assert_nothing_remains(fake);
    });
}

#[test]
fn another_kind_of_denial_fails_at_once() {
    checks().other_denial_fails_at_once();
}

#[test]
fn late_role_delays_and_does_not_fail() {
    for request_type in ["Create", "Update"] {
        paused(async {
            let (fake, stack, request) = checks().prepare(request_type, &wanted()).await;
            fake.withhold_roles(Duration::from_secs(40));
            let (answer, took) = timed(&stack, &request).await;
            answer.assert_success();
            assert!(took > Duration::from_secs(39), "{took:?}");
            fake.assert_unbroken();
        });
    }
}

#[test]
fn missing_role_fails_with_its_name() {
    paused(async {
        let (fake, mut stack, request) = checks().prepare("Create", &wanted()).await;
        fake.withhold_roles(Duration::from_hours(1));
        let (answer, took) = timed(&stack, &request).await;
        answer.assert_reason(["role-dev-cfn-gitops-provisioning is invalid or cannot be assumed"]);
        assert!(took < MINUTE + WORK, "{took:?}");
        fake.withhold_roles(Duration::ZERO);
        stack.delete_id(CHILD, &wanted()).await;
        assert_nothing_remains(&fake);
    });
}

#[test]
fn delete_and_first_push_do_not_retry_denials() {
    paused(async {
        let (fake, mut stack, request) = checks().prepare("Create", &properties()).await;
        stack.deliver(&request).await.assert_success();
        fake.deny("*", "");
        let began = tokio::time::Instant::now();
        let delete = stack.request("Delete", Some(CHILD), &properties(), None);
        stack.deliver(&delete).await;
        assert_eq!(retried_denials(&fake), 0);
        assert!(began.elapsed() < Duration::from_secs(10));
        push(&fake, "codecommit-dev-cfn-shop", "a-commit", "push").await;
        assert_eq!(retried_denials(&fake), 0);
    });
}

/// Creates with a role that a service cannot assume so many times.
async fn created_with_late_role(
    resource: &str,
    reason: &str,
    times: usize,
) -> (FakeAws, RequestOutcome) {
    let fake = fake(Options::default());
    watch(&fake, 1, &[]);
    fake.push("given", BRANCH, "a-commit");
    fake.fail_resource(resource, ResourceAction::Create, reason, times);
    let mut stack = stack(&fake);
    let given = with(properties(), "Source", json!({"RepositoryName": "given"}));
    let answer = stack.create(&given).await;
    (fake, answer)
}

#[test]
fn stack_with_a_missing_role_is_created_twice() {
    let missing = NOT_ASSUMABLE.map(|(resource, reason)| (resource, reason, usize::MAX, 2));
    let otherwise = [("BuildProject", "no such image", 1, 1)];
    for (resource, reason, times, creations) in missing.into_iter().chain(otherwise) {
        paused(async {
            let late = created_with_late_role(resource, reason, times);
            let (fake, answer) = late.await;
            answer.assert_reason([reason]);
            assert_eq!(fake.count("CreateStack"), creations);
            assert_nothing_remains(&fake);
            fake.assert_unbroken();
        });
    }
}

#[test]
fn update_with_a_late_role_is_repeated() {
    let (resource, reason) = NOT_ASSUMABLE[0];
    for (times, succeeds) in [(1, true), (usize::MAX, false)] {
        paused(async {
            let (fake, stack, request) = checks().prepare("Update", &wanted()).await;
            fake.fail_resource(resource, ResourceAction::Update, reason, times);
            let before = fake.count("UpdateStack");
            let (answer, _) = timed(&stack, &request).await;
            assert_eq!(answer.is_success(), succeeds, "{answer:?}");
            assert_eq!(fake.count("UpdateStack") - before, 2);
            fake.assert_unbroken();
        });
    }
}
