//! The bucket behind `ResponseURL`.

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::body::SdkBody;
use std::time::Duration;
use tokio::time::sleep;

use fake_aws::{BucketFailure, FakeAws, Fault, FaultKind};

/// PUTs a response and returns its status. `None` is a broken connection.
async fn put(fake: &FakeAws, url: &str, content_type: &str) -> Option<u16> {
    let mut request = HttpRequest::new(SdkBody::from("{\"Status\":\"SUCCESS\"}"));
    request.set_method("PUT").unwrap();
    request.set_uri(url.to_owned()).unwrap();
    request
        .headers_mut()
        .insert("content-type", content_type.to_owned());
    let answer = fake.connector("test").call(request).await;
    answer.ok().map(|answer| answer.status().as_u16())
}

#[tokio::test(start_paused = true)]
async fn answer_is_kept_with_its_address_headers_and_bytes() {
    let fake = FakeAws::new();
    let url = fake.response_url("request-1");
    assert_eq!(put(&fake, &url, "").await, Some(200));
    let deliveries = fake.responses();
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0].url, url);
    assert_eq!(deliveries[0].caller, "test");
    assert_eq!(deliveries[0].status(), "SUCCESS");
    let told = fake.transcript();
    assert!(!told.contains("X-Amz-Signature"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn content_type_breaks_the_signature_and_two_hours_end_it() {
    let fake = FakeAws::new();
    let url = fake.response_url("request-1");
    assert_eq!(put(&fake, &url, "application/json").await, Some(403));
    sleep(Duration::from_hours(2)).await;
    assert_eq!(put(&fake, &url, "").await, Some(200));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(put(&fake, &url, "").await, Some(403));
    assert_eq!(fake.responses().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn bucket_fails_as_often_as_the_test_sets() {
    let fake = FakeAws::new();
    let url = fake.response_url("request-1");
    fake.fail_responses(1, BucketFailure::Status(503));
    fake.fail_responses(2, BucketFailure::Connection);
    fake.fail_responses(1, BucketFailure::Status(429));
    let mut seen = vec![];
    for _ in 0..5 {
        seen.push(put(&fake, &url, "").await);
    }
    assert_eq!(seen, [Some(503), None, None, Some(429), Some(200)]);
    assert_eq!(fake.responses().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn answer_whose_acknowledgement_is_lost_has_arrived() {
    let fake = FakeAws::new();
    let url = fake.response_url("request-1");
    fake.inject("test", Fault::at(0, FaultKind::AnswerLost));
    fake.inject("test", Fault::at(1, FaultKind::Throttled));
    assert_eq!(put(&fake, &url, "").await, None);
    assert_eq!(put(&fake, &url, "").await, Some(503));
    assert_eq!(fake.responses().len(), 1);
}
