//! Builds about which no note is written.

use std::time::Duration;

use serde_json::Value;

use crate::checks::{Others, check_harmless, own_notes};
use crate::fixture::{
    LOGIN, PROJECT, STACK, delete_branch, deliver_once, in_account, lose_push, pushed, uuid,
};
use fake_aws::FakeAws;

/// A change before the event is delivered, and a part of the reason in the response. `true` if the
/// change set of an earlier delivery is deleted.
type Case = (fn(&FakeAws, &str), &'static str, bool);

const CASES: [Case; 6] = [
    (started_by_a_person, "event rule of review branches", false),
    (
        |fake, build| drop(fake.end_build(build, "IN_PROGRESS")),
        "the build runs",
        false,
    ),
    (
        |fake, _| fake.keep_stack_busy(STACK, Duration::from_mins(1)),
        "an operation on the deployed stack runs",
        false,
    ),
    (|fake, _| delete_branch(fake, LOGIN), "not exist", true),
    (|fake, _| lose_push(fake, LOGIN, "c2"), "a later", true),
    (
        |fake, _| fake.set_merge_request_state(PROJECT, LOGIN.1, "closed"),
        "the branch has no open merge request",
        true,
    ),
];

fn started_by_a_person(fake: &FakeAws, build: &str) {
    fake.change(|aws| {
        let build = aws.builds.get_mut(build).expect("a build");
        "c1".clone_into(&mut build.source_version);
    });
}

/// The change set of a delivery that was killed.
fn leave_change_set(fake: &FakeAws, build: &str) {
    fake.change_set(STACK, &format!("plan-{}", uuid(build)));
}

async fn check_ignored(fake: &FakeAws, event: &Value, because: &str) {
    let others = Others::of(fake);
    let answer = deliver_once(fake, event, "ignored").await;
    let answer = answer.expect("not killed").expect("a response");
    let ignored = answer["Ignored"].as_str().unwrap_or_default();
    assert!(ignored.contains(because), "{answer}");
    check_harmless(fake, &others);
}

#[test]
fn build_that_needs_no_note_is_ignored() {
    for (prepare, because, is_cleaned_up) in CASES {
        in_account(async |fake| {
            let (build, event) = pushed(fake, LOGIN, "c1");
            prepare(fake, &build);
            if is_cleaned_up {
                leave_change_set(fake, &build);
            }
            check_ignored(fake, &event, because).await;
            assert_eq!(own_notes(fake, LOGIN.1), Vec::<String>::new());
        });
    }
}

#[test]
fn note_of_the_same_build_is_not_repeated() {
    in_account(async |fake| {
        let (build, event) = pushed(fake, LOGIN, "c1");
        drop(deliver_once(fake, &event, "event").await);
        leave_change_set(fake, &build);
        let created = fake.count("CreateChangeSet");
        check_ignored(fake, &event, "the notes show the build already").await;
        assert_eq!(fake.count("CreateChangeSet"), created);
    });
}

/// A developer cannot give the function a permission.
#[test]
fn denied_change_set_is_not_shown_in_a_note() {
    in_account(async |fake| {
        let (_, event) = pushed(fake, LOGIN, "c1");
        fake.deny("cloudformation:CreateChangeSet", "");
        let answer = deliver_once(fake, &event, "event").await;
        assert!(answer.expect("not killed").is_err());
        assert_eq!(own_notes(fake, LOGIN.1), Vec::<String>::new());
    });
}
