//! The bucket behind `ResponseURL`.

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::body::SdkBody;
use std::time::Duration;
use tokio::time::sleep;

use fake_aws::FakeAws;

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
