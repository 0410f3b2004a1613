//! The names of all attributes, for the schemas: asked of the code that answers.

use serde_json::json;

use super::make_so::Made;
use super::plan_table::{credential, secret};
use super::{outcome, properties};

pub fn all() -> Vec<&'static str> {
    let desired = properties::decode(&json!({"UserName": "u"})).expect("valid");
    let made = Made {
        secret: secret(),
        credential: credential("id"),
        notes: Vec::new(),
    };
    outcome(&desired, &made).attributes.into_keys().collect()
}
