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

#[test]
fn members_are_those_that_the_text_has() {
    let deep = format!("{}1{}", "[".repeat(9000), "]".repeat(9000));
    let text = format!(r#" {{"a":{deep}, "b" : {{"c":[{{}},[],-1e3]}},"\ud800":"\udfff"}} "#);
    let found = members(&text).expect("an object");
    assert_eq!(found[0], ("\"a\"", deep.as_str()));
    assert_eq!(found[1], ("\"b\"", r#"{"c":[{},[],-1e3]}"#));
    assert_eq!(found[2], (r#""\ud800""#, r#""\udfff""#));
    for none in [
        "",
        "[]",
        "{",
        "{\"a\":}",
        "{\"a\":1}x",
        "{\"a\":[1}}",
        "{\"a\":01}",
        "{a:1}",
    ] {
        assert_eq!(members(none), None, "{none}");
    }
    assert_eq!(members("{}"), Some(vec![]));
}
