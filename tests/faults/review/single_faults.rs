//! Each story on other days, with repeated and late events, and with one fault at every call.

use std::time::Duration;

use crate::scenarios::{Scenario, scenarios};
use fake_aws::{FaultKind, Options, Schedules, SeenTokens};
use test_support::single_faults::SingleFaults;

type Day = (&'static str, fn(&mut Options));

/// The same AWS on other days, or as far as it is not documented.
fn kinds_of_days() -> [Day; 5] {
    [
        ("the default", |_| {}),
        ("what is not documented, otherwise", |options| {
            options.seen_tokens = SeenTokens::Refused;
            options.change_sets.kept_during_updates = true;
            options.page_length = Some(1);
        }),
        ("slow change sets", |options| {
            options.change_sets.waits = Duration::from_secs(20);
            options.change_sets.takes = Duration::from_mins(1);
        }),
        ("stacks and events late", |options| {
            options.stacks_late = Duration::from_secs(3);
            options.events_late = Duration::from_secs(3);
        }),
        ("executions and secrets late", |options| {
            options.executions_late = Duration::from_secs(5);
            options.secrets_late = Duration::from_secs(3);
        }),
    ]
}

#[test]
fn every_story_ends_as_described() {
    for scenario in scenarios() {
        let calls = scenario.play(&[]).journal().len();
        fake_aws::figure!("calls: {}: {calls}", scenario.story.name);
        assert!(calls > 0);
    }
}

#[test]
fn every_story_ends_as_described_on_other_days() {
    let mut schedules = Schedules::one_in(6);
    for (day, change) in kinds_of_days() {
        for mut scenario in scenarios() {
            // CloudFormation does not delete a change set while it creates it, and this function
            // may not read when that ends.
            let is_denied = scenario.story.name == "review_denied: DescribeChangeSet";
            if is_denied && day == "slow change sets" {
                continue;
            }
            for delivered in ["once", "twice", "again later"] {
                scenario.day = change;
                scenario.delivers_twice = delivered == "twice";
                scenario.repeats_late = delivered == "again later";
                let name = format!("{day}, {}, {delivered}", scenario.story.name);
                schedules.run(name, || scenario.play(&[]));
            }
        }
    }
    schedules.report("stories on other days, with later copies of events");
}

fn every_single_fault(
    delivers_twice: bool,
    kinds: &'static [FaultKind],
    one_in: u64,
    what: &str,
) -> usize {
    let mut scenarios = scenarios();
    for scenario in &mut scenarios {
        scenario.delivers_twice = delivers_twice;
    }
    let all = SingleFaults {
        scenarios,
        story: |scenario: &Scenario| &scenario.story,
        kinds,
        one_in,
        special: 4,
    };
    all.each(what, |scenario, faults| match faults {
        // The health check of the next day, which ends each story alike, has no fault.
        [] => scenario.play_steps(),
        faults => scenario.play(faults),
    })
}

#[test]
fn single_fault_ends_as_described() {
    let what = "single faults at calls of AWS, S3 and GitLab";
    assert!(every_single_fault(false, &FaultKind::EACH, 10, what) > 1000);
}

#[test]
fn single_fault_with_every_event_twice_ends_as_described() {
    let kinds = &[
        FaultKind::AnswerLost,
        FaultKind::KilledBefore,
        FaultKind::KilledAfter,
    ];
    let what = "single faults with every event delivered twice";
    assert!(every_single_fault(true, kinds, 30, what) > 1000);
}

#[test]
fn call_that_hangs_ends_as_described() {
    let what = "calls that hang";
    assert!(every_single_fault(false, &FaultKind::SILENT, 30, what) > 300);
}
