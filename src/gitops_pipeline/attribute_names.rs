//! The names of all attributes, for the schemas: asked of the code that answers.

use std::time::SystemTime;

use serde_json::json;

use super::apply::Applied;
use super::names::AwsLocation;
use super::request_context::RequestContext;
use super::request_token::RequestKey;
use super::{attributes, spec};
use crate::ownership::Owner;

const STACK_ID: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/id";

pub fn all() -> Vec<&'static str> {
    let spec = spec::decode(&json!({"EnvID": "dev", "ProjectID": "p"})).expect("valid");
    let location = AwsLocation::from_arn(STACK_ID).expect("an ARN");
    let owner = Owner {
        stack_id: STACK_ID.to_owned(),
        logical_id: "Pipeline".to_owned(),
    };
    let context = RequestContext {
        owner,
        request: RequestKey::new(SystemTime::UNIX_EPOCH, "request", "owner"),
        role_arn: location.role("r"),
        location,
    };
    let applied = Applied {
        stack_id: STACK_ID.to_owned(),
        repository_arn: context.location.arn("codecommit", "r"),
        clone_url: "https://host/v1/repos/r".to_owned(),
        note: None,
    };
    attributes(&spec, &context, &applied).into_keys().collect()
}
