//! Compares an answer with its schema in `docs/schemas`, as far as those use JSON Schema.

use std::path::Path;

use cfn_gitops::health_check::AskedAbout;
use regex_lite::Regex;
use serde_json::Value;

/// Fails if the answer differs from its schema.
#[track_caller]
pub fn assert_described(about: &AskedAbout, answer: &Value) {
    let name = match about {
        AskedAbout::Doctor => "doctor",
        AskedAbout::Projects(_) => "projects",
        AskedAbout::Deployments(_) => "deployments",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    let text = std::fs::read_to_string(folder.join(format!("answer-{name}.json")));
    let schema: Value = serde_json::from_str(&text.expect("a schema")).expect("JSON");
    let found = difference(&schema, &schema, answer);
    assert_eq!(found, None, "{answer:#}");
}

/// The first difference of a value.
fn difference(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let keywords = schema.as_object().expect("a schema").iter();
    keywords.into_iter().find_map(|(keyword, given)| match keyword.as_str() {
        "$ref" => {
            let name = given.as_str().and_then(|it| it.strip_prefix("#/$defs/"));
            difference(root, &root["$defs"][name.expect("a name")], value)
        }
        "oneOf" => {
            let all = given.as_array().expect("schemas").iter();
            let found: Vec<_> = all.map(|one| difference(root, one, value)).collect();
            let sound = found.iter().filter(|one| one.is_none()).count();
            (sound != 1).then(|| format!("of oneOf {found:?}"))
        }
        "items" => {
            let mut all = value.as_array().into_iter().flatten();
            all.find_map(|one| difference(root, given, one))
        }
        "properties" => {
            let mut members = value.as_object().into_iter().flatten();
            members.find_map(|(name, one)| match given.get(name) {
                Some(schema) => difference(root, schema, one).map(|it| format!("{name}: {it}")),
                None => Some(format!("{name} is not described")),
            })
        }
        keyword => {
            let problem = || format!("{value} is not of {keyword} {given}");
            (!has(value, keyword, given)).then(problem)
        }
    })
}

/// Whether a value is as a keyword requires that is not about its parts.
fn has(value: &Value, keyword: &str, given: &Value) -> bool {
    match keyword {
        "type" => match given {
            Value::Array(all) => all.iter().any(|one| has_type(value, one)),
            one => has_type(value, one),
        },
        "const" => value == given,
        "enum" => given.as_array().is_some_and(|all| all.contains(value)),
        "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
        "minimum" => value.as_u64().is_none_or(|it| Some(it) >= given.as_u64()),
        "maxItems" => value.as_array().is_none_or(|it| Some(it.len() as u64) <= given.as_u64()),
        "pattern" => {
            let pattern = Regex::new(given.as_str().expect("a pattern")).expect("valid");
            value.as_str().is_none_or(|text| pattern.is_match(text))
        }
        "required" => {
            let mut names = given.as_array().expect("names").iter();
            names.all(|name| value.get(name.as_str().expect("a name")).is_some())
        }
        // A member that is not described is a difference anyway.
        "additionalProperties" => *given == false,
        "$schema" | "title" | "description" | "$defs" => true,
        other => panic!("{other} is not compared"),
    }
}

fn has_type(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        "null" => value.is_null(),
        other => panic!("{other} is not compared"),
    }
}
