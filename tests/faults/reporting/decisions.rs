//! The stories `approve_*` of `tests/scenarios`: tags in GitLab, and the decision about the request
//! that waits.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::request;
use crate::approvals::waiting;
use crate::fixture::{SHOP, deliver};
use crate::gitlab_approvals::{SUBJECT, Scene, in_scene, notes};
use crate::tag_changes::{Tagged, apply};
use fake_aws::schedules::SingleFault;
use fake_aws::{FakeAws, FaultKind, Schedules};
use test_support::custom_resource::deliver_all;
use test_support::scenarios::{Story, StoryAction, stories};
use test_support::single_faults::SingleFaults;

/// A change in a story, or its end.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// A user creates a tag.
    Tag(Tagged),
    Delete(Tagged),
    #[serde(rename = "by hand")]
    ByHand(Value),
    Expect(Expectation),
}

/// The state of the request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expectation {
    /// It waits, and the note has this doubt about the tag. Empty if it has none.
    Waits(String),
    /// Ann's tag has approved it.
    Approved,
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

/// Each event once, and the health check.
const ALL: &[Call] = &[Asked, Call::Tagged, HealthCheck];
const ORDERS: [&[Call]; 6] = [
    ALL,
    &[HealthCheck],
    &[Call::Tagged, HealthCheck],
    &[Call::Tagged, Asked, Call::Tagged, HealthCheck],
    &[HealthCheck, Call::Tagged, Asked, HealthCheck],
    &[Asked, Asked, Call::Tagged, Call::Tagged, HealthCheck],
];

/// Plays the story. Then the function is called in this order.
async fn play(scene: &Scene, story: &Story<Action>, order: &[Call]) -> Expectation {
    let (fake, mut end) = (&scene.fake, None);
    for action in story.steps.iter().map(|step| &step.action) {
        fake.arrange(|aws| match action {
            Action::Tag(tagged) => tagged.push(aws, &scene.deploy, false),
            Action::Delete(tagged) => tagged.push(aws, &scene.deploy, true),
            Action::ByHand(change) => apply(aws, &scene.deploy, change),
            Action::Expect(expectation) => end = Some(expectation.clone()),
        });
    }
    for (at, call) in order.iter().enumerate() {
        let name = format!("call-{at}");
        match call {
            Asked => deliver(fake, SHOP, SUBJECT, &name).await,
            Call::Tagged => scene.tell(&scene.deploy, &name).await,
            HealthCheck => {
                let event = json!({"HealthCheck": {"EnvID": SHOP.env_id}});
                deliver_all(fake, &request(fake, event, &name), false).await;
            }
        }
    }
    let end = end.expect("an end");
    match end {
        Expectation::Waits(_) => {
            assert_eq!(scene.answer(), None);
            assert_eq!(waiting(fake), Some("token-1"));
        }
        Expectation::Approved => scene.assert_decided(&scene.deploy),
    }
    end
}

/// Fails unless the note has the doubt of the story.
fn check_doubt(fake: &FakeAws, end: &Expectation) {
    if let Expectation::Waits(doubt) = end {
        let note = notes(fake);
        let is_told = match doubt.as_str() {
            "" => !note.contains("decides nothing"),
            doubt => note.contains(doubt),
        };
        assert!(is_told, "{doubt}: {note}");
    }
}

/// Plays the story of this name with each event once.
pub fn play_plainly(name: &str) {
    let mut all = stories::<Action>("approve_").into_iter();
    let story = all.find(|one| one.name == name).expect("a story");
    in_scene(async |scene| {
        let end = play(scene, &story, ALL).await;
        check_doubt(&scene.fake, &end);
    });
}

#[test]
fn tag_decides_as_in_its_story_in_each_order_of_events() {
    let mut schedules = Schedules::one_in(1);
    for story in stories::<Action>("approve_") {
        for order in ORDERS {
            schedules.run(format!("{}: {order:?}", story.name), || {
                in_scene(async |scene| {
                    let end = play(scene, &story, order).await;
                    check_doubt(&scene.fake, &end);
                });
            });
        }
    }
    schedules.report("stories of tags, with orders of events");
}

#[test]
fn single_fault_does_not_change_what_a_tag_decides() {
    let all = SingleFaults {
        scenarios: stories::<Action>("approve_"),
        story: |story| story,
        kinds: &FaultKind::EACH,
        one_in: 6,
        special: 2,
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
