//! What is asked, and how often.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::script::{Reply, Script};
use super::{
    CLONE_URL, LOGIN, MIRRORS, PASSWORD, PROJECT, TOKEN, create, described, gitlab, ok, settings,
    with_regex,
};
use crate::gitlab::{Kind, Mirror, Project, PushesEverything, Settings};
use crate::http::HttpError;
use crate::password::Password;

const INFRA: &str = "platform/infra";

fn get(path: &str) -> String {
    format!("GET {MIRRORS}{path}")
}

#[tokio::test(start_paused = true)]
async fn every_request_carries_the_token_in_its_header_to_the_one_address() {
    let script = Script::default()
        .then(&get("/7"), ok(described(7)))
        .then(&format!("PUT {MIRRORS}/7"), ok(described(7)))
        .then(&format!("POST {MIRRORS}/7/sync"), Reply::empty(204))
        .then(&format!("DELETE {MIRRORS}/7"), Reply::empty(204));
    let gitlab = gitlab(&script);
    gitlab.mirror(INFRA, 7).await.expect("a mirror");
    gitlab
        .update(INFRA, 7, &settings(), true)
        .await
        .expect("set");
    gitlab.sync(INFRA, 7).await.expect("a push");
    gitlab.delete(INFRA, 7).await.expect("removed");
    for sent in script.sent() {
        assert!(sent.uri.starts_with("https://gitlab.example.com/api/v4/"));
        assert!(!sent.uri.contains(TOKEN) && !sent.body.contains(TOKEN));
        assert_eq!(sent.header("private-token"), Some(TOKEN));
        let is_json = sent.header("content-type") == Some("application/json");
        assert_eq!(is_json, !sent.body.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_project_is_a_number_or_its_whole_path_in_one_segment() {
    for (project, segment) in [
        ("42", "42"),
        ("platform/infra", "platform%2Finfra"),
        ("a/b-c/d.e/f_g", "a%2Fb-c%2Fd.e%2Ff_g"),
        ("/a/b/", "a%2Fb"),
        ("a/../b?c=d#e", "a%2F..%2Fb%3Fc%3Dd%23e"),
    ] {
        let request = format!("GET /projects/{segment}/remote_mirrors/7");
        let script = Script::default().then(&request, ok(described(7)));
        gitlab(&script).mirror(project, 7).await.expect("a mirror");
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn all_pages_of_a_list_are_read() {
    let page = |ids: &[u64]| ok(ids.iter().map(|id| described(*id)).collect());
    let script = Script::default()
        .then(
            &get("?per_page=100"),
            page(&[1, 2]).with("x-next-page", "2"),
        )
        .then(
            &get("?per_page=100&page=2"),
            page(&[3]).with("x-next-page", ""),
        );
    let mirrors = gitlab(&script).mirrors(INFRA).await.expect("mirrors");
    let ids: Vec<u64> = mirrors.iter().map(|mirror| mirror.id).collect();
    assert_eq!(ids, [1, 2, 3]);
    script.sent();
}

// claim: a-token-that-is-meant-for-another-host-is-never-read-and-never-sent
#[tokio::test(start_paused = true)]
async fn a_link_to_the_next_page_leads_to_the_same_address_whatever_host_it_names() {
    let link = "<http://elsewhere.example.org/x?page=1>; rel=\"first\", \
                <http://elsewhere.example.org/x?per_page=100&cursor=ab%3D>; rel=\"next\"";
    let of = "/projects/42/protected_branches";
    let script = Script::default()
        .then(
            &format!("GET {of}?per_page=100"),
            ok(json!([{"name": "main"}])).with("link", link),
        )
        .then(
            &format!("GET {of}?per_page=100&cursor=ab%3D"),
            ok(json!([{"name": "release/*"}, {"id": 3}])),
        );
    let branches = gitlab(&script).protected_branches("42").await;
    assert_eq!(branches.expect("branches").own, ["main", "release/*"]);
    script.sent();
}

// claim: an-answer-without-an-end-is-cut-off
#[tokio::test(start_paused = true)]
async fn a_list_without_an_end_is_given_up() {
    let page = ok(json!([])).with("x-next-page", "2");
    let script = Script::default()
        .then(&get("?per_page=100"), page.clone())
        .then_times(49, &get("?per_page=100&page=2"), &page);
    let error = gitlab(&script).mirrors(INFRA).await.expect_err("no end");
    assert_eq!(error.kind, Kind::TooManyPages(50));
    script.sent();
}

#[tokio::test(start_paused = true)]
async fn a_mirror_is_made_disabled_with_its_login_raw() {
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
async fn a_login_that_cannot_stand_in_an_address_is_not_sent() {
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
        let made = gitlab
            .create(INFRA, CLONE_URL, login, &password, &settings())
            .await;
        let error = made.expect_err("refused");
        assert_eq!(error.kind, Kind::UnsafeLogin, "{login}");
        assert!(!error.outcome_unknown());
    }
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_user_may_hold_an_at_sign() {
    let reply = Reply::json(201, described(7));
    let script = Script::default().then(&format!("POST {MIRRORS}"), reply);
    let password = Password::new("p");
    let login = "a@example.com-at-1";
    let made = gitlab(&script)
        .create(INFRA, "https://git/r", login, &password, &settings())
        .await;
    made.expect("made");
    let sent = &script.sent()[0];
    assert_eq!(sent.json()["url"], "https://a@example.com-at-1:p@git/r");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_taken_is_written_in_other_ways() {
    let taken = Reply::json(400, json!({"message": {"url": ["has already been taken"]}}));
    let post = format!("POST {MIRRORS}");
    let script = Script::default()
        .then_times(3, &post, &taken)
        .then(&post, Reply::json(201, described(8)));
    assert_eq!(create(&gitlab(&script)).await.expect("made").id, 8);
    let sent = script.sent();
    let host = format!("https://{LOGIN}:{PASSWORD}@git-codecommit.eu-central-1.amazonaws.com");
    let spellings = ["/v1/repos/infra", "/v1/repos/infra/", ":443/v1/repos/infra"];
    for (sent, spelling) in sent.iter().zip(spellings) {
        assert_eq!(sent.json()["url"], format!("{host}{spelling}"));
    }

    let script = Script::default().then_times(4, &post, &taken);
    let error = create(&gitlab(&script)).await.expect_err("taken");
    assert!(matches!(error.kind, Kind::Taken { .. }), "{error}");
    script.sent();
}

#[tokio::test(start_paused = true)]
async fn one_choice_of_branches_is_told_at_a_time() {
    let mut answer = described(7);
    answer["only_protected_branches"] = json!(false);
    answer["mirror_branch_regex"] = json!("^release");
    let put = format!("PUT {MIRRORS}/7");
    let script = Script::default().then(&put, ok(answer.clone()));
    let updated = gitlab(&script).update(INFRA, 7, &with_regex(), true).await;
    let mirror = updated.expect("updated").expect("there");
    assert_eq!(mirror.settings, with_regex());
    let body = json!({
        "enabled": true,
        "mirror_branch_regex": "^release",
        "keep_divergent_refs": false,
    });
    assert_eq!(script.sent()[0].json(), body);

    // Back to all branches: the pattern stays until it is taken away.
    let all = Settings {
        branch_regex: None,
        ..with_regex()
    };
    let mut cleared = answer.clone();
    cleared["mirror_branch_regex"] = json!("");
    let script = Script::default()
        .then(&put, ok(answer))
        .then(&put, ok(cleared));
    let updated = gitlab(&script).update(INFRA, 7, &all, true).await;
    assert_eq!(updated.expect("updated").expect("there").settings, all);
    let sent = script.sent();
    assert_eq!(sent[0].json()["only_protected_branches"], false);
    assert_eq!(sent[1].json(), json!({"mirror_branch_regex": ""}));
}

#[tokio::test(start_paused = true)]
async fn a_pattern_that_gitlab_leaves_out_leaves_no_mirror_behind() {
    // The free edition does not know it; the other one without its licence shows that it is not set.
    for enterprise in [false, true] {
        let script = Script::default()
            .then(&format!("POST {MIRRORS}"), Reply::json(201, described(7)))
            .then("GET /metadata", ok(json!({"enterprise": enterprise})))
            .then(&format!("DELETE {MIRRORS}/7"), Reply::empty(204));
        let password = Password::new(PASSWORD);
        let made = gitlab(&script)
            .create(INFRA, CLONE_URL, LOGIN, &password, &with_regex())
            .await;
        assert_eq!(made.expect_err("left out").kind, Kind::NoBranchRegex);
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn a_pattern_that_is_not_shown_is_believed_where_the_edition_is_not_known() {
    for metadata in [
        ok(json!({"version": "15.0"})),
        Reply::message(404, "404 Not Found"),
        Reply::page(404),
    ] {
        let script = Script::default()
            .then(&format!("POST {MIRRORS}"), Reply::json(201, described(7)))
            .then("GET /metadata", metadata);
        let password = Password::new(PASSWORD);
        let made = gitlab(&script)
            .create(INFRA, CLONE_URL, LOGIN, &password, &with_regex())
            .await;
        assert_eq!(made.expect("made").id, 7);
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_gone_and_no_error() {
    for gone in [
        Reply::message(404, "404 Not found"),
        Reply::json(404, json!({"error": "404 Not Found"})),
        Reply::empty(404),
    ] {
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
}

#[tokio::test(start_paused = true)]
async fn a_mirror_goes_with_its_project() {
    let gone = Reply::message(404, "404 Project Not Found");
    let script = Script::default()
        .then(&format!("DELETE {MIRRORS}/7"), gone.clone())
        .then(&format!("GET {PROJECT}"), gone);
    gitlab(&script).delete(INFRA, 7).await.expect("gone");
    script.sent();
}

#[tokio::test(start_paused = true)]
async fn a_gitlab_that_cannot_be_asked_for_a_push_is_told_from_a_mirror_that_is_gone() {
    let script = Script::default()
        .then(
            &format!("POST {MIRRORS}/7/sync"),
            Reply::json(404, json!({"error": "404 Not Found"})),
        )
        .then(&get("/7"), ok(described(7)));
    let error = gitlab(&script).sync(INFRA, 7).await.expect_err("too old");
    assert_eq!(error.kind, Kind::NoSync);
    script.sent();
}

#[tokio::test(start_paused = true)]
async fn a_project_is_empty_or_not_and_says_what_the_token_may_do() {
    let answered = async |body| {
        let request = format!("GET {PROJECT}?statistics=true");
        let script = Script::default().then(&request, ok(body));
        gitlab(&script).project(INFRA).await.expect("a project")
    };
    let project = |is_empty, access_level| Project {
        is_empty,
        access_level,
        lfs_objects_size: 0,
    };
    let body = json!({"empty_repo": true, "permissions": {
        "project_access": {"access_level": 30}, "group_access": {"access_level": 50}}});
    assert_eq!(answered(body).await, project(true, Some(50)));
    let body = json!({"default_branch": null, "permissions": {
        "project_access": {"access_level": 40}, "group_access": null}});
    assert_eq!(answered(body).await, project(true, Some(40)));
    let body = json!({"default_branch": "main"});
    assert_eq!(answered(body).await, project(false, None));
    assert_eq!(answered(json!({})).await, project(false, None));
    let lfs = json!({"lfs_enabled": true, "statistics": {"lfs_objects_size": 7}});
    assert_eq!(answered(lfs).await.lfs_objects_size, 7);
    let off = json!({"lfs_enabled": false, "statistics": {"lfs_objects_size": 7}});
    assert_eq!(answered(off).await.lfs_objects_size, 0);
}

/// A page of protected branches.
fn listed(branches: serde_json::Value) -> Script {
    let request = format!("GET {PROJECT}/protected_branches?per_page=100");
    Script::default().then(&request, ok(branches))
}

#[tokio::test(start_paused = true)]
async fn inherited_protections_are_not_the_projects_own() {
    let script = listed(json!([
        {"name": "main", "inherited": true},
        {"name": "development", "inherited": false},
        {"name": "release/*"},
    ]));
    let found = gitlab(&script).protected_branches(INFRA).await;
    let found = found.expect("branches");
    assert_eq!(found.own, ["development", "release/*"]);
    assert!(found.is_complete);
}

#[tokio::test(start_paused = true)]
async fn full_list_of_protected_branches_is_incomplete() {
    let inherited = json!({"name": "x", "inherited": true});
    let script = listed(vec![inherited; 100].into());
    let found = gitlab(&script).protected_branches(INFRA).await;
    let found = found.expect("branches");
    assert!(found.own.is_empty() && !found.is_complete && !found.is_empty());
}

#[tokio::test(start_paused = true)]
async fn mirror_without_own_protected_branch_pushes_everything() {
    let inherited = json!([{"name": "main", "inherited": true}]);
    for (protected, is_empty, expected) in [
        (json!([]), false, Some(PushesEverything::NothingProtected)),
        (inherited, false, Some(PushesEverything::NothingProtected)),
        (json!([]), true, None),
        (json!([{"name": "main"}]), false, None),
    ] {
        let mut script = listed(protected.clone());
        if protected[0]["inherited"] == true || protected == json!([]) {
            let request = format!("GET {PROJECT}?statistics=true");
            script = script.then(&request, ok(json!({"empty_repo": is_empty})));
        }
        let found = gitlab(&script).pushes_everything(INFRA, &settings()).await;
        assert_eq!(found.expect("an answer"), expected, "{protected}");
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn regex_without_a_branch_pushes_everything() {
    let settings = Settings {
        branch_regex: Some("^(main|a b)+$".to_owned()),
        ..with_regex()
    };
    for (branches, is_empty, expected) in [
        (json!([]), false, Some(PushesEverything::NothingMatches)),
        (json!([]), true, None),
        (json!([{"name": "main"}]), false, None),
    ] {
        let query = "per_page=1&regex=%5E%28main%7Ca%20b%29%2B%24";
        let request = format!("GET {PROJECT}/repository/branches?{query}");
        let mut script = Script::default().then(&request, ok(branches.clone()));
        if branches == json!([]) {
            let request = format!("GET {PROJECT}?statistics=true");
            script = script.then(&request, ok(json!({"empty_repo": is_empty})));
        }
        let found = gitlab(&script).pushes_everything(INFRA, &settings).await;
        assert_eq!(found.expect("an answer"), expected, "{branches}");
        script.sent();
    }
}

#[test]
fn started_mirror_is_stuck_after_gitlabs_lease() {
    let began = SystemTime::UNIX_EPOCH + Duration::from_hours(9);
    let mirror = |status: &str, has_ended: bool| {
        let mut body = described(7);
        body["update_status"] = json!(status);
        body["last_update_started_at"] = json!("1970-01-01T09:00:00.000Z");
        if has_ended {
            body["last_update_at"] = json!("1970-01-01T08:00:00.000Z");
        }
        Mirror::read(&body).expect("a mirror")
    };
    for (status, has_ended, minutes, expected) in [
        ("started", true, 59, false),
        ("started", true, 61, true),
        ("started", false, 179, false),
        ("started", false, 181, true),
        ("to_retry", true, 600, false),
        ("finished", true, 600, false),
    ] {
        let now = began + Duration::from_mins(minutes);
        let is_stuck = mirror(status, has_ended).is_stuck(now);
        assert_eq!(is_stuck, expected, "{status} {has_ended} {minutes}");
    }
}

/// Asks in a way that may be repeated, and in the one that may not.
async fn attempts(times: usize, reply: Reply) -> [(Kind, Duration); 2] {
    let script = Script::default().then_times(4, &get("/7"), &reply);
    let begun = tokio::time::Instant::now();
    let repeated = gitlab(&script).mirror(INFRA, 7).await.expect_err("fault");
    let took = begun.elapsed();
    assert_eq!(script.sent().len(), 4);
    let script = Script::default().then_times(times, &format!("POST {MIRRORS}"), &reply);
    let begun = tokio::time::Instant::now();
    let once = create(&gitlab(&script)).await.expect_err("fault");
    script.sent();
    [(repeated.kind, took), (once.kind, begun.elapsed())]
}

#[tokio::test(start_paused = true)]
async fn making_a_mirror_is_repeated_only_when_it_was_not_heard() {
    for (times, reply, kind) in [
        (
            4,
            Reply::Nothing(HttpError::NoConnection),
            Kind::Unreachable,
        ),
        (1, Reply::Nothing(HttpError::NoAnswer), Kind::NoAnswer),
        (1, Reply::Silence, Kind::NoAnswer),
        (4, Reply::empty(429), Kind::Throttled),
        (
            1,
            Reply::page(502),
            Kind::OutOfOrder {
                status: 502,
                message: "a page without a message".to_owned(),
            },
        ),
    ] {
        for (got, took) in attempts(times, reply).await {
            assert_eq!(got, kind);
            assert!(took < Duration::from_secs(70), "{kind:?} took {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_get_better_is_not_repeated() {
    for (reply, kind) in [
        (
            Reply::Nothing(HttpError::NotVerified("unknown issuer".to_owned())),
            Kind::NotVerified("unknown issuer".to_owned()),
        ),
        (Reply::Nothing(HttpError::TooLarge), Kind::TooLarge),
        (Reply::Nothing(HttpError::Unsendable), Kind::UnusableUrl),
        (Reply::text(200, &" ".repeat(1_000_001)), Kind::TooLarge),
        (Reply::page(200), Kind::NoApi { status: 200 }),
        (
            Reply::json(200, json!({"id": "seven"})),
            Kind::Unreadable { status: 200 },
        ),
        (Reply::empty(200), Kind::Unreadable { status: 200 }),
    ] {
        let script = Script::default().then(&get("/7"), reply);
        let error = gitlab(&script).mirror(INFRA, 7).await.expect_err("fault");
        assert_eq!(error.kind, kind);
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_passes_is_not_seen() {
    let script = Script::default()
        .then(&get("/7"), Reply::page(503))
        .then(&get("/7"), Reply::Nothing(HttpError::NoAnswer))
        .then(&get("/7"), Reply::empty(429))
        .then(&get("/7"), ok(described(7)));
    let mirror = gitlab(&script).mirror(INFRA, 7).await.expect("an answer");
    assert_eq!(mirror.expect("there").id, 7);
    script.sent();
}

#[tokio::test(start_paused = true)]
async fn a_wish_for_a_pause_is_followed_for_half_a_minute_at_most() {
    for (wished, waited) in [("7", 7), ("30", 30), ("3600", 30), ("0", 0)] {
        let busy = Reply::empty(429).with("retry-after", wished);
        let script = Script::default()
            .then(&get("/7"), busy)
            .then(&get("/7"), ok(described(7)));
        gitlab(&script).mirror(INFRA, 7).await.expect("an answer");
        let sent = script.sent();
        let pause = sent[1].at - sent[0].at;
        assert_eq!(pause.as_secs(), waited, "{wished}");
    }
}
