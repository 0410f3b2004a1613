//! A person or a clean-up removes the tags that name the owner of a secret, or of its user too.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use crate::changes::{remove_secret_tags, remove_tags};
use crate::checks::{at_rest, nothing_remains, our_mirrors, ours, state};
use crate::fixture::{
    SECRET, USER, holds, in_account, login, properties, request_delete, serial, with,
};
use fake_aws::clients::Clients;
use fake_aws::request::Service;
use fake_aws::{At, FakeAws, FaultKind, On, redacted};
use test_support::commands;
use test_support::custom_resource::{INVENTED_ID, deliver_once};

const MISSING: &str = "the tags that name its owner are missing";

fn remove_all_tags(fake: &FakeAws) {
    remove_secret_tags(fake);
    remove_tags(fake);
}

/// The Update changes nothing, its rollback succeeds even without GitLab, and the command of the
/// reason makes the same Update succeed.
// claim: nothing-without-tags-is-adopted-by-its-physical-id
#[test]
fn update_without_tags_fails_with_the_command_that_adds_them() {
    for remove in [remove_secret_tags, remove_all_tags] {
        for before in [login(), properties()] {
            in_account(async |fake, stack, _| {
                stack.create(&before).await.assert_success();
                remove(fake);
                tokio::time::sleep(Duration::from_mins(1)).await;
                let found = fake.look(state);
                fake.break_from_now(On::Service(Service::GitLab), FaultKind::InternalError500);
                // The rollback is asserted.
                let outcome = stack.update(&serial(&before, 2), None).await;
                outcome.assert_reason([MISSING, "aws secretsmanager tag-resource"]);
                let reason = outcome.reason();
                assert!(!reason.contains("delete-secret"), "{reason}");
                assert_eq!(fake.look(state), found, "something was changed");
                fake.mend();
                commands::run(fake, reason).await;
                let outcome = stack.update(&serial(&before, 2), None).await;
                outcome.assert_success();
                let wanted = serial(&before, 2);
                fake.assert_holds(|aws| at_rest(aws, &wanted, false));
                stack.delete().await.assert_success();
                fake.assert_holds(nothing_remains);
            });
        }
    }
}

/// The Update had changed the secret before the tags were removed.
#[test]
fn rollback_that_needs_the_tags_fails() {
    in_account(async |fake, stack, _| {
        stack.create(&login()).await.assert_success();
        let changed = serial(&login(), 2);
        let update = stack.request_update(&changed);
        stack.deliver(&update).await.assert_success();
        remove_all_tags(fake);
        let back = stack.request("Update", Some(SECRET), &login(), Some(&changed));
        let outcome = stack.deliver(&back).await;
        outcome.assert_reason([MISSING]);
        commands::run(fake, outcome.reason()).await;
        let back = stack.request("Update", Some(SECRET), &login(), Some(&changed));
        stack.deliver(&back).await.assert_success();
        holds(fake);
        stack.delete().await.assert_success();
        fake.assert_holds(nothing_remains);
    });
}

#[test]
fn delete_without_any_tags_fails_and_leaves_everything() {
    in_account(async |fake, stack, _| {
        stack.create(&properties()).await.assert_success();
        remove_all_tags(fake);
        let found = fake.look(state);
        let delete = request_delete(stack);
        let outcome = stack.deliver(&delete).await;
        expect!["deleting secret codecommit-mirror/user-dev-codecommit-mirroring: the tags that name its owner are missing, so it and its login are left. If it is this resource's, set them with `aws secretsmanager tag-resource --secret-id codecommit-mirror/user-dev-codecommit-mirroring --tags Key=cfn-gitops:stack-id,Value=arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/<uuid> Key=cfn-gitops:logical-id,Value=Credential Key=cfn-gitops:user-name,Value=user-dev-codecommit-mirroring`, and delete the stack again. If it is another's, delete the stack with `--retain-resources Credential` - CFG-303"].assert_eq(&redacted(outcome.reason()));
        assert_eq!(fake.look(state), found, "something was changed");
        commands::run(fake, outcome.reason()).await;
        let outcome = stack.delete().await;
        outcome.assert_success();
        assert_eq!(outcome.note(), "");
        fake.assert_holds(nothing_remains);
        assert_eq!(fake.look(our_mirrors).len(), 0);
    });
}

/// The command replaces the tag, so the reason shows it first.
#[test]
fn remaining_tag_of_another_stack_is_named() {
    let other = "arn:aws:cloudformation:eu-central-1:123456789012:stack/other/1";
    in_account(async |fake, stack, _| {
        stack.create(&login()).await.assert_success();
        remove_all_tags(fake);
        fake.change(|aws| {
            let secret = aws.secrets.get_mut(SECRET).expect("the secret");
            let tag = ("cfn-gitops:stack-id".to_owned(), other.to_owned());
            secret.tags.extend([tag]);
        });
        let outcome = stack.update(&serial(&login(), 2), None).await;
        expect!["using secret codecommit-mirror/user-dev-codecommit-mirroring: the tags that name its owner are missing, except cfn-gitops:stack-id, which names stack arn:aws:cloudformation:eu-central-1:123456789012:stack/other/1. If it is this resource's, set them with `aws secretsmanager tag-resource --secret-id codecommit-mirror/user-dev-codecommit-mirroring --tags Key=cfn-gitops:stack-id,Value=arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/<uuid> Key=cfn-gitops:logical-id,Value=Credential Key=cfn-gitops:user-name,Value=user-dev-codecommit-mirroring`, and deploy again - CFG-303"].assert_eq(&redacted(outcome.reason()));
        let delete = request_delete(stack);
        let outcome = stack.deliver(&delete).await;
        expect!["deleting secret codecommit-mirror/user-dev-codecommit-mirroring: the tags that name its owner are missing, except cfn-gitops:stack-id, which names stack arn:aws:cloudformation:eu-central-1:123456789012:stack/other/1, so it and its login are left. If it is this resource's, set them with `aws secretsmanager tag-resource --secret-id codecommit-mirror/user-dev-codecommit-mirroring --tags Key=cfn-gitops:stack-id,Value=arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/<uuid> Key=cfn-gitops:logical-id,Value=Credential Key=cfn-gitops:user-name,Value=user-dev-codecommit-mirroring`, and delete the stack again. If it is another's, delete the stack with `--retain-resources Credential` - CFG-303"].assert_eq(&redacted(outcome.reason()));
        commands::run(fake, outcome.reason()).await;
        stack.delete().await.assert_success();
        fake.assert_holds(nothing_remains);
    });
}

/// Either record proves whose the secret and its login are.
#[test]
fn delete_with_one_of_both_tags_deletes_everything() {
    for remove in [remove_secret_tags, remove_tags] {
        for id in [SECRET, INVENTED_ID] {
            in_account(async |fake, stack, _| {
                stack.create(&properties()).await.assert_success();
                remove(fake);
                tokio::time::sleep(Duration::from_mins(1)).await;
                let delete = stack.request("Delete", Some(id), &properties(), None);
                let outcome = stack.deliver(&delete).await;
                outcome.assert_success();
                assert_eq!(outcome.note(), "");
                fake.assert_holds(nothing_remains);
                assert_eq!(fake.look(our_mirrors).len(), 0);
                assert!(fake.look(|aws| !aws.secrets.contains_key(SECRET)));
            });
        }
    }
}

/// The user's tags name a secret that a person has replaced by another one of its name.
#[test]
fn user_tags_do_not_stand_in_for_another_secret() {
    in_account(async |fake, stack, _| {
        stack.create(&login()).await.assert_success();
        remove_secret_tags(fake);
        fake.change(|aws| {
            let secret = aws.secrets.get_mut(SECRET).expect("the secret");
            secret.arn = format!("{}Other1", &secret.arn[..secret.arn.len() - 6]);
        });
        let delete = request_delete(stack);
        stack.deliver(&delete).await.assert_reason([MISSING]);
        assert!(fake.look(|aws| aws.secrets.contains_key(SECRET)));
    });
}

#[test]
fn delete_of_an_untagged_secret_with_a_date_restores_it() {
    in_account(async |fake, stack, _| {
        stack.create(&login()).await.assert_success();
        remove_all_tags(fake);
        let person = Clients::over(fake.connector("a person"));
        let call = person.secrets.delete_secret().secret_id(SECRET);
        call.send().await.expect("a secret");
        let delete = request_delete(stack);
        let outcome = stack.deliver(&delete).await;
        expect!["deleting secret codecommit-mirror/user-dev-codecommit-mirroring: the tags that name its owner are missing, so it and its login are left. If it is this resource's, restore it with `aws secretsmanager restore-secret --secret-id codecommit-mirror/user-dev-codecommit-mirroring`, set them with `aws secretsmanager tag-resource --secret-id codecommit-mirror/user-dev-codecommit-mirroring --tags Key=cfn-gitops:stack-id,Value=arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/<uuid> Key=cfn-gitops:logical-id,Value=Credential Key=cfn-gitops:user-name,Value=user-dev-codecommit-mirroring`, and delete the stack again. If it is another's, delete the stack with `--retain-resources Credential` - CFG-303"].assert_eq(&redacted(outcome.reason()));
        commands::run(fake, outcome.reason()).await;
        stack.delete().await.assert_success();
        fake.assert_holds(nothing_remains);
    });
}

/// CloudFormation sends a Delete with the ID of a response, with its own, and with that of a
/// rejected Create.
#[test]
fn delete_names_the_credentials_of_a_user_without_tags() {
    let rejected = "rejected:codecommit-mirror/user-dev-codecommit-mirroring:0123456789abcdef";
    let mut shown = vec![];
    for id in [SECRET, INVENTED_ID, rejected] {
        in_account(async |fake, stack, _| {
            fake.foreign_credential(USER);
            let delete = stack.request("Delete", Some(id), &login(), None);
            let outcome = stack.deliver(&delete).await;
            outcome.assert_success();
            shown.push(redacted(outcome.note()));
            assert!(fake.look(|aws| aws.credentials(USER).len() == 1));
        });
    }
    shown.dedup();
    expect!["no tags name the owner of user user-dev-codecommit-mirroring, so its CodeCommit credentials are left: <key>. Delete each that nothing uses with `aws iam delete-service-specific-credential --user-name user-dev-codecommit-mirroring --service-specific-credential-id '<ID>'` - CFG-306"].assert_eq(&shown.join("\n"));
}

/// A rejected or a generated ID does not show that a request created the secret.
#[test]
fn rejected_or_generated_id_does_not_fail_by_missing_tags() {
    for id in [INVENTED_ID, &format!("rejected:{SECRET}:0123456789abcdef")] {
        in_account(async |fake, stack, _| {
            stack.create(&login()).await.assert_success();
            remove_all_tags(fake);
            let credentials = fake.look(ours);
            let delete = stack.request("Delete", Some(id), &login(), None);
            stack.deliver(&delete).await.assert_success();
            assert_eq!(fake.look(ours), credentials);
            assert!(fake.look(|aws| aws.secrets.contains_key(SECRET)));
        });
    }
}

/// The properties name another secret than the physical ID.
#[test]
fn delete_by_the_id_finds_the_untagged_secret_of_the_id() {
    in_account(async |fake, stack, _| {
        stack.create(&login()).await.assert_success();
        remove_all_tags(fake);
        let renamed = with(login(), "SecretName", json!("codecommit-mirror/renamed"));
        let delete = stack.request("Delete", Some(SECRET), &renamed, None);
        stack.deliver(&delete).await.assert_reason([MISSING, SECRET]);
    });
}

/// A second delivery reads GitLab's mirrors, and then waits while the first one ends.
#[test]
fn mirror_of_a_peer_that_created_the_secret_is_taken_over() {
    in_account(async |fake, stack, _| {
        let create = stack.request("Create", None, &properties(), None);
        let at = At::Operation("CreateSecret".to_owned(), 0);
        fake.hold("held", at, Duration::from_mins(4));
        let held = deliver_once(fake, "held", &create);
        let (held, first) = tokio::join!(held, deliver_once(fake, "first", &create));
        assert_eq!((held, first), (Some(true), Some(true)));
        let mirrors = fake.look(our_mirrors);
        assert_eq!(mirrors.len(), 1, "{mirrors:?}");
        fake.assert_holds(|aws| at_rest(aws, &properties(), false));
        let delete = stack.request("Delete", Some(SECRET), &properties(), None);
        let outcome = stack.deliver(&delete).await;
        outcome.assert_success();
        assert_eq!(outcome.note(), "");
        fake.assert_holds(nothing_remains);
        assert_eq!(fake.look(our_mirrors).len(), 0);
    });
}
