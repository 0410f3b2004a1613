//! Plays the stories `review_*` of `tests/scenarios` for the fault schedules, and checks each end.

use std::time::Duration;

use serde_json::Value;

use crate::account::request;
use crate::changes;
use crate::checks::{
    Others, assert_notes_only_on, check_harmless, check_note, check_review_status, check_status,
    drift_statuses, own_notes,
};
use crate::fixture::{
    Output, builds_of, changed, check_health_as, configuration, deliver_once, fake, lose_push,
    paused, push, push_to_codecommit, records, succeed,
};
use crate::steps::{Action, Branch, Build, Expectation, Lost, Push, Step, Story};
use fake_aws::FakeAws;
use fake_aws::schedules::SingleFault;
use test_support::custom_resource::deliver_all;
use test_support::scenarios::stories;
use test_support::secrecy::shows;
use test_support::worlds::{Delivery, Mixture};

/// A story, and its world. If that delivers again, each event and health check is delivered again
/// after it succeeded, or copies of all events so far arrive before each expectation.
#[derive(Clone)]
pub struct Scenario {
    pub story: Story,
    pub mixture: Mixture,
}

/// A build, and its event. The event is null while the build runs.
struct Built {
    branch: Branch,
    commit: String,
    id: String,
    event: Value,
}

/// A scenario that is being played.
struct Play<'a> {
    scenario: &'a Scenario,
    fake: FakeAws,
    delivery: Delivery,
    others: Others,
    builds: Vec<Built>,
    /// The events that were delivered.
    delivered: Vec<Value>,
    expected: Option<&'a Expectation>,
    has_fault: bool,
    /// In the kind world and without a fault, every figure is that of the story.
    is_plain: bool,
}

/// Each story, delivered once.
pub fn scenarios() -> Vec<Scenario> {
    let scenario = |story| Scenario {
        story,
        mixture: Mixture::default(),
    };
    stories("review_").into_iter().map(scenario).collect()
}

impl Scenario {
    /// Plays the story with these faults and the health check of the next day, and checks every
    /// invariant and the last expectation.
    pub fn play(&self, faults: &[SingleFault]) -> FakeAws {
        paused(async {
            let mut play = self.begin(faults).await;
            play.happen().await;
            play.end().await;
            play.fake
        })
    }

    /// Plays the story up to its last step.
    pub fn play_steps(&self) -> FakeAws {
        paused(async {
            let mut play = self.begin(&[]).await;
            play.happen().await;
            play.fake
        })
    }

    async fn begin(&self, faults: &[SingleFault]) -> Play<'_> {
        let fake = fake().await;
        let mut delivery = Delivery::Once;
        fake.options(|options| {
            let place = self.mixture.place_with(options.clone());
            (*options, delivery) = (place.options, place.delivery);
        });
        for change in &self.story.given {
            changes::apply(&fake, change);
        }
        for fault in faults {
            fault.inject(&fake);
        }
        Play {
            scenario: self,
            others: Others::of(&fake),
            builds: vec![],
            delivered: vec![],
            expected: None,
            has_fault: !faults.is_empty(),
            is_plain: faults.is_empty() && self.mixture.is_kind(),
            delivery,
            fake,
        }
    }

    /// `PipelineStackDrift`
    fn compares_pipeline_stacks(&self) -> bool {
        match self.story.world.get("PipelineStackDrift").and_then(Value::as_str) {
            None | Some("Report") => true,
            Some("Disabled") => false,
            Some(other) => panic!("{}: not {other}", self.story.name),
        }
    }
}

impl<'a> Play<'a> {
    async fn happen(&mut self) {
        let scenario = self.scenario;
        for (index, step) in scenario.story.steps.iter().enumerate() {
            self.step(step, &format!("{}", index + 1)).await;
        }
    }

    async fn step(&mut self, Step { action, .. }: &'a Step, name: &str) {
        match action {
            Action::Push(push) => self.push(push, name).await,
            Action::Build(push) => {
                let build = self.only_build(push, name).await;
                self.end_build(build, push, name).await;
            }
            Action::Event(push) => {
                let is_it = |one: &&Built| (one.branch, &one.commit) == (push.branch, &push.commit);
                let built = self.builds.iter().find(is_it).expect("a build");
                self.deliver(built.event.clone(), &push.answers, name).await;
            }
            Action::Check => self.check(name).await,
            Action::Wait(time) => tokio::time::sleep(*time).await,
            Action::Expect(expected) => {
                self.expected = Some(expected);
                // A fault may prevent what the next health check does again.
                if !self.has_fault {
                    self.repeat_late(name).await;
                    self.expect(expected, self.is_plain);
                }
            }
            Action::MergeRequest(_) | Action::DeleteBranch(_) | Action::ByHand(_) => {
                self.others.check(&self.fake);
                changes::happen(&self.fake, action);
                self.others = Others::of(&self.fake);
            }
        }
    }

    async fn push(&mut self, commit: &Push, name: &str) {
        let branch = commit.branch.name();
        if commit.lost == Some(Lost::Push) {
            return lose_push(&self.fake, branch, &commit.commit);
        }
        let build = match commit.branch {
            Branch::Unknown => push_to_codecommit(&self.fake, branch.0, &commit.commit),
            _ => push(&self.fake, branch, &commit.commit),
        };
        self.end_build(build, commit, name).await;
    }

    /// The build of a head that has no other.
    async fn only_build(&mut self, push: &Push, name: &str) -> String {
        let builds = |fake: &FakeAws| builds_of(fake, push.branch.name(), &push.commit);
        if self.has_fault && builds(&self.fake).is_empty() {
            self.check(&format!("{name}-again")).await;
        }
        let mut builds = builds(&self.fake);
        assert_eq!(builds.len(), 1, "{push:?}: {builds:?}");
        builds.remove(0).0
    }

    async fn end_build(&mut self, id: String, push: &Push, name: &str) {
        let event = match push.build {
            Build::Succeeds => succeed(&self.fake, &id, &output(push)),
            Build::Fails => self.fake.end_build(&id, "FAILED"),
            Build::Stops => self.fake.end_build(&id, "STOPPED"),
            Build::Runs => Value::Null,
        };
        self.builds.push(Built {
            branch: push.branch,
            commit: push.commit.clone(),
            id,
            event: event.clone(),
        });
        if push.build != Build::Runs && push.lost.is_none() {
            self.deliver(event, &push.answers, name).await;
        }
    }

    async fn deliver(&mut self, event: Value, answers: &[String], name: &str) {
        let name = format!("event {name}");
        if self.is_plain && !answers.is_empty() {
            let answer = deliver_once(&self.fake, &event, &format!("{name}.1")).await;
            let answer = match answer.expect("not killed") {
                Ok(answer) => answer.to_string(),
                Err(error) => error,
            };
            for text in answers {
                assert!(answer.contains(text), "{text}: {answer}");
            }
        } else {
            let request = request(&self.fake, event.clone(), &name);
            deliver_all(&self.fake, &request, self.delivery == Delivery::Twice).await;
        }
        self.delivered.push(event);
    }

    async fn check(&self, name: &str) {
        let compares = self.scenario.compares_pipeline_stacks();
        let again: &[&str] = match self.delivery {
            Delivery::Twice => &["", " again"],
            _ => &[""],
        };
        for again in again {
            check_health_as(&self.fake, &format!("check {name}{again}"), compares).await;
        }
    }

    async fn repeat_late(&self, name: &str) {
        if self.delivery == Delivery::LateCopies {
            for (index, event) in self.delivered.iter().enumerate() {
                let name = format!("late {index} at {name}");
                drop(deliver_once(&self.fake, event, &name).await);
            }
        }
    }

    /// The health check of the next day, which deletes the change sets that remain from an hour
    /// ago.
    async fn end(&mut self) {
        tokio::time::sleep(Duration::from_hours(24)).await;
        self.check("of the next day").await;
        assert_eq!(self.fake.faults_left(), 0);
        self.expect(self.expected.expect("a story with an expectation"), false);
    }

    fn expect(&self, expected: &Expectation, is_plain: bool) {
        let fake = &self.fake;
        if self.scenario.mixture.may_change(&self.scenario.story) {
            return check_harmless(fake, &self.others);
        }
        if is_plain {
            for (operation, number) in &expected.calls {
                assert_eq!(fake.count(operation), *number, "{operation}");
            }
            for text in &expected.logs {
                assert!(shows(text), "{text} is not in the log");
            }
            for text in &expected.not_in_logs {
                assert!(!shows(text), "{text} is in the log");
            }
        }
        self.expect_notes(expected);
        if let Some(drift) = &expected.drift {
            match drift.iter().next() {
                Some((state, text)) => check_status(fake, state, text),
                None => assert_eq!(drift_statuses(fake), []),
            }
        }
        for (commit, number) in &expected.builds {
            let builds = builds_of(fake, expected.branch.name(), commit);
            assert_eq!(builds.len(), *number, "{commit}: {builds:?}");
        }
        check_harmless(fake, &self.others);
    }

    fn expect_notes(&self, expected: &Expectation) {
        let (fake, (_, iid)) = (&self.fake, expected.branch.name());
        assert_notes_only_on(
            fake,
            &[Branch::Login, Branch::Cart].map(|branch| branch.name().1),
        );
        if let Some(number) = expected.notes {
            let notes = own_notes(fake, iid);
            assert_eq!(notes.len(), number, "{notes:?}");
        }
        let is_of_branch = |one: &&Built| one.branch == expected.branch;
        let Some(built) = self.builds.iter().rfind(is_of_branch) else {
            return;
        };
        if let Some(texts) = &expected.note {
            check_note(fake, iid, &built.id, "");
            for text in texts {
                check_note(fake, iid, &built.id, text);
            }
        }
        for text in &expected.not_in_note {
            let notes = own_notes(fake, iid);
            assert!(!notes.concat().contains(text), "{text}: {notes:?}");
        }
        match expected.status.as_deref() {
            None => {}
            Some("none") => {
                let records = records(fake);
                let shown = records.current(&built.commit, "cfn-gitops/dev/shop/review");
                assert!(shown.is_empty(), "{shown:?}");
            }
            Some(state) => check_review_status(fake, &built.commit, &built.id, state),
        }
    }
}

/// The files that the build stores.
fn output(push: &Push) -> Output {
    Output {
        template: laid_over(changed(), &push.template),
        configuration: push.configuration.as_ref().map(|over| laid_over(configuration(), over)),
    }
}

/// The value with these members instead of its own. `null` removes a member.
fn laid_over(value: Value, over: &Value) -> Value {
    let (Value::Object(mut members), Value::Object(over)) = (value, over) else {
        return over.clone();
    };
    for (name, over) in over {
        let value = members.remove(name).unwrap_or_default();
        if !over.is_null() {
            members.insert(name.clone(), laid_over(value, over));
        }
    }
    Value::Object(members)
}
