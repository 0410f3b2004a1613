//! Secrets Manager's rules in virtual time, and the fake's options. `tests/rules` has the other
//! rules.

use std::time::Duration;
use tokio::time::sleep;

use super::{code, world_and_clients};
use aws_sdk_secretsmanager::operation::list_secrets::ListSecretsOutput;
use fake_aws::clients::Clients;
use fake_aws::secrets::{PENDING, versions::name_pending};

const NAME: &str = "codecommit-mirror/mirror";
const FIRST: &str = "11111111111111111111111111111111";
const SECOND: &str = "22222222222222222222222222222222";

/// Creates [`NAME`] with this token and value.
async fn create(clients: &Clients, token: &str, value: Option<&str>) -> Result<String, String> {
    let request = clients
        .secrets
        .create_secret()
        .name(NAME)
        .client_request_token(token);
    let created = request
        .set_secret_string(value.map(str::to_owned))
        .send()
        .await;
    match created {
        Ok(created) => Ok(created.arn.unwrap()),
        Err(error) => Err(code::<(), _, _>(Err(error))),
    }
}

#[tokio::test(start_paused = true)]
async fn empty_secret_is_idempotent_only_with_the_option() {
    let (fake, clients) = world_and_clients();
    let arn = create(&clients, FIRST, None).await.unwrap();
    let exists = Err("ResourceExistsException".to_owned());
    assert_eq!(create(&clients, FIRST, None).await, exists);
    fake.options(|options| options.empty_create_is_idempotent = true);
    assert_eq!(create(&clients, FIRST, None).await, Ok(arn));
    assert_eq!(create(&clients, SECOND, None).await, exists);
}

#[tokio::test(start_paused = true)]
async fn change_sets_the_date() {
    let (_, clients) = world_and_clients();
    create(&clients, FIRST, None).await.unwrap();
    let describe = || clients.secrets.describe_secret().secret_id(NAME).send();
    let before = describe().await.unwrap();
    sleep(Duration::from_secs(90)).await;
    let update = clients.secrets.update_secret().secret_id(NAME);
    update.description("text").send().await.unwrap();
    let after = describe().await.unwrap();
    let at = |date: Option<&aws_smithy_types::DateTime>| date.unwrap().secs();
    assert_eq!(
        at(after.last_changed_date()) - at(before.last_changed_date()),
        90
    );
}

#[tokio::test(start_paused = true)]
async fn forced_deletion_takes_its_time() {
    let (fake, clients) = world_and_clients();
    create(&clients, FIRST, Some("1")).await.unwrap();
    fake.options(|options| options.deletion_takes = Duration::from_secs(8));
    let delete = clients.secrets.delete_secret().secret_id(NAME);
    let delete = delete.force_delete_without_recovery(true);
    delete.send().await.unwrap();
    let blocked = Err("InvalidRequestException".to_owned());
    assert_eq!(create(&clients, SECOND, Some("2")).await, blocked);
    sleep(Duration::from_secs(8)).await;
    assert!(create(&clients, SECOND, Some("2")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn list_is_late_and_has_short_pages() {
    let (fake, clients) = world_and_clients();
    fake.options(|options| {
        options.secret_lists_late = Duration::from_mins(5);
        options.page_length = Some(1);
    });
    create(&clients, FIRST, None).await.unwrap();
    let other = clients.secrets.create_secret().name("other");
    other.send().await.unwrap();
    let pages = async || {
        let pages = clients.secrets.list_secrets().into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
        let length = |page: &ListSecretsOutput| page.secret_list().len();
        pages.iter().map(length).collect::<Vec<_>>()
    };
    assert_eq!(pages().await, [0]);
    sleep(Duration::from_mins(5)).await;
    assert_eq!(pages().await, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn denied_action_is_the_json_services_own_error() {
    let (fake, clients) = world_and_clients();
    fake.deny("*", "codecommit-mirror/");
    assert_eq!(
        create(&clients, FIRST, None).await,
        Err("AccessDeniedException".to_owned())
    );
    let elsewhere = clients
        .secrets
        .create_secret()
        .name("elsewhere")
        .send()
        .await;
    assert!(elsewhere.is_ok());
}

#[tokio::test(start_paused = true)]
async fn named_version_without_value_cannot_be_read() {
    let (fake, clients) = world_and_clients();
    create(&clients, FIRST, Some("first")).await.unwrap();
    let token = format!("{:032}", 2);
    let named =
        fake.change(|aws| aws.change_secret(NAME, |secret, now| name_pending(secret, &token, now)));
    named.unwrap();
    let get = || clients.secrets.get_secret_value().secret_id(NAME);
    let read = get().version_stage(PENDING).send().await;
    assert_eq!(code(read), "ResourceNotFoundException");
    let read = get().version_id(&token).send().await;
    assert_eq!(code(read), "ResourceNotFoundException");
    let put = |value: &str| {
        let put = clients.secrets.put_secret_value().secret_id(NAME);
        let put = put.client_request_token(&token).version_stages("mine");
        put.secret_string(value).send()
    };
    put("filled").await.unwrap();
    let read = get().version_stage(PENDING).send().await.unwrap();
    assert_eq!(read.secret_string(), Some("filled"));
    put("filled").await.unwrap();
    assert_eq!(code(put("other").await), "ResourceExistsException");
}

#[tokio::test(start_paused = true)]
async fn versions_without_labels_beyond_a_hundred_are_deleted() {
    let (fake, clients) = world_and_clients();
    create(&clients, FIRST, Some("first")).await.unwrap();
    let put = |number: usize| {
        let put = clients.secrets.put_secret_value().secret_id(NAME);
        let put = put.client_request_token(format!("{number:032}"));
        put.secret_string(number.to_string()).send()
    };
    let held = || fake.look(|aws| aws.secrets[NAME].versions.len());
    sleep(Duration::from_secs(1)).await;
    for number in 2..=120 {
        put(number).await.unwrap();
    }
    assert_eq!(held(), 120, "none is a day old");
    sleep(Duration::from_hours(25)).await;
    put(121).await.unwrap();
    assert_eq!(held(), 100);
    let gone = clients.secrets.get_secret_value().secret_id(NAME);
    let gone = gone.version_id(FIRST).send().await;
    assert_eq!(code(gone), "ResourceNotFoundException");
}
