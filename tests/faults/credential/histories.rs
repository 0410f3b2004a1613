//! Histories at random: any requests in any order, IAM as late as it likes, up to two faults.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::cloudformation::RollBack;
use crate::scenarios::{Event, Scenario};
use crate::{OTHER_USER, REPOSITORY, USER};
use fake_aws::Options;
use fake_aws::explore::paused;
use fake_aws::extent::cases;
use fake_aws::histories::{faults_at_random, play_histories};

fn some_properties() -> impl Strategy<Value = Value> {
    (
        select(vec![USER, OTHER_USER]),
        prop::option::of(select(vec!["codecommit-mirror/a", "codecommit-mirror/b"])),
        any::<bool>(),
        prop::option::of(0..3u8),
        prop::option::of(select(vec!["alias/one", "alias/two"])),
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

#[test]
fn no_history_at_random_breaks_an_invariant() {
    let requests = (1..6usize, select(vec!["Create", "Update", "Delete"]));
    let requests = requests.prop_map(|(number, kind)| format!("{number}-{kind}"));
    let faults = faults_at_random(requests, 16);
    let every = (history(), options(), faults, any::<bool>());
    let play = |(events, options, faults, delivers_twice): (_, _, Vec<_>, _)| {
        let scenario = Scenario {
            name: "at random",
            setup: |_| {},
            events,
            delivers_twice,
        };
        paused(scenario.play(options, &faults));
    };
    play_histories(cases(500, 10_000), 7, every, play);
}
