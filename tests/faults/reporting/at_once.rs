//! Two deliveries at once, while the execution changes.

use std::collections::BTreeSet;

use crate::fixture::{SHOP, deliver_once, fake};
use crate::pipelines::run_ci;
use crate::scripts::{Script, Step, scripts};
use fake_aws::extent::some_or;
use fake_aws::gitlab::records::CiRuns;
use fake_aws::{FakeAws, Schedule, clients::Clients, sample};

/// Whether no earlier script begins with the same steps: the same orders would be tried again.
fn is_new(script: &Script, until: usize, known: &mut BTreeSet<String>) -> bool {
    known.insert(format!("{:?}", &script.steps[..=until]))
}

/// Orders at random, of which the execution's own change is a part.
const SAMPLES: u64 = 12;

/// Orders of two deliveries of the event of this step.
fn doubled(script: &Script, at: usize, samples: u64, runs: CiRuns) -> u64 {
    let step = script.steps[at];
    sample(samples, 0, async |schedule: Schedule| {
        let fake = fake(&[SHOP]).await;
        script.play_steps(&fake, 0..at).await;
        step.take(&fake, SHOP).await;
        run_ci(&fake, runs);
        fake.obey(&schedule);
        let one = deliver_once(&fake, SHOP, step.subject(), "one");
        let other = deliver_once(&fake, SHOP, step.subject(), "other");
        schedule.both(one, other).await;
        script.ends_from(&fake, at + 1).await;
    })
}

/// If GitLab CI runs, the first status may be posted twice, to two pipelines.
#[test]
fn doubled_event_at_once_ends_in_the_last_state() {
    let (mut orders, mut between_pipelines, mut known) = (0, 0, BTreeSet::new());
    for script in scripts() {
        for (at, step) in script.steps.iter().enumerate() {
            if !step.has_event() {
                continue;
            }
            let samples = some_or(SAMPLES / 3, 400);
            between_pipelines += doubled(&script, at, samples, CiRuns::Always);
            if is_new(&script, at, &mut known) {
                orders += doubled(&script, at, some_or(SAMPLES, 400), CiRuns::Never);
            }
        }
    }
    fake_aws::figure!("schedules: {orders} orders of two deliveries of one event");
    fake_aws::figure!("schedules: {between_pipelines} orders of two deliveries between pipelines");
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
                let later = change_and_deliver(&fake, after);
                schedule.both(earlier, later).await;
                script.ends_from(&fake, at + 1).await;
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
