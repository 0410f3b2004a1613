//! The events of `events/`, each with the result in the table of its README.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use cfn_custom_resource::Clock;
use cfn_gitops::handler::{Handler, HandlerError};

use crate::answers::Bucket;
use fake_aws::{FakeAws, Options, clients};

/// Each file, and the response's status or `nothing`. A Python test compares the table with the
/// folder.
fn documented() -> BTreeMap<String, &'static str> {
    let page = std::fs::read_to_string(directory().join("README.md")).expect("a page");
    let mut documented = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let result = match cells[2] {
            result if result.starts_with("SUCCESS") => "SUCCESS",
            "as `pipeline-create.json` |" => "SUCCESS",
            result if result.starts_with("FAILED") => "FAILED",
            _ => "nothing",
        };
        let names = cells[0].split('`');
        let files = names.filter_map(|name| name.strip_suffix(".json"));
        documented.extend(files.map(|file| (file.to_owned(), result)));
    }
    documented
}

/// The events before this one, in an account of its own.
fn before(file: &str) -> Vec<&str> {
    let create = match file {
        "delete-gitlab" | "doctor" | "health-check" => "create-gitlab",
        "create-hostile-owner" => "create",
        "pipeline-create-hostile-owner" => "pipeline-create",
        _ if file.starts_with("rotation-") => "create-gitlab",
        _ if file.starts_with("update-") || file.starts_with("delete") => "create",
        _ if file.starts_with("pipeline-update") || file.starts_with("pipeline-delete") => {
            "pipeline-create"
        }
        _ => return vec![],
    };
    let update = match file {
        "delete-replaced" | "update-user" => Some("update-secret-name"),
        _ => file.strip_suffix("-rollback"),
    };
    [create].into_iter().chain(update).collect()
}

#[tokio::test(start_paused = true)]
async fn every_recorded_event_has_the_documented_result() {
    let mut statuses = BTreeMap::new();
    for (file, expected) in &documented() {
        let fake = fake(Options::default());
        // A pipeline creates the repository that credentials need.
        if !file.starts_with("pipeline") && file != "continuation" {
            fake.repository("codecommit-dev-cfn-infra");
        }
        for earlier in before(file) {
            let status = status(&fake, earlier).await;
            assert_eq!(status, "SUCCESS", "before {file}: {earlier}");
        }
        let status = status(&fake, file).await;
        assert_eq!(status, *expected, "{file}\n{}", fake.transcript());
        fake.assert_unbroken();
        *statuses.entry(*expected).or_insert(0) += 1;
    }
    fake_aws::figure!("recorded events: {statuses:?}");
    assert_eq!(statuses.len(), 3, "SUCCESS, FAILED and nothing");
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
pub fn fake(options: Options) -> FakeAws {
    let fake = FakeAws::with(options);
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
        let secret = aws.secrets.get_mut("gitlab/mirrors");
        let tags = &mut secret.expect("the token's secret").tags;
        let tag = "cfn-gitops:gitlab-ca-sha256".to_owned();
        tags.insert(tag, CA_SHA256.to_owned());
    });
    fake.deny("*", "user-prd-");
    fake.deny("*", "gitops-prd-");
    fake.deny("*", "database/");
    fake
}

/// The status that CloudFormation received; `nothing` if it received no response.
async fn status(fake: &FakeAws, file: &str) -> String {
    let clock = Clock::starting_at(fake.now());
    let bucket = Bucket::before(fake.connector(file));
    let config = clients::sdk_config(bucket.connector());
    let config = config.to_builder().service_config(LocalS3).build();
    let provider = Handler::new(&config, bucket.connector(), clock.clone());
    let invocation = crate::invocation(clock.now() + Duration::from_mins(15));
    let answer = provider.handle(&text(file), &invocation).await;
    let puts = bucket.take();
    match answer {
        // Its address has expired: it ends without a response.
        Ok(body) if puts.is_empty() => {
            let ignored = body.get("Ignored").is_some();
            let is_no_request =
                body.get("Status").is_none() && ["doctor", "health-check"].contains(&file);
            let failed = body["Status"] == "FAILED";
            assert!(ignored || is_no_request || failed, "{file}");
            "nothing".to_owned()
        }
        Ok(body) => {
            assert_eq!(puts.len(), 1, "{file}");
            assert_eq!(puts[0].body, body.to_string(), "{file}");
            body["Status"].as_str().expect("a status").to_owned()
        }
        Err(
            HandlerError::UnknownEvent(_)
            | HandlerError::ResponseNotDelivered(_)
            | HandlerError::NotRotated(_),
        ) => {
            assert!(puts.is_empty(), "{file}");
            "nothing".to_owned()
        }
        Err(error) => panic!("{file}: {error}"),
    }
}

/// The event of a file.
pub fn text(file: &str) -> String {
    let path = directory().join(format!("{file}.json"));
    std::fs::read_to_string(path).expect(file)
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("events")
}
