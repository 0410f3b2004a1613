//! Lasting faults: a call that is denied or throttled from some moment on, a repository with the
//! project's own name, a foreign approval rule template that is created meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{assert_nothing_remains, delete_completely, difference, ours, shape, watch};
use crate::fixture::{GIVEN, RULE, changed, fake, paused, properties, ruled, stack, with};
use fake_aws::RuleTemplate;
use fake_aws::request::Service;
use fake_aws::{At, FakeAws, Fault, FaultKind, On, Options};
use test_support::custom_resource::{
    INVENTED_ID, ParentStack, RequestOutcome, StackRequest, answered_once, answers_are_sound,
    deliver_all, deliver_beside, deliver_once,
};

/// Faults that may last longer than any request waits.
const LASTING: [FaultKind; 4] = [
    FaultKind::Denied,
    FaultKind::Throttled,
    FaultKind::InternalError500,
    FaultKind::RequestLost,
];

/// The services that the resource calls.
const SERVICES: [Service; 4] = [
    Service::CloudFormation,
    Service::CodeCommit,
    Service::CodePipeline,
    Service::SecretsManager,
];

async fn deleted_in_the_end(stack: &mut ParentStack) {
    let fake = stack.fake.clone();
    delete_completely(stack).await;
    answers_are_sound(&fake);
}

fn is_as(before: &Value, fake: &FakeAws, when: &str) {
    let now = fake.look(shape);
    assert!(now == *before, "{when}: {}", difference(&now, before));
}

/// A fake AWS in which the resource is as `wanted`, with its branch, and the request that created
/// it.
async fn made(wanted: &Value) -> (ParentStack, StackRequest) {
    let fake = fake(Options::default());
    watch(&fake, 1, &[]);
    let mut stack = stack(&fake);
    let create = stack.request("Create", None, wanted, None);
    let created = stack.deliver(&create).await;
    let RequestOutcome::Success { id, .. } = created else {
        panic!("{created:?}");
    };
    stack.resource = Some((id, wanted.clone()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    (stack, create)
}

/// The request as Lambda delivers it again.
fn again(request: &StackRequest) -> StackRequest {
    StackRequest {
        name: "again".to_owned(),
        ..request.clone()
    }
}

#[test]
fn redelivered_create_under_denials_keeps_its_resources() {
    for service in SERVICES {
        for kind in LASTING {
            paused(async {
                let (mut stack, create) = made(&ruled()).await;
                let fake = stack.fake.clone();
                let before = fake.look(shape);
                fake.break_from_now(On::Service(service), kind);
                deliver_all(&fake, &again(&create), false).await;
                is_as(&before, &fake, &format!("{service} {kind:?}"));
                fake.mend();
                deleted_in_the_end(&mut stack).await;
            });
        }
    }
}

/// Another copy of a Create arrives while the first one waits for the stack, and gets a denial that
/// the first one did not get.
async fn joined_by_a_denied_copy(after: Duration, deletes: bool) {
    let fake = fake(Options::default());
    watch(&fake, 1, &[]);
    let mut stack = stack(&fake);
    let create = stack.request("Create", None, &ruled(), None);
    let creating = deliver_beside(&fake, &create);
    tokio::time::sleep(after).await;
    let operation = "GetApprovalRuleTemplate";
    fake.inject(
        "again",
        Fault::on(operation, 0, FaultKind::DeniedExplicitly),
    );
    deliver_once(&fake, "again", &create).await;
    assert_eq!(fake.faults_left(), 0, "nothing was denied");
    let heard = stack.heard(&create).await;
    heard.assert_reason(["AccessDenied"]);
    if deletes {
        // CloudFormation has received its failure.
        tokio::time::sleep(Duration::from_secs(1)).await;
        stack.delete_id("gitops-dev-shop", &ruled()).await;
        creating.await;
        assert_nothing_remains(&fake);
    } else {
        creating.await;
        let own: Vec<_> = fake.responses();
        let response = own.iter().find(|one| one.caller == "1-Create.1");
        let response = response.expect("an answer").json();
        assert_eq!(response["Status"], "SUCCESS", "{response}");
        fake.look(|aws| assert_eq!(ours(aws)[0].status, "CREATE_COMPLETE"));
    }
    fake.assert_unbroken();
}

#[test]
fn denied_copy_does_not_undo_the_work_of_its_peer() {
    for seconds in [1, 4, 8] {
        for deletes in [false, true] {
            paused(joined_by_a_denied_copy(
                Duration::from_secs(seconds),
                deletes,
            ));
        }
    }
}

#[test]
fn redelivered_replacement_under_denials_keeps_its_resources() {
    for service in SERVICES {
        for kind in LASTING {
            paused(async {
                let fake = fake(Options::default());
                watch(&fake, 2, &[]);
                let mut stack = stack(&fake);
                stack.create(&ruled()).await.assert_success();
                tokio::time::sleep(Duration::from_secs(60)).await;
                let (old_id, old) = stack.resource.clone().expect("created");
                let renamed = with(ruled(), "ProjectID", json!("renamed"));
                let update = stack.request("Update", Some(&old_id), &renamed, Some(&old));
                let updated = stack.deliver(&update).await;
                let RequestOutcome::Success { id, .. } = updated else {
                    panic!("{updated:?}");
                };
                stack.resource = Some((id, renamed));
                // Before and after the deletion of the replaced one.
                for goes in [false, true] {
                    if goes {
                        fake.mend();
                        stack.delete_id(&old_id, &old).await;
                    }
                    let before = fake.look(shape);
                    fake.break_from_now(On::Service(service), kind);
                    let again = StackRequest {
                        name: format!("again {goes}"),
                        ..update.clone()
                    };
                    deliver_all(&fake, &again, false).await;
                    is_as(&before, &fake, &format!("{service} {kind:?} {goes}"));
                }
                fake.mend();
                deleted_in_the_end(&mut stack).await;
            });
        }
    }
}

/// The Delete has found nothing and ended, and then the Create creates its stack: only the
/// read of the tombstone can prevent it.
async fn superseded_create(look: FaultKind, lasts: Duration) -> FakeAws {
    let fake = fake(Options::default());
    watch(&fake, 1, &[]);
    let mut stack = stack(&fake);
    let create = stack.request("Create", None, &ruled(), None);
    fake.hold(
        "1-Create.1",
        At::Operation("CreateStack".to_owned(), 0),
        HELD,
    );
    let creating = deliver_beside(&fake, &create);
    is_held(&fake).await;
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
            let deliveries = fake.responses();
            let created = deliveries
                .iter()
                .filter(|delivery| delivery.caller.contains("Create"));
            for delivery in created {
                let body = delivery.json();
                assert_eq!(body["Status"], "FAILED", "{kind:?}");
            }
            fake.assert_unbroken();
        });
    }
}

#[test]
fn delete_that_cannot_leave_its_mark_fails_and_can_be_repeated() {
    for operation in ["DescribeSecret", "CreateSecret", "DeleteSecret"] {
        for kind in [FaultKind::Throttled, FaultKind::InternalError500] {
            paused(async {
                let (mut stack, mut create) = made(&ruled()).await;
                let fake = stack.fake.clone();
                let (id, wanted) = stack.resource.clone().expect("created");
                if operation == "DescribeSecret" {
                    // Only the mark of an earlier Delete is read.
                    deleted_in_the_end(&mut stack).await;
                    create = stack.request("Create", None, &wanted, None);
                    stack.deliver(&create).await.assert_success();
                    stack.resource = Some((id.clone(), wanted.clone()));
                }
                let before = fake.look(shape);
                fake.break_from_now(On::Operation(operation), kind);
                let delete = stack.request("Delete", Some(&id), &wanted, None);
                let deleted = stack.deliver(&delete).await;
                assert!(!deleted.is_success(), "{operation} {kind:?}: {deleted:?}");
                is_as(&before, &fake, operation);
                fake.mend();
                deleted_in_the_end(&mut stack).await;
                deliver_once(&fake, "create again", &create).await;
                assert_nothing_remains(&fake);
            });
        }
    }
}

/// A call is held for less than the SDK waits for its answer.
const HELD: Duration = Duration::from_secs(4);

/// Waits until the call that is to be delayed was made.
async fn is_held(fake: &FakeAws) {
    while fake.faults_left() > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Another person creates an approval rule template with the project's name.
fn foreign_template(fake: &FakeAws) {
    fake.arrange(|aws| {
        let now = aws.now;
        let theirs = RuleTemplate {
            id: "theirs".to_owned(),
            description: "Theirs".to_owned(),
            content: r#"{"Version":"2018-11-08"}"#.to_owned(),
            created: now,
            changed: now,
            repositories: [GIVEN.to_owned()].into(),
        };
        let held = aws
            .codecommit
            .rule_templates
            .insert(RULE.to_owned(), theirs);
        assert!(held.is_none(), "it was to come first");
    });
}

fn theirs_is_as_it_was(fake: &FakeAws) {
    fake.look(|aws| {
        let theirs = &aws.codecommit.rule_templates[RULE];
        assert_eq!(theirs.description, "Theirs");
        assert_eq!(theirs.content, r#"{"Version":"2018-11-08"}"#);
        let repositories: Vec<&String> = theirs.repositories.iter().collect();
        assert_eq!(repositories, [GIVEN]);
    });
}

/// Their template comes when the Create's call of this operation was sent, and before it arrives.
async fn met_by_theirs(held: &str) {
    let fake = fake(Options::default());
    let mut stack = stack(&fake);
    fake.hold("1-Create.1", At::Operation(held.to_owned(), 0), HELD);
    let create = stack.request("Create", None, &ruled(), None);
    let creating = deliver_beside(&fake, &create);
    is_held(&fake).await;
    foreign_template(&fake);
    watch(&fake, 1, &[]);
    creating.await;
    let created = stack.heard(&create).await;
    created.assert_reason([RULE, "not created by this resource"]);
    assert_eq!(fake.faults_left(), 0);
    theirs_is_as_it_was(&fake);
    stack.delete_id("gitops-dev-shop", &ruled()).await;
    theirs_is_as_it_was(&fake);
    assert_nothing_remains(&fake);
    fake.assert_unbroken();
}

#[test]
fn concurrent_foreign_approval_rule_template_is_kept() {
    for held in ["CreateStack", "CreateApprovalRuleTemplate"] {
        paused(met_by_theirs(held));
    }
}

#[test]
fn update_adding_an_approval_rule_keeps_a_foreign_one() {
    paused(async {
        let (mut stack, _) = made(&properties()).await;
        let fake = stack.fake.clone();
        fake.hold(
            "2-Update.1",
            At::Operation("CreateApprovalRuleTemplate".to_owned(), 0),
            HELD,
        );
        let coming = tokio::spawn({
            let fake = fake.clone();
            async move {
                is_held(&fake).await;
                foreign_template(&fake);
            }
        });
        let (id, old) = stack.resource.clone().expect("created");
        let wanted = changed(ruled());
        let update = stack.request("Update", Some(&id), &wanted, Some(&old));
        let answer = answered_once(&fake, "2-Update.1", &update).await;
        coming.await.expect("no panic");
        let answer = answer.expect("it lives").expect("an answer");
        assert_eq!(answer["Status"], "FAILED", "{answer}");
        theirs_is_as_it_was(&fake);
        let rolled_back = stack.request("Update", Some(&id), &old, Some(&wanted));
        stack.deliver(&rolled_back).await.assert_success();
        theirs_is_as_it_was(&fake);
        stack.delete().await.assert_success();
        assert_nothing_remains(&fake);
        theirs_is_as_it_was(&fake);
    });
}
