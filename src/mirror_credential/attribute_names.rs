//! The names of all attributes, for the schemas: asked of the code that answers.

use serde_json::json;

use super::apply::Made;
use super::plan::tests::{credential, secret};
use super::{outcome, spec};

pub fn all() -> Vec<&'static str> {
    let desired = spec::decode(&json!({"UserName": "u"})).expect("valid");
    let made = Made {
        secret: secret(),
        credential: credential("id"),
        notes: Vec::new(),
    };
    outcome(&desired, &made).attributes.into_keys().collect()
}
