//! What members mean for one another. Decoding decides it in code that no watch can see, so it is
//! written here a second time, and `agreement` holds the two against each other.

pub mod gitops_pipeline;
pub mod mirror_credential;

use serde_json::{Value, json};

use super::generated::number;

/// What CloudFormation itself takes out of the properties.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html>
pub fn every_resource(schema: &mut Value) {
    let properties = &mut schema["properties"];
    properties["ServiceToken"] = json!({
        "description": "the provider: Fn::ImportValue of cfn-gitops-<EnvID>-ServiceToken",
        "type": "string",
    });
    properties["ServiceTimeout"] = number(1, 3600);
    require(schema, "ServiceToken");
    tags(&mut schema["properties"]["Tags"]);
}

/// `Tags`: what AWS takes beyond ASCII is not said here, as patterns have no word for letters.
fn tags(tags: &mut Value) {
    tags["maxItems"] = json!(40);
    let not_a_tag = r"[\x00-\x1F!-*,;<>?\[\\\]^`{-\x7F]";
    let reserved = "^([Aa][Ww][Ss]|[Cc][Ff][Nn]-[Gg][Ii][Tt][Oo][Pp][Ss]):";
    let properties = &mut tags["items"]["properties"];
    properties["Key"] = json!({
        "description": "must be 1 to 127 letters, digits, spaces and `_.:/=+-@`, and not start with \
            aws: or cfn-gitops:",
        "type": ["string", "number", "boolean"],
        "pattern": ".",
        "maxLength": 127,
        "not": {"type": "string", "pattern": format!("{not_a_tag}|{reserved}")},
    });
    properties["Value"] = json!({
        "description": "must be at most 255 letters, digits, spaces and `_.:/=+-@`",
        "type": ["string", "number", "boolean"],
        "maxLength": 255,
        "not": {"type": "string", "pattern": not_a_tag},
    });
}

/// Adds a name to what is required.
fn require(schema: &mut Value, name: &str) {
    let required = schema["required"].as_array_mut().expect("a list");
    required.push(json!(name));
    required.sort_by_key(Value::to_string);
}

/// Adds a condition: where `when` holds, `then` has to.
fn when(schema: &mut Value, when: &Value, then: &Value) {
    if schema["allOf"].is_null() {
        schema["allOf"] = json!([]);
    }
    let all = schema["allOf"].as_array_mut().expect("a list");
    all.push(json!({"if": when, "then": then}));
}
