//! What a branch may contain to make a note do more than show it: GitLab's quick actions and Markdown.

use serde_json::{Value, json};

use crate::checks::{Others, check_harmless, own_notes};
use crate::fixture::{
    LOGIN, Output, STACK, check_health_for_a_day, deliver, deployed, fake, paused, push, succeed,
};
use fake_aws::{FakeAws, Schedules};

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

/// Where the branch has such a text.
#[derive(Clone, Copy, Debug)]
enum Place {
    LogicalId,
    Type,
    /// In a template that gets no change set.
    TypeOfBlocked,
    /// The reason of CloudFormation for a failed change set.
    Reason,
    /// A parameter without a value, whose name CloudFormation repeats.
    ParameterName,
}

const PLACES: [Place; 5] = [
    Place::LogicalId,
    Place::Type,
    Place::TypeOfBlocked,
    Place::Reason,
    Place::ParameterName,
];

fn template(fake: &FakeAws, place: Place, text: &str) -> Value {
    let mut template = deployed();
    let resources = &mut template["Resources"];
    match place {
        Place::LogicalId => resources[text] = json!({"Type": "AWS::SQS::Queue"}),
        Place::Type => resources["New"] = json!({"Type": text}),
        Place::TypeOfBlocked => {
            resources["New"] = json!({"Type": text});
            template["Transform"] = json!("AWS::Include");
        }
        Place::Reason => {
            resources["New"] = json!({"Type": "AWS::SQS::Queue"});
            fake.fail_next_change_set(STACK, text);
        }
        Place::ParameterName => template["Parameters"][text] = json!({"Type": "String"}),
    }
    template
}

/// The text of a note outside of code. Within a line, a backtick begins code, and the next one ends it.
fn outside_of_code(note: &str) -> String {
    let lines = note.lines().map(|line| {
        let parts: Vec<&str> = line.split('`').collect();
        assert_eq!(
            parts.len() % 2,
            1,
            "code that does not end in its line: {line}"
        );
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
    for part in [
        "/merge", "/close", "/assign", "/label", "@all", "<img", "![",
    ] {
        assert!(!outside.contains(part), "{text:?} is not code in {note:?}");
    }
    assert_eq!(outside.matches("<!--").count(), 1, "{note:?}");
}

#[test]
fn text_of_a_branch_stays_code() {
    let mut schedules = Schedules::default();
    for place in PLACES {
        for text in HOSTILE {
            schedules.run(format!("{place:?}: {text:?}"), || {
                paused(async {
                    let fake = fake().await;
                    let template = template(&fake, place, text);
                    let build = push(&fake, LOGIN, "c1");
                    let event = succeed(&fake, &build, &Output::of(template));
                    let others = Others::of(&fake);
                    deliver(&fake, &event, "event").await;
                    check_health_for_a_day(&fake).await;
                    check_harmless(&fake, &others);
                    let notes = own_notes(&fake, LOGIN.1);
                    assert_eq!(notes.len(), 1, "{}", fake.transcript());
                    check_is_code(&notes[0], text);
                });
            });
        }
    }
    let schedules = schedules.finish();
    fake_aws::figure!("schedules: {schedules} texts of a branch in notes");
}

/// A text without code is found.
#[test]
fn check_of_code_notices_actions() {
    for note in ["a\n/merge", "a\u{2028}/merge", "`a", "a @all", "![x](y)"] {
        let checked = std::panic::catch_unwind(|| check_is_code(note, "x"));
        assert!(checked.is_err(), "{note:?}");
    }
}
