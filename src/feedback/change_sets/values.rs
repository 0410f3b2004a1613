//! The values of parameters, and their removal from a text.

use std::collections::BTreeSet;
use std::ops::Range;

use aws_sdk_cloudformation::types::Parameter;
use aws_smithy_types::base64;
use percent_encoding::percent_decode_str;

use super::form::HIDDEN;
use crate::common::ascii;
use crate::common::one_line::one_line;
use crate::gitops_pipeline::names::ResourceNames;

/// CloudFormation's value of a `NoEcho` parameter.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>
const MASKED: &str = "****";

/// A shorter value, such as `1`, is part of many words. It counts only as a word of its own. A
/// shorter beginning of a value is not recognized.
const MIN_CHARACTERS: usize = 4;

/// A value with as many letters and digits is also recognized with others between them: `Fn::Join`
/// of `Fn::Split` changes them.
const MIN_ESSENCE: usize = 6;

/// The fewest characters of a text that is decoded from Base64 or hexadecimal digits.
const MIN_ENCODED: usize = 8;

/// Values that are longer together are not compared: the function has little time for a report.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

const ACCOUNT_DIGITS: usize = 12;

/// The values of an operation's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    known: Vec<String>,
    /// The names of the parameters of [`Values::of`].
    names: BTreeSet<String>,
    are_incomplete: bool,
}

impl Values {
    /// The values of all parameters of an operation.
    pub fn all(known: Vec<String>) -> Self {
        if known.iter().map(String::len).sum::<usize>() > MAX_VALUE_BYTES {
            return Values::default().with_others();
        }
        let is_masked =
            |value: &String| value.len() >= MASKED.len() && value.bytes().all(|byte| byte == b'*');
        let are_incomplete = known.iter().any(is_masked);
        Values {
            known,
            are_incomplete,
            ..Values::default()
        }
    }

    /// The values of a stack or of a change set, also those that CloudFormation read from Parameter
    /// Store. A parameter that CloudFormation returns without its value has one, too.
    pub fn of<'a>(parameters: impl IntoIterator<Item = &'a Parameter>) -> Self {
        let (mut known, mut names, mut is_one_unknown) = (vec![], BTreeSet::new(), false);
        for parameter in parameters {
            names.extend(parameter.parameter_key().map(ToOwned::to_owned));
            let value = parameter.parameter_value();
            is_one_unknown |= value.is_none();
            let value = value.into_iter().chain(parameter.resolved_value());
            known.extend(value.map(ToOwned::to_owned));
        }
        let mut values = Values::all(known);
        values.are_incomplete |= is_one_unknown;
        values.names = names;
        values
    }

    /// Whether a value is not among them: it is masked, or could not be read.
    pub fn are_incomplete(&self) -> bool {
        self.are_incomplete
    }

    /// Removes these values, account numbers and the keys of objects in S3 from a text of one line.
    /// The result is `None` if a value may be left.
    pub(super) fn remover(&self, names: &ResourceNames) -> impl Fn(&str) -> Option<String> {
        let parts = parts(&self.known, names);
        move |text| {
            let shown = with_ranges_replaced(text, removed_ranges(text, &parts), HIDDEN);
            (!may_contain(&shown, &parts)).then_some(shown)
        }
    }

    /// Whether they are those of all parameters that `others` are of.
    pub fn have_all_names_of(&self, others: &Values) -> bool {
        self.names.is_superset(&others.names)
    }

    /// These values, and those of an earlier operation, or of the stack that contains this one.
    #[must_use]
    pub fn and(mut self, others: &Values) -> Self {
        self.known.extend(others.known.iter().cloned());
        self.names.extend(others.names.iter().cloned());
        self.are_incomplete |= others.are_incomplete;
        self
    }

    /// These values, and others that are unknown.
    #[must_use]
    pub fn with_others(self) -> Self {
        Values {
            are_incomplete: true,
            ..self
        }
    }

    /// The known values: the reason is that of an action which gets no other ones.
    #[must_use]
    pub fn without_others(self) -> Self {
        Values {
            are_incomplete: false,
            ..self
        }
    }
}

/// The texts to remove. `Ref` of a `CommaDelimitedList` is a list.
fn parts(values: &[String], names: &ResourceNames) -> BTreeSet<String> {
    let values = values.iter().map(|value| one_line(value));
    let parts = values.flat_map(|value| {
        let elements: Vec<String> = value.split(',').map(|it| it.trim().to_owned()).collect();
        elements.into_iter().chain([value])
    });
    let is_public =
        |value: &str| [&*names.env_id, &*names.project_id, "true", "false"].contains(&value);
    // Any text has a hyphen.
    parts
        .filter(|part| part.contains(char::is_alphanumeric) && !is_public(part))
        .collect()
}

/// The places of account numbers and keys of objects.
fn account_ranges(text: &str) -> Vec<Range<usize>> {
    let is_account = |word: &Range<usize>| word.len() == ACCOUNT_DIGITS;
    let accounts = words(text, |c| c.is_ascii_digit()).filter(is_account);
    // The keys of artifacts protect them.
    let mut end_of_last = 0;
    let keys = text.match_indices(":s3:::").filter_map(|(at, _)| {
        // The last one contains it. A text of these alone would take quadratic time.
        if at < end_of_last {
            return None;
        }
        let rest = text.get(at..)?;
        let end = rest.find([' ', '"', '\'', ',', ')']).unwrap_or(rest.len());
        end_of_last = at + end;
        Some(at + rest.get(..end)?.find('/')? + 1..at + end)
    });
    accounts.chain(keys).collect()
}

/// The places of values, account numbers and keys of objects. They may overlap.
fn removed_ranges(text: &str, parts: &BTreeSet<String>) -> Vec<Range<usize>> {
    let mut ranges = account_ranges(text);
    let (essence, lower) = (Essence::of(text), text.to_ascii_lowercase());
    let of_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let encoded = words(text, of_base64).flat_map(|word| {
        let encoded = text.get(word.clone()).unwrap_or_default();
        let decoded = [decoded(encoded), of_hex(encoded)];
        let decoded = decoded.into_iter().flatten();
        decoded.map(move |decoded| (word.clone(), decoded.to_ascii_lowercase()))
    });
    let encoded: Vec<_> = encoded.collect();
    for part in parts {
        ranges.extend(value_ranges(&lower, part));
        ranges.extend(essence.ranges(part));
        let has_it = |(_, decoded): &&(_, String)| !value_ranges(decoded, part).is_empty();
        ranges.extend(encoded.iter().filter(has_it).map(|(word, _)| word.clone()));
    }
    ranges
}

/// The places of a value in a text of lower case: as it is, as JSON has it, and cut off at its
/// beginning or its end.
fn value_ranges(text: &str, part: &str) -> Vec<Range<usize>> {
    // Some services change the case of names.
    let part = part.to_ascii_lowercase();
    let is_word = part.chars().all(char::is_alphanumeric);
    if is_word && part.chars().count() < MIN_CHARACTERS {
        let words = words(text, char::is_alphanumeric);
        return words.filter(|word| text.get(word.clone()) == Some(&part)).collect();
    }
    let quoted = serde_json::Value::from(part.as_str()).to_string().trim_matches('"').to_owned();
    let mut ranges = vec![];
    for form in BTreeSet::from([part, quoted]) {
        let found = text.match_indices(&form);
        ranges.extend(found.map(|(at, _)| at..at + form.len()));
        let beginning: String = form.chars().take(MIN_CHARACTERS).collect();
        let cut = text.match_indices(&beginning).filter_map(|(at, _)| {
            let length = cut_off(text.get(at..)?, &form)?;
            Some(at..at + length)
        });
        ranges.extend(cut);
        ranges.extend(without_beginning(text, &form));
    }
    ranges
}

/// The length of the beginning of `value` with which `text` begins, if the value is cut off there:
/// AWS shortens long reasons.
fn cut_off(text: &str, value: &str) -> Option<usize> {
    let pairs = text.chars().zip(value.chars());
    let same = pairs.take_while(|(one, other)| one == other);
    let (mut characters, mut length) = (0, 0);
    for (one, _) in same {
        characters += 1;
        length += one.len_utf8();
    }
    let rest = text.get(length..)?;
    let is_cut = rest.is_empty() || rest.starts_with("...") || rest.starts_with(HIDDEN);
    (is_cut && characters >= MIN_CHARACTERS).then_some(length)
}

/// The places of the end of `value` whose beginning is cut off.
fn without_beginning(text: &str, value: &str) -> Vec<Range<usize>> {
    let first = value.char_indices().rev().nth(MIN_CHARACTERS - 1);
    let end = first.and_then(|(at, _)| value.get(at..));
    let Some(end) = end.filter(|end| end.len() < value.len()) else {
        return vec![];
    };
    let found = text.match_indices(end).filter_map(|(at, _)| {
        let end = at + end.len();
        let pairs = text.get(..end)?.chars().rev().zip(value.chars().rev());
        let same = pairs.take_while(|(one, other)| one == other);
        let start = end - same.map(|(one, _)| one.len_utf8()).sum::<usize>();
        let before = text.get(..start)?;
        // At the beginning of a text, it is the name `Queue` rather than a part of `orders-queue`.
        let is_cut = before.ends_with("...") || before.ends_with(HIDDEN);
        is_cut.then_some(start..end)
    });
    found.collect()
}

/// The text that a word of hexadecimal digits encodes.
fn of_hex(word: &str) -> Option<String> {
    if word.len() < MIN_ENCODED {
        return None;
    }
    let digits: Option<Vec<u32>> = word.chars().map(|c| c.to_digit(16)).collect();
    let bytes = digits?;
    let bytes = bytes
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit));
    let bytes: Vec<u8> = bytes.filter_map(|byte| u8::try_from(byte).ok()).collect();
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `text` with the characters for which HTML has entities.
fn without_entities(text: &str) -> String {
    let entities = [
        "&lt;<", "&gt;>", "&quot;\"", "&#34;\"", "&#39;'", "&#x27;'", "&apos;'", "&amp;&",
    ];
    let entities = entities.iter().filter_map(|it| it.split_at_checked(it.len() - 1));
    entities.fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c))
}

/// The text that a word in Base64 encodes.
fn decoded(word: &str) -> Option<String> {
    let bare = word.trim_end_matches('=');
    if bare.len() < MIN_ENCODED {
        return None;
    }
    let padding = "=".repeat((4 - bare.len() % 4) % 4);
    let decoded = base64::decode(format!("{bare}{padding}")).ok()?;
    Some(String::from_utf8_lossy(&decoded).into_owned())
}

/// The letters and digits of a text, with the place of each.
struct Essence {
    text: String,
    /// The range of each byte's character in the text.
    places: Vec<Range<usize>>,
}

impl Essence {
    fn of(text: &str) -> Self {
        let (mut essence, mut places) = (String::new(), vec![]);
        for (at, c) in text.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
            essence.push(c.to_ascii_lowercase());
            places.resize(essence.len(), at..at + c.len_utf8());
        }
        Essence {
            text: essence,
            places,
        }
    }

    /// The places of a value whose other characters may have changed.
    fn ranges(&self, value: &str) -> Vec<Range<usize>> {
        let essence = Essence::of(value).text;
        if essence.chars().count() < MIN_ESSENCE {
            return vec![];
        }
        let found = self.text.match_indices(&essence).filter_map(|(at, _)| {
            let (first, last) = (
                self.places.get(at)?,
                self.places.get(at + essence.len() - 1)?,
            );
            Some(first.start..last.end)
        });
        found.collect()
    }
}

/// The longest runs of characters of a kind.
fn words(text: &str, is_of_kind: impl Fn(char) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0;
    std::iter::from_fn(move || {
        let start = end + text.get(end..)?.find(&is_of_kind)?;
        let rest = text.get(start..)?;
        end = start + rest.find(|c| !is_of_kind(c)).unwrap_or(rest.len());
        Some(start..end)
    })
}

/// `text` with `by` in place of each range, and once in place of those that overlap or touch.
pub fn with_ranges_replaced(text: &str, mut ranges: Vec<Range<usize>>, by: &str) -> String {
    ranges.sort_by_key(|range| range.start);
    let (mut shown, mut end, mut is_removed) = (String::new(), 0, false);
    for range in ranges {
        if !is_removed || range.start > end {
            shown.push_str(text.get(end..range.start).unwrap_or_default());
            shown.push_str(by);
        }
        (end, is_removed) = (end.max(range.end), true);
    }
    shown + text.get(end..).unwrap_or_default()
}

/// Whether a value may be left in another form: CloudFormation may have returned the reason, or the
/// values, with `?`, an address is percent-encoded, and a page has entities of HTML.
fn may_contain(shown: &str, parts: &BTreeSet<String>) -> bool {
    let garbled = ascii::comparable(&shown.replace(HIDDEN, ""));
    let decoded = percent_decode_str(shown).decode_utf8_lossy();
    let decoded = without_entities(&decoded.to_ascii_lowercase());
    parts.iter().any(|part| {
        let comparable = ascii::comparable(part);
        let is_encoded = shown.contains(['%', '&']) && !value_ranges(&decoded, part).is_empty();
        is_encoded || comparable.contains('?') && garbled.contains(&comparable)
    })
}
