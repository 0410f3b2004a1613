//! Which name the author of a template meant by an unknown one.

/// The known name that differs from `name` by at most two edits and a third of its length, ignoring
/// case; `None` if there is none.
pub fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Names come from outside and can have any length.
    if name.len() > 64 {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let distances = known.map(|known| (distance(&name, &known.to_ascii_lowercase()), known));
    let (distance, known) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && 3 * distance <= name.len()).then_some(known)
}

/// The Levenshtein distance: how many characters are inserted, removed or replaced.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (n, character) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = n + 1;
        for (m, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *other);
            diagonal = row[m + 1];
            row[m + 1] = replaced.min(diagonal + 1).min(row[m] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_within_two_edits_is_suggested() {
        let known = ["UserName", "SecretName", "Tags"];
        for (name, expected) in [
            ("Username", Some("UserName")),
            ("UserNme", Some("UserName")),
            ("SecrtNames", Some("SecretName")),
            ("Tag", Some("Tags")),
            ("Mirrors", None),
            ("Key", None),
        ] {
            assert_eq!(closest(name, known.into_iter()), expected, "{name}");
        }
        assert_eq!(closest(&"x".repeat(5000), known.into_iter()), None);
    }

    #[test]
    fn distance_counts_insertions_removals_and_replacements() {
        for (from, to, expected) in [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3)] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
