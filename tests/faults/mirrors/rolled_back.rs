//! CloudFormation rolls a stack back after an Update that succeeded, and GitLab fails meanwhile:
//! the rollback succeeds at once, and issues no password.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::changes;
use crate::checks;
use crate::fixture::{
    GITLAB, OTHER_PROJECT, OTHER_REPOSITORY, OTHER_USER, REPOSITORY, TOKEN, USER, both, elsewhere,
    in_account, in_account_with, login, options, properties, serial, with,
};
use fake_aws::gitlab::{HOST, REDIRECT_HOST};
use fake_aws::{FakeAws, FaultKind, On, Schedules, Scope, redacted};
use test_support::custom_resource::{ParentStack, RequestOutcome, RollBack, answers_are_sound};

/// Far less than GitLab's restart, a push or a missing answer would take.
const AT_ONCE: Duration = Duration::from_secs(150);

/// Each kind of Update: its name, and the properties before and after it.
fn updates() -> Vec<(&'static str, Value, Value)> {
    let before = properties();
    let changed = |name, value| (name, before.clone(), with(before.clone(), name, value));
    let of_mirror = |name: &'static str, value: Value| {
        let mut after = before.clone();
        after["Mirrors"][0][name] = value;
        (name, before.clone(), after)
    };
    let every_branch = {
        let (name, after, _) = of_mirror("OnlyProtectedBranches", json!(null));
        let mut before = before.clone();
        before["Mirrors"][0]["OnlyProtectedBranches"] = json!(false);
        (name, before, after)
    };
    let token = json!({"Url": GITLAB, "TokenSecretId": "gitlab/second"});
    let bare = with(
        with(login(), "RepositoryNames", json!([REPOSITORY])),
        "Tags",
        json!({}),
    );
    let replaced = json!("codecommit-mirror/replacement");
    let mut moved = elsewhere("gitlab/other");
    moved["Mirrors"][0]["GitLabProject"] = json!("moved/infra");
    vec![
        of_mirror("KeepDivergentRefs", json!(true)),
        every_branch,
        of_mirror("RequiredBranches", json!(["development"])),
        of_mirror("WaitForSync", json!(false)),
        changed("Tags", json!({"Team": "shop"})),
        changed("RotationSerial", json!("2")),
        changed("GitLab", token),
        changed("KmsKeyId", json!("alias/mirror")),
        changed("RepositoryNames", json!([OTHER_REPOSITORY])),
        ("a mirror is added", before.clone(), both()),
        ("a mirror is removed", both(), before.clone()),
        ("all mirrors are removed", before.clone(), bare.clone()),
        ("the first mirror is added", bare, before.clone()),
        ("GitLab has another address", before.clone(), moved),
        changed("UserName", json!(OTHER_USER)),
        changed("SecretName", replaced),
    ]
}

/// Each failure of GitLab, by the names of `changes`.
const FAILURES: [&str; 14] = [
    "a token that GitLab does not know",
    "a token that may only read",
    "a Developer's token",
    "a project that the token's user cannot see",
    "the project is deleted",
    "GitLab is out of order",
    "GitLab becomes unreachable",
    "GitLab hangs",
    "GitLab throttles",
    "GitLab is in maintenance",
    "GitLab redirects",
    "the token's secret is deleted",
    "every push fails",
    "no push ends",
];

/// Those that end by themselves.
const PASSING: [&str; 6] = [
    "GitLab is out of order",
    "GitLab becomes unreachable",
    "GitLab hangs",
    "GitLab throttles",
    "every push fails",
    "no push ends",
];

fn fail(fake: &FakeAws, failure: &str) {
    match failure {
        "every push fails" => fake.break_from_now(
            On::Operation("GitLab.SyncMirror"),
            FaultKind::InternalError500,
        ),
        "no push ends" => fake.options(|options| options.sync_takes = Duration::from_hours(9)),
        name => drop(changes::apply(fake, &json!(name))),
    }
}

/// The Update succeeds. Returns the ID in its response.
async fn update(stack: &mut ParentStack, after: &Value) -> String {
    let request = stack.request_update(after);
    match stack.deliver(&request).await {
        RequestOutcome::Success { id, .. } => id,
        other => panic!("{other:?}"),
    }
}

/// CloudFormation restores `before`, and deletes the replacement, if the Update was one.
async fn roll_back(stack: &mut ParentStack, id: &str, before: &Value, after: &Value) {
    let fake = stack.fake.clone();
    let mut now = id.to_owned();
    // Then `continue-update-rollback`.
    for _ in 0..2 {
        let began = fake.now();
        let back = stack.request_back(&now, before, after);
        let answer = stack.deliver(&back).await;
        let RequestOutcome::Success { id, .. } = &answer else {
            panic!("{answer:?}\n{}", fake.transcript());
        };
        let took = fake.now().duration_since(began).expect("a time");
        assert!(took < AT_ONCE, "it took {took:?}\n{}", fake.transcript());
        now.clone_from(id);
    }
    if now != id {
        stack.delete_id(id, after).await;
    }
}

/// The Update from `before` to `after` succeeds, GitLab fails, and the stack rolls back. Then GitLab
/// works again.
async fn play(
    fake: &FakeAws,
    stack: &mut ParentStack,
    (before, after): (&Value, &Value),
    failure: &str,
) {
    fake.gitlab_token_for("gitlab/second", HOST, Scope::Api);
    fake.gitlab_token_for("gitlab/other", REDIRECT_HOST, Scope::Api);
    fake.gitlab_project_at(REDIRECT_HOST, "moved/infra", &["main"]);
    stack.create(before).await.assert_success();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let id = update(stack, after).await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    let issued = fake.count("CreateServiceSpecificCredential");
    fail(fake, failure);
    roll_back(stack, &id, before, after).await;
    assert_eq!(fake.count("CreateServiceSpecificCredential"), issued);
    let secret = checks::secret(before);
    fake.assert_holds(|aws| checks::login_works(aws, &secret));
    answers_are_sound(fake);
    stack.show("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE", &secret);
    // The Delete of a replacement leaves its mirrors.
    if PASSING.contains(&failure) && id == secret {
        fake.mend();
        fake.options(|options| options.sync_takes = Duration::from_secs(3));
        tokio::time::sleep(Duration::from_hours(12)).await;
        let next = serial(before, 9);
        stack.update(&next, None).await.assert_success();
        fake.assert_holds(|aws| checks::at_rest(aws, &next, false));
    }
}

#[test]
fn rollback_succeeds_whatever_gitlab_rejects() {
    let mut schedules = Schedules::quarter();
    for (name, before, after) in updates() {
        for failure in FAILURES {
            schedules.run(format!("{name}: {failure}"), || {
                in_account(async |fake, stack, _| {
                    play(fake, stack, (&before, &after), failure).await;
                });
            });
        }
    }
    schedules.report("rollbacks while GitLab fails");
}

/// The former address answers no more, so the Update issued a password.
#[test]
fn rollback_to_a_former_gitlab_issues_no_password_and_warns() {
    in_account(async |fake, stack, _| {
        let (before, after) = (properties(), elsewhere(TOKEN));
        stack.create(&before).await.assert_success();
        fail(fake, "GitLab moves to another address");
        let id = update(stack, &after).await;
        let issued = fake.count("CreateServiceSpecificCredential");
        let back = stack.request_back(&id, &before, &after);
        let answer = stack.deliver(&back).await;
        answer.assert_success();
        expect!["the mirrors were not checked: reading GitLab's token from secret gitlab/token: the secret's owner allows its token for https://gitlab.elsewhere.example (tag cfn-gitops:gitlab-url), and not for https://gitlab.example.com. The token was neither read nor sent. Set GitLabUrl to https://gitlab.elsewhere.example (the property GitLab.Url), or GitLab.TokenSecretId to the secret of a token for https://gitlab.example.com - CFG-405"].assert_eq(&redacted(answer.note()));
        assert_eq!(fake.count("CreateServiceSpecificCredential"), issued);
        let secret = checks::secret(&before);
        fake.assert_holds(|aws| checks::login_works(aws, &secret));
    });
}

/// CloudFormation may show the status before the rollback for some time.
#[test]
fn rollback_that_is_shown_late_succeeds() {
    let mut schedules = Schedules::quarter();
    for (name, before, after) in updates() {
        for (late, failure) in [
            (5, "a token that GitLab does not know"),
            (30, "GitLab is out of order"),
            (59, "every push fails"),
            (59, "no push ends"),
        ] {
            schedules.run(format!("{name}: {failure}, {late} s late"), || {
                let late = options(|options| options.parents_late = Duration::from_secs(late));
                in_account_with(late, async |fake, stack, _| {
                    play(fake, stack, (&before, &after), failure).await;
                });
            });
        }
    }
    schedules.report("rollbacks that are shown late");
}

/// Without the permission to list stacks, the rollback of an Update that failed succeeds, because
/// its properties were applied last.
#[test]
fn rollback_of_a_failed_update_needs_no_look() {
    let mut schedules = Schedules::quarter();
    for (name, before, after) in updates() {
        for failure in FAILURES {
            schedules.run(format!("{name}: {failure}"), || {
                in_account(async |fake, stack, _| {
                    fake.gitlab_token_for("gitlab/second", HOST, Scope::Api);
                    stack.create(&before).await.assert_success();
                    fake.break_from_now(On::Operation("ListStacks"), FaultKind::DeniedExplicitly);
                    fail(fake, failure);
                    // With its rollback, which succeeds.
                    if !stack.update(&after, None).await.is_success() {
                        let secret = checks::secret(&before);
                        fake.assert_holds(|aws| checks::login_works(aws, &secret));
                    }
                });
            });
        }
    }
    schedules.report("rollbacks of failed Updates");
}

/// The same failures fail an Update that is not a rollback, even with the former properties.
#[test]
fn update_to_former_properties_fails_with_gitlab() {
    for (failure, seconds) in [
        ("GitLab is out of order", "600"),
        ("a Developer's token", "600"),
        ("a Developer's token", "20"),
    ] {
        let before = with(properties(), "ServiceTimeout", json!(seconds));
        let after = with(before.clone(), "Tags", json!({"Team": "shop"}));
        in_account(async |fake, stack, _| {
            stack.create(&before).await.assert_success();
            stack.update(&after, None).await.assert_success();
            fail(fake, failure);
            let back = stack.request_update(&before);
            stack.deliver(&back).await.assert_reason(["CFG-40"]);
        });
    }
}

/// The rollback keeps the password, which is the one of the restored serial from now on.
#[test]
fn serial_that_was_rolled_back_can_be_set_again() {
    let (before, after) = (properties(), serial(&properties(), 2));
    in_account(async |fake, stack, _| {
        let issued = || fake.count("CreateServiceSpecificCredential");
        stack.create(&before).await.assert_success();
        let rolled_back = stack.update(&after, Some(RollBack::UpdateBack)).await;
        rolled_back.assert_success();
        assert_eq!(issued(), 2);
        let tags = with(before.clone(), "Tags", json!({"Team": "shop"}));
        stack.update(&tags, None).await.assert_success();
        assert_eq!(issued(), 2);
        stack.update(&after, None).await.assert_success();
        assert_eq!(issued(), 3);
        fake.assert_holds(|aws| checks::at_rest(aws, &after, false));
    });
}

/// A rejection in one project stops nothing in the others.
#[test]
fn rollback_restores_the_projects_that_gitlab_shows() {
    let (before, mut after) = (both(), both());
    for mirror in after["Mirrors"].as_array_mut().expect("a list") {
        mirror["KeepDivergentRefs"] = json!(true);
    }
    in_account(async |fake, stack, _| {
        stack.create(&before).await.assert_success();
        let id = update(stack, &after).await;
        fail(fake, "the project is deleted");
        roll_back(stack, &id, &before, &after).await;
        let mirrors = fake.look(checks::our_mirrors);
        let [(project, mirror)] = &mirrors[..] else {
            panic!("{mirrors:?}");
        };
        assert_eq!(project, OTHER_PROJECT);
        assert!(!mirror.keep_divergent_refs, "{mirror:?}");
    });
}

/// CloudFormation still shows the rollback before the Update, or the cleanup after it.
#[test]
fn update_after_a_rollback_issues_a_password() {
    let before = properties();
    for (shown, next) in [
        ("UPDATE_ROLLBACK_IN_PROGRESS", 3),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", 2),
    ] {
        in_account(async |fake, stack, _| {
            stack.create(&before).await.assert_success();
            let rolled_back = serial(&before, 2);
            let rolled_back = stack.update(&rolled_back, Some(RollBack::UpdateBack));
            rolled_back.await.assert_success();
            stack.show(shown, "UPDATE_COMPLETE", &checks::secret(&before));
            tokio::time::sleep(Duration::from_hours(1)).await;
            fake.options(|options| options.parents_late = Duration::from_mins(30));
            let after = serial(&before, next);
            let id = || fake.look(|aws| aws.credentials(USER)[0].id.clone());
            let former = id();
            stack.update(&after, None).await.assert_success();
            assert_ne!(id(), former, "{shown}");
            fake.assert_holds(|aws| checks::at_rest(aws, &after, false));
        });
    }
}
