//! Changes by another person at any call: they create a credential, or remove the tags.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use expect_test::expect;

use crate::changes::remove_tags;
use crate::checks;
use crate::fixture::{
    SECRET, TOMBSTONE, USER, after_create, fake, in_account, in_account_with, late, login, options,
    properties, rotation, serial, stack,
};
use crate::scenarios::Mirrors;
use fake_aws::gitlab::ANOTHER_PERSON;
use fake_aws::iam::Credential;
use fake_aws::schedules::Moment;
use fake_aws::{Caller, FakeAws, Options, Schedules, redacted};
use test_support::runner::{Account, begin, perform};
use test_support::scenarios::{Action, Step, Story};
use test_support::worlds::{Delivery, Place};
use test_support::{Rotated, RotationStep};

/// A credential that another person created after the first SUCCESS.
pub struct Created {
    pub credential: Credential,
    /// A Delete had done its work: what it does not know stays.
    pub after_the_delete: bool,
}

thread_local! {
    static CREATED: RefCell<Option<Created>> = const { RefCell::new(None) };
}

/// The credential that another person created in this scenario. Deletes the record of it.
pub fn take_created() -> Option<Created> {
    CREATED.take()
}

/// Creates a credential for the user, if a slot is free.
pub fn create_credential(fake: &FakeAws) {
    let after_the_delete = fake.look(checks::nothing_remains).is_ok();
    if let Ok(credential) = fake.change(|aws| aws.issue(USER, ANOTHER_PERSON)) {
        CREATED.set(Some(Created {
            credential,
            after_the_delete,
        }));
    }
}

/// Whether a request has been answered with SUCCESS.
pub fn has_succeeded(fake: &FakeAws) -> bool {
    let responses = fake.responses();
    let mut statuses = responses.iter().map(|one| one.json()["Status"].take());
    statuses.any(|status| status == "SUCCESS")
}

/// Plays the story with `change` before the call `index` after the first SUCCESS. Answers the
/// number of these calls.
fn play_with(story: &Story, place: &Place, index: usize, change: fn(&FakeAws)) -> usize {
    take_created();
    let counts = |fake: &FakeAws, _: &Caller| has_succeeded(fake);
    Moment::before(index).play(counts, change, async |_| {
        let (play, account) = begin::<Mirrors>(story, place).await;
        perform(&play, account).await;
    })
}

/// Plays every scenario with `change` before each call. A schedule whose failure `is_expected`
/// counts as one that passed.
fn every_call(name: &str, change: fn(&FakeAws), is_expected: fn(&Story, &str) -> bool) {
    let mut schedules = Schedules::one_in(8);
    for options in [Options::default(), late()] {
        for story in &Mirrors::stories() {
            let is_by_hand = |step: &Step| matches!(step.action, Action::ByHand(_));
            if !story.name.starts_with("mirrors_login_") || story.steps.iter().any(is_by_hand) {
                continue;
            }
            let place = Place {
                delivery: Delivery::Twice,
                // IAM allows two credentials: a new password may lack its place.
                may_fail: true,
                ..options.clone().into()
            };
            let calls = play_with(story, &place, usize::MAX, change);
            for index in 0..calls {
                let schedule = format!("{} with {options:?} at {index}", story.name);
                schedules.run(schedule, || {
                    let play = || play_with(story, &place, index, change);
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(play))
                        && !is_expected(story, &fake_aws::schedules::text(&*panic))
                    {
                        resume_unwind(panic);
                    }
                });
            }
        }
    }
    assert!(schedules.report(&format!("calls before which another person {name}")) > 100);
}

#[test]
fn credential_created_by_another_person_is_untouched() {
    // IAM allows two credentials. A rollback that needs a new password needs the slot that this
    // person took, and has to fail.
    let is_expected = |story: &Story, text: &str| {
        story.name == "mirrors_login_update_rolled_back: a new password"
            && text.contains("did not issue: ACCA")
    };
    every_call("creates a credential", create_credential, is_expected);
}

#[test]
fn tags_removed_by_another_person_break_no_invariant() {
    every_call("removes the user's tags", remove_tags, |_, _| false);
}

#[test]
fn update_that_a_delete_overtook_keeps_the_tombstone() {
    // The one that a Delete of the same resource leaves.
    let mut mark = String::new();
    after_create(async |fake, stack| {
        stack.delete().await.assert_success();
        mark = fake.look(|aws| aws.iam.latest().users[USER].tags[TOMBSTONE].clone());
    });
    let options = options(|options| options.lists_late = Duration::from_secs(4));
    in_account_with(options, async |fake, stack, _| {
        stack.create(&login()).await.assert_success();
        tokio::time::sleep(Duration::from_secs(600)).await;
        // Without a free slot, the Update reads the user again for seconds.
        create_credential(fake);
        let update = stack.request_update(&serial(&login(), 2));
        let marking = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            fake.change(|aws| {
                let now = aws.now;
                aws.iam.change(now, |iam| {
                    let user = iam.users.get_mut(USER).expect("the user");
                    user.tags.insert(TOMBSTONE.to_owned(), mark.clone());
                });
            });
        };
        let (answer, ()) = tokio::join!(stack.deliver(&update), marking);
        answer.assert_reason(["superseded"]);
        let tags = fake.look(|aws| aws.iam.latest().users[USER].tags.clone());
        assert_eq!(tags.get(TOMBSTONE), Some(&mark));
    });
}

#[test]
fn rotation_restores_tags_lost_before_any_step() {
    for lost_before in RotationStep::ALL {
        in_account(async |fake, stack, rotation| {
            stack.create(&properties()).await.assert_success();
            let records = || fake.look(|aws| checks::records(aws, USER));
            let all = records();
            rotation.begin().expect("no rotation is in progress");
            for step in RotationStep::ALL {
                if step == lost_before {
                    remove_tags(fake);
                }
                let done = rotation.step(step).await;
                assert_eq!(done, Ok(()), "{step:?}");
            }
            assert_eq!(records(), all, "{lost_before}");
            remove_tags(fake);
            stack.update(&properties(), None).await.assert_success();
            assert_eq!(records(), all, "{lost_before}");
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
    let counts = |_: &FakeAws, caller: &Caller| caller.name().starts_with("rotation-");
    // IAM allows two: without a free slot, nothing happens.
    let create = |fake: &FakeAws| drop(fake.change(|aws| aws.issue(USER, ANOTHER_PERSON)));
    Moment::before(index).play(counts, create, async |_| {
        let fake = fake(options.clone());
        let (mut stack, mut rotation) = (stack(&fake), rotation(&fake));
        stack.delivers_twice = true;
        stack.create(&properties()).await.assert_success();
        rotation.delivers_twice = true;
        // It fails if the other person took the slot that it needs.
        let mut rotated = rotation.rotate().await;
        if rotated != Rotated::Finished {
            rotated = rotation.reattempt().await;
        }
        fake.assert_holds(|aws| checks::login_works(aws, SECRET));
        let foreign = fake.look(checks::foreign);
        stack.delete().await.assert_success();
        fake.assert_holds(checks::nothing_remains);
        assert_eq!(fake.look(checks::foreign), foreign, "{rotated:?}");
    })
}

#[test]
fn replica_of_a_secret_is_not_taken_for_a_deleted_one() {
    after_create(async |fake, stack| {
        let replicate = |is_replica| {
            fake.change(|aws| aws.secrets.get_mut(SECRET).expect("it").is_replica = is_replica);
        };
        replicate(true);
        let update = stack.request_update(&serial(&login(), 2));
        let answer = stack.deliver(&update).await;
        expect!["storing in secret arn:aws:secretsmanager:eu-central-1:123456789012:secret:codecommit-mirror/user-dev-codecommit-mirroring-<suffix>: InvalidRequestException: Operation not permitted on a replica secret. Call must be made in primary secret's region. AWS's message is all that is known - CFG-207"].assert_eq(&redacted(answer.reason()));
        replicate(false);
        stack.update(&serial(&login(), 3), None).await.assert_success();
    });
}
