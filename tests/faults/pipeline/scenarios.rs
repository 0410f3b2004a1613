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
use fake_aws::schedules::SingleFault;
use fake_aws::{AwsState, FakeAws, Options};
use test_support::custom_resource::{
    INVENTED_ID, ParentStack, RequestOutcome, StackRequest, answers_are_sound, deliver_beside,
};
use test_support::scenarios::{
    Action, Effects, Expectation, Push, Step, Story, stories_of_resource,
};

thread_local! {
    /// The expectation after the events so far.
    static EXPECTED: RefCell<HashMap<String, Rc<Value>>> = RefCell::default();
}

/// After this time, a pipeline has read its source, unless its world has slow sources.
const SOURCE_IS_READ: Duration = Duration::from_secs(10);

/// A story, and how its requests are delivered.
#[derive(Clone)]
pub struct Scenario {
    pub story: Story,
    /// Every request and event is delivered again after it succeeded.
    pub delivers_twice: bool,
    /// Copies of all requests and events so far arrive after each request and push.
    pub repeats_late: bool,
    /// Repositories that outlive it.
    retained: &'static [&'static str],
    /// Child stacks at once: two while one replaces the other.
    stacks: usize,
}

/// A scenario that is being played.
struct Play<'a> {
    scenario: &'a Scenario,
    options: Options,
    fake: FakeAws,
    stack: ParentStack,
    /// The pushed commits, and the changes of others.
    pushes: Vec<Push>,
    changed: Vec<Value>,
    /// The events of the pushes.
    events: Vec<StackRequest>,
    /// Whether a fault was injected.
    has_fault: bool,
    /// Neither a fault nor another day: every figure is that of the story.
    is_plain: bool,
}

/// The scenarios: each kind of request, and the rollback of each.
pub fn scenarios() -> Vec<Scenario> {
    let stories = stories_of_resource("pipeline_", &properties(), translate);
    let scenario = |story: Story| {
        let requests = story.steps.iter().filter_map(|step| match &step.action {
            Action::Create(properties) | Action::Update(properties) => Some(properties),
            _ => None,
        });
        let ids: BTreeSet<String> =
            requests.map(|properties| properties["ProjectID"].to_string()).collect();
        Scenario {
            stacks: ids.len(),
            retained: if story.retained.is_empty() {
                &[]
            } else {
                assert_eq!(story.retained, ["shop"], "{}", story.name);
                &[REPOSITORY]
            },
            delivers_twice: false,
            repeats_late: false,
            story,
        }
    };
    stories.into_iter().map(scenario).collect()
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

impl Scenario {
    /// Runs the scenario in a new fake AWS with these faults, checks every invariant, deletes the
    /// rest like the end of the stack, and checks that nothing remains.
    pub async fn play(&self, options: Options, faults: &[SingleFault]) -> FakeAws {
        let is_default = format!("{options:?}") == format!("{:?}", Options::default());
        let options = self.story.options(options);
        let fake = fake_after(&self.story.given, &options).await;
        watch(&fake, self.stacks, self.retained);
        let is_canceled = |step: &Step| step.effects.canceled_after.is_some();
        if !self.story.steps.iter().any(is_canceled) {
            answers_are_true_when_they_come(&fake);
        }
        for fault in faults {
            fault.inject(&fake);
        }
        let mut play = Play {
            scenario: self,
            options,
            stack: stack(&fake),
            pushes: vec![],
            changed: self.story.given.clone(),
            events: vec![],
            has_fault: !faults.is_empty(),
            is_plain: faults.is_empty()
                && is_default
                && !(self.delivers_twice || self.repeats_late),
            fake: fake.clone(),
        };
        play.stack.delivers_twice = self.delivers_twice;
        play.stack.is_shown = !self.repeats_late;
        for (index, step) in self.story.steps.iter().enumerate() {
            play.happen(index, step).await;
            play.check(step);
            play.repeat_late(step).await;
        }
        if play.stack.resource.is_some() {
            play.stack.delete().await.assert_success();
        }
        fake.assert_holds(|aws| nothing_remains(aws, self.retained));
        for name in self.retained {
            let is_there = fake.look(|aws| aws.codecommit.repositories.contains_key(*name));
            assert!(is_there, "{name} is gone");
        }
        answers_are_sound(&fake);
        fake.assert_unbroken();
        fake
    }
}

impl Play<'_> {
    async fn happen(&mut self, index: usize, Step { action, effects }: &Step) {
        let stack = &mut self.stack;
        let (began, length) = (self.fake.now(), self.fake.journal().len());
        let outcome = match action {
            Action::ByHand(change) => {
                changes::apply(&self.fake, change);
                self.changed.push(change.clone());
                return;
            }
            Action::Create(properties) => match effects.canceled_after {
                Some(after) => {
                    let create = stack.request("Create", None, properties, None);
                    let creating = deliver_beside(&stack.fake, &create);
                    tokio::time::sleep(after).await;
                    stack.delete_id(INVENTED_ID, properties).await;
                    // Deliveries of the Create that still run or are repeated.
                    creating.await;
                    return;
                }
                None => stack.create(properties).await,
            },
            Action::Wait(time) => {
                tokio::time::sleep(*time).await;
                return;
            }
            Action::Expect(expected) => {
                self.expect(expected);
                return;
            }
            // A Create that failed as in the story.
            _ if stack.resource.is_none() => return,
            Action::Update(properties) => stack.update(properties, effects.rolled_back).await,
            Action::Push(push) => {
                let (_, properties) = stack.resource.as_ref().expect("a resource");
                let name = format!("{}-Push", index + 1);
                let events = push_events(&self.fake, properties, push, &name);
                deliver_each(&self.fake, &events, self.stack.delivers_twice).await;
                self.pushes.push(push.clone());
                self.events.extend(events);
                // The next push would supersede this one.
                if self.source_takes() > SOURCE_IS_READ {
                    tokio::time::sleep(self.source_takes()).await;
                }
                return;
            }
            Action::Delete => {
                // The repository is deleted too.
                self.pushes.clear();
                stack.delete().await
            }
            Action::Schedule | Action::Rotate => panic!("not of a pipeline: {action:?}"),
        };
        if self.is_plain {
            effects.check_figures(&self.fake, began, length);
        }
        self.ended(action, effects, &outcome);
        if !self.pushes.is_empty() {
            tokio::time::sleep(SOURCE_IS_READ.max(self.source_takes())).await;
        }
    }

    fn source_takes(&self) -> Duration {
        self.fake.look(|aws| aws.options.source_takes)
    }

    fn ended(&self, action: &Action, effects: &Effects, outcome: &RequestOutcome) {
        effects.check(outcome, false, self.has_fault);
        let (Action::Create(properties) | Action::Update(properties)) = action else {
            return;
        };
        if let (Action::Create(_), RequestOutcome::Failed { id, .. }, true) =
            (action, outcome, self.is_plain)
        {
            let has_no_stack = self.fake.count("CreateStack") == 0;
            assert_eq!(id.starts_with("rejected/"), has_no_stack);
        }
        if let (RequestOutcome::Success { attributes, .. }, None) = (outcome, effects.rolled_back) {
            attributes_are_true(&self.fake, properties, attributes);
        }
    }

    fn expect(&self, expected: &Expectation) {
        expected.assert_none_of_mirrors();
        if let Some(executions) = &expected.executions {
            assert_eq!(&self.fake.look(|aws| runs(aws, PIPELINE)), executions);
        }
        for (operation, number) in expected.calls.iter().filter(|_| self.is_plain) {
            assert_eq!(self.fake.count(operation), *number, "{operation}");
        }
    }

    async fn repeat_late(&self, Step { action, .. }: &Step) {
        use Action::{Create, Delete, Push, Update};
        let is_of_aws = matches!(action, Create(_) | Update(_) | Delete | Push(_));
        // A late event of an older push may start a newer commit with the same files.
        let has_files = self.pushes.iter().any(|push| push.files.is_some());
        if self.scenario.repeats_late && is_of_aws && !has_files {
            let of = |aws: &AwsState| format!("{} {:?}", shape(aws), runs(aws, PIPELINE));
            let (stack, state) = (&self.stack, || self.fake.look(of));
            let copies = stack.assert_late_copies_change_nothing(&self.events, state);
            copies.await;
        }
    }

    /// After every step: only the resources that CloudFormation has stored exist.
    fn check(&self, step: &Step) {
        let Some((_, properties)) = &self.stack.resource else {
            let retained = self.scenario.retained;
            let left = self.fake.look(|aws| nothing_remains(aws, retained));
            return left.unwrap_or_else(|left| panic!("{step:?}: {left}"));
        };
        let expected = self.expected(properties);
        let now = self.fake.look(shape);
        let difference = || difference(&now, &expected);
        assert!(now == *expected, "after {step:?}: {}", difference());
        // Every commit that was pushed since is run, and once.
        let runs = self.fake.look(|aws| runs(aws, PIPELINE));
        let each_runs =
            properties["ProjectID"] == "shop" && properties["Source"]["Paths"].is_null();
        for Push { commit, .. } in self.pushes.iter().filter(|_| each_runs) {
            assert_eq!(runs.get(commit), Some(&1), "{commit} {runs:?}");
        }
    }

    /// The resources if this had been created at once and nothing had failed.
    fn expected(&self, properties: &Value) -> Rc<Value> {
        let (changed, pushes, options) = (&self.changed, &self.pushes, &self.options);
        let key = format!("{changed:?} {properties} {pushes:?} {options:?}");
        if let Some(known) = EXPECTED.with_borrow(|known| known.get(&key).cloned()) {
            return known;
        }
        // On a thread of its own: its time and its random choices are none of this scenario's, and
        // no defect is there.
        let fresh = std::thread::scope(|scope| {
            let run = || paused(created_at_once(changed, properties, pushes, options));
            scope.spawn(run).join().expect("a scenario without faults")
        });
        let expected = Rc::new(fresh);
        EXPECTED.with_borrow_mut(|known| known.insert(key, Rc::clone(&expected)));
        expected
    }
}

/// The account a minute after these changes. By then, all services show them.
async fn fake_after(changes: &[Value], options: &Options) -> FakeAws {
    let fake = fake(options.clone());
    for change in changes {
        changes::apply(&fake, change);
    }
    if !changes.is_empty() {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    fake
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
    options: &Options,
) -> Value {
    let fake = fake_after(changed, options).await;
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
