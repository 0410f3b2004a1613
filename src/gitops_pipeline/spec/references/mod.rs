//! Dynamic references, which nothing in the properties may hold.
//!
//! CloudFormation resolves those of plain parameters before it calls a custom resource, and leaves
//! those of secrets as they are written. In the child stack's template they would be resolved after
//! all, with the rights of that stack's role and not of the template's author.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>

use serde_json::Value;

use super::formats;
use crate::cfn::ValidationErrors;

const MUST_NOT: &str = "must not hold a dynamic reference ({{resolve:…}}); a build reads a secret \
     itself, by env/secrets-manager or env/parameter-store in its buildspec";

/// Notes every text in `properties` that holds a dynamic reference, unless it, or what is in it, has
/// a fault already.
pub fn refuse(properties: &Value, faults: &mut ValidationErrors) {
    let mut found = Vec::new();
    find(properties, String::new(), &mut found);
    for path in found {
        let is_within = |inner: &str| {
            let rest = inner.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        if !faults.0.iter().any(|fault| is_within(&fault.path)) {
            faults.note(path, MUST_NOT);
        }
    }
}

fn find(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::String(text) if is_reference(text) => found.push(path),
        Value::Array(list) => {
            for (n, element) in list.iter().enumerate() {
                find(element, format!("{path}[{n}]"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let name = formats::shown(name);
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

/// Whether there is a dynamic reference in `text`, or what somebody could take for one.
fn is_reference(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut found = text.match_indices("resolve:");
    found.any(|(at, _)| text[..at].trim_end().ends_with("{{"))
}

#[cfg(test)]
mod tests;
