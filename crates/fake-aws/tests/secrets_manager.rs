use std::{collections::BTreeMap, time::Duration};
use tokio::time::sleep;

use super::{code, refusal, world_and_clients};
use aws_sdk_secretsmanager::types::Tag;
use fake_aws::clients::Clients;

const NAME: &str = "codecommit-mirror/mirror";
const FIRST: &str = "11111111111111111111111111111111";
const SECOND: &str = "22222222222222222222222222222222";
const THIRD: &str = "33333333333333333333333333333333";

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

/// Puts a version at these stages.
async fn put(clients: &Clients, token: &str, value: &str, stages: &[&str]) -> Result<(), String> {
    let request = clients.secrets.put_secret_value().secret_id(NAME);
    let request = request.client_request_token(token).secret_string(value);
    let stages = (!stages.is_empty()).then(|| stages.iter().map(|&stage| stage.into()).collect());
    let result = request.set_version_stages(stages).send().await;
    result
        .map(drop)
        .map_err(|error| code::<(), _, _>(Err(error)))
}

async fn move_stage(
    clients: &Clients,
    stage: &str,
    from: Option<&str>,
    to: Option<&str>,
) -> String {
    let request = clients
        .secrets
        .update_secret_version_stage()
        .secret_id(NAME);
    let request = request.version_stage(stage);
    let request = request.set_remove_from_version_id(from.map(str::to_owned));
    code(
        request
            .set_move_to_version_id(to.map(str::to_owned))
            .send()
            .await,
    )
}

/// Which version holds each label.
async fn stages(clients: &Clients) -> BTreeMap<String, String> {
    let described = clients
        .secrets
        .describe_secret()
        .secret_id(NAME)
        .send()
        .await
        .unwrap();
    let mut stages = BTreeMap::new();
    for (version, labels) in described.version_ids_to_stages.unwrap_or_default() {
        for label in labels {
            stages.insert(label, version.clone());
        }
    }
    stages
}

fn held(expected: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(stage, version): &(&str, &str)| ((*stage).into(), (*version).into());
    expected.iter().map(owned).collect()
}

#[tokio::test(start_paused = true)]
async fn name_is_created_once_and_a_token_repeats_it() {
    let (_, clients) = world_and_clients();
    let arn = create(&clients, FIRST, Some("v")).await.unwrap();
    assert_eq!(create(&clients, FIRST, Some("v")).await, Ok(arn));
    let exists = Err("ResourceExistsException".to_owned());
    assert_eq!(create(&clients, FIRST, Some("w")).await, exists);
    assert_eq!(create(&clients, SECOND, Some("v")).await, exists);
    assert_eq!(create(&clients, FIRST, None).await, exists);
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
async fn first_value_of_an_empty_secret_is_current_with_any_label() {
    let (_, clients) = world_and_clients();
    create(&clients, FIRST, None).await.unwrap();
    let get = clients.secrets.get_secret_value().secret_id(NAME);
    let (code, message) = refusal(get.clone().send().await);
    assert_eq!(code, "ResourceNotFoundException");
    assert!(
        message.ends_with("value for staging label: AWSCURRENT"),
        "{message}"
    );
    put(&clients, SECOND, "v", &["mine"]).await.unwrap();
    assert_eq!(
        stages(&clients).await,
        held(&[("AWSCURRENT", SECOND), ("mine", SECOND)])
    );
    let value = get.version_stage("mine").send().await.unwrap();
    assert_eq!(value.secret_string(), Some("v"));
    assert_eq!(value.version_id(), Some(SECOND));
}

#[tokio::test(start_paused = true)]
async fn put_repeats_by_token_and_moves_labels() {
    let (_, clients) = world_and_clients();
    create(&clients, FIRST, Some("1")).await.unwrap();
    put(&clients, SECOND, "2", &["mine"]).await.unwrap();
    assert_eq!(
        stages(&clients).await,
        held(&[("AWSCURRENT", FIRST), ("mine", SECOND)])
    );
    put(&clients, THIRD, "3", &[]).await.unwrap();
    let now = held(&[
        ("AWSCURRENT", THIRD),
        ("AWSPREVIOUS", FIRST),
        ("mine", SECOND),
    ]);
    assert_eq!(stages(&clients).await, now);
    put(&clients, SECOND, "2", &[]).await.unwrap();
    assert_eq!(stages(&clients).await, now, "a repeated put does nothing");
    let exists = Err("ResourceExistsException".to_owned());
    assert_eq!(put(&clients, SECOND, "other", &[]).await, exists);
    let short = Err("InvalidParameterException".to_owned());
    assert_eq!(put(&clients, "short", "4", &[]).await, short);
}

#[tokio::test(start_paused = true)]
async fn label_moves_only_from_its_version() {
    let (_, clients) = world_and_clients();
    create(&clients, FIRST, Some("1")).await.unwrap();
    put(&clients, SECOND, "2", &["mine"]).await.unwrap();
    let refused = "InvalidParameterException";
    let go = async |from, to| move_stage(&clients, "AWSCURRENT", from, to).await;
    assert_eq!(go(None, Some(SECOND)).await, refused);
    assert_eq!(go(Some(SECOND), Some(SECOND)).await, refused);
    assert_eq!(go(Some(FIRST), None).await, refused);
    assert_eq!(
        go(Some(FIRST), Some(THIRD)).await,
        "ResourceNotFoundException"
    );
    assert_eq!(go(Some(FIRST), Some(SECOND)).await, "none");
    let now = held(&[
        ("AWSCURRENT", SECOND),
        ("AWSPREVIOUS", FIRST),
        ("mine", SECOND),
    ]);
    assert_eq!(stages(&clients).await, now);
    assert_eq!(
        go(Some(FIRST), Some(SECOND)).await,
        refused,
        "it has gone from there"
    );
    assert_eq!(go(Some(SECOND), Some(FIRST)).await, "none");
    let back = held(&[
        ("AWSCURRENT", FIRST),
        ("AWSPREVIOUS", SECOND),
        ("mine", SECOND),
    ]);
    assert_eq!(stages(&clients).await, back);
    // A label that no version holds can be attached, and one can be removed.
    assert_eq!(
        move_stage(&clients, "other", None, Some(FIRST)).await,
        "none"
    );
    assert_eq!(
        move_stage(&clients, "other", Some(FIRST), None).await,
        "none"
    );
    assert_eq!(stages(&clients).await, back);
}

#[tokio::test(start_paused = true)]
async fn version_without_labels_is_read_only_by_its_id() {
    let (_, clients) = world_and_clients();
    create(&clients, FIRST, Some("1")).await.unwrap();
    put(&clients, SECOND, "2", &[]).await.unwrap();
    put(&clients, THIRD, "3", &[]).await.unwrap();
    assert_eq!(
        stages(&clients).await,
        held(&[("AWSCURRENT", THIRD), ("AWSPREVIOUS", SECOND)])
    );
    let get = clients
        .secrets
        .get_secret_value()
        .secret_id(NAME)
        .version_id(FIRST);
    assert_eq!(get.clone().send().await.unwrap().secret_string(), Some("1"));
    let both = get.version_stage("AWSCURRENT").send().await;
    assert_eq!(code(both), "InvalidRequestException");
}

#[tokio::test(start_paused = true)]
async fn key_tags_and_dates_are_described_as_they_were_set() {
    let (_, clients) = world_and_clients();
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let create = clients
        .secrets
        .create_secret()
        .name(NAME)
        .kms_key_id("alias/mirror");
    let created = create.tags(tag("owner", "")).send().await.unwrap();
    let describe = || {
        clients
            .secrets
            .describe_secret()
            .secret_id(created.arn().unwrap())
            .send()
    };
    let before = describe().await.unwrap();
    assert_eq!(before.kms_key_id(), Some("alias/mirror"));
    assert_eq!(before.tags(), [tag("owner", "")]);
    sleep(Duration::from_secs(90)).await;
    let set = clients.secrets.tag_resource().secret_id(NAME);
    set.tags(tag("team", "a b")).send().await.unwrap();
    let remove = clients.secrets.untag_resource().secret_id(NAME);
    remove.tag_keys("owner").send().await.unwrap();
    let update = clients
        .secrets
        .update_secret()
        .secret_id(NAME)
        .kms_key_id("");
    update.send().await.unwrap();
    let after = describe().await.unwrap();
    assert_eq!(after.kms_key_id(), None);
    assert_eq!(after.tags(), [tag("team", "a b")]);
    let waited =
        after.last_changed_date().unwrap().secs() - before.last_changed_date().unwrap().secs();
    assert_eq!(waited, 90);
    let refused = clients
        .secrets
        .tag_resource()
        .secret_id(NAME)
        .tags(tag("a,b", ""));
    assert_eq!(code(refused.send().await), "InvalidParameterException");
}

#[tokio::test(start_paused = true)]
async fn update_with_a_value_adds_a_current_version() {
    let (_, clients) = world_and_clients();
    create(&clients, FIRST, Some("1")).await.unwrap();
    let update = clients
        .secrets
        .update_secret()
        .secret_id(NAME)
        .client_request_token(SECOND);
    update.secret_string("2").send().await.unwrap();
    assert_eq!(
        stages(&clients).await,
        held(&[("AWSCURRENT", SECOND), ("AWSPREVIOUS", FIRST)])
    );
}

#[tokio::test(start_paused = true)]
async fn forced_deletion_frees_the_name_for_another_arn() {
    let (fake, clients) = world_and_clients();
    let arn = create(&clients, FIRST, Some("1")).await.unwrap();
    let delete = || {
        let request = clients.secrets.delete_secret().secret_id(NAME);
        request.force_delete_without_recovery(true).send()
    };
    delete().await.unwrap();
    assert!(delete().await.is_ok(), "what is gone already is no error");
    assert_ne!(create(&clients, FIRST, Some("1")).await.unwrap(), arn);
    let old = clients
        .secrets
        .describe_secret()
        .secret_id(&arn)
        .send()
        .await;
    assert_eq!(code(old), "ResourceNotFoundException");

    fake.options(|options| options.deletion_takes = Duration::from_secs(8));
    delete().await.unwrap();
    let blocked = Err("InvalidRequestException".to_owned());
    assert_eq!(create(&clients, SECOND, Some("2")).await, blocked);
    sleep(Duration::from_secs(8)).await;
    assert!(create(&clients, SECOND, Some("2")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn scheduled_deletion_allows_only_a_restore() {
    let (_, clients) = world_and_clients();
    create(&clients, FIRST, Some("1")).await.unwrap();
    let delete = clients.secrets.delete_secret().secret_id(NAME);
    delete.recovery_window_in_days(7).send().await.unwrap();
    let described = clients
        .secrets
        .describe_secret()
        .secret_id(NAME)
        .send()
        .await
        .unwrap();
    assert!(described.deleted_date().is_some());
    let get = || clients.secrets.get_secret_value().secret_id(NAME).send();
    assert_eq!(code(get().await), "InvalidRequestException");
    let refused = "InvalidRequestException".to_owned();
    assert_eq!(put(&clients, SECOND, "2", &[]).await, Err(refused.clone()));
    assert_eq!(create(&clients, SECOND, Some("2")).await, Err(refused));
    // Its tags are still shown, and none can be set.
    let tag = Tag::builder().key("late").value("").build();
    let tagged = clients.secrets.tag_resource().secret_id(NAME).tags(tag);
    assert_eq!(code(tagged.send().await), "InvalidRequestException");
    clients
        .secrets
        .restore_secret()
        .secret_id(NAME)
        .send()
        .await
        .unwrap();
    assert_eq!(get().await.unwrap().secret_string(), Some("1"));
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
