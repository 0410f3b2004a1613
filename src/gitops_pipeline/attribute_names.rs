//! The names of all attributes, for the schemas: asked of the code that answers.

use std::time::SystemTime;

use serde_json::json;

use super::apply::Made;
use super::names::Place;
use super::plan::Me;
use super::request_context::About;
use super::request_token::RequestKey;
use super::{attributes, spec};
use crate::cfn::Progress;
use crate::ownership::Owner;

const STACK_ID: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/id";

pub fn all() -> Vec<&'static str> {
    let desired = spec::decode(&json!({"EnvID": "dev", "ProjectID": "p"})).expect("valid");
    let place = Place::of_arn(STACK_ID).expect("an ARN");
    let owner = Owner {
        stack_id: STACK_ID.to_owned(),
        logical_id: "Pipeline".to_owned(),
    };
    let about = About {
        me: Me {
            owner,
            request: RequestKey::new(SystemTime::UNIX_EPOCH, "request", "owner"),
        },
        role_arn: place.role("r"),
        place,
        progress: Progress::new(SystemTime::UNIX_EPOCH),
    };
    let made = Made {
        stack_id: STACK_ID.to_owned(),
        repository_arn: about.place.arn("codecommit", "r"),
        clone_url: "https://host/v1/repos/r".to_owned(),
        note: None,
    };
    attributes(&desired, &about, &made).into_keys().collect()
}
