//! A Delete's response if the function may not read what it has to delete, or if the records of it
//! are lost.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::changes;
use crate::changes::{delete_secret, remove_tags};
use crate::checks::{at_rest, nothing_remains, state};
use crate::fixture::{
    OTHER_USER, PROJECT, SECRET, USER, after_create, in_account, login, properties, request_delete,
    with,
};
use fake_aws::{Denied, FakeAws, redacted};
use test_support::custom_resource::{
    INVENTED_ID, ParentStack, RequestOutcome, StackRequest, deliver_once,
};

const RENAMED: &str = "codecommit-mirror/renamed";
const DESCRIBE: &str = "secretsmanager:DescribeSecret";
const WHYS: [Denied; 2] = [Denied::NoPolicy, Denied::Explicitly];

fn renamed(properties: &Value) -> Value {
    with(properties.clone(), "SecretName", json!(RENAMED))
}

/// The Update of the resource succeeds. CloudFormation has not sent the Delete of the former one.
async fn replaced(stack: &mut ParentStack, wanted: &Value) {
    stack.create(&properties()).await.assert_success();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let update = stack.request_update(wanted);
    stack.deliver(&update).await.assert_success();
}

/// A Delete of `id` is FAILED and changes nothing while the function may not read the secret
/// `secret`. Then it succeeds.
async fn fails_while_denied(
    fake: &FakeAws,
    stack: &mut ParentStack,
    (id, secret): (&str, &str),
    properties: &Value,
    why: Denied,
) {
    let before = fake.look(state);
    fake.deny_because(DESCRIBE, secret, why);
    let delete = stack.request("Delete", Some(id), properties, None);
    let answer = stack.deliver(&delete).await;
    answer.assert_reason([DESCRIBE, secret]);
    assert_eq!(fake.look(state), before, "something was touched");
    fake.allow();
    stack.delete_id(id, properties).await;
}

#[test]
pub fn denied_clean_up_after_a_replacement_fails() {
    let other_user = with(properties(), "UserName", json!(OTHER_USER));
    for wanted in [renamed(&properties()), other_user] {
        for (why, loses_tags) in [(WHYS[0], false), (WHYS[1], false), (WHYS[1], true)] {
            in_account(async |fake, stack, _| {
                replaced(stack, &wanted).await;
                if loses_tags {
                    remove_tags(fake);
                }
                let old = (SECRET, SECRET);
                fails_while_denied(fake, stack, old, &properties(), why).await;
                fake.assert_holds(|aws| at_rest(aws, &wanted, false));
            });
        }
    }
}

#[test]
fn denied_clean_up_after_a_rollback_fails() {
    for why in WHYS {
        in_account(async |fake, stack, _| {
            let wanted = renamed(&properties());
            replaced(stack, &wanted).await;
            let back = stack.request("Update", Some(RENAMED), &properties(), Some(&wanted));
            stack.deliver(&back).await.assert_success();
            fails_while_denied(fake, stack, (RENAMED, RENAMED), &wanted, why).await;
            fake.assert_holds(|aws| at_rest(aws, &properties(), false));
        });
    }
}

/// CloudFormation did not get the response to the Update, so the rollback deletes the replacement.
#[test]
fn denied_rollback_of_an_unanswered_replacement_fails() {
    in_account(async |fake, stack, _| {
        let wanted = renamed(&properties());
        replaced(stack, &wanted).await;
        fake.deny_because(DESCRIBE, RENAMED, Denied::Explicitly);
        let back = stack.request("Update", Some(SECRET), &properties(), Some(&wanted));
        let denied = stack.deliver(&back).await;
        expect!["reading secret codecommit-mirror/renamed: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized to perform: secretsmanager:DescribeSecret on resource: codecommit-mirror/renamed with an explicit deny in an identity-based policy. Change the policy that denies the call (an identity-based policy or the permissions boundary of the function's role, a service control policy, or the policy of the VPC endpoint, of the resource or of its key): no parameter of the provider stack allows this - CFG-202"].assert_eq(&redacted(denied.reason()));
        fake.allow();
        let back = stack.request("Update", Some(SECRET), &properties(), Some(&wanted));
        stack.deliver(&back).await.assert_success();
        fake.assert_holds(|aws| at_rest(aws, &properties(), false));
    });
}

#[test]
fn rollback_of_a_denied_replacement_succeeds() {
    after_create(async |fake, stack| {
        fake.deny_because("*", "renamed", Denied::Explicitly);
        let wanted = renamed(&login());
        // If the Update fails, its rollback has to succeed.
        let update = stack.update(&wanted, None).await;
        expect!["reading secret codecommit-mirror/renamed: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized to perform: secretsmanager:DescribeSecret on resource: codecommit-mirror/renamed with an explicit deny in an identity-based policy. Change the policy that denies the call (an identity-based policy or the permissions boundary of the function's role, a service control policy, or the policy of the VPC endpoint, of the resource or of its key): no parameter of the provider stack allows this - CFG-202"].assert_eq(&redacted(update.reason()));
        fake.assert_holds(|aws| at_rest(aws, &login(), false));
    });
}

#[test]
fn denied_delete_fails_whoever_chose_its_id() {
    for (id, denied, properties) in [
        (SECRET, SECRET, properties()),
        // No user is known.
        (SECRET, SECRET, json!({})),
        (INVENTED_ID, SECRET, properties()),
        // The properties have changed since the response that named the ID.
        (SECRET, SECRET, renamed(&properties())),
    ] {
        in_account(async |fake, stack, _| {
            stack.create(&self::properties()).await.assert_success();
            let why = Denied::Explicitly;
            fails_while_denied(fake, stack, (id, denied), &properties, why).await;
            fake.assert_holds(nothing_remains);
        });
    }
}

/// The ID of a rejected Create.
fn rejected_id(answer: &RequestOutcome) -> &str {
    match answer {
        RequestOutcome::Failed { id, .. } => {
            let rest = id.strip_prefix("rejected:").expect("marked as rejected");
            assert!(rest.starts_with(SECRET), "{id}");
            id
        }
        other => panic!("not FAILED: {other:?}"),
    }
}

#[test]
fn rejected_create_is_marked_in_its_id_and_can_be_deleted() {
    let unknown = with(properties(), "Unknown", json!("property"));
    for (action, wanted) in [
        (DESCRIBE, properties()),
        ("iam:ListUserTags", properties()),
        ("*", properties()),
        ("*", unknown),
    ] {
        in_account(async |fake, stack, _| {
            fake.deny_because(action, "", Denied::Explicitly);
            let create = stack.request("Create", None, &wanted, None);
            let answer = stack.deliver(&create).await;
            stack.delete_id(rejected_id(&answer), &wanted).await;
            fake.assert_holds(nothing_remains);
        });
    }
}

/// Returns the Create, and its ID.
async fn create_rejected(fake: &FakeAws, stack: &mut ParentStack) -> (StackRequest, String) {
    fake.deny_because("*", "", Denied::Explicitly);
    let create = stack.request("Create", None, &properties(), None);
    let answer = stack.deliver(&create).await;
    fake.allow();
    tokio::time::sleep(Duration::from_mins(5)).await;
    (create, rejected_id(&answer).to_owned())
}

/// The stack was kept, and its next operation creates the resource. Then CloudFormation deletes the
/// rejected one.
#[test]
fn delete_of_a_rejected_create_leaves_the_next_creates_work() {
    for reuses_id in [false, true] {
        in_account(async |fake, stack, _| {
            let (first, rejected) = create_rejected(fake, stack).await;
            let mut create = stack.request("Create", None, &properties(), None);
            if reuses_id {
                create.event["RequestId"] = first.event["RequestId"].clone();
            }
            stack.deliver(&create).await.assert_success();
            let before = fake.look(state);
            stack.delete_id(&rejected, &properties()).await;
            assert_eq!(fake.look(state), before, "something was touched");
            stack.delete_id(SECRET, &properties()).await;
            fake.assert_holds(nothing_remains);
        });
    }
}

/// The Update of a rejected resource creates it, or adopts what another delivery of the Create
/// created.
#[test]
fn delete_of_a_rejected_create_leaves_its_updates_work() {
    for has_peer in [false, true] {
        in_account(async |fake, stack, _| {
            let (create, rejected) = create_rejected(fake, stack).await;
            if has_peer {
                deliver_once(fake, "again", &create).await;
            }
            let (id, old) = (Some(&*rejected), properties());
            let update = stack.request("Update", id, &properties(), Some(&old));
            stack.deliver(&update).await.assert_success();
            let before = fake.look(state);
            stack.delete_id(&rejected, &properties()).await;
            assert_eq!(fake.look(state), before, "something was touched");
        });
    }
}

/// The first delivery is rejected, and a second one succeeds before CloudFormation's Delete.
#[test]
fn delete_of_a_rejected_create_deletes_work_of_its_peer() {
    in_account(async |fake, stack, _| {
        let create = stack.request("Create", None, &properties(), None);
        fake.deny_because("*", "", Denied::Explicitly);
        let answer = stack.deliver(&create).await;
        fake.allow();
        deliver_once(fake, "again", &create).await;
        let denied = (rejected_id(&answer), SECRET);
        fails_while_denied(fake, stack, denied, &properties(), Denied::NoPolicy).await;
        fake.assert_holds(nothing_remains);
    });
}

#[test]
fn mirrors_without_a_record_are_named_by_the_delete() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        delete_secret(fake);
        let delete = request_delete(stack);
        let answer = stack.deliver(&delete).await;
        answer.assert_success();
        let note = answer.note();
        let named = "push mirror 101 of project platform/team/infra to repository codecommit-dev-";
        assert!(note.starts_with(named), "{note}");
        assert!(note.ends_with(" - CFG-416"), "{note}");
        assert_eq!(note.matches("push mirror").count(), 1, "{note}");
        fake.look(|aws| assert!(aws.credentials(USER).is_empty()));
        // A person removes it, as the page of the code advises.
        fake.change(|aws| {
            let mirrors = &mut aws.gitlab.project_mut(PROJECT).mirrors;
            mirrors.retain(|_, mirror| !mirror.is_ours());
        });
        let again = request_delete(stack);
        assert_eq!(stack.deliver(&again).await.note(), "");
    });
}

#[test]
fn unread_project_is_named_by_a_delete_without_records() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        for change in ["the secret is deleted", "GitLab becomes unreachable"] {
            changes::apply(fake, &json!(change));
        }
        let delete = request_delete(stack);
        let answer = stack.deliver(&delete).await;
        answer.assert_success();
        expect!["mirrors of project platform/team/infra may be left in GitLab (listing the push mirrors of project platform/team/infra at https://gitlab.example.com: GitLab did not respond in time). Remove each that exists and that you do not use, in its project's Settings, Repository, Mirroring repositories - CFG-416"].assert_eq(&redacted(answer.note()));
        fake.look(|aws| assert!(aws.credentials(USER).is_empty()));
    });
}
