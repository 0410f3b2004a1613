//! Pipelines' stacks: first pushes that were not delivered, and owners that no longer exist.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{empty_world, look, look_as};
use fake_aws::custom_resource::{Kind, Stack};
use fake_aws::{FaultKind, On, World};

const OWNER: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/00000000-0000-4000-8000-00000000000f";
const CHILD: &str = "gitops-dev-shop";
const PIPELINE: &str = "codepipeline-dev-cfn-shop";
const REPOSITORY: &str = "codecommit-dev-cfn-shop";

fn properties() -> Value {
    json!({"EnvID": "dev", "ProjectID": "shop"})
}

/// A pipeline's stack that waits for its branch, and the stack that owns it.
async fn waiting() -> (World, Stack) {
    let world = empty_world();
    world.stack("shop", "CREATE_COMPLETE", &[]);
    let owner = world.look(|aws| aws.stacks.named("shop").expect("just made").id.clone());
    let kind = Kind {
        resource_type: "Custom::GitOpsPipeline",
        logical_id: "Project",
        wire: |_, caller| caller.connector(),
    };
    let mut stack = Stack::called(&world, kind, &owner);
    let created = stack.create(&properties()).await;
    assert!(created.is_success(), "{}", created.reason());
    assert!(!has_pipeline(&world));
    (world, stack)
}

fn has_pipeline(world: &World) -> bool {
    world.look(|aws| aws.pipelines.contains_key(PIPELINE))
}

#[tokio::test(start_paused = true)]
async fn undelivered_first_push_creates_the_pipeline() {
    let (world, mut stack) = waiting().await;
    // EventBridge's events for the function are lost here.
    world.push(REPOSITORY, "development", "a-commit");
    let looked = look(&world).await;
    assert!(!looked.has_failed());
    assert!(has_pipeline(&world), "{}", world.told());
    assert_eq!(looked.texts("Created"), [PIPELINE]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let again = look_as(&world, "again", Duration::from_secs(300)).await;
    assert!(again.texts("Created").is_empty());
    let runs = world.look(|aws| aws.pipelines[PIPELINE].executions.len());
    assert_eq!(runs, 1);
    assert!(stack.delete().await.is_success());
    world.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn missing_branch_creates_nothing() {
    let (world, _) = waiting().await;
    let looked = look(&world).await;
    assert!(!looked.has_failed());
    assert!(!has_pipeline(&world));
    assert_eq!(world.count("UpdateStack"), 0);
    assert!(looked.texts("Unhealthy").is_empty());
}

#[tokio::test(start_paused = true)]
async fn update_after_an_undelivered_push_creates_the_pipeline() {
    let (world, mut stack) = waiting().await;
    world.push(REPOSITORY, "development", "a-commit");
    let mut changed = properties();
    changed["Build"] = json!({"TimeoutInMinutes": "30"});
    assert!(stack.update(&changed, None).await.is_success());
    assert!(has_pipeline(&world));
}

#[tokio::test(start_paused = true)]
async fn creation_that_takes_long_leaves_time_for_the_answer() {
    let (world, _) = waiting().await;
    world.push(REPOSITORY, "development", "a-commit");
    world.options(|options| options.resource_takes = Duration::from_secs(3600));
    let began = tokio::time::Instant::now();
    let looked = look_as(&world, "slow", Duration::from_secs(880)).await;
    assert!(!looked.has_failed());
    assert!(began.elapsed() < Duration::from_secs(200));
}

#[tokio::test(start_paused = true)]
async fn stack_without_owner_is_reported() {
    let world = empty_world();
    let tags = |owner| {
        [
            ("cfn-gitops:stack-id", owner),
            ("cfn-gitops:logical-id", "Project"),
        ]
    };
    world.stack(CHILD, "CREATE_COMPLETE", &tags(OWNER));
    world.stack("gitops-prd-shop", "CREATE_COMPLETE", &tags(OWNER));
    world.stack("owner", "UPDATE_ROLLBACK_COMPLETE", &[]);
    let owner = world.look(|aws| aws.stacks.named("owner").expect("just made").id.clone());
    world.stack("gitops-dev-owned", "CREATE_COMPLETE", &tags(&owner));
    for n in 0..5 {
        world.stack(&format!("other-{n}"), "CREATE_COMPLETE", &[]);
    }
    let looked = look(&world).await;
    assert!(!looked.has_failed(), "{:?}", looked.texts("NotLookedAt"));
    let unhealthy = looked.texts("Unhealthy");
    assert_eq!(unhealthy.len(), 1, "{unhealthy:?}");
    assert!(unhealthy[0].contains(CHILD) && unhealthy[0].contains(OWNER));
    assert_eq!(looked.values("OrphanedPipelineStacks", ""), [1.0]);
}

#[tokio::test(start_paused = true)]
async fn stacks_that_cannot_be_listed_are_no_orphans() {
    let world = empty_world();
    let tags = [
        ("cfn-gitops:stack-id", OWNER),
        ("cfn-gitops:logical-id", "Project"),
    ];
    world.stack(CHILD, "CREATE_COMPLETE", &tags);
    world.break_from_now(On::Operation("ListStacks"), FaultKind::Denied);
    let looked = look(&world).await;
    assert!(looked.has_failed());
    assert!(looked.texts("Unhealthy").is_empty());
    assert!(looked.values("OrphanedPipelineStacks", "").is_empty());
}
