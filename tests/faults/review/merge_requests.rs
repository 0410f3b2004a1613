//! The merge requests that get a note, and the notes of others there.

use serde_json::{Value, json};

use crate::account::PARAMETER;
use crate::checks::{Others, check_harmless, check_note, own_notes};
use crate::fixture::{
    LOGIN, NOTE_TEXT, Output, PROJECT, check_health_for_a_day, deliver_once, deployed, in_account,
    push, pushed, records, succeed,
};
use crate::scenarios::{COMMIT, check_review_status, configured, missing_stack};
use fake_aws::gitlab::records::OTHER_USER;
use fake_aws::{FakeAws, FaultKind, On, Schedules};

/// The merge requests of a fork, and into another branch. Both have the branch and the commit.
const FORK: u64 = 6;
const ELSEWHERE: u64 = 7;

async fn deliver(fake: &FakeAws, event: &Value, name: &str) -> Value {
    let answer = deliver_once(fake, event, name).await;
    answer.expect("not killed").expect("not an error")
}

fn open_others(fake: &FakeAws, commit: &str) {
    for iid in [FORK, ELSEWHERE] {
        fake.merge_request(PROJECT, iid, LOGIN.0, commit, "opened");
    }
    fake.describe_merge_request(PROJECT, FORK, |one| one.is_from_fork = true);
    fake.describe_merge_request(PROJECT, ELSEWHERE, |one| {
        "master".clone_into(&mut one.target_branch);
    });
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
        let answer = deliver(fake, &event, "event").await.to_string();
        assert!(
            answer.contains("merge requests are switched off in the project"),
            "{answer}"
        );
        let doctor = json!({"Doctor": {"EnvID": "dev"}});
        let found = deliver(fake, &doctor, "doctor").await.to_string();
        let problem = format!("switched off in project {PROJECT}, so no branch is reviewed");
        assert!(found.contains(&problem), "{found}");
    });
}

/// A change of the branch's merge request, and whether it gets a note.
type Case = (fn(&FakeAws), bool);

fn outdate(fake: &FakeAws) {
    fake.describe_merge_request(PROJECT, LOGIN.1, |one| "c2".clone_into(&mut one.head));
}

#[test]
fn only_own_request_of_the_commit_gets_a_note() {
    let cases: [Case; 3] = [
        (|_| {}, true),
        (
            |fake| fake.set_merge_request_state(PROJECT, LOGIN.1, "closed"),
            false,
        ),
        // The request has a later commit: GitLab lists it for its earlier commits, too.
        (outdate, false),
    ];
    for (change, has_note) in cases {
        in_account(async |fake| {
            let (build, event) = pushed(fake, LOGIN, "c1");
            open_others(fake, "c1");
            change(fake);
            let others = Others::of(fake);
            deliver(fake, &event, "event").await;
            check_health_for_a_day(fake).await;
            check_harmless(fake, &others);
            for iid in [FORK, ELSEWHERE] {
                assert_eq!(own_notes(fake, iid), Vec::<String>::new());
            }
            if has_note {
                check_note(fake, LOGIN.1, &build, NOTE_TEXT);
                let properties = "**replaced** because of `QueueName`; also `DelaySeconds` |";
                check_note(fake, LOGIN.1, &build, properties);
            } else {
                assert_eq!(own_notes(fake, LOGIN.1), Vec::<String>::new());
            }
        });
    }
}

/// A later delivery posts the status.
#[test]
fn note_is_written_if_the_status_fails() {
    in_account(async |fake| {
        let (build, event) = pushed(fake, LOGIN, COMMIT);
        let others = Others::of(fake);
        let posts = On::Operation("GitLab.PostStatus");
        fake.break_from_now(posts, FaultKind::InternalError500);
        let answer = deliver_once(fake, &event, "event").await;
        assert!(answer.expect("not killed").is_err());
        assert!(own_notes(fake, LOGIN.1)[0].contains(NOTE_TEXT));
        fake.mend();
        check_health_for_a_day(fake).await;
        check_harmless(fake, &others);
        check_note(fake, LOGIN.1, &build, NOTE_TEXT);
        check_review_status(fake, &build);
    });
}

#[test]
fn note_says_how_far_the_branch_is_behind() {
    let (merge, branch) = ("**A merge changes `dev`**", "**This branch changes `dev`**");
    for (behind, headline, text) in [
        (0, merge, NOTE_TEXT),
        (1, branch, "1 commit behind `機能/ログイン`"),
        (3, branch, "3 commits behind"),
    ] {
        in_account(async |fake| {
            let (build, event) = pushed(fake, LOGIN, "c1");
            fake.describe_merge_request(PROJECT, LOGIN.1, |one| one.commits_behind = behind);
            deliver(fake, &event, "event").await;
            check_note(fake, LOGIN.1, &build, headline);
            check_note(fake, LOGIN.1, &build, text);
            let is_behind = own_notes(fake, LOGIN.1)[0].contains("behind");
            assert_eq!(is_behind, behind > 0);
        });
    }
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

/// Another environment reviews the same commit at the same time.
#[test]
fn conflict_of_two_statuses_does_not_suppress_the_note() {
    for (conflicts, statuses) in [(2, 1), (99, 0)] {
        in_account(async |fake| {
            let (build, event) = pushed(fake, LOGIN, "c1");
            fake.change(|aws| aws.gitlab.status_conflicts = conflicts);
            deliver(fake, &event, "event").await;
            check_note(fake, LOGIN.1, &build, NOTE_TEXT);
            let records = records(fake);
            let shown = records.current("c1", "cfn-gitops/dev/shop/review");
            assert_eq!(shown.len(), statuses);
        });
    }
}

/// Its author writes a description of any length, and those of other requests do not matter.
#[test]
fn long_description_of_another_request_hides_none() {
    in_account(async |fake| {
        let (build, event) = pushed(fake, LOGIN, "c1");
        open_others(fake, "c1");
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

#[test]
fn unreadable_file_of_a_missing_stack_fails_with_its_place() {
    let list = format!(r#"[{{"ParameterKey": "Stage", "ParameterValue": "{PARAMETER}"}}]"#);
    let text = "`dev.json` is not a template configuration: `it is not a JSON object`";
    for (output, part) in [
        (Output::of(json!("Resources: [")), "not valid YAML (line 2"),
        (configured(Some(&list)), text),
    ] {
        in_account(async |fake| {
            missing_stack(fake);
            let others = Others::of(fake);
            let build = push(fake, LOGIN, COMMIT);
            let event = succeed(fake, &build, &output);
            deliver(fake, &event, "review").await;
            check_harmless(fake, &others);
            check_note(fake, LOGIN.1, &build, part);
            check_note(fake, LOGIN.1, &build, "is not a template");
            check_review_status(fake, &build);
        });
    }
}
