//! What decoding asks for, written down while a test watches: which members, of what kind, in
//! which form. Schemas are made of it, so that they say what the code that decodes does.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;

use super::Format;

/// Of what kind a member is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// It was looked at, and nothing more is known.
    Any,
    /// Text.
    String,
    /// Text of a form.
    Text(Format),
    /// True or false.
    Boolean {
        /// What it is when it is not there.
        default: bool,
    },
    /// A whole number.
    Number {
        /// At least this.
        least: u32,
        /// At most this.
        most: u32,
        /// What it is when it is not there.
        default: u32,
    },
    /// One of some words.
    OneOf(Vec<String>),
    /// An object of its own.
    Object,
    /// An object whose members have names that the template chooses, and are text.
    Map,
    /// A list.
    List,
}

impl Kind {
    /// How much is known by it.
    fn weight(&self) -> u8 {
        match self {
            Kind::Any => 0,
            Kind::String => 1,
            _ => 2,
        }
    }
}

/// All that a decoding asked for. Paths have `[]` where they have a number elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// What was asked for, by path.
    pub kinds: BTreeMap<String, Kind>,
    /// The objects that refuse what nobody asked for; the properties themselves have no path.
    pub closed: BTreeSet<String>,
}

thread_local! {
    static RECORDING: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// Runs `decoding`, and says what it asked for.
pub fn recorded<T>(decoding: impl FnOnce() -> T) -> (T, Recording) {
    RECORDING.with_borrow_mut(|recording| *recording = Some(Recording::default()));
    let decoded = decoding();
    let recording = RECORDING.with_borrow_mut(Option::take);
    (decoded, recording.unwrap_or_default())
}

/// Notes that what stands at `path` is of this kind, unless more is known of it.
pub(super) fn note(path: &str, kind: Kind) {
    RECORDING.with_borrow_mut(|recording| {
        let Some(recording) = recording else { return };
        let path = without_numbers(path);
        match recording.kinds.get(&path) {
            Some(known) if known.weight() > kind.weight() => {}
            Some(known) if kind.weight() == 2 && known.weight() == 2 => assert_eq!(
                discriminant(known),
                discriminant(&kind),
                "{path} is asked for as two things"
            ),
            _ => {
                recording.kinds.insert(path, kind);
            }
        }
    });
}

/// Notes that the object at `path` refuses what nobody asked for.
pub(super) fn note_closed(path: &str) {
    RECORDING.with_borrow_mut(|recording| {
        if let Some(recording) = recording {
            recording.closed.insert(without_numbers(path));
        }
    });
}

/// `Mirrors[].Key` of `Mirrors[7].Key`
pub fn without_numbers(path: &str) -> String {
    let mut parts = path.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| {
        let after = part.split_once(']').map_or("", |(_, after)| after);
        before + "[]" + after
    })
}

#[cfg(test)]
mod tests;
