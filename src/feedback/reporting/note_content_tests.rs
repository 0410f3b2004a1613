//! The content of a note, and the edits that are noticed.

use serde_json::json;

use super::*;
use crate::clients::gitlab::{Admitted, ProjectDetails};
use crate::feedback::approval::Doubt;
use crate::feedback::change_sets::{Change, Effect, Recreation};
use crate::feedback::reporting::note;
use crate::feedback::reporting::note::tests::with_note;
use crate::gitops_pipeline::settings::approval_tags::{ApprovalTag, Decision, Exposure};

fn tags() -> [ApprovalTag; 2] {
    ["reject", "deploy"].map(|decision| {
        let name = format!("{decision}/dev/shop/0123456789abcdef");
        ApprovalTag::parse(&name).expect("a tag")
    })
}

fn change(effect: Effect, logical_id: &str, properties: &[&str]) -> Change {
    let properties = properties.iter().map(|name| ((*name).to_owned(), Recreation::Always));
    Change {
        effect,
        logical_id: logical_id.to_owned(),
        resource_type: "AWS::RDS::DBInstance".to_owned(),
        is_updated: true,
        is_deleted: true,
        drift: None,
        properties: properties.collect(),
    }
}

fn changes() -> Vec<Change> {
    vec![
        change(Effect::Replace, "Database", &["Engine"]),
        change(Effect::Remove, "Orders", &[]),
        change(
            Effect::Modify,
            "Queue",
            &["DelaySeconds", "<!--[x]: \\~$$|"],
        ),
    ]
}

fn note_of(changes: &[Change]) -> String {
    let project = json!({"id": 42, "path_with_namespace": "p", "web_url": "https://gitlab/p"});
    let project = ProjectDetails::parse(&project).expect("a project");
    with_note(|of| of.waiting(changes) + &of.tags(&project, &tags()))
}

fn doubts() -> String {
    let pattern = "`<x>[y](z)\u{202e}".to_owned();
    let doubts = [
        Doubt::NotMaintainer,
        Doubt::Exposed(Exposure::Unprotected(
            "deploy/x".to_owned(),
            Decision::Deploy,
        )),
        Doubt::Exposed(Exposure::Admits(
            pattern,
            Admitted::Developers,
            Decision::Deploy,
        )),
        Doubt::Exposed(Exposure::PushingJobs),
    ];
    note::doubts(&doubts.map(|doubt| (tags()[1].name(), doubt)))
}

/// The parts that may change while a tag waits for its decision, and another version's words.
#[test]
fn note_with_other_words_shows_the_same() {
    let expected = note_of(&changes());
    let rights = "\n**Pipelines may not create `AWS::SQS::Queue` (`sqs:CreateQueue`) in `dev`.**\n\nSet \
        PermissionsBoundary: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/x.\n";
    for (name, note) in [
        ("the same", expected.clone()),
        (
            "without the last line break",
            expected.trim_end().to_owned(),
        ),
        ("GitLab's line breaks", expected.replace('\n', "\r\n")),
        ("rights", expected.clone() + rights),
        ("doubts", expected.clone() + &doubts()),
        (
            "other words",
            expected.replace("A Maintainer decides by a tag", "Decide by a tag"),
        ),
        (
            "another headline",
            expected.replace("wait for an approval", "have to be approved"),
        ),
        (
            "another link's text",
            expected.replace("[execution]", "[the execution]"),
        ),
        (
            "words of a row",
            expected.replace("**replaced** because of", "replaced, by"),
        ),
    ] {
        assert!(shows_the_same(&note, &expected), "{name}: {note}");
    }
    for changes in [vec![], vec![change(Effect::Add, "A", &[]); 101]] {
        let note = note_of(&changes);
        assert!(shows_the_same(&note, &note), "{note}");
    }
}

// claim: edited-note-decides-nothing
#[test]
#[allow(clippy::too_many_lines)] // A table of cases.
fn note_that_shows_something_else_differs() {
    let expected = note_of(&changes());
    let row = expected.lines().find(|line| line.contains("Database")).expect("a row");
    let head = "|---|---|---|\n";
    let without = |text: &str| expected.replace(text, "");
    let with = |text: &str| expected.clone() + text;
    let around =
        |before: &str, after: &str| expected.replace(row, &format!("{before}{row}{after}"));
    for (name, note) in [
        ("a removed row", without(&format!("{row}\n"))),
        (
            "all rows removed",
            expected[..expected.find("| Resource").expect("a table")].to_owned(),
        ),
        (
            "another resource",
            expected.replace("`Database`", "`Cache`"),
        ),
        (
            "another type",
            expected.replace("`AWS::RDS::DBInstance`", "`AWS::SQS::Queue`"),
        ),
        (
            "another kind",
            expected.replace("**replaced** because of", "modified:"),
        ),
        (
            "another count",
            expected.replace("1 **replaced**", "1 modified"),
        ),
        (
            "a head of fewer columns",
            expected
                .replace("| Resource | Type | Change |", "| Resource |")
                .replace(head, "|---|\n"),
        ),
        (
            "a head of fewer columns and the former one",
            expected.replace("| Resource |", "| Resource |\n|---|\n| Resource |"),
        ),
        (
            "a head with other words",
            expected.replace("| Change |", "| Former change |"),
        ),
        ("another property", expected.replace("`Engine`", "`Tags`")),
        (
            "another commit",
            expected.replacen("`c0ffee`", "`c0ffef`", 1),
        ),
        (
            "another stack",
            expected.replace("`cfnstack-dev-shop`", "`cfnstack-prd-shop`"),
        ),
        ("another environment", expected.replace("`dev`", "`test`")),
        (
            "the next tag",
            expected.replace("0123456789abcdef", "0123456789abcdef-2"),
        ),
        (
            "another tag's target",
            expected.replace("%2Fdev%2F", "%2Fprd%2F"),
        ),
        (
            "another tag's text",
            expected.replace("`deploy/dev/", "`deploy/prd/"),
        ),
        (
            "both tags exchanged",
            expected
                .replace("deploy/", "x/")
                .replace("reject/", "deploy/")
                .replace("x/", "reject/"),
        ),
        (
            "another commit of a tag",
            expected.replace("&ref=c0ffee", "&ref=main"),
        ),
        (
            "another execution",
            expected.replace("/executions/e1/", "/executions/e2/"),
        ),
        (
            "a row of another resource",
            around("| `More` | `AWS::SQS::Queue` | added |\n", ""),
        ),
        (
            "a row without code",
            around("| More | AWS::SQS::Queue | added |\n", ""),
        ),
        (
            "a row struck out",
            expected.replace("`Database`", "~~`Database`~~"),
        ),
        (
            "a row as a formula",
            expected.replace("`Database`", "$`Database`$"),
        ),
        (
            "a property as a formula",
            expected.replace("`Engine`", "$`Engine`$"),
        ),
        (
            "a commit as a formula",
            expected.replacen("`c0ffee`", "$`c0ffee`$", 1),
        ),
        ("a row in a quote", around("> ", "")),
        ("a row in a list", around("- ", "")),
        ("the table in a comment", around("<!--\n", "\n-->")),
        (
            "the table in an element",
            expected.replace(head, &format!("{head}<details>\n")),
        ),
        ("the table in a code block", around("```\n", "\n```")),
        ("the table in another code block", around("~~~\n", "\n~~~")),
        ("the table as a formula", around("$$\n", "\n$$")),
        (
            "a comment that the marker begins",
            expected.replacen(" -->", " --><!--", 1),
        ),
        ("another link", with("[more](https://evil.example)")),
        ("a relative link", with("[more](/group/project)")),
        ("an address", with("https://evil.example")),
        ("an address without a scheme", with("www.evil.example")),
        ("an address in brackets", with("<https://evil.example>")),
        ("a reference", with("[more]: https://evil.example")),
        ("a link to a reference", with("[more][1]")),
        ("an image", expected.replace("[execution]", "![execution]")),
        (
            "a missing link",
            expected.replace(
                "[execution](https://console/pipelines/p/executions/e1/timeline)",
                "",
            ),
        ),
        (
            "an escaped link",
            expected.replace("[execution]", "\\[execution]"),
        ),
        (
            "a link's title",
            expected.replace("/timeline)", "/timeline \"x\")"),
        ),
        ("an indented row", around("    ", "")),
        ("an invisible character", with("\u{202e}")),
        ("an open code span", with("`")),
        ("a longer code span", with("``x``")),
        ("nothing", String::new()),
        (
            "its marker alone",
            expected.lines().next().expect("a line").to_owned(),
        ),
    ] {
        assert!(note != expected, "{name}: the note is the same");
        assert!(!shows_the_same(&note, &expected), "{name}: {note}");
    }
}
