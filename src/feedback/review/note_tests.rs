//! The text of a note about the commits that its branch lacks.

use super::*;

#[test]
fn unknown_number_of_commits_behind_is_shown() {
    for (count, says) in [
        (Some(0), ""),
        (Some(1), "\nThe branch is 1 commit behind `main`. What"),
        (Some(2), "\nThe branch is 2 commits behind `main`. What"),
        (
            None,
            "\nThe branch may be behind `main`: GitLab does not show",
        ),
    ] {
        let mut note = String::new();
        write_behind(&mut note, count, "main");
        assert!(note.starts_with(says), "{note}");
        assert_eq!(note.is_empty(), says.is_empty(), "{note}");
    }
}
