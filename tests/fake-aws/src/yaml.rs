//! YAML as JSON: the stories, and templates with the short forms of CloudFormation's functions.

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value, json};

pub fn read(text: &str) -> Value {
    let events = Parser::new_from_str(text).map(|event| event.expect("valid YAML").0);
    let mut content = events.skip_while(|event| {
        matches!(
            event,
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing
        )
    });
    let first = content.next().expect("a document");
    node(first, &mut content)
}

fn node<'a>(first: Event<'a>, rest: &mut dyn Iterator<Item = Event<'a>>) -> Value {
    match first {
        Event::Scalar(text, ScalarStyle::Plain, _, None) => {
            // YAML's plain scalars that are used are those of JSON, beside text.
            let is_empty = text.is_empty();
            let plain = if is_empty {
                Ok(Value::Null)
            } else {
                serde_json::from_str(&text)
            };
            plain.unwrap_or_else(|_| json!(text))
        }
        Event::Scalar(text, _, _, tag) => function(tag.as_deref(), json!(text)),
        Event::SequenceStart(_, tag) => {
            let mut items = vec![];
            loop {
                match rest.next().expect("the sequence's end") {
                    Event::SequenceEnd => return function(tag.as_deref(), items.into()),
                    first => items.push(node(first, rest)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut members = Map::new();
            loop {
                match rest.next().expect("the mapping's end") {
                    Event::MappingEnd => return members.into(),
                    Event::Scalar(key, ..) => {
                        let first = rest.next().expect("a value");
                        let former = members.insert(key.to_string(), node(first, rest));
                        assert!(former.is_none(), "{key} twice");
                    }
                    other => panic!("not a key: {other:?}"),
                }
            }
        }
        other => panic!("not supported: {other:?}"),
    }
}

/// The long form of a function.
fn function(tag: Option<&Tag>, argument: Value) -> Value {
    match (tag.map(|tag| tag.suffix.as_str()), argument) {
        (None, argument) => argument,
        (Some(name @ ("Ref" | "Condition")), argument) => json!({name: argument}),
        (Some("GetAtt"), Value::String(both)) => {
            json!({"Fn::GetAtt": both.split_once('.').expect("a resource and its attribute")})
        }
        (Some(name), argument) => json!({format!("Fn::{name}"): argument}),
    }
}
