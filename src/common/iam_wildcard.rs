//! Matches names with the wildcards of IAM's policies.

use std::str::Chars;

/// A pattern in which `*` matches any characters, or none, and `?` matches one. It is
/// case-sensitive.
///
/// It is compared without being compiled: some have thousands of patterns and few names, and no
/// pattern is rejected.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
#[derive(Clone, Debug)]
pub struct NamePattern(String);

impl NamePattern {
    /// The pattern `pattern`.
    pub fn new(pattern: impl Into<String>) -> Self {
        NamePattern(pattern.into())
    }

    /// Whether the pattern matches the whole name. The part after the last `*` is tried at each
    /// character of the name, so the time grows with the pattern and the square of the name.
    pub fn matches(&self, name: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.chars(), name.chars());
        // The part after the last `*`, and the rest of the name where it is tried.
        let mut last_star: Option<(Chars, Chars)> = None;
        loop {
            let mut tail = rest.clone();
            match (pattern.next(), tail.next()) {
                (Some('*'), _) => last_star = Some((pattern.clone(), rest.clone())),
                (Some(expected), Some(found)) if expected == '?' || expected == found => {
                    rest = tail;
                }
                (None, None) => return true,
                _ => {
                    let Some((after, from)) = &mut last_star else {
                        return false;
                    };
                    if from.next().is_none() {
                        return false;
                    }
                    (pattern, rest) = (after.clone(), from.clone());
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "iam_wildcard_tests.rs"]
mod tests;
