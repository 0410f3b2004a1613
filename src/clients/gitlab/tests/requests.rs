//! Which requests are sent.

use serde_json::{Value, json};

use super::script::{Reply, Script};
use super::{
    CLONE_URL, INFRA, LOGIN, MIRRORS, PASSWORD, PROJECT, TOKEN, create, described, gitlab, ok,
    settings,
};
use crate::clients::gitlab::api::classify::access_level;
use crate::clients::gitlab::project::details::Visibility;
use crate::clients::gitlab::{
    CommitRef, CommitStatus, ErrorKind, Mirror, ProjectDetails, Rejection, Sent, Settings,
    StatusState,
};
use crate::common::password::Password;

fn get(path: &str) -> String {
    format!("GET {MIRRORS}{path}")
}

#[tokio::test(start_paused = true)]
async fn request_has_the_token_in_its_header_only() {
    let script = Script::default()
        .then(&get("/7"), ok(described(7)))
        .then(&format!("PUT {MIRRORS}/7"), ok(described(7)))
        .then(&format!("POST {MIRRORS}/7/sync"), Reply::empty(204))
        .then(&format!("DELETE {MIRRORS}/7"), Reply::empty(204));
    let gitlab = gitlab(&script);
    gitlab.mirror(INFRA, 7).await.expect("a mirror");
    gitlab.update(INFRA, 7, &settings(), true).await.expect("set");
    gitlab.sync(INFRA, 7).await.expect("a push");
    gitlab.delete(INFRA, 7).await.expect("removed");
    for sent in script.sent() {
        assert!(sent.uri.starts_with("https://gitlab.example.com/api/v4/"));
        assert!(!sent.uri.contains(TOKEN) && !sent.body.contains(TOKEN));
        assert_eq!(sent.header("private-token"), Some(TOKEN));
        let is_json = sent.header("content-type") == Some("application/json");
        // Without it, a GitLab in maintenance redirects the request to its start page.
        assert_eq!(is_json, sent.method != "GET");
    }
}

#[tokio::test(start_paused = true)]
async fn mirror_is_created_disabled_with_unescaped_login() {
    let script = Script::default().then(&format!("POST {MIRRORS}"), Reply::json(201, described(7)));
    let mirror = create(&gitlab(&script)).await.expect("made");
    assert_eq!(mirror.id, 7);
    assert!(mirror.leads_to(CLONE_URL));
    let address = CLONE_URL.replace("://", &format!("://{LOGIN}:{PASSWORD}@"));
    assert_eq!(
        script.sent()[0].json(),
        json!({
            "url": address,
            "enabled": false,
            "only_protected_branches": true,
            "keep_divergent_refs": false,
        })
    );
}

#[tokio::test(start_paused = true)]
async fn login_that_is_unsafe_in_an_address_is_not_sent() {
    let gitlab = gitlab(&Script::default());
    for (login, password) in [
        (LOGIN, "with/slash"),
        (LOGIN, "with@at"),
        (LOGIN, "with%25"),
        (LOGIN, ""),
        ("", "password"),
        ("a:b", "password"),
        ("a/b", "password"),
    ] {
        let password = Password::new(password);
        let made = gitlab.create(INFRA, CLONE_URL, login, &password, &settings(), &[]).await;
        let error = made.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::UnsafeLogin, "{login}");
        assert_eq!(error.sent, Sent::No);
    }
}

#[tokio::test(start_paused = true)]
async fn duplicate_address_is_spelled_in_other_ways() {
    let (post, list) = (format!("POST {MIRRORS}"), get("?per_page=100&page=1"));
    let host = format!("https://{LOGIN}:{PASSWORD}@git-codecommit.eu-central-1.amazonaws.com");
    // `errors.messages.taken` of rails-i18n in several languages, and statuses of a later version.
    for (status, taken) in [
        (400, "has already been taken"),
        (400, "はすでに存在します。"),
        (400, "ist bereits vergeben"),
        (400, "zostało już zajęte"),
        (
            422,
            "is already used by another push mirror of this project",
        ),
    ] {
        let taken = Reply::json(status, json!({"message": {"url": [taken]}}));
        let script = Script::default()
            .then(&post, taken.clone())
            .then(&list, ok(json!([described(7)])))
            .then_times(2, &post, &taken)
            .then(&post, Reply::json(201, described(8)));
        assert_eq!(create(&gitlab(&script)).await.expect("made").id, 8);
        let mut sent = script.sent();
        sent.retain(|sent| sent.method == "POST");
        let spellings = ["/v1/repos/infra", "/v1/repos/infra/", ":443/v1/repos/infra"];
        for (sent, spelling) in sent.iter().zip(spellings) {
            assert_eq!(sent.json()["url"], format!("{host}{spelling}"));
        }

        let script = Script::default()
            .then(&post, taken.clone())
            .then(&list, ok(json!([described(7)])))
            .then_times(3, &post, &taken);
        let error = create(&gitlab(&script)).await.expect_err("taken");
        let is_duplicate = error.kind.is_rejection(Rejection::DuplicateAddress);
        assert!(is_duplicate, "{error}");
        script.sent();

        // Without another mirror to the repository, the message is all that there is. A proxy may
        // rewrite the address of one.
        let mut other = described(7);
        other["url"] = json!("https://backup.example.com/infra");
        let script = Script::default()
            .then(&post, taken.clone())
            .then(&list, ok(json!([other])))
            .then_times(3, &post, &taken);
        let error = create(&gitlab(&script)).await.expect_err("rejected");
        assert!(error.kind.is_rejection(Rejection::Other), "{error}");
        script.sent();
        let script = Script::default().then(&post, taken).then(&list, ok(json!([])));
        create(&gitlab(&script)).await.expect_err("rejected");
        script.sent();
    }
}

/// GitLab translates the text, and not the attribute's name.
#[tokio::test(start_paused = true)]
async fn rejection_of_another_attribute_is_not_respelled() {
    let post = format!("POST {MIRRORS}");
    let body = json!({"message": {"mirror_branch_regex": ["ist ungültig"]}});
    let script = Script::default().then(&post, Reply::json(400, body));
    let (gitlab, password) = (gitlab(&script), Password::new(PASSWORD));
    let known = [Mirror::parse(&described(7)).expect("a mirror")];
    let settings = settings();
    let made = gitlab.create(INFRA, CLONE_URL, LOGIN, &password, &settings, &known);
    let error = made.await.expect_err("rejected");
    assert_eq!(error.reason().code.to_string(), "CFG-412", "{error}");
    assert_eq!(script.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn limit_of_mirrors_is_found_by_their_number() {
    let full = "Die maximale Anzahl ist erreicht";
    for (enabled, is_full) in [(9, false), (10, true)] {
        let listed: Vec<_> = (0..enabled + 2)
            .map(|id| {
                let mut shown = described(id);
                shown["enabled"] = json!(id < enabled);
                shown
            })
            .collect();
        let script = Script::default()
            .then(&format!("PUT {MIRRORS}/7"), Reply::message(400, full))
            .then(&get("?per_page=100&page=1"), ok(json!(listed)));
        let updated = gitlab(&script).update(INFRA, 7, &settings(), true).await;
        let error = updated.expect_err("rejected");
        let is_limit = error.kind.is_rejection(Rejection::TooManyMirrors);
        assert_eq!(is_limit, is_full, "{error}");
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn regex_of_a_person_needs_a_request_of_its_own() {
    let all = Settings {
        only_protected_branches: false,
        ..settings()
    };
    let mut answer = described(7);
    answer["only_protected_branches"] = json!(false);
    answer["mirror_branch_regex"] = json!("^release");
    let mut cleared = answer.clone();
    cleared["mirror_branch_regex"] = json!("");
    let put = format!("PUT {MIRRORS}/7");
    let script = Script::default().then(&put, ok(answer)).then(&put, ok(cleared));
    let updated = gitlab(&script).update(INFRA, 7, &all, true).await;
    assert_eq!(updated.expect("updated").expect("there").settings, all);
    let sent = script.sent();
    assert_eq!(sent[0].json()["only_protected_branches"], false);
    assert_eq!(sent[1].json(), json!({"mirror_branch_regex": ""}));
}

#[tokio::test(start_paused = true)]
async fn missing_mirror_is_not_an_error() {
    let gone = Reply::message(404, "404 Not found");
    let script = Script::default()
        .then(&get("/7"), gone.clone())
        .then(&format!("PUT {MIRRORS}/7"), gone.clone())
        .then(&format!("POST {MIRRORS}/7/sync"), gone.clone())
        .then(&get("/7"), gone.clone())
        .then(&format!("DELETE {MIRRORS}/7"), gone);
    let gitlab = gitlab(&script);
    assert_eq!(gitlab.mirror(INFRA, 7).await.expect("an answer"), None);
    let updated = gitlab.update(INFRA, 7, &settings(), true).await;
    assert_eq!(updated.expect("an answer"), None);
    assert!(!gitlab.sync(INFRA, 7).await.expect("an answer"));
    gitlab.delete(INFRA, 7).await.expect("gone");
    script.sent();
}

/// Responses with which a proxy, a login page, a gateway or an unknown route proves nothing.
fn foreign_responses() -> Vec<Reply> {
    vec![
        Reply::json(404, json!({"error": "404 Not Found"})),
        Reply::message(404, "no Route matched with those values"),
        Reply::message(404, "Not Found"),
        Reply::message(404, "project not found in the route table"),
        Reply::empty(404),
        Reply::page(404),
        Reply::message(403, "Forbidden"),
        Reply::message(401, "Unauthorized"),
        Reply::page(200),
        Reply::page(204),
        Reply::json(200, json!({"message": "ok"})),
        Reply::json(202, described(7)),
        Reply::json(204, described(7)),
    ]
}

#[tokio::test(start_paused = true)]
async fn foreign_response_is_neither_done_nor_missing() {
    for reply in foreign_responses() {
        let read = format!("GET {MIRRORS}/7");
        let script = Script::default()
            .then(&read, reply.clone())
            .then(&format!("PUT {MIRRORS}/7"), reply.clone())
            .then(&format!("DELETE {MIRRORS}/7"), reply.clone());
        let gitlab = gitlab(&script);
        let shown = gitlab.mirror(INFRA, 7).await.map(drop);
        let updated = gitlab.update(INFRA, 7, &settings(), true).await.map(drop);
        let deleted = gitlab.delete(INFRA, 7).await;
        for result in [shown, updated, deleted] {
            let error = result.expect_err("unproved");
            let reason = error.reason().to_string();
            assert!(reason.contains("CFG-403"), "{reply:?}: {reason}");
            assert_ne!(error.sent, Sent::Yes, "{reply:?}");
        }
        script.sent();
        // An older GitLab lacks the route, so the mirror itself is looked up.
        let sync = format!("POST {MIRRORS}/7/sync");
        let script = Script::default().then(&sync, reply.clone()).then(&read, reply.clone());
        let error = super::gitlab(&script).sync(INFRA, 7).await;
        let reason = error.expect_err("unproved").reason().to_string();
        assert!(reason.contains("CFG-403"), "{reply:?}: {reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn mirror_of_a_hidden_project_is_neither_gone_nor_shown() {
    let gone = Reply::message(404, "404 Project Not Found");
    let script = Script::default()
        .then(&format!("DELETE {MIRRORS}/7"), gone.clone())
        .then(&format!("GET {PROJECT}"), gone.clone())
        .then(&format!("PUT {MIRRORS}/7"), gone.clone())
        .then(&format!("GET {PROJECT}"), gone);
    let gitlab = gitlab(&script);
    let deleted = gitlab.delete(INFRA, 7).await;
    assert_eq!(deleted.expect_err("no project").kind, ErrorKind::NotFound);
    let updated = gitlab.update(INFRA, 7, &settings(), true).await;
    assert_eq!(updated.expect_err("no project").kind, ErrorKind::NotFound);
    script.sent();
}

#[tokio::test(start_paused = true)]
async fn sync_of_old_gitlab_differs_from_missing_mirror() {
    let script = Script::default()
        .then(
            &format!("POST {MIRRORS}/7/sync"),
            Reply::json(404, json!({"error": "404 Not Found"})),
        )
        .then(&get("/7"), ok(described(7)));
    let error = gitlab(&script).sync(INFRA, 7).await.expect_err("too old");
    assert_eq!(error.kind, ErrorKind::NoSync);
    script.sent();
}

#[test]
fn highest_access_level_counts() {
    let level = json!({"access_level": 40});
    for (group, highest) in [(json!({"access_level": 50}), 50), (Value::Null, 40)] {
        let shown = json!({"permissions": {"project_access": level, "group_access": group}});
        assert_eq!(access_level(&shown), Some(highest));
    }
    assert_eq!(access_level(&json!({})), None);
}

#[tokio::test(start_paused = true)]
#[allow(clippy::too_many_lines)] // A table of cases.
async fn project_details_are_parsed() {
    let answered = async |mut body: Value| {
        body["id"] = json!(42);
        let request = format!("GET {PROJECT}?statistics=true");
        let script = Script::default().then(&request, ok(body));
        gitlab(&script).project(INFRA).await.expect("a project")
    };
    let details = ProjectDetails {
        id: 42,
        has_merge_requests: true,
        is_empty: false,
        default_branch: None,
        visibility: Visibility::Unknown,
        lfs_objects_size: 0,
    };
    assert_eq!(answered(json!({})).await, details);
    assert!(answered(json!({"empty_repo": true})).await.is_empty);
    let public = answered(json!({"visibility": "public"})).await;
    assert!(public.is_public());
    for (shown, is_private, end) in [
        ("private", true, None),
        ("internal", false, Some("is internal")),
        ("public", false, Some("is public")),
        (
            "added later",
            false,
            Some("has a visibility that is unknown"),
        ),
    ] {
        let project = answered(json!({"visibility": shown})).await;
        let found = (project.is_private(), project.visibility.beyond_members());
        assert_eq!(found, (is_private, end), "{shown}");
    }
    for (is_enabled, size) in [(true, 7), (false, 0)] {
        let statistics = json!({"lfs_objects_size": 7});
        let lfs = json!({"lfs_enabled": is_enabled, "statistics": statistics});
        assert_eq!(answered(lfs).await.lfs_objects_size, size);
    }
}

#[tokio::test(start_paused = true)]
async fn status_that_its_pipeline_rejects_goes_to_the_newest() {
    let post = "POST /projects/platform%2Finfra/statuses/1a2b";
    let commit = CommitRef {
        project: INFRA,
        sha: "1a2b".to_owned(),
        branch: "development".to_owned(),
    };
    let status = CommitStatus {
        name: "cfn-gitops/dev/shop".to_owned(),
        state: StatusState::Running,
        description: String::new(),
        target_url: String::new(),
    };
    // Deleted or archived, and as many jobs as a pipeline may have.
    for (refusal, message) in [
        (404, "404 Pipeline for pipeline_id, sha and ref Not Found"),
        (422, "refused"),
    ] {
        let script = Script::default()
            .then(post, Reply::message(refusal, message))
            .then(post, Reply::json(201, json!({"id": 9, "pipeline_id": 8})));
        let gitlab = gitlab(&script);
        let posted = gitlab.post_commit_status(&commit, &status, Some(7)).await;
        assert_eq!(posted.expect("posted").pipeline_id, Some(8));
        let sent = script.sent();
        assert_eq!(sent[0].json()["pipeline_id"], 7);
        assert_eq!(sent[1].json()["pipeline_id"], json!(null));
    }
}
