//! The content of an event's text, parsed without the product's limits: nesting may be as deep as
//! the text is long, and strings may contain half a surrogate pair.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Each name with its value, both as their texts. `serde_json` checks a raw value without recursion
/// and without decoding its strings.
struct Members<'a>(Vec<(&'a str, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(vec![]))
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Self, A::Error> {
        while let Some((name, value)) = object.next_entry::<&RawValue, &RawValue>()? {
            self.0.push((name.get(), value.get()));
        }
        Ok(self)
    }
}

/// The members of the text's object, each name with its value's text; `None` if the text is not
/// JSON, or not an object. Lambda passes only JSON to a function.
pub fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let members: Members = serde_json::from_str(text).ok()?;
    Some(members.0)
}
