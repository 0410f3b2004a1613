//! Changes by another person during a rotation: they remove the tags, or create a
//! credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};

use crate::checks;
use crate::fixture::{USER, fake, properties, rotation, stack};
use fake_aws::explore::paused;
use fake_aws::gitlab::ANOTHER_PERSON;
use fake_aws::mutants::past;
use fake_aws::{Caller, FakeAws, Options, Rotated, RotationStep};

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
        // Only an attempt that is under way needs the open one.
        .filter(|key| key.starts_with("cfn-gitops:") && key != "cfn-gitops:attempt")
        .collect()
}

#[test]
fn rotation_restores_tags_lost_before_any_step() {
    for lost_before in 0..RotationStep::ALL.len() {
        paused(async {
            let fake = fake(Options::default());
            let mut stack = stack(&fake);
            assert!(stack.create(&properties()).await.is_success());
            let all = records(&fake);
            let mut rotation = rotation(&fake);
            rotation.begin().expect("no rotation is under way");
            for (index, step) in RotationStep::ALL.into_iter().enumerate() {
                if index == lost_before {
                    remove_tags(&fake);
                }
                let done = rotation.step(step).await;
                assert_eq!(done, Ok(()), "{step:?}\n{}", fake.transcript());
            }
            assert_eq!(records(&fake), all, "{lost_before}\n{}", fake.transcript());
            remove_tags(&fake);
            let answer = stack.update(&properties(), None).await;
            assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
            assert_eq!(records(&fake), all, "{lost_before}\n{}", fake.transcript());
            remove_tags(&fake);
            assert!(stack.delete().await.is_success());
            fake.look(checks::nothing_remains).expect("nothing");
        });
    }
}

#[test]
fn foreign_credential_survives_a_rotation_at_any_call() {
    let late = Options {
        lists_late: Duration::from_secs(4),
        tags_late: Duration::from_secs(3),
        login_late: Duration::from_secs(5),
        ..Options::default()
    };
    let mut schedules = 0;
    for options in [Options::default(), late] {
        for index in 0.. {
            if !rotate_beside_another_person(&options, index) {
                break;
            }
            schedules += 1;
        }
    }
    fake_aws::figure!(
        "schedules: {schedules} calls of a rotation before which a credential is created"
    );
    assert!(schedules > 20);
}

/// Lets another person create a credential before the call `index` of a rotation, tries the
/// rotation again, and deletes the stack, each request twice. `false` if there are fewer calls.
fn rotate_beside_another_person(options: &Options, index: usize) -> bool {
    // The calls of the rotation; `usize::MAX` before and after it.
    let met = Arc::new(AtomicUsize::new(usize::MAX));
    let count = Arc::clone(&met);
    let was_met = Arc::new(AtomicBool::new(false));
    let meets = Arc::clone(&was_met);
    let pass = move |fake: FakeAws, honest: Caller, request| {
        let is_rotating = count.load(Ordering::SeqCst) != usize::MAX;
        if is_rotating && count.fetch_add(1, Ordering::SeqCst) == index {
            meets.store(true, Ordering::SeqCst);
            // IAM allows two: without a free slot, nothing happens.
            let _ = fake.change(|aws| aws.issue(USER, ANOTHER_PERSON));
        }
        HttpConnectorFuture::new(async move { honest.call(request).await })
    };
    let play = || paused(rotate_twice(options.clone(), &met));
    if let Err(panic) = past(pass, play) {
        panic!("call {index}: {}", fake_aws::schedules::text(&*panic));
    }
    was_met.load(Ordering::SeqCst)
}

async fn rotate_twice(options: Options, count: &AtomicUsize) {
    let fake = fake(options);
    let mut stack = stack(&fake);
    stack.delivers_twice = true;
    assert!(stack.create(&properties()).await.is_success());
    let mut rotation = rotation(&fake);
    rotation.delivers_twice = true;
    count.store(0, Ordering::SeqCst);
    // It fails if the other person took the slot that it needs.
    let mut rotated = rotation.rotate().await;
    if rotated != Rotated::Finished {
        rotated = rotation.reattempt().await;
    }
    count.store(usize::MAX, Ordering::SeqCst);
    fake.look(checks::login_works).expect("a login");
    let foreign = fake.look(checks::foreign);
    assert!(stack.delete().await.is_success());
    fake.look(checks::nothing_remains).expect("nothing");
    let left = fake.look(checks::foreign);
    assert_eq!(left, foreign, "{rotated:?}\n{}", fake.transcript());
}
