//! A Delete's response if it cannot look up the child stack, and the IDs of rejected Creates.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use crate::checks::assert_nothing_remains;
use crate::fixture::{BRANCH, CHILD, changed, fake, in_account, paused, properties, stack, with};
use fake_aws::stacks::Finding;
use fake_aws::{Denied, Options, redacted};
use test_support::custom_resource::{
    FUNCTION, INVENTED_ID, ParentStack, RequestOutcome, deliver_once,
};

const REJECTED: &str = "rejected/gitops-dev-shop/";

fn failed_id(answer: &RequestOutcome) -> &str {
    match answer {
        RequestOutcome::Failed { id, .. } => id,
        other => panic!("not FAILED: {other:?}"),
    }
}

#[test]
fn delete_with_denied_look_up_fails_with_the_permission() {
    for action in [
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackEvents",
    ] {
        for why in [Denied::NoPolicy, Denied::Explicitly] {
            for id in [CHILD, INVENTED_ID] {
                in_account(async |fake, stack| {
                    stack.create(&properties()).await.assert_success();
                    fake.deny_because(action, "", why);
                    let delete = stack.request("Delete", Some(id), &properties(), None);
                    let answer = stack.deliver(&delete).await;
                    answer.assert_reason([action]);
                    assert_eq!(failed_id(&answer), id);
                    fake.allow();
                    stack.delete_id(id, &properties()).await;
                    assert_nothing_remains(fake);
                });
            }
        }
    }
}

// claim: service-token-of-another-function-is-rejected
#[test]
fn service_token_of_another_function_is_rejected() {
    let with_token = |stack: &mut ParentStack, token: &str| {
        let mut request = stack.request("Create", None, &properties(), None);
        request.event["ResourceProperties"]["ServiceToken"] = json!(token);
        request
    };
    for other in [
        format!("{FUNCTION}-other"),
        FUNCTION.replace(":function:", ":function:other-"),
        FUNCTION.replace("lambda", "sns"),
        "cfn-gitops-dev".to_owned(),
    ] {
        in_account(async |fake, stack| {
            let forged = with_token(stack, &other);
            let answer = stack.deliver(&forged).await;
            answer.assert_reason([FUNCTION]);
            assert_nothing_remains(fake);
            // A version or an alias is this function, too.
            let qualified = with_token(stack, &format!("{FUNCTION}:live"));
            stack.deliver(&qualified).await.assert_success();
        });
    }
}

#[test]
fn rejected_create_is_marked_in_its_id_and_can_be_deleted() {
    for wanted in [
        properties(),
        with(properties(), "Unknown", json!("property")),
        with(properties(), "Source", json!({"RepositoryName": "missing"})),
    ] {
        in_account(async |fake, stack| {
            fake.deny("cloudformation:DescribeStacks", "");
            stack.delivers_twice = true;
            let create = stack.request("Create", None, &wanted, None);
            let answer = stack.deliver(&create).await;
            let rejected = failed_id(&answer);
            assert!(rejected.starts_with(REJECTED), "{rejected}");
            for delivery in fake.responses() {
                assert_eq!(delivery.json()["PhysicalResourceId"], rejected);
            }
            let began = tokio::time::Instant::now();
            stack.delete_id(rejected, &wanted).await;
            let took = began.elapsed().as_secs();
            assert!((30..90).contains(&took), "{took}");
            assert_nothing_remains(fake);
        });
    }
}

/// The first delivery is rejected, and a second one succeeds before CloudFormation's Delete.
#[test]
fn delete_of_a_rejected_create_deletes_work_of_its_peer() {
    in_account(async |fake, stack| {
        let create = stack.request("Create", None, &properties(), None);
        fake.deny_because("*", "", Denied::Explicitly);
        let answer = stack.deliver(&create).await;
        fake.allow();
        deliver_once(fake, "again", &create).await;
        fake.look(|aws| assert!(aws.stacks.named(CHILD).is_some()));
        stack.delete_id(failed_id(&answer), &properties()).await;
        assert_nothing_remains(fake);
    });
}

/// The stack was kept, and its next operation creates the resource. Then CloudFormation deletes the
/// rejected one.
#[test]
fn delete_of_a_rejected_create_leaves_the_next_creates_work() {
    for reuses_id in [false, true] {
        in_account(async |fake, stack| {
            let first = stack.request("Create", None, &properties(), None);
            fake.deny_because("*", "", Denied::Explicitly);
            let rejected = stack.deliver(&first).await;
            fake.allow();
            tokio::time::sleep(Duration::from_mins(5)).await;
            let mut create = stack.request("Create", None, &properties(), None);
            if reuses_id {
                create.event["RequestId"] = first.event["RequestId"].clone();
            }
            stack.deliver(&create).await.assert_success();
            stack.delete_id(failed_id(&rejected), &properties()).await;
            fake.look(|aws| assert!(aws.stacks.named(CHILD).is_some()));
            // A late copy of the Create finds no deletion.
            deliver_once(fake, "again", &create).await;
            fake.look(|aws| assert!(aws.stacks.named(CHILD).is_some()));
            stack.delete_id(CHILD, &properties()).await;
            assert_nothing_remains(fake);
        });
    }
}

/// CloudFormation's text about a resource.
const EXISTS: &str = "Resource of type 'AWS::Logs::LogGroup' with identifier 'g' already exists.";

fn finding(logical_id: &str, kind: &str, reason: &str, fails: bool) -> Finding {
    Finding {
        logical_id: logical_id.to_owned(),
        kind: kind.to_owned(),
        reason: reason.to_owned(),
        fails,
        hook: None,
    }
}

#[test]
fn failed_validation_is_reported_with_its_resource() {
    let mut reasons = vec![];
    for is_update in [false, true] {
        for is_denied in [false, true] {
            in_account(async |fake, stack| {
                let request = if is_update {
                    stack.create(&properties()).await.assert_success();
                    stack.request_update(&changed(properties()))
                } else {
                    stack.request("Create", None, &properties(), None)
                };
                let findings = vec![
                    finding("BuildLogGroup", "AWS::Logs::LogGroup", EXISTS, true),
                    finding("EventRule", "AWS::Events::Rule", "a quota is near", false),
                ];
                fake.change(|aws| aws.stacks.findings = findings);
                if is_denied {
                    fake.deny("cloudformation:DescribeEvents", "");
                }
                let answer = stack.deliver(&request).await;
                reasons.push(redacted(answer.reason()));
                fake.change(|aws| aws.stacks.findings.clear());
                fake.allow();
                stack.delete_id(CHILD, &properties()).await;
                assert_nothing_remains(fake);
            });
        }
    }
    expect![[r#"
        creating stack gitops-dev-shop: validation failed: BuildLogGroup (AWS::Logs::LogGroup): Resource of type 'AWS::Logs::LogGroup' with identifier 'g' already exists. Correct the cause, which the stack's events have, and deploy again - CFG-501
        creating stack gitops-dev-shop: Validation failed with 1 error(s). Correct the cause, which the stack's events have, and deploy again - CFG-501
        updating stack gitops-dev-shop: validation failed: BuildLogGroup (AWS::Logs::LogGroup): Resource of type 'AWS::Logs::LogGroup' with identifier 'g' already exists. Correct the cause, which the stack's events have, and deploy again - CFG-501
        updating stack gitops-dev-shop: Validation failed with 1 error(s). Correct the cause, which the stack's events have, and deploy again - CFG-501"#]].assert_eq(&reasons.join("\n"));
}

/// The resource's own reason has only the hook's name.
#[test]
fn message_of_a_hook_is_reported_with_its_resource() {
    const MESSAGE: &str = "Hook failed with message: [CT.CODEBUILD.PR.5] encrypt the artifacts";
    let mut reasons = vec![];
    for (is_update, is_denied) in [(false, false), (true, false), (false, true)] {
        in_account(async |fake, stack| {
            let request = if is_update {
                stack.create(&properties()).await.assert_success();
                stack.request_update(&changed(properties()))
            } else {
                stack.request("Create", None, &properties(), None)
            };
            let of_hook = |logical_id, reason, fails| Finding {
                hook: Some("AWS::ControlTower::Hook"),
                ..finding(logical_id, "AWS::CodeBuild::Project", reason, fails)
            };
            let hooks = vec![
                of_hook("BuildProject", MESSAGE, true),
                of_hook("BuildProject", "a warning", false),
                of_hook("EventRule", "of another resource", true),
            ];
            fake.change(|aws| aws.stacks.hooks = hooks);
            if is_denied {
                // DescribeStackEvents has the message, too.
                fake.deny("cloudformation:DescribeEvents", "");
            }
            let answer = stack.deliver(&request).await;
            reasons.push(redacted(answer.reason()));
            fake.change(|aws| aws.stacks.hooks.clear());
            fake.allow();
            stack.delete_id(CHILD, &properties()).await;
            assert_nothing_remains(fake);
        });
    }
    expect![[r#"
        creating stack gitops-dev-shop: BuildProject (AWS::CodeBuild::Project, codebuild-dev-cfn-shop) CREATE_FAILED: The following hook(s) failed: [AWS::ControlTower::Hook]: BuildProject (AWS::CodeBuild::Project): Hook failed with message: [CT.CODEBUILD.PR.5] encrypt the artifacts. Correct the cause, which the stack's events have, and deploy again - CFG-501
        updating stack gitops-dev-shop: BuildProject (AWS::CodeBuild::Project, codebuild-dev-cfn-shop) UPDATE_FAILED: The following hook(s) failed: [AWS::ControlTower::Hook]: BuildProject (AWS::CodeBuild::Project): Hook failed with message: [CT.CODEBUILD.PR.5] encrypt the artifacts. Correct the cause, which the stack's events have, and deploy again - CFG-501
        creating stack gitops-dev-shop: BuildProject (AWS::CodeBuild::Project, codebuild-dev-cfn-shop) CREATE_FAILED: The following hook(s) failed: [AWS::ControlTower::Hook]: BuildProject (AWS::CodeBuild::Project): Hook failed with message: [CT.CODEBUILD.PR.5] encrypt the artifacts. Correct the cause, which the stack's events have, and deploy again - CFG-501"#]].assert_eq(&reasons.join("\n"));
}

const FORMER: &str = "former";

/// A person deletes the former source while the stack is updated.
#[test]
fn rollback_to_a_deleted_repository_succeeds() {
    let given = with(properties(), "Source", json!({"RepositoryName": FORMER}));
    let rule = json!({"ApproversNeeded": "1"});
    for (before, has_branch, parents_late) in [
        (given.clone(), true, Duration::ZERO),
        (given.clone(), false, Duration::ZERO),
        (
            with(given.clone(), "ApprovalRule", rule),
            true,
            Duration::ZERO,
        ),
        (given, true, Duration::from_secs(30)),
    ] {
        paused(async {
            let fake = fake(Options {
                parents_late,
                ..Options::default()
            });
            let mut stack = stack(&fake);
            fake.repository(FORMER);
            if has_branch {
                fake.push(FORMER, BRANCH, "first");
            }
            stack.create(&before).await.assert_success();
            let after = properties();
            let update = stack.request_update(&after);
            stack.deliver(&update).await.assert_success();
            fake.change(|aws| aws.codecommit.repositories.remove(FORMER));
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_mins(5)).await;
                let back = stack.request_back(CHILD, &before, &after);
                stack.deliver(&back).await.assert_success();
            }
            // An Update to it is rejected.
            tokio::time::sleep(Duration::from_mins(5)).await;
            stack.show("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE", CHILD);
            tokio::time::sleep(Duration::from_mins(5)).await;
            let update = stack.request_update(&changed(before.clone()));
            stack.deliver(&update).await.assert_reason(["does not exist", "CFG-208"]);
        });
    }
}

/// Without the repository, the Update is rejected, and its rollback has the same source.
#[test]
fn rollback_of_an_update_without_its_source_succeeds() {
    let given = with(properties(), "Source", json!({"RepositoryName": FORMER}));
    for late in [5, 59] {
        paused(async {
            let fake = fake(Options {
                parents_late: Duration::from_secs(late),
                ..Options::default()
            });
            let mut stack = stack(&fake);
            fake.repository(FORMER);
            stack.create(&given).await.assert_success();
            tokio::time::sleep(Duration::from_mins(5)).await;
            fake.change(|aws| aws.codecommit.repositories.remove(FORMER));
            // With its rollback, which is asserted.
            let update = stack.update(&changed(given.clone()), None).await;
            update.assert_reason(["CFG-208"]);
        });
    }
}
