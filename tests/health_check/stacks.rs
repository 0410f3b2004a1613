//! Pipelines' stacks: first pushes that were not delivered, and owners that no longer exist.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::fixture::{child, create_pipeline, empty_world, look, look_as, look_by_schedule, tags};
use fake_aws::{FakeAws, FaultKind, On};
use test_support::custom_resource::ParentStack;

const OWNER: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/00000000-0000-4000-8000-00000000000f";
const CHILD: &str = "gitops-dev-shop";
const PIPELINE: &str = "codepipeline-dev-cfn-shop";
const REPOSITORY: &str = "codecommit-dev-cfn-shop";

fn properties() -> Value {
    json!({"EnvID": "dev", "ProjectID": "shop"})
}

/// A pipeline's stack that waits for its branch, and the stack that owns it.
async fn waiting() -> (FakeAws, ParentStack) {
    let fake = empty_world();
    let stack = create_pipeline(&fake, &properties()).await;
    assert!(!has_pipeline(&fake));
    (fake, stack)
}

fn has_pipeline(fake: &FakeAws) -> bool {
    fake.look(|aws| aws.pipelines.contains_key(PIPELINE))
}

#[tokio::test(start_paused = true)]
async fn undelivered_first_push_creates_the_pipeline() {
    let (fake, mut stack) = waiting().await;
    // Without the branch, there is nothing to create.
    look(&fake).await.assert_healthy();
    assert_eq!(fake.count("UpdateStack"), 0);
    // EventBridge's events for the function are lost here.
    fake.push(REPOSITORY, "development", "a-commit");
    let looked = look(&fake).await;
    assert!(!looked.has_failed());
    assert!(has_pipeline(&fake), "{}", fake.transcript());
    assert_eq!(looked.texts("Created"), [PIPELINE]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(look(&fake).await.texts("Created").is_empty());
    let runs = fake.look(|aws| aws.pipelines[PIPELINE].executions.len());
    assert_eq!(runs, 1);
    assert!(stack.delete().await.is_success());
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn slow_create_leaves_time_for_the_response() {
    let (fake, _) = waiting().await;
    fake.push(REPOSITORY, "development", "a-commit");
    fake.options(|options| options.resource_takes = Duration::from_secs(3600));
    let began = tokio::time::Instant::now();
    let looked = look_as(&fake, "slow", Duration::from_secs(880)).await;
    assert!(!looked.has_failed());
    assert!(began.elapsed() < Duration::from_secs(200));
}

#[tokio::test(start_paused = true)]
async fn stack_without_owner_is_reported() {
    let fake = empty_world();
    fake.options(|options| options.resource_status = Some(""));
    child(&fake, CHILD, "CREATE_COMPLETE", OWNER);
    fake.stack("gitops-prd-shop", "CREATE_COMPLETE", &tags(OWNER));
    fake.stack("owner", "UPDATE_COMPLETE", &[]);
    let owner = fake.look(|aws| aws.stacks.named("owner").expect("just made").id.clone());
    child(&fake, "gitops-dev-owned", "CREATE_COMPLETE", &owner);
    fake.declare(
        &owner,
        "Project",
        "Custom::GitOpsPipeline",
        "gitops-dev-owned",
    );
    for n in 0..5 {
        fake.stack(&format!("other-{n}"), "CREATE_COMPLETE", &[]);
    }
    let looked = look(&fake).await;
    expect!["pipeline stack gitops-dev-shop: it is without an owner: resource Project of stack arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/<uuid> no longer exists. If `cfn-gitops leave` kept it, do nothing. To distinguish kept from left, read docs/how-to/leave.md, Kept or left"].assert_eq(&looked.unhealthy());
    assert_eq!(looked.values("OrphanedPipelineStacks", ""), [1.0]);
    // A forced deletion leaves resources that CloudFormation still shows.
    let is_now = |status| {
        fake.change(|aws| aws.stacks.all.get_mut(&owner).expect("made").status = status);
    };
    is_now("DELETE_COMPLETE");
    let looked = look(&fake).await;
    assert_eq!(looked.values("OrphanedPipelineStacks", ""), [2.0]);
    // The list lacks an owner in a status that the function does not know.
    is_now("UPDATE_DELEGATED");
    let looked = look(&fake).await;
    assert_eq!(looked.values("OrphanedPipelineStacks", ""), [1.0]);
    // An owner that cannot be looked up may exist. The tag may name one in another account.
    let far = empty_world();
    let owner = OWNER.replace("123456789012", "210987654321");
    child(&far, CHILD, "CREATE_COMPLETE", &owner);
    for fake in [&fake, &far] {
        fake.break_from_now(On::Operation("DescribeStackResource"), FaultKind::Denied);
    }
    assert!(!look(&far).await.has_failed());
    let looked = look(&fake).await;
    assert!(looked.has_failed() && looked.texts("Unhealthy").is_empty());
    assert_eq!(looked.values("OrphanedPipelineStacks", ""), [0.0]);
    fake.mend();
    // Those that cannot be listed are not orphans.
    fake.break_from_now(On::Operation("ListStacks"), FaultKind::Denied);
    let looked = look(&fake).await;
    assert!(looked.has_failed());
    assert!(looked.texts("Unhealthy").is_empty());
    assert!(looked.values("OrphanedPipelineStacks", "").is_empty());
}

/// The Delete of a replaced or removed pipeline failed after the update of its stack: CloudFormation
/// has ended the update nevertheless.
#[tokio::test(start_paused = true)]
async fn stack_that_no_resource_declares_is_reported() {
    const OTHER: &str = "gitops-dev-other";
    for (shown, status, physical_id, is_orphan) in [
        ("UPDATE_COMPLETE", "UPDATE_COMPLETE", CHILD, false),
        ("UPDATE_COMPLETE", "UPDATE_COMPLETE", OTHER, true),
        ("UPDATE_COMPLETE", "DELETE_COMPLETE", CHILD, true),
        ("UPDATE_COMPLETE", "DELETE_SKIPPED", CHILD, true),
        ("UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", OTHER, false),
        ("UPDATE_COMPLETE", "UPDATE_FAILED", OTHER, false),
        ("UPDATE_COMPLETE", "NEW", OTHER, false),
        ("UPDATE_ROLLBACK_FAILED", "UPDATE_COMPLETE", OTHER, false),
        (
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_COMPLETE",
            OTHER,
            false,
        ),
    ] {
        let fake = empty_world();
        let owner = crate::fixture::owner(&fake, "owner");
        child(&fake, CHILD, "CREATE_COMPLETE", &owner);
        fake.declare(&owner, "Project", "Custom::GitOpsPipeline", physical_id);
        fake.change(|aws| {
            aws.stacks.named_mut("owner").expect("made").status = shown;
            let mut declared = aws.stacks.declared.values_mut();
            declared.next().expect("one").status = status;
        });
        let looked = look(&fake).await;
        let unhealthy = looked.unhealthy();
        let context = format!("{shown} {status} {physical_id}: {unhealthy}");
        let orphans = looked.value("OrphanedPipelineStacks", "").to_string();
        assert_eq!(orphans, u8::from(is_orphan).to_string(), "{context}");
        assert_eq!(
            unhealthy.contains("it is without an owner: resource "),
            is_orphan,
            "{context}"
        );
        // By the schedule, one check of a day looks at it: none begins beside the boundary of two.
        tokio::time::sleep(Duration::from_mins(2)).await;
        let mut orphans = 0.0;
        let interval = Duration::from_hours(6);
        for _ in 0..4 {
            let looked = look_by_schedule(&fake, interval, Duration::from_mins(5)).await;
            orphans += looked.value("OrphanedPipelineStacks", "");
            tokio::time::sleep(interval).await;
        }
        assert_eq!(
            orphans.to_string(),
            u8::from(is_orphan).to_string(),
            "{context}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn outdated_stack_is_counted_until_its_serial_changes() {
    let (fake, mut stack) = waiting().await;
    let looked = look(&fake).await;
    assert_eq!(looked.values("OutdatedPipelineStacks", ""), [0.0]);
    fake.change(|aws| {
        let child = aws.stacks.named_mut(CHILD).expect("just made");
        child.outputs.remove("RenderingVersion");
    });
    let looked = look(&fake).await;
    assert_eq!(looked.values("OutdatedPipelineStacks", ""), [1.0]);
    expect!["pipeline stack gitops-dev-shop: its rendering has version 0, and this function's is 1. Deploy stack shop again while none of its executions is in progress: `aws cloudformation deploy --template-file templates/project.yaml --stack-name shop --capabilities CAPABILITY_NAMED_IAM` if this is its template (with --role-arn if the stack has a role), sam deploy if template.yaml is, and otherwise with another RenderingSerial of resource Project"].assert_eq(&looked.unhealthy());
    let mut changed = properties();
    changed["RenderingSerial"] = json!("1");
    stack.update(&changed, None).await.assert_success();
    let looked = look(&fake).await;
    assert_eq!(looked.values("OutdatedPipelineStacks", ""), [0.0]);
    looked.assert_healthy();
    // A person updates it with another template.
    fake.change(|aws| aws.stacks.named_mut(CHILD).expect("just made").outputs.clear());
    let unhealthy = look(&fake).await.unhealthy();
    assert!(
        unhealthy.contains("Restore them: update resource Project"),
        "{unhealthy}"
    );
    changed["RenderingSerial"] = json!("2");
    stack.update(&changed, None).await.assert_success();
    look(&fake).await.assert_healthy();
}
