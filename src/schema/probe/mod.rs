//! Properties in which everything is there, so that decoding asks for all that it knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cfn::ValidationErrors;
use crate::cfn::recorder;
use crate::cfn::recorder::{Kind, Recording, recorded};

/// What decoding asks for when everything is there.
pub struct Asked {
    /// Of what kind and form each member is.
    pub recording: Recording,
    /// The paths that it says are required.
    pub required: BTreeSet<String>,
}

/// Decodes again and again: what was asked for once is there from then on, as an empty object or a
/// list of one, until nothing new is asked for.
pub fn everything_asked(faults: fn(&Value) -> ValidationErrors) -> Asked {
    let mut there = BTreeMap::new();
    loop {
        let probe = with_all_of(&there);
        let (faults, recording) = recorded(|| faults(&probe));
        for (path, kind) in &recording.kinds {
            match kind {
                Kind::Any | Kind::Object | Kind::Map => {
                    there.entry(path.clone()).or_insert(json!({}));
                }
                // It may have been taken for an object until it was there.
                Kind::List => drop(there.insert(path.clone(), json!([{}]))),
                _ => {}
            }
        }
        if with_all_of(&there) == probe {
            let required = faults.0.iter().filter(|fault| fault.what == "is required");
            return Asked {
                required: required
                    .map(|fault| recorder::without_numbers(&fault.path))
                    .collect(),
                recording,
            };
        }
    }
}

/// Properties in which each of these paths is.
fn with_all_of(there: &BTreeMap<String, Value>) -> Value {
    let mut probe = json!({});
    // In their order a path comes after the one that it is in.
    for (path, value) in there {
        let parts: Vec<&str> = path.split('.').collect();
        let mut place = &mut probe;
        for part in &parts[..parts.len() - 1] {
            place = match part.strip_suffix("[]") {
                Some(list) => &mut place[list][0],
                None => &mut place[*part],
            };
        }
        let last = parts[parts.len() - 1];
        // An element is there already, with the list.
        if !last.ends_with("[]") {
            place[last] = value.clone();
        }
    }
    probe
}

#[cfg(test)]
mod tests;
