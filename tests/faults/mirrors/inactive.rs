//! A person has set the credential to inactive, because its password leaked, and it cannot be
//! replaced: a change fails, and its rollback succeeds. Nothing activates the credential.

use std::time::Duration;

use serde_json::{Value, json};

use crate::changes;
use crate::checks;
use crate::fixture::{USER, bare, in_account_with, login, properties, serial, with};
use crate::scenarios::Mirrors;
use fake_aws::clients::Clients;
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::{ParentStack, answers_are_sound};
use test_support::runner::Account;

/// The causes that prevent a replacement, and the texts of their reasons: those that prevent a
/// Create, and more.
fn causes() -> Vec<(String, Vec<String>)> {
    let prefixes = [
        "mirrors_create_refused: ",
        "mirrors_leaked_password_without_a_new_one: ",
    ];
    let refused = Mirrors::stories().into_iter().filter_map(|story| {
        let cause = prefixes.iter().find_map(|prefix| story.name.strip_prefix(prefix))?;
        let mut texts = story.steps.iter().map(|step| &step.effects.fails);
        let texts = texts.find(|texts| !texts.is_empty())?;
        Some((cause.to_owned(), texts.clone()))
    });
    let mut causes: Vec<_> = refused.collect();
    assert!(causes.len() > 20);
    // The saved mirrors work without these branches, so the rollback replaces the credential.
    causes.retain(|(_, texts)| texts[0] != "RequiredBranches");
    let issuing = "issuing the service-specific credential";
    for (cause, texts) in [
        (
            "no policy allows new credentials",
            &[issuing, "AccessDenied"][..],
        ),
        ("IAM throttles new credentials", &["issuing"]),
        ("tagging the user is denied", &["tagging user"]),
        ("writing the secret is denied", &["AccessDenied"]),
        ("GitLab fails to create mirrors", &["500"]),
        ("manual mirrors take all places", &["Maximum number"]),
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

/// The rollback's response names the credential, and why it was not replaced.
fn assert_warned(fake: &FakeAws, leaked: &str, texts: &[String]) {
    let body = fake.responses().last().expect("a response").json();
    let warning = body["Reason"].as_str().unwrap_or_default();
    let own = [leaked, "stays inactive", "CFG-311"];
    for part in texts.iter().map(String::as_str).chain(own) {
        assert!(warning.contains(part), "no {part} in {warning}");
    }
}

fn assert_kept(fake: &FakeAws, leaked: &str, context: &str) {
    let held = fake.look(checks::ours);
    let held: Vec<_> = held.iter().map(|one| (&*one.id, one.active)).collect();
    assert_eq!(held, [(leaked, false)], "{context}");
    answers_are_sound(fake);
}

#[test]
fn rollback_leaves_a_credential_inactive_for_every_cause() {
    let tags = json!([{"Key": "team", "Value": "a"}]);
    let (password, tags) = (serial(&before(), 2), with(before(), "Tags", tags));
    let (on_time, late) = (Options::default(), late_lists());
    for (options, age, change) in [
        (&on_time, 0, &password),
        (&on_time, 0, &tags),
        // The list shows it before the Update, within it, within its rollback, or after both.
        (&late, 0, &password),
        (&late, 5, &password),
        (&late, 9, &password),
        (&late, 10, &password),
    ] {
        for (cause, texts) in causes() {
            in_account_with(options.clone(), async |fake, stack, _| {
                let leaked = leak(fake, stack, &before(), &cause).await;
                tokio::time::sleep(Duration::from_secs(age)).await;
                // It fails, and its rollback succeeds.
                stack.update(change, None).await.assert_reason(&texts);
                if options.lists_late.is_zero() {
                    assert_warned(fake, &leaked, &texts);
                }
                assert_kept(fake, &leaked, &format!("{cause}, {age} s"));
            });
        }
    }
}

#[test]
fn rollback_of_a_replacement_leaves_it_inactive() {
    let replacement = with(before(), "SecretName", json!("codecommit-mirror/other"));
    for cause in [
        "no policy allows new credentials",
        "IAM throttles new credentials",
    ] {
        in_account_with(Options::default(), async |fake, stack, _| {
            let leaked = leak(fake, stack, &before(), cause).await;
            stack.update(&replacement, None).await.assert_reason(["issuing"]);
            assert_warned(fake, &leaked, &[]);
            assert_kept(fake, &leaked, cause);
        });
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
