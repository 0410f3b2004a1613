use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

static Y: Format = Format::new(Pattern::new("^y$"), "must be y");
static LOWER: Format = Format::new(Pattern::new("^[a-z]+$"), "must be lower-case letters");
static INNER: [Property; 2] = [
    Property::required("Needed", Kind::AnyText),
    Property::new("Size", Kind::Number { min: 1, max: 9 }).or("7"),
];
static TABLE: [Property; 14] = [
    Property::new("Flag", Kind::Boolean).or("true"),
    Property::new("Names", list(&Kind::AnyText)),
    Property::new("Text", Kind::AnyText),
    Property::required("Needed", Kind::AnyText),
    Property::new("N", Kind::Number { min: 1, max: 10 }).or("3"),
    Property::new(
        "Days",
        Kind::NumberOf {
            values: &[1, 30],
            must_be: "must be 1 or 30",
        },
    ),
    Property::new("Word", Kind::Choice(&["a", "b"])).or("a"),
    Property::new("Format", Kind::Text(&Y)).or("y"),
    Property::new("Map", Kind::Map(map(Some(&Y), None))),
    Property::new(
        "Json",
        Kind::Map(map(None, Some("must be an object or JSON"))),
    ),
    Property::new("Either", Kind::MapOrList(EITHER, &INNER)),
    Property::new("Object", Kind::Object(&INNER)),
    Property::new("Objects", list(&Kind::Object(&INNER))),
    Property::new("Token", Kind::Any),
];

const EITHER: Map = map(None, Some("must be a map, a list or JSON"));

const fn map(values: Option<&'static Format>, as_json: Option<&'static str>) -> Map {
    Map {
        names: &LOWER,
        values,
        as_json,
    }
}

const fn list(items: &'static Kind) -> Kind {
    Kind::List {
        items,
        max: Some((2, "must be at most 2")),
    }
}

fn decode(value: &Value) -> (Object, String) {
    let mut errors = ValidationErrors::default();
    let object = Object::decode(&TABLE, value, "", &mut errors);
    (object, errors.to_string())
}

#[test]
fn every_error_is_collected_with_its_path() {
    let (_, errors) = decode(&json!({
        "Flag": "perhaps", "Names": ["a", {}, 7], "Other": 1, "Text": [], "N": 11, "Days": 2,
        "Word": "c", "Format": "x", "Map": {"a": "y", "b": {}, "C": "x"}, "Json": "[]",
        "Object": {"Needed": "x", "Sizes": 3}, "Objects": [{}, 7], "Token": {},
    }));
    let expected = [
        "Flag: must be true or false",
        "Names: must be at most 2",
        "Names[1]: must be a string",
        "Text: must be a string",
        "Needed: is required",
        "N: must be a whole number from 1 to 10",
        "Days: must be 1 or 30",
        "Word: must be one of a, b",
        "Format: must be y",
        "Map.C: must be lower-case letters",
        "Map.C: must be y",
        "Map.b: must be a string",
        "Json: must be an object or JSON",
        "Object.Sizes: is not a property; did you mean Size?",
        "Objects[0].Needed: is required",
        "Objects[1]: must be an object",
        "Other: is not a property",
    ];
    assert_eq!(errors, expected.join("; "));
}

#[test]
fn text_and_function_in_place_of_a_map_are_named() {
    let (_, errors) = decode(&json!({"Needed": "x", "Map": "{\"a\": \"y\"}"}));
    assert_eq!(errors, "Map: must be an object, and not a text");
    let function = json!({"Fn::GetParam": ["Build", "a.json", "A"]});
    let (_, errors) = decode(&json!({"Needed": "x", "Map": {"a": function}}));
    assert!(
        errors.starts_with("Map.a: must be a string, and not a function"),
        "{errors}"
    );
    let (_, errors) = decode(&json!({"Needed": "x", "Map": {"a": {"b": 1}}}));
    assert_eq!(errors, "Map.a: must be a string");
}

#[test]
fn booleans_and_numbers_are_accepted_as_text() {
    for (value, expected) in [
        (json!("false"), false),
        (json!(false), false),
        (json!("True"), true),
        (json!(null), true),
    ] {
        let (object, errors) = decode(&json!({"Needed": 7, "Flag": value}));
        assert_eq!((object.boolean("Flag"), errors), (expected, String::new()));
        assert_eq!(object.text("Needed").as_deref(), Some("7"));
    }
    for (value, expected) in [
        (json!("7"), Some(7)),
        (json!(7), Some(7)),
        (json!(1.5), None),
        (json!("+7"), None),
        (json!("07"), None),
    ] {
        let (object, _) = decode(&json!({"N": value}));
        assert_eq!(object.read::<Value>()["N"], expected.unwrap_or(3));
    }
}

#[test]
fn missing_and_wrong_members_have_their_defaults() {
    let (object, _) = decode(&json!({"Word": "z", "Object": {"Size": 0}}));
    assert!(object.boolean("Flag"));
    assert_eq!(object.read::<Value>()["N"], 3);
    assert_eq!(object.text("Word").as_deref(), Some("a"));
    assert_eq!(object.text("Format").as_deref(), Some("y"));
    assert_eq!(object.text("Text"), None);
    assert_eq!(object.read::<Value>()["Object"]["Size"], 7);
    assert!(object.is_set("Word") && !object.is_set("Flag"));
    assert!(object.map("Map").is_empty());
    let (object, errors) = decode(&json!({"Needed": "x"}));
    assert_eq!(errors, "");
    assert_eq!(object.read::<Value>()["Object"]["Size"], 7);
    assert_eq!(object.object("Object").path_of("Size"), "Object.Size");
}

#[test]
fn number_whose_text_could_change_is_rejected() {
    let decode = |number: &str| {
        let in_json = number.replace('"', "");
        let properties =
            format!(r#"{{"Needed": {number}, "Text": {number}, "Json": "{{\"a\":{in_json}}}"}}"#);
        decode(&serde_json::from_str(&properties).expect("JSON"))
    };
    for exact in ["0", "-7", "12345678901234567890"] {
        let (object, errors) = decode(exact);
        assert_eq!(errors, "");
        for text in [
            object.text("Needed").expect("text"),
            object.map("Json")["a"].clone(),
        ] {
            assert_eq!(text, exact);
        }
    }
    for changed in ["1.10", "1.0", "1e3", "-0", "123456789012345678901234567890"] {
        let (_, errors) = decode(changed);
        for path in ["Needed", "Text", "Json.a"] {
            let error = format!("{path}: must be a string: put the number in quotes");
            assert!(errors.contains(&error), "{changed}: {errors}");
        }
        assert!(!errors.contains(changed), "{errors}");
    }
}

#[test]
fn map_can_be_json_text_only_if_the_table_allows_it() {
    let (object, errors) = decode(&json!({"Needed": "x", "Json": r#"{"a":1}"#, "Map": "{}"}));
    assert_eq!(object.map("Json")["a"], "1");
    assert_eq!(errors, "Map: must be an object, and not a text");
}

#[test]
fn valid_entries_of_lists_are_kept() {
    let (object, _) = decode(&json!({
        "Names": ["a", {}, "b"], "Objects": [7, {"Needed": "x"}],
    }));
    assert_eq!(object.texts("Names"), ["a", "b"]);
    let objects = object.objects("Objects");
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0].path(), "Objects[1]");
}

#[test]
fn properties_that_are_not_an_object_are_one_error() {
    assert_eq!(decode(&json!(7)).1, "Properties: must be an object");
    let long = "n".repeat(5000);
    let (_, errors) = decode(&json!({"Needed": "x", long: 1}));
    assert_eq!(errors, format!("{}: is not a property", "n".repeat(64)));
}

#[test]
fn json_text_is_decoded_as_what_it_contains() {
    let map = |value: Value| {
        let (object, errors) = decode(&json!({"Needed": "", "Either": value}));
        (object.map("Either"), errors)
    };
    let expected = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    for value in [
        json!({"a": "1"}),
        json!(r#"{"a": "1"}"#),
        json!(" {\"a\":1} "),
    ] {
        assert_eq!(map(value), (expected.clone(), String::new()));
    }
    for value in [json!([{"Needed": "x"}]), json!(r#"[{"Needed": "x"}]"#)] {
        let (object, errors) = decode(&json!({"Needed": "", "Either": value}));
        let list = object.objects("Either");
        assert_eq!(
            list.iter().map(|each| each.path()).collect::<Vec<_>>(),
            ["Either[0]"]
        );
        assert_eq!(
            (list[0].text("Needed").as_deref(), errors),
            (Some("x"), String::new())
        );
    }
    for (value, error) in [
        ("a=1", "; it is not JSON (line 1, column 1)"),
        ("7", ""),
        (r#""{}""#, ""),
    ] {
        let error = format!("Either: must be a map, a list or JSON{error}");
        assert_eq!(map(json!(value)).1, error);
    }
    for (value, error) in [
        (r#"{"A": "1"}"#, "Either.A: must be lower-case letters"),
        (r#"[{"Size": 1}]"#, "Either[0].Needed: is required"),
        ("[7]", "Either[0]: must be an object"),
    ] {
        assert_eq!(map(json!(value)).1, error);
    }
}

/// An optional property of any kind, in an object and in a list too.
#[test]
fn error_of_an_empty_value_names_no_value() {
    for (properties, path, what) in [
        (r#"{"Format": ""}"#, "Format", "it"),
        (r#"{"Format": [""]}"#, "Format", "it"),
        (r#"{"Object": [""]}"#, "Object", "it"),
        (r#"{"Flag": " "}"#, "Flag", "it"),
        (r#"{"N": ""}"#, "N", "it"),
        (r#"{"Days": ""}"#, "Days", "it"),
        (r#"{"Word": ""}"#, "Word", "it"),
        (r#"{"Names": ""}"#, "Names", "it"),
        (r#"{"Object": ""}"#, "Object", "it"),
        (r#"{"Map": ""}"#, "Map", "it"),
        (r#"{"Json": ""}"#, "Json", "it"),
        (r#"{"Either": ""}"#, "Either", "it"),
        (r#"{"Map": {"a": ""}}"#, "Map.a", "it"),
        (r#"{"Object": {"Size": ""}}"#, "Object.Size", "it"),
        (r#"{"Objects": [""]}"#, "Objects[0]", "the list"),
        (r#"{"Objects": [{}, ""]}"#, "Objects[1]", "it"),
    ] {
        let properties = serde_json::from_str(properties).expect("JSON");
        let mut errors = ValidationErrors::default();
        Object::decode(&TABLE, &properties, "", &mut errors);
        // Others are required.
        errors.0.retain(|error| error.what != "is required");
        let [error] = &errors.0[..] else {
            panic!("{errors}")
        };
        assert_eq!(error.path, path);
        let how = format!(". To leave {what} out, use `!Ref AWS::NoValue`");
        assert!(error.what.ends_with(&how), "{}", error.what);
    }
}

#[test]
fn required_value_that_is_empty_names_what_can_be_left_out() {
    static LOGIN: [Property; 1] = [Property::required("Token", Kind::Text(&Y))];
    static OUTER: [Property; 2] = [
        Property::required("User", Kind::Text(&Y)),
        Property::new("Login", Kind::Object(&LOGIN)),
    ];
    let mut errors = ValidationErrors::default();
    Object::decode(
        &OUTER,
        &json!({"User": "", "Login": {"Token": ""}}),
        "",
        &mut errors,
    );
    assert_eq!(
        errors.to_string(),
        "User: must be y; Login.Token: must be y. To leave Login out, use `!Ref AWS::NoValue`"
    );
}
