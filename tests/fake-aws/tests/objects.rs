//! S3's objects: its API Reference, at the rules in `tests/fake-aws`.

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};

use super::world_and_clients;
use fake_aws::FakeAws;

/// The version and the text of an object, or S3's error code.
async fn get(fake: &FakeAws, object: &str) -> Result<(String, String), String> {
    let url = format!("https://artifacts.s3.eu-central-1.amazonaws.com/review/{object}");
    let mut request = HttpRequest::get(url).expect("an address");
    let signature = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/x";
    request.headers_mut().insert("authorization", signature);
    let response = fake.connector("test").call(request).await.expect("answered");
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    if let Some(version) = response.headers().get("x-amz-version-id") {
        return Ok((version.to_owned(), text.into_owned()));
    }
    let code = text.split_once("<Code>").expect("an error").1;
    Err(code.split('<').next().unwrap_or_default().to_owned())
}

#[tokio::test(start_paused = true)]
async fn object_is_read_with_its_version() {
    let (fake, _) = world_and_clients();
    let first = fake.put_object("artifacts", "review/a file+.json", "one");
    let second = fake.put_object("artifacts", "review/a file+.json", "two");
    let newest = "a%20file%2B.json";
    let older = format!("{newest}?versionId={first}");
    let first = Ok((first, "one".to_owned()));
    let missing = |code: &str| Err(code.to_owned());
    assert_eq!(get(&fake, newest).await, Ok((second, "two".to_owned())));
    assert_eq!(get(&fake, &older).await, first);
    let unknown = format!("{newest}?versionId=x");
    assert_eq!(get(&fake, &unknown).await, missing("NoSuchVersion"));
    assert_eq!(get(&fake, "b").await, missing("NoSuchKey"));
    fake.deny("s3:ListBucket", "artifacts");
    assert_eq!(get(&fake, "b").await, missing("AccessDenied"));
    assert_eq!(get(&fake, &older).await, first);
    fake.deny("s3:GetObject", "artifacts/review/");
    assert_eq!(get(&fake, newest).await, missing("AccessDenied"));
    fake.assert_unbroken();
}
