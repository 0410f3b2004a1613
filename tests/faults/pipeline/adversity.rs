//! Lasting faults: a call that is denied or throttled from some moment on, a repository with the
//! project's own name, a foreign approval rule template that is created meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use crate::changes;
use crate::checks::{assert_nothing_remains, delete_completely, difference, ours, shape, watch};
use crate::fixture::{
    CHILD, RULE, account, changed, fake, in_account, paused, properties, ruled, stack, with,
};
use fake_aws::{At, FakeAws, Fault, FaultKind, On, Options, Service};
use test_support::custom_resource::{
    INVENTED_ID, RequestOutcome, StackRequest, answers_are_sound, deliver_all, deliver_beside,
    deliver_once,
};

#[track_caller]
fn is_as(before: &Value, fake: &FakeAws, when: &str) {
    let now = fake.look(shape);
    assert!(now == *before, "{when}: {}", difference(&now, before));
}

#[test]
fn redelivery_under_denials_keeps_the_resources() {
    for service in [
        Service::CloudFormation,
        Service::CodeCommit,
        Service::CodePipeline,
        Service::SecretsManager,
    ] {
        // They may last longer than any request waits.
        for kind in [
            FaultKind::Denied,
            FaultKind::Throttled,
            FaultKind::InternalError500,
            FaultKind::RequestLost,
        ] {
            paused(redelivered(service, kind));
        }
    }
}

/// A Create and then a replacement come again, while this service has this fault.
async fn redelivered(service: Service, kind: FaultKind) {
    let fake = fake(Options::default());
    watch(&fake, 2, &[]);
    let mut stack = stack(&fake);
    let comes_again = async |request: &StackRequest, when: &str| {
        let again = StackRequest {
            name: format!("again {when}"),
            ..request.clone()
        };
        let before = fake.look(shape);
        fake.break_from_now(On::Service(service), kind);
        deliver_all(&fake, &again, false).await;
        is_as(&before, &fake, &format!("{service} {kind:?} {when}"));
        fake.mend();
    };
    let create = stack.request("Create", None, &ruled(), None);
    stack.deliver(&create).await.assert_success();
    stack.resource = Some((CHILD.to_owned(), ruled()));
    tokio::time::sleep(Duration::from_mins(1)).await;
    comes_again(&create, "after the Create").await;
    let renamed = with(ruled(), "ProjectID", json!("renamed"));
    let update = stack.request_update(&renamed);
    let updated = stack.deliver(&update).await;
    let RequestOutcome::Success { id, .. } = updated else {
        panic!("{updated:?}");
    };
    stack.resource = Some((id, renamed));
    comes_again(&update, "before the Delete of the replaced one").await;
    stack.delete_id(CHILD, &ruled()).await;
    comes_again(&update, "after it").await;
    delete_completely(&mut stack).await;
    answers_are_sound(&fake);
}

/// Another copy of a Create arrives while the first one waits for the stack, and gets a denial that
/// the first one did not get.
#[test]
fn denied_copy_does_not_undo_the_work_of_its_peer() {
    for seconds in [1, 4, 8] {
        for deletes in [false, true] {
            in_account(async |fake, stack| {
                let create = stack.request("Create", None, &ruled(), None);
                let creating = deliver_beside(fake, &create);
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                let operation = "GetApprovalRuleTemplate";
                let denial = Fault::on(operation, 0, FaultKind::DeniedExplicitly);
                fake.inject("again", denial);
                deliver_once(fake, "again", &create).await;
                assert_eq!(fake.faults_left(), 0, "nothing was denied");
                stack.heard(&create).await.assert_reason(["AccessDenied"]);
                if deletes {
                    // CloudFormation has received its failure.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    stack.delete_id(CHILD, &ruled()).await;
                    creating.await;
                    assert_nothing_remains(fake);
                } else {
                    creating.await;
                    let responses = fake.responses();
                    let first = responses.iter().find(|one| one.caller == "1-Create.1");
                    let response = first.expect("an answer").json();
                    assert_eq!(response["Status"], "SUCCESS", "{response}");
                    fake.look(|aws| assert_eq!(ours(aws)[0].status, "CREATE_COMPLETE"));
                }
            });
        }
    }
}

/// The Delete has found nothing and ended, and then the Create creates its stack: only the
/// read of the tombstone can prevent it.
async fn superseded_create(look: FaultKind, lasts: Duration) -> FakeAws {
    let (fake, mut stack) = account(Options::default());
    let create = stack.request("Create", None, &ruled(), None);
    let creating = deliver_held(&fake, &create, "CreateStack").await;
    // A second that the Delete was signed later.
    tokio::time::sleep(Duration::from_secs(1)).await;
    stack.delete_id(INVENTED_ID, &ruled()).await;
    assert_eq!(fake.count("CreateStack"), 0, "the Create was to be held");
    fake.break_from_now(On::Operation("DescribeSecret"), look);
    tokio::time::sleep(lasts).await;
    fake.mend();
    creating.await;
    fake
}

#[test]
fn failed_look_up_of_the_tombstone_is_retried_until_the_end() {
    for kind in [
        FaultKind::Throttled,
        FaultKind::InternalError500,
        FaultKind::RequestLost,
    ] {
        paused(async {
            // Longer than the SDK's own attempts.
            let fake = superseded_create(kind, Duration::from_mins(12)).await;
            assert_eq!(fake.faults_left(), 0);
            assert_nothing_remains(&fake);
            fake.assert_unbroken();

            let fake = superseded_create(kind, Duration::from_hours(2)).await;
            let mut deliveries = fake.responses();
            deliveries.retain(|one| one.caller.contains("Create"));
            for delivery in deliveries {
                assert_eq!(delivery.json()["Status"], "FAILED", "{kind:?}");
            }
            fake.assert_unbroken();
        });
    }
}

#[test]
fn delete_that_cannot_leave_its_mark_fails_and_can_be_repeated() {
    for operation in ["DescribeSecret", "CreateSecret", "DeleteSecret"] {
        for kind in [FaultKind::Throttled, FaultKind::InternalError500] {
            in_account(async |fake, stack| {
                let mut create = stack.request("Create", None, &ruled(), None);
                stack.deliver(&create).await.assert_success();
                if operation == "DescribeSecret" {
                    // Only the mark of an earlier Delete is read.
                    stack.delete_id(CHILD, &ruled()).await;
                    create = stack.request("Create", None, &ruled(), None);
                    stack.deliver(&create).await.assert_success();
                }
                stack.resource = Some((CHILD.to_owned(), ruled()));
                let before = fake.look(shape);
                fake.break_from_now(On::Operation(operation), kind);
                let deleted = stack.delete().await;
                assert!(!deleted.is_success(), "{operation} {kind:?}: {deleted:?}");
                is_as(&before, fake, operation);
                fake.mend();
                stack.delete().await.assert_success();
                deliver_once(fake, "create again", &create).await;
                assert_nothing_remains(fake);
            });
        }
    }
}

/// A call is held for less than the SDK waits for its answer.
const HELD: Duration = Duration::from_secs(4);

/// Delivers the request, whose call of this operation is sent and has not yet arrived.
async fn deliver_held(
    fake: &FakeAws,
    request: &StackRequest,
    operation: &str,
) -> impl Future<Output = ()> + use<> {
    let at = At::Operation(operation.to_owned(), 0);
    fake.hold(&format!("{}.1", request.name), at, HELD);
    let delivering = deliver_beside(fake, request);
    while fake.faults_left() > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    delivering
}

/// Another person creates an approval rule template with the project's name while a call of the
/// request is on its way.
#[test]
fn concurrent_foreign_approval_rule_template_is_kept() {
    for (is_update, held) in [
        (false, "CreateStack"),
        (false, "CreateApprovalRuleTemplate"),
        (true, "CreateApprovalRuleTemplate"),
    ] {
        paused(async {
            let fake = fake(Options::default());
            let mut stack = stack(&fake);
            let wanted = changed(ruled());
            let request = if is_update {
                stack.create(&properties()).await.assert_success();
                stack.request_update(&wanted)
            } else {
                stack.request("Create", None, &wanted, None)
            };
            let delivering = deliver_held(&fake, &request, held).await;
            changes::apply(&fake, &json!("a foreign approval rule template"));
            watch(&fake, 1, &[]);
            delivering.await;
            let answer = stack.heard(&request).await;
            answer.assert_reason([RULE, "its description does not name this resource"]);
            if is_update {
                let back = stack.request("Update", Some(CHILD), &properties(), Some(&wanted));
                stack.deliver(&back).await.assert_success();
            }
            stack.delete_id(CHILD, &wanted).await;
            assert_nothing_remains(&fake);
            fake.assert_unbroken();
        });
    }
}
