//! A person has set the credential to inactive, because its password leaked, and it cannot be
//! replaced: a change fails, and its rollback succeeds. Nothing activates the credential.

use std::time::Duration;

use serde_json::{Value, json};

use crate::changes;
use crate::checks;
use crate::fixture::{USER, bare, in_account, in_account_with, login, properties, serial, with};
use crate::scenarios::scenarios;
use fake_aws::clients::Clients;
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::{ParentStack, answers_are_sound};
use test_support::scenarios::Step;

/// The causes that prevent a replacement, and the texts of their reasons: those that prevent a
/// Create, and more.
fn causes() -> Vec<(String, Vec<String>)> {
    let refused = scenarios().into_iter().filter_map(|scenario| {
        let cause = scenario
            .story
            .name
            .strip_prefix("mirrors_create_refused: ")?;
        let Step { effects, .. } = scenario.story.steps.first()?;
        Some((cause.to_owned(), effects.fails.clone()))
    });
    let mut causes: Vec<_> = refused.collect();
    assert!(causes.len() > 20);
    // The saved mirrors work without these branches, so the rollback replaces the credential.
    causes.retain(|(_, texts)| texts[0] != "RequiredBranches");
    let issuing = "issuing the service-specific credential";
    for (cause, texts) in [
        (
            "a foreign credential takes the second place",
            &["did not issue: ACCA"][..],
        ),
        (
            "no policy allows new credentials",
            &[issuing, "AccessDenied"],
        ),
        (
            "a policy denies new credentials",
            &[issuing, "explicit deny"],
        ),
        ("IAM throttles new credentials", &["issuing"]),
        ("tagging the user is denied", &["tagging user"]),
        ("writing the secret is denied", &["AccessDenied"]),
        ("GitLab fails to create mirrors", &["500"]),
    ] {
        let texts = texts.iter().map(|text| (*text).to_owned());
        causes.push((cause.to_owned(), texts.collect()));
    }
    causes
}

/// The properties of the Create. Each cause prevents a replacement with them.
fn before() -> Value {
    let mut before = properties();
    before["Mirrors"][0]["KeepDivergentRefs"] = json!(true);
    before
}

/// Creates the credential and sets it to inactive, after which `cause` prevents a replacement. Returns
/// its ID.
async fn leak(fake: &FakeAws, stack: &mut ParentStack, before: &Value, cause: &str) -> String {
    stack.create(before).await.assert_success();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let leaked = fake.look(checks::ours).remove(0).id;
    changes::deactivate(fake);
    changes::apply(fake, &json!(cause));
    leaked
}

fn assert_kept(fake: &FakeAws, leaked: &str, context: &str) {
    let held = fake.look(checks::ours);
    let held: Vec<_> = held.iter().map(|one| (&*one.id, one.active)).collect();
    assert_eq!(held, [(leaked, false)], "{context}");
    answers_are_sound(fake);
}

#[test]
fn rollback_leaves_a_credential_inactive_for_every_cause() {
    let before = before();
    let tags = json!([{"Key": "team", "Value": "a"}]);
    for change in [serial(&before, 2), with(before.clone(), "Tags", tags)] {
        for (cause, texts) in causes() {
            in_account(async |fake, stack, _| {
                let leaked = leak(fake, stack, &before, &cause).await;
                // It fails, and its rollback succeeds.
                stack.update(&change, None).await.assert_reason(&texts);
                let body = fake.responses().last().expect("a response").json();
                let warning = body["Reason"].as_str().unwrap_or_default();
                let own = [leaked.as_str(), "stays inactive", "CFG-311"];
                for part in texts.iter().map(String::as_str).chain(own) {
                    assert!(warning.contains(part), "{cause}: no {part} in {warning}");
                }
                assert_kept(fake, &leaked, &cause);
            });
        }
    }
}

#[test]
fn rollback_succeeds_if_iam_shows_late_what_a_person_did() {
    for (cause, texts) in causes() {
        // The list shows it before the Update, within it, within its rollback, or after both.
        for age in [0, 5, 9, 10].map(Duration::from_secs) {
            in_account_with(late_lists(), async |fake, stack, _| {
                let leaked = leak(fake, stack, &before(), &cause).await;
                tokio::time::sleep(age).await;
                let update = stack.update(&serial(&before(), 2), None).await;
                update.assert_reason(&texts);
                assert_kept(fake, &leaked, &format!("{cause}, {age:?}"));
            });
        }
    }
}

fn late_lists() -> Options {
    Options {
        lists_late: Duration::from_secs(10),
        latency: Duration::from_millis(100),
        ..Options::default()
    }
}

/// A person lists the credentials of the user. So the next list is of the other replica.
async fn list(fake: &FakeAws) {
    let clients = Clients::over(fake.connector("person"));
    let call = clients.iam.list_service_specific_credentials();
    call.user_name(USER).send().await.expect("a list");
}

#[test]
fn rollback_succeeds_if_a_later_list_is_older() {
    let options = Options {
        replicas_differ: true,
        ..late_lists()
    };
    for cause in [
        "a foreign credential takes the second place",
        "IAM throttles new credentials",
        "tagging the user is denied",
    ] {
        for before in [bare(), login(), before()] {
            for (age, lists) in [(0, 0), (0, 1), (5, 0), (5, 1)] {
                in_account_with(options.clone(), async |fake, stack, _| {
                    let leaked = leak(fake, stack, &before, cause).await;
                    tokio::time::sleep(Duration::from_secs(age)).await;
                    for _ in 0..lists {
                        list(fake).await;
                    }
                    // It is rejected without a call, so that the rollback comes at once.
                    let invalid = with(before.clone(), "RotationSerial", json!({}));
                    let update = stack.update(&invalid, None).await;
                    update.assert_reason(["RotationSerial"]);
                    assert_kept(fake, &leaked, &format!("{cause}, {age}, {lists}"));
                });
            }
        }
    }
}
