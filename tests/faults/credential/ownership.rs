//! Users, secrets and credentials that belong to another stack or to a person.

use std::time::Duration;

use serde_json::json;

use crate::by_hand::remove_tags;
use crate::checks::{nothing_remains, one_live_login};
use crate::cloudformation::{RollBack, deliver_once, stack, stack_called};
use crate::fixture::{
    NAME, OTHER_STACK, after_create, assert_rejected, holds, in_account, in_account_with, state,
};
use crate::late::failed_then_deleted;
use crate::{OTHER_USER, USER, fake, properties, with};
use fake_aws::{FakeAws, Options, explore::paused};

// claim: user-of-another-stack-is-rejected-naming-its-owner
#[test]
fn user_of_another_stack_is_rejected_with_the_release_command() {
    after_create(async |fake, _| {
        let mut other = stack_called(fake, OTHER_STACK);
        let own_secret = with(properties(), "SecretName", json!("codecommit-mirror/mine"));
        let says = [
            "it belongs to Credential of stack arn:aws:",
            "aws iam untag-user --user-name",
        ];
        assert_rejected(fake, &mut other, &own_secret, &says).await;
        holds(fake);
    });
}

// claim: user-of-another-stack-is-rejected-naming-its-owner
#[test]
fn secret_of_another_stack_is_rejected_and_named() {
    after_create(async |fake, _| {
        let mut other = stack_called(fake, OTHER_STACK);
        let its_secret = json!({"UserName": OTHER_USER, "SecretName": NAME});
        let says = [
            "using secret codecommit-mirror/",
            "aws secretsmanager delete-secret",
        ];
        assert_rejected(fake, &mut other, &its_secret, &says).await;
        holds(fake);
    });
}

#[test]
fn user_is_free_for_another_stack_after_its_delete() {
    after_create(async |fake, stack| {
        stack.delete().await.assert_success();
        let mut other = stack_called(fake, OTHER_STACK);
        other.create(&properties()).await.assert_success();
        holds(fake);
    });
}

#[test]
fn name_can_be_used_again_at_once_even_within_the_same_second() {
    paused(async {
        let options = Options {
            deletion_takes: Duration::from_secs(5),
            ..Options::default()
        };
        let fake = fake(options);
        let mut stack = stack(&fake);
        for _ in 0..3 {
            stack.create(&properties()).await.assert_success();
            holds(&fake);
            stack.delete().await.assert_success();
        }
        fake.assert_holds(nothing_remains);
    });
}

#[test]
fn foreign_credential_blocks_rotation_and_survives_delete() {
    after_create(async |fake, stack| {
        fake.foreign_credential(USER);
        let before = state(fake);
        let rotated = with(properties(), "RotationSerial", json!("2"));
        let request = stack.request_update(&rotated);
        let answer = stack.deliver(&request).await;
        assert!(!answer.is_success(), "{answer:?}");
        assert_eq!(state(fake), before);
        stack.delete().await.assert_success();
        assert_eq!(fake.look(|aws| aws.credentials(USER).len()), 1);
        assert!(
            fake.delete_user(USER).is_err(),
            "DeleteConflict, as the contract says"
        );
    });
}

#[test]
fn foreign_credentials_are_deleted_if_allowed() {
    after_create(async |fake, stack| {
        let deleting = with(properties(), "ForeignCredentials", json!("Delete"));
        stack.update(&deleting, None).await.assert_success();
        fake.foreign_credential(USER);
        stack.delete().await.assert_success();
        fake.delete_user(USER).expect("nothing is left in its way");
    });
}

// claim: user-of-another-stack-is-rejected-naming-its-owner
#[test]
fn delete_of_rejected_create_leaves_anothers_user_untouched() {
    after_create(async |fake, _| {
        let before = fake.look(|aws| format!("{:?}", aws.iam.latest()));
        let mut other = stack_called(fake, OTHER_STACK);
        failed_then_deleted(fake, &mut other).await;
        let after = fake.look(|aws| format!("{:?}", aws.iam.latest()));
        assert_eq!(after, before);
    });
}

#[test]
fn delete_of_rejected_create_succeeds_if_tagging_is_denied() {
    in_account(async |fake, stack| {
        fake.deny("iam:TagUser", USER);
        let delete = stack.request("Delete", Some(NAME), &properties(), None);
        stack.deliver(&delete).await.assert_success();
    });
}

#[test]
fn later_foreign_credential_survives_a_second_delete() {
    let options = Options {
        tags_late: Duration::from_secs(3),
        ..Options::default()
    };
    in_account_with(options, async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let delete = stack.request("Delete", Some(NAME), &properties(), None);
        stack.deliver(&delete).await.assert_success();
        let foreign = fake.foreign_credential(USER);
        deliver_once(fake, "second delivery", &delete).await;
        assert_eq!(fake.look(|aws| aws.credentials(USER)), [foreign]);
    });
}

#[test]
fn later_foreign_credential_survives_without_the_secret() {
    for is_credential_gone in [false, true] {
        in_account(async |fake, stack| {
            stack.create(&properties()).await.assert_success();
            tokio::time::sleep(Duration::from_secs(60)).await;
            fake.arrange(|aws| {
                aws.secrets.clear();
                if is_credential_gone {
                    let now = aws.now;
                    aws.iam.change(now, |iam| {
                        let user = iam.users.get_mut(USER).expect("the user");
                        user.credentials.clear();
                    });
                }
            });
            let foreign = fake.foreign_credential(USER);
            stack.delete().await.assert_success();
            assert_eq!(fake.look(|aws| aws.credentials(USER)), [foreign]);
        });
    }
}

#[test]
fn next_request_restores_tags_that_the_user_has_lost() {
    let secret = || json!("codecommit-mirror/renamed");
    let updates = [
        ("no-op", properties()),
        ("password", with(properties(), "RotationSerial", json!("2"))),
        ("replacement", with(properties(), "SecretName", secret())),
    ];
    let records = |fake: &FakeAws| {
        let mut tags = fake.look(|aws| aws.iam.latest().users[USER].tags.clone());
        // A login that was not issued again has no open attempt.
        tags.retain(|key, _| key.starts_with("cfn-gitops:") && key != "cfn-gitops:attempt");
        let keys: Vec<String> = tags.into_keys().collect();
        keys.join(" ")
    };
    let all =
        "cfn-gitops:ended-attempt cfn-gitops:logical-id cfn-gitops:secret-name cfn-gitops:stack-id";
    for (name, update) in updates {
        for rolls_back in [None, Some(RollBack::UpdateBack)] {
            in_account(async |fake, stack| {
                let create = stack.request("Create", None, &properties(), None);
                stack.deliver(&create).await.assert_success();
                stack.resource = Some((NAME.to_owned(), properties()));
                remove_tags(fake);
                deliver_once(fake, "second delivery", &create).await;
                assert_eq!(records(fake), all, "Create");
                holds(fake);
                tokio::time::sleep(Duration::from_secs(3600)).await;
                remove_tags(fake);
                let answer = stack.update(&update, rolls_back).await;
                assert!(answer.is_success(), "{name}: {answer:?}");
                assert_eq!(records(fake), all, "{name}");
                let (id, _) = stack.resource.clone().expect("a resource");
                fake.assert_holds_in(name, |aws| one_live_login(aws, &id, USER));
                remove_tags(fake);
                stack.delivers_twice = true;
                stack.delete().await.assert_success();
                fake.assert_holds(nothing_remains);
            });
        }
    }
}
