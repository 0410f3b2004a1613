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
async fn forced_deletion_takes_its_time() {
    let (fake, clients) = world_and_clients();
    create(&clients, FIRST, Some("1")).await;
    fake.options(|options| options.deletion_takes = Duration::from_secs(8));
    let delete = send!(clients.secrets, delete_secret,
        secret_id: NAME, force_delete_without_recovery: true);
    delete.await.expect("the secret");
    let blocked = "InvalidRequestException";
    assert_eq!(create(&clients, SECOND, Some("2")).await, blocked);
    sleep(Duration::from_secs(8)).await;
    assert_eq!(create(&clients, SECOND, Some("2")).await, "none");
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
