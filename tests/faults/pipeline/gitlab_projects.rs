//! The project of GitLab to which a pipeline belongs: a path may lead to another one later.

use std::collections::BTreeSet;

use expect_test::expect;
use serde_json::{Value, json};

use crate::fixture::{CHILD, changed, fake, in_account, properties, stack, with};
use fake_aws::gitlab::{REDIRECT_HOST, Scope};
use fake_aws::{FakeAws, FaultKind, On, redacted};
use test_support::child_settings::{child_settings, set_child_settings};
use test_support::custom_resource::{ParentStack, RollBack};
use test_support::propagation::ExistenceChecks;

const PROJECT: &str = "platform/shop";
const OTHER: &str = "platform/other";
const MOVED: &str = "platform/moved";

/// The properties of a pipeline that reports to this project.
fn reporting(project: &str) -> Value {
    let gitlab = json!({
        "Url": "https://gitlab.example.com", "TokenSecretId": "gitlab/shop", "Project": project});
    with(properties(), "GitLab", gitlab)
}

/// Plays with a pipeline that reports to the project `given`, or to the number of the project. The
/// number is the last argument.
fn in_project(given: Option<&str>, play: impl AsyncFnOnce(&FakeAws, &mut ParentStack, u64)) {
    in_account(async |fake, stack| {
        fake.gitlab_token("gitlab/shop");
        let number = fake.gitlab_project(PROJECT, &["main"]);
        let given = given.map_or_else(|| number.to_string(), str::to_owned);
        stack.create(&reporting(&given)).await.assert_success();
        play(fake, stack, number).await;
        fake.mend();
        // Nothing is left in the end.
        fake.arrange(|aws| aws.secrets.remove("gitlab/shop"));
    });
}

/// The number that the child stack stores. `None` if it reports nothing.
fn stored(fake: &FakeAws) -> Option<u64> {
    fake.look(|aws| {
        let settings = child_settings(aws, CHILD).expect("a child stack");
        settings["Report"]["ProjectNumber"].as_u64()
    })
}

fn break_gitlab(fake: &FakeAws) {
    let operation = On::Operation("GitLab.GetProject");
    fake.break_from_now(operation, FaultKind::InternalError500);
}

#[test]
fn create_stores_the_number_of_the_path() {
    in_project(Some(PROJECT), async |fake, stack, number| {
        assert_eq!(stored(fake), Some(number));
        assert_eq!(fake.count("GitLab.GetProject"), 1);
        // GitLab redirects a former path, so the number is the same.
        fake.move_project(PROJECT, MOVED);
        let update = changed(reporting(PROJECT));
        stack.update(&update, None).await.assert_success();
        assert_eq!(stored(fake), Some(number));
    });
}

#[test]
fn number_is_stored_without_a_call_to_gitlab() {
    in_project(None, async |fake, stack, number| {
        fake.pass_path(PROJECT, MOVED);
        let update = changed(reporting(&number.to_string()));
        stack.update(&update, None).await.assert_success();
        assert_eq!(stored(fake), Some(number));
        assert_eq!(fake.count("GitLab.GetProject"), 0);
    });
}

/// The update is rolled back, and the rollback succeeds.
#[test]
fn update_whose_path_passed_to_another_project_is_failed() {
    let mut reasons = BTreeSet::new();
    for kept in [true, false] {
        in_project(Some(PROJECT), async |fake, stack, number| {
            let other = fake.pass_path(PROJECT, MOVED);
            let outcome = stack.update(&changed(reporting(PROJECT)), None).await;
            reasons.insert(outcome.reason().to_owned());
            assert_eq!(stored(fake), Some(number));
            let chosen = if kept { number } else { other };
            let update = changed(reporting(&chosen.to_string()));
            stack.update(&update, None).await.assert_success();
            assert_eq!(stored(fake), Some(chosen));
        });
    }
    expect!["GitLab.Project platform/shop leads to project 99 now, and it was project 40. cfn-gitops changes nothing in project 99. Set GitLab.Project: 40 to keep the former project, or GitLab.Project: 99 to use the other one - CFG-424"].assert_eq(&Vec::from_iter(reasons).join("\n"));
}

#[test]
fn another_path_is_the_choice_of_the_user() {
    in_project(Some(PROJECT), async |fake, stack, _| {
        let other = fake.gitlab_project(OTHER, &["main"]);
        stack.update(&reporting(OTHER), None).await.assert_success();
        assert_eq!(stored(fake), Some(other));
    });
}

/// The number of a path counts in its GitLab only.
#[test]
fn same_path_in_another_gitlab_is_another_project() {
    in_project(Some(PROJECT), async |fake, stack, _| {
        let other = fake.gitlab_project_at(REDIRECT_HOST, PROJECT, &["main"]);
        fake.gitlab_token_for("gitlab/other", REDIRECT_HOST, Scope::Api);
        let gitlab = json!({
            "Url": format!("https://{REDIRECT_HOST}"), "TokenSecretId": "gitlab/other",
            "Project": PROJECT});
        let moved = with(properties(), "GitLab", gitlab);
        stack.update(&moved, None).await.assert_success();
        assert_eq!(stored(fake), Some(other));
        fake.arrange(|aws| aws.secrets.remove("gitlab/other"));
    });
}

#[test]
fn rollback_restores_the_project_without_gitlab() {
    for is_passed in [true, false] {
        in_project(Some(PROJECT), async |fake, stack, number| {
            fake.gitlab_project(OTHER, &["main"]);
            if is_passed {
                fake.pass_path(PROJECT, MOVED);
            }
            let calls = fake.count("GitLab.GetProject");
            let update = changed(reporting(OTHER));
            let updated = stack.update(&update, Some(RollBack::UpdateBack)).await;
            updated.assert_success();
            assert_eq!(stored(fake), Some(number));
            assert_eq!(fake.count("GitLab.GetProject"), calls + 1);
        });
    }
}

#[test]
fn unreachable_gitlab_prevents_only_changes_of_the_project() {
    in_project(Some(PROJECT), async |fake, stack, number| {
        fake.gitlab_project(OTHER, &["main"]);
        break_gitlab(fake);
        let updated = stack.update(&changed(reporting(PROJECT)), None).await;
        updated.assert_success();
        expect!["the pipeline keeps project 40 of GitLab, which was not compared with its path: looking up project platform/shop at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error. Try again in some minutes. If it stays so, look at GitLab's own logs or status page - CFG-401"].assert_eq(&redacted(updated.note()));
        assert_eq!(stored(fake), Some(number));
        let outcome = stack.update(&changed(reporting(OTHER)), None).await;
        expect!["looking up project platform/other at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error. Try again in some minutes. If it stays so, look at GitLab's own logs or status page - CFG-401"].assert_eq(&redacted(outcome.reason()));
        assert_eq!(stored(fake), Some(number));
    });
}

/// The stack has lost its settings, as after an update by hand.
#[test]
fn stack_without_a_number_gets_it_from_the_next_update() {
    let mut shown = String::new();
    for is_reachable in [true, false] {
        in_project(Some(PROJECT), async |fake, stack, number| {
            fake.arrange(|aws| {
                let child = aws.stacks.named_mut(CHILD).expect("a child stack");
                child.outputs.remove("Properties");
                set_child_settings(aws, CHILD, |settings| settings["Report"] = Value::Null);
            });
            assert_eq!(stored(fake), None);
            if !is_reachable {
                break_gitlab(fake);
            }
            let updated = stack.update(&changed(reporting(PROJECT)), None).await;
            updated.assert_success();
            assert_eq!(updated.note().is_empty(), is_reachable);
            shown += updated.note();
            assert_eq!(stored(fake), Some(number).filter(|_| is_reachable));
        });
    }
    expect!["nothing is reported to GitLab until the next update, because the number of the project is not known: looking up project platform/shop at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error. Try again in some minutes. If it stays so, look at GitLab's own logs or status page - CFG-401"].assert_eq(&shown);
}

const NEW_TOKEN: ExistenceChecks = ExistenceChecks {
    account: |options| {
        let fake = fake(options);
        fake.gitlab_token("gitlab/shop");
        fake.gitlab_project(PROJECT, &["main"]);
        let stack = stack(&fake);
        (fake, stack)
    },
    wanted: || reporting(PROJECT),
    calls: &["DescribeSecret", "GetSecretValue"],
};

#[test]
fn create_finds_a_token_that_was_stored_just_before() {
    NEW_TOKEN.create_waits_for_new_things();
    let schedules = NEW_TOKEN.create_waits_at_each_call();
    assert_eq!(schedules, 2);
    let mut missing = reporting(PROJECT);
    missing["GitLab"]["TokenSecretId"] = json!("gitlab/typo");
    let reason = "no such secret in this account and region";
    NEW_TOKEN.missing_fails_after_a_minute("Create", &missing, reason);
}
