//! Resources that are missing or were changed by hand, invalid properties, denied calls.

use std::time::Duration;

use serde_json::json;

use crate::checks::nothing_remains;
use crate::cloudformation::{INVENTED_ID, stack};
use crate::fixture::{after_create, assert_rejected, holds};
use crate::{REPOSITORY, USER, fake, properties, with};
use fake_aws::{Options, explore::paused};

#[test]
fn delete_succeeds_if_some_or_all_is_already_deleted() {
    for gone in 1..8u8 {
        after_create(async |fake, stack| {
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
            assert!(answer.is_success(), "{gone}: {answer:?}");
            fake.assert_holds_in(gone, nothing_remains);
        });
    }
}

#[test]
fn delete_works_with_only_the_id_or_only_the_properties() {
    for properties_are_broken in [true, false] {
        after_create(async |fake, stack| {
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
            stack.deliver(&request).await.assert_success();
            fake.assert_holds(nothing_remains);
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
        after_create(async |fake, stack| {
            fake.change(change);
            let answer = stack.update(&properties(), None).await;
            assert!(answer.is_success(), "{what}: {answer:?}");
            holds(fake);
            stack.delete().await.assert_success();
            fake.assert_holds(nothing_remains);
        });
    }
}

// claim: name-outside-the-pattern-is-denied-and-the-reason-names-the-parameter
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
            assert_rejected(&fake, &mut stack(&fake), &hostile, &[parameter]).await;
        });
    }
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
        let says = ["SecretName: ", "RepositoryNames[1]: ", "Username: "];
        assert_rejected(&fake, &mut stack(&fake), &wrong, &says).await;
        assert_eq!(fake.calls_of("1-Create.1"), 1, "only the answer");
    });
}

#[test]
fn delete_of_a_created_resource_does_not_wait() {
    after_create(async |fake, stack| {
        stack.delivers_twice = true;
        let began = fake.now();
        stack.delete().await.assert_success();
        let took = fake.now().duration_since(began).expect("later");
        assert!(took < Duration::from_secs(1), "{took:?}");
    });
}
