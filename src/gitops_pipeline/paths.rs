//! `Source.Paths`: the files whose changes start the pipeline.

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

/// `Source.Paths`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Paths {
    /// Globs of the files that start the pipeline. Empty for all files.
    pub includes: Vec<String>,
    /// Globs of the files that do not, although `includes` has them.
    pub excludes: Vec<String>,
}

/// [`Paths`], ready to match.
#[derive(Debug)]
pub struct PathMatcher {
    includes: Vec<Regex>,
    excludes: Vec<Regex>,
}

impl Paths {
    /// Compiles the globs. `None` if one is not a glob, which the properties reject.
    pub fn matcher(&self) -> Option<PathMatcher> {
        let compile =
            |globs: &[String]| -> Option<_> { globs.iter().map(|glob| regex(glob)).collect() };
        Some(PathMatcher {
            includes: compile(&self.includes)?,
            excludes: compile(&self.excludes)?,
        })
    }
}

impl PathMatcher {
    /// Whether a change of the file at `path` starts the pipeline.
    pub fn is_match(&self, path: &str) -> bool {
        let is_any_match = |globs: &[Regex]| globs.iter().any(|glob| glob.is_match(path));
        (self.includes.is_empty() || is_any_match(&self.includes)) && !is_any_match(&self.excludes)
    }
}

/// The glob as a regular expression. `regex-lite` matches every glob in linear time.
fn regex(glob: &str) -> Option<Regex> {
    let mut pattern = "(?s)^".to_owned();
    let mut segments = glob.split('/').peekable();
    while let Some(segment) = segments.next() {
        match (segment, segments.peek()) {
            ("**", Some(_)) => pattern.push_str("(?:[^/]+/)*"),
            ("**", None) => pattern.push_str(".+"),
            (segment, next) => {
                for character in segment.chars() {
                    match character {
                        '*' => pattern.push_str("[^/]*"),
                        '?' => pattern.push_str("[^/]"),
                        other => {
                            let mut buffer = [0; 4];
                            pattern.push_str(&regex_lite::escape(other.encode_utf8(&mut buffer)));
                        }
                    }
                }
                if next.is_some() {
                    pattern.push('/');
                }
            }
        }
    }
    pattern.push('$');
    Regex::new(&pattern).ok()
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
