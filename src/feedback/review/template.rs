//! Reads the template of a review branch before CloudFormation does.
//!
//! CloudFormation runs transforms and reads SSM parameters while it creates a change set, with the
//! deploy role. The template's author is not reviewed yet, so such a template gets no change set.
//! The scan looks at YAML's events and not at a document: so a duplicate key or another order of
//! members cannot hide one. CloudFormation reads YAML 1.1, and this parser 1.2, so that text in which
//! the two differ is rejected.

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Parser, Tag};

/// What a template contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// What prevents a change set.
    pub blockers: BTreeSet<Blocker>,
    /// The number of resources of each type.
    pub resources: BTreeMap<String, usize>,
    /// The parameters. `true` for those with a default.
    pub parameters: BTreeMap<String, bool>,
}

/// Why a template gets no change set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocker {
    /// `Transform`, `Fn::Transform` or `AWS::Include`: CloudFormation would run the transform.
    Transform,
    /// A parameter whose value CloudFormation would read from Parameter Store.
    SsmParameterType,
    /// `{{resolve:…}}`
    DynamicReference,
    /// The same in a value of the template configuration or an override.
    DynamicReferenceInValue,
    /// It is not a template that CloudFormation and cfn-gitops read in the same way.
    Unreadable(&'static str),
}

impl Blocker {
    /// The text in the note.
    pub fn text(&self) -> &'static str {
        match self {
            Blocker::Transform => "it has a transform",
            Blocker::SsmParameterType => "a parameter has an SSM parameter type",
            Blocker::DynamicReference => "it has a dynamic reference (`{{resolve:…}}`)",
            Blocker::DynamicReferenceInValue => {
                "a value of its parameters or tags has a dynamic reference (`{{resolve:…}}`)"
            }
            Blocker::Unreadable(why) => why,
        }
    }

    /// Whether `Review.AllowTransforms` permits it.
    pub fn is_permissible(&self) -> bool {
        !matches!(self, Blocker::Unreadable(_))
    }
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>
const ANCHOR: &str = "it has a YAML anchor or alias, which CloudFormation does not support";

/// Whether CloudFormation would replace a part of `text` by a parameter or a secret.
pub fn has_dynamic_reference(text: &str) -> bool {
    text.contains("{{resolve:")
}

/// Scans a template.
pub fn scan(text: &str) -> Scan {
    let mut scanner = Scanner::default();
    if let Err(why) = scanner.scan(text) {
        scanner.found.blockers.insert(Blocker::Unreadable(why));
    }
    scanner.found
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
    /// The present key. `None` if a key comes next.
    Mapping(Option<String>),
    Sequence,
}

impl Scanner {
    fn scan(&mut self, text: &str) -> Result<(), &'static str> {
        // In YAML 1.1 these end a line, in 1.2 they do not: a comment would end with them. A carriage
        // return alone ends a line in both, but not in `lines`.
        let is_alone = |cr: usize| !text[cr..].starts_with("\r\n");
        if text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
            || text.match_indices('\r').any(|(cr, _)| is_alone(cr))
        {
            return Err("it has a line break that parsers read differently");
        }
        // The parser ends at the first NUL. A parser of JSON may read UTF-16 if there are some.
        if text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
            return Err("it has a control character");
        }
        if text.contains('\u{feff}') {
            return Err("it has a byte order mark");
        }
        // `%TAG` gives tags another meaning.
        if text.lines().any(|line| line.starts_with('%')) {
            return Err("it has a YAML directive");
        }
        for event in Parser::new_from_str(text) {
            let (event, _) = event.map_err(|_| "it is not valid YAML")?;
            self.event(event)?;
        }
        Ok(())
    }

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
                self.scalar(&text)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(anchor, tag.as_deref(), Level::Sequence)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.start(anchor, tag.as_deref(), Level::Mapping(None))?;
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
        self.path.push(level);
        Ok(())
    }

    fn is_at_key(&self) -> bool {
        matches!(self.path.last(), Some(Level::Mapping(None)))
    }

    /// After a value, a mapping continues with a key.
    fn end_value(&mut self) {
        if let Some(Level::Mapping(key)) = self.path.last_mut() {
            *key = None;
        }
    }

    fn scalar(&mut self, text: &str) -> Result<(), &'static str> {
        if has_dynamic_reference(text) {
            self.found.blockers.insert(Blocker::DynamicReference);
        }
        if !self.is_at_key() {
            self.value(text);
            self.end_value();
            return Ok(());
        }
        if text == "<<" {
            return Err("it has a YAML merge, which CloudFormation does not support");
        }
        if text == "Fn::Transform" || (text == "Transform" && self.path.len() == 1) {
            self.found.blockers.insert(Blocker::Transform);
        }
        self.key(text);
        Ok(())
    }

    /// Begins the value of a key.
    fn key(&mut self, text: &str) {
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
        if let Some(Level::Mapping(key)) = self.path.last_mut() {
            *key = Some(text.to_owned());
        }
    }

    /// The keys of the mappings around the present place. `None` in a sequence.
    fn keys(&self) -> Option<Vec<&str>> {
        let is_next = usize::from(self.is_at_key());
        let around = &self.path[..self.path.len() - is_next];
        let keys = around.iter().map(|level| match level {
            Level::Mapping(key) => key.as_deref(),
            Level::Sequence => None,
        });
        keys.collect()
    }

    fn value(&mut self, text: &str) {
        match self.keys().as_deref() {
            Some(["Parameters", _, "Type"]) if text.contains("AWS::SSM::") => {
                self.found.blockers.insert(Blocker::SsmParameterType);
            }
            Some(["Resources", _, "Type"]) => {
                *self.found.resources.entry(text.to_owned()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// Checks a tag, of which `!Transform` is one.
    fn tag(&mut self, tag: Option<&Tag>) -> Result<(), &'static str> {
        let Some(tag) = tag else { return Ok(()) };
        // `%TAG` and `!!` give a tag another meaning, which is not in its suffix.
        let is_plain = tag.handle == "!"
            && tag
                .suffix
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == ':');
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
