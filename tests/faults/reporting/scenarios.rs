//! The stories `report_*` of `tests/scenarios`: the course of a pipeline's executions, and the records
//! of GitLab in the end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::changes;
use crate::checks::{check, check_harmless, check_recorded_once, check_texts, check_with_notes};
use crate::fixture::{
    COMMITS, Reporting, SHOP, Subject, catch_up, deliver, deliver_once, in_account, records,
};
use crate::steps::{Step, commit};
use fake_aws::{FakeAws, Schedules, Service};
use test_support::scenarios::{Story, StoryAction, duration, stories};
use test_support::worlds::{Delivery, Mixture, Worlds};

/// A change in a story, or an expectation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    #[serde(rename = "by hand")]
    ByHand(Value),
    #[serde(deserialize_with = "duration")]
    Wait(Duration),
    Expect(Expectation),
    #[serde(untagged)]
    Step(Step),
}

impl StoryAction for Action {
    fn is_by_hand(&self) -> bool {
        matches!(self, Action::ByHand(_))
    }
}

/// The records of GitLab.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// By the commits of the story.
    commits: BTreeMap<String, Expected>,
    /// The commit that the environment has.
    current: Option<String>,
    /// Changes of GitLab that no event is about. Only the health check posts them.
    unreported: usize,
    /// How often the function made a call without a fault.
    calls: BTreeMap<String, usize>,
}

/// The records of a commit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    #[serde(skip)]
    pub commit: usize,
    /// The commit's newest execution.
    #[serde(default = "first_execution")]
    pub execution: String,
    /// Empty if only the texts are known.
    #[serde(default)]
    pub status: String,
    pub approval: Option<String>,
    pub deployment: Option<String>,
    /// Parts of the status's description.
    #[serde(default)]
    pub text: Vec<String>,
    /// Parts of each note of the function. Without a part, there is no note.
    pub notes: Option<Vec<String>>,
    /// Where they are: `merge_requests` or `commits`.
    pub place: Option<String>,
    /// No note has these parts.
    #[serde(default, rename = "not in notes")]
    pub not_in_notes: Vec<String>,
}

fn first_execution() -> String {
    "e1".to_owned()
}

impl Expectation {
    pub fn commits(&self) -> Vec<Expected> {
        let of_commit = |(name, expected): (&String, &Expected)| Expected {
            commit: commit(name).expect("a commit of stories"),
            ..expected.clone()
        };
        self.commits.iter().map(of_commit).collect()
    }

    /// Fails unless GitLab shows this, at rest.
    fn check(&self, fake: &FakeAws) {
        check(fake, SHOP, &self.commits());
    }

    fn check_current(&self, fake: &FakeAws) {
        if let Some(current) = &self.current {
            let current = commit(current).map(|at| COMMITS[at].to_owned());
            assert_eq!(shown_as_current(fake), current);
        }
    }
}

/// The commit that GitLab shows as the present deployment of the environment.
fn shown_as_current(fake: &FakeAws) -> Option<String> {
    let deployments = records(fake).deployments.into_iter().rev();
    let mut successes = deployments.filter(|one| one.state == "success");
    Some(successes.next()?.sha)
}

/// A story, and its end.
pub struct Scenario {
    pub story: Story<Action>,
    /// The changes before the first step, and the steps.
    pub actions: Vec<Action>,
    end: Expectation,
}

static SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    let stories = stories("report_").into_iter();
    stories.map(Scenario::of).collect()
});

/// All stories.
pub fn scenarios() -> &'static [Scenario] {
    &SCENARIOS
}

/// Those in which only executions change.
pub fn ordinary() -> impl Iterator<Item = &'static Scenario> {
    scenarios().iter().filter(|one| one.story.is_ordinary())
}

/// The story of this name.
pub fn scenario(name: &str) -> &'static Scenario {
    scenarios().iter().find(|one| one.story.name == name).expect("a story")
}

/// Executions take these steps, whose events are delivered as Lambda does. `change` happens between
/// a step and its event.
pub async fn play_steps(fake: &FakeAws, steps: &[Step], change: impl Fn(Step)) {
    for (at, step) in steps.iter().enumerate() {
        step.take(fake, SHOP).await;
        change(*step);
        if step.has_event() {
            deliver(fake, SHOP, step.subject(), &format!("event-{at}")).await;
        }
    }
}

/// Each pipeline's executions take the steps of a story. All events are lost.
pub async fn take_all(fake: &FakeAws, story: &str, pipelines: &[Reporting]) {
    for action in &scenario(story).actions {
        for of in pipelines {
            action.take(fake, *of).await;
        }
    }
}

impl Scenario {
    fn of(story: Story<Action>) -> Self {
        let given = story.given.iter().cloned().map(Action::ByHand);
        let steps = story.steps.iter().map(|step| step.action.clone());
        let Some(Action::Expect(end)) = story.steps.last().map(|step| step.action.clone()) else {
            panic!("{} expects nothing in the end", story.name);
        };
        Scenario {
            actions: given.chain(steps).collect(),
            end,
            story,
        }
    }

    pub fn name(&self) -> &str {
        &self.story.name
    }

    /// The records in the end.
    pub fn expected(&self) -> Vec<Expected> {
        self.end.commits()
    }

    /// The indexes of actions with an event.
    pub fn events(&self) -> impl Iterator<Item = usize> {
        (0..self.actions.len()).filter(|at| self.actions[*at].event().is_some())
    }

    /// Plays every action, and delivers the event of each once.
    pub async fn play(&self, fake: &FakeAws) {
        self.play_some(fake, 0..self.actions.len()).await;
    }

    /// The same for some of the actions.
    pub async fn play_some(&self, fake: &FakeAws, some: Range<usize>) {
        for at in some {
            let action = &self.actions[at];
            action.take(fake, SHOP).await;
            if let Some(event) = action.event() {
                deliver_once(fake, SHOP, event, &format!("event-{at}")).await;
            }
        }
    }

    /// Plays every action, and delivers its event as Lambda does. `change` happens between the
    /// action of this index and its event.
    pub async fn play_with(&self, fake: &FakeAws, changed: usize, change: impl Fn()) {
        for (at, action) in self.actions.iter().enumerate() {
            action.take(fake, SHOP).await;
            if at == changed {
                change();
            }
            if let Some(event) = action.event() {
                deliver(fake, SHOP, event, &format!("event-{at}")).await;
            }
        }
    }

    /// After all events, GitLab shows the expected records, unless only the health check posts some.
    pub async fn check_after_events(&self, fake: &FakeAws) {
        if self.end.unreported > 0 {
            catch_up(fake, SHOP, "health check").await;
        }
        self.end.check(fake);
    }

    /// The health check, after which GitLab shows the expected records.
    pub async fn ends(&self, fake: &FakeAws) {
        catch_up(fake, SHOP, "health check").await;
        self.end.check(fake);
    }

    /// The same, and a second health check has nothing to post.
    pub async fn ends_for_good(&self, fake: &FakeAws) {
        self.ends_without_events(fake).await;
        self.end.check_current(fake);
    }

    /// The same if all events were lost. A lost record of a deployment is not repeated after later
    /// ones, so another commit may be shown as the present one.
    pub async fn ends_without_events(&self, fake: &FakeAws) {
        self.ends(fake).await;
        let posted = catch_up(fake, SHOP, "second health check").await;
        assert_eq!(posted, 0, "posted again");
        self.end.check(fake);
    }

    /// The rest of the story from this action, after two deliveries at once: both may have written a
    /// note.
    pub async fn ends_from(&self, fake: &FakeAws, from: usize) {
        self.play_some(fake, from..self.actions.len()).await;
        catch_up(fake, SHOP, "health check").await;
        check_with_notes(fake, SHOP, &self.expected(), 2);
    }

    /// Plays every action with all events, which `delivers`, and checks each expectation, also the
    /// texts.
    pub async fn play_and_check(&self, fake: &FakeAws, delivers: impl AsyncFn(Subject, String)) {
        for (at, action) in self.actions.iter().enumerate() {
            action.take(fake, SHOP).await;
            if let Some(event) = action.event() {
                delivers(event, format!("event-{at}")).await;
            }
            let Action::Expect(expectation) = action else {
                continue;
            };
            if expectation.unreported == 0 {
                expectation.check(fake);
            }
            if at + 1 < self.actions.len() {
                check_texts(fake, SHOP, &expectation.commits());
            }
        }
    }

    /// Plays every action with all events in an unkind world. An event may come before its change is
    /// visible, so the expectation holds after the health check.
    pub async fn play_in(&self, fake: &FakeAws, mixture: &Mixture) {
        let mut delivery = Delivery::Once;
        fake.options(|options| {
            let place = mixture.place_with(options.clone());
            (*options, delivery) = (place.options, place.delivery);
        });
        let mut delivered = vec![];
        for (at, action) in self.actions.iter().enumerate() {
            action.take(fake, SHOP).await;
            let event: Vec<Subject> = action.event().into_iter().collect();
            delivered.extend(&event);
            let events = match delivery {
                _ if event.is_empty() => event,
                Delivery::Once => event,
                Delivery::Twice => event.repeat(2),
                Delivery::LateCopies => delivered.clone(),
            };
            for (number, event) in events.iter().enumerate() {
                deliver(fake, SHOP, *event, &format!("event-{at}-{number}")).await;
            }
            // An action of an execution takes longer than a change needs until it is visible.
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        tokio::time::sleep(Duration::from_mins(10)).await;
        if mixture.may_change(&self.story) {
            catch_up(fake, SHOP, "health check").await;
            return check_harmless(fake);
        }
        self.ends_for_good(fake).await;
        check_recorded_once(fake);
        check_texts(fake, SHOP, &self.expected());
    }

    /// After that, the health check posts only what no event is about.
    pub async fn leaves_the_rest(&self, fake: &FakeAws) {
        let posted = catch_up(fake, SHOP, "health check").await;
        assert_eq!(posted, self.end.unreported, "{}", self.name());
        self.end.check(fake);
        self.end.check_current(fake);
        check_recorded_once(fake);
        check_texts(fake, SHOP, &self.expected());
    }
}

impl Action {
    /// Whether an execution changes.
    pub fn is_step(&self) -> bool {
        matches!(self, Action::Step(_))
    }

    /// The subject of the event that the rule passes to the function. `None` if there is no event.
    pub fn event(&self) -> Option<Subject> {
        match self {
            Action::Step(step) => step.has_event().then(|| step.subject()),
            _ => None,
        }
    }

    pub async fn take(&self, fake: &FakeAws, of: Reporting) {
        match self {
            Action::Step(step) => step.take(fake, of).await,
            Action::Wait(time) => tokio::time::sleep(*time).await,
            Action::ByHand(change) => changes::apply(fake, change),
            Action::Expect(_) => {}
        }
    }
}

#[test]
fn story_ends_as_expected_with_each_event_once_or_twice() {
    let mut schedules = Schedules::one_in(1);
    for scenario in scenarios() {
        for is_twice in [false, true] {
            let delivered = if is_twice { "twice" } else { "once" };
            schedules.run(format!("{}, {delivered}", scenario.name()), || {
                in_account(async |fake| {
                    let delivers = async |event, name: String| {
                        deliver_once(fake, SHOP, event, &name).await;
                        if is_twice {
                            let again = format!("{name}-again");
                            let posted = deliver_once(fake, SHOP, event, &again).await;
                            assert_eq!(posted, 0, "posted again");
                        }
                    };
                    scenario.play_and_check(fake, delivers).await;
                    scenario.leaves_the_rest(fake).await;
                    for (operation, number) in &scenario.end.calls {
                        assert!(is_twice || fake.count(operation) == *number, "{operation}");
                    }
                });
            });
        }
    }
    schedules.report("stories of executions, with each event once and twice");
}

#[test]
fn every_story_has_the_same_end_in_unkind_worlds() {
    let worlds = Worlds {
        scenarios: scenarios().iter().collect(),
        story: |scenario: &&'static Scenario| &scenario.story,
        services: &[
            Service::CloudFormation,
            Service::CodePipeline,
            Service::CloudWatchLogs,
            Service::GitLab,
        ],
    };
    worlds.play_each("stories of executions", |scenario, mixture| {
        in_account(async |fake| scenario.play_in(fake, mixture).await);
    });
}
