//! Changes by another person at any call after the first SUCCESS: they create a
//! credential, or remove the tags.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use serde_json::json;

use crate::checks::ANOTHER_PERSON;
use crate::cloudformation::stack;
use crate::fixture::{in_account_with, late};
use crate::scenarios::{Scenario, scenarios};
use crate::{OTHER_USER, USER, fake, properties, with};
use fake_aws::explore::paused;
use fake_aws::iam::Credential;
use fake_aws::schedules::Moment;
use fake_aws::{Caller, FakeAws, Options, Schedules};

const TOMBSTONE: &str = "cfn-gitops:deletion";

thread_local! {
    /// The credential that another person created after the first SUCCESS.
    static CREATED: RefCell<Option<Credential>> = const { RefCell::new(None) };
}

/// The credential that another person created in this scenario. Deletes the record of it.
pub fn take_created() -> Option<Credential> {
    CREATED.take()
}

/// Creates a credential for the user, if a slot is free.
pub fn create_credential(fake: &FakeAws) {
    let created = fake.change(|aws| aws.issue(USER, ANOTHER_PERSON));
    if let Ok(created) = created {
        CREATED.set(Some(created));
    }
}

/// Removes every tag of cfn-gitops from the users, as a change of stack-level tags may.
pub fn remove_tags(fake: &FakeAws) {
    fake.change(|aws| {
        let now = aws.now;
        aws.iam.change(now, |iam| {
            for user in [USER, OTHER_USER] {
                let user = iam.users.get_mut(user).expect("the user");
                user.tags.retain(|key, _| !key.starts_with("cfn-gitops:"));
            }
        });
    });
}

/// Whether a request has been answered with SUCCESS.
pub fn has_succeeded(fake: &FakeAws) -> bool {
    let is_success = |body: &Vec<u8>| String::from_utf8_lossy(body).contains("SUCCESS");
    let deliveries = fake.responses();
    deliveries.iter().any(|delivery| is_success(&delivery.body))
}

/// Plays `scenario` with `change` before the call `index` after the first SUCCESS. Answers the
/// number of these calls.
fn play_with(scenario: &Scenario, options: &Options, index: usize, change: fn(&FakeAws)) -> usize {
    take_created();
    let counts = |fake: &FakeAws, _: &Caller| has_succeeded(fake);
    Moment::before(index).play(counts, change, async |_| {
        scenario.play(options.clone(), &[]).await;
    })
}

/// Plays every scenario with `change` before each call. A schedule whose failure `is_expected`
/// counts as one that passed.
fn every_call(name: &str, change: fn(&FakeAws), is_expected: fn(&Scenario, &str) -> bool) {
    let mut schedules = Schedules::one_in(5);
    for options in [Options::default(), late()] {
        for mut scenario in scenarios()
            .into_iter()
            .filter(|scenario| !scenario.deletes_foreign())
        {
            scenario.delivers_twice = true;
            let calls = play_with(&scenario, &options, usize::MAX, change);
            for index in 0..calls {
                let schedule = format!("{} with {options:?} at {index}", scenario.name);
                schedules.run(schedule, || {
                    let play = || play_with(&scenario, &options, index, change);
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(play))
                        && !is_expected(&scenario, &fake_aws::schedules::text(&*panic))
                    {
                        resume_unwind(panic);
                    }
                });
            }
        }
    }
    let schedules = schedules.report(&format!("calls before which another person {name}"));
    assert!(schedules > 100);
}

#[test]
fn credential_created_by_another_person_is_untouched() {
    // IAM allows two credentials. A rollback that needs a new password needs the slot that this
    // person took, and has to fail.
    let has_no_slot = |scenario: &Scenario, text: &str| {
        scenario.name == "rotation rolled back" && text.contains("did not issue: ACCA")
    };
    every_call("creates a credential", create_credential, has_no_slot);
}

#[test]
fn tags_removed_by_another_person_break_no_invariant() {
    every_call("removes the user's tags", remove_tags, |_, _| false);
}

/// The tombstone that a Delete of the usual resource leaves, an hour after the Create.
async fn tombstone() -> String {
    let fake = fake(Options::default());
    let mut stack = stack(&fake);
    stack.create(&properties()).await.assert_success();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    stack.delete().await.assert_success();
    fake.look(|aws| aws.iam.latest().users[USER].tags[TOMBSTONE].clone())
}

#[test]
fn update_that_a_delete_overtook_keeps_the_tombstone() {
    let mark = paused(tombstone());
    let options = Options {
        lists_late: Duration::from_secs(4),
        ..Options::default()
    };
    in_account_with(options, async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        let (id, old) = stack.resource.clone().expect("created");
        tokio::time::sleep(Duration::from_secs(600)).await;
        // Without a free slot, the Update reads the user again for seconds.
        create_credential(fake);
        let new = with(properties(), "RotationSerial", json!("2"));
        let update = stack.request("Update", Some(&id), &new, Some(&old));
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
