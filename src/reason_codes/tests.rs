use super::TABLE;

const PAGE: &str = include_str!("../../docs/runbook/reason-codes.md");

/// The sections of the page, each with its heading, such as `CFG-101: The request is incomplete`.
fn sections() -> Vec<(&'static str, &'static str)> {
    let sections = PAGE.split("\n## ").skip(1);
    sections
        .map(|section| section.split_once('\n').expect("a heading"))
        .collect()
}

#[test]
fn page_explains_each_code_in_order() {
    let headings: Vec<_> = sections().iter().map(|(heading, _)| *heading).collect();
    let codes = TABLE
        .iter()
        .map(|(code, heading)| format!("{code}: {heading}"));
    assert_eq!(headings, codes.collect::<Vec<_>>());
}

#[test]
fn each_section_has_meaning_cause_and_remedy() {
    for (heading, section) in sections() {
        let paragraphs: Vec<_> = section.trim().split("\n\n").collect();
        assert_eq!(paragraphs.len(), 3, "{heading}");
        for (name, paragraph) in ["Meaning", "Cause", "Remedy"].iter().zip(paragraphs) {
            assert!(paragraph.starts_with(&format!("**{name}:** ")), "{heading}");
            assert!(paragraph.ends_with('.'), "{heading}: {paragraph}");
        }
    }
}

#[test]
fn codes_ascend_and_have_a_subject() {
    assert!(TABLE.is_sorted_by(|(a, _), (b, _)| a < b), "{TABLE:?}");
    for (code, heading) in TABLE {
        assert!(!heading.ends_with('.'), "{heading}");
        let subject = code.get(..5).expect("a digit");
        assert!(PAGE.contains(&format!("| `{subject}…` | ")), "{code}");
    }
}
