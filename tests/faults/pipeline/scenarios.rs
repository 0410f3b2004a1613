//! The stories of `tests/scenarios` for the fault schedules, and their invariants.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::changes;
use crate::checks::{
    answers_are_true_when_they_come, difference, nothing_remains, runs, shape, watch,
};
use crate::fixture::{
    BRANCH, PIPELINE, REPOSITORY, cross_account, deliver_each, events_of, fake, paused, properties,
    repository_of, stack,
};
use fake_aws::{AwsState, FakeAws, Options, Service};
use test_support::custom_resource::{
    INVENTED_ID, ParentStack, RequestOutcome, StackRequest, answers_are_sound, deliver_beside,
};
use test_support::runner::{Account, Play, account_after};
use test_support::scenarios::{
    Action, Effects, Expectation, Push, ResourceWord, Step, Story, stories_of_resource,
};
use test_support::worlds::Delivery;

thread_local! {
    /// The expectation after the events so far.
    static EXPECTED: RefCell<HashMap<String, Rc<Value>>> = RefCell::default();
}

/// After this time, a pipeline has read its source, unless its world has slow sources.
const SOURCE_IS_READ: Duration = Duration::from_secs(10);

/// The account of a story about a pipeline, and the stack that declares it.
pub struct Pipelines {
    play: Rc<Play<ResourceWord>>,
    stack: ParentStack,
    /// The pushed commits, and the changes of others.
    pushes: Vec<Push>,
    changed: Vec<Value>,
    /// The events of the pushes.
    events: Vec<StackRequest>,
}

impl Account for Pipelines {
    type Word = ResourceWord;

    const PREFIX: &'static str = "pipeline_";
    const SERVICES: &'static [Service] = &[
        Service::CloudFormation,
        Service::CodePipeline,
        Service::SecretsManager,
    ];
    const SPECIAL: u64 = 2;

    fn stories() -> Vec<Story> {
        stories_of_resource(Self::PREFIX, &properties(), translate)
    }

    async fn fake(options: Options) -> FakeAws {
        fake(options)
    }

    fn change(fake: &FakeAws, change: &Value) {
        changes::apply(fake, change);
    }

    fn begin(play: Rc<Play<ResourceWord>>) -> Self {
        let (fake, story, delivery) = (&play.fake, &play.story, play.place.delivery);
        assert!(!play.place.may_differ, "no setting changes {}", story.name);
        // Two at once while one replaces the other.
        let stacks: BTreeSet<String> =
            story.properties().map(|set| set["ProjectID"].to_string()).collect();
        watch(fake, stacks.len(), retained(story));
        if story.steps.iter().all(|step| step.effects.canceled_after.is_none()) {
            answers_are_true_when_they_come(fake);
        }
        let mut stack = stack(fake);
        stack.delivers_twice = delivery == Delivery::Twice;
        stack.is_shown = delivery != Delivery::LateCopies;
        Pipelines {
            stack,
            pushes: vec![],
            changed: story.given.clone(),
            events: vec![],
            play,
        }
    }

    async fn take(&mut self, at: usize, word: &ResourceWord, effects: &Effects) {
        let stack = &mut self.stack;
        let outcome = match word {
            ResourceWord::Create(properties) => match effects.canceled_after {
                Some(after) => {
                    let create = stack.request("Create", None, properties, None);
                    let creating = deliver_beside(&stack.fake, &create);
                    tokio::time::sleep(after).await;
                    stack.delete_id(INVENTED_ID, properties).await;
                    // Deliveries of the Create that still run or are repeated.
                    return creating.await;
                }
                None => stack.create(properties).await,
            },
            // A Create that failed as in the story.
            _ if stack.resource.is_none() => return,
            ResourceWord::Update(properties) => stack.update(properties, effects.rolled_back).await,
            ResourceWord::Push(push) => return self.push(push, &format!("{}-Push", at + 1)).await,
            ResourceWord::Delete => {
                // The repository is deleted too.
                self.pushes.clear();
                stack.delete().await
            }
            ResourceWord::Schedule | ResourceWord::Rotate => panic!("not of a pipeline: {word:?}"),
        };
        self.ended(word, effects, &outcome);
        if !self.pushes.is_empty() {
            tokio::time::sleep(SOURCE_IS_READ.max(self.source_takes())).await;
        }
    }

    async fn by_hand(&mut self, change: &Value) {
        changes::apply(&self.play.fake, change);
        self.changed.push(change.clone());
    }

    async fn expect(&mut self, _: usize, expected: &Expectation) {
        let others = (&expected.repository, expected.mirrors, expected.credentials);
        assert_eq!(others, (&None, None, None), "of mirrors");
        if let Some(executions) = &expected.executions {
            assert_eq!(&self.play.fake.look(|aws| runs(aws, PIPELINE)), executions);
        }
        self.play.assert_calls(&expected.calls);
    }

    /// Only the resources that CloudFormation has stored exist.
    async fn check(&mut self, step: &Step) {
        self.check_at_rest(step);
        // A late event of an older push may start a newer commit with the same files.
        let has_files = self.pushes.iter().any(|push| push.files.is_some());
        let is_of_aws = matches!(step.action, Action::Word(_));
        if self.play.place.delivery == Delivery::LateCopies && is_of_aws && !has_files {
            let of = |aws: &AwsState| format!("{} {:?}", shape(aws), runs(aws, PIPELINE));
            let (stack, state) = (&self.stack, || self.play.fake.look(of));
            let copies = stack.assert_late_copies_change_nothing(&self.events, state);
            copies.await;
        }
    }

    async fn end(&mut self) {
        let fake = &self.play.fake;
        for name in retained(&self.play.story) {
            let is_there = fake.look(|aws| aws.codecommit.repositories.contains_key(*name));
            assert!(is_there, "{name} is gone");
        }
        answers_are_sound(fake);
    }
}

/// Repositories that outlive the story.
fn retained(story: &Story) -> &'static [&'static str] {
    if story.retained.is_empty() {
        return &[];
    }
    assert_eq!(story.retained, ["shop"], "{}", story.name);
    &[REPOSITORY]
}

/// Replaces the names of a story by those of this account.
fn translate(properties: &mut Value) {
    if properties["Source"]["RepositoryName"] == "shop" {
        properties["Source"]["RepositoryName"] = json!(REPOSITORY);
    }
    if properties["Source"] == "another account" {
        let mut elsewhere = cross_account();
        properties["Source"] = elsewhere["Source"].take();
        let members = properties.as_object_mut().expect("properties");
        for name in ["ArtifactKeyArn", "ArtifactBucketName"] {
            // Unless the story sets it.
            members.entry(name).or_insert(elsewhere[name].take());
        }
    }
}

impl Pipelines {
    async fn push(&mut self, push: &Push, name: &str) {
        let fake = &self.play.fake;
        let (_, properties) = self.stack.resource.as_ref().expect("a resource");
        let events = push_events(fake, properties, push, name);
        deliver_each(fake, &events, self.stack.delivers_twice).await;
        self.pushes.push(push.clone());
        self.events.extend(events);
        // The next push would supersede this one.
        if self.source_takes() > SOURCE_IS_READ {
            tokio::time::sleep(self.source_takes()).await;
        }
    }

    fn source_takes(&self) -> Duration {
        self.play.fake.look(|aws| aws.options.source_takes)
    }

    fn ended(&self, word: &ResourceWord, effects: &Effects, outcome: &RequestOutcome) {
        effects.check(outcome, false, self.play.has_fault());
        let (ResourceWord::Create(properties) | ResourceWord::Update(properties)) = word else {
            return;
        };
        if let (ResourceWord::Create(_), RequestOutcome::Failed { id, .. }, true) =
            (word, outcome, self.play.is_plain)
        {
            let has_no_stack = self.play.fake.count("CreateStack") == 0;
            assert_eq!(id.starts_with("rejected/"), has_no_stack);
        }
        if let (RequestOutcome::Success { attributes, .. }, None) = (outcome, effects.rolled_back) {
            attributes_are_true(&self.play.fake, properties, attributes);
        }
    }

    fn check_at_rest(&self, step: &Step) {
        let Some((_, properties)) = &self.stack.resource else {
            let retained = retained(&self.play.story);
            let left = self.play.fake.look(|aws| nothing_remains(aws, retained));
            return left.unwrap_or_else(|left| panic!("{step:?}: {left}"));
        };
        let expected = self.expected(properties);
        let now = self.play.fake.look(shape);
        let difference = || difference(&now, &expected);
        assert!(now == *expected, "after {step:?}: {}", difference());
        // Every commit that was pushed since is run, and once.
        let runs = self.play.fake.look(|aws| runs(aws, PIPELINE));
        let each_runs =
            properties["ProjectID"] == "shop" && properties["Source"]["Paths"].is_null();
        for Push { commit, .. } in self.pushes.iter().filter(|_| each_runs) {
            assert_eq!(runs.get(commit), Some(&1), "{commit} {runs:?}");
        }
    }

    /// The resources if this had been created at once and nothing had failed.
    fn expected(&self, properties: &Value) -> Rc<Value> {
        let (changed, pushes) = (&self.changed, &self.pushes);
        let options = self.play.fake.look(|aws| aws.options.clone());
        let key = format!("{changed:?} {properties} {pushes:?} {options:?}");
        if let Some(known) = EXPECTED.with_borrow(|known| known.get(&key).cloned()) {
            return known;
        }
        // On a thread of its own: its time and its random choices are none of this scenario's, and
        // no defect is there.
        let fresh = std::thread::scope(|scope| {
            let run = || {
                paused(created_at_once(
                    changed,
                    properties,
                    pushes,
                    options.clone(),
                ))
            };
            scope.spawn(run).join().expect("a scenario without faults")
        });
        let expected = Rc::new(fresh);
        EXPECTED.with_borrow_mut(|known| known.insert(key, Rc::clone(&expected)));
        expected
    }
}

/// Pushes to the source of `properties`. Returns the events for the function.
fn push_events(fake: &FakeAws, properties: &Value, push: &Push, name: &str) -> Vec<StackRequest> {
    assert_eq!(push.branch, None, "a pipeline has one branch");
    let repository = repository_of(properties);
    let reactions = match &push.files {
        None if properties["Source"]["RepositoryArn"].is_null() => {
            fake.push(&repository, BRANCH, &push.commit)
        }
        None => fake.push_in_other_account(&repository, BRANCH, &push.commit),
        Some(files) => {
            let files = files.iter().map(|(path, text)| (&**path, &**text));
            fake.push_files(
                &repository,
                BRANCH,
                &push.commit,
                &files.collect::<Vec<_>>(),
            )
        }
    };
    events_of(fake, &reactions, name)
}

async fn created_at_once(
    changed: &[Value],
    properties: &Value,
    pushes: &[Push],
    options: Options,
) -> Value {
    let fake = account_after::<Pipelines>(options, changed).await;
    fake.change(|aws| aws.stacks.failing.clear());
    stack(&fake).create(properties).await.assert_success();
    for (index, push) in pushes.iter().enumerate() {
        let events = push_events(&fake, properties, push, &format!("{index}-expected"));
        deliver_each(&fake, &events, false).await;
    }
    fake.look(shape)
}

/// The attributes are those of the existing resources.
fn attributes_are_true(fake: &FakeAws, properties: &Value, attributes: &Value) {
    let repository = repository_of(properties);
    let project = properties["ProjectID"].as_str().expect("a project");
    let pipeline = format!("codepipeline-dev-cfn-{project}");
    let (stack_id, repository_arn) = fake.look(|aws| {
        let stack = aws.stacks.named(&format!("gitops-dev-{project}"));
        let source = if properties["Source"]["RoleArn"].is_null() {
            aws.codecommit.repositories.get(&repository)
        } else {
            aws.other_account.repositories.get(&repository)
        };
        (
            stack.map(|stack| stack.id.clone()),
            source.map(|one| one.arn.clone()),
        )
    });
    let expected = json!({
        "StackId": stack_id,
        "RepositoryName": repository,
        "RepositoryArn": repository_arn,
        "CloneUrlHttp": fake_aws::codecommit::clone_url(&repository),
        "BranchName": BRANCH,
        "PipelineName": pipeline,
        "PipelineArn": format!("arn:aws:codepipeline:eu-central-1:123456789012:{pipeline}"),
        "BuildProjectName": format!("codebuild-dev-cfn-{project}"),
        "EventRuleName": format!("event-rule-dev-codepipeline-exec-cfn-{project}"),
        "ConsoleUrl": format!(
            "https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/{pipeline}/view?region=eu-central-1"
        ),
    });
    assert_eq!(*attributes, expected);
}
