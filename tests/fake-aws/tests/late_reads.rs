//! Late reads, each with its own option: the old state is visible for that time.

use std::{fmt::Debug, time::Duration};
use tokio::time::sleep;

use super::{
    child::{
        NAME, PIPELINE, REPOSITORY, create, delete, described, ended, events, status, template,
        update, world_with_stack,
    },
    code, fine, world_and_clients,
};

const LATE: Duration = Duration::from_secs(2);

/// A read shows the change of this moment after [`LATE`], and not before.
async fn shown_late<T: Debug + PartialEq>(read: impl AsyncFn() -> T, before: T, after: T) {
    let moment = Duration::from_millis(1);
    sleep(LATE.checked_sub(moment).expect("longer")).await;
    assert_eq!(read().await, before);
    sleep(moment).await;
    assert_eq!(read().await, after);
}

#[tokio::test(start_paused = true)]
async fn stack_is_described_as_it_was() {
    let (fake, clients) = world_and_clients();
    fake.options(|options| options.stacks_late = LATE);
    assert_eq!(create(&clients, &template(), "one").await, fine());
    assert!(!events(&clients, NAME).await.is_empty());
    let status = async || status(&clients).await;
    shown_late(status, "none".into(), "CREATE_IN_PROGRESS".into()).await;
    assert_eq!(ended(&clients).await, "CREATE_COMPLETE");
    // Everything that is described belongs together.
    let mut changed = template();
    changed["Outputs"]["PipelineName"]["Value"] = "another".into();
    changed["Resources"]["BuildLogGroup"]["Properties"]["RetentionInDays"] = 30.into();
    assert_eq!(update(&clients, &changed, "two").await, fine());
    let shown = async || {
        let stack = described(&clients, NAME).await.expect("the stack");
        let status = stack.stack_status().expect("a status").as_str().to_owned();
        let outputs = format!("{:?}", stack.outputs());
        let is_updated = stack.last_updated_time().is_some();
        (status, is_updated, outputs.contains("another"))
    };
    let was = ("CREATE_COMPLETE".into(), false, false);
    shown_late(shown, was, ("UPDATE_IN_PROGRESS".into(), true, false)).await;
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
    assert_eq!(shown().await, ("UPDATE_COMPLETE".into(), true, true));
    // A deleted resource is also visible for a while.
    assert_eq!(delete(&clients, "three").await, fine());
    while fake.look(|aws| aws.stacks.named(NAME).is_some()) {
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status().await, "DELETE_IN_PROGRESS");
    sleep(LATE).await;
    assert_eq!(status().await, "none");
}

#[tokio::test(start_paused = true)]
async fn events_and_executions_are_listed_late() {
    let (fake, clients) = world_with_stack(true).await;
    fake.options(|options| {
        options.events_late = LATE;
        options.executions_late = LATE;
    });
    let executions = async || {
        let list = send!(clients.codepipeline, list_pipeline_executions, pipeline_name: PIPELINE);
        list.await.expect("a list").pipeline_execution_summaries().len()
    };
    fake.push(REPOSITORY, "development", "commit-2");
    shown_late(executions, 1, 2).await;
    assert_eq!(delete(&clients, "two").await, fine());
    assert_eq!(status(&clients).await, "DELETE_IN_PROGRESS");
    let newest = async || {
        let events = events(&clients, NAME).await;
        events[0].client_request_token().map(str::to_owned)
    };
    shown_late(newest, Some("create".into()), Some("two".into())).await;
}

#[tokio::test(start_paused = true)]
async fn lists_of_credentials_and_secrets_are_late() {
    let (fake, clients) = world_and_clients();
    fake.options(|options| {
        options.lists_late = LATE;
        options.secret_lists_late = LATE;
        options.page_length = Some(1);
    });
    let id = fake.change(|aws| aws.issue("mirror", "test")).expect("a free slot").id;
    let credentials = async || {
        let list = send!(clients.iam, list_service_specific_credentials, user_name: "mirror").await;
        list.expect("a list").service_specific_credentials().len()
    };
    shown_late(credentials, 0, 1).await;
    fake.change(|aws| aws.withdraw("mirror", &id));
    shown_late(credentials, 1, 0).await;
    for name in ["one", "other"] {
        let create = send!(clients.secrets, create_secret, name: name);
        create.await.expect("a new name");
    }
    let pages = async || {
        let pages = clients.secrets.list_secrets().into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.expect("pages");
        pages.iter().map(|page| page.secret_list().len()).collect::<Vec<_>>()
    };
    shown_late(pages, vec![0], vec![1, 1]).await;
}

#[tokio::test(start_paused = true)]
async fn secret_is_visible_late_and_its_name_in_use_at_once() {
    let (fake, clients) = world_and_clients();
    let client = &clients.secrets;
    fake.options(|options| options.secrets_late = LATE);
    let create = async || code(send!(client, create_secret, name: "s").await);
    assert_eq!(create().await, "none");
    assert_eq!(create().await, "ResourceExistsException");
    let is_deleted = async || {
        let described = send!(client, describe_secret, secret_id: "s").await;
        described.ok().map(|secret| secret.deleted_date().is_some())
    };
    shown_late(is_deleted, None, Some(false)).await;
    let delete = send!(client, delete_secret, secret_id: "s", recovery_window_in_days: 7);
    assert_eq!(code(delete.await), "none");
    shown_late(is_deleted, Some(false), Some(true)).await;
}
