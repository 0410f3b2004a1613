//! Merge requests with comments and descriptions of every length.

use expect_test::expect;
use serde_json::{Value, json};

use crate::changes::{ELSEWHERE, FORK, open_others};
use crate::checks::{Others, check_harmless, check_note, own_notes};
use crate::fixture::{
    LOGIN, NOTE_TEXT, Output, PROJECT, deliver_once, deployed, in_account, push, pushed, succeed,
};
use fake_aws::gitlab::records::OTHER_USER;
use fake_aws::{FakeAws, Schedules, redacted};
use test_support::custom_resource::asked;

async fn deliver(fake: &FakeAws, event: &Value, name: &str) -> Value {
    let answer = deliver_once(fake, event, name).await;
    answer.expect("not killed").expect("not an error")
}

/// Without merge requests there is nothing to review, and no right is missing.
#[test]
fn review_without_merge_requests_is_ignored_by_name() {
    in_account(async |fake| {
        let (_, event) = pushed(fake, LOGIN, "c1");
        fake.change(|aws| {
            let records = &mut aws.gitlab.project_mut(PROJECT).records;
            records.switched_off.insert("merge_requests");
        });
        let answer = deliver(fake, &event, "event").await;
        expect![[r#"
            {
              "Ignored": "merge requests are switched off in the project"
            }"#]]
        .assert_eq(&redacted(&format!("{answer:#}")));
        let found = asked(fake, "doctor", &json!({"Doctor": {"EnvID": "dev"}})).await;
        let checks = found["Checks"].as_array().expect("a list").iter();
        let problems = checks.filter(|check| check.get("Problem").is_some());
        let problems: Vec<_> = problems.map(|check| format!("{check:#}")).collect();
        expect![[r#"
            {
              "Problem": "merge requests are switched off in project platform/infra, so no branch is reviewed",
              "Remedy": [
                "Switch them on in its Settings, General, Visibility, project features, permissions, or remove Review"
              ],
              "Subject": "pipeline codepipeline-dev-cfn-shop in GitLab"
            }"#]].assert_eq(&redacted(&problems.join("\n")));
    });
}

/// Comments of another user: their number and length, and the number of GitLab's own notes.
const COMMENTS: [(usize, usize, usize); 5] = [
    (2, 160_000, 0),
    (1, 1_000_000, 0),
    (100, 1_900, 130),
    (45, 20_000, 3),
    (23, 299_000, 21),
];

fn comment(fake: &FakeAws, (count, length, of_system): (usize, usize, usize)) {
    fake.change(|aws| {
        let records = &mut aws.gitlab.project_mut(PROJECT).records;
        let place = format!("merge_requests/{}", LOGIN.1);
        for _ in 0..count {
            records.create_note(&place, &"x".repeat(length), OTHER_USER);
        }
        for _ in 0..of_system {
            records.create_note(&place, &"x".repeat(900), OTHER_USER);
            let note = records.notes.last_mut().expect("a note");
            note.is_system = true;
        }
    });
}

#[test]
fn comments_of_others_do_not_suppress_the_note() {
    let mut schedules = Schedules::default();
    for comments in COMMENTS {
        schedules.run(format!("{comments:?}"), || {
            in_account(async |fake| {
                comment(fake, comments);
                let (build, event) = pushed(fake, LOGIN, "c1");
                let others = Others::of(fake);
                deliver(fake, &event, "event").await;
                check_harmless(fake, &others);
                check_note(fake, LOGIN.1, &build, NOTE_TEXT);
                // The note is now between others.
                comment(fake, comments);
                let (build, event) = pushed(fake, LOGIN, "c2");
                deliver(fake, &event, "later event").await;
                check_note(fake, LOGIN.1, &build, NOTE_TEXT);
            });
        });
    }
    schedules.report("kinds of comments around a note");
}

/// Its author writes a description of any length, and those of other requests do not matter.
#[test]
fn long_description_of_another_request_hides_none() {
    in_account(async |fake| {
        let (build, event) = pushed(fake, LOGIN, "c1");
        open_others(fake);
        let describe = |iid, length| {
            fake.describe_merge_request(PROJECT, iid, |one| one.description = "x".repeat(length));
        };
        describe(FORK, 1_000_000);
        describe(ELSEWHERE, 200_000);
        describe(LOGIN.1, 200_000);
        deliver(fake, &event, "event").await;
        check_note(fake, LOGIN.1, &build, NOTE_TEXT);
    });
}

/// CloudFormation has not seen the types of a summary.
#[test]
fn type_of_a_megabyte_is_shortened_in_the_note() {
    in_account(async |fake| {
        let mut template = deployed();
        template["Transform"] = json!("AWS::Include");
        template["Resources"]["New"] = json!({"Type": "x".repeat(900_000)});
        let build = push(fake, LOGIN, "c1");
        let event = succeed(fake, &build, &Output::of(template));
        deliver(fake, &event, "event").await;
        check_note(fake, LOGIN.1, &build, "it has a transform");
        assert!(own_notes(fake, LOGIN.1)[0].len() < 2_000);
    });
}
