//! Histories at random: updates and rotations in any order, AWS and GitLab on any kind of day, up
//! to two faults.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, PROJECT, REPOSITORY, THIRD_REPOSITORY, mirror, properties,
    with,
};
use crate::scenarios::{Event, Scenario};
use fake_aws::custom_resource::RollBack;
use fake_aws::explore::paused;
use fake_aws::extent::cases;
use fake_aws::secret_versions::{AbandonedBy, Pending};
use fake_aws::{Fault, FaultKind, Options, RotationStep};

fn some_properties() -> impl Strategy<Value = Value> {
    let mirrors = prop::sample::subsequence(
        vec![
            (PROJECT, REPOSITORY),
            (OTHER_PROJECT, OTHER_REPOSITORY),
            (PROJECT, THIRD_REPOSITORY),
        ],
        0..=2,
    );
    let settings = (any::<bool>(), any::<bool>(), any::<bool>());
    (mirrors, prop::option::of(0..3u8), settings).prop_map(
        |(mirrors, serial, (all, keep, waits))| {
            let mirrors: Vec<Value> = mirrors
                .into_iter()
                .map(|(project, repository)| {
                    let mut one = mirror(project, repository);
                    one["OnlyProtectedBranches"] = json!((!all).to_string());
                    one["KeepDivergentRefs"] = json!(keep.to_string());
                    one["WaitForSync"] = json!(waits.to_string());
                    one
                })
                .collect();
            let properties = with(properties(), "Mirrors", json!(mirrors));
            match serial {
                None => properties,
                Some(serial) => with(properties, "RotationSerial", json!(serial.to_string())),
            }
        },
    )
}

fn later_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => some_properties().prop_map(Event::Update),
        1 => some_properties().prop_map(|p| Event::UpdateRolledBack(p, RollBack::UpdateBack)),
        3 => Just(Event::Rotate),
    ]
}

fn history() -> impl Strategy<Value = Vec<Event>> {
    (
        some_properties(),
        prop::collection::vec(later_event(), 1..5),
    )
        .prop_map(|(first, later)| {
            let mut events = vec![Event::Create(first)];
            events.extend(later);
            events
        })
}

fn options() -> impl Strategy<Value = Options> {
    let late = (0..6u64, 0..6u64, 0..6u64, any::<bool>());
    let pending = (
        any::<bool>(),
        prop::sample::select(vec![
            AbandonedBy::Nothing,
            AbandonedBy::Current,
            AbandonedBy::Any,
        ]),
    );
    let gitlab = (any::<bool>(), any::<bool>(), 1..150u64);
    (late, pending, gitlab).prop_map(|(late, pending, gitlab)| {
        let (lists, tags, login, replicas_differ) = late;
        let (goes_with_current, abandoned_by) = pending;
        let (unique_urls, premium, takes) = gitlab;
        let mut options = Options {
            lists_late: Duration::from_secs(lists),
            tags_late: Duration::from_secs(tags),
            login_late: Duration::from_secs(login),
            replicas_differ,
            pending: Pending {
                goes_with_current,
                abandoned_by,
            },
            sync_takes: Duration::from_secs(takes),
            ..Options::default()
        };
        options.gitlab.unique_urls = unique_urls;
        options.gitlab.premium = premium;
        options
    })
}

/// Faults at calls of the first or second delivery of some request or step; not all strike.
fn faults() -> impl Strategy<Value = Vec<(String, Fault)>> {
    let kinds: Vec<FaultKind> = FaultKind::EACH
        .into_iter()
        .chain(FaultKind::SILENT)
        .collect();
    let whose = prop_oneof![
        (
            1..6usize,
            prop::sample::select(vec!["Create", "Update", "Delete"])
        )
            .prop_map(|(number, kind)| format!("{number}-{kind}")),
        (1..4usize, prop::sample::select(RotationStep::ALL.to_vec()))
            .prop_map(|(number, step)| format!("rotation-{number}.{step}")),
    ];
    let one = (whose, 1..3usize, 0..30usize, prop::sample::select(kinds));
    let fault = one.prop_map(|(whose, delivery, call, kind)| {
        (format!("{whose}.{delivery}"), Fault::at(call, kind))
    });
    prop::collection::vec(fault, 0..3)
}

#[test]
fn no_history_at_random_stops_a_push_or_leaves_anything_behind() {
    let histories = cases(200, 5_000);
    let config = Config {
        cases: u32::try_from(histories).expect("a small number"),
        failure_persistence: None,
        max_shrink_iters: 100,
        ..Config::default()
    };
    // The same histories each time; another seed is a line's change.
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(config, seed);
    let every = (history(), options(), faults(), any::<bool>());
    let outcome = runner.run(&every, |(events, options, faults, delivers_twice)| {
        let scenario = Scenario {
            name: "at random",
            setup: |_| {},
            events,
            delivers_twice,
            step_deliveries: 3,
        };
        paused(scenario.play(options, &faults));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    fake_aws::figure!("schedules: {histories} histories at random");
}
