//! What decoding asked for, as a JSON Schema of draft 7.

use serde_json::{Map, Value, json};

use super::probe::Asked;
use crate::cfn::Format;
use crate::cfn::recorder::Kind;

/// The schema of the properties as far as each member says it by itself.
pub fn schema(asked: &Asked) -> Value {
    object("", asked)
}

/// An object that takes the members which were asked for, and no others.
fn object(path: &str, asked: &Asked) -> Value {
    assert!(
        asked.recording.closed.contains(path),
        "{path} takes what it does not know"
    );
    let mut properties = Map::new();
    let mut required = Vec::new();
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("{path}.")
    };
    for (member, kind) in &asked.recording.kinds {
        let Some(name) = member.strip_prefix(&prefix) else {
            continue;
        };
        if name.contains(['.', '[']) {
            continue;
        }
        properties.insert(name.to_owned(), schema_of(member, kind, asked));
        if asked.required.contains(member) {
            required.push(name);
        }
    }
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn schema_of(path: &str, kind: &Kind, asked: &Asked) -> Value {
    match kind {
        // Whoever adds rules has to know what it is.
        Kind::Any => json!({}),
        Kind::String => text(),
        Kind::Text(form) => of_form(form),
        Kind::Boolean { default } => {
            let mut boolean = truth(&[true, false]);
            boolean["default"] = json!(default);
            boolean
        }
        Kind::Number {
            least,
            most,
            default,
        } => {
            let mut number = number(*least, *most);
            if !asked.required.contains(path) {
                number["default"] = json!(default);
            }
            number
        }
        Kind::OneOf(words) => one_of(words),
        Kind::Object => object(path, asked),
        Kind::Map => json!({"type": "object", "additionalProperties": text()}),
        Kind::List => {
            let element = format!("{path}[]");
            let items = match asked.recording.kinds.get(&element) {
                Some(kind) => schema_of(&element, kind, asked),
                None => panic!("nobody asked what is in {path}"),
            };
            json!({"type": "array", "items": items})
        }
    }
}

/// Text, or what CloudFormation makes text of.
pub fn text() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

/// Text of a form, and what CloudFormation makes such text of.
pub fn of_form(form: &Format) -> Value {
    let mut types = vec!["string"];
    if (form.fits)("7.5") {
        types.push("number");
    } else if (form.fits)("7") {
        types.push("integer");
    }
    if (form.fits)("true") {
        types.push("boolean");
    }
    let mut schema = json!({
        "description": form.must_be,
        "type": if let [only] = types[..] { json!(only) } else { json!(types) },
        "pattern": form.pattern.found,
    });
    if let Some(not_found) = form.pattern.not_found {
        schema["not"] = json!({"type": "string", "pattern": not_found});
    }
    if let Some(most) = form.pattern.most {
        schema["maxLength"] = json!(most);
    }
    schema
}

/// One of some words.
pub fn one_of<T: AsRef<str>>(words: &[T]) -> Value {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    json!({
        "description": format!("must be one of {}", words.join(", ")),
        "type": "string",
        "enum": words,
    })
}

/// These truths, in every way in which they can be written.
pub fn truth(of: &[bool]) -> Value {
    let all: Vec<Value> = of
        .iter()
        .flat_map(|truth| match truth {
            true => [json!(true), json!("true"), json!("True")],
            false => [json!(false), json!("false"), json!("False")],
        })
        .collect();
    let words: Vec<String> = of.iter().map(bool::to_string).collect();
    json!({
        "description": format!("must be {}", words.join(" or ")),
        "enum": all,
        // cfn-lint takes more words than these for the same as true or false.
        "pattern": "^([Tt]rue|[Ff]alse)$",
    })
}

/// A whole number, also as text. Of text a schema cannot say how large a number it is; cfn-lint
/// looks at that, too.
pub fn number(least: u32, most: u32) -> Value {
    json!({
        "description": format!("must be a whole number from {least} to {most}"),
        "type": ["integer", "string"],
        "minimum": least,
        "maximum": most,
        "pattern": "^[0-9]+$",
    })
}
