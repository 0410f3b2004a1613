//! GitLab's API: hosts, faults, merge requests and pushes.

use serde_json::{Value, json};

use fake_aws::{Fault, FaultKind, Scope, gitlab::REDIRECT_HOST};

use super::gitlab::{Asking, PROJECT};

#[tokio::test(start_paused = true)]
async fn each_host_has_projects_and_tokens_of_its_own() {
    let mut gitlab = Asking::new();
    gitlab
        .fake
        .gitlab_project_at(REDIRECT_HOST, "other", &["main"]);
    gitlab.token = gitlab
        .fake
        .gitlab_token_for("other/token", REDIRECT_HOST, Scope::Api);
    gitlab.host = REDIRECT_HOST;
    assert_eq!(gitlab.ask("GET", "/remote_mirrors", None).await.status, 404);
    gitlab
        .fake
        .gitlab_project_at(REDIRECT_HOST, PROJECT, &["main"]);
    assert_eq!(gitlab.ask("GET", "/remote_mirrors", None).await.status, 200);
    gitlab.fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn calls_of_gitlab_break_as_those_of_aws_do() {
    let gitlab = Asking::new();
    let break_next = |kind| {
        let fault = Fault::on(
            "GitLab.CreateMirror",
            gitlab.fake.count("GitLab.CreateMirror"),
            kind,
        );
        gitlab.fake.inject("test", fault);
    };
    let create = |number: u32| {
        let url = format!("https://a:b@example.com/{number}");
        gitlab.ask_or_fail("POST", "/remote_mirrors", Some(json!({"url": url})))
    };
    break_next(FaultKind::Throttled);
    assert_eq!(create(0).await.unwrap().status, 429);
    break_next(FaultKind::InternalError500);
    let broken = create(1).await.unwrap();
    assert!(broken.status == 500 && broken.body["message"].is_string());
    break_next(FaultKind::RequestLost);
    assert!(create(2).await.is_none());
    assert!(gitlab.fake.mirrors(PROJECT).is_empty());
    break_next(FaultKind::AnswerLost);
    assert!(create(3).await.is_none());
    assert_eq!(gitlab.fake.mirrors(PROJECT).len(), 1);
    gitlab.fake.deny("gitlab:GitLab.CreateMirror", "");
    assert_eq!(create(4).await.unwrap().status, 403);
    assert_eq!(gitlab.fake.faults_left(), 0);
    let fork = gitlab.fake.fork();
    fork.change(|aws| aws.gitlab.project_mut(PROJECT).mirrors.clear());
    assert_eq!(gitlab.fake.mirrors(PROJECT).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn merge_request_shows_its_branch_and_state() {
    let gitlab = Asking::new();
    let fake = &gitlab.fake;
    fake.merge_request(PROJECT, 4, "other", "c1", "merged");
    fake.merge_request(PROJECT, 5, "review/x", "c1", "opened");
    fake.merge_request(PROJECT, 5, "review/x", "c2", "opened");
    let listed = async |commit: &str| {
        let path = format!("/repository/commits/{commit}/merge_requests");
        let body = gitlab.ask("GET", &path, None).await.body;
        let members = body.as_array().expect("a list").iter();
        let member =
            |one: &Value| [&one["iid"], &one["source_branch"], &one["state"]].map(Value::clone);
        members.map(member).collect::<Vec<_>>()
    };
    let (other, own) = ("other", "review/x");
    let merged = [json!(4), json!(other), json!("merged")];
    let opened = [json!(5), json!(own), json!("opened")];
    assert_eq!(listed("c1").await, [opened.clone(), merged.clone()]);
    assert_eq!(listed("c2").await, [opened]);
    fake.set_merge_request_state(PROJECT, 5, "closed");
    let closed = [json!(5), json!(own), json!("closed")];
    assert_eq!(listed("c1").await, [closed.clone(), merged]);
    assert_eq!(listed("c2").await, [closed]);
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn merge_base_is_the_nearest_common_ancestor() {
    let gitlab = Asking::new();
    for (branch, commit) in [
        ("main", "m1"),
        ("main", "m2"),
        ("topic", "t1"),
        ("main", "m1"),
    ] {
        gitlab.fake.push_to_gitlab(PROJECT, branch, commit);
    }
    let base = async |one: &str, other: &str| {
        let path = format!("/repository/merge_base?refs%5B%5D={one}&refs%5B%5D={other}");
        let answer = gitlab.ask("GET", &path, None).await;
        let shown = if answer.status == 200 {
            "id"
        } else {
            "message"
        };
        let shown = answer.body[shown].as_str().unwrap_or_default();
        format!("{} {shown}", answer.status)
    };
    assert_eq!(base("main", "m1").await, "200 m1");
    assert_eq!(base("topic", "m1").await, "200 m1");
    assert_eq!(base("m1", "t1").await, "200 m1");
    assert_eq!(base("m2", "t1").await, "200 m2");
    assert_eq!(base("feature", "m1").await, "404 404 Merge Base Not Found");
    // GitLab names the last one, also if the first one is missing.
    assert_eq!(
        base("main", "nothing").await,
        "400 Could not find ref: nothing"
    );
    assert_eq!(
        base("nothing", "main").await,
        "400 Could not find ref: main"
    );
}

#[tokio::test(start_paused = true)]
async fn pushes_are_listed_the_newest_first() {
    let gitlab = Asking::new();
    gitlab.fake.push_to_gitlab(PROJECT, "main", "m1");
    gitlab.fake.push_to_gitlab(PROJECT, "topic", "t1");
    let listed = gitlab.ask("GET", "/events?action=pushed", None).await;
    let shown = |at: usize, name: &str| listed.body[at]["push_data"][name].clone();
    assert_eq!(shown(0, "ref"), "topic");
    assert_eq!(shown(0, "commit_from"), Value::Null);
    assert_eq!(shown(1, "commit_from"), "first-of-main");
    assert_eq!(shown(1, "commit_to"), "m1");
}
