//! A year of rotations, and pushes during a rotation.

use std::time::Duration;

use tokio::time::sleep;

use crate::checks::{self, Watch};
use crate::fixture::{
    PROJECT, REPOSITORY, SECRET, both, in_account, in_account_with, properties, serial,
};
use fake_aws::{FakeAws, Options};
use test_support::{Rotated, RotationStep};

const DAY: Duration = Duration::from_hours(24);

/// Counts commits.
#[derive(Default)]
struct Pushes {
    made: usize,
}

impl Pushes {
    fn push(&mut self, fake: &FakeAws) {
        self.made += 1;
        fake.push_to_gitlab(PROJECT, "main", &format!("commit-{}", self.made));
    }

    /// A push that takes this long. Later ones take three seconds.
    fn push_for(&mut self, fake: &FakeAws, seconds: u64) {
        fake.options(|options| options.sync_takes = Duration::from_secs(seconds));
        self.push(fake);
        fake.options(|options| options.sync_takes = Duration::from_secs(3));
    }

    /// The latest commit has arrived by now.
    fn have_arrived(&self, fake: &FakeAws) {
        let wanted = format!("commit-{}", self.made);
        fake.look(|aws| {
            let branches = &aws.codecommit.repositories[REPOSITORY].branches;
            assert_eq!(branches.get("main"), Some(&wanted));
        });
    }
}

#[test]
fn no_push_fails_in_a_year_of_rotations() {
    let options = Options {
        login_late: Duration::from_secs(5),
        lists_late: Duration::from_secs(4),
        ..Options::default()
    };
    in_account_with(options, async |fake, stack, rotation| {
        stack.create(&both()).await.assert_success();
        assert_eq!(rotation.attach_schedule(30, false).await, Rotated::Finished);
        let watch = Watch::begin(fake);
        watch.expect(checks::pairs(&both()));
        let mut pushes = Pushes::default();
        let mut passwords = std::collections::BTreeSet::new();
        for month in 1..=12 {
            for _ in 0..30 {
                sleep(DAY).await;
                pushes.push(fake);
            }
            rotation.begin().expect("no rotation is in progress");
            for step in RotationStep::ALL {
                pushes.push(fake);
                assert_eq!(rotation.step(step).await, Ok(()), "{step}");
            }
            pushes.push(fake);
            sleep(Duration::from_mins(10)).await;
            pushes.have_arrived(fake);
            // The stack is updated now and then: in month 8 with a password of its own.
            let update = match month {
                8 => Some(serial(&both(), 2)),
                4 | 12 => Some(both()),
                _ => None,
            };
            if let Some(properties) = update {
                stack.update(&properties, None).await.assert_success();
            }
            let (_, properties) = stack.resource.as_ref().expect("a resource");
            fake.assert_holds_in(month, |aws| checks::at_rest(aws, properties, true));
            let value = fake.look(checks::value).expect("a value");
            passwords.insert(value["password"].to_string());
        }
        assert_eq!(passwords.len(), 12, "a password of its own each month");
        let labels: usize = fake.look(|aws| {
            let versions = aws.secrets[SECRET].versions.values();
            versions.map(|version| version.stages.len()).sum()
        });
        let pushes = pushes.made;
        fake_aws::figure!("year: 12 rotations, 3 updates, {pushes} pushes; {labels} labels");
        assert!(labels <= 8, "labels pile up: {labels}");
        watch.expect_nothing();
        stack.delete().await.assert_success();
        fake.assert_holds(checks::nothing_remains);
    });
}

#[test]
fn running_push_survives_every_step() {
    for takes in [1, 20, 59, 100, 290, 880, 2000] {
        for before in RotationStep::ALL {
            in_account(async |fake, stack, rotation| {
                stack.create(&properties()).await.assert_success();
                sleep(Duration::from_mins(10)).await;
                rotation.begin().expect("a rotation");
                let mut pushes = Pushes::default();
                let mut steps = vec![];
                for step in RotationStep::ALL {
                    if step == before {
                        pushes.push_for(fake, takes);
                    }
                    steps.push(rotation.step(step).await);
                    if steps.last() != Some(&Ok(())) {
                        break;
                    }
                }
                let context = format!("{takes} s before {before}: {steps:?}");
                // A push that outlasts the function may make the rotation fail, and no more.
                if takes < 880 {
                    assert!(steps.iter().all(Result::is_ok), "{context}");
                }
                sleep(Duration::from_hours(2)).await;
                fake.assert_holds_in(&context, checks::no_push_failed);
                pushes.have_arrived(fake);
                let healed = stack.update(&properties(), None).await;
                assert!(healed.is_success(), "{context}: {healed:?}");
                fake.assert_holds_in(&context, |aws| checks::at_rest(aws, &properties(), true));
                assert_eq!(rotation.come_due().await, Rotated::Finished);
            });
        }
    }
}

#[test]
fn running_push_survives_updates_of_password_and_mirrors() {
    let mut without_first = both();
    let mirrors = without_first["Mirrors"].as_array_mut();
    mirrors.expect("a list").remove(0);
    for takes in [1, 20, 100, 290] {
        for change in [serial(&both(), 2), without_first.clone()] {
            in_account(async |fake, stack, _| {
                stack.create(&both()).await.assert_success();
                sleep(Duration::from_mins(10)).await;
                let mut pushes = Pushes::default();
                pushes.push_for(fake, takes);
                stack.update(&change, None).await.assert_success();
                sleep(Duration::from_mins(10)).await;
                pushes.have_arrived(fake);
                fake.assert_holds_in(takes, checks::no_push_failed);
            });
        }
    }
}
