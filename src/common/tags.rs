//! Tags that a template sets.

use std::collections::BTreeMap;

use cfn_custom_resource::{Format, Kind, Map, Object, Pattern, Property, ValidationErrors};
use serde_json::{Value, json};

/// The prefix of the tags that this function writes for itself.
pub const OWN: &str = "cfn-gitops:";

/// AWS accepts 50 tags on a resource. The function needs the rest.
const MAX_TAGS: usize = 40;

/// The property `Tags`: a map, a list of `Key` and `Value` as native resources have, or the JSON of
/// either, because a parameter of a template is a text.
pub static TAGS: Property = Property::new(
    "Tags",
    Kind::MapOrList(
        Map {
            names: &KEY,
            values: Some(&VALUE),
            as_json: Some(
                "must be a map from key to value, a list of objects with Key and Value, or the JSON of \
                 either",
            ),
        },
        &TAG,
    ),
);

static TAG: [Property; 2] = [
    Property::required("Key", Kind::Text(&KEY)),
    Property::required("Value", Kind::Text(&VALUE)),
];

/// The ASCII characters that no tag contains. Beyond ASCII, tags contain letters and digits, for
/// which the common syntax of regular expressions has no class.
macro_rules! not_a_tag {
    () => {
        r"[\x00-\x1F!-*,;<>?\[\\\]^`{-\x7F]"
    };
}

/// `CodeBuild` accepts one character less than other services, in keys and in values.
/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_Tag.html>
static KEY: Format = Format::with_parser(
    Pattern::new(".")
        .without(concat!(
            not_a_tag!(),
            "|^([Aa][Ww][Ss]|[Cc][Ff][Nn]-[Gg][Ii][Tt][Oo][Pp][Ss]):|^ | $"
        ))
        .up_to(127),
    "must be 1 to 127 letters, digits, spaces and `_.:/=+-@`, without a space at its start or end, and \
     not start with aws: or cfn-gitops:",
    is_tag_key,
);
static VALUE: Format = Format::with_parser(
    Pattern::new("").without(not_a_tag!()).up_to(255),
    "must be at most 255 letters, digits, spaces and `_.:/=+-@`",
    is_tag_text,
);

/// Reads `Tags`. A key must be unique.
pub fn from_properties(
    properties: &Object,
    errors: &mut ValidationErrors,
) -> BTreeMap<String, String> {
    let mut tags = properties.map("Tags");
    for tag in properties.objects("Tags") {
        let (Some(key), Some(value)) = (tag.text("Key"), tag.text("Value")) else {
            continue;
        };
        if tags.insert(key, value).is_some() {
            errors.add(tag.path_of("Key"), "is given twice");
        }
    }
    if tags.len() > MAX_TAGS {
        errors.add("Tags", format!("must be at most {MAX_TAGS}"));
    }
    tags
}

/// The tags by `Tags` in the `properties` of a resource of the stack `stack_id`. The other
/// properties may be invalid. If `Tags` is, only `CreatedBy`.
pub fn tags_in(properties: &Value, stack_id: &str) -> BTreeMap<String, String> {
    let mut errors = ValidationErrors::default();
    let tags = json!({"Tags": properties["Tags"]});
    let object = Object::decode(std::slice::from_ref(&TAGS), &tags, "", &mut errors);
    let mut tags = from_properties(&object, &mut errors);
    if !errors.0.is_empty() {
        tags.clear();
    }
    add_created_by(&mut tags, stack_id);
    tags
}

/// Adds the tag `CreatedBy` with the name of the stack `stack_id`, unless the template sets it.
pub fn add_created_by(tags: &mut BTreeMap<String, String>, stack_id: &str) {
    if let Some(stack_name) = stack_id.split('/').nth(1) {
        let created_by = tags.entry("CreatedBy".to_owned());
        created_by.or_insert_with(|| stack_name.to_owned());
    }
}

/// Whether it is of the class `\p{Z}` in AWS's patterns.
fn is_space(c: char) -> bool {
    c.is_whitespace() && !c.is_control()
}

/// A service may remove the spaces around a key, which then is another one.
fn is_tag_key(text: &str) -> bool {
    text.trim() == text && is_tag_text(text)
}

fn is_tag_text(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_alphanumeric() || is_space(c) || "_.:/=+-@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(tags: &Value) -> (BTreeMap<String, String>, String) {
        let mut errors = ValidationErrors::default();
        let tags = json!({"Tags": tags});
        let object = Object::decode(std::slice::from_ref(&TAGS), &tags, "", &mut errors);
        let tags = from_properties(&object, &mut errors);
        (tags, errors.to_string())
    }

    #[test]
    fn tags_are_a_map_a_list_or_the_json_of_either() {
        let map = json!({"部門": "販売 一", "Empty": ""});
        let list = json!([{"Key": "部門", "Value": "販売 一"}, {"Key": "Empty", "Value": ""}]);
        let expected: BTreeMap<String, String> =
            serde_json::from_value(map.clone()).expect("texts");
        for tags in [json!(map.to_string()), json!(list.to_string()), map, list] {
            assert_eq!(decoded(&tags), (expected.clone(), String::new()));
        }
    }

    #[test]
    fn wrong_tags_are_rejected_with_their_place() {
        let many: serde_json::Map<_, _> =
            (0..=MAX_TAGS).map(|n| (format!("k{n}"), json!("v"))).collect();
        for (tags, error) in [
            (
                json!(r#"{"a": "1", "a": "2"}"#),
                "a name twice (line 1, column 14)",
            ),
            (
                json!("{\"a\": \"1\",\n}"),
                "it is not JSON (line 2, column 1)",
            ),
            (json!(""), "it is not JSON (line 1, column 1)"),
            (
                json!([{"Key": "a", "Value": ""}, {"Key": "a", "Value": ""}]),
                "given twice",
            ),
            (json!({"a": "x, y"}), "Tags.a: must be at most 255"),
            (json!({"a": "\""}), "Tags.a: must be at most 255"),
            (
                json!({"CFN-gitops:a": ""}),
                "not start with aws: or cfn-gitops:",
            ),
            (json!({" cfn-gitops:a": ""}), "without a space at its"),
            (
                json!([{"Key": "a ", "Value": ""}]),
                "without a space at its",
            ),
            (
                json!({"\u{2003}cfn-gitops:a": ""}),
                "without a space at its",
            ),
            (
                json!(Value::Object(many).to_string()),
                "Tags: must be at most 40",
            ),
        ] {
            let found = decoded(&tags).1;
            assert!(found.contains(error), "{found}");
        }
    }

    #[test]
    fn tags_of_unchecked_properties_are_complete_or_none() {
        let of = |tags: Value| tags_in(&json!({"Tags": tags}), "arn:aws:x:stack/shop/1");
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let created_by = tag("CreatedBy", "shop");
        let wrong = json!({"a": "1", "cfn-gitops:deletion": "1"});
        assert_eq!(of(wrong), BTreeMap::from([created_by.clone()]));
        let both = BTreeMap::from([tag("a", "1"), created_by]);
        assert_eq!(of(json!(r#"{"a": "1"}"#)), both);
        let own = of(json!({"CreatedBy": "us"}));
        assert_eq!(own, BTreeMap::from([tag("CreatedBy", "us")]));
    }
}
