//! Deliveries that come when their time is over.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{nothing_left, shape, watch};
use crate::project::{
    CHILD, REPOSITORY, RULE, changed, paused, properties, push, pushed, ruled, stack, with, world,
};
use fake_aws::custom_resource::{INVENTED_ID, Request, Stack, deliver_once};
use fake_aws::{Options, Reaction, SeenTokens, World};

async fn pause() {
    tokio::time::sleep(Duration::from_secs(30)).await;
}

fn nothing(world: &World) {
    let left = world.look(|aws| nothing_left(aws, &[]));
    left.unwrap_or_else(|left| panic!("{left}\n{}", world.told()));
}

/// A request that comes again, long after it was answered, changes nothing.
async fn comes_again(world: &World, request: &Request, what: &str) {
    let before = world.look(shape);
    deliver_once(world, &world.caller(&format!("{what} again")), request).await;
    pause().await;
    let after = world.look(shape);
    let difference = crate::checks::difference(&after, &before);
    assert!(after == before, "{what}: {difference}\n{}", world.told());
}

#[test]
fn a_create_that_comes_after_its_delete_makes_nothing() {
    for seen_tokens in [SeenTokens::SameAnswer, SeenTokens::Refused] {
        paused(async {
            let options = Options {
                seen_tokens,
                ..Options::default()
            };
            let world = world(options);
            watch(&world, 1, &[]);
            let mut stack = stack(&world);
            // Once it has been created and deleted, and once it was deleted before it began.
            for comes_first in [true, false] {
                let create = stack.request("Create", None, &ruled(), None);
                let id = if comes_first {
                    assert!(stack.deliver(&create).await.is_success());
                    CHILD
                } else {
                    INVENTED_ID
                };
                pause().await;
                let delete = stack.request("Delete", Some(id), &ruled(), None);
                assert!(stack.deliver(&delete).await.is_success());
                nothing(&world);
                comes_again(&world, &create, "Create").await;
                comes_again(&world, &delete, "Delete").await;
                nothing(&world);
                pause().await;
            }
            // A new one of the same name is another request, and is made.
            let created = stack.create(&properties()).await;
            assert!(created.is_success(), "{created:?}\n{}", world.told());
            assert!(stack.delete().await.is_success());
            nothing(&world);
            world.assert_unbroken();
        });
    }
}

#[test]
fn a_create_that_comes_after_cloudformation_gave_up_makes_nothing() {
    paused(async {
        let world = world(Options::default());
        let create = stack(&world).request("Create", None, &properties(), None);
        tokio::time::sleep(Duration::from_secs(3601)).await;
        comes_again(&world, &create, "Create").await;
        nothing(&world);
    });
}

#[test]
fn expired_create_creates_nothing() {
    paused(async {
        let world = world(Options::default());
        let create = stack(&world)
            .request("Create", None, &properties(), None)
            .valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        let late = world.caller("late");
        assert_eq!(deliver_once(&world, &late, &create).await, Some(true));
        assert_eq!(world.calls_of("late"), 0, "{}", world.told());
        nothing(&world);
        assert!(world.deliveries().is_empty());
    });
}

#[test]
fn expired_update_changes_nothing() {
    paused(async {
        let world = world(Options::default());
        let mut stack = stack(&world);
        assert!(stack.create(&properties()).await.is_success());
        let new = changed(properties());
        let update = stack.request("Update", Some(CHILD), &new, Some(&properties()));
        let update = update.valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        comes_again(&world, &update, "expired Update").await;
        assert_eq!(world.calls_of("expired Update again"), 0);
    });
}

#[test]
fn expired_delete_deletes_unless_a_later_request_ran() {
    paused(async {
        let world = world(Options::default());
        watch(&world, 1, &[]);
        let mut stack = stack(&world);
        assert!(stack.create(&ruled()).await.is_success());
        pause().await;
        let delete = stack.request("Delete", Some(CHILD), &ruled(), None);
        let delete = delete.valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        deliver_once(&world, &world.caller("late"), &delete).await;
        nothing(&world);

        // A second one that a Create has overtaken.
        let delete = stack.request("Delete", Some(CHILD), &ruled(), None);
        let delete = delete.valid_for(60);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(stack.create(&ruled()).await.is_success());
        comes_again(&world, &delete, "expired Delete").await;
        assert!(stack.delete().await.is_success());
        nothing(&world);
        world.assert_unbroken();
    });
}

/// Two Updates, and the first once more after the second.
async fn older_after_newer(world: &World, stack: &mut Stack, older: &Value, newer: &Value) {
    let (id, old) = stack.resource.clone().expect("created");
    let first = stack.request("Update", Some(&id), older, Some(&old));
    let answer = stack.deliver(&first).await;
    assert!(answer.is_success(), "{answer:?}\n{}", world.told());
    pause().await;
    let second = stack.request("Update", Some(&id), newer, Some(older));
    assert!(stack.deliver(&second).await.is_success());
    stack.resource = Some((id, newer.clone()));
    pause().await;
    comes_again(world, &first, "older Update").await;
    comes_again(world, &second, "newer Update").await;
}

#[test]
fn an_older_update_that_comes_after_a_newer_one_changes_nothing() {
    let two = with(properties(), "ApprovalRule", json!({"ApproversNeeded": 2}));
    let pairs = [
        ("the stack", changed(properties()), properties()),
        ("the approval rule alone", ruled(), two),
        ("the approval rule, removed", properties(), ruled()),
        ("nothing", properties(), properties()),
    ];
    for (what, older, newer) in pairs {
        for parameters_alone_are_updates in [false, true] {
            paused(async {
                let world = world(Options {
                    parameters_alone_are_updates,
                    ..Options::default()
                });
                watch(&world, 1, &[]);
                let mut stack = stack(&world);
                assert!(stack.create(&properties()).await.is_success());
                pause().await;
                fake_aws::figure!("late: an older Update that changed {what}");
                older_after_newer(&world, &mut stack, &older, &newer).await;
                assert!(stack.delete().await.is_success());
                nothing(&world);
                world.assert_unbroken();
            });
        }
    }
}

#[test]
fn an_update_that_was_cancelled_before_it_began_does_not_come_true_after_the_rollback() {
    paused(async {
        let world = world(Options::default());
        watch(&world, 1, &[]);
        let mut stack = stack(&world);
        assert!(stack.create(&properties()).await.is_success());
        pause().await;
        let wanted = changed(ruled());
        // Lambda has it in its queue, while CloudFormation already rolls back.
        let update = stack.request("Update", Some(CHILD), &wanted, Some(&properties()));
        pause().await;
        let back = stack.request("Update", Some(CHILD), &properties(), Some(&wanted));
        assert!(stack.deliver(&back).await.is_success());
        pause().await;
        comes_again(&world, &update, "Update").await;
        assert!(world.look(|aws| !aws.rule_templates.contains_key(RULE)));
        assert!(stack.delete().await.is_success());
        nothing(&world);
        world.assert_unbroken();
    });
}

#[test]
fn a_delete_that_comes_again_does_not_touch_what_was_made_since() {
    paused(async {
        let world = world(Options::default());
        watch(&world, 1, &[]);
        let mut stack = stack(&world);
        assert!(stack.create(&ruled()).await.is_success());
        pause().await;
        let delete = stack.request("Delete", Some(CHILD), &ruled(), None);
        assert!(stack.deliver(&delete).await.is_success());
        pause().await;
        assert!(stack.create(&ruled()).await.is_success());
        comes_again(&world, &delete, "Delete").await;
        assert!(stack.delete().await.is_success());
        nothing(&world);
        world.assert_unbroken();
    });
}

#[test]
fn a_first_push_that_is_told_after_the_delete_makes_nothing() {
    paused(async {
        let world = world(Options::default());
        watch(&world, 1, &[]);
        let mut stack = stack(&world);
        assert!(stack.create(&properties()).await.is_success());
        let reactions = world.push(REPOSITORY, crate::project::BRANCH, "commit-1");
        let [Reaction::Event { payload, .. }] = reactions.as_slice() else {
            panic!("{reactions:?}");
        };
        let told = pushed(&world, "push", payload.clone());
        assert!(stack.delete().await.is_success());
        comes_again(&world, &told, "first push").await;
        // Made again, it waits for a push of its own: the old one's branch is not there.
        pause().await;
        assert!(stack.create(&properties()).await.is_success());
        comes_again(&world, &told, "first push").await;
        push(&world, REPOSITORY, "commit-2", "another-push").await;
        assert!(world.look(|aws| aws.pipelines.contains_key(crate::project::PIPELINE)));
        assert!(stack.delete().await.is_success());
        nothing(&world);
        world.assert_unbroken();
    });
}
