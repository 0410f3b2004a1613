//! Decodes an object by its table, and collects every error with its path.
//!
//! `serde` stops at the first error. The author of a template needs all of them at once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::json::parse_json;
use super::suggestion::closest;
use super::{Kind, Map, Property, ValidationErrors};

/// Names come from outside and can have any length. Errors show their beginning.
const MAX_SHOWN_CHARS: usize = 64;

/// A decoded object. A member that is missing or wrong has its default.
#[derive(Clone, Debug, Default)]
pub struct Object {
    path: String,
    members: BTreeMap<&'static str, Member>,
}

#[derive(Clone, Debug)]
struct Member {
    is_set: bool,
    value: Option<Decoded>,
}

#[derive(Clone, Debug)]
enum Decoded {
    Text(String),
    Boolean(bool),
    Number(u32),
    Object(Object),
    Map(BTreeMap<String, String>),
    List(Vec<Decoded>),
}

impl Decoded {
    fn to_value(&self) -> Value {
        match self {
            Decoded::Text(text) => Value::from(text.as_str()),
            Decoded::Boolean(boolean) => Value::from(*boolean),
            Decoded::Number(number) => Value::from(*number),
            Decoded::Object(object) => object.to_value(),
            Decoded::Map(map) => {
                map.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
            }
            Decoded::List(list) => list.iter().map(Decoded::to_value).collect(),
        }
    }
}

static EMPTY: Object = Object {
    path: String::new(),
    members: BTreeMap::new(),
};

impl Object {
    /// Decodes `value` by `table`. `path` is its place in the properties: empty for the properties
    /// themselves. Errors are added to `errors`.
    pub fn decode(
        table: &'static [Property],
        value: &Value,
        path: &str,
        errors: &mut ValidationErrors,
    ) -> Self {
        let map = value.as_object();
        if map.is_none() {
            let path = if path.is_empty() { "Properties" } else { path };
            errors.add(path, "must be an object");
        }
        let mut object = Object {
            path: path.to_owned(),
            members: BTreeMap::new(),
        };
        for property in table {
            let path = object.path_of(property.name);
            let set = map.and_then(|map| map.get(property.name)).filter(|value| !value.is_null());
            if set.is_none() && property.is_required && map.is_some() {
                errors.add(path.as_str(), "is required");
            }
            let before = errors.0.len();
            let decoded = set.and_then(|value| decode(&property.kind, value, &path, errors));
            let to_leave_out = if property.is_required {
                object.path()
            } else {
                "it"
            };
            errors.explain_empty(before, set, to_leave_out);
            let member = Member {
                is_set: set.is_some(),
                value: decoded.or_else(|| default_of(property, &path)),
            };
            object.members.insert(property.name, member);
        }
        for name in map.iter().flat_map(|map| map.keys()) {
            if !object.members.contains_key(name.as_str()) {
                let what = match closest(name, table.iter().map(|property| property.name)) {
                    Some(known) => format!("is not a property; did you mean {known}?"),
                    None => "is not a property".to_owned(),
                };
                errors.add(object.path_of(&shown(name)), what);
            }
        }
        object
    }

    /// The path of the member `name`.
    pub fn path_of(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// The object's own path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the template sets the member, even if the value is wrong.
    pub fn is_set(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|member| member.is_set)
    }

    /// A member that is text, one of some words, or any text.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.decoded(name) {
            Some(Decoded::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// A member that is a boolean; `false` if it is missing and has no default.
    pub fn boolean(&self, name: &str) -> bool {
        matches!(self.decoded(name), Some(Decoded::Boolean(true)))
    }

    /// A member that is an object. If it is missing, each of its members has its default.
    pub fn object(&self, name: &str) -> &Object {
        match self.decoded(name) {
            Some(Decoded::Object(object)) => object,
            _ => &EMPTY,
        }
    }

    /// A member that is a map; empty if it is missing.
    pub fn map(&self, name: &str) -> BTreeMap<String, String> {
        match self.decoded(name) {
            Some(Decoded::Map(map)) => map.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// The valid entries of a list of texts.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let texts = self.list(name).iter();
        let texts = texts.filter_map(|entry| match entry {
            Decoded::Text(text) => Some(text.clone()),
            _ => None,
        });
        texts.collect()
    }

    /// The entries of a list of objects.
    pub fn objects(&self, name: &str) -> Vec<&Object> {
        let objects = self.list(name).iter();
        let objects = objects.filter_map(|entry| match entry {
            Decoded::Object(object) => Some(object),
            _ => None,
        });
        objects.collect()
    }

    /// The members as fields of `T`. A member that is missing or wrong and has no default in the
    /// table has that of `T`.
    pub fn read<T: DeserializeOwned + Default>(&self) -> T {
        let read = serde_json::from_value(self.to_value());
        debug_assert!(
            read.is_ok(),
            "a row and its field differ: {:?}",
            read.as_ref().err()
        );
        read.unwrap_or_default()
    }

    fn to_value(&self) -> Value {
        let members = self.members.iter().filter_map(|(name, member)| {
            let value = member.value.as_ref()?;
            Some(((*name).to_owned(), value.to_value()))
        });
        Value::Object(members.collect())
    }

    fn list(&self, name: &str) -> &[Decoded] {
        match self.decoded(name) {
            Some(Decoded::List(list)) => list,
            _ => &[],
        }
    }

    fn decoded(&self, name: &str) -> Option<&Decoded> {
        let is_known = self.members.is_empty() || self.members.contains_key(name);
        debug_assert!(is_known, "{name} is not in the table");
        self.members.get(name)?.value.as_ref()
    }
}

fn default_of(property: &Property, path: &str) -> Option<Decoded> {
    let value = match (property.default, property.kind) {
        (Some(text), _) => Value::from(text),
        (None, Kind::Object(_)) => Value::Object(serde_json::Map::new()),
        (None, _) => return None,
    };
    // A member that a default object lacks is not the template's mistake.
    let mut ignored = ValidationErrors::default();
    decode(&property.kind, &value, path, &mut ignored)
}

fn decode(
    kind: &Kind,
    value: &Value,
    path: &str,
    errors: &mut ValidationErrors,
) -> Option<Decoded> {
    let text = as_text(value);
    let number = text.as_deref().and_then(whole_number);
    let decoded = match kind {
        Kind::Any => return None,
        Kind::AnyText => text.map(Decoded::Text).ok_or_else(|| no_text(value).to_owned()),
        Kind::Text(format) => match text {
            Some(text) if format.fits(&text) => Ok(Decoded::Text(text)),
            Some(text) => Err(format.error_of(&text)),
            None => Err(no_text(value).to_owned()),
        },
        Kind::Choice(words) => text
            .filter(|text| words.contains(&text.as_str()))
            .map(Decoded::Text)
            .ok_or_else(|| format!("must be one of {}", words.join(", "))),
        Kind::Boolean => match text.as_deref() {
            Some("true" | "True") => Ok(Decoded::Boolean(true)),
            Some("false" | "False") => Ok(Decoded::Boolean(false)),
            _ => Err("must be true or false".to_owned()),
        },
        Kind::Number { min, max } => number
            .filter(|number| (*min..=*max).contains(number))
            .map(Decoded::Number)
            .ok_or_else(|| format!("must be a whole number from {min} to {max}")),
        Kind::NumberOf { values, must_be } => number
            .filter(|number| values.contains(number))
            .map(Decoded::Number)
            .ok_or_else(|| (*must_be).to_owned()),
        Kind::Object(table) => {
            let object = Object::decode(table, value, path, errors);
            return value.is_object().then_some(Decoded::Object(object));
        }
        Kind::Map(map) | Kind::MapOrList(map, _) => {
            let value = parsed(map, value).map_err(|what| errors.add(path, what)).ok()?;
            if let (Kind::MapOrList(_, table), Value::Array(_)) = (kind, &*value) {
                return decode_list(&Kind::Object(table), None, &value, path, errors);
            }
            return decode_map(map, &value, path, errors).map(Decoded::Map);
        }
        Kind::List { items, max } => return decode_list(items, *max, value, path, errors),
    };
    decoded.map_err(|what| errors.add(path, what)).ok()
}

/// A number as JSON writes it, without a sign or a zero first.
fn whole_number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A map that is written as JSON text, parsed. Any other value is returned as it is.
fn parsed<'a>(map: &Map, value: &'a Value) -> Result<Cow<'a, Value>, String> {
    match (value.as_str(), map.as_json) {
        (Some(text), Some(must_be)) => {
            parse_json(text).map(Cow::Owned).map_err(|why| format!("{must_be}; {why}"))
        }
        _ => Ok(Cow::Borrowed(value)),
    }
}

fn decode_map(
    map: &Map,
    value: &Value,
    path: &str,
    errors: &mut ValidationErrors,
) -> Option<BTreeMap<String, String>> {
    let Some(members) = value.as_object() else {
        let must_be = if value.is_string() {
            "must be an object, and not a text"
        } else {
            "must be an object"
        };
        errors.add(path, map.as_json.unwrap_or(must_be));
        return None;
    };
    let mut decoded = BTreeMap::new();
    for (name, value) in members {
        let path = || join(path, &shown(name));
        if !map.names.fits(name) {
            errors.add(path(), map.names.must_be);
        }
        let before = errors.0.len();
        match (as_text(value), map.values) {
            (None, _) => errors.add(path(), no_text(value)),
            (Some(text), Some(format)) if !format.fits(&text) => errors.add(path(), format.must_be),
            (Some(text), _) => drop(decoded.insert(name.clone(), text)),
        }
        errors.explain_empty(before, Some(value), "it");
    }
    Some(decoded)
}

fn decode_list(
    items: &Kind,
    max: Option<(usize, &str)>,
    value: &Value,
    path: &str,
    errors: &mut ValidationErrors,
) -> Option<Decoded> {
    let Some(entries) = value.as_array() else {
        errors.add(path, "must be a list");
        return None;
    };
    if let Some((max, what)) = max
        && entries.len() > max
    {
        errors.add(path, what);
    }
    let mut list = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        let path = format!("{path}[{n}]");
        let before = errors.0.len();
        list.extend(decode(items, entry, &path, errors));
        // CloudFormation makes a list with one empty text of an empty `CommaDelimitedList`.
        let to_leave_out = if entries.len() == 1 { "the list" } else { "it" };
        errors.explain_empty(before, Some(entry), to_leave_out);
    }
    Some(Decoded::List(list))
}

/// A value as text. A template can write text without quotes, which makes it a number or a boolean.
/// `None` for a number that is not read as its author wrote it: one with a fraction or an exponent,
/// such as `1.10`, or with too many digits.
pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// The error of a value without [`as_text`].
fn no_text(value: &Value) -> &'static str {
    if value.is_number() {
        "must be a string: put the number in quotes, because its text could change otherwise"
    } else if is_function(value) {
        "must be a string, and not a function: CloudFormation does not compute this one"
    } else {
        "must be a string"
    }
}

/// Whether a value is a function, such as `Fn::GetParam`, which only CodePipeline computes.
/// CloudFormation sends the results of its own functions.
fn is_function(value: &Value) -> bool {
    let is_one = |object: &serde_json::Map<String, Value>| {
        object.len() == 1 && object.keys().all(|name| name.starts_with("Fn::"))
    };
    value.as_object().is_some_and(is_one)
}

/// The beginning of a name from outside, for an error.
pub fn shown(name: &str) -> String {
    name.chars().take(MAX_SHOWN_CHARS).collect()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
