//! The scenarios for the fault schedules, and their invariants.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{difference, nothing_remains, runs, shape, watch};
use crate::fixture::{BRANCH, PIPELINE, fake, paused, push_to, repository_of, stack};
use fake_aws::schedules::SingleFault;
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::{
    INVENTED_ID, ParentStack, RequestOutcome, RollBack, answers_are_sound, deliver_beside,
};

thread_local! {
    /// The expectation after the events so far.
    static EXPECTED: RefCell<HashMap<String, Rc<Value>>> = RefCell::default();
}

/// One thing that happens to the resource.
#[derive(Clone, Debug)]
pub enum Event {
    Create(Value),
    Update(Value),
    /// The Update succeeds, and then another resource of the stack fails.
    UpdateRolledBack(Value, RollBack),
    /// The Update has to fail without a fault, with this reason.
    UpdateThatFails(Value, &'static str),
    /// The Create has to fail without a fault, with this reason.
    CreateThatFails(Value, &'static str),
    /// Another resource of the stack fails so many seconds after the Create began: its Delete
    /// comes while it runs.
    CreateCancelled(Value, u64),
    /// A push to the branch.
    Push(&'static str),
    Delete,
}

/// A history of one resource.
#[derive(Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub setup: fn(&FakeAws),
    pub events: Vec<Event>,
    pub delivers_twice: bool,
    /// Repositories that outlive it.
    pub retained: &'static [&'static str],
    /// Child stacks at once: two while one replaces the other.
    pub stacks: usize,
}

/// The result of a scenario.
pub struct Played {
    pub fake: FakeAws,
    pub answers: Vec<Option<RequestOutcome>>,
}

impl Scenario {
    /// Runs the scenario in a new fake AWS with these faults, checks every invariant, deletes the
    /// rest like the end of the stack, and checks that nothing remains.
    pub async fn play(&self, options: Options, faults: &[SingleFault]) -> Played {
        let fake = fake(options.clone());
        (self.setup)(&fake);
        watch(&fake, self.stacks, self.retained);
        for fault in faults {
            fault.inject(&fake);
        }
        let mut stack = stack(&fake);
        stack.delivers_twice = self.delivers_twice;
        let mut answers = vec![];
        let mut commits = vec![];
        for (index, event) in self.events.iter().enumerate() {
            let answer = self.happen(index, event, &mut stack, &mut commits).await;
            if faults.is_empty() {
                reason_of(event, answer.as_ref());
            }
            self.check(&fake, &stack, &commits, &options, event);
            answers.push(answer);
        }
        if stack.resource.is_some() {
            stack.delete().await.assert_success();
        }
        fake.assert_holds(|aws| nothing_remains(aws, self.retained));
        for name in self.retained {
            let is_there = fake.look(|aws| aws.codecommit.repositories.contains_key(*name));
            assert!(is_there || !was_made(&fake, name), "{name} is gone");
        }
        answers_are_sound(&fake);
        fake.assert_unbroken();
        Played { fake, answers }
    }

    async fn happen(
        &self,
        index: usize,
        event: &Event,
        stack: &mut ParentStack,
        commits: &mut Vec<&'static str>,
    ) -> Option<RequestOutcome> {
        Some(match event {
            Event::Create(properties) => {
                let answer = stack.create(properties).await;
                if let RequestOutcome::Success { attributes, .. } = &answer {
                    attributes_are_true(&stack.fake, properties, attributes);
                }
                answer
            }
            Event::CreateThatFails(properties, _) => {
                let answer = stack.create(properties).await;
                assert!(!answer.is_success(), "{answer:?}");
                answer
            }
            Event::CreateCancelled(properties, after) => {
                let create = stack.request("Create", None, properties, None);
                let creating = deliver_beside(&stack.fake, &create);
                tokio::time::sleep(Duration::from_secs(*after)).await;
                stack.delete_id(INVENTED_ID, properties).await;
                // Deliveries of the Create that still run or are repeated.
                creating.await;
                return None;
            }
            // A resource that was not created because of the fault cannot be updated.
            _ if stack.resource.is_none() => return None,
            Event::Update(properties) => {
                let answer = stack.update(properties, None).await;
                if let RequestOutcome::Success { attributes, .. } = &answer {
                    attributes_are_true(&stack.fake, properties, attributes);
                }
                answer
            }
            Event::UpdateRolledBack(properties, how) => stack.update(properties, Some(*how)).await,
            Event::UpdateThatFails(properties, _) => {
                let answer = stack.update(properties, None).await;
                assert!(!answer.is_success(), "{answer:?}");
                answer
            }
            Event::Push(commit) => {
                let properties = &stack.resource.as_ref()?.1;
                let name = format!("{}-Push", index + 1);
                push_to(&stack.fake, properties, commit, &name).await;
                commits.push(*commit);
                return None;
            }
            Event::Delete => stack.delete().await,
        })
    }

    /// After every event: only the resources that CloudFormation has stored exist.
    fn check(
        &self,
        fake: &FakeAws,
        stack: &ParentStack,
        commits: &[&'static str],
        options: &Options,
        event: &Event,
    ) {
        let Some((_, properties)) = &stack.resource else {
            let left = fake.look(|aws| nothing_remains(aws, self.retained));
            return left.unwrap_or_else(|left| panic!("{event:?}: {left}"));
        };
        let expected = self.expected(properties, commits, options);
        let now = fake.look(shape);
        assert!(
            now == *expected,
            "after {event:?}: {}",
            difference(&now, &expected)
        );
        // Every commit that was pushed since is run, and once.
        let runs = fake.look(|aws| runs(aws, PIPELINE));
        for commit in commits.iter().filter(|_| properties["ProjectID"] == "shop") {
            assert_eq!(runs.get(*commit), Some(&1), "{commit} {runs:?}");
        }
    }

    /// The resources if this had been created at once and nothing had failed.
    fn expected(
        &self,
        properties: &Value,
        commits: &[&'static str],
        options: &Options,
    ) -> Rc<Value> {
        let key = format!("{} {properties} {commits:?} {options:?}", self.name);
        if let Some(known) = EXPECTED.with_borrow(|known| known.get(&key).cloned()) {
            return known;
        }
        // On a thread of its own: its time and its random choices are none of this scenario's, and
        // no mutant is there.
        let fresh = std::thread::scope(|scope| {
            let run = || paused(created_at_once(self.setup, properties, commits, options));
            scope.spawn(run).join().expect("a scenario without faults")
        });
        let expected = Rc::new(fresh);
        EXPECTED.with_borrow_mut(|known| known.insert(key, Rc::clone(&expected)));
        expected
    }
}

async fn created_at_once(
    setup: fn(&FakeAws),
    properties: &Value,
    commits: &[&'static str],
    options: &Options,
) -> Value {
    let fake = fake(options.clone());
    setup(&fake);
    fake.change(|aws| aws.stacks.failing.clear());
    stack(&fake).create(properties).await.assert_success();
    for (index, commit) in commits.iter().enumerate() {
        let name = format!("{index}-expected");
        push_to(&fake, properties, commit, &name).await;
    }
    fake.look(shape)
}

/// Without a fault a failure names its cause.
fn reason_of(event: &Event, answer: Option<&RequestOutcome>) {
    let expected = match event {
        Event::CreateThatFails(_, expected) | Event::UpdateThatFails(_, expected) => *expected,
        Event::Create(_) | Event::Update(_) | Event::Delete | Event::UpdateRolledBack(..) => {
            let succeeded = answer.is_some_and(RequestOutcome::is_success);
            assert!(succeeded, "{event:?}: {answer:?}");
            return;
        }
        _ => return,
    };
    let reason = answer.map(RequestOutcome::reason).unwrap_or_default();
    assert!(
        reason.contains(expected),
        "{expected:?} is missing: {reason}"
    );
}

/// The attributes are those of the existing resources.
fn attributes_are_true(fake: &FakeAws, properties: &Value, attributes: &Value) {
    let repository = repository_of(properties);
    let project = properties["ProjectID"].as_str().expect("a project");
    let expected = fake.look(|aws| {
        let stack = aws.stacks.named(&format!("gitops-dev-{project}"));
        let clone_url = fake_aws::codecommit::clone_url(&repository);
        let pipeline = format!("codepipeline-dev-cfn-{project}");
        let source = if properties["Source"]["RoleArn"].is_null() {
            aws.codecommit.repositories.get(&repository)
        } else {
            aws.other_account.repositories.get(&repository)
        };
        json!({
            "StackId": stack.map(|stack| stack.id.clone()),
            "RepositoryName": repository,
            "RepositoryArn": source.map(|one| one.arn.clone()),
            "CloneUrlHttp": clone_url,
            "BranchName": BRANCH,
            "PipelineName": pipeline,
            "PipelineArn": format!("arn:aws:codepipeline:eu-central-1:123456789012:{pipeline}"),
            "BuildProjectName": format!("codebuild-dev-cfn-{project}"),
            "EventRuleName": format!("event-rule-dev-codepipeline-exec-cfn-{project}"),
            "ConsoleUrl": format!(
                "https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/{pipeline}/view?region=eu-central-1"
            ),
        })
    });
    assert_eq!(
        *attributes,
        expected,
        "{}",
        difference(attributes, &expected)
    );
}

fn was_made(fake: &FakeAws, repository: &str) -> bool {
    fake.look(|aws| {
        let stacks = aws.stacks.all.values();
        stacks
            .flat_map(|stack| stack.events.clone())
            .any(|event| event.physical_id == repository && event.status == "CREATE_COMPLETE")
    })
}
