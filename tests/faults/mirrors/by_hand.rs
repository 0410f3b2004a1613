//! Changes by another person during a rotation: they remove the tags, or create a
//! credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::checks;
use crate::fixture::{USER, fake, in_account, late, properties, rotation, stack};
use fake_aws::gitlab::ANOTHER_PERSON;
use fake_aws::schedules::Moment;
use fake_aws::{Caller, FakeAws, Options, Schedules};
use test_support::{Rotated, RotationStep};

/// Removes every tag of cfn-gitops from the user, as a change of stack-level tags may.
fn remove_tags(fake: &FakeAws) {
    fake.change(|aws| {
        let now = aws.now;
        aws.iam.change(now, |iam| {
            let user = iam.users.get_mut(USER).expect("the user");
            user.tags.retain(|key, _| !key.starts_with("cfn-gitops:"));
        });
    });
}

/// The keys of the records on the user.
fn records(fake: &FakeAws) -> Vec<String> {
    let tags = fake.look(|aws| aws.iam.latest().users[USER].tags.clone());
    tags.into_keys()
        // Only an attempt in progress needs the open one.
        .filter(|key| key.starts_with("cfn-gitops:") && key != "cfn-gitops:attempt")
        .collect()
}

#[test]
fn rotation_restores_tags_lost_before_any_step() {
    for lost_before in 0..RotationStep::ALL.len() {
        in_account(async |fake, stack, rotation| {
            stack.create(&properties()).await.assert_success();
            let all = records(fake);
            rotation.begin().expect("no rotation is in progress");
            for (index, step) in RotationStep::ALL.into_iter().enumerate() {
                if index == lost_before {
                    remove_tags(fake);
                }
                let done = rotation.step(step).await;
                assert_eq!(done, Ok(()), "{step:?}");
            }
            assert_eq!(records(fake), all, "{lost_before}");
            remove_tags(fake);
            stack.update(&properties(), None).await.assert_success();
            assert_eq!(records(fake), all, "{lost_before}");
            remove_tags(fake);
            stack.delete().await.assert_success();
            fake.assert_holds(checks::nothing_remains);
        });
    }
}

#[test]
fn foreign_credential_survives_a_rotation_at_any_call() {
    let mut schedules = Schedules::one_in(1);
    for (propagation, options) in [("at once", Options::default()), ("late", late())] {
        for index in 0..rotate_beside_another_person(&options, usize::MAX) {
            schedules.run(format!("{propagation}, before call {index}"), || {
                rotate_beside_another_person(&options, index)
            });
        }
    }
    let schedules = schedules.report("calls of a rotation before which a credential is created");
    assert!(schedules > 20);
}

/// Lets another person create a credential before the call `index` of a rotation, tries the
/// rotation again, and deletes the stack, each request twice. Returns the number of calls.
fn rotate_beside_another_person(options: &Options, index: usize) -> usize {
    let is_rotating = Arc::new(AtomicBool::new(false));
    let counts = {
        let is_rotating = Arc::clone(&is_rotating);
        move |_: &FakeAws, _: &Caller| is_rotating.load(Ordering::SeqCst)
    };
    // IAM allows two: without a free slot, nothing happens.
    let create = |fake: &FakeAws| drop(fake.change(|aws| aws.issue(USER, ANOTHER_PERSON)));
    Moment::before(index).play(counts, create, async |_| {
        let fake = fake(options.clone());
        let (mut stack, mut rotation) = (stack(&fake), rotation(&fake));
        stack.delivers_twice = true;
        stack.create(&properties()).await.assert_success();
        rotation.delivers_twice = true;
        is_rotating.store(true, Ordering::SeqCst);
        // It fails if the other person took the slot that it needs.
        let mut rotated = rotation.rotate().await;
        if rotated != Rotated::Finished {
            rotated = rotation.reattempt().await;
        }
        is_rotating.store(false, Ordering::SeqCst);
        fake.assert_holds(checks::login_works);
        let foreign = fake.look(checks::foreign);
        stack.delete().await.assert_success();
        fake.assert_holds(checks::nothing_remains);
        assert_eq!(fake.look(checks::foreign), foreign, "{rotated:?}");
    })
}
