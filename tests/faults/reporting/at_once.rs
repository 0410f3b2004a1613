//! Two deliveries at once, while the execution changes.

use std::collections::BTreeSet;

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

/// The rest of the script, and the health check.
async fn finish(fake: &FakeAws, script: &Script, from: usize) {
    let rest = from..script.steps.len();
    script.play_steps(fake, rest).await;
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
            orders += sample(some_or(SAMPLES, 400), 0, async |schedule: Schedule| {
                let fake = fake(&[SHOP]).await;
                script.play_steps(&fake, 0..at).await;
                step.take(&fake, SHOP).await;
                fake.obey(&schedule);
                let one = deliver_once(&fake, SHOP, step.subject(), "one");
                let other = deliver_once(&fake, SHOP, step.subject(), "other");
                schedule.both(one, other).await;
                finish(&fake, &script, at + 1).await;
            });
        }
    }
    fake_aws::figure!("schedules: {orders} orders of two deliveries of one event");
}

/// The second event follows a change that happens while the first one is handled.
#[test]
fn event_during_an_earlier_one_ends_in_the_last_state() {
    let (mut orders, mut known) = (0, BTreeSet::new());
    for script in scripts() {
        for at in 1..script.steps.len() {
            let (before, after) = (script.steps[at - 1], script.steps[at]);
            if !after.has_event() || !is_new(&script, at, &mut known) {
                continue;
            }
            orders += sample(SAMPLES, 0, async |schedule: Schedule| {
                let fake = fake(&[SHOP]).await;
                script.play_steps(&fake, 0..at - 1).await;
                before.take(&fake, SHOP).await;
                fake.obey(&schedule);
                let earlier = deliver_once(&fake, SHOP, before.subject(), "earlier");
                schedule
                    .both(earlier, change_and_deliver(&fake, after))
                    .await;
                finish(&fake, &script, at + 1).await;
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
