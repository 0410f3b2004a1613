//! Matches names with the wildcards of IAM's policies.

use regex_lite::{Regex, escape};

/// A pattern in which `*` matches any characters, or none, and `?` matches one. It is
/// case-sensitive.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
#[derive(Clone, Debug)]
pub struct NamePattern(Regex);

impl NamePattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// If the pattern is far too long.
    pub fn new(pattern: &str) -> Result<Self, regex_lite::Error> {
        let mut regex = String::from(r"(?s)\A");
        for character in pattern.chars() {
            match character {
                '*' => regex.push_str(".*"),
                '?' => regex.push('.'),
                other => regex.push_str(&escape(other.encode_utf8(&mut [0; 4]))),
            }
        }
        regex.push_str(r"\z");
        Regex::new(&regex).map(NamePattern)
    }

    /// Whether the pattern matches the whole name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

#[cfg(test)]
#[path = "iam_wildcard_tests.rs"]
mod tests;
