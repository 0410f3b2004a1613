//! Each event of `variants.json` has its result.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use cfn_custom_resource::Clock;
use cfn_gitops::handler::{Handler, HandlerError};

use crate::answers::Bucket;
use crate::variants::{self, text};
use fake_aws::{FakeAws, Options, clients};
use serde_json::Value;

#[tokio::test(start_paused = true)]
async fn every_event_has_its_result() {
    let mut statuses = BTreeMap::new();
    for row in variants::rows() {
        let (name, fake) = (row.event.as_str(), fake(Options::default()));
        // A pipeline creates the repository that credentials need.
        if !name.starts_with("pipeline") && name != "continuation" {
            fake.repository("codecommit-dev-cfn-infra");
        }
        for earlier in &row.after {
            let status = status(&fake, earlier).await;
            assert_eq!(status, "SUCCESS", "before {name}: {earlier}");
        }
        let status = status(&fake, name).await;
        assert_eq!(status, row.result, "{name}\n{}", fake.transcript());
        fake.assert_unbroken();
        *statuses.entry(row.result.clone()).or_insert(0) += 1;
    }
    fake_aws::figure!("events: {statuses:?}");
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
    let is_question = ["doctor", "projects", "deployments"].contains(&file);
    let provider = if is_question {
        provider.reading(Value::Null)
    } else {
        provider
    };
    let invocation = crate::invocation(clock.now() + Duration::from_mins(15));
    let answer = provider.handle(&text(file), &invocation).await;
    let puts = bucket.take();
    match answer {
        // Its address has expired: it ends without a response.
        Ok(body) if puts.is_empty() => {
            let ignored = body.get("Ignored").is_some();
            let is_no_request =
                body.get("Status").is_none() && (is_question || file == "health-check");
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
