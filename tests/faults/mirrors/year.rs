//! A year of rotations, and pushes that are under way while a rotation goes on.

use std::time::Duration;

use tokio::time::sleep;

use crate::checks::{self, Watch};
use crate::scene::{PROJECT, REPOSITORY, SECRET, both, properties, rotation, serial, stack, world};
use fake_aws::explore::paused;
use fake_aws::{Options, Rotated, Rotation, Step, World};

const DAY: Duration = Duration::from_hours(24);

/// Counts commits.
#[derive(Default)]
struct Pushes {
    made: usize,
}

impl Pushes {
    fn push(&mut self, world: &World) {
        self.made += 1;
        world.push_to_gitlab(PROJECT, "main", &format!("commit-{}", self.made));
    }

    /// The latest commit has arrived by now.
    fn have_arrived(&self, world: &World) {
        let wanted = Some(format!("commit-{}", self.made));
        let held = world.look(|aws| aws.repositories[REPOSITORY].branches.get("main").cloned());
        assert_eq!(held, wanted, "{}", world.told());
    }
}

/// One rotation with a push before each step and after the last.
async fn rotate_with_pushes(rotation: &mut Rotation, pushes: &mut Pushes) {
    let world = rotation.world.clone();
    rotation.begin().expect("no rotation is in progress");
    for step in Step::ALL {
        pushes.push(&world);
        let stepped = rotation.step(step).await;
        assert_eq!(stepped, Ok(()), "{step}\n{}", world.told());
    }
    pushes.push(&world);
}

#[test]
fn in_a_year_of_rotations_no_push_fails_whenever_it_is_made() {
    paused(async {
        let world = world(Options {
            login_late: Duration::from_secs(5),
            lists_late: Duration::from_secs(4),
            ..Options::default()
        });
        let (mut stack, mut rotation) = (stack(&world), rotation(&world));
        assert!(stack.create(&both()).await.is_success());
        assert_eq!(rotation.attach_schedule(30, false).await, Rotated::Finished);
        let watch = Watch::begin(&world);
        watch.expect(checks::pairs(&both()));
        let mut pushes = Pushes::default();
        let mut passwords = std::collections::BTreeSet::new();
        for month in 1..=12 {
            for _ in 0..30 {
                sleep(DAY).await;
                pushes.push(&world);
            }
            rotate_with_pushes(&mut rotation, &mut pushes).await;
            sleep(Duration::from_mins(10)).await;
            pushes.have_arrived(&world);
            if month % 4 == 0 {
                // The stack is updated now and then: in month 8 with a password of its own.
                let properties = if month == 8 {
                    serial(&both(), 2)
                } else {
                    both()
                };
                let updated = stack.update(&properties, None).await;
                assert!(updated.is_success(), "{updated:?}\n{}", world.told());
            }
            let held = world.look(|aws| {
                let properties = &stack.resource.as_ref().expect("a resource").1;
                checks::at_rest(aws, properties, true)?;
                checks::value(aws).ok_or_else(|| "no value".to_owned())
            });
            let value = held.unwrap_or_else(|broken| panic!("month {month}: {broken}"));
            passwords.insert(value["password"].to_string());
        }
        assert_eq!(passwords.len(), 12, "a password of its own each month");
        let (labels, versions) = world.look(|aws| {
            let versions = &aws.secrets[SECRET].versions;
            let labels = versions.values().map(|version| version.stages.len());
            (labels.sum::<usize>(), versions.len())
        });
        fake_aws::figure!(
            "year: 12 rotations, 3 updates, {} pushes; the secret ends with {labels} labels on {versions} versions",
            pushes.made
        );
        assert!(labels <= 8, "labels pile up: {labels}");
        watch.expect_nothing();
        assert!(stack.delete().await.is_success());
        world.look(checks::nothing_left).expect("nothing");
        world.assert_unbroken();
    });
}

#[test]
fn a_push_under_way_is_not_cut_off_by_any_step_however_long_it_takes() {
    for takes in [1, 20, 59, 100, 290, 880, 2000] {
        for before in Step::ALL {
            paused(async {
                let world = world(Options::default());
                let (mut stack, mut rotation) = (stack(&world), rotation(&world));
                assert!(stack.create(&properties()).await.is_success());
                sleep(Duration::from_mins(10)).await;
                rotation.begin().expect("a rotation");
                let mut pushes = Pushes::default();
                let mut steps = vec![];
                for step in Step::ALL {
                    if step == before {
                        let longer = Duration::from_secs(takes);
                        world.options(|options| options.sync_takes = longer);
                        pushes.push(&world);
                        world.options(|options| options.sync_takes = Duration::from_secs(3));
                    }
                    steps.push(rotation.step(step).await);
                    if steps.last() != Some(&Ok(())) {
                        break;
                    }
                }
                let told = || format!("{takes} s before {before}: {steps:?}\n{}", world.told());
                // A push that outlasts the function may make the rotation fail, and no more.
                if takes < 880 {
                    assert!(steps.iter().all(Result::is_ok), "{}", told());
                }
                sleep(Duration::from_hours(2)).await;
                world.look(checks::no_push_failed).unwrap_or_else(|broken| {
                    panic!("{broken}\n{}", told());
                });
                pushes.have_arrived(&world);
                let healed = stack.update(&properties(), None).await;
                assert!(healed.is_success(), "{healed:?} {}", told());
                world
                    .look(|aws| checks::at_rest(aws, &properties(), true))
                    .unwrap_or_else(|broken| panic!("{broken}\n{}", told()));
                assert_eq!(rotation.come_due().await, Rotated::Finished);
                world.assert_unbroken();
            });
        }
    }
}

#[test]
fn a_push_under_way_is_not_cut_off_by_a_new_password_or_by_other_mirrors() {
    let without_first = {
        let mut properties = both();
        let mirrors = properties["Mirrors"].as_array_mut().expect("a list");
        mirrors.remove(0);
        properties
    };
    for takes in [1, 20, 100, 290] {
        for change in [serial(&both(), 2), without_first.clone()] {
            paused(async {
                let world = world(Options::default());
                let mut stack = stack(&world);
                assert!(stack.create(&both()).await.is_success());
                sleep(Duration::from_mins(10)).await;
                let mut pushes = Pushes::default();
                world.options(|options| options.sync_takes = Duration::from_secs(takes));
                pushes.push(&world);
                world.options(|options| options.sync_takes = Duration::from_secs(3));
                let changed = stack.update(&change, None).await;
                assert!(changed.is_success(), "{changed:?}\n{}", world.told());
                sleep(Duration::from_mins(10)).await;
                pushes.have_arrived(&world);
                world.look(checks::no_push_failed).unwrap_or_else(|broken| {
                    panic!("{takes}: {broken}\n{}", world.told());
                });
                world.assert_unbroken();
            });
        }
    }
}
