//! Tags that a template asks for.

use std::collections::BTreeMap;

use crate::cfn::{ObjectReader, ValidationErrors};

/// Tags that start so are kept for this function's own records.
pub const OWN: &str = "cfn-gitops:";

/// AWS takes 50 tags on a thing; the rest are our records'.
const MOST: usize = 40;

/// Decodes the property `Tags`: a list of `Key` and `Value`. CodeBuild takes one character less of
/// each than other services.
pub fn decode(
    members: &mut ObjectReader<'_>,
    faults: &mut ValidationErrors,
) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let list = members.list("Tags", faults);
    if list.len() > MOST {
        faults.note("Tags", format!("must be at most {MOST}"));
    }
    for (path, element) in list {
        let mut tag = ObjectReader::of(element, &path, faults);
        let key = tag.required_string("Key", faults);
        let value = tag.required_string("Value", faults);
        tag.finish(faults);
        let (Some(key), Some(value)) = (key, value) else {
            continue;
        };
        let lower = key.to_ascii_lowercase();
        if lower.starts_with("aws:") || lower.starts_with(OWN) {
            faults.note(
                format!("{path}.Key"),
                "must not start with aws: or cfn-gitops:",
            );
        } else if !is_tag_text(&key, 1, 127) {
            faults.note(
                format!("{path}.Key"),
                "must be 1 to 127 letters, digits, spaces and `_.:/=+-@`",
            );
        } else if !is_tag_text(&value, 0, 255) {
            faults.note(
                format!("{path}.Value"),
                "must be at most 255 letters, digits, spaces and `_.:/=+-@`",
            );
        } else if tags.insert(key, value).is_some() {
            faults.note(format!("{path}.Key"), "is given twice");
        }
    }
    tags
}

fn is_tag_text(text: &str, least: usize, most: usize) -> bool {
    let length = text.chars().count();
    (least..=most).contains(&length)
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c))
}
