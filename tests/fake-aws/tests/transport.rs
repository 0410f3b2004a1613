//! The wire's records, and the bucket behind `ResponseURL`.

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use std::time::Duration;
use tokio::time::sleep;

use super::{code, world_and_clients};
use fake_aws::FakeAws;

#[tokio::test(start_paused = true)]
async fn journal_has_callers_calls_and_times_and_no_secret() {
    let (fake, clients) = world_and_clients();
    let password = fake.foreign_credential("mirror").password;
    let create = send!(clients.secrets, create_secret, name: "s", secret_string: password);
    create.await.expect("a new name");
    sleep(Duration::from_secs(2)).await;
    let unknown = send!(clients.iam, list_user_tags, user_name: "absent").await;
    assert_eq!(code(unknown), "NoSuchEntity");
    let journal = fake.journal();
    let told = journal.iter().map(|entry| {
        let (caller, index) = (&entry.caller, entry.index);
        format!("{caller}#{index} {} {}", entry.operation, entry.outcome)
    });
    let expected = [
        "test#0 CreateSecret ok",
        "test#1 ListUserTags NoSuchEntity (404)",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(journal[1].at, Duration::from_secs(2));
    assert_eq!(fake.count("CreateSecret"), 1);
    assert_eq!(fake.secret_in(&fake.transcript()), None);
}

#[tokio::test(start_paused = true)]
async fn secret_is_found_in_every_encoding() {
    let (fake, _) = world_and_clients();
    let id = fake.foreign_credential("mirror").id;
    let reset = || fake.change(|aws| aws.reset("mirror", &id).password);
    let password = std::iter::repeat_with(reset).find(|it| it.contains('/')).expect("one in two");
    let basic = aws_smithy_types::base64::encode(format!("mirror-at-123456789012:{password}"));
    let encoded = password.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    for text in [
        format!("password={password}"),
        format!("{{\"p\":\"{}\"}}", password.replace('/', "\\/")),
        format!("https://u:{encoded}@host"),
        format!("Basic {basic}"),
    ] {
        assert!(fake.secret_in(&text).is_some(), "{text}");
    }
    let none = "nothing here, not even aGFsZiBhIHNlY3JldA==";
    assert_eq!(fake.secret_in(none), None);
}

#[tokio::test(start_paused = true)]
async fn call_without_service_or_role_is_a_violation() {
    let (fake, clients) = world_and_clients();
    fake.assert_unbroken();
    let unknown = send!(clients.iam, list_groups_for_user, user_name: "mirror");
    assert!(unknown.await.is_err());
    fake.stack("without-role", "CREATE_COMPLETE", &[]);
    let without_role = send!(clients.cloudformation, delete_stack, stack_name: "without-role");
    without_role.await.expect("a stack");
    let connector = fake.connector("stray");
    let stray = HttpRequest::get("https://example.com/").expect("a request");
    assert!(connector.call(stray).await.is_err());
    assert_eq!(fake.violations().len(), 3, "{:?}", fake.violations());
}

/// PUTs a response and returns its status.
async fn put(fake: &FakeAws, url: &str, content_type: &'static str) -> u16 {
    let mut request = HttpRequest::new("{\"Status\":\"SUCCESS\"}".into());
    request.set_method("PUT").expect("a method");
    request.set_uri(url.to_owned()).expect("an address");
    request.headers_mut().insert("content-type", content_type);
    let answer = fake.connector("test").call(request).await;
    answer.expect("an answer").status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn content_type_breaks_the_signature_and_two_hours_end_it() {
    let fake = FakeAws::new();
    let url = fake.response_url("request-1");
    assert_eq!(put(&fake, &url, "application/json").await, 403);
    sleep(Duration::from_hours(2)).await;
    assert_eq!(put(&fake, &url, "").await, 200);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(put(&fake, &url, "").await, 403);
    assert_eq!(fake.responses().len(), 1);
}
