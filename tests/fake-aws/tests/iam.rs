//! IAM's rules in virtual time, and the fake's options. `tests/rules` has the other rules.

use std::time::Duration;
use tokio::time::sleep;

use super::{code, refusal, world_and_clients};
use aws_sdk_iam::types::Tag;

const CODECOMMIT: &str = "codecommit.amazonaws.com";

fn tag(key: &str, value: &str) -> Tag {
    let tag = Tag::builder().key(key).value(value).build();
    tag.expect("a tag has a key and a value")
}

#[tokio::test(start_paused = true)]
async fn passwords_hold_slashes_about_every_second_time() {
    let (fake, _) = world_and_clients();
    let id = fake.foreign_credential("mirror").id;
    for _ in 0..100 {
        fake.change(|aws| aws.reset("mirror", &id));
    }
    let with = |character| {
        let secrets = fake.every_secret_ever();
        secrets
            .iter()
            .filter(|secret| secret.contains(character))
            .count()
    };
    assert!((30..70).contains(&with('/')), "{} of 101", with('/'));
    assert!((30..70).contains(&with('+')), "{} of 101", with('+'));
    assert_eq!(with('='), 101);
}

#[tokio::test(start_paused = true)]
async fn late_list_shows_a_change_in_its_time_and_not_before() {
    let (fake, clients) = world_and_clients();
    fake.options(|options| options.lists_late = Duration::from_secs(5));
    let create = clients.iam.create_service_specific_credential();
    let created = create
        .user_name("mirror")
        .service_name(CODECOMMIT)
        .send()
        .await;
    let created = created.unwrap().service_specific_credential.unwrap();
    let listed = async || {
        let list = clients
            .iam
            .list_service_specific_credentials()
            .user_name("mirror");
        list.send()
            .await
            .unwrap()
            .service_specific_credentials()
            .len()
    };
    sleep(Duration::from_millis(4990)).await;
    assert_eq!(listed().await, 0);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(listed().await, 1);
    let delete = clients
        .iam
        .delete_service_specific_credential()
        .user_name("mirror");
    let id = created.service_specific_credential_id();
    delete
        .service_specific_credential_id(id)
        .send()
        .await
        .unwrap();
    assert_eq!(listed().await, 1, "a deletion is late, too");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(listed().await, 0);
}

#[tokio::test(start_paused = true)]
async fn two_replicas_take_turns_when_they_differ() {
    let (fake, clients) = world_and_clients();
    fake.options(|options| {
        options.tags_late = Duration::from_secs(5);
        options.replicas_differ = true;
    });
    let request = clients
        .iam
        .tag_user()
        .user_name("mirror")
        .tags(tag("a", "1"));
    request.send().await.unwrap();
    let mut seen = vec![];
    for _ in 0..4 {
        let tags = clients
            .iam
            .list_user_tags()
            .user_name("mirror")
            .send()
            .await
            .unwrap();
        seen.push(tags.tags().len());
    }
    assert_eq!(seen, [1, 0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn denied_action_is_rejected_only_on_that_resource() {
    let (fake, clients) = world_and_clients();
    fake.user("other");
    fake.deny("iam:ListUserTags", "user/other");
    let list = |user: &str| clients.iam.list_user_tags().user_name(user).send();
    assert!(list("mirror").await.is_ok());
    let (code, message) = refusal(list("other").await);
    assert_eq!(code, "AccessDenied");
    assert!(message.contains("not authorized to perform: iam:ListUserTags on resource: arn:aws:iam::123456789012:user/other"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn user_with_a_credential_cannot_be_deleted() {
    let (fake, clients) = world_and_clients();
    let id = fake.foreign_credential("mirror").id;
    let conflict = fake.delete_user("mirror").unwrap_err();
    assert_eq!((conflict.status, conflict.code), (409, "DeleteConflict"));
    let delete = clients
        .iam
        .delete_service_specific_credential()
        .user_name("mirror");
    delete
        .service_specific_credential_id(id)
        .send()
        .await
        .unwrap();
    fake.delete_user("mirror").unwrap();
    assert_eq!(
        code(clients.iam.get_user().user_name("mirror").send().await),
        "NoSuchEntity"
    );
}
