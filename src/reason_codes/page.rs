//! `docs/reason-codes.md` is generated from the table. Change it with
//! `CFN_GITOPS_WRITE_REASON_CODES=1 cargo test --lib reason_codes`.

use std::fmt::Write as _;
use std::path::Path;

use super::TABLE;

/// The subject of each first digit.
const SUBJECTS: [(u16, &str); 6] = [
    (1, "Requests and events"),
    (2, "Calls of AWS services"),
    (3, "The credential, its user and its secret"),
    (4, "GitLab and its mirrors"),
    (5, "Pipelines"),
    (6, "Rotation"),
];

const INTRODUCTION: &str = "# Reason codes

Every reason ends with a code, such as `CFG-302`. You find it in:

- the stack's events, as the `Reason` of a resource that failed
- the log of the function, in the field `code`
- the errors of rotations, first pushes and health checks
- the `Reason` of a success that leaves you something to do

The reason itself has the names, IDs and commands of your case. This page explains the code. A code
keeps its meaning in every version. If a reason has several entries, the code is that of the first.

<!-- Generated from src/reason_codes/table.rs, see src/reason_codes/page.rs. -->

| Codes | Subject |
|---|---|
";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (digit, subject) in SUBJECTS {
        let _ = writeln!(page, "| `CFG-{digit}…` | {subject} |");
    }
    for entry in TABLE {
        let _ = write!(
            page,
            "\n## {}: {}\n\n**Meaning:** {}\n\n**Cause:** {}\n\n**Remedy:** {}\n",
            entry.code(),
            entry.title,
            entry.meaning,
            entry.cause,
            entry.remedy
        );
    }
    page
}

#[test]
fn page_of_reason_codes_is_as_checked_in() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reason-codes.md");
    let page = page();
    if std::env::var_os("CFN_GITOPS_WRITE_REASON_CODES").is_some() {
        std::fs::write(&file, &page).expect("a file that can be written");
    }
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(page == checked_in, "{} differs", file.display());
}

#[test]
fn numbers_ascend_and_have_a_subject() {
    let numbers: Vec<u16> = TABLE.iter().map(|entry| entry.number).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    for number in numbers {
        let mut digits = SUBJECTS.iter().map(|(digit, _)| digit);
        assert!(digits.any(|digit| *digit == number / 100), "{number}");
    }
}

#[test]
fn texts_are_sentences() {
    for entry in TABLE {
        assert!(!entry.title.ends_with('.'), "{}", entry.title);
        for text in [entry.meaning, entry.cause, entry.remedy] {
            assert!(text.ends_with('.'), "{}: {text}", entry.code());
        }
    }
}
