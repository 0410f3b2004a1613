//! Two deliveries at once, while the execution changes.

use std::collections::BTreeSet;
use std::future::Future;

use crate::checks::check_with_notes;
use crate::fixture::{SHOP, catch_up, deliver_once, fake};
use crate::scripts::{Script, Step, scripts};
use fake_aws::extent::some_or;
use fake_aws::{FakeAws, Schedule, clients::Clients, sample};

/// Whether no earlier script begins with the same steps: the same orders would be tried again.
fn is_new(script: &Script, until: usize, known: &mut BTreeSet<String>) -> bool {
    known.insert(format!("{:?}", &script.steps[..=until]))
}

/// Orders at random, of which the execution's own change is a part.
const SAMPLES: u64 = 12;

/// Plays the script up to its step `until`, with every event.
async fn play(fake: &FakeAws, script: &Script, until: usize) {
    for (at, step) in script.steps[..until].iter().enumerate() {
        step.take(fake, SHOP).await;
        if step.has_event() {
            deliver_once(fake, SHOP, step.subject(), &format!("event-{at}")).await;
        }
    }
}

/// The rest of the script, and the health check.
async fn finish(fake: &FakeAws, script: &Script, from: usize) {
    for (at, step) in script.steps.iter().enumerate().skip(from) {
        step.take(fake, SHOP).await;
        if step.has_event() {
            deliver_once(fake, SHOP, step.subject(), &format!("event-{at}")).await;
        }
    }
    catch_up(fake, SHOP, "health check").await;
    check_with_notes(fake, SHOP, &script.expected, 2);
}

#[test]
fn doubled_event_at_once_ends_in_the_last_state() {
    let (mut orders, mut known) = (0, BTreeSet::new());
    for script in scripts() {
        for at in 0..script.steps.len() {
            let step = script.steps[at];
            if !step.has_event() || !is_new(&script, at, &mut known) {
                continue;
            }
            let run = |schedule: Schedule| {
                let script = &script;
                async move {
                    let fake = fake(&[SHOP]).await;
                    play(&fake, script, at).await;
                    step.take(&fake, SHOP).await;
                    fake.obey(&schedule);
                    schedule
                        .both(
                            deliver_once(&fake, SHOP, step.subject(), "one"),
                            deliver_once(&fake, SHOP, step.subject(), "other"),
                        )
                        .await;
                    finish(&fake, script, at + 1).await;
                }
            };
            let samples = some_or(SAMPLES, 400);
            orders += sample(samples, 0, run);
        }
    }
    fake_aws::figure!("schedules: {orders} orders of two deliveries of one event");
}

/// The second event follows a change that happens while the first one is handled.
fn overtaking<R: Future<Output = ()>>(run: impl FnMut(Schedule) -> R) -> u64 {
    sample(SAMPLES, 0, run)
}

#[test]
fn event_during_an_earlier_one_ends_in_the_last_state() {
    let (mut orders, mut known) = (0, BTreeSet::new());
    for script in scripts() {
        for at in 1..script.steps.len() {
            let (before, after) = (script.steps[at - 1], script.steps[at]);
            if !after.has_event() || !is_new(&script, at, &mut known) {
                continue;
            }
            orders += overtaking(|schedule| {
                let script = &script;
                async move {
                    let fake = fake(&[SHOP]).await;
                    play(&fake, script, at - 1).await;
                    before.take(&fake, SHOP).await;
                    fake.obey(&schedule);
                    schedule
                        .both(
                            deliver_once(&fake, SHOP, before.subject(), "earlier"),
                            change_and_deliver(&fake, after),
                        )
                        .await;
                    finish(&fake, script, at + 1).await;
                }
            });
        }
    }
    fake_aws::figure!("schedules: {orders} orders of an event during an earlier one");
}

/// The pipeline moves at any moment of the schedule, and its event is delivered.
async fn change_and_deliver(fake: &FakeAws, step: Step) {
    let clients = Clients::over(fake.connector("pipeline"));
    let listed = clients.codepipeline.list_pipelines().send().await;
    listed.expect("a moment of the schedule");
    step.take_at_once(fake, SHOP);
    deliver_once(fake, SHOP, step.subject(), "later").await;
}
