use serde_json::json;

use crate::cfn::properties::*;

#[test]
fn every_fault_is_named_with_its_path() {
    let value = json!({"Flag": "perhaps", "Names": ["a", {}, 7], "Other": 1, "Text": []});
    let mut faults = ValidationErrors::default();
    let mut members = ObjectReader::of(&value, "", &mut faults);
    assert!(members.boolean("Flag", true, &mut faults));
    assert_eq!(members.strings("Names", &mut faults).len(), 2);
    assert_eq!(members.string("Text", &mut faults), None);
    assert_eq!(members.required_string("Needed", &mut faults), None);
    members.finish(&mut faults);
    assert_eq!(
        faults.to_string(),
        "Flag: must be true or false; Names[1]: must be a string; Text: must be a string; \
             Needed: is required; Other: is not a property"
    );
}

#[test]
fn booleans_and_numbers_are_taken_in_both_forms() {
    let value = json!({"A": "false", "B": false, "C": 7, "D": "7"});
    let mut faults = ValidationErrors::default();
    let mut members = ObjectReader::of(&value, "", &mut faults);
    assert!(!members.boolean("A", true, &mut faults));
    assert!(!members.boolean("B", true, &mut faults));
    assert_eq!(members.string("C", &mut faults).as_deref(), Some("7"));
    assert_eq!(members.string("D", &mut faults).as_deref(), Some("7"));
    members.finish(&mut faults);
    assert_eq!(faults, ValidationErrors::default());
}

#[test]
fn numbers_words_and_forms_are_held_against_what_is_possible() {
    let value = json!({"N": "7", "Big": 11, "Part": 1.5, "Word": "b", "Other": "d", "Format": "x",
            "Map": {"a": 1, "b": {}}, "Object": {"In": true}});
    let mut faults = ValidationErrors::default();
    let mut members = ObjectReader::of(&value, "", &mut faults);
    assert_eq!(members.number("N", 1..=10, 3, &mut faults), 7);
    assert_eq!(members.number("Absent", 1..=10, 3, &mut faults), 3);
    members.number("Big", 1..=10, 3, &mut faults);
    members.number("Part", 1..=10, 3, &mut faults);
    let words = [("a", 1), ("b", 2)];
    assert_eq!(members.one_of("Word", &words, &mut faults), Some(2));
    assert_eq!(members.one_of("Other", &words, &mut faults), None);
    let form = Format {
        fits: |text| text == "y",
        must_be: "must be y",
        pattern: Pattern::of("^y$"),
    };
    assert_eq!(members.text("Format", &form, &mut faults), None);
    let map = members.map("Map", &mut faults).expect("a map");
    assert_eq!(map["a"], "1");
    let object = members.object("Object", &mut faults).expect("an object");
    object.finish(&mut faults);
    assert_eq!(
        faults.to_string(),
        "Big: must be a whole number from 1 to 10; Part: must be a whole number from 1 to 10; \
             Other: must be one of a, b; Format: must be y; Map.b: must be a string; \
             Object.In: is not a property"
    );
}
