//! A JSON Schema of draft 7 from a table of properties.
//!
//! `description` is the text of a property. `errorMessage` is the function's error, in the keyword
//! of VS Code and of ajv-errors.

use cfn_custom_resource::{Format, Kind, Map, Property};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// The place of a property in its table. It is not written.
const POSITION: &str = "position";

/// An object with the members of `table`, and no others.
pub fn object(table: &[Property]) -> Value {
    let mut properties = json!({});
    let mut required = Vec::new();
    for (position, property) in table.iter().enumerate() {
        let mut member = schema_of(&property.kind);
        member[POSITION] = json!(position);
        if !property.doc.is_empty() {
            member["description"] = json!(property.doc);
        }
        if let Some(default) = property.default {
            member["default"] = default_of(&property.kind, default);
        }
        properties[property.name] = member;
        if property.is_required {
            required.push(property.name);
        }
    }
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        required.sort_unstable();
        object["required"] = json!(required);
    }
    object
}

/// A schema with its properties in the order of their tables.
pub struct InOrder<'a>(pub &'a Value);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(list) => serializer.collect_seq(list.iter().map(InOrder)),
            Value::Object(map) => {
                let mut members: Vec<_> =
                    map.iter().filter(|(name, _)| *name != POSITION).collect();
                members.sort_by_key(|(_, value)| value[POSITION].as_u64());
                let members = members.into_iter();
                serializer.collect_map(members.map(|(name, value)| (name, InOrder(value))))
            }
            value => value.serialize(serializer),
        }
    }
}

/// Calls `check` with every format in `table` and the path of its property.
pub fn each_format(table: &[Property], before: &str, check: &mut impl FnMut(&str, &Format)) {
    for property in table {
        let path = format!("{before}{}", property.name);
        each_format_of(&property.kind, &path, check);
    }
}

fn each_format_of(kind: &Kind, path: &str, check: &mut impl FnMut(&str, &Format)) {
    match kind {
        Kind::Text(format) => check(path, format),
        Kind::Object(table) => each_format(table, &format!("{path}."), check),
        Kind::List { items, .. } => each_format_of(items, &format!("{path}[]"), check),
        Kind::Map(map) => {
            check(&format!("{path}.<name>"), map.names);
            let path = format!("{path}.<value>");
            map.values.into_iter().for_each(|format| check(&path, format));
        }
        Kind::MapOrList(map, table) => {
            each_format_of(&Kind::Map(*map), path, check);
            each_format(table, &format!("{path}[]."), check);
        }
        _ => {}
    }
}

fn schema_of(kind: &Kind) -> Value {
    match kind {
        // Every resource has a rule for these.
        Kind::Any => json!({}),
        Kind::AnyText => any_text(),
        Kind::Text(format) => text(format),
        Kind::Boolean => boolean(&[true, false]),
        Kind::Number { min, max } => number(*min, *max),
        Kind::NumberOf { values, must_be } => {
            let numbers = values.iter().map(|number| json!(number));
            let texts = values.iter().map(|number| json!(number.to_string()));
            let all: Vec<Value> = numbers.chain(texts).collect();
            json!({"errorMessage": must_be, "enum": all})
        }
        Kind::Choice(words) => choice(words),
        Kind::Object(table) => object(table),
        Kind::Map(map) => self::map(map),
        Kind::MapOrList(map, table) => map_or_list(map, table),
        Kind::List { items, max } => {
            let mut list = json!({"type": "array", "items": schema_of(items)});
            if let Some((max, _)) = max {
                list["maxItems"] = json!(max);
            }
            list
        }
    }
}

fn default_of(kind: &Kind, text: &str) -> Value {
    match kind {
        Kind::Boolean | Kind::Number { .. } | Kind::NumberOf { .. } => {
            serde_json::from_str(text).expect("a boolean or a number")
        }
        _ => json!(text),
    }
}

/// Text, and values that CloudFormation converts to text.
fn any_text() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

/// Text of a format, and the numbers and booleans that have this format as text.
pub fn text(format: &Format) -> Value {
    let mut types = vec!["string"];
    if format.fits("7.5") {
        types.push("number");
    } else if format.fits("7") {
        types.push("integer");
    }
    if format.fits("true") {
        types.push("boolean");
    }
    let mut schema = named(format);
    schema["type"] = if let [only] = types[..] {
        json!(only)
    } else {
        json!(types)
    };
    schema
}

/// A format without a type, for the names of members.
fn named(format: &Format) -> Value {
    let mut schema = json!({"errorMessage": format.must_be});
    if !format.pattern.matches.is_empty() {
        schema["pattern"] = json!(format.pattern.matches);
    }
    if let Some(excludes) = format.pattern.excludes {
        schema["not"] = json!({"type": "string", "pattern": excludes});
    }
    if let Some(max) = format.pattern.max_chars {
        schema["maxLength"] = json!(max);
    }
    schema
}

fn map(map: &Map) -> Value {
    let mut schema = json!({
        "type": "object",
        "propertyNames": named(map.names),
        "additionalProperties": map.values.map_or_else(any_text, text),
    });
    if let Some(must_be) = map.as_json {
        schema["errorMessage"] = json!(must_be);
        schema["type"] = json!(["object", "string"]);
        schema["pattern"] = json!(r"^[ \t\r\n]*\{[\s\S]*\}[ \t\r\n]*$");
    }
    schema
}

fn map_or_list(map: &Map, table: &[Property]) -> Value {
    let mut otherwise = self::map(map);
    if map.as_json.is_some() {
        otherwise["pattern"] = json!(r"^[ \t\r\n]*(\{[\s\S]*\}|\[[\s\S]*\])[ \t\r\n]*$");
    }
    json!({
        "errorMessage": map.as_json.unwrap_or("must be a map, or a list of objects"),
        "if": {"type": "array"},
        "then": {"type": "array", "items": object(table)},
        "else": otherwise,
    })
}

/// One of some words.
pub fn choice(words: &[&str]) -> Value {
    json!({
        "errorMessage": format!("must be one of {}", words.join(", ")),
        "type": "string",
        "enum": words,
    })
}

/// The booleans in `of`, in every way in which a template can write them.
pub fn boolean(of: &[bool]) -> Value {
    let all: Vec<Value> = of
        .iter()
        .flat_map(|value| match value {
            true => [json!(true), json!("true"), json!("True")],
            false => [json!(false), json!("false"), json!("False")],
        })
        .collect();
    let words: Vec<String> = of.iter().map(bool::to_string).collect();
    json!({
        "errorMessage": format!("must be {}", words.join(" or ")),
        "enum": all,
    })
}

/// A whole number, also as text. A schema cannot limit the number in a text.
pub fn number(min: u32, max: u32) -> Value {
    json!({
        "errorMessage": format!("must be a whole number from {min} to {max}"),
        "type": ["integer", "string"],
        "minimum": min,
        "maximum": max,
        "pattern": "^(0|[1-9][0-9]*)$",
    })
}
