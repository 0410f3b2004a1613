//! AWS: each service at an address of its own, so that a connection to one serves no other.

use std::time::{Instant, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::run::{Response, Runs};
use fake_aws::http::{self, Reply, Request};

/// Who is called; Lambda is called in `invoked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Iam,
    SecretsManager,
    CodeCommit,
    ResponseBucket,
}

impl Service {
    pub const ALL: [Self; 4] = [
        Service::Iam,
        Service::SecretsManager,
        Service::CodeCommit,
        Service::ResponseBucket,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Service::Iam => "iam",
            Service::SecretsManager => "secretsmanager",
            Service::CodeCommit => "codecommit",
            Service::ResponseBucket => "response_bucket",
        }
    }

    /// The secret in the tests' account.
    fn host(self) -> &'static str {
        match self {
            Service::Iam => "iam.amazonaws.com",
            Service::SecretsManager => "secretsmanager.eu-central-1.amazonaws.com",
            Service::CodeCommit => "codecommit.eu-central-1.amazonaws.com",
            Service::ResponseBucket => {
                "cloudformation-custom-resource-response-eucentral1.s3.amazonaws.com"
            }
        }
    }
}

pub fn answer(runs: &Runs, service: Service, request: &Request) -> Reply {
    let clock = Instant::now();
    let run = runs.present();
    let (number, latency) = (run.number, run.latency);
    let (_, answer) = http::execute(&run.fake, service.host(), request);
    let mut answer = answer?;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    answer.body = http::in_machine_time(&run.fake, &body, 0).into_bytes();
    drop(run);
    std::thread::sleep(latency.saturating_sub(clock.elapsed()));

    let mut run = runs.if_present(number)?;
    if service == Service::ResponseBucket {
        run.record.responses.push(Response {
            status: answer.status,
            body: serde_json::from_slice(&request.body).unwrap_or_default(),
        });
    }
    drop(run);
    answer.headers.push(("date".into(), date()));
    Some(answer)
}

/// Now, as a `Date` header has it.
fn date() -> String {
    let now = DateTime::from_secs(DateTime::from(SystemTime::now()).secs());
    now.fmt(Format::HttpDate).unwrap_or_default()
}
