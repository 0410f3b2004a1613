//! Two deliveries at once, while the execution changes.

use std::collections::BTreeSet;

use crate::fixture::{SHOP, deliver_once, fake};
use crate::pipelines::run_ci;
use crate::scenarios::{Scenario, event, ordinary, take};
use crate::steps::ReportWord;
use fake_aws::extent::some_or;
use fake_aws::gitlab::records::CiRuns;
use fake_aws::{FakeAws, Schedule, clients::Clients, sample};
use test_support::scenarios::Action;

/// Whether no earlier story begins with the same actions: the same orders would be tried again.
fn is_new(scenario: &Scenario, until: usize, known: &mut BTreeSet<String>) -> bool {
    known.insert(format!("{:?}", &scenario.actions[..=until]))
}

/// Orders at random, of which the execution's own change is a part.
const SAMPLES: u64 = 3;

/// Orders of two deliveries of the event of this action.
fn doubled(scenario: &Scenario, at: usize, samples: u64, runs: CiRuns) -> u64 {
    let action = &scenario.actions[at];
    let event = event(action).expect("an event");
    sample(samples, 0, async |schedule: Schedule| {
        let fake = fake(&[SHOP]).await;
        scenario.play_some(&fake, 0..at).await;
        take(action, &fake, SHOP).await;
        run_ci(&fake, runs);
        fake.obey(&schedule);
        let one = deliver_once(&fake, SHOP, event, "one");
        let other = deliver_once(&fake, SHOP, event, "other");
        schedule.both(one, other).await;
        scenario.ends_from(&fake, at + 1).await;
    })
}

/// If GitLab CI runs, the first status may be posted twice, to two pipelines.
#[test]
fn doubled_event_at_once_ends_in_the_last_state() {
    let (mut orders, mut between_pipelines, mut known) = (0, 0, BTreeSet::new());
    for scenario in ordinary() {
        for at in scenario.events() {
            if is_new(scenario, at, &mut known) {
                let samples = some_or(SAMPLES / 2, 400);
                between_pipelines += doubled(scenario, at, samples, CiRuns::Always);
                orders += doubled(scenario, at, some_or(SAMPLES, 400), CiRuns::Never);
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
    for scenario in ordinary() {
        for at in scenario.events() {
            let earlier =
                scenario.actions[..at].iter().rposition(|one| matches!(one, Action::Word(_)));
            let (Some(first), Action::Word(after)) = (earlier, &scenario.actions[at]) else {
                continue;
            };
            let Action::Word(before) = &scenario.actions[first] else {
                continue;
            };
            if !is_new(scenario, at, &mut known) {
                continue;
            }
            orders += sample(SAMPLES, 0, async |schedule: Schedule| {
                let fake = fake(&[SHOP]).await;
                scenario.play_some(&fake, 0..first).await;
                before.take(&fake, SHOP).await;
                fake.obey(&schedule);
                let earlier = deliver_once(&fake, SHOP, before.subject(), "earlier");
                let later = change_and_deliver(&fake, *after);
                schedule.both(earlier, later).await;
                scenario.ends_from(&fake, at + 1).await;
            });
        }
    }
    fake_aws::figure!("schedules: {orders} orders of an event during an earlier one");
}

/// The pipeline moves at any moment of the schedule, and its event is delivered.
async fn change_and_deliver(fake: &FakeAws, step: ReportWord) {
    let clients = Clients::over(fake.connector("pipeline"));
    let listed = clients.codepipeline.list_pipelines().send().await;
    listed.expect("a moment of the schedule");
    step.take_at_once(fake, SHOP);
    deliver_once(fake, SHOP, step.subject(), "later").await;
}
