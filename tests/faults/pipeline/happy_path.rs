//! Each scenario without faults, and its calls.

use std::time::Duration;

use crate::fixture::paused;
use crate::scenarios::scenarios;
use fake_aws::{Options, Schedules, SeenTokens};

/// The same AWS on other days, or as far as it is not documented.
fn kinds_of_days() -> Vec<(&'static str, Options)> {
    let day = |name, change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        (name, options)
    };
    vec![
        day("the default", |_| {}),
        day("what is not documented, otherwise", |options| {
            options.seen_tokens = SeenTokens::Refused;
            options.parameters_alone_are_updates = true;
            options.cancellation_has_its_own_token = true;
            options.deletes_during_rollback = true;
            options.page_length = Some(2);
        }),
        day("stacks late", |options| {
            options.stacks_late = Duration::from_millis(900);
        }),
        day("stacks very late", |options| {
            options.stacks_late = Duration::from_secs(3);
        }),
        day("events late", |options| {
            options.events_late = Duration::from_millis(900);
        }),
        day("events very late", |options| {
            options.events_late = Duration::from_secs(3);
        }),
        day("stacks very late, and pages of one event", |options| {
            options.stacks_late = Duration::from_secs(3);
            options.page_length = Some(1);
        }),
        day("executions and secrets late", |options| {
            options.executions_late = Duration::from_secs(5);
            options.secrets_late = Duration::from_secs(3);
        }),
    ]
}

#[test]
fn every_scenario_succeeds_with_every_option() {
    let mut schedules = Schedules::one_in(1);
    for (day, options) in kinds_of_days() {
        for mut scenario in scenarios() {
            for delivered in ["once", "twice", "again later"] {
                scenario.delivers_twice = delivered == "twice";
                scenario.repeats_late = delivered == "again later";
                let name = format!("{day}, {}, {delivered}", scenario.story.name);
                schedules.run(name, || {
                    paused(scenario.play(options.clone(), &[]));
                });
            }
        }
    }
    schedules.report("stories on other days, with later copies of requests and events");
}
