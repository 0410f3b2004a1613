//! Parses JSON that a person wrote.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Parses `text`. A name that an object has twice is an error: of its values, some parsers take the
/// first one and others the last one.
///
/// # Errors
/// What is wrong, with line and column. It contains no part of the text.
pub fn parse_json(text: &str) -> Result<Value, String> {
    let parsed = serde_json::from_str::<Unique>(text).map(|Unique(value)| value);
    parsed.map_err(|error| {
        let what = if text.starts_with('\u{feff}') {
            "it begins with a byte order mark"
        } else if error.is_data() {
            "an object in it has a name twice"
        } else if error.to_string().starts_with("number out of range") {
            "a number in it is too large. Put it in quotes"
        } else {
            "it is not JSON"
        };
        // For an empty text, the parser has no line. It counts bytes, and a person characters.
        let (line, bytes) = (error.line().max(1), error.column());
        let before = text.split('\n').nth(line - 1).unwrap_or_default().as_bytes();
        let before = String::from_utf8_lossy(&before[..bytes.min(before.len())]);
        let column = before.chars().count().max(1);
        format!("{what} (line {line}, column {column})")
    })
}

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

macro_rules! scalars {
    ($($visit:ident: $kind:ty),*) => {$(
        fn $visit<E>(self, value: $kind) -> Result<Value, E> {
            Ok(value.into())
        }
    )*};
}

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = vec![];
        while let Some(Unique(entry)) = entries.next_element()? {
            list.push(entry);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom("a name twice"));
            }
            let Unique(value) = members.next_value()?;
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
