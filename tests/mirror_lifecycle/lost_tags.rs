//! The tags on the IAM user are lost during a rotation, or between two.

use crate::checks;
use crate::scene::{USER, properties, rotation, stack, world};
use crate::support::explore::paused;
use crate::support::{Options, Step, World};

/// Removes every tag of cfn-gitops from the user, as a change of stack-level tags may.
fn remove_tags(world: &World) {
    world.change(|aws| {
        let now = aws.now;
        aws.iam.change(now, |iam| {
            let user = iam.users.get_mut(USER).expect("the user");
            user.tags.retain(|key, _| !key.starts_with("cfn-gitops:"));
        });
    });
}

/// The keys of the records on the user.
fn records(world: &World) -> Vec<String> {
    let tags = world.look(|aws| aws.iam.latest().users[USER].tags.clone());
    let keys = tags.into_keys().map(|key| key.to_string());
    keys.filter(|key| key.starts_with("cfn-gitops:")).collect()
}

#[test]
fn rotation_restores_tags_lost_before_any_step() {
    for lost_before in 0..Step::ALL.len() {
        paused(async {
            let world = world(Options::default());
            let mut stack = stack(&world);
            assert!(stack.create(&properties()).await.is_success());
            let all = records(&world);
            let mut rotation = rotation(&world);
            rotation.begin().expect("no rotation is under way");
            for (index, step) in Step::ALL.into_iter().enumerate() {
                if index == lost_before {
                    remove_tags(&world);
                }
                let done = rotation.step(step).await;
                assert_eq!(done, Ok(()), "{step:?}\n{}", world.told());
            }
            assert_eq!(records(&world), all, "{lost_before}\n{}", world.told());
            remove_tags(&world);
            let answer = stack.update(&properties(), None).await;
            assert!(answer.is_success(), "{answer:?}\n{}", world.told());
            assert_eq!(records(&world), all, "{lost_before}\n{}", world.told());
            remove_tags(&world);
            assert!(stack.delete().await.is_success());
            world.look(checks::nothing_left).expect("nothing");
        });
    }
}
