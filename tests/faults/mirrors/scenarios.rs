//! The stories of `tests/scenarios` that faults are tried on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::by_hand::take_created;
use crate::changes;
use crate::checks::{self, Pair, Watch};
use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, OTHER_USER, PROJECT, REPOSITORY, check_health, fake, mirror,
    properties, rotation, stack, with,
};
use fake_aws::schedules::SingleFault;
use fake_aws::{AwsState, FakeAws, Options};
use test_support::custom_resource::{ParentStack, RequestOutcome, answers_are_sound};
use test_support::scenarios::{Action, Effects, Expectation, Step, Story, stories_of_resource};
use test_support::{Rotated, Rotation};

/// The records on the user of a resource at rest.
const RECORDS: [&str; 4] = [
    "cfn-gitops:ended-attempt",
    "cfn-gitops:logical-id",
    "cfn-gitops:secret-name",
    "cfn-gitops:stack-id",
];

/// A story, and how its requests are delivered.
#[derive(Clone)]
// Each is a question of its own.
#[allow(clippy::struct_excessive_bools)]
pub struct Scenario {
    pub story: Story,
    /// Every request and every step is repeated after it succeeded.
    pub delivers_twice: bool,
    /// Copies of all requests so far arrive after each request has ended.
    pub repeats_late: bool,
    /// A request may fail without a fault.
    pub may_fail: bool,
    /// A request may also succeed that fails in the story.
    pub may_differ: bool,
    /// How often a killed step of a rotation is delivered.
    pub step_deliveries: u32,
}

/// A scenario that is being played.
// Each is a question of its own.
#[allow(clippy::struct_excessive_bools)]
struct Play {
    fake: FakeAws,
    stack: ParentStack,
    rotation: Rotation,
    watch: Watch,
    /// Whether a request may fail, although it succeeds in the story.
    may_fail: bool,
    may_differ: bool,
    repeats_late: bool,
    /// Whether a request deletes the credentials of others.
    deletes_foreign: bool,
    /// Neither a fault nor another day: every figure is that of the story.
    is_plain: bool,
    are_tags_late: bool,
    /// Every step so far ended as in the story.
    is_as_expected: bool,
    after_rotation: bool,
    /// A person has broken it, and no Update has corrected it yet.
    is_broken: bool,
    foreign: Vec<String>,
}

impl Scenario {
    pub fn of(story: Story) -> Self {
        let step_deliveries = story.world.get("step_deliveries").and_then(Value::as_u64);
        Scenario {
            delivers_twice: false,
            repeats_late: false,
            may_fail: false,
            may_differ: false,
            step_deliveries: step_deliveries.map_or(3, |number| number.try_into().expect("few")),
            story,
        }
    }

    /// Runs the scenario in a new fake AWS with these faults, checks every invariant, deletes the
    /// rest like the end of the stack, and checks that nothing remains.
    pub async fn play(&self, options: Options, faults: &[SingleFault]) -> FakeAws {
        let is_default = format!("{options:?}") == format!("{:?}", Options::default());
        let options = self.story.options(options);
        // Requests of CloudFormation and steps of a rotation are further apart than that: AWS's
        // own rotation template relies on it.
        let late = options.secrets_late;
        let are_tags_late = !options.tags_late.is_zero();
        let fake = fake(options);
        for given in &self.story.given {
            changes::apply(&fake, given);
            // IAM's lists show it by then.
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        let mut play = Play {
            stack: stack(&fake),
            rotation: rotation(&fake),
            watch: Watch::begin(&fake),
            may_fail: self.may_fail || self.may_differ || !faults.is_empty(),
            may_differ: self.may_differ,
            repeats_late: self.repeats_late,
            deletes_foreign: self.story.sets("ForeignCredentials", "Delete"),
            is_plain: faults.is_empty()
                && is_default
                && !(self.delivers_twice || self.repeats_late || self.may_fail),
            are_tags_late,
            is_as_expected: true,
            after_rotation: false,
            is_broken: false,
            foreign: fake.look(checks::foreign),
            fake: fake.clone(),
        };
        for fault in faults {
            fault.inject(&fake);
        }
        play.stack.delivers_twice = self.delivers_twice;
        play.stack.is_shown = !self.repeats_late;
        play.rotation.delivers_twice = self.delivers_twice;
        play.rotation.deliveries = self.step_deliveries;
        play.stack.pause = late;
        play.rotation.pause = late;
        for step in &self.story.steps {
            tokio::time::sleep(late).await;
            play.happen(step).await;
            play.check(&format!("{step:?}"));
        }
        if play.stack.resource.is_some() {
            tokio::time::sleep(late).await;
            play.happen(&Action::Delete.into()).await;
        }
        play.check("the end");
        answers_are_sound(&fake);
        play.assert_foreign_kept(true);
        fake.assert_unbroken();
        fake
    }
}

impl Play {
    /// The mirrors of the stored properties.
    fn pairs(&self) -> Vec<Pair> {
        let resource = self.stack.resource.as_ref();
        resource.map_or_else(Vec::new, |(_, properties)| checks::pairs(properties))
    }

    /// From now on, the login and these mirrors have to work.
    fn watch(&self, pairs: Vec<Pair>) {
        match &self.stack.resource {
            Some((secret, _)) if !self.is_broken => self.watch.expect_of(secret, pairs),
            _ => self.watch.expect_nothing(),
        }
    }

    async fn happen(&mut self, step: &Step) {
        let Step { action, effects } = step;
        // A resource that was not created because of the fault cannot be updated or rotated.
        let needs_it = !matches!(
            action,
            Action::Create(_) | Action::Wait(_) | Action::Expect(_)
        );
        if needs_it && self.stack.resource.is_none() {
            return;
        }
        if let Some((secret, _)) = &self.stack.resource {
            self.rotation.secret.clone_from(secret);
        }
        let (began, length) = (self.fake.now(), self.fake.journal().len());
        match action {
            Action::Create(properties) => {
                let outcome = self.stack.create(properties).await;
                self.ended(effects, &outcome, properties);
            }
            Action::Update(properties) => {
                self.watch_during_update(properties, effects);
                let outcome = self.stack.update(properties, effects.rolled_back).await;
                self.ended(effects, &outcome, properties);
                self.after_rotation = false;
            }
            Action::Schedule => {
                let issued = || self.fake.count("CreateServiceSpecificCredential");
                let before = issued();
                let attached = self.rotation.attach_schedule(30, false).await;
                assert_eq!(issued(), before, "trying a schedule issues nothing");
                let is_attached = attached == Rotated::Finished;
                assert!(self.may_fail || is_attached, "{attached:?}");
            }
            Action::Rotate => self.rotate(effects).await,
            Action::Delete => {
                self.watch.expect_nothing();
                self.stack.delete().await.assert_success();
            }
            Action::ByHand(change) => return self.change(change).await,
            Action::Push(push) => {
                let branch = push.branch.as_deref().unwrap_or("main");
                self.fake.push_to_gitlab(PROJECT, branch, &push.commit);
                // Until GitLab has run the mirrors.
                tokio::time::sleep(Duration::from_mins(10)).await;
                return;
            }
            Action::Wait(time) => return tokio::time::sleep(*time).await,
            Action::Expect(expected) => return self.expect(expected),
        }
        if self.is_plain {
            effects.check_figures(&self.fake, began, length);
        }
        // A request that was rejected corrects nothing.
        self.is_broken &= !effects.fails.is_empty();
        self.watch(self.pairs());
        // The former credential that a rotation leaves is deleted by the next request.
        let is_of_stack = !matches!(action, Action::Schedule | Action::Rotate);
        if self.repeats_late && is_of_stack && !self.is_broken {
            let of = |aws: &AwsState| checks::resources(aws, self.are_tags_late);
            let state = || self.fake.look(of);
            self.stack.assert_late_copies_change_nothing(&[], state).await;
        }
    }

    fn ended(&mut self, effects: &Effects, outcome: &RequestOutcome, properties: &Value) {
        self.is_as_expected &= if self.may_differ {
            outcome.is_success() == effects.fails.is_empty()
        } else {
            effects.check(outcome, self.may_fail, self.may_fail)
        };
        if let (RequestOutcome::Success { id, attributes, .. }, None) =
            (outcome, effects.rolled_back)
        {
            let expected = self.fake.look(|aws| checks::attributes(aws, properties));
            for (name, value) in expected.as_object().expect("attributes") {
                assert_eq!(attributes[name], *value, "{name}");
            }
            assert_eq!(*id, checks::secret(properties));
        }
    }

    async fn change(&mut self, change: &Value) {
        // Several projects do not change at one instant.
        self.watch.expect_nothing();
        self.assert_foreign_kept(false);
        self.is_broken |= changes::apply(&self.fake, change);
        if !self.is_broken {
            self.watch(self.pairs());
        }
        self.foreign = self.fake.look(checks::foreign);
        // IAM's lists show it by then.
        tokio::time::sleep(Duration::from_mins(1)).await;
    }

    /// Asserts that foreign resources are unchanged. With `ForeignCredentials: Delete`, at the end
    /// only a credential that another person created after the Delete is left.
    fn assert_foreign_kept(&self, at_the_end: bool) {
        let created = take_created();
        if !self.deletes_foreign {
            let now = self.fake.look(checks::foreign);
            let mut expected = self.foreign.clone();
            expected.extend(created.map(|created| format!("{:?}", created.credential)));
            expected.sort();
            assert_eq!(now, expected, "what is not ours changed");
        } else if at_the_end {
            let later = created.filter(|created| created.after_the_delete);
            let later = later.map(|created| created.credential);
            let of = |aws: &AwsState| checks::foreign_credentials(aws).collect();
            let mut left: Vec<_> = self.fake.look(of);
            left.retain(|one| later.as_ref() != Some(one));
            assert!(left.is_empty(), "foreign credentials are left: {left:?}");
        }
    }

    fn expect(&self, expected: &Expectation) {
        assert!(expected.executions.is_none(), "of a pipeline: {expected:?}");
        if !self.is_as_expected {
            return;
        }
        let aws = &self.fake.snapshot();
        if let Some(names) = &expected.repository {
            let branches = &aws.codecommit.repositories[REPOSITORY].branches;
            assert_eq!(&branches.keys().cloned().collect::<Vec<_>>(), names);
        }
        if let Some(number) = expected.mirrors {
            let mirrors = checks::mirrors_to_account_for(aws);
            assert_eq!(mirrors.len(), number, "{mirrors:?}");
        }
        if let Some(number) = expected.credentials {
            let mut held = checks::ours(aws);
            held.retain(|credential| credential.active);
            assert_eq!(held.len(), number, "{held:?}");
        }
        for (operation, number) in expected.calls.iter().filter(|_| self.is_plain) {
            assert_eq!(self.fake.count(operation), *number, "{operation}");
        }
    }

    /// The pairs in the properties before and after an Update work throughout. The secret of a
    /// resource that is replaced is deleted.
    fn watch_during_update(&self, next: &Value, effects: &Effects) {
        let (id, _) = self.stack.resource.as_ref().expect("a resource");
        if *id != checks::secret(next) && effects.rolled_back.is_none() {
            return self.watch.expect_nothing();
        }
        let next = checks::pairs(next);
        let mut common = self.pairs();
        common.retain(|pair| next.contains(pair));
        self.watch(common);
    }

    /// A rotation that a fault stopped is pending or has ended, and succeeds the next time that it
    /// is due. If a step was killed, and no retry followed, an update of the stack comes between.
    async fn rotate(&mut self, effects: &Effects) {
        // It runs days after the events before: IAM shows their effect by then.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let rotated = self.rotation.rotate().await;
        let has_to_fail = !effects.fails.is_empty();
        let is_as_expected = (rotated == Rotated::Finished) != has_to_fail;
        assert!(self.may_fail || is_as_expected, "{rotated:?}");
        self.is_as_expected &= is_as_expected;
        if has_to_fail && let Rotated::Failed { reason, .. } = &rotated {
            let has_texts = effects.fails.iter().all(|text| reason.contains(text));
            assert!(self.may_fail || has_texts, "{reason}");
            return;
        }
        self.after_rotation = true;
        match rotated {
            Rotated::Finished => return,
            Rotated::Died(_) => {
                self.rotation.cancel().expect("a secret");
                let (_, properties) = self.stack.resource.clone().expect("a resource");
                self.stack.update(&properties, None).await.assert_success();
                // A version that the rotation has only named may still be waited for.
                tokio::time::sleep(Duration::from_mins(90)).await;
                check_health(&self.fake).await;
            }
            Rotated::Failed { .. } => {}
            Rotated::Refused(refusal) => panic!("{refusal}"),
        }
        if self.rotation.is_pending() {
            let (_, properties) = self.stack.resource.as_ref().expect("a resource");
            self.fake
                .assert_holds_in("while pending", |aws| checks::pending(aws, properties));
        } else {
            self.check("a rotation that failed");
        }
        let again = self.rotation.come_due().await;
        assert_eq!(again, Rotated::Finished);
    }

    fn check(&self, context: &str) {
        let held = match &self.stack.resource {
            None => self.fake.look(checks::nothing_remains),
            Some(_) if self.is_broken => Ok(()),
            Some((_, properties)) => self.fake.look(|aws| {
                if !self.may_fail && !self.stack.delivers_twice {
                    assert_eq!(checks::records(aws, checks::user(properties)), RECORDS);
                }
                checks::at_rest(aws, properties, self.after_rotation)
            }),
        };
        if let Err(broken) = held {
            panic!("after {context}: {broken}");
        }
    }
}

/// The stories: a template's variants, rotation between its updates, and the rollback of each.
pub fn scenarios() -> Vec<Scenario> {
    let stories = stories_of_resource("mirrors_", &properties(), translate).into_iter();
    stories.map(Scenario::of).collect()
}

/// The story of this name.
pub fn scenario_called(name: &str) -> Scenario {
    let scenario = scenarios().into_iter().find(|known| known.story.name == name);
    scenario.unwrap_or_else(|| panic!("no story is called {name}"))
}

/// Replaces the names of a story by those of this account.
fn translate(properties: &mut Value) {
    let names = properties.get_mut("RepositoryNames");
    for name in names.and_then(Value::as_array_mut).into_iter().flatten() {
        *name = json!(names_of(name.as_str().expect("a name")).1);
    }
    if properties["UserName"] == "another" {
        properties["UserName"] = json!(OTHER_USER);
    }
    let mirrors = properties.get_mut("Mirrors");
    for one in mirrors.and_then(Value::as_array_mut).into_iter().flatten() {
        let given = match one.take() {
            Value::String(project) => json!({"GitLabProject": project}),
            given => given,
        };
        let project = given["GitLabProject"].as_str().unwrap_or("infra");
        let repository = given["RepositoryName"].as_str().unwrap_or(project);
        let (project, _) = names_of(project);
        let (_, repository) = names_of(repository);
        let mut complete = mirror(project, repository);
        for (name, value) in given.as_object().expect("a mirror") {
            if name != "GitLabProject" && name != "RepositoryName" {
                complete = with(complete, name, value.clone());
            }
        }
        *one = complete;
    }
}

/// A project and its repository.
fn names_of(name: &str) -> (&str, &str) {
    match name {
        "infra" => (PROJECT, REPOSITORY),
        "network" => (OTHER_PROJECT, OTHER_REPOSITORY),
        other => (other, other),
    }
}
