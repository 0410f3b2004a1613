//! The rules between the properties of `Custom::GitOpsPipeline`.
//!
//! The schema does not contain these rules:
//! - `EnvID` is a key of a given `BranchMap`.
//! - The joint length of names, and the length of `ParameterOverrides`, `Source.Paths` and
//!   `ApprovalRule` as JSON.
//! - The rules that depend on the account and region in an ARN.

use serde_json::{Value, json};

use crate::generate::{boolean, choice};
use crate::when;

pub fn add(schema: &mut Value) {
    for source in ["Source", "ImageSource"] {
        existing(&mut schema["properties"][source]);
    }
    paths(&mut schema["properties"]["Source"]);
    between_properties(schema);
}

/// A repository of this account has a name; one of another account has an ARN and a role.
fn existing(source: &mut Value) {
    source["errorMessage"] =
        json!("must have RepositoryName, or RepositoryArn and RoleArn for another account's");
    source["dependencies"] = json!({
        "RepositoryArn": ["RoleArn"],
        "RoleArn": ["RepositoryArn"],
    });
    source["anyOf"] = json!([
        {"required": ["RepositoryName"]},
        {"required": ["RepositoryArn"]},
    ]);
}

/// The files of this account's repositories, also of the one that the child stack creates.
fn paths(source: &mut Value) {
    if let Some(anyof) = source["anyOf"].as_array_mut() {
        anyof.push(json!({"required": ["Paths"]}));
    }
    when(
        source,
        &json!({"required": ["RepositoryArn"]}),
        &json!({
            "errorMessage": "Paths must not be set with RepositoryArn: the function reads no \
                differences in another account",
            "not": {"required": ["Paths"]},
        }),
    );
}

#[allow(clippy::too_many_lines)] // A list of rules.
fn between_properties(schema: &mut Value) {
    let mut known = choice(&["dev", "prd"]);
    known["errorMessage"] = json!("must be a key of BranchMap, which by default has dev and prd");
    when(
        schema,
        &json!({"not": {"required": ["BranchMap"]}}),
        &json!({"properties": {"EnvID": known}}),
    );
    on_failure(schema);
    approvals(schema);
    report(schema);
    review(schema);
    let elsewhere = |source: &str| {
        json!({
            "required": [source],
            "properties": {source: {"required": ["RepositoryArn"]}},
        })
    };
    for source in ["Source", "ImageSource"] {
        when(
            schema,
            &elsewhere(source),
            &json!({
                "errorMessage": format!(
                    "ArtifactKeyArn is required with {source}.RepositoryArn: another account cannot \
                     use this account's default key"
                ),
                "required": ["ArtifactKeyArn"],
            }),
        );
    }
    when(
        schema,
        &elsewhere("Source"),
        &json!({
            "errorMessage": "ApprovalRule must not be set with Source.RepositoryArn: an approval \
                rule template applies only in its own account",
            "not": {"required": ["ApprovalRule"]},
        }),
    );
    when(
        schema,
        &json!({"required": ["ImageSource"]}),
        &json!({"properties": {"Build": {"properties": {"EnvironmentVariables": {
            "propertyNames": {
                "errorMessage": "must not be ImageURI, ImageDigest or ImageTag, which are always set \
                    with ImageSource",
                "not": {"enum": ["ImageURI", "ImageDigest", "ImageTag"]},
            },
            "items": {"properties": {"Name": {
                "errorMessage": "must not be ImageURI, ImageDigest or ImageTag, which are always set \
                    with ImageSource",
                "not": {"enum": ["ImageURI", "ImageDigest", "ImageTag"]},
            }}},
        }}}}}),
    );
}

/// A given `Deploy.ActionMode` of these.
fn deploy_with_action_mode(modes: &[&str]) -> Value {
    json!({"required": ["Deploy"], "properties": {"Deploy": action_mode(modes)}})
}

/// A given `ActionMode` of these, in `Deploy`.
fn action_mode(modes: &[&str]) -> Value {
    json!({"required": ["ActionMode"], "properties": {"ActionMode": {"enum": modes}}})
}

/// `Report`, which needs `GitLab`.
fn report(schema: &mut Value) {
    when(
        schema,
        &json!({"required": ["Report"]}),
        &json!({"errorMessage": "Report needs GitLab", "required": ["GitLab"]}),
    );
}

/// `Review`, with what it cannot be combined with. The prefix of `Deploy.StackName` and the name of
/// `Deploy.RoleArn` depend on `EnvID`, so the schema does not contain them.
fn review(schema: &mut Value) {
    let with_review = json!({"required": ["Review"]});
    when(
        schema,
        &with_review,
        &json!({"errorMessage": "Review needs GitLab", "required": ["GitLab"]}),
    );
    when(
        schema,
        &with_review,
        &json!({"properties": {"Source": {
            "errorMessage": "must not have RepositoryArn with Review: CodeBuild clones repositories \
                of its own account",
            "not": {"required": ["RepositoryArn"]},
        }}}),
    );
    when(
        schema,
        &with_review,
        &json!({
            "errorMessage": "Review must not be set with ImageSource: the build of a review has no image",
            "not": {"required": ["ImageSource"]},
        }),
    );
}

/// The function's approvals of empty change sets.
fn approvals(schema: &mut Value) {
    let approval = |name: &str, value: &Value| {
        json!({"required": ["Approval"], "properties": {"Approval": {
            "required": [name], "properties": {name: value},
        }}})
    };
    let no_change_set = json!([
        approval("Required", &boolean(&[false])),
        deploy_with_action_mode(&["CREATE_UPDATE", "REPLACE_ON_FAILURE"]),
        {"required": ["Deploy"], "properties": {"Deploy": {
            "required": ["OnFailure"], "properties": {"OnFailure": {"enum": ["Rollback"]}},
        }}},
    ]);
    let what = "Approval.AutoApprove needs Approval.Required, and Deploy.ActionMode CHANGE_SET";
    when(
        schema,
        &approval("AutoApprove", &choice(&["NoChanges"])),
        &json!({"errorMessage": what, "not": {"anyOf": no_change_set}}),
    );
}

/// `Deploy.OnFailure`, with what CodePipeline does not combine with it.
fn on_failure(schema: &mut Value) {
    let deploy = &mut schema["properties"]["Deploy"];
    let mut only_fail = choice(&["Fail"]);
    only_fail["errorMessage"] = json!(
        "must be Fail with Deploy.ActionMode CHANGE_SET: the change set that was approved is gone \
         after its execution"
    );
    when(
        deploy,
        &action_mode(&["CHANGE_SET"]),
        &json!({"properties": {"OnFailure": only_fail}}),
    );
}
