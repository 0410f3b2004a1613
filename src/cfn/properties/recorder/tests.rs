use serde_json::json;

use crate::cfn::properties::recorder::*;
use crate::cfn::properties::{ObjectReader, ValidationErrors};

#[test]
fn the_most_that_is_known_of_a_member_is_written_down() {
    let ((), recording) = recorded(|| {
        let value = json!({"List": [{"Flag": true}, {}]});
        let mut faults = ValidationErrors::default();
        let mut members = ObjectReader::of(&value, "", &mut faults);
        members.number("Number", 1..=2, 1, &mut faults);
        members.value("Number");
        for (path, element) in members.list("List", &mut faults) {
            let mut element = ObjectReader::of(element, &path, &mut faults);
            element.boolean("Flag", true, &mut faults);
            element.finish(&mut faults);
        }
    });
    let kinds: Vec<_> = recording.kinds.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["List", "List[]", "List[].Flag", "Number"]);
    assert!(matches!(
        recording.kinds["Number"],
        Kind::Number { most: 2, .. }
    ));
    assert!(matches!(recording.kinds["List[]"], Kind::Object));
    let closed: Vec<_> = recording.closed.iter().map(String::as_str).collect();
    assert_eq!(closed, ["List[]"]);
}

#[test]
fn nothing_is_written_down_when_nobody_watches() {
    let mut faults = ValidationErrors::default();
    ObjectReader::of(&json!({}), "", &mut faults).finish(&mut faults);
    let ((), recording) = recorded(|| {});
    assert!(recording.kinds.is_empty() && recording.closed.is_empty());
}
