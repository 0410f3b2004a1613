//! Templates that name foreign resources, and secrets in wrong places.

use serde_json::{Value, json};

use crate::checks;
use crate::fixture::{
    GITLAB, PROJECT, SECRET, TOKEN, both, fake, in_account, properties, serial, stack, with,
};
use fake_aws::explore::paused;
use fake_aws::gitlab::{HOST, REDIRECT_HOST};
use fake_aws::{FakeAws, Options, Scope};
use test_support::Rotated;
use test_support::custom_resource::{ParentStack, StackRequest, answers_are_sound};

fn gitlab(url: &str, secret: &str) -> Value {
    with(
        properties(),
        "GitLab",
        json!({"Url": url, "TokenSecretId": secret}),
    )
}

/// The number of requests to a GitLab.
fn gitlab_requests(fake: &FakeAws) -> usize {
    let journal = fake.journal();
    let requests = journal
        .iter()
        .filter(|entry| entry.operation.starts_with("GitLab."));
    requests.count()
}

// claim: token-for-another-host-is-neither-read-nor-sent
#[test]
fn token_of_another_host_is_never_read_and_never_sent() {
    for url in [
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
    ] {
        paused(async {
            let fake = fake(Options::default());
            let answer = stack(&fake).create(&gitlab(&url, TOKEN)).await;
            assert!(!answer.is_success(), "{url}: {answer:?}");
            assert_eq!(gitlab_requests(&fake), 0, "{url}");
            let reads = fake.journal();
            let read = reads.iter().find(|entry| {
                entry.operation == "GetSecretValue" && entry.params["SecretId"] == TOKEN
            });
            assert!(read.is_none(), "{url}: its token was read");
            fake.assert_holds(checks::nothing_remains);
            answers_are_sound(&fake);
            fake.assert_unbroken();
        });
    }
}

// claim: token-for-another-host-is-neither-read-nor-sent
#[test]
fn token_without_a_tag_and_any_other_secret_are_not_sent() {
    paused(async {
        let fake = fake(Options::default());
        fake.gitlab_token_for("somebody/password", REDIRECT_HOST, Scope::Api);
        let stored = |fake: &FakeAws| fake.look(|aws| format!("{:?}", aws.secrets));
        let before = stored(&fake);
        for secret in ["somebody/password", "absent/secret", SECRET] {
            let answer = stack(&fake).create(&gitlab(GITLAB, secret)).await;
            assert!(!answer.is_success(), "{secret}: {answer:?}");
            assert_eq!(gitlab_requests(&fake), 0, "{secret}");
        }
        fake.look(|aws| aws.secrets.len());
        assert_eq!(stored(&fake), before);
        fake.assert_unbroken();
    });
}

/// The request that an attacker who may read a secret sends as another stack.
fn moves(stack: &mut ParentStack) -> Vec<StackRequest> {
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
fn writes(fake: &FakeAws) -> usize {
    let reads = ["Get", "List", "Describe"];
    let journal = fake.journal();
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
            in_account(async |fake, stack, _| {
                stack.create(&properties()).await.assert_success();
                fake.options(|options| options.resource_status = status);
                let before = writes(fake);
                let request = moves(stack).swap_remove(forged);
                let answer = stack.deliver(&request).await;
                answer.assert_reason(["CloudFormation does not show"]);
                let after = writes(fake);
                assert_eq!(before, after, "{status} {forged}");
            });
        }
    }
}

#[test]
fn denied_look_up_of_the_stack_moves_no_login() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        fake.deny("cloudformation:DescribeStackResource", "");
        let request = moves(stack).swap_remove(0);
        let answer = stack.deliver(&request).await;
        answer.assert_reason(["deploy the provider stack again"]);
    });
}

// claim: no-secret-of-a-whole-scenario-is-disclosed
#[test]
fn no_secret_appears_anywhere_in_a_whole_scenario() {
    in_account(async |fake, stack, rotation| {
        fake.options(|options| options.gitlab.errors_show_the_login = true);
        stack.create(&both()).await.assert_success();
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        // GitLab's own words hold a login here, as its older versions' did.
        fake.take_git_push(crate::fixture::USER);
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
        assert!(secrets.iter().any(|secret| secret.starts_with("glpat-")));
        let urls = secrets.iter().filter(|secret| secret.contains("://"));
        assert!(urls.count() >= 4, "the mirrors' urls are looked for");
        for secret in ["glpat-", "https://user-dev"] {
            assert!(
                secrets.iter().any(|one| one.starts_with(secret)),
                "{secret}"
            );
        }
        answers_are_sound(fake);
    });
}
