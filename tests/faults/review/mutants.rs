//! The checks detect their defects: mutants that omit calls, repeat them or read too early.
//!
//! Each mutant is the real product behind a wire that adds one defect.

use serde_json::{Value, json};

use crate::checks::{Others, check_harmless, check_note};
use crate::fixture::{
    CHILD, LOGIN, NOTE_TEXT, STACK, check_health_for_a_day, deliver, fake, paused, pushed,
};
use crate::scenarios::scenarios;
use fake_aws::mutants::{
    self as misbehaving, HttpConnector, HttpRequest, Response, assert_noticed, body_of, invented,
    operation_of, replace_body, replace_in_response, send_twice,
};
use fake_aws::{Caller, FakeAws};

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// It does not delete its change set.
    KeepsItsChangeSet,
    /// It does not see that a later commit was pushed.
    ShowsAnOlderCommit,
    /// It writes each note twice, and does not delete the second one.
    WritesTwice,
    /// It deletes the change set of a person.
    DeletesAnothersChangeSet,
    /// It executes its change set.
    Executes,
    /// It edits a note of another environment.
    EditsAnothersNote,
    /// It writes a parameter's value into the note.
    ShowsAValue,
    /// It gives CloudFormation a template that has a transform.
    RunsTransforms,
    /// It does not post the status of a review.
    PostsNoStatus,
    /// It does not see that the public can read the project.
    ShowsAllToThePublic,
    /// It does not see that a rule is disabled.
    EndsAFreeze,
}

/// Adds a text to a note.
fn extend_note(request: &mut HttpRequest, text: &str) {
    let mut body: Value = serde_json::from_str(&body_of(request)).expect("a JSON object");
    body["body"] = json!(format!("{}{text}", body["body"].as_str().expect("a note")));
    replace_body(request, body.to_string());
}

impl misbehaving::Mutant for Mutant {
    async fn pass(self, fake: FakeAws, honest: Caller, mut request: HttpRequest) -> Response {
        let operation = operation_of(&request);
        let writes_note = operation == "GitLab.CreateNote";
        let edits_note = operation == "GitLab.UpdateNote";
        let deletes = operation == "DeleteChangeSet";
        match self {
            Mutant::KeepsItsChangeSet if deletes => {
                let xml = "<DeleteChangeSetResponse xmlns=\"http://cloudformation.amazonaws.com/\
                               doc/2010-05-15/\"><DeleteChangeSetResult/></DeleteChangeSetResponse>";
                return Ok(invented(200, xml));
            }
            Mutant::ShowsAnOlderCommit if operation == "GetBranch" => {
                return Ok(invented(200, r#"{"branch":{"commitId":"c1"}}"#));
            }
            Mutant::WritesTwice if writes_note => send_twice(&honest, &request).await?,
            Mutant::WritesTwice if operation == "GitLab.DeleteNote" => {
                return Ok(invented(204, ""));
            }
            Mutant::DeletesAnothersChangeSet if deletes => {
                fake.delete_change_set(STACK, "persons-own");
            }
            Mutant::Executes if deletes => {
                let plan = fake.change_sets(STACK);
                let plan = plan.iter().find(|name| name.starts_with("plan-"));
                if let Some(plan) = plan {
                    fake.execute_change_set(STACK, plan);
                }
            }
            Mutant::EditsAnothersNote if writes_note => fake.change(|aws| {
                let project = aws.gitlab.project_mut(crate::fixture::PROJECT);
                project.records.notes[2].body.push('x');
            }),
            Mutant::ShowsAValue if writes_note || edits_note => {
                extend_note(&mut request, crate::account::PARAMETER);
            }
            Mutant::RunsTransforms if operation == "CreateChangeSet" => fake.change(|aws| {
                let ran = "AWS::Include".to_owned();
                aws.stacks.change_sets.macros_run.push(ran);
            }),
            Mutant::PostsNoStatus if operation == "GitLab.PostStatus" => {
                return Ok(invented(201, "{}"));
            }
            _ => {}
        }
        let response = honest.call(request).await?;
        Ok(match self {
            Mutant::ShowsAllToThePublic => replace_in_response(
                &response,
                r#""visibility":"public""#,
                r#""visibility":"private""#,
            ),
            Mutant::EndsAFreeze => replace_in_response(&response, r#""DISABLED""#, r#""ENABLED""#),
            _ => response,
        })
    }
}

async fn play() {
    let fake = fake().await;
    let (_, earlier) = pushed(&fake, LOGIN, "c1");
    let (build, _) = pushed(&fake, LOGIN, "c2");
    fake.drift(CHILD, "ReviewRule", "MODIFIED");
    let others = Others::of(&fake);
    // The event of the later push is lost.
    deliver(&fake, &earlier, "event").await;
    check_health_for_a_day(&fake).await;
    check_harmless(&fake, &others);
    check_note(&fake, LOGIN.1, &build, NOTE_TEXT);
}

#[test]
fn every_mutant_is_detected() {
    paused(play());
    let mutants = [
        (Mutant::KeepsItsChangeSet, "left: [("),
        (Mutant::ShowsAnOlderCommit, "instead of one of"),
        (Mutant::WritesTwice, "instead of one of"),
        (Mutant::DeletesAnothersChangeSet, "change sets of others"),
        (Mutant::Executes, "executed: ["),
        (Mutant::EditsAnothersNote, "notes of others"),
        (Mutant::ShowsAValue, "a secret in:"),
        (Mutant::RunsTransforms, "ran macros"),
    ];
    for (mutant, says) in mutants {
        assert_noticed(mutant, says, || paused(play()));
    }
}

#[test]
fn every_mutant_of_a_story_is_detected() {
    let scenarios = scenarios();
    let play = |name: &str| {
        let scenario = scenarios.iter().find(|one| one.story.name == name);
        scenario.unwrap_or_else(|| panic!("no story is {name}")).play(&[]);
    };
    for (mutant, story, says) in [
        (
            Mutant::PostsNoStatus,
            "review_changed_template",
            "success: []",
        ),
        (
            Mutant::ShowsAllToThePublic,
            "review_in_a_public_project: by default",
            "left: 1",
        ),
        (
            Mutant::EndsAFreeze,
            "review_lost_push_while_frozen",
            "c1: [(",
        ),
    ] {
        assert_noticed(mutant, says, || play(story));
    }
}
