//! IAM propagates permissions and roles late, or never.

use std::time::Duration;

use serde_json::json;

use crate::checks::assert_nothing_remains;
use crate::fixture::{
    BRANCH, CHILD, GIVEN, REPOSITORY, account, changed, in_account, paused, properties, push,
    ruled, with,
};
use fake_aws::{Options, ResourceAction};
use test_support::propagation::{ExistenceChecks, PermissionChecks, retried_denials, timed};

/// The time of a request in addition to the retries of denials: CloudFormation's work on the stack.
const WORK: Duration = Duration::from_mins(1);

/// The error of a service that cannot assume a role. `pipeline_with_a_late_role` has those of others.
const NOT_ASSUMABLE: &str = "CodeBuild is not authorized to perform: sts:AssumeRole on \
     arn:aws:iam::123456789012:role/role-dev-codebuild-cfn (Service: AWSCodeBuild; Status Code: \
     400; Error Code: InvalidInputException)";

fn checks() -> PermissionChecks {
    PermissionChecks {
        account: || account(Options::default()),
        before: ruled(),
        wanted: changed(ruled()),
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
        stack.delete_id(CHILD, &changed(ruled())).await;
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
            let (fake, stack, request) = checks().prepare(request_type, &changed(ruled())).await;
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
        let (fake, mut stack, request) = checks().prepare("Create", &changed(ruled())).await;
        fake.withhold_roles(Duration::from_hours(1));
        let (answer, took) = timed(&stack, &request).await;
        answer.assert_reason(["role-dev-cfn-gitops-provisioning is invalid or cannot be assumed"]);
        assert!(took < Duration::from_mins(1) + WORK, "{took:?}");
        fake.withhold_roles(Duration::ZERO);
        stack.delete_id(CHILD, &changed(ruled())).await;
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
        push(&fake, REPOSITORY, "a-commit", "push").await;
        assert_eq!(retried_denials(&fake), 0);
    });
}

#[test]
fn stack_with_a_missing_role_is_created_twice() {
    for (reason, times, creations) in [(NOT_ASSUMABLE, usize::MAX, 2), ("no such image", 1, 1)] {
        in_account(async |fake, stack| {
            fake.push(GIVEN, BRANCH, "a-commit");
            fake.fail_resource("BuildProject", ResourceAction::Create, reason, times);
            let given = with(properties(), "Source", json!({"RepositoryName": GIVEN}));
            stack.create(&given).await.assert_reason([reason]);
            assert_eq!(fake.count("CreateStack"), creations);
            assert_nothing_remains(fake);
        });
    }
}

#[test]
fn update_with_a_late_role_is_repeated() {
    for (times, succeeds) in [(1, true), (usize::MAX, false)] {
        paused(async {
            let (fake, stack, request) = checks().prepare("Update", &changed(ruled())).await;
            fake.fail_resource("BuildProject", ResourceAction::Update, NOT_ASSUMABLE, times);
            let before = fake.count("UpdateStack");
            let (answer, _) = timed(&stack, &request).await;
            assert_eq!(answer.is_success(), succeeds, "{answer:?}");
            assert_eq!(fake.count("UpdateStack") - before, 2);
            fake.assert_unbroken();
        });
    }
}

const NEW_THINGS: ExistenceChecks = ExistenceChecks {
    account,
    wanted: || with(ruled(), "Source", json!({"RepositoryName": GIVEN})),
    calls: &[
        "GetRepository",
        "AssociateApprovalRuleTemplateWithRepository",
    ],
};

#[test]
fn create_finds_what_was_made_just_before() {
    NEW_THINGS.create_waits_for_new_things();
    let own = ExistenceChecks {
        wanted: ruled,
        ..NEW_THINGS
    };
    own.create_waits_for_new_things();
    let schedules = own.create_waits_at_each_call();
    assert!(schedules >= 2, "{schedules}");
}

#[test]
fn create_finds_it_at_each_call() {
    let schedules = NEW_THINGS.create_waits_at_each_call();
    assert!(schedules >= 2, "{schedules}");
}

#[test]
fn missing_repository_fails_after_a_minute() {
    let wanted = with(ruled(), "Source", json!({"RepositoryName": "typo"}));
    let reason =
        "repository typo does not exist in eu-central-1 of account 123456789012. Create it";
    for request_type in ["Create", "Update"] {
        NEW_THINGS.missing_fails_after_a_minute(request_type, &wanted, reason);
    }
}

#[test]
fn repository_that_existed_before_fails_after_two_looks() {
    paused(async {
        let (fake, mut stack) = account(Options::default());
        let given = (NEW_THINGS.wanted)();
        stack.create(&given).await.assert_success();
        fake.change(|aws| aws.codecommit.remove(GIVEN));
        let request = stack.request_update(&changed(given));
        let (answer, took) = timed(&stack, &request).await;
        answer.assert_reason(["CFG-208"]);
        // The request may be a rollback, which CloudFormation shows late.
        let expected = Duration::from_secs(50)..Duration::from_secs(75);
        assert!(expected.contains(&took), "{took:?}");
    });
}
