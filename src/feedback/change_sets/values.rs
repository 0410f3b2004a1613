//! The values of parameters, and their removal from a text.

use std::collections::BTreeSet;
use std::ops::{Bound, Range};

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

/// The most bytes of a text that are shown.
const MAX_SHOWN_BYTES: usize = 1024;

/// The most bytes of a text, multiplied by those of the values. Their comparison takes about a
/// second of a function with 128 MB even if all begin alike. The author of a custom resource
/// chooses the text, and beside values of 64 KiB it could take minutes.
const MAX_COMPARISONS: usize = 32 * 1024 * 1024;

const ACCOUNT_DIGITS: usize = 12;

/// The values of an operation's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    known: Needles,
    /// The names of the parameters of [`Values::of`].
    names: BTreeSet<String>,
    are_incomplete: bool,
}

impl Values {
    /// The values of all parameters of an operation.
    pub fn all(known: impl IntoIterator<Item = String>) -> Self {
        let known = Vec::from_iter(known);
        if known.iter().map(String::len).sum::<usize>() > MAX_VALUE_BYTES {
            return Values::default().with_others();
        }
        let is_masked =
            |value: &String| value.len() >= MASKED.len() && value.bytes().all(|byte| byte == b'*');
        let are_incomplete = known.iter().any(is_masked);
        Values {
            known: Needles::of(&known),
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
    /// The result is cut off if it is long. It is `None` if a value may be left.
    pub(super) fn remover(&self, names: &ResourceNames) -> impl Fn(&str) -> Option<String> {
        let public = [&*names.env_id, &*names.project_id, "true", "false"];
        let public = public.map(|name| Essence::of(name).text);
        let (size, longest) = self.known.size();
        move |text| {
            // A value that begins in the shown part may be encoded in two digits for each byte. Of
            // a longer one, the beginning is recognized.
            let end = MAX_SHOWN_BYTES + MAX_SHOWN_BYTES.min(2 * longest);
            let end = text.floor_char_boundary(end);
            let text = text.get(..end)?;
            if text.len().saturating_mul(size) > MAX_COMPARISONS {
                return None;
            }
            let known = KnownValues {
                needles: &self.known,
                public: &public,
            };
            let mut ranges = known.removed_ranges(text);
            let shown_end = text.floor_char_boundary(MAX_SHOWN_BYTES);
            if shown_end < text.len() {
                ranges.push(shown_end..text.len());
            }
            let shown = with_ranges_replaced(text, ranges, HIDDEN);
            (!known.may_be_in(&shown)).then_some(shown)
        }
    }

    /// Whether they are those of all parameters that `others` are of.
    pub fn have_all_names_of(&self, others: &Values) -> bool {
        self.names.is_superset(&others.names)
    }

    /// These values, and those of an earlier operation, or of the stack that contains this one.
    #[must_use]
    pub fn and(mut self, others: &Values) -> Self {
        self.known.add(&others.known);
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

/// The texts to remove, prepared once for all texts about an operation: in lower case, because some
/// services change the case of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Needles {
    /// The values as they are, and as JSON has them.
    forms: BTreeSet<String>,
    /// The same from their end to their beginning.
    reversed: BTreeSet<String>,
    /// The letters and digits of long ones, whose other characters may have changed.
    essences: BTreeSet<String>,
}

impl Needles {
    fn of(values: &[String]) -> Self {
        let mut needles = Needles::default();
        for value in values {
            let value = one_line(value).to_ascii_lowercase();
            // `Ref` of a `CommaDelimitedList` is a list.
            let parts = value.split(',').map(str::trim).chain([&*value]);
            // Any text has a hyphen.
            for part in parts.filter(|part| part.contains(char::is_alphanumeric)) {
                let quoted = serde_json::Value::from(part).to_string();
                for form in [part, quoted.trim_matches('"')] {
                    needles.reversed.insert(form.chars().rev().collect());
                    needles.forms.insert(form.to_owned());
                }
                let essence = Essence::of(part).text;
                if essence.chars().count() >= MIN_ESSENCE {
                    needles.essences.insert(essence);
                }
            }
        }
        needles
    }

    fn add(&mut self, others: &Needles) {
        self.forms.extend(others.forms.iter().cloned());
        self.reversed.extend(others.reversed.iter().cloned());
        self.essences.extend(others.essences.iter().cloned());
    }

    /// The bytes of all forms, and of the longest one.
    fn size(&self) -> (usize, usize) {
        let lengths = self.forms.iter().map(String::len);
        lengths.fold((0, 0), |(all, longest), one| (all + one, longest.max(one)))
    }

    /// The places of values in a text of lower case: as they are, and cut off at their end or their
    /// beginning.
    fn places(&self, text: &str) -> Vec<Range<usize>> {
        let goes_on = |rest: &str| rest.starts_with("...") || rest.starts_with(HIDDEN);
        let is_cut = |rest: &str| rest.is_empty() || goes_on(rest);
        let mut found = places(text, &self.forms, is_cut);
        // At the beginning of a text, it is the name `Queue` rather than a part of `orders-queue`.
        let reversed: String = text.chars().rev().collect();
        let of_ends = places(&reversed, &self.reversed, goes_on);
        let from_end = |range: Range<usize>| text.len() - range.end..text.len() - range.start;
        found.extend(of_ends.into_iter().map(from_end));
        found
    }
}

/// The places in a text that one of `values` has. At least [`MIN_CHARACTERS`] of it may be there,
/// if `is_cut` of the text behind them. A shorter one of letters and digits has to be a word.
fn places(
    text: &str,
    values: &BTreeSet<String>,
    is_cut: impl Fn(&str) -> bool,
) -> Vec<Range<usize>> {
    let (mut found, mut before) = (vec![], None);
    for (at, first) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
        let mut beginnings = ends.take(MIN_CHARACTERS).filter_map(|end| rest.get(..end));
        let is_part = |c: char| c.is_alphanumeric();
        let is_value = |short: &&str| {
            let behind = rest.get(short.len()..).unwrap_or_default();
            let is_word = !before.is_some_and(is_part) && !behind.starts_with(is_part);
            values.contains(*short) && (is_word || !short.chars().all(is_part))
        };
        let short = beginnings
            .by_ref()
            .take(MIN_CHARACTERS - 1)
            .filter(is_value)
            .map(str::len)
            .max();
        let of_long = |beginning: &str| {
            let alike = values.range::<str, _>((Bound::Included(beginning), Bound::Unbounded));
            let alike = alike.take_while(|value| value.starts_with(beginning));
            let length = |value: &String| {
                let pairs = rest.bytes().zip(value.bytes());
                let same = pairs.take_while(|(one, other)| one == other).count();
                let same = rest.floor_char_boundary(same);
                (same == value.len() || is_cut(rest.get(same..)?)).then_some(same)
            };
            alike.filter_map(length).max()
        };
        let long = beginnings.next().and_then(of_long);
        found.extend(long.or(short).map(|length| at..at + length));
        before = Some(first);
    }
    found
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

/// The values that may not be shown.
struct KnownValues<'a> {
    needles: &'a Needles,
    /// The letters and digits of those that each note has.
    public: &'a [String],
}

impl KnownValues<'_> {
    /// The places of values, account numbers and keys of objects. They may overlap.
    fn removed_ranges(&self, text: &str) -> Vec<Range<usize>> {
        let mut ranges = account_ranges(text);
        ranges.extend(self.places(text));
        let essence = Essence::of(text);
        let same = places(&essence.text, &self.needles.essences, |_| false);
        let same = same.into_iter().filter_map(|range| essence.place(&range));
        ranges.extend(same.filter(|range| self.is_secret(text, range)));
        let of_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        ranges.extend(words(text, of_base64).filter(|word| {
            let encoded = text.get(word.clone()).unwrap_or_default();
            let decoded = [decoded(encoded), of_hex(encoded)];
            decoded.iter().flatten().any(|decoded| !self.places(decoded).is_empty())
        }));
        ranges
    }

    fn places(&self, text: &str) -> Vec<Range<usize>> {
        let mut places = self.needles.places(&text.to_ascii_lowercase());
        places.retain(|range| self.is_secret(text, range));
        places
    }

    fn is_secret(&self, text: &str, range: &Range<usize>) -> bool {
        let found = Essence::of(text.get(range.clone()).unwrap_or_default());
        !self.public.contains(&found.text)
    }

    /// Whether one may be left in another form: CloudFormation may have returned the reason, or the
    /// values, with `?`, an address is percent-encoded, and a page has entities of HTML.
    fn may_be_in(&self, shown: &str) -> bool {
        let garbled = ascii::comparable(&shown.replace(HIDDEN, "").to_ascii_lowercase());
        let is_returned = |value: &String| {
            let value = ascii::comparable(value);
            value.contains('?') && garbled.contains(&value)
        };
        let decoded = percent_decode_str(shown).decode_utf8_lossy();
        let decoded = || without_entities(&decoded.to_ascii_lowercase());
        self.needles.forms.iter().any(is_returned)
            || shown.contains(['%', '&']) && !self.places(&decoded()).is_empty()
    }
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
    let whole = base64::decode(format!("{bare}{padding}"));
    // One that is cut off has as many groups of four as are left.
    let decoded = whole.or_else(|_| base64::decode(bare.get(..bare.len() / 4 * 4).unwrap_or("")));
    let decoded = decoded.ok()?;
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

    /// The place in the text of a range of its letters and digits.
    fn place(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let (first, last) = (
            self.places.get(range.start)?,
            self.places.get(range.end - 1)?,
        );
        Some(first.start..last.end)
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
