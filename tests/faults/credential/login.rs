//! Logins that become valid late or never, passwords, and a change of the user.

use std::time::Duration;

use serde_json::json;

use crate::checks::{nothing_remains, one_live_login, ours};
use crate::cloudformation::{deliver_once, stack};
use crate::fixture::{after_create, holds, in_account, in_account_with, state};
use crate::{OTHER_USER, USER, properties, with};
use fake_aws::{FakeAws, Options, explore::paused};

#[test]
fn password_never_contains_a_slash() {
    for seed in 0..40 {
        paused(async {
            let fake = FakeAws::seeded(Options::default(), seed);
            fake.user(USER);
            let mut stack = stack(&fake);
            let plain = json!({"UserName": USER});
            stack.create(&plain).await.assert_success();
            assert!(!fake.look(|aws| ours(aws)[0].1.password.contains('/')));
            holds(&fake);
        });
    }
}

fn logins_late_by(seconds: u64) -> Options {
    Options {
        login_late: Duration::from_secs(seconds),
        ..Options::default()
    }
}

#[test]
fn login_valid_after_four_minutes_succeeds() {
    in_account_with(logins_late_by(240), async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        let new = with(properties(), "RotationSerial", json!("2"));
        stack.update(&new, None).await.assert_success();
        holds(fake);
    });
}

#[test]
fn login_never_valid_fails_create_and_leaves_nothing() {
    for (service_timeout, time) in [("3600", 300..=301), ("60", 31..=50)] {
        in_account_with(logins_late_by(7200), async |fake, stack| {
            let properties = with(properties(), "ServiceTimeout", json!(service_timeout));
            let create = stack.request("Create", None, &properties, None);
            let answer = stack.deliver(&create).await;
            answer.assert_reason(["HTTP 401"]);
            let took = fake.responses()[0].at.as_secs();
            assert!(time.contains(&took), "{took} s");
            fake.assert_holds(nothing_remains);
        });
    }
}

#[test]
fn login_never_valid_fails_update_and_keeps_old_login() {
    after_create(async |fake, stack| {
        fake.options(|options| options.login_late = Duration::from_secs(1800));
        let (id, old) = stack.resource.clone().expect("created");
        let new = with(properties(), "RotationSerial", json!("2"));
        let update = stack.request("Update", Some(&id), &new, Some(&old));
        let asked = fake.now();
        let answer = stack.deliver(&update).await;
        answer.assert_reason(["HTTP 401"]);
        let took = fake.now().duration_since(asked).expect("forwards");
        assert!(took <= Duration::from_secs(301), "{took:?}");
        holds(fake);
    });
}

#[test]
fn user_change_under_same_secret_name_fails_and_rolls_back() {
    for (user, exists) in [(OTHER_USER, true), ("user-dev-missing", false)] {
        in_account(async |fake, stack| {
            let old = with(properties(), "SecretName", json!("codecommit-mirror/named"));
            stack.create(&old).await.assert_success();
            let id = stack.resource.clone().expect("created").0;
            let mut new = with(old.clone(), "UserName", json!(user));
            new["RotationSerial"] = json!("2");
            new["Tags"] = json!([{"Key": "team", "Value": "a"}]);
            if !exists {
                new["RepositoryNames"] = json!(["codecommit-dev-missing"]);
            }
            tokio::time::sleep(Duration::from_secs(3600)).await;
            let before = state(fake);

            let update = stack.request("Update", Some(&id), &new, Some(&old));
            tokio::time::sleep(Duration::from_secs(5)).await;
            let rollback = stack.request("Update", Some(&id), &old, Some(&new));
            let rejected = stack.deliver(&update).await;
            rejected.assert_reason([
                "change SecretName too",
                &format!("holds the login of user {USER}"),
            ]);
            stack.deliver(&rollback).await.assert_success();
            for (request, number) in [(&update, 0), (&rollback, 1), (&update, 2)] {
                deliver_once(fake, &format!("again {number}"), request).await;
            }
            let statuses = fake.responses();
            let statuses = statuses
                .iter()
                .skip(1)
                .map(|one| one.json()["Status"].clone());
            let expected = ["FAILED", "SUCCESS", "FAILED", "SUCCESS", "FAILED"];
            assert_eq!(statuses.collect::<Vec<_>>(), expected);
            assert_eq!(state(fake), before);

            stack.delete().await.assert_success();
            fake.assert_holds(nothing_remains);
        });
    }
}

#[test]
fn user_change_after_secret_was_deleted_by_hand_fails() {
    in_account(async |fake, stack| {
        let old = with(properties(), "SecretName", json!("codecommit-mirror/named"));
        stack.create(&old).await.assert_success();
        let id = stack.resource.clone().expect("created").0;
        fake.change(|aws| aws.secrets.remove(&id));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let before = state(fake);

        let new = with(old.clone(), "UserName", json!(OTHER_USER));
        let update = stack.request("Update", Some(&id), &new, Some(&old));
        let rejected = stack.deliver(&update).await;
        rejected.assert_reason(["change SecretName too"]);
        assert_eq!(state(fake), before);
        let rollback = stack.request("Update", Some(&id), &old, Some(&new));
        stack.deliver(&rollback).await.assert_success();
        fake.assert_holds(|aws| one_live_login(aws, &id, USER));
        stack.delete().await.assert_success();
        fake.assert_holds(nothing_remains);
    });
}
