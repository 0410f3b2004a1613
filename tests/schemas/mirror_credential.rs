//! The rules between the properties of `Custom::MirrorCredential`.
//!
//! The schema does not contain: that two mirrors are equal, that a key of `Tags` occurs twice or that
//! there are more than 40.

use serde_json::{Value, json};

use crate::when;

pub fn add(schema: &mut Value) {
    let has_mirrors = json!({
        "required": ["Mirrors"],
        "properties": {"Mirrors": {"minItems": 1}},
    });
    when(
        schema,
        &has_mirrors,
        &json!({"errorMessage": "Mirrors needs GitLab", "required": ["GitLab"]}),
    );
    let login = json!({
        "errorMessage":
            "must begin with a letter or digit with Mirrors: GitLab rejects any other login",
        "pattern": "^[A-Za-z0-9]",
    });
    when(
        schema,
        &has_mirrors,
        &json!({"properties": {"UserName": login}}),
    );
}
