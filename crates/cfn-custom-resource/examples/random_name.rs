//! A custom resource that generates a random name and keeps it for its whole life.
//!
//! `cargo run -p cfn-custom-resource --example random_name` sends itself a Create and prints the
//! response. In Lambda, `main` would receive the event and the invocation's deadline from
//! `lambda_runtime`, and `put` would use an HTTP client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cfn_custom_resource::{
    Clock, ContinuationError, Failure, Format, Handled, Kind, Object, Outcome, Pattern, Progress,
    Property, PutError, ReasonCode, Request, Resource, ValidationErrors, handle_request,
};

static PREFIX: Format = Format::new(
    Pattern::new("^[a-z][a-z-]*$").up_to(20),
    "must be at most 20 lower-case letters and hyphens, a letter first",
);
static PROPERTIES: [Property; 3] = [
    Property::new("ServiceToken", Kind::Any),
    Property::new("ServiceTimeout", Kind::Any),
    Property::new("Prefix", Kind::Text(&PREFIX)).or("app"),
];

struct RandomName;

impl Resource for RandomName {
    /// CloudFormation's request ID is random, and equal for every delivery of the request.
    fn physical_id(&self, request: &Request) -> String {
        let id = request.physical_resource_id.clone();
        id.unwrap_or_else(|| format!("name-{}", request.request_id))
    }

    async fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> Result<Outcome, Failure> {
        progress.doing("reading the properties");
        let mut errors = ValidationErrors::default();
        let given = request.properties.clone().unwrap_or_default();
        let properties = Object::decode(&PROPERTIES, &given, "", &mut errors);
        if !errors.0.is_empty() {
            return Err(Failure::new(ReasonCode::NONE, errors.to_string()));
        }
        let physical_resource_id = self.physical_id(&request);
        let prefix = properties.text("Prefix").unwrap_or_default();
        let name = format!("{prefix}-{physical_resource_id}");
        let attributes = BTreeMap::from([("Name", name)]);
        Ok(Outcome {
            physical_resource_id,
            attributes,
            note: None,
        })
    }
}

#[tokio::main]
async fn main() {
    let event = r#"{
        "RequestType": "Create", "RequestId": "5a1e0c3f", "ResponseURL": "https://bucket.example.com/",
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/demo/1",
        "LogicalResourceId": "Name", "ResourceType": "Custom::RandomName",
        "ResourceProperties": {"Prefix": "shop"}
    }"#;
    let clock = Clock::System;
    let request = Request::parse(event, clock.now()).expect("a request");
    let deadline = clock.now() + Duration::from_secs(60);
    let put = |_url: String, body: String| async move {
        println!("PUT {body}");
        Ok::<u16, PutError>(200)
    };
    let continue_later = |_| async { Err(ContinuationError::Rejected("not resumable".into())) };
    let resource = Arc::new(RandomName);
    match handle_request(resource, request, deadline, &clock, put, continue_later).await {
        Handled::Responded { sent, .. } => println!("sent: {sent:?}"),
        Handled::Continued | Handled::MaybeContinued => println!("continued"),
    }
}
