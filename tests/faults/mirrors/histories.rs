//! Histories at random: updates and rotations in any order, AWS and GitLab on any kind of day, up
//! to two faults.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, PROJECT, REPOSITORY, THIRD_REPOSITORY, mirror, properties,
    with,
};
use crate::scenarios::Scenario;
use fake_aws::Options;
use fake_aws::explore::paused;
use fake_aws::extent::cases;
use fake_aws::histories::{faults_at_random, play_histories};
use fake_aws::secrets::versions::{AbandonedBy, Pending};
use test_support::RotationStep;
use test_support::custom_resource::RollBack;
use test_support::scenarios::{Action, Effects, Step, Story};

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

fn later_event() -> impl Strategy<Value = Step> {
    let rolled_back = |properties| Step {
        action: Action::Update(properties),
        effects: Effects {
            rolled_back: Some(RollBack::UpdateBack),
            ..Effects::default()
        },
    };
    prop_oneof![
        3 => some_properties().prop_map(|properties| Action::Update(properties).into()),
        1 => some_properties().prop_map(rolled_back),
        3 => Just(Action::Rotate.into()),
    ]
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    (
        some_properties(),
        prop::collection::vec(later_event(), 1..5),
    )
        .prop_map(|(first, later)| {
            let mut events = vec![Action::Create(first).into()];
            events.extend(later);
            events
        })
}

fn options() -> impl Strategy<Value = Options> {
    let late = (0..6u64, 0..6u64, 0..6u64, any::<bool>());
    let pending = (
        any::<bool>(),
        select(vec![
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

/// The requests of CloudFormation, and the steps of rotations.
fn requests() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..6usize, select(vec!["Create", "Update", "Delete"]))
            .prop_map(|(number, kind)| format!("{number}-{kind}")),
        (1..4usize, select(RotationStep::ALL.to_vec()))
            .prop_map(|(number, step)| format!("rotation-{number}.{step}")),
    ]
}

#[test]
fn no_history_at_random_stops_a_push_or_leaves_anything_behind() {
    let faults = faults_at_random(requests(), 30);
    let every = (history(), options(), faults, any::<bool>());
    let play = |(events, options, faults, delivers_twice): (_, _, Vec<_>, _)| {
        let scenario = Scenario {
            story: Story::of("at random", events),
            delivers_twice,
            step_deliveries: 3,
        };
        paused(scenario.play(options, &faults));
    };
    play_histories(cases(200, 5_000), 11, every, play);
}
