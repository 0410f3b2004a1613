//! `Custom::GitOpsPipeline`.
//!
//! Not said: that `EnvID` is a key of a `BranchMap`, how long names are together and what
//! `ParameterOverrides` and `ApprovalRule` are as JSON, and what follows from the account and
//! region in an ARN.

use serde_json::{Value, json};

use super::when;
use crate::gitops_pipeline::RETENTION_DAYS;
use crate::schema::generated::{one_of, text};

const ENV_ID: &str = "^[a-z][a-z0-9]*$";

pub fn add(schema: &mut Value) {
    // Together they have at most 30 characters.
    let properties = &mut schema["properties"];
    properties["EnvID"] = json!({
        "description": "must be lower-case letters and digits, a letter first, and a key of BranchMap",
        "type": ["string", "boolean"],
        "pattern": ENV_ID,
        "maxLength": 29,
    });
    properties["ProjectID"] = json!({
        "description": "must be letters, digits and hyphens, no hyphen first; at most 30 characters \
            together with EnvID",
        "type": ["string", "integer", "boolean"],
        "pattern": "^[A-Za-z0-9][A-Za-z0-9-]*$",
        "maxLength": 29,
    });
    properties["BranchMap"] = branch_map();
    for source in ["Source", "ImageSource"] {
        existing(&mut properties[source]);
    }
    properties["ImageSource"]["properties"]["ImageTag"]["default"] = json!("latest");
    build(&mut properties["Build"]["properties"]);
    deploy(&mut properties["Deploy"]["properties"]);
    approval_pool(&mut properties["ApprovalRule"]["properties"]["ApprovalPoolMembers"]);
    between_members(schema);
}

/// A map, or the JSON of one.
fn branch_map() -> Value {
    let not_a_branch =
        r"^@?$|^[-/]|[./]$|\.\.|//|@\{|[\x00-\x20\x7F~^:?*\[\\]|(^|/)\.|\.[Ll][Oo][Cc][Kk](/|$)";
    json!({
        "description": "must be an object, or the JSON of one, from EnvID to branch",
        "type": ["object", "string"],
        "pattern": r"^[ \t\r\n]*\{",
        "propertyNames": {
            "description": "must be an EnvID: lower-case letters and digits, a letter first",
            "pattern": ENV_ID,
        },
        "additionalProperties": {
            "description": "must be the name of a git branch",
            "type": ["string", "number", "boolean"],
            "maxLength": 256,
            "not": {"type": "string", "pattern": not_a_branch},
        },
    })
}

/// A repository of this account is named, another account's is told by its ARN and a role.
fn existing(source: &mut Value) {
    source["description"] =
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

fn build(build: &mut Value) {
    let days = &mut build["LogRetentionInDays"];
    let default = days["default"].clone();
    let numbers = RETENTION_DAYS.iter().map(|days| json!(days));
    let texts = RETENTION_DAYS.iter().map(|days| json!(days.to_string()));
    let all: Vec<Value> = numbers.chain(texts).collect();
    *days = json!({
        "description": "must be a number of days that CloudWatch Logs takes, such as 30, 90 or 365",
        "enum": all,
        "default": default,
    });
    build["EnvironmentVariables"]["propertyNames"] = json!({
        "description": "must be the name of an environment variable: letters, digits and `_`, and \
            neither EnvID nor AccountId, which are always set",
        "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
        "maxLength": 255,
        "not": {"enum": ["EnvID", "AccountId"]},
    });
}

fn deploy(deploy: &mut Value) {
    // An empty one says that there is none.
    deploy["TemplateConfiguration"]["pattern"] = json!("^([^/]|$)");
    deploy["TemplateConfiguration"]["default"] = json!("parameter.json");
    deploy["Capabilities"]["items"] = one_of(&[
        "CAPABILITY_IAM",
        "CAPABILITY_NAMED_IAM",
        "CAPABILITY_AUTO_EXPAND",
    ]);
    deploy["ParameterOverrides"]["propertyNames"] = json!({
        "description": "must be the name of a parameter: letters and digits",
        "pattern": "^[A-Za-z0-9]+$",
        "maxLength": 255,
    });
}

fn approval_pool(members: &mut Value) {
    members["maxItems"] = json!(50);
    let mut member = text();
    member["description"] =
        json!("must be the ARN of a user or role, or CodeCommitApprovers:<account>:<name>");
    member["pattern"] = json!(r"^\S+$");
    member["maxLength"] = json!(256);
    members["items"] = member;
}

fn between_members(schema: &mut Value) {
    let mut known = one_of(&["dev", "prd"]);
    known["description"] =
        json!("must be a key of BranchMap, which without being given has dev and prd");
    when(
        schema,
        &json!({"not": {"required": ["BranchMap"]}}),
        &json!({"properties": {"EnvID": known}}),
    );
    let mut in_turn = one_of(&["QUEUED", "SUPERSEDED"]);
    in_turn["description"] = json!(
        "must not be PARALLEL with Deploy.ActionMode CHANGE_SET: a newer execution would replace \
         the change set that an older one has approved"
    );
    when(
        schema,
        &json!({
            "required": ["Deploy"],
            "properties": {"Deploy": {
                "required": ["ActionMode"],
                "properties": {"ActionMode": {"enum": ["CHANGE_SET"]}},
            }},
        }),
        &json!({"properties": {"ExecutionMode": in_turn}}),
    );
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
                "description": format!(
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
            "description": "ApprovalRule must not be given with Source.RepositoryArn: a template \
                holds in the account that it is made in",
            "not": {"required": ["ApprovalRule"]},
        }),
    );
    when(
        schema,
        &json!({"required": ["ImageSource"]}),
        &json!({"properties": {"Build": {"properties": {"EnvironmentVariables": {
            "propertyNames": {
                "description": "must not be ImageURI, ImageDigest or ImageTag, which are always set \
                    with ImageSource",
                "not": {"enum": ["ImageURI", "ImageDigest", "ImageTag"]},
            },
        }}}}}),
    );
}
