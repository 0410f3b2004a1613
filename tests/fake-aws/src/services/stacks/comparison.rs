//! The changes of a change set: the resources of two templates, parameters and drift compared.
//!
//! The comparison is coarse: a resource whose text differs, or that refers to a changed parameter,
//! is a `Modify`. Conditions are not evaluated.

use serde_json::Value;
use std::collections::BTreeSet;

use crate::services::stacks::{change_sets::Change, stack::Stack, template::Parameters};

/// The types that need an acknowledgement, and the property with a resource's own name (API
/// Reference, `CreateChangeSet`, `Capabilities`).
const IAM_TYPES: [(&str, &str); 8] = [
    ("AWS::IAM::AccessKey", ""),
    ("AWS::IAM::Group", "GroupName"),
    ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
    ("AWS::IAM::Policy", ""),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::IAM::User", "UserName"),
    ("AWS::IAM::UserToGroupAddition", ""),
];

/// The changes from a stack to a template, sorted by logical ID.
pub fn compare(
    stack: &Stack,
    template: &Value,
    parameters: &Parameters,
    reverts_drift: bool,
) -> Vec<Change> {
    let reworded = changed_parameters(stack, parameters);
    let (before, after) = (&stack.template["Resources"], &template["Resources"]);
    let logical_ids = [before, after].into_iter().filter_map(Value::as_object);
    let logical_ids: BTreeSet<&String> = logical_ids.flat_map(|all| all.keys()).collect();
    let mut changes = vec![];
    for logical_id in logical_ids {
        let (before, after) = (&before[logical_id], &after[logical_id]);
        let drift = stack.drifts.get(logical_id).copied().filter(|_| reverts_drift);
        let is_modified = before != after || reworded.iter().any(|name| refers_to(after, name));
        let (action, replacement) = match (before.is_null(), after.is_null()) {
            (true, _) => ("Add", None),
            (_, true) => ("Remove", None),
            _ if is_modified => ("Modify", Some(replacement(before, after))),
            // A resource that was deleted outside of CloudFormation is created again (?).
            _ if drift == Some("DELETED") => ("Add", None),
            _ if drift.is_some() => ("Modify", Some("False")),
            _ => continue,
        };
        let declared = if after.is_null() { before } else { after };
        let held = stack.resources.get(logical_id);
        changes.push(Change {
            action,
            logical_id: logical_id.clone(),
            // "Resources that you are adding don't have physical IDs" (API Reference,
            // `ResourceChange`).
            physical_id: held
                .filter(|_| action != "Add")
                .map(|held| held.desired.physical_id.clone()),
            resource_type: text(&declared["Type"]).to_owned(),
            replacement,
            // Only of drift-aware change sets, and only of a resource that exists.
            drift: drift.or((reverts_drift && action != "Add").then_some("IN_SYNC")),
            details: match action {
                "Modify" => details(before, after, &reworded),
                _ => vec![],
            },
            properties: declared["Properties"].clone(),
        });
    }
    changes
}

/// Whether outputs change. Such a change set succeeds without a change of a resource (?).
pub fn changes_outputs(stack: &Stack, template: &Value) -> bool {
    stack.template["Outputs"] != template["Outputs"]
}

fn changed_parameters<'a>(stack: &Stack, parameters: &'a Parameters) -> Vec<&'a str> {
    let names = parameters.iter();
    let changed = names.filter(|(name, value)| stack.parameters.get(*name) != Some(value));
    changed.map(|(name, _)| name.as_str()).collect()
}

/// The properties that differ, or refer to a changed parameter, with `RequiresRecreation`
/// (API Reference, `ResourceTargetDefinition`).
fn details(before: &Value, after: &Value, reworded: &[&str]) -> Vec<(String, &'static str)> {
    let properties = [&before["Properties"], &after["Properties"]];
    let names = properties.into_iter().filter_map(Value::as_object);
    let names: BTreeSet<&String> = names.flat_map(|all| all.keys()).collect();
    let changed = names.into_iter().filter(|name| {
        let after = &after["Properties"][*name];
        before["Properties"][*name] != *after || reworded.iter().any(|it| refers_to(after, it))
    });
    let recreation = |name: &String| {
        if name.ends_with("Name") {
            "Always"
        } else {
            "Never"
        }
    };
    changed.map(|name| (name.clone(), recreation(name))).collect()
}

/// A change of a property that names the resource replaces it (Template Reference, "Name type").
/// Of each type the fake compares the properties that end with `Name`.
fn replacement(before: &Value, after: &Value) -> &'static str {
    let properties = [&before["Properties"], &after["Properties"]];
    let names = properties.into_iter().filter_map(Value::as_object);
    let is_renamed = names.flat_map(|all| all.keys()).any(|name| {
        name.ends_with("Name") && before["Properties"][name] != after["Properties"][name]
    });
    if is_renamed { "True" } else { "False" }
}

/// Whether a value has `Ref` or `Fn::Sub` of the parameter.
fn refers_to(value: &Value, parameter: &str) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, member)| {
            (name == "Ref" && member == parameter) || refers_to(member, parameter)
        }),
        Value::Array(items) => items.iter().any(|item| refers_to(item, parameter)),
        Value::String(text) => text.contains(&format!("${{{parameter}}}")),
        _ => false,
    }
}

/// The capability that the template needs. `None` if it has no IAM resource.
pub fn needed_capability(template: &Value) -> Option<&'static str> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    let mut needed = None;
    for (_, resource) in resources {
        let kind = text(&resource["Type"]);
        let Some((_, name)) = IAM_TYPES.iter().find(|(known, _)| *known == kind) else {
            continue;
        };
        if !name.is_empty() && !resource["Properties"][name].is_null() {
            return Some("CAPABILITY_NAMED_IAM");
        }
        needed = Some("CAPABILITY_IAM");
    }
    needed
}

/// The macros that a template runs: of its `Transform` section, and of `Fn::Transform` anywhere.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros.html>
pub fn macros(template: &Value) -> Vec<String> {
    let mut found = vec![];
    let sections = match &template["Transform"] {
        Value::Array(several) => several.iter().collect(),
        Value::Null => vec![],
        one => vec![one],
    };
    for section in sections {
        let name = section.as_str().or(section["Name"].as_str());
        found.extend(name.map(str::to_owned));
    }
    collect_transforms(template, &mut found);
    found
}

fn collect_transforms(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == "Fn::Transform" {
                    found.push(text(&member["Name"]).to_owned());
                }
                collect_transforms(member, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_transforms(item, found)),
        _ => {}
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
