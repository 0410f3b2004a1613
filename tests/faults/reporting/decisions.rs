//! The stories `approve_*` of `tests/scenarios`: tags in GitLab, and the decision about the request
//! that waits.

use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::account::request;
use crate::approvals::waiting;
use crate::fixture::{SHOP, deliver, fake, paused};
use crate::gitlab_approvals::{SUBJECT, Scene, notes};
use crate::tag_changes::{Pushed, Tagged as Tag, Told, apply, change_merge_request, put_before};
use fake_aws::extent::some_or;
use fake_aws::{AwsState, FakeAws, FaultKind, Options, Schedules, Service};
use test_support::custom_resource::deliver_all;
use test_support::runner::{Account, Play, begin, perform};
use test_support::scenarios::{Effects, Word};
use test_support::single_faults::play_with_single_faults;
use test_support::worlds::{Delivery, Place, play_in_each_world};

/// The words of a story about tags.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagWord {
    /// A user creates a tag.
    Tag(Tag),
    Delete(Tag),
    Push(Pushed),
    History(Told),
    #[serde(rename = "merge request")]
    MergeRequest(Map<String, Value>),
    Executions {
        before: Option<Vec<Map<String, Value>>>,
    },
}

impl Word for TagWord {
    type Expectation = Expectation;
}

/// The state of the request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expectation {
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

/// The reasons for which the function reads the tags.
#[derive(Clone, Copy, Debug)]
enum Call {
    /// The event of the request.
    Asked,
    /// The event of the tag.
    Tagged,
    HealthCheck,
}

use Call::{Asked, HealthCheck, Tagged};

/// After this time, every world shows a change.
const CHANGES_ARE_SHOWN: Duration = Duration::from_secs(10);

const ORDERS: [&[Call]; 5] = [
    &[HealthCheck],
    &[Tagged, HealthCheck],
    &[Tagged, Asked, Tagged, HealthCheck],
    &[HealthCheck, Tagged, Asked, HealthCheck],
    &[Asked, Asked, Tagged, Tagged, HealthCheck],
];

/// The account of a story about tags. For each expectation, the function is called in this order.
pub struct Decisions {
    play: Rc<Play<TagWord>>,
    scene: Scene,
    order: &'static [Call],
    latest: Tag,
}

impl Account for Decisions {
    type Word = TagWord;

    const PREFIX: &'static str = "approve_";
    const SERVICES: &'static [Service] = &[Service::CodePipeline, Service::GitLab];
    const SPECIAL: u64 = 1;

    async fn fake(options: Options) -> FakeAws {
        let scene = Scene::begin(&fake(&[SHOP]).await).await;
        scene.fake.options(|known| *known = options);
        scene.fake
    }

    fn change(_: &FakeAws, change: &Value) {
        panic!("no story of tags has {change} before it");
    }

    fn begin(play: Rc<Play<TagWord>>) -> Self {
        Decisions {
            scene: Scene::of(&play.fake),
            order: match play.place.delivery {
                // A fault may prevent what the next health check does again.
                Delivery::Once if play.has_fault() => &[Asked, Tagged, HealthCheck, HealthCheck],
                Delivery::Once => &[Asked, Tagged, HealthCheck],
                Delivery::Twice => &[Asked, Asked, Tagged, Tagged, HealthCheck],
                Delivery::LateCopies => &[Asked, Tagged, Asked, Tagged, HealthCheck],
            },
            latest: Tag::default(),
            play,
        }
    }

    async fn take(&mut self, _: usize, word: &TagWord, _: &Effects) {
        let deploy = &self.scene.deploy;
        self.play.fake.arrange(|aws| word.change(aws, deploy));
        if let TagWord::Tag(tag) = word {
            self.latest = tag.clone();
        }
    }

    async fn by_hand(&mut self, change: &Value) {
        let deploy = &self.scene.deploy;
        self.play.fake.arrange(|aws| apply(aws, deploy, change));
    }

    async fn expect(&mut self, at: usize, expected: &Expectation) {
        if !self.play.place.is_kind() {
            tokio::time::sleep(CHANGES_ARE_SHOWN).await;
        }
        let tag = self.latest.name(&self.scene.deploy);
        for (number, call) in self.order.iter().enumerate() {
            call.deliver(&self.scene, &tag, &format!("call-{at}-{number}")).await;
        }
        expected.check(&self.scene, &self.latest, self.play.place.may_differ);
    }

    async fn end(&mut self) {}
}

impl Call {
    async fn deliver(self, scene: &Scene, tag: &str, name: &str) {
        match self {
            Asked => deliver(&scene.fake, SHOP, SUBJECT, name).await,
            Tagged => scene.tell(tag, name).await,
            HealthCheck => {
                let event = json!({"HealthCheck": {"EnvID": SHOP.env_id}});
                deliver_all(&scene.fake, &request(&scene.fake, event, name), false).await;
            }
        }
    }
}

impl TagWord {
    fn change(&self, aws: &mut AwsState, deploy: &str) {
        match self {
            TagWord::Tag(tag) => tag.push(aws, deploy, false),
            TagWord::Delete(tag) => tag.push(aws, deploy, true),
            TagWord::Push(pushed) => pushed.push(aws),
            TagWord::History(told) => told.tell(aws),
            TagWord::MergeRequest(change) => change_merge_request(aws, change),
            TagWord::Executions { before } => {
                if let Some(before) = before {
                    put_before(aws, before);
                }
            }
        }
    }
}

impl Expectation {
    /// Only the note may differ.
    fn check(&self, scene: &Scene, latest: &Tag, may_differ: bool) {
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

#[test]
fn tag_decides_as_in_its_story_in_each_order_of_events() {
    let mut schedules = Schedules::default();
    for story in Decisions::stories() {
        for order in ORDERS {
            schedules.run(format!("{}: {order:?}", story.name), || {
                paused(async {
                    let (play, account) = begin::<Decisions>(&story, &Place::default()).await;
                    perform(&play, Decisions { order, ..account }).await;
                });
            });
        }
    }
    schedules.report("stories of tags, with orders of events");
}

#[test]
fn every_decision_is_the_same_in_unkind_worlds() {
    play_in_each_world::<Decisions>("stories of tags");
}

/// Each story is played without a fault first. A smaller run plays every third one.
#[test]
fn single_fault_does_not_change_what_a_tag_decides() {
    let stories = Decisions::stories().into_iter();
    let stories: Vec<_> = stories.step_by(some_or(3, 1)).collect();
    let (what, kinds) = ("single faults in stories of tags", FaultKind::EACH);
    let place = Place::default();
    let schedules = play_with_single_faults::<Decisions>(what, &stories, &place, &kinds, 180);
    assert!(schedules > 300);
}
