//! Templates that name foreign resources, and secrets in wrong places.

use serde_json::json;

use crate::fixture::{
    GITLAB, PROJECT, SECRET, TOKEN, USER, both, in_account, properties, serial, with,
};
use crate::rejected::assert_rejected;
use fake_aws::gitlab::{HOST, REDIRECT_HOST};
use fake_aws::{Scope, Service};
use test_support::Rotated;
use test_support::custom_resource::{ParentStack, StackRequest, answers_are_sound};

// claim: token-for-another-host-is-neither-read-nor-sent
#[test]
fn token_of_another_host_is_never_read_and_never_sent() {
    let urls = [
        format!("https://{REDIRECT_HOST}"),
        format!("https://{REDIRECT_HOST}/"),
        format!("https://{HOST}.elsewhere.example"),
        format!("https://{REDIRECT_HOST}/{HOST}"),
        format!("https://{HOST}:444"),
        format!("http://{HOST}"),
        format!("https://{HOST}@{REDIRECT_HOST}"),
        format!("https://{HOST}\\@{REDIRECT_HOST}"),
        format!("https://{HOST}%2f@{REDIRECT_HOST}"),
        format!("https://{HOST}#@{REDIRECT_HOST}"),
        format!("https://{HOST}/../../{REDIRECT_HOST}"),
    ];
    let rows = urls.iter().map(|url| (url.as_str(), TOKEN));
    // The Delete after the rejected Create looks for the last one.
    let secrets = ["somebody/password", "absent/secret", SECRET];
    let rows = rows.chain(secrets.map(|secret| (GITLAB, secret)));
    for (url, secret) in rows {
        in_account(async |fake, stack, _| {
            fake.gitlab_token_for("somebody/password", REDIRECT_HOST, Scope::Api);
            let gitlab = json!({"Url": url, "TokenSecretId": secret});
            let properties = with(properties(), "GitLab", gitlab);
            assert_rejected(fake, stack, &properties, &[]).await;
            for entry in fake.journal() {
                let is_get = entry.operation == "GetSecretValue" && secret != SECRET;
                let is_read = is_get && entry.params["SecretId"] == secret;
                let is_sent = entry.operation.starts_with("GitLab.");
                assert!(!is_read && !is_sent, "{url} {secret}: {entry}");
            }
            answers_are_sound(fake);
        });
    }
}

/// The request that an attacker who may read a secret sends as another stack.
fn moves(stack: &mut ParentStack) -> Vec<StackRequest> {
    let secret = json!("codecommit-mirror/readable");
    let readable = with(properties(), "SecretName", secret);
    let deleting = with(readable.clone(), "ForeignCredentials", json!("Delete"));
    vec![
        stack.request("Update", Some(SECRET), &readable, Some(&json!({}))),
        stack.request("Update", Some(SECRET), &deleting, Some(&properties())),
        stack.request("Update", Some("other"), &deleting, Some(&json!({}))),
        stack.request("Create", None, &deleting, None),
    ]
}

// claim: forged-request-moves-no-login-to-another-secret
#[test]
fn forged_request_moves_no_login_to_another_secret() {
    let not_shown = "CloudFormation does not show";
    for (status, reason) in [
        ("UPDATE_COMPLETE", not_shown),
        ("DELETE_IN_PROGRESS", not_shown),
        ("", not_shown),
        ("denied", "Deploy the provider stack again"),
    ] {
        for forged in 0..4 {
            in_account(async |fake, stack, _| {
                stack.create(&properties()).await.assert_success();
                fake.options(|options| options.resource_status = Some(status));
                if status == "denied" {
                    fake.deny("cloudformation:DescribeStackResource", "");
                }
                let before = fake.journal().len();
                let request = moves(stack).swap_remove(forged);
                stack.deliver(&request).await.assert_reason([reason]);
                for call in &fake.journal()[before..] {
                    let is_harmless = call.reads() || call.service == Service::ResponseBucket;
                    assert!(is_harmless, "{status} {forged}: {call}");
                }
            });
        }
    }
}

// claim: no-secret-of-a-whole-scenario-is-disclosed
#[test]
fn no_secret_appears_anywhere_in_a_whole_scenario() {
    in_account(async |fake, stack, rotation| {
        fake.options(|options| options.gitlab.errors_show_the_login = true);
        stack.create(&both()).await.assert_success();
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        // GitLab's own words hold a login here, as its older versions' did.
        fake.take_git_push(USER);
        fake.push_to_gitlab(PROJECT, "main", "refused");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let request = stack.request("Update", Some(SECRET), &serial(&both(), 2), Some(&both()));
        let answer = stack.deliver(&request).await;
        assert!(!answer.is_success());
        let rotated = rotation.rotate().await;
        assert!(matches!(rotated, Rotated::Failed { .. }), "{rotated:?}");
        let shown = format!("{answer:?} {rotated:?} {}", fake.transcript());
        assert_eq!(fake.secret_in(&shown), None);
        let secrets = fake.every_secret_ever();
        let urls = secrets.iter().filter(|secret| secret.contains("://"));
        assert!(urls.count() >= 4, "the mirrors' urls are looked for");
        for start in ["glpat-", "https://user-dev"] {
            assert!(secrets.iter().any(|one| one.starts_with(start)), "{start}");
        }
        answers_are_sound(fake);
    });
}
