//! The wire's records.

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use std::time::Duration;
use tokio::time::sleep;

use super::{code, world_and_clients};

#[tokio::test(start_paused = true)]
async fn journal_has_callers_calls_and_times_and_no_secret() {
    let (fake, clients) = world_and_clients();
    let password = fake.foreign_credential("mirror").password;
    let create = clients
        .secrets
        .create_secret()
        .name("s")
        .secret_string(&password);
    create.send().await.unwrap();
    sleep(Duration::from_secs(2)).await;
    let unknown = clients.iam.get_user().user_name("nobody").send().await;
    assert_eq!(code(unknown), "NoSuchEntity");
    let journal = fake.journal();
    let told: Vec<_> = journal
        .iter()
        .map(|entry| {
            (
                entry.caller.as_str(),
                entry.index,
                entry.operation.as_str(),
                entry.outcome.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("test", 0, "CreateSecret", "ok"),
            ("test", 1, "GetUser", "NoSuchEntity (404)")
        ]
    );
    assert_eq!(journal[1].at, Duration::from_secs(2));
    assert_eq!(fake.count("CreateSecret"), 1);
    assert_eq!(fake.secret_in(&fake.transcript()), None);
}

#[tokio::test(start_paused = true)]
async fn secret_is_found_in_every_encoding() {
    let (fake, _) = world_and_clients();
    let password = loop {
        let credential = fake.foreign_credential("mirror");
        if credential.password.contains('/') {
            break credential.password;
        }
        fake.change(|aws| {
            let now = aws.now;
            aws.iam
                .change(now, |iam| iam.withdraw("mirror", &credential.id))
        })
        .unwrap();
    };
    let basic = aws_smithy_types::base64::encode(format!("mirror-at-123456789012:{password}"));
    let encoded = password
        .replace('/', "%2F")
        .replace('+', "%2B")
        .replace('=', "%3D");
    for text in [
        format!("password={password}"),
        format!("{{\"p\":\"{}\"}}", password.replace('/', "\\/")),
        format!("https://u:{encoded}@host"),
        format!("Basic {basic}"),
    ] {
        assert!(fake.secret_in(&text).is_some(), "{text}");
    }
    assert_eq!(
        fake.secret_in("nothing here, not even aGFsZiBhIHNlY3JldA=="),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn call_to_an_unknown_service_is_a_violation() {
    let (fake, clients) = world_and_clients();
    fake.assert_unbroken();
    assert!(
        clients
            .iam
            .list_groups_for_user()
            .user_name("mirror")
            .send()
            .await
            .is_err()
    );
    let connector = fake.connector("stray");
    let stray = HttpRequest::get("https://example.com/").unwrap();
    assert!(connector.call(stray).await.is_err());
    assert_eq!(fake.violations().len(), 2, "{:?}", fake.violations());
}

#[tokio::test(start_paused = true)]
async fn invariant_is_checked_after_every_change() {
    let (fake, clients) = world_and_clients();
    fake.at_every_instant(|aws| match aws.credentials("mirror").len() {
        0 => Ok(()),
        some => Err(format!("{some} credentials")),
    });
    let create = clients
        .iam
        .create_service_specific_credential()
        .user_name("mirror");
    let created = create
        .service_name("codecommit.amazonaws.com")
        .send()
        .await
        .unwrap();
    let created = created.service_specific_credential.unwrap();
    let id = created.service_specific_credential_id();
    let delete = clients
        .iam
        .delete_service_specific_credential()
        .user_name("mirror");
    delete
        .service_specific_credential_id(id)
        .send()
        .await
        .unwrap();
    // It was broken between the two calls, and only there.
    let violations = fake.violations();
    assert_eq!(
        violations,
        ["after test#0 CreateServiceSpecificCredential: 1 credentials"]
    );
}

#[tokio::test(start_paused = true)]
async fn fork_is_independent() {
    let (fake, clients) = world_and_clients();
    sleep(Duration::from_mins(1)).await;
    clients
        .secrets
        .create_secret()
        .name("s")
        .send()
        .await
        .unwrap();
    let fork = fake.fork();
    let in_fork = fake_aws::clients::Clients::over(fork.connector("fork"));
    let delete = in_fork.secrets.delete_secret().secret_id("s");
    delete
        .force_delete_without_recovery(true)
        .send()
        .await
        .unwrap();
    assert!(fake.look(|aws| aws.secrets.contains_key("s")));
    assert!(!fork.look(|aws| aws.secrets.contains_key("s")));
    assert_eq!(fork.now(), fake.now());
    assert_eq!(fork.journal().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn round_trips_count_calls_that_wait_for_each_other() {
    let (fake, clients) = world_and_clients();
    fake.repository("infra");
    fake.options(|options| options.latency = Duration::from_millis(100));
    let client = &clients.codecommit;
    let get = || client.get_repository().repository_name("infra").send();
    let pair = || async { tokio::join!(get(), get()) };
    let begun = tokio::time::Instant::now();
    pair().await.0.unwrap();
    // A pause is not a round trip.
    sleep(Duration::from_secs(1)).await;
    get().await.unwrap();
    pair().await.1.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_millis(1300));
    assert_eq!(fake.count("GetRepository"), 5);
    assert_eq!(fake.round_trips(|_| true), 3);
    assert_eq!(fake.round_trips(|call| call.index < 3), 2);
    assert_eq!(fake.round_trips(|call| call.caller == "another"), 0);
}
