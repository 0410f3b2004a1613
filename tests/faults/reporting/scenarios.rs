//! The stories `report_*` of `tests/scenarios`: the course of a pipeline's executions, and the records
//! of GitLab in the end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::changes;
use crate::checks::{check, check_harmless, check_recorded_once, check_texts, check_with_notes};
use crate::fixture::{
    COMMITS, Reporting, SHOP, Subject, catch_up, deliver, deliver_once, fake, records,
};
use crate::steps::{ReportWord, commit};
use fake_aws::{FakeAws, Options, Schedules, Service};
use test_support::runner::{Account, Play, played};
use test_support::scenarios::{Action, Effects, Story, Word, stories};
use test_support::worlds::{Delivery, Place, play_in_each_world};

impl Word for ReportWord {
    type Expectation = Expectation;
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
    pub story: Story<ReportWord>,
    /// The changes before the first step, and the steps.
    pub actions: Vec<Action<ReportWord>>,
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
pub async fn play_steps(fake: &FakeAws, steps: &[ReportWord], change: impl Fn(ReportWord)) {
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
            take(action, fake, *of).await;
        }
    }
}

/// Performs an action. An expectation is none.
pub async fn take(action: &Action<ReportWord>, fake: &FakeAws, of: Reporting) {
    match action {
        Action::Word(step) => step.take(fake, of).await,
        Action::Wait(time) => tokio::time::sleep(*time).await,
        Action::ByHand(change) => changes::apply(fake, change),
        Action::Expect(_) => {}
    }
}

/// The subject of the event that the rule passes to the function. `None` if there is no event.
pub fn event(action: &Action<ReportWord>) -> Option<Subject> {
    match action {
        Action::Word(step) => step.has_event().then(|| step.subject()),
        _ => None,
    }
}

impl Scenario {
    fn of(story: Story<ReportWord>) -> Self {
        let given = story.given.iter().cloned().map(Action::ByHand);
        let steps = story.steps.iter().map(|step| step.action.clone());
        Scenario {
            actions: given.chain(steps).collect(),
            story,
        }
    }

    pub fn name(&self) -> &str {
        &self.story.name
    }

    /// The records in the end.
    pub fn expected(&self) -> Vec<Expected> {
        self.story.end().commits()
    }

    /// The indexes of actions with an event.
    pub fn events(&self) -> impl Iterator<Item = usize> {
        (0..self.actions.len()).filter(|at| event(&self.actions[*at]).is_some())
    }

    /// Plays every action, and delivers the event of each once.
    pub async fn play(&self, fake: &FakeAws) {
        self.play_some(fake, 0..self.actions.len()).await;
    }

    /// The same for some of the actions.
    pub async fn play_some(&self, fake: &FakeAws, some: Range<usize>) {
        for at in some {
            let action = &self.actions[at];
            take(action, fake, SHOP).await;
            if let Some(event) = event(action) {
                deliver_once(fake, SHOP, event, &format!("event-{at}")).await;
            }
        }
    }

    /// Plays every action, and delivers its event as Lambda does. `change` happens between the
    /// action of this index and its event.
    pub async fn play_with(&self, fake: &FakeAws, changed: usize, change: impl Fn()) {
        for (at, action) in self.actions.iter().enumerate() {
            take(action, fake, SHOP).await;
            if at == changed {
                change();
            }
            if let Some(event) = event(action) {
                deliver(fake, SHOP, event, &format!("event-{at}")).await;
            }
        }
    }

    /// After all events, GitLab shows the expected records, unless only the health check posts some.
    pub async fn check_after_events(&self, fake: &FakeAws) {
        if self.story.end().unreported > 0 {
            catch_up(fake, SHOP, "health check").await;
        }
        self.story.end().check(fake);
    }

    /// The health check, after which GitLab shows the expected records.
    pub async fn ends(&self, fake: &FakeAws) {
        catch_up(fake, SHOP, "health check").await;
        self.story.end().check(fake);
    }

    /// The same, and a second health check has nothing to post.
    pub async fn ends_for_good(&self, fake: &FakeAws) {
        self.ends_without_events(fake).await;
        self.story.end().check_current(fake);
    }

    /// The same if all events were lost. A lost record of a deployment is not repeated after later
    /// ones, so another commit may be shown as the present one.
    pub async fn ends_without_events(&self, fake: &FakeAws) {
        self.ends(fake).await;
        let posted = catch_up(fake, SHOP, "second health check").await;
        assert_eq!(posted, 0, "posted again");
        self.story.end().check(fake);
    }

    /// The rest of the story from this action, after two deliveries at once: both may have written a
    /// note.
    pub async fn ends_from(&self, fake: &FakeAws, from: usize) {
        self.play_some(fake, from..self.actions.len()).await;
        catch_up(fake, SHOP, "health check").await;
        check_with_notes(fake, SHOP, &self.expected(), 2);
    }
}

/// The account of a story about executions, whose events all arrive.
pub struct Reports {
    play: Rc<Play<ReportWord>>,
    /// The subjects of the events that were delivered.
    delivered: Vec<Subject>,
}

impl Account for Reports {
    type Word = ReportWord;

    const PREFIX: &'static str = "report_";
    const SERVICES: &'static [Service] = &[
        Service::CloudFormation,
        Service::CodePipeline,
        Service::CloudWatchLogs,
        Service::GitLab,
    ];
    const SPECIAL: u64 = 2;

    fn stories() -> Vec<Story<ReportWord>> {
        scenarios().iter().map(|one| one.story.clone()).collect()
    }

    async fn fake(options: Options) -> FakeAws {
        let fake = fake(&[SHOP]).await;
        fake.options(|known| *known = options);
        fake
    }

    fn change(fake: &FakeAws, change: &Value) {
        changes::apply(fake, change);
    }

    fn begin(play: Rc<Play<ReportWord>>) -> Self {
        let delivered = vec![];
        Reports { play, delivered }
    }

    async fn take(&mut self, at: usize, step: &ReportWord, _: &Effects) {
        step.take(&self.play.fake, SHOP).await;
        if step.has_event() {
            let name = format!("event-{}", self.play.story.given.len() + at);
            self.deliver(step.subject(), &name).await;
        }
        if !self.is_kind() {
            // An action of an execution takes longer than a change needs until it is visible.
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }

    async fn by_hand(&mut self, change: &Value) {
        changes::apply(&self.play.fake, change);
    }

    /// In an unkind world, an event may come before its change is visible, so only the end holds.
    async fn expect(&mut self, at: usize, expected: &Expectation) {
        if self.is_kind() && expected.unreported == 0 {
            expected.check(&self.play.fake);
        }
        if self.is_kind() && at + 1 < self.play.story.steps.len() {
            check_texts(&self.play.fake, SHOP, &expected.commits());
        }
    }

    /// The health check posts only what no event is about. In an unkind world, it may post more. A
    /// second one posts nothing.
    async fn end(&mut self) {
        let Play { fake, story, .. } = &*self.play;
        let end = story.end();
        if !self.is_kind() {
            tokio::time::sleep(Duration::from_mins(10)).await;
        }
        let posted = catch_up(fake, SHOP, "health check").await;
        if self.play.place.may_differ {
            return check_harmless(fake);
        }
        self.play.assert_calls(&end.calls);
        end.check(fake);
        if self.is_kind() {
            assert_eq!(posted, end.unreported, "{}", story.name);
        }
        let posted = catch_up(fake, SHOP, "second health check").await;
        assert_eq!(posted, 0, "posted again");
        end.check(fake);
        end.check_current(fake);
        check_recorded_once(fake);
        check_texts(fake, SHOP, &end.commits());
    }
}

impl Reports {
    fn is_kind(&self) -> bool {
        self.play.place.is_kind() && !self.play.place.may_differ
    }

    /// Delivers an event as Lambda does. If every figure is that of the story, the first delivery
    /// succeeds. In the kind world, a second one has nothing to post.
    async fn deliver(&mut self, event: Subject, name: &str) {
        let fake = &self.play.fake;
        self.delivered.push(event);
        let events = match self.play.place.delivery {
            Delivery::Once => vec![event],
            Delivery::Twice => vec![event, event],
            Delivery::LateCopies => self.delivered.clone(),
        };
        for (number, event) in events.into_iter().enumerate() {
            let name = format!("{name}-{number}");
            if self.play.is_plain || (number > 0 && self.is_kind()) {
                let posted = deliver_once(fake, SHOP, event, &format!("{name}.1")).await;
                assert!(number == 0 || posted == 0, "posted again");
            } else {
                deliver(fake, SHOP, event, &name).await;
            }
        }
    }
}

#[test]
fn story_ends_as_expected_with_each_event_once_or_twice() {
    let mut schedules = Schedules::one_in(1);
    for story in Reports::stories() {
        for (name, delivery) in [("once", Delivery::Once), ("twice", Delivery::Twice)] {
            let place = Place {
                delivery,
                ..Place::default()
            };
            schedules.run(format!("{}, {name}", story.name), || {
                played::<Reports>(&story, &place);
            });
        }
    }
    schedules.report("stories of executions, with each event once and twice");
}

#[test]
fn every_story_has_the_same_end_in_unkind_worlds() {
    play_in_each_world::<Reports>("stories of executions");
}
