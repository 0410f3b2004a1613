//! CodeBuild's builds and S3's objects: their API References, at the rules in `tests/fake-aws`.

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use super::{cloudformation::new_world, code};
use fake_aws::{FakeAws, Options, Reaction, clients::Clients};

const PROJECT: &str = "codebuild-dev-review-shop";

async fn listed(clients: &Clients) -> Vec<String> {
    let call = clients.codebuild.list_builds_for_project();
    let pages = call.project_name(PROJECT).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.expect("pages")
}

#[tokio::test(start_paused = true)]
async fn builds_are_listed_newest_first() {
    let (fake, clients) = new_world(Options {
        page_length: Some(2),
        ..Options::default()
    });
    for uuid in ["c", "a", "b"] {
        fake.build(PROJECT, uuid, "review/x", "1a2b", "artifacts/review/shop");
    }
    let ids = ["b", "a", "c"].map(|uuid| format!("{PROJECT}:{uuid}"));
    assert_eq!(listed(&clients).await, ids);
    let call = clients.codebuild.list_builds_for_project();
    let missing = code(call.project_name("none").send().await);
    assert_eq!(missing, "ResourceNotFoundException");
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn build_shows_its_status_and_its_artifacts() {
    let (fake, clients) = new_world(Options::default());
    let id = fake.build(PROJECT, "a", "review/x", "1a2b", "artifacts/review/shop");
    let get = async || {
        let call = clients.codebuild.batch_get_builds().ids(&id);
        call.ids(format!("{PROJECT}:none")).send().await
    };
    let running = get().await.expect("builds");
    assert_eq!(running.builds_not_found(), [format!("{PROJECT}:none")]);
    let build = &running.builds()[0];
    assert_eq!(build.build_status().unwrap().as_str(), "IN_PROGRESS");
    assert_eq!(build.source_version(), Some("refs/heads/review/x^{1a2b}"));
    assert_eq!(build.resolved_source_version(), Some("1a2b"));
    assert!(!build.build_complete() && build.end_time().is_none());
    let event = fake.end_build(&id, "SUCCEEDED");
    assert_eq!(event["detail"]["build-status"], "SUCCEEDED");
    let arn = format!("arn:aws:codebuild:eu-central-1:123456789012:build/{id}");
    assert_eq!(event["detail"]["build-id"], arn);
    let over = get().await.expect("builds");
    let build = &over.builds()[0];
    assert_eq!(build.build_status().unwrap().as_str(), "SUCCEEDED");
    assert!(build.build_complete() && build.end_time().is_some());
    let location = build.artifacts().and_then(|one| one.location());
    assert_eq!(location, Some("arn:aws:s3:::artifacts/review/shop/a"));
    let none = clients.codebuild.batch_get_builds();
    let none = none.set_ids(Some(vec![])).send().await;
    assert_eq!(code(none), "InvalidInputException");
    fake.deny("codebuild:BatchGetBuilds", PROJECT);
    assert_eq!(code(get().await), "AccessDeniedException");
}

#[tokio::test(start_paused = true)]
async fn push_to_a_review_branch_starts_a_build() {
    let (fake, clients) = new_world(Options::default());
    fake.repository("shop");
    let arn = format!("arn:aws:codebuild:eu-central-1:123456789012:project/{PROJECT}");
    let rule = json!({
        "EventPattern": {
            "source": ["aws.codecommit"],
            "detail": {"referenceName": [{"wildcard": "review/*"}]},
        },
        "Targets": [{
            "Id": "review",
            "Arn": arn,
            "RoleArn": "arn:aws:iam::123456789012:role/e",
            "InputTransformer": {
                "InputPathsMap": {
                    "branch": "$.detail.referenceName", "commit": "$.detail.commitId",
                },
                "InputTemplate": "{\"sourceVersion\":\"refs/heads/<branch>^{<commit>}\"}",
            },
        }],
    });
    let artifacts = json!({"Artifacts": {"Location": "artifacts", "Path": "review/shop"}});
    fake.arrange(|aws| {
        let made = [
            ("AWS::Events::Rule", "rule", rule),
            ("AWS::CodeBuild::Project", PROJECT, artifacts),
        ];
        for (kind, name, properties) in made {
            let made = fake_aws::Made {
                properties,
                tags: std::collections::BTreeMap::default(),
                stack_id: None,
            };
            aws.made.insert((kind.to_owned(), name.to_owned()), made);
        }
    });
    assert_eq!(fake.push("shop", "main", "c1"), []);
    let [Reaction::BuildStarted { project, build }] = &fake.push("shop", "review/x", "c2")[..]
    else {
        panic!("one build");
    };
    assert_eq!(project, PROJECT);
    assert_eq!(listed(&clients).await, std::slice::from_ref(build));
    let found = fake.look(|aws| aws.builds[build].clone());
    assert_eq!(found.source_version, "refs/heads/review/x^{c2}");
    let uuid = build.rsplit(':').next().expect("a UUID");
    let location = format!("arn:aws:s3:::artifacts/review/shop/{uuid}");
    assert_eq!(found.artifacts, Some(location));
    fake.assert_unbroken();
}

/// The response to a request for an object: the version and the text, or S3's error code.
async fn get(fake: &FakeAws, address: &str) -> Result<(Option<String>, String), String> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(address).expect("an address");
    let headers = request.headers_mut();
    headers.insert("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/x");
    let response = fake
        .connector("test")
        .call(request)
        .await
        .expect("answered");
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
    if response.status().as_u16() == 200 {
        let version = response.headers().get("x-amz-version-id");
        return Ok((version.map(str::to_owned), text));
    }
    let code = text
        .split("<Code>")
        .nth(1)
        .and_then(|rest| rest.split('<').next());
    Err(code.unwrap_or(&text).to_owned())
}

#[tokio::test(start_paused = true)]
async fn object_is_read_with_its_version() {
    let (fake, _) = new_world(Options::default());
    let key = "review/shop/a/a file+.json";
    let first = fake.put_object("artifacts", key, "one");
    let second = fake.put_object("artifacts", key, "two");
    let address = "https://artifacts.s3.eu-central-1.amazonaws.com/review/shop/a/a%20file%2B.json";
    let older = format!("{address}?versionId={first}");
    let read = |version: &str, text: &str| Ok((Some(version.to_owned()), text.to_owned()));
    let missing = |code: &str| Err(code.to_owned());
    assert_eq!(get(&fake, address).await, read(&second, "two"));
    assert_eq!(get(&fake, &older).await, read(&first, "one"));
    let unknown = format!("{address}?versionId=x");
    assert_eq!(get(&fake, &unknown).await, missing("NoSuchVersion"));
    let other = "https://artifacts.s3.eu-central-1.amazonaws.com/review/shop/b";
    assert_eq!(get(&fake, other).await, missing("NoSuchKey"));
    fake.deny("s3:ListBucket", "artifacts");
    assert_eq!(get(&fake, other).await, missing("AccessDenied"));
    assert_eq!(get(&fake, &older).await, read(&first, "one"));
    fake.deny("s3:GetObject", "artifacts/review/");
    assert_eq!(get(&fake, address).await, missing("AccessDenied"));
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn path_style_addresses_a_bucket_as_well() {
    let fake = FakeAws::new();
    fake.bucket_without_versions("with.dots");
    fake.put_object("with.dots", "review/t.json", "one");
    let base = "https://s3.eu-central-1.amazonaws.com";
    let found = format!("{base}/with.dots/review/t.json");
    assert_eq!(get(&fake, &found).await, Ok((None, "one".to_owned())));
    let none = format!("{base}/none/review/t.json");
    assert_eq!(get(&fake, &none).await, Err("NoSuchBucket".to_owned()));
}
