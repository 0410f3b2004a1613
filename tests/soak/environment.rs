//! One execution environment, which answers one event after another.

use cfn_custom_resource::Clock;
use cfn_gitops::handler::{Handler, Invocation};
use serde_json::{Value, json};

use fake_aws::FakeAws;
use fake_aws::Line;
use fake_aws::clients::sdk_config;
use test_support::custom_resource::{FUNCTION, LAMBDA_MAX_LIFETIME};

pub struct Environment {
    fake: FakeAws,
    line: Line,
    provider: Handler,
    events: usize,
}

impl Environment {
    pub fn start(fake: &FakeAws) -> Self {
        let line = Line::new();
        let clock = Clock::starting_at(fake.now());
        Environment {
            fake: fake.clone(),
            provider: Handler::new(&sdk_config(line.connector()), line.connector(), clock),
            line,
            events: 0,
        }
    }

    /// Handles one event, and returns its output.
    pub async fn answer_text(&mut self, event: &str) -> Result<Value, String> {
        self.events += 1;
        let name = format!("event-{}", self.events);
        self.line.connect(&self.fake.caller(&name));
        let invocation = Invocation {
            request_id: name,
            deadline: self.fake.now() + LAMBDA_MAX_LIFETIME,
            function_arn: FUNCTION.to_owned(),
        };
        let answered = self.provider.handle(event, &invocation).await;
        answered.map_err(|error| error.to_string())
    }

    /// Handles one event, which must succeed.
    pub async fn succeeds(&mut self, event: &Value) -> Value {
        let answered = self.answer_text(&event.to_string()).await;
        answered.unwrap_or_else(|error| panic!("{event}: {error}"))
    }

    /// A request of CloudFormation's about one of the two resources, with this result.
    pub async fn request(
        &mut self,
        (what, status): (&str, &str),
        (kind, id): (&str, &str),
        properties: &Value,
        old: &Value,
    ) {
        let name = format!("{}-{what}", self.events);
        let mut event = json!({
            "RequestType": what,
            "ResponseURL": self.fake.response_url(&name),
            "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/1",
            "RequestId": name,
            "ResourceType": kind,
            "LogicalResourceId": "Resource",
            "ResourceProperties": properties,
        });
        if what != "Create" {
            event["PhysicalResourceId"] = id.into();
        }
        if what == "Update" {
            event["OldResourceProperties"] = old.clone();
        }
        let answer = self.succeeds(&event).await;
        assert_eq!(answer["Status"], status, "{answer}");
    }
}
