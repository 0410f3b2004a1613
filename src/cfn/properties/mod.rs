//! Decoding properties so that every fault is found, each with its path.
//!
//! `serde` stops at the first fault. A person who deploys a template wants them all at once.

#[cfg(test)]
pub mod recorder;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError {
    /// For example `Mirrors[1].GitLabProject`.
    pub path: String,
    /// What is wrong with it. Never holds the value.
    pub what: String,
}

/// Everything that is wrong with a resource's properties.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct ValidationErrors(pub Vec<ValidationError>);

impl fmt::Display for ValidationErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(formatter, "{separator}{}: {}", fault.path, fault.what)?;
        }
        Ok(())
    }
}

impl ValidationErrors {
    /// Notes that `path` is wrong.
    pub fn note(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.0.push(ValidationError {
            path: path.into(),
            what: what.into(),
        });
    }
}

/// A form that text can have, and how a person is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Whether text has it.
    pub fits: fn(&str) -> bool,
    /// "must be …"
    pub must_be: &'static str,
    /// The same for those who cannot call `fits`: linters and editors.
    pub pattern: Pattern,
}

/// A form as far as regular expressions can say it, in what ECMA 262, Python and Rust have in
/// common. It takes in all that fits, and where that is possible nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What is found in the text.
    pub found: &'static str,
    /// What is not found in it.
    pub not_found: Option<&'static str>,
    /// How many characters it has at most.
    pub most: Option<usize>,
}

impl Pattern {
    /// Text in which `found` is found.
    pub const fn of(found: &'static str) -> Self {
        Pattern {
            found,
            not_found: None,
            most: None,
        }
    }

    /// The same without text in which `not_found` is found.
    #[must_use]
    pub const fn without(self, not_found: &'static str) -> Self {
        Pattern {
            not_found: Some(not_found),
            ..self
        }
    }

    /// The same without text of more than `most` characters.
    #[must_use]
    pub const fn up_to(self, most: usize) -> Self {
        Pattern {
            most: Some(most),
            ..self
        }
    }
}

/// Whether text is `least` to `most` ASCII letters and digits, and the `others`.
pub fn is_made_of(text: &str, least: usize, most: usize, others: &str) -> bool {
    (least..=most).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// The members of one JSON object, each asked for by name; what nobody asked for is unknown.
///
/// CloudFormation sends booleans and numbers as strings; both forms are taken.
pub struct ObjectReader<'a> {
    path: String,
    map: Option<&'a Map<String, Value>>,
    asked_for: Vec<&'static str>,
}

impl<'a> ObjectReader<'a> {
    /// The members of `value`, which stands at `path` (empty for the properties themselves).
    pub fn of(value: &'a Value, path: &str, faults: &mut ValidationErrors) -> Self {
        let map = value.as_object();
        if map.is_none() {
            let path = if path.is_empty() { "Properties" } else { path };
            faults.note(path, "must be an object");
        }
        #[cfg(test)]
        if !path.is_empty() {
            recorder::note(path, recorder::Kind::Object);
        }
        ObjectReader {
            path: path.to_owned(),
            map,
            asked_for: Vec::new(),
        }
    }

    /// The path of the member `name`.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// The member `name` as it stands.
    pub fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked_for.push(name);
        #[cfg(test)]
        self.record(name, recorder::Kind::Any);
        self.map?.get(name).filter(|value| !value.is_null())
    }

    /// A member that is text.
    pub fn string(&mut self, name: &'static str, faults: &mut ValidationErrors) -> Option<String> {
        #[cfg(test)]
        self.record(name, recorder::Kind::String);
        let value = self.value(name)?;
        let text = as_text(value);
        if text.is_none() {
            faults.note(self.path_of(name), "must be a string");
        }
        text
    }

    /// A member that is text and has to be there.
    pub fn required_string(
        &mut self,
        name: &'static str,
        faults: &mut ValidationErrors,
    ) -> Option<String> {
        if self.value(name).is_none() && self.map.is_some() {
            faults.note(self.path_of(name), "is required");
        }
        self.string(name, faults)
    }

    /// A member that is true or false.
    pub fn boolean(
        &mut self,
        name: &'static str,
        default: bool,
        faults: &mut ValidationErrors,
    ) -> bool {
        #[cfg(test)]
        self.record(name, recorder::Kind::Boolean { default });
        match self.value(name).map(as_text) {
            None => default,
            Some(text) => match text.as_deref() {
                Some("true" | "True") => true,
                Some("false" | "False") => false,
                _ => {
                    faults.note(self.path_of(name), "must be true or false");
                    default
                }
            },
        }
    }

    /// A member that is text of a form.
    pub fn text(
        &mut self,
        name: &'static str,
        form: &Format,
        faults: &mut ValidationErrors,
    ) -> Option<String> {
        #[cfg(test)]
        self.record(name, recorder::Kind::Text(*form));
        let text = self.string(name, faults)?;
        if (form.fits)(&text) {
            return Some(text);
        }
        faults.note(self.path_of(name), form.must_be);
        None
    }

    /// A member that is text of a form and has to be there.
    pub fn required_text(
        &mut self,
        name: &'static str,
        form: &Format,
        faults: &mut ValidationErrors,
    ) -> Option<String> {
        if self.value(name).is_none() && self.map.is_some() {
            faults.note(self.path_of(name), "is required");
        }
        self.text(name, form, faults)
    }

    /// A member that is one of some words, and what that one means.
    pub fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
        faults: &mut ValidationErrors,
    ) -> Option<T> {
        #[cfg(test)]
        {
            let words = words.iter().map(|(word, _)| (*word).to_owned());
            self.record(name, recorder::Kind::OneOf(words.collect()));
        }
        let text = self.string(name, faults)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let known = known.join(", ");
            faults.note(self.path_of(name), format!("must be one of {known}"));
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// A member that is a whole number.
    pub fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
        default: u32,
        faults: &mut ValidationErrors,
    ) -> u32 {
        #[cfg(test)]
        self.record(
            name,
            recorder::Kind::Number {
                least: *range.start(),
                most: *range.end(),
                default,
            },
        );
        let Some(value) = self.value(name) else {
            return default;
        };
        let number = as_text(value).and_then(|text| text.parse().ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return number;
        }
        let (least, most) = (range.start(), range.end());
        faults.note(
            self.path_of(name),
            format!("must be a whole number from {least} to {most}"),
        );
        default
    }

    /// A member that is an object of its own.
    pub fn object(
        &mut self,
        name: &'static str,
        faults: &mut ValidationErrors,
    ) -> Option<ObjectReader<'a>> {
        #[cfg(test)]
        self.record(name, recorder::Kind::Object);
        let value = self.value(name)?;
        Some(ObjectReader::of(value, &self.path_of(name), faults))
    }

    /// A member whose own members have names that the template chooses, and are text.
    pub fn map(
        &mut self,
        name: &'static str,
        faults: &mut ValidationErrors,
    ) -> Option<BTreeMap<String, String>> {
        #[cfg(test)]
        self.record(name, recorder::Kind::Map);
        let path = self.path_of(name);
        let Some(members) = self.value(name)?.as_object() else {
            faults.note(path, "must be an object");
            return None;
        };
        let mut map = BTreeMap::new();
        for (key, value) in members {
            if let Some(text) = as_text(value) {
                map.insert(key.clone(), text);
            } else {
                let shown: String = key.chars().take(64).collect();
                faults.note(format!("{path}.{shown}"), "must be a string");
            }
        }
        Some(map)
    }

    /// The elements of a list, each with its path; none when it is not there.
    pub fn list(
        &mut self,
        name: &'static str,
        faults: &mut ValidationErrors,
    ) -> Vec<(String, &'a Value)> {
        #[cfg(test)]
        self.record(name, recorder::Kind::List);
        let path = self.path_of(name);
        match self.value(name) {
            None => Vec::new(),
            Some(Value::Array(elements)) => elements
                .iter()
                .enumerate()
                .map(|(n, element)| (format!("{path}[{n}]"), element))
                .collect(),
            Some(_) => {
                faults.note(path, "must be a list");
                Vec::new()
            }
        }
    }

    /// The elements of a list of text.
    pub fn strings(
        &mut self,
        name: &'static str,
        faults: &mut ValidationErrors,
    ) -> Vec<(String, String)> {
        #[cfg(test)]
        recorder::note(&format!("{}[]", self.path_of(name)), recorder::Kind::String);
        let mut strings = Vec::new();
        for (path, element) in self.list(name, faults) {
            match as_text(element) {
                Some(text) => strings.push((path, text)),
                None => faults.note(path, "must be a string"),
            }
        }
        strings
    }

    /// The elements of a list of text of a form.
    pub fn texts(
        &mut self,
        name: &'static str,
        form: &Format,
        faults: &mut ValidationErrors,
    ) -> Vec<(String, String)> {
        #[cfg(test)]
        recorder::note(
            &format!("{}[]", self.path_of(name)),
            recorder::Kind::Text(*form),
        );
        let mut texts = self.strings(name, faults);
        texts.retain(|(path, text)| {
            let fits = (form.fits)(text);
            if !fits {
                faults.note(path, form.must_be);
            }
            fits
        });
        texts
    }

    /// Notes every member that nobody asked for.
    pub fn finish(self, faults: &mut ValidationErrors) {
        #[cfg(test)]
        recorder::note_closed(&self.path);
        for name in self.map.iter().flat_map(|map| map.keys()) {
            if !self.asked_for.contains(&name.as_str()) {
                // A name is shown cut short: it comes from outside and may be of any length.
                let shown: String = name.chars().take(64).collect();
                faults.note(self.path_of(&shown), "is not a property");
            }
        }
    }

    #[cfg(test)]
    fn record(&self, name: &str, kind: recorder::Kind) {
        recorder::note(&self.path_of(name), kind);
    }
}

/// A value that is text, or was before CloudFormation or a person wrote it without quotes.
pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
