//! IAM's rules in virtual time, and the fake's options. `tests/rules` has the other rules.

use std::time::Duration;

use super::{code, refusal, world_and_clients};
use aws_sdk_iam::types::Tag;

#[tokio::test(start_paused = true)]
async fn passwords_hold_slashes_about_every_second_time() {
    let (fake, _) = world_and_clients();
    let id = fake.foreign_credential("mirror").id;
    for _ in 0..100 {
        fake.change(|aws| aws.reset("mirror", &id));
    }
    let secrets = fake.every_secret_ever();
    let with = |character| secrets.iter().filter(|one| one.contains(character)).count();
    assert!((30..70).contains(&with('/')), "{} of 101", with('/'));
    assert!((30..70).contains(&with('+')), "{} of 101", with('+'));
    assert_eq!(with('='), 101);
}

#[tokio::test(start_paused = true)]
async fn two_replicas_take_turns_when_they_differ() {
    let (fake, clients) = world_and_clients();
    fake.options(|options| {
        options.tags_late = Duration::from_secs(5);
        options.replicas_differ = true;
    });
    let tag = Tag::builder().key("a").value("1").build().expect("a tag");
    let tagged = send!(clients.iam, tag_user, user_name: "mirror", tags: tag);
    tagged.await.expect("a user");
    let mut seen = vec![];
    for _ in 0..4 {
        let tags = send!(clients.iam, list_user_tags, user_name: "mirror").await;
        seen.push(tags.expect("a user").tags().len());
    }
    assert_eq!(seen, [1, 0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn denied_action_is_each_services_error_on_that_resource() {
    let (fake, clients) = world_and_clients();
    fake.user("other");
    fake.deny("iam:ListUserTags", "user/other");
    let list = |user: &str| send!(clients.iam, list_user_tags, user_name: user);
    assert!(list("mirror").await.is_ok());
    let (code, message) = refusal(list("other").await);
    assert_eq!(code, "AccessDenied");
    let denied = "not authorized to perform: iam:ListUserTags on resource: \
                  arn:aws:iam::123456789012:user/other";
    assert!(message.contains(denied), "{message}");
    fake.deny("*", "codecommit-mirror/");
    let create = |name: &str| send!(clients.secrets, create_secret, name: name);
    let denied = create("codecommit-mirror/mirror").await;
    assert_eq!(super::code(denied), "AccessDeniedException");
    assert!(create("elsewhere").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn user_with_a_credential_cannot_be_deleted() {
    let (fake, clients) = world_and_clients();
    let id = fake.foreign_credential("mirror").id;
    let conflict = fake.delete_user("mirror").expect_err("a credential");
    assert_eq!((conflict.status, conflict.code), (409, "DeleteConflict"));
    fake.change(|aws| aws.withdraw("mirror", &id));
    fake.delete_user("mirror").expect("no credential");
    let get = send!(clients.iam, list_user_tags, user_name: "mirror").await;
    assert_eq!(code(get), "NoSuchEntity");
}
