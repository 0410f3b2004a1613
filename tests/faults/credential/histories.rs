//! Histories at random: any requests in any order, IAM as late as it likes, up to two faults.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::cloudformation::RollBack;
use crate::scenarios::{Event, Scenario};
use crate::{OTHER_USER, REPOSITORY, USER};
use fake_aws::explore::paused;
use fake_aws::extent::cases;
use fake_aws::{Fault, FaultKind, Options};

fn some_properties() -> impl Strategy<Value = Value> {
    (
        prop::sample::select(vec![USER, OTHER_USER]),
        prop::option::of(prop::sample::select(vec![
            "codecommit-mirror/a",
            "codecommit-mirror/b",
        ])),
        any::<bool>(),
        prop::option::of(0..3u8),
        prop::option::of(prop::sample::select(vec!["alias/one", "alias/two"])),
        prop::option::of(0..3u8),
    )
        .prop_map(|(user, secret, proves, serial, key, tag)| {
            let mut properties = json!({"UserName": user});
            if let Some(secret) = secret {
                properties["SecretName"] = json!(secret);
            }
            if proves {
                properties["RepositoryNames"] = json!([REPOSITORY]);
            }
            if let Some(serial) = serial {
                properties["RotationSerial"] = json!(serial.to_string());
            }
            if let Some(key) = key {
                properties["KmsKeyId"] = json!(key);
            }
            if let Some(tag) = tag {
                properties["Tags"] = json!([{"Key": format!("tag-{tag}"), "Value": "v"}]);
            }
            properties
        })
}

fn later_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => some_properties().prop_map(Event::Update),
        2 => some_properties().prop_map(|p| Event::UpdateRolledBack(p, RollBack::UpdateBack)),
        1 => some_properties().prop_map(|p| Event::UpdateRolledBack(p, RollBack::DeleteNewOnly)),
    ]
}

fn history() -> impl Strategy<Value = Vec<Event>> {
    (
        some_properties(),
        prop::collection::vec(later_event(), 0..4),
    )
        .prop_map(|(first, later)| {
            let mut events = vec![Event::Create(first)];
            events.extend(later);
            events
        })
}

fn options() -> impl Strategy<Value = Options> {
    (
        0..6u64,
        0..6u64,
        0..6u64,
        any::<bool>(),
        0..4u64,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(lists, tags, login, replicas_differ, deletion, idempotent, paged)| Options {
                lists_late: Duration::from_secs(lists),
                tags_late: Duration::from_secs(tags),
                login_late: Duration::from_secs(login),
                replicas_differ,
                deletion_takes: Duration::from_secs(deletion),
                empty_create_is_idempotent: idempotent,
                // Pages of two replicas that differ make no list: IAM's markers belong to one.
                page_length: (paged && !replicas_differ).then_some(1),
                ..Options::default()
            },
        )
}

/// Faults at calls of the first or second delivery of some request; not all strike.
fn faults() -> impl Strategy<Value = Vec<(String, Fault)>> {
    let kinds: Vec<FaultKind> = FaultKind::EACH
        .into_iter()
        .chain(FaultKind::SILENT)
        .collect();
    let types = vec!["Create", "Update", "Delete"];
    let one = (
        1..6usize,
        prop::sample::select(types),
        1..3usize,
        0..16usize,
        prop::sample::select(kinds),
    );
    let fault = one.prop_map(|(request, request_type, delivery, call, kind)| {
        (
            format!("{request}-{request_type}.{delivery}"),
            Fault::at(call, kind),
        )
    });
    prop::collection::vec(fault, 0..3)
}

#[test]
fn no_history_at_random_breaks_an_invariant() {
    let histories = cases(500, 10_000);
    let config = Config {
        cases: u32::try_from(histories).expect("a small number"),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    // The same histories each time; another seed is a line's change.
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, seed);
    let every = (history(), options(), faults(), any::<bool>());
    let outcome = runner.run(&every, |(events, options, faults, delivers_twice)| {
        let scenario = Scenario {
            name: "at random",
            setup: |_| {},
            events,
            delivers_twice,
        };
        paused(scenario.play_with(options, faults));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    fake_aws::figure!("schedules: {histories} histories at random");
}
