//! AWS's rules for tags: keys of 1 to 128 characters, values of up to 256,
//! both of letters, numbers, separators and `_.:/=+-@`. A resource has at most
//! 50, and no key begins with `aws:`. Source: the `Tag` type in the API
//! references of IAM and of Secrets Manager.

use std::collections::BTreeMap;

pub const MOST: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

pub type Tags = BTreeMap<String, String>;

/// Returns the violated rule of a tag, with the text of AWS's validation.
pub fn refusal(key: &str, value: &str) -> Option<String> {
    let length = |text: &str| text.chars().count();
    let rule = if key.is_empty() {
        ("key", "Member must have length greater than or equal to 1")
    } else if length(key) > LONGEST_KEY {
        ("key", "Member must have length less than or equal to 128")
    } else if length(value) > LONGEST_VALUE {
        ("value", "Member must have length less than or equal to 256")
    } else if !key.chars().all(allowed) {
        (
            "key",
            "Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+",
        )
    } else if !value.chars().all(allowed) {
        (
            "value",
            "Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*",
        )
    } else {
        return None;
    };
    Some(format!(
        "1 validation error detected: Value at 'tags.1.member.{}' failed to satisfy constraint: {}",
        rule.0, rule.1
    ))
}

/// Keys that begin with `aws:` are AWS's own.
pub fn reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

fn allowed(character: char) -> bool {
    // `is_alphabetic` is \p{L} and a few combining marks more. \p{Z} has the
    // separators, but none of the control characters that count as white space.
    character.is_alphabetic()
        || character.is_numeric()
        || (character.is_whitespace() && !character.is_control())
        || "_.:/=+-@".contains(character)
}
