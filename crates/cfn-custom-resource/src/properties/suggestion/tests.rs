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
