//! Reads the template of a review branch before CloudFormation does.
//!
//! CloudFormation runs transforms and reads SSM parameters while it creates a change set, with the
//! deploy role. The template's author is not reviewed yet, so such a template gets no change set.
//! The scan looks at YAML's events and not at a document: so a duplicate key or another order of
//! members cannot hide one. CloudFormation reads YAML 1.1, and this parser 1.2, so that text in
//! which the two differ is an error.

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Parser, Tag};

use crate::common::text_file::place;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    pub blockers: BTreeSet<Blocker>,
    /// The number of resources of each type.
    pub resources: BTreeMap<String, usize>,
    /// The parameters. `true` for those with a default.
    pub parameters: BTreeMap<String, bool>,
    /// The properties that name a file by its path and not in S3: `<logical ID>.<property>`.
    pub unpackaged: BTreeSet<String>,
    /// Its keys and texts, as the author wrote them. No transform or function has computed them.
    pub words: BTreeSet<String>,
}

/// Properties whose file `aws cloudformation package` stores in S3.
/// <https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html>
const FILES: [&str; 4] = ["TemplateURL", "CodeUri", "ContentUri", "DefinitionUri"];

/// The longest key or text of a template that a reason may repeat: a logical ID has 255 characters.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const MAX_WORD_BYTES: usize = 255;

/// Why a template gets no change set, unless `Review.AllowTransforms` permits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocker {
    /// `Transform`, `Fn::Transform` or `AWS::Include`: CloudFormation would run the transform.
    Transform,
    /// A parameter whose value CloudFormation would read from Parameter Store.
    SsmParameterType,
    /// `{{resolve:…}}`
    DynamicReference,
    /// The same in a value of the template configuration or an override.
    DynamicReferenceInValue,
}

impl Blocker {
    /// The text in the note.
    pub fn text(self) -> &'static str {
        match self {
            Blocker::Transform => "it has a transform",
            Blocker::SsmParameterType => "a parameter has an SSM parameter type",
            Blocker::DynamicReference => "it has a dynamic reference (`{{resolve:…}}`)",
            Blocker::DynamicReferenceInValue => {
                "a value of its parameters or tags has a dynamic reference (`{{resolve:…}}`)"
            }
        }
    }
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>
const ANCHOR: &str = "it has a YAML anchor or alias, which CloudFormation does not support";

const NO_MAPPING: &str = "it is not a mapping";

/// Whether CloudFormation would replace a part of `text` by a parameter or a secret.
pub fn has_dynamic_reference(text: &str) -> bool {
    text.contains("{{resolve:")
}

/// Scans a template. The error names the place and the reason: CloudFormation does not accept it,
/// or might read it in another way than cfn-gitops.
pub fn scan(text: &str) -> Result<Scan, String> {
    let found = read(text)?;
    // A transform may add some.
    if found.resources.is_empty() && !found.blockers.contains(&Blocker::Transform) {
        return Err("it has no resource with a type".to_owned());
    }
    Ok(found)
}

fn read(text: &str) -> Result<Scan, String> {
    if let Some((at, why)) = rejected_character(text) {
        return Err(format!("{why} ({})", place(&text[..at])));
    }
    let mut scanner = Scanner::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok((event, span)) => (Ok(event), span.start),
            Err(error) => (Err("it is not valid YAML"), *error.marker()),
        };
        event
            .and_then(|event| scanner.event(event))
            .map_err(|why| format!("{why} (line {}, column {})", span.line(), span.col() + 1))?;
    }
    Ok(scanner.found)
}

/// The first character that parsers read differently.
fn rejected_character(text: &str) -> Option<(usize, &'static str)> {
    let why = |(at, c): (usize, char)| match c {
        // In YAML 1.1 these end a line, in 1.2 they do not: a comment would end with them. A
        // carriage return alone ends a line in both, but not in `lines`.
        '\u{85}' | '\u{2028}' | '\u{2029}' => {
            Some("it has a line break that parsers read differently")
        }
        '\r' if !text[at..].starts_with("\r\n") => {
            Some("it has a carriage return without a line feed")
        }
        '\t' | '\n' | '\r' => None,
        // The parser ends at the first NUL. A parser of JSON may read UTF-16 if there are some.
        c if c.is_control() => Some("it has a control character"),
        '\u{feff}' => Some("it has a byte order mark"),
        // `%TAG` gives tags another meaning.
        '%' if at == 0 || text[..at].ends_with('\n') => Some("it has a YAML directive"),
        _ => None,
    };
    text.char_indices().find_map(|it| Some((it.0, why(it)?)))
}

/// Where the scan is: the keys of the mappings around it.
#[derive(Debug, Default)]
struct Scanner {
    found: Scan,
    path: Vec<Level>,
    documents: usize,
}

/// One mapping or sequence around the present place.
#[derive(Debug)]
enum Level {
    /// The present key, `None` if a key comes next, and those before it.
    Mapping(Option<String>, BTreeSet<String>),
    Sequence,
}

impl Scanner {
    fn event(&mut self, event: Event<'_>) -> Result<(), &'static str> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err("it has more than one YAML document");
                }
            }
            Event::Alias(_) => return Err(ANCHOR),
            Event::Scalar(text, _, anchor, tag) => {
                if anchor > 0 {
                    return Err(ANCHOR);
                }
                self.tag(tag.as_deref())?;
                self.scalar(&text, tag.is_none())?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(anchor, tag.as_deref(), Level::Sequence)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.start(
                    anchor,
                    tag.as_deref(),
                    Level::Mapping(None, BTreeSet::new()),
                )?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.path.pop();
                self.end_value();
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn start(
        &mut self,
        anchor: usize,
        tag: Option<&Tag>,
        level: Level,
    ) -> Result<(), &'static str> {
        if anchor > 0 {
            return Err(ANCHOR);
        }
        self.tag(tag)?;
        if self.is_at_key() {
            return Err("a key in it is not a text");
        }
        if self.path.is_empty() && matches!(level, Level::Sequence) {
            return Err(NO_MAPPING);
        }
        self.path.push(level);
        Ok(())
    }

    fn is_at_key(&self) -> bool {
        matches!(self.path.last(), Some(Level::Mapping(None, _)))
    }

    /// After a value, a mapping continues with a key.
    fn end_value(&mut self) {
        if let Some(Level::Mapping(key, earlier)) = self.path.last_mut() {
            earlier.extend(key.take());
        }
    }

    fn scalar(&mut self, text: &str, is_literal: bool) -> Result<(), &'static str> {
        if has_dynamic_reference(text) {
            self.found.blockers.insert(Blocker::DynamicReference);
        }
        if self.path.is_empty() {
            return Err(NO_MAPPING);
        }
        if text.len() <= MAX_WORD_BYTES {
            self.found.words.insert(text.to_owned());
        }
        if !self.is_at_key() {
            self.value(text, is_literal);
            self.end_value();
            return Ok(());
        }
        if text == "<<" {
            return Err("it has a YAML merge, which CloudFormation does not support");
        }
        if text == "Fn::Transform" || (text == "Transform" && self.path.len() == 1) {
            self.found.blockers.insert(Blocker::Transform);
        }
        self.key(text)
    }

    /// Begins the value of a key.
    fn key(&mut self, text: &str) -> Result<(), &'static str> {
        match self.keys().as_deref() {
            Some(["Parameters"]) if text != "Fn::Transform" => {
                self.found.parameters.entry(text.to_owned()).or_default();
            }
            Some(["Parameters", name]) if text == "Default" => {
                let name = (*name).to_owned();
                self.found.parameters.insert(name, true);
            }
            _ => {}
        }
        if let Some(Level::Mapping(key, earlier)) = self.path.last_mut() {
            // "Undefined behavior", for a section:
            // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
            if earlier.contains(text) {
                return Err("a mapping in it has a key twice");
            }
            *key = Some(text.to_owned());
        }
        Ok(())
    }

    /// The keys of the mappings around the present place. `None` in a sequence.
    fn keys(&self) -> Option<Vec<&str>> {
        let is_next = usize::from(self.is_at_key());
        let around = &self.path[..self.path.len() - is_next];
        let keys = around.iter().map(|level| match level {
            Level::Mapping(key, _) => key.as_deref(),
            Level::Sequence => None,
        });
        keys.collect()
    }

    fn value(&mut self, text: &str, is_literal: bool) {
        match self.keys().as_deref() {
            Some(["Parameters", _, "Type"]) if text.contains("AWS::SSM::") => {
                self.found.blockers.insert(Blocker::SsmParameterType);
            }
            Some(["Resources", _, "Type"]) => {
                *self.found.resources.entry(text.to_owned()).or_default() += 1;
            }
            Some(["Resources", id, "Properties", name])
                if is_literal && FILES.contains(name) && !text.contains(':') =>
            {
                let place = format!("{id}.{name}");
                self.found.unpackaged.insert(place);
            }
            _ => {}
        }
    }

    /// Checks a tag, of which `!Transform` is one.
    fn tag(&mut self, tag: Option<&Tag>) -> Result<(), &'static str> {
        let Some(tag) = tag else { return Ok(()) };
        // `%TAG` and `!!` give a tag another meaning, which is not in its suffix.
        let is_plain =
            tag.handle == "!" && tag.suffix.chars().all(|c| c.is_ascii_alphanumeric() || c == ':');
        if !is_plain {
            return Err("it has an unusual YAML tag");
        }
        if tag.suffix.ends_with("Transform") {
            self.found.blockers.insert(Blocker::Transform);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
