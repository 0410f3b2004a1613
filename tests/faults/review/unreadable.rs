//! Files that CloudFormation does not take: the status fails, even if something else prevents a
//! change set.

use serde_json::{Value, json};

use crate::checks::{Others, check_harmless, check_note};
use crate::fixture::{LOGIN, Output, changed, configuration, deliver, in_account, push, succeed};
use crate::scenarios::{COMMIT, check_review_status, missing_stack};
use crate::secrecy::PARAMETER;
use fake_aws::FakeAws;

/// Templates, and a part of the note.
fn templates() -> Vec<(String, &'static str)> {
    let json = changed().to_string();
    let yaml = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n";
    vec![
        (json[..json.len() - 1].to_owned(), "not valid YAML (line"),
        (format!("\u{feff}{yaml}"), "byte order mark"),
        (format!("{yaml}    Properties: *a"), "(line 4, column"),
        (format!("Transform: [\n{yaml}"), "not valid YAML (line"),
        (format!("{yaml}\0"), "(line 4, column 1)"),
        ("not a template".to_owned(), "not a mapping"),
        (String::new(), "no resource"),
    ]
}

/// Template configurations, and a part of the note.
fn configurations() -> Vec<(String, &'static str)> {
    let json = configuration().to_string();
    vec![
        (String::new(), "not JSON"),
        (format!("\u{feff}{json}"), "byte order mark"),
        ("{\n  \"Parameters\": {},\n}".to_owned(), "line 3, column 1"),
        (
            r#"{"Parameters": {"Key": "x", "Stage": 1.10}}"#.to_owned(),
            "Parameters.Stage is a number",
        ),
        (
            format!(r#"[{{"ParameterKey": "Stage", "ParameterValue": "{PARAMETER}"}}]"#),
            "`dev.json` is not a template configuration: `it is not a JSON object`",
        ),
    ]
}

fn outputs() -> Vec<(Output, &'static str)> {
    let with_template = |(text, part): (String, _)| (Output::of(json!(text)), part);
    let with_configuration = |(text, part): (String, _)| {
        let configuration = Some(json!(text));
        let output = Output::of(changed());
        (
            Output {
                configuration,
                ..output
            },
            part,
        )
    };
    let of_templates = templates().into_iter().map(with_template);
    let of_configurations = configurations().into_iter().map(with_configuration);
    of_templates.chain(of_configurations).collect()
}

async fn check(fake: &FakeAws, output: &Output, part: &str) {
    let others = Others::of(fake);
    let build = push(fake, LOGIN, COMMIT);
    let event: Value = succeed(fake, &build, output);
    deliver(fake, &event, "review").await;
    check_harmless(fake, &others);
    check_note(fake, LOGIN.1, &build, part);
    check_note(fake, LOGIN.1, &build, "is not a template");
    check_review_status(fake, &build);
}

#[test]
fn unreadable_file_fails_with_its_place() {
    for (output, part) in outputs() {
        for is_missing in [false, true] {
            in_account(async |fake| {
                if is_missing {
                    missing_stack(fake);
                }
                check(fake, &output, part).await;
            });
        }
    }
}
