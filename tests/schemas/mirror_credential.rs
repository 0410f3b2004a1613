//! The rules between the properties of `Custom::MirrorCredential`.
//!
//! The schema does not contain: that two mirrors are equal, that a key of `Tags` occurs twice or that
//! there are more than 40, that `BranchRegex` matches each of `RequiredBranches`.

use serde_json::{Value, json};

use crate::generate::boolean;
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
    let mut unprotected = boolean(&[false]);
    unprotected["errorMessage"] =
        json!("must be false, or left out, with BranchRegex; GitLab accepts one of them");
    when(
        &mut schema["properties"]["Mirrors"]["items"],
        &json!({"required": ["BranchRegex"]}),
        &json!({"properties": {"OnlyProtectedBranches": unprotected}}),
    );
}
