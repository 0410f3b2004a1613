use super::ATTRIBUTES;
use serde_json::json;

use crate::mirror_credential::apply::Made;
use crate::mirror_credential::plan::tests::{credential, secret};
use crate::mirror_credential::{outcome, spec};

#[test]
fn every_attribute_of_an_outcome_is_listed() {
    let desired = spec::decode(&json!({"UserName": "u"})).expect("valid");
    let made = Made {
        secret: secret(),
        credential: credential("id"),
        notes: Vec::new(),
    };
    let outcome = outcome(&desired, &made);
    assert!(outcome.attributes.into_keys().eq(ATTRIBUTES));
}
