//! Plays the stories `review_*` of `tests/scenarios` for the fault schedules, and checks each end.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::account::request;
use crate::changes::{self, change_merge_request};
use crate::checks::{
    Others, assert_notes_only_on, check_harmless, check_note, check_review_status, check_status,
    drift_statuses, own_notes,
};
use crate::fixture::{
    Output, builds_of, changed, check_health, configuration, delete_branch, deliver_once, fake,
    lose_push, push, push_to_codecommit, records, succeed,
};
use crate::steps::{Branch, Build, Expectation, Lost, Push, ReviewWord};
use fake_aws::{FakeAws, Options, Service};
use test_support::custom_resource::deliver_all;
use test_support::runner::{Account, Play};
use test_support::scenarios::Effects;
use test_support::secrecy::shows;
use test_support::worlds::Delivery;

/// A build, and its event. The event is null while the build runs.
struct Built {
    branch: Branch,
    commit: String,
    id: String,
    event: Value,
}

/// The account of a story about reviews. If its world delivers again, each event and health check is
/// delivered again after it succeeded, or copies of all events so far arrive before each
/// expectation.
pub struct Reviews {
    play: Rc<Play<ReviewWord>>,
    others: Others,
    builds: Vec<Built>,
    /// The events that were delivered.
    delivered: Vec<Value>,
}

impl Account for Reviews {
    type Word = ReviewWord;

    const PREFIX: &'static str = "review_";
    const SERVICES: &'static [Service] = &[
        Service::CloudFormation,
        Service::CodePipeline,
        Service::GitLab,
    ];
    const SPECIAL: u64 = 4;

    async fn fake(options: Options) -> FakeAws {
        let fake = fake().await;
        fake.options(|known| *known = options);
        fake
    }

    fn change(fake: &FakeAws, change: &Value) {
        changes::apply(fake, change);
    }

    fn begin(play: Rc<Play<ReviewWord>>) -> Self {
        Reviews {
            others: Others::of(&play.fake),
            builds: vec![],
            delivered: vec![],
            play,
        }
    }

    async fn take(&mut self, at: usize, word: &ReviewWord, _: &Effects) {
        let name = (at + 1).to_string();
        match word {
            ReviewWord::Push(push) => self.push(push, &name).await,
            ReviewWord::Build(push) => {
                let build = self.only_build(push, &name).await;
                self.end_build(build, push, &name).await;
            }
            ReviewWord::Event(push) => {
                let is_it = |one: &&Built| (one.branch, &one.commit) == (push.branch, &push.commit);
                let built = self.builds.iter().find(is_it).expect("a build");
                self.deliver(built.event.clone(), &push.answers, &name).await;
            }
            ReviewWord::Check => self.check_health(&name).await,
            ReviewWord::MergeRequest(change) => {
                self.others_change(|fake| change_merge_request(fake, change));
            }
            ReviewWord::DeleteBranch(branch) => {
                self.others_change(|fake| delete_branch(fake, branch.name()));
            }
        }
    }

    async fn by_hand(&mut self, change: &Value) {
        self.others_change(|fake| changes::apply(fake, change));
    }

    async fn expect(&mut self, at: usize, expected: &Expectation) {
        // A fault may prevent what the next health check does again.
        if !self.play.has_fault() {
            self.repeat_late(&(at + 1).to_string()).await;
            self.compare(expected, self.play.is_plain);
        }
    }

    /// The health check of the next day, which deletes the change sets that remain from an hour
    /// ago.
    async fn end(&mut self) {
        tokio::time::sleep(Duration::from_hours(24)).await;
        self.check_health("of the next day").await;
        assert_eq!(self.play.fake.faults_left(), 0);
        self.compare(self.play.story.end(), false);
    }
}

impl Reviews {
    /// Other people change something that is theirs.
    fn others_change(&mut self, change: impl FnOnce(&FakeAws)) {
        let fake = &self.play.fake;
        self.others.check(fake);
        change(fake);
        self.others = Others::of(fake);
    }

    async fn push(&mut self, commit: &Push, name: &str) {
        let branch = commit.branch.name();
        if commit.lost == Some(Lost::Push) {
            return lose_push(&self.play.fake, branch, &commit.commit);
        }
        let build = match commit.branch {
            Branch::Unknown => push_to_codecommit(&self.play.fake, branch.0, &commit.commit),
            _ => push(&self.play.fake, branch, &commit.commit),
        };
        self.end_build(build, commit, name).await;
    }

    /// The build of a head that has no other.
    async fn only_build(&mut self, push: &Push, name: &str) -> String {
        let builds = |fake: &FakeAws| builds_of(fake, push.branch.name(), &push.commit);
        if self.play.has_fault() && builds(&self.play.fake).is_empty() {
            self.check_health(&format!("{name}-again")).await;
        }
        let mut builds = builds(&self.play.fake);
        assert_eq!(builds.len(), 1, "{push:?}: {builds:?}");
        builds.remove(0).0
    }

    async fn end_build(&mut self, id: String, push: &Push, name: &str) {
        let event = match push.build {
            Build::Succeeds => succeed(&self.play.fake, &id, &output(push)),
            Build::Fails => self.play.fake.end_build(&id, "FAILED"),
            Build::Stops => self.play.fake.end_build(&id, "STOPPED"),
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
        if self.play.is_plain && !answers.is_empty() {
            let answer = deliver_once(&self.play.fake, &event, &format!("{name}.1")).await;
            let answer = match answer.expect("not killed") {
                Ok(answer) => answer.to_string(),
                Err(error) => error,
            };
            for text in answers {
                assert!(answer.contains(text), "{text}: {answer}");
            }
        } else {
            let is_twice = self.play.place.delivery == Delivery::Twice;
            let request = request(&self.play.fake, event.clone(), &name);
            deliver_all(&self.play.fake, &request, is_twice).await;
        }
        self.delivered.push(event);
    }

    async fn check_health(&self, name: &str) {
        check_health(&self.play.fake, &format!("check {name}")).await;
        if self.play.place.delivery == Delivery::Twice {
            check_health(&self.play.fake, &format!("check {name} again")).await;
        }
    }

    async fn repeat_late(&self, name: &str) {
        if self.play.place.delivery == Delivery::LateCopies {
            for (index, event) in self.delivered.iter().enumerate() {
                let name = format!("late {index} at {name}");
                drop(deliver_once(&self.play.fake, event, &name).await);
            }
        }
    }

    fn compare(&self, expected: &Expectation, is_plain: bool) {
        let fake = &self.play.fake;
        if self.play.place.may_differ {
            return check_harmless(fake, &self.others);
        }
        if is_plain {
            self.play.assert_calls(&expected.calls);
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
        let (fake, (_, iid)) = (&self.play.fake, expected.branch.name());
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
        configuration: match &push.configuration {
            Value::Null => None,
            over => Some(laid_over(configuration(), over)),
        },
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
