//! Rejects dynamic references in the properties.
//!
//! CloudFormation resolves references to plain parameters before it calls a custom resource. It
//! does not resolve references to secrets. It would resolve these in the child stack's template,
//! with the permissions of that stack's role instead of the template author's.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>

use serde_json::Value;

use cfn_custom_resource::{ValidationErrors, shown};

const MUST_NOT: &str = "must not contain a dynamic reference ({{resolve:…}}); a build reads a secret \
     itself, by env/secrets-manager or env/parameter-store in its buildspec";

/// Adds an error for every text in `properties` that contains a dynamic reference, unless the text
/// or a part of it has an error already.
pub fn reject(properties: &Value, errors: &mut ValidationErrors) {
    let mut found = Vec::new();
    find(properties, String::new(), &mut found);
    for path in found {
        let is_within = |inner: &str| {
            let rest = inner.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        if !errors.0.iter().any(|error| is_within(&error.path)) {
            errors.add(path, MUST_NOT);
        }
    }
}

fn find(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::String(text) if is_reference(text) => found.push(path),
        Value::String(text) => find_in_json(text, path, found),
        Value::Array(list) => {
            for (n, element) in list.iter().enumerate() {
                find(element, format!("{path}[{n}]"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let name = shown(name);
                let inner = if path.is_empty() {
                    name
                } else {
                    format!("{path}.{name}")
                };
                find(member, inner, found);
            }
        }
        _ => {}
    }
}

/// A map can be written as JSON text, in which an escaped character would hide a reference.
fn find_in_json(text: &str, path: String, found: &mut Vec<String>) {
    let parsed = serde_json::from_str::<Value>(text);
    if let Ok(value @ (Value::Array(_) | Value::Object(_))) = parsed {
        find(&value, path, found);
    }
}

/// Whether `text` contains a dynamic reference, or a text that CloudFormation could parse as one.
fn is_reference(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut found = text.match_indices("resolve:");
    found.any(|(at, _)| text[..at].trim_end().ends_with("{{"))
}

#[cfg(test)]
#[path = "references_tests.rs"]
mod tests;
