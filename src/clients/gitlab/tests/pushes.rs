//! The branches that a mirror would push, and the longest time of a push.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::script::Script;
use super::{INFRA, PROJECT, described, gitlab, ok, settings};
use crate::clients::gitlab::{Mirror, Mirrored};

/// A page of protected branches.
fn listed(branches: serde_json::Value) -> Script {
    let request = format!("GET {PROJECT}/protected_branches?per_page=100&page=");
    let page = |number: u32| format!("{request}{number}");
    let is_full = branches.as_array().is_some_and(|page| page.len() == 100);
    let script = Script::default().then(&page(1), ok(branches));
    if is_full {
        return script.then(&page(2), ok(json!([])));
    }
    script
}

#[tokio::test(start_paused = true)]
async fn inherited_protections_are_not_the_projects_own() {
    let script = listed(json!([
        {"name": "main", "inherited": true},
        {"name": "development", "inherited": false},
        {"name": "release/*"},
    ]));
    let found = gitlab(&script).protected_branches(INFRA).await.expect("branches");
    assert_eq!(found.own, ["development", "release/*"]);
    assert!(found.is_complete);
    assert!(
        found.protects("release/1/2") && !found.protects("releases") && !found.protects("main")
    );
}

#[tokio::test(start_paused = true)]
async fn full_list_of_protected_branches_is_incomplete() {
    let inherited = json!({"name": "x", "inherited": true});
    let script = listed(vec![inherited; 100].into());
    let found = gitlab(&script).protected_branches(INFRA).await.expect("branches");
    assert!(found.own.is_empty() && !found.is_complete && !found.is_empty());
}

#[tokio::test(start_paused = true)]
async fn patterns_are_one_regex_of_the_query() {
    let query = "regex=%5Emain%24%7C%5Ea%5C%2Bb%2F.%2A%24&per_page=100&page=1";
    let request = format!("GET {PROJECT}/repository/branches?{query}");
    let protected = json!([{"name": "main"}, {"name": "a+b/*"}]);
    let branch = json!({"name": "main", "commit": {"id": "abc"}});
    let script = listed(protected).then(&request, ok(json!([branch])));
    let found = gitlab(&script).mirrored_branches(INFRA, &settings()).await;
    let Ok(Mirrored::Branches(_, Ok(branches))) = found else {
        panic!("{found:?}");
    };
    assert_eq!(branches[0].name, "main");
    script.sent();
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
        Mirror::parse(&body).expect("a mirror")
    };
    for (status, has_ended, minutes, is_stuck, is_pushing) in [
        ("started", true, 59, false, true),
        ("started", true, 61, true, true),
        ("started", false, 179, false, true),
        ("started", false, 181, true, true),
        ("to_retry", true, 600, false, false),
        ("finished", true, 600, false, false),
        ("settling", true, 59, false, true),
        ("settling", true, 61, true, true),
    ] {
        let now = began + Duration::from_mins(minutes);
        let mirror = mirror(status, has_ended);
        let found = (mirror.is_stuck(now), mirror.is_pushing());
        assert_eq!(
            found,
            (is_stuck, is_pushing),
            "{status} {has_ended} {minutes}"
        );
    }
    let mut ended = mirror("settling", true);
    ended.updated_at = ended.started_at;
    assert!(!ended.is_pushing());
    ended.started_at = None;
    assert!(!ended.is_pushing());
}
