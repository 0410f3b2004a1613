//! What is found there: somebody else's, something missing, something changed by hand.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{nothing_left, one_live_login, ours};
use crate::cloudformation::{Answer, INVENTED_ID, Stack, deliver_once, stack, stack_called};
use crate::support::{Options, World, explore::paused};
use crate::{OTHER_USER, REPOSITORY, USER, properties, with, world};

const NAME: &str = "codecommit-mirror/user-dev-codecommit-mirroring";
const OTHER_STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/other/6f3b2c10-0000-11f0-8000-0a0000000000";

async fn created(options: Options) -> (World, Stack) {
    let world = world(options);
    let mut stack = stack(&world);
    let answer = stack.create(&properties()).await;
    assert!(answer.is_success(), "{answer:?}\n{}", world.told());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    (world, stack)
}

/// Creates, expects a refusal, and that neither it nor its Delete changed anything.
async fn refused(world: &World, stack: &mut Stack, properties: &Value) -> String {
    let before = state(world);
    let answer = stack.create(properties).await;
    let Answer::Failed { reason, .. } = answer else {
        panic!("{answer:?}\n{}", world.told());
    };
    assert_eq!(
        state(world),
        before,
        "something was touched\n{}",
        world.told()
    );
    world.assert_unbroken();
    reason
}

/// Everything that a request could change.
fn state(world: &World) -> String {
    world.look(|aws| format!("{:?} {:?}", aws.iam.latest(), aws.secrets))
}

fn holds(world: &World) {
    let held = world.look(|aws| one_live_login(aws, NAME, USER));
    held.unwrap_or_else(|broken| panic!("{broken}\n{}", world.told()));
}

#[test]
fn another_stacks_user_is_refused_and_named_with_the_command_that_releases_it() {
    paused(async {
        let (world, _) = created(Options::default()).await;
        let mut other = stack_called(&world, OTHER_STACK);
        let own_secret = with(properties(), "SecretName", json!("codecommit-mirror/mine"));
        let reason = refused(&world, &mut other, &own_secret).await;
        assert!(
            reason.contains("it belongs to Credential of stack arn:aws:"),
            "{reason}"
        );
        assert!(
            reason.contains("aws iam untag-user --user-name"),
            "{reason}"
        );
        holds(&world);
    });
}

#[test]
fn another_stacks_secret_is_refused_and_named() {
    paused(async {
        let (world, _) = created(Options::default()).await;
        let mut other = stack_called(&world, OTHER_STACK);
        let its_secret = json!({"UserName": OTHER_USER, "SecretName": NAME});
        let reason = refused(&world, &mut other, &its_secret).await;
        assert!(
            reason.contains("taking secret codecommit-mirror/"),
            "{reason}"
        );
        assert!(
            reason.contains("aws secretsmanager delete-secret"),
            "{reason}"
        );
        holds(&world);
    });
}

#[test]
fn a_user_is_free_for_another_stack_after_its_delete() {
    paused(async {
        let (world, mut stack) = created(Options::default()).await;
        assert!(stack.delete().await.is_success());
        let mut other = stack_called(&world, OTHER_STACK);
        let answer = other.create(&properties()).await;
        assert!(answer.is_success(), "{answer:?}\n{}", world.told());
        holds(&world);
    });
}

#[test]
fn a_name_can_be_used_again_at_once_even_within_the_same_second() {
    paused(async {
        let options = Options {
            deletion_takes: Duration::from_secs(5),
            ..Options::default()
        };
        let world = world(options);
        let mut stack = stack(&world);
        for _ in 0..3 {
            let answer = stack.create(&properties()).await;
            assert!(answer.is_success(), "{answer:?}\n{}", world.told());
            holds(&world);
            assert!(stack.delete().await.is_success());
        }
        world.look(nothing_left).expect("nothing");
    });
}

#[test]
fn foreign_credentials_are_refused_by_name_and_left_alone() {
    paused(async {
        let world = world(Options::default());
        let foreign = world.foreign_credential(USER);
        let reason = refused(&world, &mut stack(&world), &properties()).await;
        assert!(reason.contains(&foreign.id), "{reason}");
        assert!(
            reason.contains("aws iam delete-service-specific-credential --user-name"),
            "{reason}"
        );
    });
}

#[test]
fn a_foreign_credential_stops_a_rotation_before_it_begins_and_survives_the_delete() {
    paused(async {
        let (world, mut stack) = created(Options::default()).await;
        world.foreign_credential(USER);
        let before = state(&world);
        let rotated = with(properties(), "RotationSerial", json!("2"));
        let (id, old) = stack.resource.clone().expect("created");
        let request = stack.request("Update", Some(&id), &rotated, Some(&old));
        let answer = stack.deliver(&request).await;
        assert!(!answer.is_success(), "{answer:?}");
        assert_eq!(state(&world), before);
        assert!(stack.delete().await.is_success());
        assert_eq!(world.look(|aws| aws.credentials(USER).len()), 1);
        assert!(
            world.delete_user(USER).is_err(),
            "DeleteConflict, as the contract says"
        );
    });
}

#[test]
fn foreign_credentials_are_removed_when_the_template_says_so_at_delete_too() {
    paused(async {
        let (world, mut stack) = created(Options::default()).await;
        let deleting = with(properties(), "ForeignCredentials", json!("Delete"));
        assert!(stack.update(&deleting, None).await.is_success());
        world.foreign_credential(USER);
        assert!(stack.delete().await.is_success());
        world.delete_user(USER).expect("nothing is left in its way");
    });
}

#[test]
fn delete_succeeds_when_any_or_all_of_it_is_gone_already() {
    for gone in 1..8u8 {
        paused(async {
            let (world, mut stack) = created(Options::default()).await;
            world.change(|aws| {
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
            assert!(answer.is_success(), "{gone}: {answer:?}\n{}", world.told());
            world
                .look(nothing_left)
                .unwrap_or_else(|left| panic!("{gone}: {left}\n{}", world.told()));
        });
    }
}

#[test]
fn delete_works_from_the_id_alone_and_from_the_properties_alone() {
    for properties_are_broken in [true, false] {
        paused(async {
            let (world, mut stack) = created(Options::default()).await;
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
            assert!(answer.is_success(), "{answer:?}\n{}", world.told());
            world.look(nothing_left).expect("nothing");
        });
    }
}

#[test]
fn what_was_changed_by_hand_is_healed_by_a_no_op_update() {
    type Change = fn(&mut crate::support::Aws);
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
            let (world, mut stack) = created(Options::default()).await;
            world.change(change);
            let answer = stack.update(&properties(), None).await;
            assert!(answer.is_success(), "{what}: {answer:?}\n{}", world.told());
            holds(&world);
            assert!(stack.delete().await.is_success());
            world.look(nothing_left).expect("nothing");
        });
    }
}

#[test]
fn a_url_safe_password_holds_no_slash_and_turning_it_on_never_resets_the_live_one() {
    for seed in 0..40 {
        paused(async {
            let world = World::seeded(Options::default(), seed);
            world.user(USER);
            let mut stack = stack(&world);
            let any = json!({"UserName": USER, "UrlSafePassword": "false"});
            assert!(stack.create(&any).await.is_success());
            let first = world.look(|aws| ours(aws)[0].1.clone());
            let safe = json!({"UserName": USER});
            assert!(stack.update(&safe, None).await.is_success());
            let now = world.look(|aws| ours(aws)[0].1.clone());
            assert!(!now.password.contains('/'));
            assert_eq!(
                first.id == now.id,
                !first.password.contains('/'),
                "reissued only when needed"
            );
            holds(&world);
        });
    }
}

#[test]
fn a_template_that_reaches_for_more_than_the_role_allows_is_told_which_parameter_says_so() {
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
            let world = world(Options::default());
            world.user("user-prd-codecommit-mirroring");
            world.deny(action, part);
            let hostile = match parameter {
                "MirrorUserNames" => json!({"UserName": "user-prd-codecommit-mirroring"}),
                "MirrorSecretNames" => with(properties(), "SecretName", json!("elsewhere/secret")),
                _ => with(
                    properties(),
                    "RepositoryNames",
                    json!([REPOSITORY, "codecommit-prd-x"]),
                ),
            };
            let reason = refused(&world, &mut stack(&world), &hostile).await;
            assert!(reason.contains(parameter), "{reason}");
        });
    }
}

#[test]
fn a_late_copy_of_an_older_request_changes_nothing() {
    paused(async {
        let (world, mut stack) = created(Options::default()).await;
        let (id, old) = stack.resource.clone().expect("created");
        let second = with(properties(), "RotationSerial", json!("2"));
        let third = with(properties(), "RotationSerial", json!("3"));
        let older = stack.request("Update", Some(&id), &second, Some(&old));
        assert!(stack.deliver(&older).await.is_success());
        tokio::time::sleep(Duration::from_secs(30)).await;
        stack.resource = Some((id.clone(), second));
        assert!(stack.update(&third, None).await.is_success());
        let before = state(&world);
        deliver_once(&world, &world.caller("older again"), &older).await;
        assert_eq!(state(&world), before, "{}", world.told());

        // A Delete of what was made again since.
        let deletion = stack.request("Delete", Some(&id), &third, None);
        assert!(stack.deliver(&deletion).await.is_success());
        tokio::time::sleep(Duration::from_secs(30)).await;
        stack.resource = None;
        assert!(stack.create(&properties()).await.is_success());
        deliver_once(&world, &world.caller("deletion again"), &deletion).await;
        holds(&world);
    });
}

#[test]
fn a_create_that_comes_after_cloudformation_gave_up_leaves_nothing() {
    paused(async {
        let world = world(Options::default());
        let mut stack = stack(&world);
        let create = stack.request("Create", None, &properties(), None);
        tokio::time::sleep(Duration::from_secs(3601)).await;
        deliver_once(&world, &world.caller("late"), &create).await;
        world.look(nothing_left).expect("nothing");
        // And one whose Delete is over, while CloudFormation would still listen.
        let create = stack.request("Create", None, &properties(), None);
        let delete = stack.request("Delete", Some(INVENTED_ID), &properties(), None);
        assert!(stack.deliver(&delete).await.is_success());
        deliver_once(&world, &world.caller("overtaken"), &create).await;
        world
            .look(nothing_left)
            .unwrap_or_else(|left| panic!("{left}\n{}", world.told()));
    });
}

#[test]
fn every_fault_of_the_properties_is_named_before_anything_is_called() {
    paused(async {
        let world = world(Options::default());
        let wrong = json!({
            "UserName": USER,
            "SecretName": "no spaces",
            "RepositoryNames": ["fine", {"not": "a name"}],
            "Username": "typo",
        });
        let reason = refused(&world, &mut stack(&world), &wrong).await;
        for path in ["SecretName: ", "RepositoryNames[1]: ", "Username: "] {
            assert!(reason.contains(path), "{reason}");
        }
        let called = world
            .journal()
            .into_iter()
            .filter(|entry| entry.caller == "1-Create.1");
        assert_eq!(called.count(), 1, "only the answer");
    });
}

#[test]
fn a_push_that_is_denied_names_the_missing_policy_and_everything_is_undone() {
    paused(async {
        let world = world(Options::default());
        world.take_git_push(USER);
        let answer = stack(&world).create(&properties()).await;
        let Answer::Failed { reason, .. } = answer else {
            panic!("{answer:?}");
        };
        assert!(reason.contains("HTTP 403"), "{reason}");
        assert!(reason.contains("codecommit:GitPush"), "{reason}");
        world.look(nothing_left).expect("nothing");
    });
}
