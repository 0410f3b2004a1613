//! The stories `approve_*` of `tests/scenarios`: tags in GitLab, and the decision about the request
//! that waits.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::account::request;
use crate::approvals::waiting;
use crate::fixture::{SHOP, deliver};
use crate::gitlab_approvals::{SUBJECT, Scene, in_scene, notes};
use crate::tag_changes::{Pushed, Tagged, Told, apply, change_merge_request, put_before};
use fake_aws::extent::some_or;
use fake_aws::schedules::SingleFault;
use fake_aws::{AwsState, FaultKind, Schedules, Service};
use test_support::custom_resource::deliver_all;
use test_support::scenarios::{Story, StoryAction, duration, stories};
use test_support::single_faults::SingleFaults;
use test_support::worlds::{Delivery, Mixture, Worlds};

/// A change in a story, or an expectation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// A user creates a tag.
    Tag(Tagged),
    Delete(Tagged),
    Push(Pushed),
    History(Told),
    #[serde(rename = "merge request")]
    MergeRequest(Map<String, Value>),
    Executions {
        before: Option<Vec<Map<String, Value>>>,
    },
    #[serde(rename = "by hand")]
    ByHand(Value),
    #[serde(deserialize_with = "duration")]
    Wait(Duration),
    Expect(Expectation),
}

/// The state of the request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expectation {
    /// It waits, and the note has this doubt about the tag. Empty if it has none. `None` if only
    /// some calls find one.
    Waits(Option<String>),
    /// It waits, and the note has this doubt and no tags.
    Aws(String),
    /// The latest tag has approved it.
    Approved,
    /// The latest tag has rejected it.
    Rejected,
}

impl StoryAction for Action {
    fn is_by_hand(&self) -> bool {
        matches!(self, Action::ByHand(_))
    }
}

/// The reasons for which the function reads the tags.
#[derive(Clone, Copy, Debug)]
enum Call {
    /// The event of the request.
    Asked,
    /// The event of the tag.
    Tagged,
    HealthCheck,
}

use Call::{Asked, HealthCheck};

/// After this time, every world shows a change.
const CHANGES_ARE_SHOWN: Duration = Duration::from_secs(10);

/// Each event once, and the health check.
const ALL: &[Call] = &[Asked, Call::Tagged, HealthCheck];
const ORDERS: [&[Call]; 5] = [
    &[HealthCheck],
    &[Call::Tagged, HealthCheck],
    &[Call::Tagged, Asked, Call::Tagged, HealthCheck],
    &[HealthCheck, Call::Tagged, Asked, HealthCheck],
    &[Asked, Asked, Call::Tagged, Call::Tagged, HealthCheck],
];

/// Plays the story. For each expectation, the function is called in this order.
async fn play(scene: &Scene, story: &Story<Action>, order: &[Call]) {
    play_in(&Mixture::default(), scene, story, order).await;
}

/// The same in an unkind world, whose settings the account has.
async fn play_in(mixture: &Mixture, scene: &Scene, story: &Story<Action>, order: &[Call]) {
    let shown = if mixture.is_kind() {
        Duration::ZERO
    } else {
        CHANGES_ARE_SHOWN
    };
    let (fake, mut latest) = (&scene.fake, Tagged::default());
    for (at, step) in story.steps.iter().enumerate() {
        match &step.action {
            Action::Wait(time) => tokio::time::sleep(*time).await,
            Action::Expect(expectation) => {
                let tag = latest.name(&scene.deploy);
                tokio::time::sleep(shown).await;
                for (number, call) in order.iter().enumerate() {
                    call.deliver(scene, &tag, &format!("call-{at}-{number}")).await;
                }
                expectation.check(scene, &latest, mixture.may_change(story));
            }
            action => fake.arrange(|aws| action.change(aws, &scene.deploy)),
        }
        if let Action::Tag(tag) = &step.action {
            latest = tag.clone();
        }
    }
}

impl Call {
    async fn deliver(self, scene: &Scene, tag: &str, name: &str) {
        match self {
            Asked => deliver(&scene.fake, SHOP, SUBJECT, name).await,
            Call::Tagged => scene.tell(tag, name).await,
            HealthCheck => {
                let event = json!({"HealthCheck": {"EnvID": SHOP.env_id}});
                deliver_all(&scene.fake, &request(&scene.fake, event, name), false).await;
            }
        }
    }
}

impl Action {
    fn change(&self, aws: &mut AwsState, deploy: &str) {
        match self {
            Action::Tag(tagged) => tagged.push(aws, deploy, false),
            Action::Delete(tagged) => tagged.push(aws, deploy, true),
            Action::Push(pushed) => pushed.push(aws),
            Action::History(told) => told.tell(aws),
            Action::MergeRequest(change) => change_merge_request(aws, change),
            Action::Executions { before } => {
                if let Some(before) = before {
                    put_before(aws, before);
                }
            }
            Action::ByHand(change) => apply(aws, deploy, change),
            Action::Wait(_) | Action::Expect(_) => panic!("no change: {self:?}"),
        }
    }
}

impl Expectation {
    /// Only the note may differ.
    fn check(&self, scene: &Scene, latest: &Tagged, may_differ: bool) {
        let note = notes(&scene.fake);
        let doubt = match self {
            Expectation::Approved | Expectation::Rejected => {
                return scene.assert_decided_by(&latest.by, &latest.name(&scene.deploy));
            }
            Expectation::Waits(doubt) => doubt.as_deref(),
            Expectation::Aws(doubt) => Some(doubt.as_str()),
        };
        assert_eq!(scene.answer(), None);
        assert_eq!(waiting(&scene.fake), Some("token-1"));
        let has_tags = note.contains("tag_name=");
        let is_for_aws = matches!(self, Expectation::Aws(_));
        let is_told = match doubt {
            _ if may_differ => true,
            None => true,
            Some("") => !note.contains("decides nothing"),
            Some(doubt) => note.contains(doubt) && has_tags != is_for_aws,
        };
        assert!(is_told, "{doubt:?}: {note}");
    }
}

/// Plays the story of this name with each event once.
pub fn play_plainly(name: &str) {
    let mut all = stories::<Action>("approve_").into_iter();
    let story = all.find(|one| one.name == name).expect("a story");
    in_scene(async |scene| play(scene, &story, ALL).await);
}

#[test]
fn tag_decides_as_in_its_story_in_each_order_of_events() {
    let mut schedules = Schedules::default();
    for story in stories::<Action>("approve_") {
        for order in ORDERS {
            schedules.run(format!("{}: {order:?}", story.name), || {
                in_scene(async |scene| play(scene, &story, order).await);
            });
        }
    }
    schedules.report("stories of tags, with orders of events");
}

#[test]
fn every_decision_is_the_same_in_unkind_worlds() {
    let worlds = Worlds {
        scenarios: stories::<Action>("approve_"),
        story: |story| story,
        services: &[Service::CodePipeline, Service::GitLab],
    };
    worlds.play_each("stories of tags", |story, mixture| {
        in_scene(async |scene| {
            let mut delivery = Delivery::Once;
            scene.fake.options(|options| {
                let place = mixture.place_with(options.clone());
                (*options, delivery) = (place.options, place.delivery);
            });
            let order: &[Call] = match delivery {
                Delivery::Once => ALL,
                Delivery::Twice => &[Asked, Asked, Call::Tagged, Call::Tagged, HealthCheck],
                Delivery::LateCopies => &[Asked, Call::Tagged, Asked, Call::Tagged, HealthCheck],
            };
            play_in(mixture, scene, story, order).await;
        });
    });
}

/// Each story is played without a fault first. A smaller run plays every third one.
#[test]
fn single_fault_does_not_change_what_a_tag_decides() {
    let all_stories = stories::<Action>("approve_").into_iter();
    let all = SingleFaults {
        scenarios: all_stories.step_by(some_or(3, 1)).collect(),
        story: |story| story,
        kinds: &FaultKind::EACH,
        one_in: 180,
        special: 1,
    };
    let what = "single faults in stories of tags";
    let play = |story: &Story<Action>, faults: &[SingleFault]| {
        in_scene(async |scene| {
            for fault in faults {
                fault.inject(&scene.fake);
            }
            play(scene, story, &[ALL, &[HealthCheck]].concat()).await;
            scene.fake.clone()
        })
    };
    assert!(all.each(what, play) > 300);
}
