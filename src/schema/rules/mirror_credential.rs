//! `Custom::MirrorCredential`.
//!
//! Not said: that two mirrors are the same, that a key of `Tags` is given twice, that
//! `BranchRegex` matches each of `RequiredBranches`.

use serde_json::{Value, json};

use super::when;
use crate::schema::generated::truth;

pub fn add(schema: &mut Value) {
    schema["properties"]["Mirrors"]["maxItems"] = json!(50);
    let has_mirrors = json!({
        "required": ["Mirrors"],
        "properties": {"Mirrors": {"minItems": 1}},
    });
    when(
        schema,
        &has_mirrors,
        &json!({"description": "Mirrors needs GitLab", "required": ["GitLab"]}),
    );
    let mut safe = truth(&[true]);
    safe["description"] =
        json!("must be true with Mirrors: GitLab refuses a `/` in a mirror's login");
    when(
        schema,
        &has_mirrors,
        &json!({"properties": {"UrlSafePassword": safe}}),
    );
    let login = json!({
        "description":
            "must begin with a letter or digit with Mirrors: GitLab rejects any other login",
        "pattern": "^[A-Za-z0-9]",
    });
    when(
        schema,
        &has_mirrors,
        &json!({"properties": {"UserName": login}}),
    );
    let mut unprotected = truth(&[false]);
    unprotected["description"] =
        json!("must be false, or left out, with BranchRegex; GitLab takes one of them");
    when(
        &mut schema["properties"]["Mirrors"]["items"],
        &json!({"required": ["BranchRegex"]}),
        &json!({"properties": {"OnlyProtectedBranches": unprotected}}),
    );
}
