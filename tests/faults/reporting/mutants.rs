//! The stories detect defects: mutants that omit, repeat or falsify a part of a report.
//!
//! Each mutant is the real product behind a wire that adds one defect.

use serde_json::{Value, json};

use crate::account::PARAMETER;
use crate::decisions::play_plainly;
use crate::fixture::{SHOP, deliver, in_account};
use crate::scenarios::scenario;
use fake_aws::mutants::{
    self as misbehaving, HttpConnector, HttpRequest, Response, assert_noticed, body_of, invented,
    operation_of, replace_body, replace_in_body, replace_in_response, send_twice,
};
use fake_aws::{Caller, FakeAws};

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// It does not record deployments.
    OmitsDeployments,
    /// It shows a failed execution as a success.
    ShowsFailuresAsSuccesses,
    /// It does not change a note after the approval has ended.
    LeavesNotes,
    /// It writes each note twice, and does not delete the second one.
    WritesTwice,
    /// It takes a Developer for a Maintainer.
    ImaginesMaintainers,
    /// It does not see that a rule admits Developers.
    OverlooksRules,
    /// It writes a parameter's value into the note.
    ShowsAValue,
}

/// Adds a text to a note. The product corrects a note that it finds so.
fn extend_note(request: &mut HttpRequest, text: &str) {
    let mut body: Value = serde_json::from_str(&body_of(request)).expect("a JSON object");
    body["body"] = json!(format!("{}{text}", body["body"].as_str().expect("a note")));
    replace_body(request, body.to_string());
}

impl misbehaving::Mutant for Mutant {
    async fn pass(self, _: FakeAws, honest: Caller, mut request: HttpRequest) -> Response {
        let operation = operation_of(&request);
        match (self, operation.as_str()) {
            (Mutant::OmitsDeployments, "GitLab.CreateDeployment") => {
                return Ok(invented(201, r#"{"id":1,"status":"success"}"#));
            }
            (Mutant::ShowsFailuresAsSuccesses, "GitLab.PostStatus") => {
                replace_in_body(&mut request, r#""state":"failed""#, r#""state":"success""#);
            }
            (Mutant::LeavesNotes, "GitLab.UpdateNote") => return Ok(invented(200, "{}")),
            (Mutant::WritesTwice, "GitLab.CreateNote") => send_twice(&honest, &request).await?,
            (Mutant::WritesTwice, "GitLab.DeleteNote") => return Ok(invented(204, "")),
            (Mutant::ShowsAValue, "GitLab.CreateNote" | "GitLab.UpdateNote") => {
                extend_note(&mut request, PARAMETER);
            }
            (Mutant::ImaginesMaintainers, "GitLab.GetMember")
            | (Mutant::OverlooksRules, "GitLab.ListProtectedTags") => {
                let response = honest.call(request).await?;
                let [is, shown] = [30, 40].map(|level| format!(r#""access_level":{level}"#));
                return Ok(replace_in_response(&response, &is, &shown));
            }
            _ => {}
        }
        honest.call(request).await
    }
}

fn play(story: &str) {
    in_account(async |fake| {
        let delivers = async |event, name: String| deliver(fake, SHOP, event, &name).await;
        scenario(story).play_and_check(fake, delivers).await;
        scenario(story).leaves_the_rest(fake).await;
    });
}

#[test]
fn every_mutant_is_detected() {
    let mutants = [
        (
            Mutant::OmitsDeployments,
            "report_ends: deployed",
            "deployment of",
        ),
        (
            Mutant::ShowsFailuresAsSuccesses,
            "report_failed_build: once",
            "status of",
        ),
        (
            Mutant::LeavesNotes,
            "report_ends: rejected",
            "wait for an approval",
        ),
        (
            Mutant::WritesTwice,
            "report_failed_build: once",
            "on merge_requests/",
        ),
        (
            Mutant::ShowsAValue,
            "report_ends: retried stage that waits",
            PARAMETER,
        ),
    ];
    for (mutant, story, says) in mutants {
        assert_noticed(mutant, says, || play(story));
    }
    let mutants = [
        (
            Mutant::ImaginesMaintainers,
            "approve_another_user: a Developer of a group",
        ),
        (
            Mutant::OverlooksRules,
            "approve_open_to_others: a wider rule",
        ),
    ];
    for (mutant, story) in mutants {
        assert_noticed(mutant, "cfn-gitops: approved in GitLab", || {
            play_plainly(story);
        });
    }
}
