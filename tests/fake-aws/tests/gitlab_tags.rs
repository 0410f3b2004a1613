//! GitLab's tags: who may create them, and their form in the API.

use serde_json::{Value, json};

use fake_aws::gitlab::tags::{Tag, push};

use super::gitlab::{Asking, PROJECT};

const DEVELOPER: u64 = 30;
const MAINTAINER: u64 = 40;

/// Pushes `changes` as GitLab would, which may reject them.
fn try_push(
    gitlab: &Asking,
    user: u64,
    changes: &[(&str, Option<Tag>)],
) -> Result<(), &'static str> {
    gitlab.fake.change(|aws| {
        let now = aws.now;
        push(aws.gitlab.project_mut(PROJECT), user, changes, now)
    })
}

/// A member of the body of a response.
async fn get(gitlab: &Asking, path: &str, pointer: &str) -> Value {
    let body = gitlab.ask("GET", path, None).await.body;
    body.pointer(pointer).cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn entry_of_any_matching_rule_admits() {
    let gitlab = Asking::new();
    let developer = gitlab.fake.gitlab_user(PROJECT, "dan", DEVELOPER);
    let created =
        |name: &str| try_push(&gitlab, developer, &[(name, Some(Tag::lightweight("c1")))]);
    assert_eq!(created("deploy/unprotected"), Ok(()));
    let rule = |name: &str, entry: Value| gitlab.fake.protect_tags(PROJECT, name, &[entry]);
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
    gitlab
        .fake
        .protect_tags(PROJECT, "deploy/*", &[json!({"access_level": 30})]);
    let (name, first) = ("deploy/x", Tag::annotated("c1"));
    assert_eq!(
        try_push(&gitlab, developer, &[(name, Some(first.clone()))]),
        Ok(())
    );
    assert!(try_push(&gitlab, maintainer, &[(name, Some(Tag::lightweight("c2")))]).is_err());
    assert!(try_push(&gitlab, developer, &[(name, None)]).is_err());
    let tag = gitlab
        .ask("GET", "/repository/tags/deploy%2Fx", None)
        .await
        .body;
    assert_eq!([&tag["target"], &tag["commit"]["id"]], ["d1", "c1"]);
    assert_eq!(try_push(&gitlab, maintainer, &[(name, None)]), Ok(()));
    assert_eq!(
        gitlab
            .ask("GET", "/repository/tags/deploy%2Fx", None)
            .await
            .status,
        404
    );
    let actions = [0, 1].map(|at| format!("/{at}/push_data"));
    let newest = get(&gitlab, "/events", &actions[0]).await;
    assert_eq!(
        [&newest["action"], &newest["commit_from"]],
        ["removed", "d1"]
    );
    let oldest = get(&gitlab, "/events", &actions[1]).await;
    assert_eq!(
        [&oldest["action"], &oldest["commit_to"], &oldest["ref"]],
        ["created", "d1", name]
    );
}
