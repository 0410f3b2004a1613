//! A custom resource that generates a unique name and keeps it for its whole life.
//!
//! `cargo run -p cfn-custom-resource --example random_name` sends itself a Create and prints the
//! response. In Lambda, `lambda_runtime` has the event and the deadline, and `put` is an HTTP
//! client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cfn_custom_resource::{
    Clock, ContinuationError, Failure, Kind, Object, Outcome, Progress, Property, ReasonCode,
    Request, Resource, SendError, ValidationErrors, Worker, handle_request,
};

static PROPERTIES: [Property; 2] = [
    Property::new("ServiceToken", Kind::Any),
    Property::new("Prefix", Kind::AnyText).or("app"),
];

struct RandomName;

impl Resource for RandomName {
    /// The same for every delivery of the request. The end of a stack's ID is unique, while a later
    /// request may have the request ID of an earlier one.
    fn physical_id(&self, request: &Request) -> String {
        let stack = request.stack_id.rsplit('/').next().unwrap_or_default();
        let id = request.physical_resource_id.clone();
        id.unwrap_or_else(|| format!("{stack}-{}", request.logical_resource_id))
    }

    async fn handle(self: Arc<Self>, request: Request, _: Progress) -> Result<Outcome, Failure> {
        let mut errors = ValidationErrors::default();
        let given = request.properties.clone().unwrap_or_default();
        let properties = Object::decode(&PROPERTIES, &given, "", &mut errors);
        if !errors.0.is_empty() {
            return Err(Failure::new(
                ReasonCode::NONE,
                errors.to_string(),
                "Correct them",
            ));
        }
        let id = self.physical_id(&request);
        let prefix = properties.text("Prefix").unwrap_or_default();
        Ok(Outcome {
            attributes: BTreeMap::from([("Name", format!("{prefix}-{id}"))]),
            physical_resource_id: id,
            note: None,
        })
    }
}

#[tokio::main]
async fn main() {
    let event = r#"{"RequestType": "Create", "RequestId": "5a1e0c3f", "StackId": "demo/1",
        "ResponseURL": "https://bucket.example.com/", "LogicalResourceId": "Name",
        "ResourceType": "Custom::RandomName", "ResourceProperties": {"Prefix": "shop"}}"#;
    let clock = Clock::System;
    let request = Request::parse(event, clock.now()).expect("a request");
    let deadline = clock.now() + Duration::from_secs(60);
    let put = |_url, body| async move {
        println!("PUT {body}");
        Ok::<u16, SendError>(200)
    };
    // Not called: the resource is not `RESUMABLE`.
    let continue_later = |_| async { Err(ContinuationError::OutcomeUnknown) };
    let resource = Arc::new(RandomName);
    let worker = Worker::start().expect("a thread for the work");
    handle_request(
        resource,
        request,
        deadline,
        &clock,
        &worker,
        put,
        continue_later,
    )
    .await;
}
