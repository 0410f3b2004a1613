//! Templates that want more than is theirs, and secrets where they do not belong.

use serde_json::{Value, json};

use crate::checks;
use crate::scene::{
    GITLAB, PROJECT, REPOSITORY, SECRET, TOKEN, both, properties, rotation, serial, stack, with,
    world,
};
use fake_aws::custom_resource::{Request, Stack, answers_are_sound};
use fake_aws::explore::paused;
use fake_aws::gitlab::{ELSEWHERE, HOST};
use fake_aws::{Options, Rotated, Scope, World};

fn gitlab(url: &str, secret: &str) -> Value {
    with(
        properties(),
        "GitLab",
        json!({"Url": url, "TokenSecretId": secret}),
    )
}

/// How often anything was asked of a GitLab.
fn asked(world: &World) -> usize {
    let journal = world.journal();
    let asked = journal
        .iter()
        .filter(|entry| entry.operation.starts_with("GitLab."));
    asked.count()
}

// claim: a-token-that-is-meant-for-another-host-is-never-read-and-never-sent
#[test]
fn a_token_that_is_meant_for_another_host_is_never_read_and_never_sent() {
    for url in [
        format!("https://{ELSEWHERE}"),
        format!("https://{ELSEWHERE}/"),
        format!("https://{HOST}.elsewhere.example"),
        format!("https://{ELSEWHERE}/{HOST}"),
        format!("https://{HOST}:444"),
        format!("http://{HOST}"),
        format!("https://{HOST}@{ELSEWHERE}"),
        format!("https://{HOST}\\@{ELSEWHERE}"),
        format!("https://{HOST}%2f@{ELSEWHERE}"),
        format!("https://{HOST}#@{ELSEWHERE}"),
        format!("https://{HOST}/../../{ELSEWHERE}"),
    ] {
        paused(async {
            let world = world(Options::default());
            let answer = stack(&world).create(&gitlab(&url, TOKEN)).await;
            assert!(!answer.is_success(), "{url}: {answer:?}");
            assert_eq!(asked(&world), 0, "{url}\n{}", world.told());
            let reads = world.journal();
            let read = reads.iter().find(|entry| {
                entry.operation == "GetSecretValue" && entry.params["SecretId"] == TOKEN
            });
            assert!(read.is_none(), "{url}: its token was read");
            world.look(checks::nothing_left).expect("nothing");
            answers_are_sound(&world);
            world.assert_unbroken();
        });
    }
}

// claim: a-token-that-is-meant-for-another-host-is-never-read-and-never-sent
#[test]
fn a_token_without_a_tag_and_any_other_secret_are_not_sent() {
    paused(async {
        let world = world(Options::default());
        world.gitlab_token_for("somebody/password", ELSEWHERE, Scope::Api);
        let stored = |world: &World| world.look(|aws| format!("{:?}", aws.secrets));
        let before = stored(&world);
        for secret in ["somebody/password", "nobody/nothing", SECRET] {
            let answer = stack(&world).create(&gitlab(GITLAB, secret)).await;
            assert!(!answer.is_success(), "{secret}: {answer:?}");
            assert_eq!(asked(&world), 0, "{secret}\n{}", world.told());
        }
        world.look(|aws| aws.secrets.len());
        assert_eq!(stored(&world), before);
        world.assert_unbroken();
    });
}

/// What an attacker who may read a secret sends in another stack's name.
fn moves(stack: &mut Stack) -> Vec<Request> {
    let readable = with(
        properties(),
        "SecretName",
        json!("codecommit-mirror/readable"),
    );
    let deleting = with(readable.clone(), "ForeignCredentials", json!("Delete"));
    vec![
        stack.request("Update", Some(SECRET), &readable, Some(&json!({}))),
        stack.request("Update", Some(SECRET), &deleting, Some(&properties())),
        stack.request("Update", Some("other"), &deleting, Some(&json!({}))),
        stack.request("Create", None, &deleting, None),
    ]
}

/// How many calls have changed a user, a credential or a secret.
fn writes(world: &World) -> usize {
    let reads = ["Get", "List", "Describe"];
    let journal = world.journal();
    let is_write = |operation: &str| !reads.iter().any(|read| operation.starts_with(read));
    let services = ["Secret", "User", "Credential", "Resource"];
    let operations = journal.iter().map(|entry| entry.operation.as_str());
    let writes = operations.filter(|it| services.iter().any(|part| it.contains(part)));
    writes.filter(|operation| is_write(operation)).count()
}

// claim: forged-request-moves-no-login-to-another-secret
#[test]
fn forged_request_moves_no_login_to_another_secret() {
    for status in ["UPDATE_COMPLETE", "DELETE_IN_PROGRESS", ""] {
        for forged in 0..4 {
            paused(async {
                let world = world(Options::default());
                let mut stack = stack(&world);
                assert!(stack.create(&properties()).await.is_success());
                world.options(|options| options.resource_status = status);
                let before = writes(&world);
                let request = moves(&mut stack).swap_remove(forged);
                let answer = stack.deliver(&request).await;
                let reason = answer.reason();
                assert!(
                    reason.contains("CloudFormation does not show"),
                    "{answer:?}"
                );
                let after = writes(&world);
                assert_eq!(before, after, "{status} {forged}");
                world.assert_unbroken();
            });
        }
    }
}

#[test]
fn denied_look_up_of_the_stack_moves_no_login() {
    paused(async {
        let world = world(Options::default());
        let mut stack = stack(&world);
        assert!(stack.create(&properties()).await.is_success());
        world.deny("cloudformation:DescribeStackResource", "");
        let request = moves(&mut stack).swap_remove(0);
        let answer = stack.deliver(&request).await;
        assert!(
            answer.reason().contains("deploy the provider stack again"),
            "{answer:?}"
        );
        world.assert_unbroken();
    });
}

#[test]
fn update_that_moves_no_login_needs_no_look_at_the_stack() {
    paused(async {
        let world = world(Options::default());
        let mut stack = stack(&world);
        assert!(stack.create(&properties()).await.is_success());
        assert!(
            stack
                .update(&serial(&properties(), 2), None)
                .await
                .is_success()
        );
        assert!(stack.delete().await.is_success());
        let journal = world.journal();
        let looks = journal
            .iter()
            .filter(|entry| entry.operation == "DescribeStackResource");
        assert_eq!(looks.count(), 0);
    });
}

#[test]
fn a_login_that_gitlab_would_break_never_reaches_it() {
    // Most passwords hold a `/` at first. Without `UrlSafePassword` one could stay that way.
    for seed in 0..12 {
        paused(async {
            let world = World::seeded(Options::default(), seed);
            world.user(crate::scene::USER);
            world.repository(REPOSITORY);
            world.gitlab_project(PROJECT, &["main"]);
            world.gitlab_token(TOKEN);
            let unsafe_word = with(properties(), "UrlSafePassword", json!(false));
            let mut stack = stack(&world);
            let created = stack.create(&unsafe_word).await;
            if created.is_success() {
                world
                    .mirrors_work(PROJECT, REPOSITORY)
                    .expect("a mirror that works");
                assert!(stack.delete().await.is_success());
            } else {
                let reason = created.reason();
                assert!(reason.contains("UrlSafePassword"), "{created:?}");
            }
            world.look(checks::nothing_left).expect("nothing");
            // The fake complains of every login with a `/` or a `%` in it.
            world.assert_unbroken();
        });
    }
}

#[test]
fn a_password_that_was_not_for_a_url_is_changed_when_mirrors_come() {
    for seed in 0..8 {
        paused(async {
            let world = World::seeded(Options::default(), seed);
            world.user(crate::scene::USER);
            world.repository(REPOSITORY);
            world.gitlab_project(PROJECT, &["main"]);
            world.gitlab_token(TOKEN);
            let plain = json!({"UserName": crate::scene::USER, "UrlSafePassword": "false"});
            let mut stack = stack(&world);
            assert!(stack.create(&plain).await.is_success());
            let updated = stack.update(&properties(), None).await;
            assert!(updated.is_success(), "{updated:?}\n{}", world.told());
            world
                .mirrors_work(PROJECT, REPOSITORY)
                .expect("a mirror that works");
            world.assert_unbroken();
        });
    }
}

// claim: no-secret-of-a-whole-life-is-told-anywhere
#[test]
fn no_secret_of_a_whole_life_is_told_anywhere() {
    paused(async {
        let world = world(Options::default());
        world.options(|options| options.gitlab.errors_show_the_login = true);
        let (mut stack, mut rotation) = (stack(&world), rotation(&world));
        assert!(stack.create(&both()).await.is_success());
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        // GitLab's own words hold a login here, as its older versions' did.
        world.take_git_push(crate::scene::USER);
        world.push_to_gitlab(PROJECT, "main", "refused");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let request = stack.request("Update", Some(SECRET), &serial(&both(), 2), Some(&both()));
        let answer = stack.deliver(&request).await;
        assert!(!answer.is_success());
        let rotated = rotation.rotate().await;
        assert!(matches!(rotated, Rotated::Failed { .. }), "{rotated:?}");
        let told = format!("{answer:?} {rotated:?} {}", world.told());
        assert_eq!(world.secret_in(&told), None);
        let secrets = world.every_secret_ever();
        assert!(secrets.iter().any(|secret| secret.starts_with("glpat-")));
        let urls = secrets.iter().filter(|secret| secret.contains("://"));
        assert!(urls.count() >= 4, "the mirrors' urls are looked for");
        for secret in ["glpat-", "https://user-dev"] {
            assert!(
                secrets.iter().any(|one| one.starts_with(secret)),
                "{secret}"
            );
        }
        answers_are_sound(&world);
    });
}
