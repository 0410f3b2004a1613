//! Content of a branch that would make a note do more than show it: GitLab's quick actions and
//! Markdown.

use expect_test::expect;
use serde_json::{Value, json};

use crate::checks::{Others, check_harmless, own_notes};
use crate::fixture::{
    LOGIN, Output, STACK, changed, check_health_for_a_day, configuration, deliver, deployed,
    in_account, push, succeed,
};
use fake_aws::{FakeAws, Schedules, redacted};

/// Texts that are an action or markup outside of code.
const HOSTILE: [&str; 12] = [
    "/merge",
    "\n/merge",
    "\r\n/approve",
    "\n\n/assign @attacker\n",
    "`\n/close",
    "```\n/close\n```",
    "` @all `",
    "|\n/merge|",
    "<!-- -->\n/label ~x",
    "\u{2028}/merge",
    "\u{85}/merge\u{2029}/merge",
    "![x](https://attacker.example.com/x.png)<img src=x>",
];

/// Where the branch has such a text, in its template or in its template configuration.
type Place = (&'static str, fn(&FakeAws, &str, &mut Value, &mut Value));

const PLACES: [Place; 6] = [
    ("logical ID", |_, text, template, _| {
        template["Resources"][text] = json!({"Type": "AWS::SQS::Queue"});
    }),
    ("type", |_, text, template, _| {
        template["Resources"]["New"] = json!({"Type": text});
    }),
    (
        "type in a template without a change set",
        |_, text, template, _| {
            template["Resources"]["New"] = json!({"Type": text});
            template["Transform"] = json!("AWS::Include");
        },
    ),
    ("CloudFormation's reason", |fake, text, template, _| {
        template["Resources"]["New"] = json!({"Type": "AWS::SQS::Queue"});
        fake.fail_next_change_set(STACK, text);
    }),
    ("parameter without a value", |_, text, template, _| {
        template["Parameters"][text] = json!({"Type": "String"});
    }),
    (
        "member of the configuration",
        |_, text, _, configuration| {
            configuration[text] = json!({});
        },
    ),
];

/// The text of a note outside of code. Within a line, a backtick begins code, and the next one ends
/// it.
fn outside_of_code(note: &str) -> String {
    let lines = note.lines().map(|line| {
        let parts: Vec<&str> = line.split('`').collect();
        assert_eq!(parts.len() % 2, 1, "code that does not end: {line}");
        let outside: Vec<&str> = parts.into_iter().step_by(2).collect();
        outside.join("`")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn check_is_code(note: &str, text: &str) {
    // Each kind of line break that GitLab's parsers may know.
    let is_break = |c: char| "\n\r\u{0b}\u{0c}\u{85}\u{2028}\u{2029}".contains(c);
    for line in note.split(is_break) {
        assert!(!line.trim_start().starts_with('/'), "an action in {note:?}");
    }
    let outside = outside_of_code(note);
    for part in "/merge /close /assign /label @all <img ![".split(' ') {
        assert!(!outside.contains(part), "{text:?} is not code in {note:?}");
    }
    assert_eq!(outside.matches("<!--").count(), 1, "{note:?}");
}

#[test]
fn text_of_a_branch_stays_code() {
    let mut schedules = Schedules::default();
    for (place, write) in PLACES {
        for text in HOSTILE {
            schedules.run(format!("{place}: {text:?}"), || {
                in_account(async |fake| {
                    let others = Others::of(fake);
                    let (mut template, mut configuration) = (deployed(), configuration());
                    write(fake, text, &mut template, &mut configuration);
                    let output = Output {
                        template,
                        configuration: Some(configuration),
                    };
                    note_about(fake, &output).await;
                    check_health_for_a_day(fake).await;
                    check_harmless(fake, &others);
                    let notes = own_notes(fake, LOGIN.1);
                    assert_eq!(notes.len(), 1);
                    check_is_code(&notes[0], text);
                });
            });
        }
    }
    schedules.report("texts of a branch in notes");
}

/// The function's only note about this output of a build.
async fn note_about(fake: &FakeAws, output: &Output) -> String {
    let build = push(fake, LOGIN, "c1");
    let event = succeed(fake, &build, output);
    let others = Others::of(fake);
    deliver(fake, &event, "event").await;
    check_harmless(fake, &others);
    let mut notes = own_notes(fake, LOGIN.1);
    assert_eq!(notes.len(), 1, "{notes:?}");
    notes.remove(0)
}

/// The author of a branch chooses the encoding, and writes the text around it.
#[test]
fn encoded_value_in_a_reason_is_hidden() {
    for encoded in ["aHVudGVyMnNlY3JldA==", "2 h u n t e r", "68756e74657232"] {
        for reason in [
            format!("Template error: Unable to get mapping for M::{encoded}::k"),
            format!("{encoded} already exists"),
            format!("Transform 1::M failed with: {encoded}"),
            format!(
                "Parameter validation failed: parameter value {encoded} for parameter name Size does not exist"
            ),
            format!("Circular dependency between resources: [A] {encoded}"),
        ] {
            in_account(async |fake| {
                fake.fail_next_change_set(STACK, &reason);
                let note = note_about(fake, &Output::of(changed())).await;
                assert!(!note.contains(encoded), "{note}");
            });
        }
    }
}

/// Decoded, it would need up to 90 times its size in memory.
#[test]
fn large_configuration_is_not_decoded() {
    in_account(async |fake| {
        let mut output = Output::of(changed());
        let configuration = output.configuration.as_mut().expect("a configuration");
        configuration["StackPolicy"] = json!(vec![json!({"a": 0}); 40_000]);
        let note = note_about(fake, &output).await;
        expect![[r#"
            <!-- cfn-gitops review dev/shop 123456789012/eu-central-1 build <uuid> -->
            **No change set for `dev`**: [build](https://eu-central-1.console.aws.amazon.com/codesuite/codebuild/123456789012/projects/codebuild-dev-review-shop/build/codebuild-dev-review-shop%3A<uuid>#123456789012)

            Commit `c1`: `dev.json` is larger than 256 KB

            Make it smaller.
        "#]].assert_eq(&redacted(&note));
        assert_eq!(fake.count("CreateChangeSet"), 0);
    });
}

/// A text without code is found.
#[test]
fn check_of_code_notices_actions() {
    for note in ["a\n/merge", "a\u{2028}/merge", "`a", "a @all", "![x](y)"] {
        let checked = std::panic::catch_unwind(|| check_is_code(note, "x"));
        assert!(checked.is_err(), "{note:?}");
    }
}
