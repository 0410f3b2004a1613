//! Late reads, each with its own option: the old state is visible for that time.

use std::time::Duration;
use tokio::time::sleep;

use super::{
    child::{
        NAME, PIPELINE, create, delete, described, ended, events, status, template, update,
        world_with_stack,
    },
    code, fine, world_and_clients,
};

const LATE: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn stack_is_described_as_it_was() {
    let (fake, clients) = world_and_clients();
    fake.options(|options| options.stacks_late = LATE);
    assert_eq!(create(&clients, &template(), "one").await, fine());
    assert_eq!(status(&clients).await, "none");
    assert!(!events(&clients, NAME).await.is_empty());
    sleep(LATE).await;
    assert_eq!(status(&clients).await, "CREATE_IN_PROGRESS");
    assert_eq!(ended(&clients).await, "CREATE_COMPLETE");
    // Everything that is described belongs together.
    let mut changed = template();
    changed["Outputs"]["PipelineName"]["Value"] = "another".into();
    changed["Resources"]["BuildLogGroup"]["Properties"]["RetentionInDays"] = 30.into();
    assert_eq!(update(&clients, &changed, "two").await, fine());
    let shown = async || {
        let stack = described(&clients, NAME).await.expect("the stack");
        let updated = stack.last_updated_time().is_some();
        let outputs = format!("{:?}", stack.outputs());
        (updated, outputs.contains("another"))
    };
    assert_eq!(status(&clients).await, "CREATE_COMPLETE");
    assert_eq!(shown().await, (false, false));
    sleep(LATE).await;
    assert_eq!(status(&clients).await, "UPDATE_IN_PROGRESS");
    assert_eq!(shown().await, (true, false));
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
    assert_eq!(shown().await, (true, true));
    // A deleted resource is also visible for a while.
    assert_eq!(delete(&clients, "three").await, fine());
    while fake.look(|aws| aws.stacks.named(NAME).is_some()) {
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status(&clients).await, "DELETE_IN_PROGRESS");
    sleep(LATE).await;
    assert_eq!(status(&clients).await, "none");
}

#[tokio::test(start_paused = true)]
async fn events_are_listed_after_the_stack_is_described() {
    let (fake, clients) = world_and_clients();
    fake.options(|options| options.events_late = LATE);
    assert_eq!(create(&clients, &template(), "one").await, fine());
    assert_eq!(status(&clients).await, "CREATE_IN_PROGRESS");
    assert!(events(&clients, NAME).await.is_empty());
    sleep(LATE).await;
    let newest = events(&clients, NAME).await.pop().expect("an event");
    assert_eq!(newest.client_request_token(), Some("one"));
}

#[tokio::test(start_paused = true)]
async fn first_execution_is_listed_after_its_pipeline_is_there() {
    let (fake, clients) = world_with_stack(true).await;
    fake.options(|options| options.executions_late = Duration::from_mins(1));
    let client = &clients.codepipeline;
    let listed = async || {
        let list = send!(client, list_pipeline_executions, pipeline_name: PIPELINE).await;
        list.expect("a list").pipeline_execution_summaries().len()
    };
    assert_eq!(listed().await, 0);
    assert_eq!(fake.look(|aws| aws.pipelines[PIPELINE].executions.len()), 1);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(listed().await, 1);
}

#[tokio::test(start_paused = true)]
async fn secret_is_visible_late_and_its_name_in_use_at_once() {
    let (fake, clients) = world_and_clients();
    let client = &clients.secrets;
    fake.options(|options| options.secrets_late = LATE);
    let create = async || code(send!(client, create_secret, name: "s").await);
    let describe = || send!(client, describe_secret, secret_id: "s");
    let is_deleted = async || {
        let described = describe().await.expect("the secret");
        described.deleted_date().is_some()
    };
    assert_eq!(create().await, "none");
    assert_eq!(create().await, "ResourceExistsException");
    assert_eq!(code(describe().await), "ResourceNotFoundException");
    sleep(LATE).await;
    assert!(!is_deleted().await);
    let delete = send!(client, delete_secret, secret_id: "s", recovery_window_in_days: 7);
    assert_eq!(code(delete.await), "none");
    assert!(!is_deleted().await);
    sleep(LATE).await;
    assert!(is_deleted().await);
}
