//! GitLab's tags: who may create them, and their form in the API.

use serde_json::json;

use fake_aws::gitlab::tags::{Tag, push};

use super::gitlab::{Asking, PROJECT};

const DEVELOPER: u64 = 30;
const MAINTAINER: u64 = 40;

/// Pushes a tag as GitLab would, which may reject it. `None` deletes it.
fn try_push(gitlab: &Asking, user: u64, name: &str, tag: Option<Tag>) -> Result<(), &'static str> {
    gitlab.fake.change(|aws| {
        let now = aws.now;
        push(aws.gitlab.project_mut(PROJECT), user, &[(name, tag)], now)
    })
}

#[tokio::test(start_paused = true)]
async fn entry_of_any_matching_rule_admits() {
    let gitlab = Asking::new();
    let developer = gitlab.fake.gitlab_user(PROJECT, "dan", DEVELOPER);
    let created = |name| try_push(&gitlab, developer, name, Some(Tag::lightweight("c1")));
    let rule = |name, entry| gitlab.fake.protect_tags(PROJECT, name, &[entry]);
    assert_eq!(created("deploy/unprotected"), Ok(()));
    rule("deploy/*", json!({"access_level": 40}));
    rule("deploy/*", json!({"access_level": 40, "deploy_key_id": 1}));
    assert!(created("deploy/dev/shop/1").is_err());
    assert_eq!(created("other"), Ok(()));
    rule("deploy/*/shop/*", json!({"access_level": 0}));
    assert!(created("deploy/dev/shop/1").is_err());
    rule("*", json!({"access_level": 30}));
    assert_eq!(created("deploy/dev/shop/1"), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn protected_tag_is_not_moved_and_maintainers_delete_it() {
    let gitlab = Asking::new();
    let developer = gitlab.fake.gitlab_user(PROJECT, "dan", DEVELOPER);
    let maintainer = gitlab.fake.gitlab_user(PROJECT, "ann", MAINTAINER);
    let rule = json!({"access_level": 30});
    gitlab.fake.protect_tags(PROJECT, "deploy/*", &[rule]);
    let (name, path) = ("deploy/x", "/repository/tags/deploy%2Fx");
    let moved = Some(Tag::lightweight("c2"));
    let made = try_push(&gitlab, developer, name, Some(Tag::annotated("c1")));
    assert_eq!(made, Ok(()));
    assert!(try_push(&gitlab, maintainer, name, moved).is_err());
    assert!(try_push(&gitlab, developer, name, None).is_err());
    let tag = gitlab.get(path).await;
    assert_eq!([&tag["target"], &tag["commit"]["id"]], ["d1", "c1"]);
    assert_eq!(try_push(&gitlab, maintainer, name, None), Ok(()));
    assert_eq!(gitlab.ask("GET", path, None).await.status, 404);
    let events = gitlab.get("/events").await;
    let newest = &events[0]["push_data"];
    let is = [&newest["action"], &newest["commit_from"]];
    assert_eq!(is, ["removed", "d1"]);
    let oldest = &events[1]["push_data"];
    let is = [&oldest["action"], &oldest["commit_to"], &oldest["ref"]];
    assert_eq!(is, ["created", "d1", name]);
}
