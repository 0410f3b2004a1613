//! Whether a branch contains a commit.

use serde_json::json;

use super::script::{Reply, Script};
use super::{INFRA, PROJECT, gitlab, ok};
use crate::clients::gitlab::{Containment, ErrorKind, GitLabError};

async fn read(script: &Script) -> Result<Containment, GitLabError> {
    let gitlab = gitlab(script);
    let read = gitlab.branch_contains(INFRA, "release/1", "c0ffee").await;
    script.sent();
    read
}

/// A branch with this tip, and the response to the second request.
fn ancestor(tip: &str, reply: Reply) -> Script {
    let request = format!("GET {PROJECT}/repository/merge_base?refs%5B%5D={tip}&refs%5B%5D=c0ffee");
    branch(ok(json!({"name": "release/1", "commit": {"id": tip}}))).then(&request, reply)
}

fn branch(reply: Reply) -> Script {
    let request = format!("GET {PROJECT}/repository/branches/release%2F1");
    Script::default().then(&request, reply)
}

#[tokio::test(start_paused = true)]
async fn ancestor_of_the_tip_is_contained_and_others_are_not() {
    let contained = ancestor("71p", ok(json!({"id": "c0ffee"})));
    assert_eq!(read(&contained).await, Ok(Containment::Contained));
    for reply in [
        ok(json!({"id": "0ther"})),
        Reply::message(404, "404 Merge Base Not Found"),
        Reply::message(400, "Could not find ref: c0ffee"),
    ] {
        let script = ancestor("71p", reply.clone());
        assert_eq!(read(&script).await, Ok(Containment::Missing), "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn missing_branch_is_not_a_missing_commit() {
    let script = branch(Reply::message(404, "404 Branch Not Found"));
    assert_eq!(read(&script).await, Ok(Containment::NoBranch));
}

#[tokio::test(start_paused = true)]
async fn unreadable_response_is_an_error_and_not_a_no() {
    let invisible = Reply::message(404, "404 Project Not Found");
    let look_up = format!("GET {PROJECT}");
    let script = branch(invisible.clone()).then(&look_up, invisible);
    let error = read(&script).await.expect_err("no project");
    assert_eq!(error.kind, ErrorKind::NotFound);

    let script = branch(Reply::message(400, "The branch refname is invalid"));
    read(&script).await.expect_err("no name");
    for body in [json!({}), json!([]), json!({"id": 7})] {
        read(&branch(ok(body.clone()))).await.expect_err("no tip");
        let error = read(&ancestor("71p", ok(body))).await.expect_err("no ID");
        assert_eq!(error.kind, ErrorKind::UnexpectedResponse { status: 200 });
    }
}
