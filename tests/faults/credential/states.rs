//! What is found there: somebody else's, something missing, something changed by hand.

use std::time::Duration;

use serde_json::{Value, json};

use crate::by_hand::remove_tags;
use crate::checks::{nothing_left, one_live_login, ours};
use crate::cloudformation::{
    INVENTED_ID, ParentStack, RequestOutcome, RollBack, deliver_once, stack, stack_called,
};
use crate::{OTHER_USER, REPOSITORY, USER, fake, properties, with};
use fake_aws::custom_resource::{StackRequest, answers_are_sound};
use fake_aws::iam::User;
use fake_aws::{FakeAws, Options, explore::paused};

const NAME: &str = "codecommit-mirror/user-dev-codecommit-mirroring";
const TOMBSTONE: &str = "cfn-gitops:deletion";
const OTHER_STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/other/6f3b2c10-0000-11f0-8000-0a0000000000";

async fn created(options: Options) -> (FakeAws, ParentStack) {
    let fake = fake(options);
    let mut stack = stack(&fake);
    let answer = stack.create(&properties()).await;
    assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    (fake, stack)
}

/// Creates, expects a refusal, and that neither it nor its Delete changed anything.
async fn refused(fake: &FakeAws, stack: &mut ParentStack, properties: &Value) -> String {
    let before = state(fake);
    let answer = stack.create(properties).await;
    let RequestOutcome::Failed { reason, .. } = answer else {
        panic!("{answer:?}\n{}", fake.transcript());
    };
    assert_eq!(
        state(fake),
        before,
        "something was touched\n{}",
        fake.transcript()
    );
    fake.assert_unbroken();
    reason
}

/// Everything that a request could change. On a user that no resource owns, the Delete of a
/// rejected Create may leave its tombstone.
fn state(fake: &FakeAws) -> String {
    fake.look(|aws| {
        let mut iam = aws.iam.latest().clone();
        for user in iam.users.values_mut().filter(|user| !is_owned(user)) {
            user.tags.remove(TOMBSTONE);
        }
        format!("{iam:?} {:?}", aws.secrets)
    })
}

fn is_owned(user: &User) -> bool {
    user.tags.contains_key("cfn-gitops:stack-id")
}

fn holds(fake: &FakeAws) {
    let held = fake.look(|aws| one_live_login(aws, NAME, USER));
    held.unwrap_or_else(|broken| panic!("{broken}\n{}", fake.transcript()));
}

#[test]
fn user_of_another_stack_is_rejected_with_the_release_command() {
    paused(async {
        let (fake, _) = created(Options::default()).await;
        let mut other = stack_called(&fake, OTHER_STACK);
        let own_secret = with(properties(), "SecretName", json!("codecommit-mirror/mine"));
        let reason = refused(&fake, &mut other, &own_secret).await;
        assert!(
            reason.contains("it belongs to Credential of stack arn:aws:"),
            "{reason}"
        );
        assert!(
            reason.contains("aws iam untag-user --user-name"),
            "{reason}"
        );
        holds(&fake);
    });
}

#[test]
fn another_stacks_secret_is_refused_and_named() {
    paused(async {
        let (fake, _) = created(Options::default()).await;
        let mut other = stack_called(&fake, OTHER_STACK);
        let its_secret = json!({"UserName": OTHER_USER, "SecretName": NAME});
        let reason = refused(&fake, &mut other, &its_secret).await;
        assert!(
            reason.contains("taking secret codecommit-mirror/"),
            "{reason}"
        );
        assert!(
            reason.contains("aws secretsmanager delete-secret"),
            "{reason}"
        );
        holds(&fake);
    });
}

#[test]
fn user_is_free_for_another_stack_after_its_delete() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        assert!(stack.delete().await.is_success());
        let mut other = stack_called(&fake, OTHER_STACK);
        let answer = other.create(&properties()).await;
        assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
        holds(&fake);
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
            let answer = stack.create(&properties()).await;
            assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
            holds(&fake);
            assert!(stack.delete().await.is_success());
        }
        fake.look(nothing_left).expect("nothing");
    });
}

#[test]
fn foreign_credentials_are_refused_by_name_and_left_alone() {
    paused(async {
        let fake = fake(Options::default());
        let foreign = fake.foreign_credential(USER);
        let reason = refused(&fake, &mut stack(&fake), &properties()).await;
        assert!(reason.contains(&foreign.id), "{reason}");
        assert!(
            reason.contains("aws iam delete-service-specific-credential --user-name"),
            "{reason}"
        );
    });
}

#[test]
fn foreign_credential_blocks_rotation_and_survives_delete() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        fake.foreign_credential(USER);
        let before = state(&fake);
        let rotated = with(properties(), "RotationSerial", json!("2"));
        let (id, old) = stack.resource.clone().expect("created");
        let request = stack.request("Update", Some(&id), &rotated, Some(&old));
        let answer = stack.deliver(&request).await;
        assert!(!answer.is_success(), "{answer:?}");
        assert_eq!(state(&fake), before);
        assert!(stack.delete().await.is_success());
        assert_eq!(fake.look(|aws| aws.credentials(USER).len()), 1);
        assert!(
            fake.delete_user(USER).is_err(),
            "DeleteConflict, as the contract says"
        );
    });
}

#[test]
fn foreign_credentials_are_deleted_if_the_template_says_so() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        let deleting = with(properties(), "ForeignCredentials", json!("Delete"));
        assert!(stack.update(&deleting, None).await.is_success());
        fake.foreign_credential(USER);
        assert!(stack.delete().await.is_success());
        fake.delete_user(USER).expect("nothing is left in its way");
    });
}

#[test]
fn delete_succeeds_when_any_or_all_of_it_is_gone_already() {
    for gone in 1..8u8 {
        paused(async {
            let (fake, mut stack) = created(Options::default()).await;
            fake.change(|aws| {
                let now = aws.now;
                if gone & 1 != 0 {
                    aws.secrets.clear();
                }
                if gone & 2 != 0 {
                    aws.iam.change(now, |iam| {
                        iam.users
                            .get_mut(USER)
                            .expect("the user")
                            .credentials
                            .clear();
                    });
                }
                if gone & 4 != 0 {
                    aws.iam.change(now, |iam| iam.users.remove(USER));
                }
            });
            let answer = stack.delete().await;
            assert!(
                answer.is_success(),
                "{gone}: {answer:?}\n{}",
                fake.transcript()
            );
            fake.look(nothing_left)
                .unwrap_or_else(|left| panic!("{gone}: {left}\n{}", fake.transcript()));
        });
    }
}

#[test]
fn delete_works_from_the_id_alone_and_from_the_properties_alone() {
    for properties_are_broken in [true, false] {
        paused(async {
            let (fake, mut stack) = created(Options::default()).await;
            let (id, properties) = stack.resource.clone().expect("created");
            let request = if properties_are_broken {
                stack.request(
                    "Delete",
                    Some(&id),
                    &json!({"UserName": ["?"], "Tags": 7}),
                    None,
                )
            } else {
                stack.request("Delete", Some(INVENTED_ID), &properties, None)
            };
            let answer = stack.deliver(&request).await;
            assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
            fake.look(nothing_left).expect("nothing");
        });
    }
}

#[test]
fn manual_changes_are_healed_by_a_no_op_update() {
    type Change = fn(&mut fake_aws::AwsState);
    let changes: [(&str, Change); 5] = [
        ("set inactive", |aws| {
            let now = aws.now;
            aws.iam.change(now, |iam| {
                iam.users.get_mut(USER).expect("the user").credentials[0].active = false;
            });
        }),
        ("credential deleted", |aws| {
            let now = aws.now;
            aws.iam.change(now, |iam| {
                iam.users
                    .get_mut(USER)
                    .expect("the user")
                    .credentials
                    .clear();
            });
        }),
        ("password reset", |aws| {
            let now = aws.now;
            aws.iam.change(now, |iam| {
                iam.users.get_mut(USER).expect("the user").credentials[0].password =
                    "another".into();
            });
        }),
        ("secret deleted", |aws| aws.secrets.clear()),
        ("tags removed from the user", |aws| {
            let now = aws.now;
            aws.iam.change(now, |iam| {
                iam.users.get_mut(USER).expect("the user").tags.clear();
            });
        }),
    ];
    for (what, change) in changes {
        paused(async {
            let (fake, mut stack) = created(Options::default()).await;
            fake.change(change);
            let answer = stack.update(&properties(), None).await;
            assert!(
                answer.is_success(),
                "{what}: {answer:?}\n{}",
                fake.transcript()
            );
            holds(&fake);
            assert!(stack.delete().await.is_success());
            fake.look(nothing_left).expect("nothing");
        });
    }
}

#[test]
fn url_safe_password_never_resets_the_live_one() {
    for seed in 0..40 {
        paused(async {
            let fake = FakeAws::seeded(Options::default(), seed);
            fake.user(USER);
            let mut stack = stack(&fake);
            let any = json!({"UserName": USER, "UrlSafePassword": "false"});
            assert!(stack.create(&any).await.is_success());
            let first = fake.look(|aws| ours(aws)[0].1.clone());
            let safe = json!({"UserName": USER});
            assert!(stack.update(&safe, None).await.is_success());
            let now = fake.look(|aws| ours(aws)[0].1.clone());
            assert!(!now.password.contains('/'));
            assert_eq!(
                first.id == now.id,
                !first.password.contains('/'),
                "reissued only when needed"
            );
            holds(&fake);
        });
    }
}

#[test]
fn denied_call_names_the_stack_parameter() {
    for (action, part, parameter) in [
        ("*", "user/user-prd", "MirrorUserNames"),
        ("*", "elsewhere/secret", "MirrorSecretNames"),
        (
            "codecommit:GetRepository",
            "codecommit-prd",
            "RepositoryNames",
        ),
    ] {
        paused(async {
            let fake = fake(Options::default());
            fake.user("user-prd-codecommit-mirroring");
            fake.deny(action, part);
            let hostile = match parameter {
                "MirrorUserNames" => json!({"UserName": "user-prd-codecommit-mirroring"}),
                "MirrorSecretNames" => with(properties(), "SecretName", json!("elsewhere/secret")),
                _ => with(
                    properties(),
                    "RepositoryNames",
                    json!([REPOSITORY, "codecommit-prd-x"]),
                ),
            };
            let reason = refused(&fake, &mut stack(&fake), &hostile).await;
            assert!(reason.contains(parameter), "{reason}");
        });
    }
}

#[test]
fn late_copy_of_an_older_request_changes_nothing() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        let (id, old) = stack.resource.clone().expect("created");
        let second = with(properties(), "RotationSerial", json!("2"));
        let third = with(properties(), "RotationSerial", json!("3"));
        let older = stack.request("Update", Some(&id), &second, Some(&old));
        assert!(stack.deliver(&older).await.is_success());
        tokio::time::sleep(Duration::from_secs(30)).await;
        stack.resource = Some((id.clone(), second));
        assert!(stack.update(&third, None).await.is_success());
        let before = state(&fake);
        deliver_once(&fake, &fake.caller("older again"), &older).await;
        assert_eq!(state(&fake), before, "{}", fake.transcript());

        // A Delete of what was made again since.
        let deletion = stack.request("Delete", Some(&id), &third, None);
        assert!(stack.deliver(&deletion).await.is_success());
        tokio::time::sleep(Duration::from_secs(30)).await;
        stack.resource = None;
        assert!(stack.create(&properties()).await.is_success());
        deliver_once(&fake, &fake.caller("deletion again"), &deletion).await;
        holds(&fake);
    });
}

fn logins_late_by(seconds: u64) -> Options {
    Options {
        login_late: Duration::from_secs(seconds),
        ..Options::default()
    }
}

#[test]
fn login_valid_after_four_minutes_succeeds() {
    paused(async {
        let fake = fake(logins_late_by(240));
        let mut stack = stack(&fake);
        let answer = stack.create(&properties()).await;
        assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
        let new = with(properties(), "RotationSerial", json!("2"));
        let answer = stack.update(&new, None).await;
        assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
        holds(&fake);
    });
}

#[test]
fn login_never_valid_fails_create_and_leaves_nothing() {
    for (service_timeout, at_most) in [("3600", 301), ("60", 50)] {
        paused(async {
            let fake = fake(logins_late_by(7200));
            let mut stack = stack(&fake);
            let properties = with(properties(), "ServiceTimeout", json!(service_timeout));
            let create = stack.request("Create", None, &properties, None);
            let answer = stack.deliver(&create).await;
            assert!(answer.reason().contains("HTTP 401"), "{answer:?}");
            let took = fake.responses()[0].at.as_secs();
            assert!(took <= at_most, "{took} s");
            let left = fake.look(nothing_left);
            left.unwrap_or_else(|left| panic!("{left}\n{}", fake.transcript()));
        });
    }
}

#[test]
fn login_never_valid_fails_update_and_keeps_old_login() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        fake.options(|options| options.login_late = Duration::from_secs(1800));
        let (id, old) = stack.resource.clone().expect("created");
        let new = with(properties(), "RotationSerial", json!("2"));
        let update = stack.request("Update", Some(&id), &new, Some(&old));
        let asked = fake.now();
        let answer = stack.deliver(&update).await;
        assert!(answer.reason().contains("HTTP 401"), "{answer:?}");
        let took = fake.now().duration_since(asked).expect("forwards");
        assert!(took <= Duration::from_secs(301), "{took:?}");
        holds(&fake);
    });
}

#[test]
fn user_change_under_same_secret_name_fails_and_rolls_back() {
    for (user, exists) in [(OTHER_USER, true), ("user-dev-missing", false)] {
        paused(async {
            let fake = fake(Options::default());
            let mut stack = stack(&fake);
            let old = with(properties(), "SecretName", json!("codecommit-mirror/named"));
            assert!(stack.create(&old).await.is_success());
            let id = stack.resource.clone().expect("created").0;
            let mut new = with(old.clone(), "UserName", json!(user));
            new["RotationSerial"] = json!("2");
            new["Tags"] = json!([{"Key": "team", "Value": "a"}]);
            if !exists {
                new["RepositoryNames"] = json!(["codecommit-dev-missing"]);
            }
            tokio::time::sleep(Duration::from_secs(3600)).await;
            let before = state(&fake);

            let update = stack.request("Update", Some(&id), &new, Some(&old));
            tokio::time::sleep(Duration::from_secs(5)).await;
            let rollback = stack.request("Update", Some(&id), &old, Some(&new));
            let rejected = stack.deliver(&update).await;
            let reason = rejected.reason();
            assert!(reason.contains("change SecretName too"), "{rejected:?}");
            assert!(
                reason.contains(&format!("holds the login of user {USER}")),
                "{reason}"
            );
            assert!(stack.deliver(&rollback).await.is_success());
            for (request, number) in [(&update, 0), (&rollback, 1), (&update, 2)] {
                let again = fake.caller(&format!("again {number}"));
                deliver_once(&fake, &again, request).await;
            }
            let statuses = fake.responses();
            let statuses = statuses
                .iter()
                .skip(1)
                .map(|one| one.json()["Status"].clone());
            let expected = ["FAILED", "SUCCESS", "FAILED", "SUCCESS", "FAILED"];
            assert_eq!(
                statuses.collect::<Vec<_>>(),
                expected,
                "{}",
                fake.transcript()
            );
            assert_eq!(state(&fake), before, "{}", fake.transcript());

            assert!(stack.delete().await.is_success());
            fake.look(nothing_left).expect("nothing");
            fake.assert_unbroken();
        });
    }
}

#[test]
fn user_change_after_secret_was_deleted_by_hand_fails() {
    paused(async {
        let fake = fake(Options::default());
        let mut stack = stack(&fake);
        let old = with(properties(), "SecretName", json!("codecommit-mirror/named"));
        assert!(stack.create(&old).await.is_success());
        let id = stack.resource.clone().expect("created").0;
        fake.change(|aws| aws.secrets.remove(&id));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let before = state(&fake);

        let new = with(old.clone(), "UserName", json!(OTHER_USER));
        let update = stack.request("Update", Some(&id), &new, Some(&old));
        let rejected = stack.deliver(&update).await;
        let reason = rejected.reason();
        assert!(reason.contains("change SecretName too"), "{rejected:?}");
        assert_eq!(state(&fake), before, "{}", fake.transcript());
        let rollback = stack.request("Update", Some(&id), &old, Some(&new));
        assert!(stack.deliver(&rollback).await.is_success());
        let held = fake.look(|aws| one_live_login(aws, &id, USER));
        held.unwrap_or_else(|broken| panic!("{broken}\n{}", fake.transcript()));
        assert!(stack.delete().await.is_success());
        fake.look(nothing_left).expect("nothing");
        fake.assert_unbroken();
    });
}

#[test]
fn create_after_cloudformation_gave_up_leaves_nothing() {
    paused(async {
        let fake = fake(Options::default());
        let mut stack = stack(&fake);
        let create = stack.request("Create", None, &properties(), None);
        tokio::time::sleep(Duration::from_secs(3601)).await;
        deliver_once(&fake, &fake.caller("late"), &create).await;
        fake.look(nothing_left).expect("nothing");
        // And one whose Delete is over, while CloudFormation would still listen.
        let create = stack.request("Create", None, &properties(), None);
        let delete = stack.request("Delete", Some(INVENTED_ID), &properties(), None);
        assert!(stack.deliver(&delete).await.is_success());
        deliver_once(&fake, &fake.caller("overtaken"), &create).await;
        fake.look(nothing_left)
            .unwrap_or_else(|left| panic!("{left}\n{}", fake.transcript()));
    });
}

#[test]
fn expired_create_creates_nothing() {
    paused(async {
        let fake = fake(Options::default());
        let create = stack(&fake)
            .request("Create", None, &properties(), None)
            .valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        let late = fake.caller("late");
        assert_eq!(deliver_once(&fake, &late, &create).await, Some(true));
        assert_eq!(fake.calls_of("late"), 0, "{}", fake.transcript());
        fake.look(nothing_left).expect("nothing");
        assert!(fake.responses().is_empty());
    });
}

#[test]
fn expired_update_changes_nothing() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        let (id, old) = stack.resource.clone().expect("created");
        let new = with(properties(), "RotationSerial", json!("2"));
        let update = stack.request("Update", Some(&id), &new, Some(&old));
        let update = update.valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        let before = state(&fake);
        deliver_once(&fake, &fake.caller("late"), &update).await;
        assert_eq!(state(&fake), before, "{}", fake.transcript());
        assert_eq!(fake.calls_of("late"), 0);
    });
}

#[test]
fn expired_delete_deletes_unless_a_later_request_ran() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        let (id, old) = stack.resource.clone().expect("created");
        tokio::time::sleep(Duration::from_secs(30)).await;
        let delete = stack.request("Delete", Some(&id), &old, None).valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        deliver_once(&fake, &fake.caller("late"), &delete).await;
        fake.look(nothing_left)
            .unwrap_or_else(|left| panic!("{left}\n{}", fake.transcript()));

        // A second one that a Create has overtaken.
        let delete = stack.request("Delete", Some(&id), &old, None).valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        stack.resource = None;
        assert!(stack.create(&properties()).await.is_success());
        let before = state(&fake);
        deliver_once(&fake, &fake.caller("overtaken"), &delete).await;
        assert_eq!(state(&fake), before, "{}", fake.transcript());
        holds(&fake);
    });
}

#[test]
fn all_property_errors_are_reported_before_any_call() {
    paused(async {
        let fake = fake(Options::default());
        let wrong = json!({
            "UserName": USER,
            "SecretName": "no spaces",
            "RepositoryNames": ["fine", {"not": "a name"}],
            "Username": "typo",
        });
        let reason = refused(&fake, &mut stack(&fake), &wrong).await;
        for path in ["SecretName: ", "RepositoryNames[1]: ", "Username: "] {
            assert!(reason.contains(path), "{reason}");
        }
        let called = fake
            .journal()
            .into_iter()
            .filter(|entry| entry.caller == "1-Create.1");
        assert_eq!(called.count(), 1, "only the answer");
    });
}

#[test]
fn denied_push_names_the_policy_and_rolls_back() {
    paused(async {
        let fake = fake(Options::default());
        fake.take_git_push(USER);
        let answer = stack(&fake).create(&properties()).await;
        let RequestOutcome::Failed { reason, .. } = answer else {
            panic!("{answer:?}");
        };
        assert!(reason.contains("HTTP 403"), "{reason}");
        assert!(reason.contains("codecommit:GitPush"), "{reason}");
        fake.look(nothing_left).expect("nothing");
    });
}

/// The first delivery of a Create fails because of a denied call, and CloudFormation deletes the
/// resource by the ID of that answer. Answers the Create, to be delivered again.
async fn failed_then_deleted(fake: &FakeAws, stack: &mut ParentStack) -> StackRequest {
    fake.deny("codecommit:GetRepository", REPOSITORY);
    let create = stack.request("Create", None, &properties(), None);
    let first = fake.caller("first delivery");
    assert_eq!(deliver_once(fake, &first, &create).await, Some(true));
    fake.change(|aws| aws.denied.clear());
    let delete = stack.request("Delete", Some(NAME), &properties(), None);
    let deleted = stack.deliver(&delete).await;
    assert!(deleted.is_success(), "{deleted:?}\n{}", fake.transcript());
    create
}

#[test]
fn create_redelivered_after_its_delete_leaves_nothing() {
    for passes in [Duration::ZERO, Duration::from_secs(30)] {
        paused(async {
            let fake = fake(Options::default());
            let mut stack = stack(&fake);
            let create = failed_then_deleted(&fake, &mut stack).await;
            tokio::time::sleep(passes).await;
            deliver_once(&fake, &fake.caller("second delivery"), &create).await;
            let left = fake.look(nothing_left);
            left.unwrap_or_else(|left| panic!("{left}\n{}", fake.transcript()));
            // The tombstone stops only the Create that the Delete has overtaken.
            let answer = stack.create(&properties()).await;
            assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
            holds(&fake);
            answers_are_sound(&fake);
        });
    }
}

#[test]
fn delete_of_rejected_create_leaves_anothers_user_untouched() {
    paused(async {
        let (fake, _) = created(Options::default()).await;
        let before = fake.look(|aws| format!("{:?}", aws.iam.latest()));
        let mut other = stack_called(&fake, OTHER_STACK);
        failed_then_deleted(&fake, &mut other).await;
        let after = fake.look(|aws| format!("{:?}", aws.iam.latest()));
        assert_eq!(after, before);
    });
}

#[test]
fn delete_of_rejected_create_succeeds_if_tagging_is_denied() {
    paused(async {
        let fake = fake(Options::default());
        fake.deny("iam:TagUser", USER);
        let mut stack = stack(&fake);
        let delete = stack.request("Delete", Some(NAME), &properties(), None);
        let deleted = stack.deliver(&delete).await;
        assert!(deleted.is_success(), "{deleted:?}\n{}", fake.transcript());
    });
}

#[test]
fn later_foreign_credential_survives_a_second_delete() {
    paused(async {
        let fake = fake(Options {
            tags_late: Duration::from_secs(3),
            ..Options::default()
        });
        let mut stack = stack(&fake);
        assert!(stack.create(&properties()).await.is_success());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let delete = stack.request("Delete", Some(NAME), &properties(), None);
        assert!(stack.deliver(&delete).await.is_success());
        let foreign = fake.foreign_credential(USER);
        deliver_once(&fake, &fake.caller("second delivery"), &delete).await;
        assert_eq!(fake.look(|aws| aws.credentials(USER)), [foreign]);
    });
}

#[test]
fn later_foreign_credential_survives_if_the_secret_is_gone() {
    for is_credential_gone in [false, true] {
        paused(async {
            let fake = fake(Options::default());
            let mut stack = stack(&fake);
            assert!(stack.create(&properties()).await.is_success());
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
            assert!(stack.delete().await.is_success());
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
        tags.retain(|key, _| key.starts_with("cfn-gitops:"));
        let keys: Vec<String> = tags.into_keys().collect();
        keys.join(" ")
    };
    let all = "cfn-gitops:attempt cfn-gitops:logical-id cfn-gitops:secret-name cfn-gitops:stack-id";
    for (name, update) in updates {
        for rolls_back in [None, Some(RollBack::UpdateBack)] {
            paused(async {
                let fake = fake(Options::default());
                let mut stack = stack(&fake);
                let create = stack.request("Create", None, &properties(), None);
                assert!(stack.deliver(&create).await.is_success());
                stack.resource = Some((NAME.to_owned(), properties()));
                remove_tags(&fake);
                deliver_once(&fake, &fake.caller("second delivery"), &create).await;
                assert_eq!(records(&fake), all, "Create\n{}", fake.transcript());
                holds(&fake);
                tokio::time::sleep(Duration::from_secs(3600)).await;
                remove_tags(&fake);
                let answer = stack.update(&update, rolls_back).await;
                assert!(
                    answer.is_success(),
                    "{name}: {answer:?}\n{}",
                    fake.transcript()
                );
                assert_eq!(records(&fake), all, "{name}\n{}", fake.transcript());
                let (id, _) = stack.resource.clone().expect("a resource");
                let held = fake.look(|aws| one_live_login(aws, &id, USER));
                held.unwrap_or_else(|broken| panic!("{name}: {broken}\n{}", fake.transcript()));
                remove_tags(&fake);
                stack.delivers_twice = true;
                assert!(stack.delete().await.is_success());
                fake.look(nothing_left).expect("nothing");
            });
        }
    }
}

#[test]
fn delete_of_a_created_resource_does_not_wait() {
    paused(async {
        let (fake, mut stack) = created(Options::default()).await;
        stack.delivers_twice = true;
        let began = fake.now();
        assert!(stack.delete().await.is_success());
        let took = fake.now().duration_since(began).expect("later");
        assert!(took < Duration::from_secs(1), "{took:?}");
    });
}
