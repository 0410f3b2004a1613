//! Histories at random: updates and rotations in any order, AWS and GitLab on any kind of day, up
//! to two faults.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, OTHER_USER, PROJECT, REPOSITORY, THIRD_REPOSITORY, USER,
    mirror, properties, with,
};
use crate::scenarios::Mirrors;
use fake_aws::Options;
use fake_aws::extent::cases;
use fake_aws::histories::{faults_at_random, play_histories};
use fake_aws::secrets::versions::AbandonedBy;
use test_support::RotationStep;
use test_support::custom_resource::RollBack;
use test_support::runner::played;
use test_support::scenarios::{Action, Effects, ResourceWord, Step, Story};
use test_support::worlds::{Delivery, Place};

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
    (mirrors, some_serial(), settings).prop_map(|(mirrors, serial, (all, keep, waits))| {
        let complete = |(project, repository)| {
            let mut one = mirror(project, repository);
            one["OnlyProtectedBranches"] = json!((!all).to_string());
            one["KeepDivergentRefs"] = json!(keep.to_string());
            one["WaitForSync"] = json!(waits.to_string());
            one
        };
        let mirrors: Vec<Value> = mirrors.into_iter().map(complete).collect();
        let properties = with(properties(), "Mirrors", json!(mirrors));
        with(properties, "RotationSerial", json!(serial))
    })
}

/// One of these, or none.
fn one_of<const N: usize>(
    values: [&'static str; N],
) -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(select(values.to_vec()))
}

fn some_serial() -> impl Strategy<Value = Option<&'static str>> {
    one_of(["0", "1", "2"])
}

/// Those of a credential without mirrors, which an Update may replace.
fn some_login() -> impl Strategy<Value = Value> {
    (
        select(vec![USER, OTHER_USER]),
        one_of(["codecommit-mirror/a", "codecommit-mirror/b"]),
        any::<bool>(),
        some_serial(),
        one_of(["alias/one", "alias/two"]),
        one_of(["tag-0", "tag-1", "tag-2"]),
    )
        .prop_map(|(user, secret, verifies, serial, key, tag)| {
            let tags = tag.map(|tag| json!([{"Key": tag, "Value": "v"}]));
            let optional = [
                ("SecretName", json!(secret)),
                ("RepositoryNames", json!(verifies.then_some([REPOSITORY]))),
                ("RotationSerial", json!(serial)),
                ("KmsKeyId", json!(key)),
                ("Tags", json!(tags)),
            ];
            let user = json!({"UserName": user});
            let add = |all, (name, value)| with(all, name, value);
            optional.into_iter().fold(user, add)
        })
}

/// An Update, which may be rolled back.
fn update(properties: &BoxedStrategy<Value>) -> BoxedStrategy<Step> {
    let rolled_back = |(properties, how)| Step {
        effects: Effects {
            rolled_back: Some(how),
            ..Effects::default()
        },
        ..ResourceWord::Update(properties).into()
    };
    let how = select(vec![RollBack::UpdateBack, RollBack::DeleteNewOnly]);
    prop_oneof![
        3 => properties.clone().prop_map(|properties| ResourceWord::Update(properties).into()),
        2 => (properties.clone(), how).prop_map(rolled_back),
    ]
    .boxed()
}

/// A Create, and later steps.
fn history(
    properties: BoxedStrategy<Value>,
    later: impl Strategy<Value = Step>,
) -> impl Strategy<Value = Vec<Step>> {
    (properties, prop::collection::vec(later, 0..5)).prop_map(|(first, later)| {
        let mut steps = vec![ResourceWord::Create(first).into()];
        steps.extend(later);
        steps
    })
}

/// Those of mirrors with rotations, and of credentials alone.
fn histories() -> impl Strategy<Value = Vec<Step>> {
    let (mirrors, logins) = (some_properties().boxed(), some_login().boxed());
    let update_or_rotate =
        prop_oneof![4 => update(&mirrors), 3 => Just(ResourceWord::Rotate.into())];
    let of_logins = update(&logins);
    prop_oneof![
        2 => history(mirrors, update_or_rotate),
        5 => history(logins, of_logins),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let late = (0..6u64, 0..6u64, 0..6u64, any::<bool>());
    let (nothing, current) = (AbandonedBy::Nothing, AbandonedBy::Current);
    let abandoned_by = select(vec![nothing, current, AbandonedBy::Any]);
    let pending = (any::<bool>(), abandoned_by);
    let gitlab = (any::<bool>(), any::<bool>(), 1..150u64);
    let secrets = (0..4u64, any::<bool>(), any::<bool>());
    (late, pending, gitlab, secrets).prop_map(|(late, pending, gitlab, secrets)| {
        let (lists, tags, login, replicas_differ) = late;
        let (goes_with_current, abandoned_by) = pending;
        let (unique_urls, premium, takes) = gitlab;
        let (deletion, empty_create_is_idempotent, is_paged) = secrets;
        let mut options = Options {
            lists_late: Duration::from_secs(lists),
            tags_late: Duration::from_secs(tags),
            login_late: Duration::from_secs(login),
            replicas_differ,
            deletion_takes: Duration::from_secs(deletion),
            empty_create_is_idempotent,
            // Pages of two replicas that differ make no list: IAM's markers belong to one.
            page_length: (is_paged && !replicas_differ).then_some(1),
            sync_takes: Duration::from_secs(takes),
            ..Options::default()
        };
        options.pending.goes_with_current = goes_with_current;
        options.pending.abandoned_by = abandoned_by;
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
    let every = (histories(), options(), faults, any::<bool>());
    let play = |(events, options, faults, delivers_twice): (Vec<Step>, _, Vec<_>, _)| {
        // A credential without mirrors may be given another user, and a secret keeps its user.
        let first = events.first().map(|step| &step.action);
        let may_fail = matches!(first, Some(Action::Word(ResourceWord::Create(properties)))
            if properties["Mirrors"].is_null());
        let delivery = [Delivery::Once, Delivery::Twice][usize::from(delivers_twice)];
        let place = Place {
            options,
            delivery,
            faults,
            may_fail,
            ..Place::default()
        };
        played::<Mirrors>(&Story::of("at random", events), &place);
    };
    play_histories(cases(450, 15_000), 11, every, play);
}
