//! Patterns of names, as IAM's policies have them.

use regex_lite::{Regex, escape};

/// A pattern in which `*` stands for any characters, also for none, and `?` for one. Case matters.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
#[derive(Clone, Debug)]
pub struct NamePattern(Regex);

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is far too long.
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

    /// Whether the whole name is as the pattern says.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

#[cfg(test)]
mod tests;
