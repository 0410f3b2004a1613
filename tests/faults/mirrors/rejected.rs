//! Users, secrets and credentials that belong to another stack or to a person, and invalid
//! properties: a rejected Create changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{nothing_remains, ours, state};
use crate::fixture::{
    OTHER_REPOSITORY, OTHER_USER, REPOSITORY, SECRET, USER, after_create, bare, holds, in_account,
    in_account_with, login, options, stack, stack_called, with,
};
use fake_aws::{FakeAws, Options, explore::paused};
use test_support::custom_resource::{INVENTED_ID, ParentStack, deliver_once};

/// The ARN of another stack.
const OTHER_STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/other/6f3b2c10-0000-11f0-8000-0a0000000000";

/// Creates, and expects a rejection with these parts in its reason, which changed nothing.
pub async fn assert_rejected(
    fake: &FakeAws,
    stack: &mut ParentStack,
    properties: &Value,
    reason: &[&str],
) {
    let before = fake.look(state);
    stack.create(properties).await.assert_reason(reason);
    assert_eq!(fake.look(state), before, "something was touched");
    fake.assert_unbroken();
}

// claim: user-of-another-stack-is-rejected-naming-its-owner
#[test]
fn user_or_secret_of_another_stack_is_rejected_with_a_command() {
    let own_secret = with(login(), "SecretName", json!("codecommit-mirror/mine"));
    let its_secret = json!({"UserName": OTHER_USER, "SecretName": SECRET});
    let its_owner = "it belongs to Credential of stack arn:aws:";
    let in_use = "using secret codecommit-mirror/";
    for (properties, reason) in [
        (own_secret, [its_owner, "aws iam untag-user --user-name"]),
        (its_secret, [in_use, "aws secretsmanager tag-resource"]),
    ] {
        after_create(async |fake, _| {
            let mut other = stack_called(fake, OTHER_STACK);
            assert_rejected(fake, &mut other, &properties, &reason).await;
            holds(fake);
        });
    }
}

#[test]
fn delete_does_not_wait_and_frees_the_user_for_another_stack() {
    after_create(async |fake, stack| {
        stack.delivers_twice = true;
        let began = fake.now();
        stack.delete().await.assert_success();
        let took = fake.now().duration_since(began).expect("later");
        assert!(took < Duration::from_secs(1), "{took:?}");
        let mut other = stack_called(fake, OTHER_STACK);
        other.create(&login()).await.assert_success();
        holds(fake);
    });
}

// claim: user-of-another-stack-is-rejected-naming-its-owner
#[test]
fn delete_of_rejected_create_leaves_anothers_user_untouched() {
    after_create(async |fake, _| {
        let before = fake.look(|aws| format!("{:?}", aws.iam.latest()));
        let mut other = stack_called(fake, OTHER_STACK);
        // The first delivery fails because of a denied call. CloudFormation deletes the resource by
        // the ID of that response.
        fake.deny("codecommit:GetRepository", REPOSITORY);
        let create = other.request("Create", None, &login(), None);
        let first = deliver_once(fake, "first delivery", &create).await;
        assert_eq!(first, Some(true));
        fake.allow();
        let delete = other.request("Delete", Some(SECRET), &login(), None);
        other.deliver(&delete).await.assert_success();
        let after = fake.look(|aws| format!("{:?}", aws.iam.latest()));
        assert_eq!(after, before);
    });
}

#[test]
fn delete_works_with_only_the_id_or_only_the_properties() {
    for (id, properties) in [
        (SECRET, json!({"UserName": ["?"], "Tags": 7})),
        (INVENTED_ID, login()),
    ] {
        after_create(async |fake, stack| {
            let request = stack.request("Delete", Some(id), &properties, None);
            stack.deliver(&request).await.assert_success();
            fake.assert_holds(nothing_remains);
        });
    }
}

fn assert_denied(action: &str, part: &str, properties: &Value, parameter: &str) {
    in_account(async |fake, stack, _| {
        fake.user("user-prd-codecommit-mirroring");
        fake.deny(action, part);
        assert_rejected(fake, stack, properties, &[parameter]).await;
    });
}

// claim: name-outside-the-pattern-is-denied-and-the-reason-names-the-parameter
#[test]
fn denied_call_names_the_stack_parameter() {
    let user = json!({"UserName": "user-prd-codecommit-mirroring"});
    assert_denied("*", "user/user-prd", &user, "MirrorUserNames");
    let secret = with(login(), "SecretName", json!("elsewhere/secret"));
    assert_denied("*", "elsewhere/secret", &secret, "MirrorSecretNames");
    let repositories = json!([REPOSITORY, "codecommit-prd-x"]);
    let repositories = with(login(), "RepositoryNames", repositories);
    let action = "codecommit:GetRepository";
    assert_denied(action, "codecommit-prd", &repositories, "RepositoryNames");
}

#[test]
fn all_property_errors_are_reported_before_any_call() {
    in_account(async |fake, stack, _| {
        let wrong = json!({
            "UserName": USER,
            "SecretName": "no spaces",
            "RepositoryNames": ["fine", {"not": "a name"}],
            "Username": "typo",
        });
        let reason = ["SecretName: ", "RepositoryNames[1]: ", "Username: "];
        assert_rejected(fake, stack, &wrong, &reason).await;
        assert_eq!(fake.calls_of("1-Create.1"), 1, "only the answer");
    });
}

#[test]
fn password_never_contains_a_slash() {
    for seed in 0..40 {
        paused(async {
            let fake = FakeAws::seeded(Options::default(), seed);
            fake.user(USER);
            let mut stack = stack(&fake);
            stack.create(&bare()).await.assert_success();
            assert!(!fake.look(|aws| ours(aws)[0].password.contains('/')));
            holds(&fake);
        });
    }
}

#[test]
fn login_is_verified_with_each_repository() {
    in_account(async |fake, stack, _| {
        let repositories = [REPOSITORY, OTHER_REPOSITORY];
        let properties = with(bare(), "RepositoryNames", json!(repositories));
        stack.create(&properties).await.assert_success();
        let journal = fake.journal();
        let checks = journal.iter().filter(|call| call.operation == "GitPush");
        let checked: BTreeSet<_> =
            checks.filter_map(|call| call.params["repository"].as_str()).collect();
        assert_eq!(checked, BTreeSet::from(repositories));
    });
}

#[test]
fn login_never_valid_fails_create_and_leaves_nothing() {
    let options = options(|options| options.login_late = Duration::from_hours(2));
    for (service_timeout, time) in [("3600", 300..=301), ("60", 31..=50)] {
        in_account_with(options.clone(), async |fake, stack, _| {
            let properties = with(login(), "ServiceTimeout", json!(service_timeout));
            let create = stack.request("Create", None, &properties, None);
            let answer = stack.deliver(&create).await;
            answer.assert_reason(["HTTP 401"]);
            let took = fake.responses()[0].at.as_secs();
            assert!(time.contains(&took), "{took} s");
            fake.assert_holds(nothing_remains);
        });
    }
}
