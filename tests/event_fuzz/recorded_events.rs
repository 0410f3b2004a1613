//! The events of `events/`, each with the answer that its README promises.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use cfn_custom_resource::Clock;
use cfn_gitops::handler::{Handler, HandlerError};

use crate::answers::Bucket;
use fake_aws::{FakeAws, clients};

/// File, the events before it (in a fake AWS of its own), and the response's status.
const EVENTS: [(&str, &[&str], &str); 52] = [
    // The build does not exist.
    ("build-state-change", &[], "nothing"),
    ("continuation", &[], "SUCCESS"),
    ("create", &[], "SUCCESS"),
    ("create-every-property", &[], "SUCCESS"),
    ("create-every-property-wrong", &[], "FAILED"),
    ("create-gitlab", &[], "SUCCESS"),
    ("create-gitlab-every-property-wrong", &[], "FAILED"),
    ("create-hostile-gitlab-host", &[], "FAILED"),
    ("create-hostile-owner", &["create"], "FAILED"),
    ("create-hostile-secret", &[], "FAILED"),
    ("create-hostile-user", &[], "FAILED"),
    ("create-late", &[], "nothing"),
    ("create-unknown-type", &[], "FAILED"),
    ("delete", &["create"], "SUCCESS"),
    ("delete-gitlab", &["create-gitlab"], "SUCCESS"),
    ("delete-invalid-properties", &["create"], "SUCCESS"),
    ("delete-invented-id", &["create"], "SUCCESS"),
    ("delete-rejected", &["create"], "SUCCESS"),
    (
        "delete-replaced",
        &["create", "update-secret-name"],
        "SUCCESS",
    ),
    ("doctor", &["create-gitlab"], "nothing"),
    ("first-push", &[], "nothing"),
    ("health-check", &["create-gitlab"], "nothing"),
    ("pipeline-create", &[], "SUCCESS"),
    ("pipeline-create-cross-account", &[], "SUCCESS"),
    ("pipeline-create-every-property", &[], "SUCCESS"),
    ("pipeline-create-every-property-wrong", &[], "FAILED"),
    ("pipeline-create-hostile-environment", &[], "FAILED"),
    (
        "pipeline-create-hostile-owner",
        &["pipeline-create"],
        "FAILED",
    ),
    ("pipeline-create-review", &[], "SUCCESS"),
    ("pipeline-delete", &["pipeline-create"], "SUCCESS"),
    (
        "pipeline-delete-invalid-properties",
        &["pipeline-create"],
        "SUCCESS",
    ),
    (
        "pipeline-delete-invented-id",
        &["pipeline-create"],
        "SUCCESS",
    ),
    ("pipeline-delete-rejected", &["pipeline-create"], "SUCCESS"),
    ("pipeline-update", &["pipeline-create"], "SUCCESS"),
    ("pipeline-update-project", &["pipeline-create"], "SUCCESS"),
    (
        "pipeline-update-rollback",
        &["pipeline-create", "pipeline-update"],
        "SUCCESS",
    ),
    // Secrets Manager began no rotation.
    ("rotation-create-secret", &["create-gitlab"], "nothing"),
    ("rotation-finish-secret", &["create-gitlab"], "nothing"),
    ("rotation-set-secret", &["create-gitlab"], "nothing"),
    ("rotation-test-secret", &["create-gitlab"], "nothing"),
    ("unknown-event", &[], "nothing"),
    ("unknown-request-type", &[], "FAILED"),
    ("update-gitlab-mirror-added", &["create"], "SUCCESS"),
    (
        "update-gitlab-mirror-added-rollback",
        &["create", "update-gitlab-mirror-added"],
        "SUCCESS",
    ),
    ("update-nothing", &["create"], "SUCCESS"),
    ("update-rotation-serial", &["create"], "SUCCESS"),
    (
        "update-rotation-serial-rollback",
        &["create", "update-rotation-serial"],
        "SUCCESS",
    ),
    ("update-secret-name", &["create"], "SUCCESS"),
    (
        "update-secret-name-rollback",
        &["create", "update-secret-name"],
        "SUCCESS",
    ),
    ("update-tags", &["create"], "SUCCESS"),
    ("update-user", &["create", "update-secret-name"], "FAILED"),
    ("update-user-replacing", &["create"], "SUCCESS"),
];

#[test]
fn every_event_of_the_repository_stands_in_the_table() {
    let mut files: Vec<String> = std::fs::read_dir(directory())
        .expect("events/")
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    assert_eq!(files, EVENTS.map(|(file, ..)| file));
}

#[tokio::test(start_paused = true)]
async fn every_recorded_event_has_the_documented_result() {
    let mut statuses = BTreeMap::new();
    for (file, before, expected) in EVENTS {
        let fake = fake();
        // A pipeline creates the repository that credentials need.
        if !file.starts_with("pipeline") && file != "continuation" {
            fake.repository("codecommit-dev-cfn-infra");
        }
        for earlier in before {
            assert_eq!(
                status(&fake, earlier).await,
                "SUCCESS",
                "before {file}: {earlier}"
            );
        }
        let status = status(&fake, file).await;
        assert_eq!(status, expected, "{file}\n{}", fake.transcript());
        fake.assert_unbroken();
        *statuses.entry(expected).or_insert(0) += 1;
    }
    fake_aws::figure!("{} recorded events: {statuses:?}", EVENTS.len());
}

/// The fingerprint of the certificate in `create-every-property.json`.
const CA_SHA256: &str = "ada9501f2a7b56224825042e4173ad1658d830b4d3d0644f0ba2c0b1551b8b05";

/// `AWS_ENDPOINT_URL_S3`. The events' addresses are of this machine.
#[derive(Debug)]
struct LocalS3;

impl LoadServiceConfig for LocalS3 {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        (key.service_id() == "S3").then(|| "http://127.0.0.1:9".to_owned())
    }
}

/// The account of the events, with the names that the function's role may use.
fn fake() -> FakeAws {
    let fake = FakeAws::new();
    for user in [
        "user-dev-codecommit-mirroring",
        "user-dev-second-mirror",
        "user-prd-codecommit-mirroring",
    ] {
        fake.user(user);
    }
    fake.repository("codecommit-dev-cfn-shop");
    fake.repository("codecommit-dev-website");
    fake.repository_in_other_account("website");
    fake.gitlab_project("platform/infra", &["development"]);
    assert_eq!(fake.gitlab_project("platform/shop", &["development"]), 41);
    fake.gitlab_token("gitlab/mirrors");
    fake.arrange(|aws| {
        let secret = aws
            .secrets
            .get_mut("gitlab/mirrors")
            .expect("the token's secret");
        let tag = "cfn-gitops:gitlab-ca-sha256".to_owned();
        secret.tags.insert(tag, CA_SHA256.to_owned());
    });
    fake.deny("*", "user-prd-");
    fake.deny("*", "gitops-prd-");
    fake.deny("*", "database/");
    fake
}

/// The status that CloudFormation got; `nothing` when the event got none.
async fn status(fake: &FakeAws, file: &str) -> String {
    let event = std::fs::read_to_string(directory().join(format!("{file}.json"))).expect(file);
    let clock = Clock::starting_at(fake.now());
    let bucket = Bucket::before(fake.connector(file));
    let config = clients::sdk_config(bucket.connector());
    let config = config.to_builder().service_config(LocalS3).build();
    let provider = Handler::new(&config, bucket.connector(), clock.clone());
    let deadline = clock.now() + Duration::from_mins(15);
    let answer = provider.handle(&event, &crate::invocation(deadline)).await;
    let puts = bucket.take();
    match answer {
        // Its address has expired: it ends without a response.
        Ok(body) if puts.is_empty() => {
            let ignored = body.get("Ignored").is_some();
            let is_no_request =
                body.get("Status").is_none() && ["doctor", "health-check"].contains(&file);
            assert!(
                ignored || is_no_request || body["Status"] == "FAILED",
                "{file}"
            );
            "nothing".to_owned()
        }
        Ok(body) => {
            assert_eq!(puts.len(), 1, "{file}");
            assert_eq!(puts[0].body, body.to_string(), "{file}");
            body["Status"].as_str().expect("a status").to_owned()
        }
        Err(
            HandlerError::UnknownEvent
            | HandlerError::ResponseNotDelivered(_)
            | HandlerError::NotRotated(_),
        ) => {
            assert!(puts.is_empty(), "{file}");
            "nothing".to_owned()
        }
        Err(error) => panic!("{file}: {error}"),
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("events")
}
