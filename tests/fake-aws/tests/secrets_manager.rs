//! Secrets Manager's rules in virtual time, and the fake's options. `tests/rules` has the other
//! rules.

use std::time::Duration;
use tokio::time::sleep;

use super::{code, world_and_clients};
use fake_aws::clients::Clients;
use fake_aws::secrets::{PENDING, versions::name_pending};

const NAME: &str = "codecommit-mirror/mirror";
const FIRST: &str = "11111111111111111111111111111111";
const SECOND: &str = "22222222222222222222222222222222";
const EXISTS: &str = "ResourceExistsException";
const NOT_FOUND: &str = "ResourceNotFoundException";

/// Creates [`NAME`] with this token and value.
async fn create(clients: &Clients, token: &str, value: Option<&str>) -> String {
    let value = value.map(str::to_owned);
    let create = send!(clients.secrets, create_secret,
        name: NAME, client_request_token: token, set_secret_string: value);
    code(create.await)
}

#[tokio::test(start_paused = true)]
async fn empty_secret_is_idempotent_only_with_the_option() {
    let (fake, clients) = world_and_clients();
    assert_eq!(create(&clients, FIRST, None).await, "none");
    assert_eq!(create(&clients, FIRST, None).await, EXISTS);
    fake.options(|options| options.empty_create_is_idempotent = true);
    assert_eq!(create(&clients, FIRST, None).await, "none");
    assert_eq!(create(&clients, SECOND, None).await, EXISTS);
}

#[tokio::test(start_paused = true)]
async fn change_sets_the_date() {
    let (_, clients) = world_and_clients();
    create(&clients, FIRST, None).await;
    let changed = async || {
        let described = send!(clients.secrets, describe_secret, secret_id: NAME).await;
        let described = described.expect("the secret");
        described.last_changed_date().expect("a date").secs()
    };
    let before = changed().await;
    sleep(Duration::from_secs(90)).await;
    let update = send!(clients.secrets, update_secret, secret_id: NAME, description: "text");
    update.await.expect("the secret");
    assert_eq!(changed().await - before, 90);
}

#[tokio::test(start_paused = true)]
async fn creation_and_deletion_are_described_late() {
    let (fake, clients) = world_and_clients();
    let late = Duration::from_secs(2);
    fake.options(|options| options.secrets_late = late);
    let is_deleted = async || {
        let described = send!(clients.secrets, describe_secret, secret_id: NAME).await;
        described.ok().map(|secret| secret.deleted_date().is_some())
    };
    create(&clients, FIRST, None).await;
    assert_eq!(is_deleted().await, None);
    sleep(late).await;
    assert_eq!(is_deleted().await, Some(false));
    let delete = send!(clients.secrets, delete_secret, secret_id: NAME, recovery_window_in_days: 7);
    delete.await.expect("the secret");
    assert_eq!(is_deleted().await, Some(false));
    sleep(late).await;
    assert_eq!(is_deleted().await, Some(true));
}

#[tokio::test(start_paused = true)]
async fn list_is_late_and_has_short_pages() {
    let (fake, clients) = world_and_clients();
    fake.options(|options| {
        options.secret_lists_late = Duration::from_mins(5);
        options.page_length = Some(1);
    });
    create(&clients, FIRST, None).await;
    let other = send!(clients.secrets, create_secret, name: "other");
    other.await.expect("a new name");
    let pages = async || {
        let pages = clients.secrets.list_secrets().into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.expect("pages");
        pages.iter().map(|page| page.secret_list().len()).collect::<Vec<_>>()
    };
    assert_eq!(pages().await, [0]);
    sleep(Duration::from_mins(5)).await;
    assert_eq!(pages().await, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn named_version_without_value_cannot_be_read() {
    let (fake, clients) = world_and_clients();
    let client = &clients.secrets;
    create(&clients, FIRST, Some("first")).await;
    let named =
        fake.change(|aws| aws.change_secret(NAME, |secret, now| name_pending(secret, SECOND, now)));
    named.expect("the secret");
    let pending = || send!(client, get_secret_value, secret_id: NAME, version_stage: PENDING);
    assert_eq!(code(pending().await), NOT_FOUND);
    let by_id = send!(client, get_secret_value, secret_id: NAME, version_id: SECOND);
    assert_eq!(code(by_id.await), NOT_FOUND);
    let put = async |value: &str| {
        let put = send!(client, put_secret_value, secret_id: NAME, secret_string: value,
            client_request_token: SECOND, version_stages: "mine");
        code(put.await)
    };
    assert_eq!(put("filled").await, "none");
    let read = pending().await.expect("a value");
    assert_eq!(read.secret_string(), Some("filled"));
    assert_eq!(put("filled").await, "none");
    assert_eq!(put("other").await, EXISTS);
}

#[tokio::test(start_paused = true)]
async fn versions_without_labels_beyond_a_hundred_are_deleted() {
    let (fake, clients) = world_and_clients();
    let client = &clients.secrets;
    create(&clients, FIRST, Some("first")).await;
    let put = async |number: usize| {
        let put = send!(client, put_secret_value, secret_id: NAME,
            client_request_token: format!("{number:032}"), secret_string: number.to_string());
        put.await.expect("a new version");
    };
    let held = || fake.look(|aws| aws.secrets[NAME].versions.len());
    sleep(Duration::from_secs(1)).await;
    for number in 2..=100 {
        put(number).await;
    }
    assert_eq!(held(), 100, "none is a day old");
    sleep(Duration::from_hours(25)).await;
    put(121).await;
    assert_eq!(held(), 100);
    let gone = send!(client, get_secret_value, secret_id: NAME, version_id: FIRST);
    assert_eq!(code(gone.await), NOT_FOUND);
}
