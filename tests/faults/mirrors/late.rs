//! Requests that arrive after a later one, after their deadline, or after their `ResponseURL`
//! expired, and a secret that is shown late.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::changes::{self, remove_tags};
use crate::checks::{nothing_remains, records, resources, state};
use crate::fixture::{
    SECRET, USER, after_create, both, holds, in_account, in_account_with, late, login, options,
    properties, request_delete, serial, with,
};
use fake_aws::{FakeAws, Fault, FaultKind, Options, redacted};
use test_support::custom_resource::{
    INVENTED_ID, ParentStack, RollBack, StackRequest, deliver_once,
};

/// The same credential in the secret of this name.
fn renamed(properties: &Value, name: &str) -> Value {
    let name = format!("codecommit-mirror/{name}");
    with(properties.clone(), "SecretName", json!(name))
}

/// Requests are ordered by the second in which they were signed, so calls take some time.
fn slow() -> Options {
    options(|options| options.latency = Duration::from_millis(300))
}

async fn late_copies_change_nothing(fake: &FakeAws, stack: &ParentStack) {
    let state = || fake.look(|aws| resources(aws, false));
    stack.assert_late_copies_change_nothing(&[], state).await;
}

/// Delivers a request late, which changes nothing.
async fn assert_changes_nothing(fake: &FakeAws, request: &StackRequest) {
    let before = fake.look(state);
    deliver_once(fake, "late", request).await;
    assert_eq!(fake.look(state), before);
}

/// A Delete of the stack's resource that expires a minute after it was signed, and a second later.
async fn expired_delete(stack: &mut ParentStack) -> StackRequest {
    let delete = request_delete(stack).valid_for(60);
    tokio::time::sleep(Duration::from_secs(61)).await;
    delete
}

#[test]
fn expired_create_creates_nothing() {
    in_account(async |fake, stack, _| {
        // After its response would be accepted.
        let create = stack.request("Create", None, &login(), None).valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(deliver_once(fake, "expired", &create).await, Some(true));
        assert_eq!(fake.calls_of("expired"), 0);
        assert!(fake.responses().is_empty());
        // After CloudFormation's timeout.
        let create = stack.request("Create", None, &login(), None);
        tokio::time::sleep(Duration::from_secs(3601)).await;
        deliver_once(fake, "late", &create).await;
        fake.assert_holds(nothing_remains);
        // And one that was already deleted, while CloudFormation still waits.
        let create = stack.request("Create", None, &login(), None);
        let delete = stack.request("Delete", Some(INVENTED_ID), &login(), None);
        stack.deliver(&delete).await.assert_success();
        deliver_once(fake, "overtaken", &create).await;
        fake.assert_holds(nothing_remains);
    });
}

#[test]
fn expired_update_changes_nothing() {
    after_create(async |fake, stack| {
        let update = stack.request_update(&serial(&login(), 2)).valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_changes_nothing(fake, &update).await;
        assert_eq!(fake.calls_of("late"), 0);
    });
}

#[test]
fn expired_delete_deletes_unless_a_later_request_ran() {
    after_create(async |fake, stack| {
        let delete = expired_delete(stack).await;
        deliver_once(fake, "in time", &delete).await;
        fake.assert_holds(nothing_remains);

        // A second one that a Create has overtaken.
        let delete = expired_delete(stack).await;
        stack.resource = None;
        stack.create(&login()).await.assert_success();
        assert_changes_nothing(fake, &delete).await;
        holds(fake);
    });
}

#[test]
fn later_foreign_credential_survives_a_second_delete() {
    in_account_with(late(), async |fake, stack, _| {
        stack.create(&login()).await.assert_success();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let delete = request_delete(stack);
        stack.deliver(&delete).await.assert_success();
        let foreign = fake.foreign_credential(USER);
        deliver_once(fake, "second delivery", &delete).await;
        assert_eq!(fake.look(|aws| aws.credentials(USER)), [foreign]);
    });
}

#[test]
fn second_delivery_of_a_create_restores_lost_tags() {
    in_account(async |fake, stack, _| {
        let create = stack.request("Create", None, &login(), None);
        stack.deliver(&create).await.assert_success();
        let all = fake.look(|aws| records(aws, USER));
        remove_tags(fake);
        deliver_once(fake, "second delivery", &create).await;
        assert_eq!(fake.look(|aws| records(aws, USER)), all);
        holds(fake);
    });
}

#[test]
fn late_copy_of_a_failed_update_changes_nothing() {
    let (login_2, properties_2) = (serial(&login(), 2), serial(&properties(), 2));
    let foreign = "a foreign credential takes the second place";
    for (cause, before, change) in [
        (foreign, login(), login_2),
        ("writing the secret is denied", both(), properties()),
        ("GitLab becomes unreachable", both(), properties_2),
    ] {
        in_account_with(slow(), async |fake, stack, _| {
            stack.create(&before).await.assert_success();
            tokio::time::sleep(Duration::from_mins(1)).await;
            changes::apply(fake, &json!(cause));
            let update = stack.update(&change, None).await;
            assert!(!update.is_success(), "{cause}");
            changes::apply(fake, &json!("every service works again"));
            fake.allow();
            late_copies_change_nothing(fake, stack).await;
        });
    }
}

#[test]
fn cancelled_update_stays_cancelled_after_the_rollback() {
    after_create(async |fake, stack| {
        let wanted = serial(&login(), 2);
        // Lambda has it in its queue, while CloudFormation already rolls back.
        let update = stack.request_update(&wanted);
        tokio::time::sleep(Duration::from_secs(30)).await;
        let back = stack.request("Update", Some(SECRET), &login(), Some(&wanted));
        stack.deliver(&back).await.assert_success();
        assert_changes_nothing(fake, &update).await;
    });
}

#[test]
fn rollback_succeeds_without_the_permission_to_tag() {
    for change in [serial(&login(), 2), renamed(&login(), "renamed")] {
        after_create(async |fake, stack| {
            fake.deny("secretsmanager:TagResource", "");
            fake.deny("secretsmanager:CreateSecret", "");
            let update = stack.update(&change, None).await;
            update.assert_reason(["AccessDenied"]);
            holds(fake);
        });
    }
}

#[test]
fn late_copies_after_replacements_change_nothing() {
    for foreign in ["Refuse", "Delete"] {
        let first = with(login(), "ForeignCredentials", json!(foreign));
        in_account_with(slow(), async |fake, stack, _| {
            stack.create(&first).await.assert_success();
            for name in ["second", "third"] {
                tokio::time::sleep(Duration::from_mins(1)).await;
                let next = renamed(&first, name);
                stack.update(&next, None).await.assert_success();
            }
            late_copies_change_nothing(fake, stack).await;
        });
    }
}

#[test]
fn late_copy_of_an_abandoned_replacement_changes_nothing() {
    in_account_with(slow(), async |fake, stack, _| {
        stack.create(&login()).await.assert_success();
        tokio::time::sleep(Duration::from_mins(1)).await;
        let replaced = renamed(&login(), "renamed");
        let abandoned = Some(RollBack::DeleteNewOnly);
        stack.update(&replaced, abandoned).await.assert_success();
        tokio::time::sleep(Duration::from_mins(1)).await;
        // It removes the tombstone of that Delete.
        stack.update(&login(), None).await.assert_success();
        late_copies_change_nothing(fake, stack).await;
    });
}

#[test]
fn created_secret_that_is_shown_late_is_polled() {
    let options = Options {
        latency: Duration::from_millis(30),
        secrets_late: Duration::from_secs(3),
        ..Options::default()
    };
    in_account_with(options, async |fake, stack, _| {
        let lost = Fault::on("CreateSecret", 0, FaultKind::AnswerLost);
        fake.inject("1-Create.1", lost);
        stack.create(&login()).await.assert_success();
        assert!(fake.count("CreateSecret") < 10);
    });
}

// claim: request-dated-ahead-outranks-no-request-of-cloudformation
#[test]
fn request_dated_ahead_outranks_no_later_one() {
    for ahead in [1, 60, 280, 300, 301, 100_000] {
        after_create(async |fake, stack| {
            let forged = stack.request_update(&serial(&login(), 2));
            deliver_once(fake, "forged Update", &forged.dated_ahead(fake, ahead)).await;
            holds(fake);
            tokio::time::sleep(Duration::from_secs(1)).await;
            // CloudFormation's own requests.
            stack.update(&serial(&login(), 3), None).await.assert_success();
            stack.delete().await.assert_success();
            fake.assert_holds(nothing_remains);
            let forged = stack.request("Delete", Some(SECRET), &login(), None);
            deliver_once(fake, "forged Delete", &forged.dated_ahead(fake, ahead)).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            stack.create(&login()).await.assert_success();
            holds(fake);
        });
    }
}

/// A forged request that arrives while CloudFormation's Delete is in Lambda's queue.
// claim: request-dated-ahead-outranks-no-request-of-cloudformation
#[test]
fn delete_that_is_older_than_a_change_fails() {
    after_create(async |fake, stack| {
        let delete = request_delete(stack);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let forged = stack.request_update(&serial(&login(), 2));
        stack.deliver(&forged).await.assert_success();
        let before = fake.look(state);
        let answer = stack.deliver(&delete).await;
        expect!["deleting secret arn:aws:secretsmanager:eu-central-1:123456789012:secret:codecommit-mirror/user-dev-codecommit-mirroring-<suffix>: a later request has changed it, so it and its login are left. If the stack is in DELETE_FAILED, delete it again. If it no longer has the resource, delete the user's credential and the secret by hand - CFG-109"].assert_eq(&redacted(answer.reason()));
        assert_eq!(fake.look(state), before);
        stack.delete().await.assert_success();
        fake.assert_holds(nothing_remains);
    });
}

/// Lambda delivers a request again in minutes. The date in its URL keeps its place in the order.
#[test]
fn second_deliveries_keep_the_order_of_their_requests() {
    after_create(async |fake, stack| {
        let update = stack.request_update(&serial(&login(), 2));
        stack.deliver(&update).await.assert_success();
        tokio::time::sleep(Duration::from_secs(20)).await;
        let delete = request_delete(stack);
        stack.deliver(&delete).await.assert_success();
        for late in [&update, &delete, &update] {
            tokio::time::sleep(Duration::from_mins(2)).await;
            deliver_once(fake, "late", late).await;
            fake.assert_holds(nothing_remains);
        }
    });
}
