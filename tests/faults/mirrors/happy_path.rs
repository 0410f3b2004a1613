//! The scenarios without faults, and their calls.

use std::time::Duration;

use crate::fixture::{PROJECT, fake, properties, rotation, serial, stack};
use crate::scenarios::scenarios;
use fake_aws::explore::paused;
use fake_aws::secret_versions::{AbandonedBy, Pending};
use fake_aws::{FakeAws, Options, Rotated, Schedules};

/// The same AWS and GitLab on other days, and in other versions.
pub fn kinds_of_days() -> Vec<(&'static str, Options)> {
    let day = |name, change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        (name, options)
    };
    vec![
        day("the default", |_| {}),
        day("an older GitLab that takes one address twice", |options| {
            options.gitlab.unique_urls = false;
        }),
        day("a free GitLab", |options| options.gitlab.premium = false),
        day("pushes that take a minute and a half", |options| {
            options.sync_takes = Duration::from_secs(90);
        }),
        day("IAM late", |options| {
            options.lists_late = Duration::from_secs(4);
            options.tags_late = Duration::from_secs(3);
            options.login_late = Duration::from_secs(5);
        }),
        day("descriptions of secrets late", |options| {
            options.secrets_late = Duration::from_millis(1500);
        }),
        day("short pages", |options| options.page_length = Some(1)),
        day("AWSPENDING stays", |options| {
            options.pending = Pending {
                goes_with_current: false,
                abandoned_by: AbandonedBy::Nothing,
            };
        }),
        day("AWSPENDING goes with any version", |options| {
            options.pending.abandoned_by = AbandonedBy::Any;
        }),
    ]
}

#[test]
fn every_scenario_succeeds_with_every_option() {
    let mut schedules = Schedules::default();
    for (day, options) in kinds_of_days() {
        for mut scenario in scenarios() {
            for delivers_twice in [false, true] {
                scenario.delivers_twice = delivers_twice;
                let name = format!("{day}, {}, twice {delivers_twice}", scenario.name);
                schedules.run(name, || {
                    paused(scenario.play(options.clone(), &[]));
                });
            }
        }
    }
    schedules.finish();
}

fn calls(fake: &FakeAws, caller: &str) -> Vec<String> {
    let journal = fake.journal();
    let own = journal.iter().filter(|entry| entry.caller == caller);
    own.map(|entry| entry.operation.clone()).collect()
}

#[test]
fn calls_of_a_new_password_and_of_a_rotation_are_counted() {
    paused(async {
        let fake = fake(Options::default());
        let (mut stack, mut rotation) = (stack(&fake), rotation(&fake));
        assert!(stack.create(&properties()).await.is_success());
        assert!(stack.update(&properties(), None).await.is_success());
        let changed = stack.update(&serial(&properties(), 2), None).await;
        assert!(changed.is_success(), "{changed:?}");
        assert_eq!(rotation.rotate().await, Rotated::Finished);
        for caller in [
            "1-Create.1",
            "2-Update.1",
            "3-Update.1",
            "rotation-1.createSecret.1",
            "rotation-1.setSecret.1",
            "rotation-1.testSecret.1",
            "rotation-1.finishSecret.1",
        ] {
            let made = calls(&fake, caller);
            assert!(!made.is_empty(), "{caller} did nothing");
            fake_aws::figure!("calls: {caller}: {} {made:?}", made.len());
        }
        let no_op = calls(&fake, "2-Update.1");
        assert!(no_op.len() <= 14, "{no_op:?}");
        assert_eq!(fake.mirrors(PROJECT).len(), 2, "ours and the handmade one");
        assert_eq!(fake.secret_in(&fake.transcript()), None);
        fake.assert_unbroken();
    });
}
