use std::time::Duration;
use tokio::time::sleep;

use super::{code, refusal, world_and_clients};
use aws_sdk_iam::types::{StatusType, Tag};

const CODECOMMIT: &str = "codecommit.amazonaws.com";

fn tag(key: &str, value: &str) -> Tag {
    let tag = Tag::builder().key(key).value(value).build();
    tag.expect("a tag has a key and a value")
}

#[tokio::test(start_paused = true)]
async fn user_has_at_most_two_credentials_of_a_service() {
    let (fake, clients) = world_and_clients();
    let create = || {
        let request = clients.iam.create_service_specific_credential();
        request.user_name("mirror").service_name(CODECOMMIT).send()
    };
    let first = create().await.unwrap().service_specific_credential.unwrap();
    let second = create().await.unwrap().service_specific_credential.unwrap();
    assert_eq!(first.service_user_name(), "mirror-at-123456789012");
    assert_eq!(second.service_user_name(), "mirror+1-at-123456789012");
    assert_eq!(first.status(), &StatusType::Active);
    assert_eq!(code(create().await), "LimitExceeded");
    // The limit is each service's own.
    let other = clients.iam.create_service_specific_credential();
    let other = other
        .user_name("mirror")
        .service_name("cassandra.amazonaws.com");
    assert!(other.send().await.is_ok());
    assert_eq!(fake.look(|aws| aws.credentials("mirror").len()), 2);
}

#[tokio::test(start_paused = true)]
async fn unknown_names_fail_with_the_message_of_aws() {
    let (_, clients) = world_and_clients();
    let create = |user: &str, service: &str| {
        let request = clients.iam.create_service_specific_credential();
        request.user_name(user).service_name(service).send()
    };
    let no_such = |message: &str| ("NoSuchEntity".to_owned(), message.to_owned());
    assert_eq!(
        refusal(create("nobody", "lambda.amazonaws.com").await),
        no_such("The user with name nobody cannot be found.")
    );
    assert_eq!(
        refusal(create("mirror", "lambda.amazonaws.com").await),
        no_such(
            "No such service lambda.amazonaws.com is supported for Service Specific Credentials"
        )
    );
    let delete = |id: &str| {
        let request = clients.iam.delete_service_specific_credential();
        request
            .user_name("mirror")
            .service_specific_credential_id(id)
            .send()
    };
    let id = "ACCAEXAMPLEEXAMPLEEXA";
    assert_eq!(
        refusal(delete(id).await),
        no_such(&format!("No such credential {id} exists"))
    );
    assert_eq!(
        code(delete("ACCA-EXAMPLE-EXAMPLE-EXA").await),
        "ValidationError"
    );
}

#[tokio::test(start_paused = true)]
async fn reset_changes_the_password_and_nothing_else() {
    let (fake, clients) = world_and_clients();
    let create = clients.iam.create_service_specific_credential();
    let created = create
        .user_name("mirror")
        .service_name(CODECOMMIT)
        .send()
        .await;
    let created = created.unwrap().service_specific_credential.unwrap();
    let id = created.service_specific_credential_id();
    let update = clients.iam.update_service_specific_credential();
    let update = update
        .user_name("mirror")
        .service_specific_credential_id(id);
    update.status(StatusType::Inactive).send().await.unwrap();
    let reset = clients.iam.reset_service_specific_credential();
    let reset = reset.user_name("mirror").service_specific_credential_id(id);
    let reset = reset
        .send()
        .await
        .unwrap()
        .service_specific_credential
        .unwrap();
    assert_eq!(reset.service_specific_credential_id(), id);
    assert_eq!(reset.service_user_name(), created.service_user_name());
    assert_eq!(reset.status(), &StatusType::Inactive);
    assert_ne!(reset.service_password(), created.service_password());
    let secrets = fake.every_secret_ever();
    assert!(secrets.contains(&created.service_password().to_owned()));
    assert!(secrets.contains(&reset.service_password().to_owned()));
}

#[tokio::test(start_paused = true)]
async fn passwords_hold_slashes_about_every_second_time() {
    let (fake, _) = world_and_clients();
    let id = fake.foreign_credential("mirror").id;
    for _ in 0..100 {
        fake.change(|aws| {
            let now = aws.now;
            let random = &mut aws.random;
            let reset = aws
                .iam
                .change(now, |iam| iam.reset("mirror", &id, random))
                .unwrap();
            aws.remember_secret(&reset.password);
        });
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
async fn lists_come_in_pages_and_by_service() {
    let (fake, clients) = world_and_clients();
    let first = fake.foreign_credential("mirror").id;
    let second = fake.foreign_credential("mirror").id;
    fake.options(|options| options.page_length = Some(1));
    let list = || {
        clients
            .iam
            .list_service_specific_credentials()
            .user_name("mirror")
    };
    let page = list().service_name(CODECOMMIT).send().await.unwrap();
    let ids = |page: &[aws_sdk_iam::types::ServiceSpecificCredentialMetadata]| {
        let ids = page
            .iter()
            .map(|one| one.service_specific_credential_id().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(page.service_specific_credentials()), [first]);
    assert!(page.is_truncated());
    let page = list().set_marker(page.marker).send().await.unwrap();
    assert_eq!(ids(page.service_specific_credentials()), [second]);
    assert!(!page.is_truncated());
    let others = list()
        .service_name("cassandra.amazonaws.com")
        .send()
        .await
        .unwrap();
    assert!(others.service_specific_credentials().is_empty());
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
async fn tags_have_the_limits_of_iam() {
    let (fake, clients) = world_and_clients();
    let put = |key: &str, value: &str| {
        let request = clients.iam.tag_user().user_name("mirror");
        request.tags(tag(key, value)).send()
    };
    put("cfn-gitops:ids", "").await.unwrap();
    put("a/b=c+d@e.f_g h", "Größe ٣").await.unwrap();
    assert_eq!(code(put("brackets", "[]").await), "ValidationError");
    assert_eq!(code(put("comma", "a,b").await), "ValidationError");
    assert_eq!(code(put("tab", "a\tb").await), "ValidationError");
    assert_eq!(code(put(&"k".repeat(129), "").await), "ValidationError");
    assert_eq!(code(put("long", &"v".repeat(257)).await), "ValidationError");
    assert_eq!(code(put("aws:mine", "").await), "InvalidInput");
    put(&"k".repeat(128), &"v".repeat(256)).await.unwrap();
    for number in 3..50 {
        put(&format!("tag-{number}"), "").await.unwrap();
    }
    assert_eq!(code(put("one-too-many", "").await), "LimitExceeded");
    put("tag-3", "a new value for an old key").await.unwrap();
    let remove = clients.iam.untag_user().user_name("mirror");
    remove
        .tag_keys("tag-3")
        .tag_keys("never-there")
        .send()
        .await
        .unwrap();
    assert_eq!(
        fake.look(|aws| aws.iam.latest().users["mirror"].tags.len()),
        49
    );
}

#[tokio::test(start_paused = true)]
async fn get_user_and_list_user_tags_show_the_same_tags() {
    let (fake, clients) = world_and_clients();
    fake.user_tag("mirror", "owner", "a + b");
    fake.user_tag("mirror", "empty", "");
    fake.options(|options| options.page_length = Some(1));
    let user = clients
        .iam
        .get_user()
        .user_name("mirror")
        .send()
        .await
        .unwrap();
    let user = user.user.unwrap();
    assert_eq!(user.tags().len(), 2);
    assert_eq!(user.arn(), "arn:aws:iam::123456789012:user/mirror");
    let pages = clients.iam.list_user_tags().user_name("mirror");
    let first = pages.clone().send().await.unwrap();
    let second = pages.set_marker(first.marker.clone()).send().await.unwrap();
    assert_eq!([first.tags(), second.tags()].concat(), user.tags());
    assert_eq!(user.tags()[0].value(), "");
    assert_eq!(user.tags()[1].value(), "a + b");
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
