//! Whether GitLab's branch contains a commit: asked of the diagnosis before an undo.

use expect_test::expect;
use serde_json::{Value, json};

use crate::fixture::{PROJECT, TOKEN, ask, create_pipeline, empty_world};
use fake_aws::gitlab::Scope;
use fake_aws::{Entry, FakeAws, FaultKind, On};

const BRANCH: &str = "development";

fn commit(digit: char) -> String {
    String::from(digit).repeat(40)
}

/// A pipeline with or without `GitLab`, whose branch in GitLab has commit `1`, then `2`.
async fn world(with_gitlab: bool) -> FakeAws {
    let fake = empty_world();
    fake.gitlab_project(PROJECT, &["main"]);
    fake.gitlab_token(TOKEN);
    for digit in ['1', '2'] {
        fake.push_to_gitlab(PROJECT, BRANCH, &commit(digit));
    }
    let mut properties = json!({"EnvID": "dev", "ProjectID": "shop", "BranchMap": {"dev": BRANCH}});
    if with_gitlab {
        properties["GitLab"] = json!({
            "Url": "https://gitlab.example.com", "TokenSecretId": TOKEN, "Project": PROJECT,
        });
    }
    create_pipeline(&fake, &properties).await;
    fake
}

/// The reason for the answer that it is not known.
#[track_caller]
fn unknown(answer: &Value) -> &str {
    assert_eq!(answer.get("Contained"), Some(&Value::Null), "{answer}");
    answer["Problem"].as_str().expect("a problem")
}

#[tokio::test(start_paused = true)]
async fn branch_contains_its_tip_and_its_ancestors() {
    let fake = world(true).await;
    let before = fake.journal().len();
    for (digit, is_contained) in [('1', true), ('2', true), ('3', false)] {
        let expected = json!({"Contained": is_contained, "Problem": ""});
        assert_eq!(ask(&fake, &commit(digit)).await, expected, "{digit}");
    }
    assert!(fake.journal()[before..].iter().all(Entry::reads));
    fake.change(|aws| {
        let branches = &mut aws.gitlab.project_mut(PROJECT).branches;
        branches.remove(BRANCH);
    });
    let answer = ask(&fake, &commit('1')).await;
    assert_eq!(answer["Contained"], json!(false));
    assert_eq!(answer["Problem"], "the branch does not exist in GitLab");
}

#[tokio::test(start_paused = true)]
async fn commit_is_not_checked_without_gitlab() {
    let answer = ask(&world(false).await, &commit('1')).await;
    expect!["the pipeline has no GitLab in its properties, or its stack is outdated"]
        .assert_eq(unknown(&answer));
    let answer = ask(&empty_world(), &commit('1')).await;
    expect!["no stack gitops-dev-shop has a pipeline"].assert_eq(unknown(&answer));
}

#[tokio::test(start_paused = true)]
async fn commit_is_not_checked_if_gitlab_fails_or_rejects() {
    let operation = "GitLab.GetBranch";
    let mut shown = vec![];
    for kind in [
        FaultKind::Denied,
        FaultKind::Throttled,
        FaultKind::InternalError500,
        FaultKind::RequestLost,
        FaultKind::RequestHangs,
    ] {
        let fake = world(true).await;
        fake.break_from_now(On::Operation(operation), kind);
        let answer = ask(&fake, &commit('1')).await;
        shown.push(unknown(&answer).to_owned());
    }
    expect![[r#"
        looking up branch development of project platform/infra at https://gitlab.example.com: HTTP 403: 403 Forbidden
        GitLab GET /projects/40/repository/branches/development: HTTP 429, 2 attempts; there was no time to look up the commit in GitLab
        looking up branch development of project platform/infra at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error
        looking up branch development of project platform/infra at https://gitlab.example.com: GitLab did not respond in time
        GitLab GET /projects/40/repository/branches/development: no response, 2 attempts; there was no time to look up the commit in GitLab"#]].assert_eq(&shown.join("\n"));
    let fake = world(true).await;
    fake.gitlab_token_for(TOKEN, "gitlab.example.com", Scope::ReadApi);
    assert_eq!(ask(&fake, &commit('1')).await["Contained"], json!(true));
    fake.change(|aws| drop(aws.secrets.remove(TOKEN)));
    let answer = ask(&fake, &commit('1')).await;
    expect![
        "reading GitLab's token from secret gitlab/token: no such secret in this account and region"
    ]
    .assert_eq(unknown(&answer));
    assert_eq!(answer["Code"].as_str().map(|code| &code[..3]), Some("CFG"));
}
