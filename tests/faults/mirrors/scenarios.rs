//! The stories of `tests/scenarios` that faults are tried on.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::by_hand::take_created;
use crate::changes;
use crate::checks::{self, Pair, Watch};
use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, OTHER_USER, PROJECT, REPOSITORY, check_health, fake, mirror,
    properties, rotation, stack, with,
};
use fake_aws::{AwsState, FakeAws, Options, Service};
use test_support::custom_resource::{ParentStack, RequestOutcome, answers_are_sound};
use test_support::runner::{Account, Play};
use test_support::scenarios::{
    Effects, Expectation, ResourceWord, Step, Story, stories_of_resource,
};
use test_support::worlds::{Delivery, Place};
use test_support::{Rotated, Rotation};

/// The records on the user of a resource at rest.
const RECORDS: [&str; 4] = [
    "cfn-gitops:ended-attempt",
    "cfn-gitops:logical-id",
    "cfn-gitops:secret-name",
    "cfn-gitops:stack-id",
];

/// The account of a story about a credential, and the stack that declares it.
pub struct Mirrors {
    play: Rc<Play<ResourceWord>>,
    stack: ParentStack,
    rotation: Rotation,
    watch: Watch,
    /// Every step so far ended as in the story.
    is_as_expected: bool,
    after_rotation: bool,
    /// A person has broken it, and no Update has corrected it yet.
    is_broken: bool,
    foreign: Vec<String>,
}

impl Account for Mirrors {
    type Word = ResourceWord;

    const PREFIX: &'static str = "mirrors_";
    const SERVICES: &'static [Service] = &[Service::Iam, Service::SecretsManager, Service::GitLab];
    const SPECIAL: u64 = 5;

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
        let (fake, delivery) = (&play.fake, play.place.delivery);
        let (mut stack, mut rotation) = (stack(fake), rotation(fake));
        stack.delivers_twice = delivery == Delivery::Twice;
        stack.is_shown = delivery != Delivery::LateCopies;
        rotation.delivers_twice = stack.delivers_twice;
        let deliveries = play.story.world.get("step_deliveries").and_then(Value::as_u64);
        rotation.deliveries = deliveries.map_or(3, |number| number.try_into().expect("few"));
        // Requests of CloudFormation and steps of a rotation are further apart than that: AWS's
        // own rotation template relies on it.
        stack.pause = fake.look(|aws| aws.options.secrets_late);
        rotation.pause = stack.pause;
        Mirrors {
            stack,
            rotation,
            watch: Watch::begin(fake),
            is_as_expected: true,
            after_rotation: false,
            is_broken: false,
            foreign: fake.look(checks::foreign),
            play,
        }
    }

    async fn take(&mut self, _: usize, word: &ResourceWord, effects: &Effects) {
        // A resource that was not created because of the fault cannot be updated or rotated.
        if !matches!(word, ResourceWord::Create(_)) && self.stack.resource.is_none() {
            return;
        }
        tokio::time::sleep(self.stack.pause).await;
        if let Some((secret, _)) = &self.stack.resource {
            self.rotation.secret.clone_from(secret);
        }
        match word {
            ResourceWord::Create(properties) => {
                let outcome = self.stack.create(properties).await;
                self.ended(effects, &outcome, properties);
            }
            ResourceWord::Update(properties) => {
                self.watch_during_update(properties, effects);
                let outcome = self.stack.update(properties, effects.rolled_back).await;
                self.ended(effects, &outcome, properties);
                self.after_rotation = false;
            }
            ResourceWord::Schedule => self.schedule().await,
            ResourceWord::Rotate => self.rotate(effects).await,
            ResourceWord::Delete => {
                self.watch.expect_nothing();
                self.stack.delete().await.assert_success();
            }
            ResourceWord::Push(push) => {
                let branch = push.branch.as_deref().unwrap_or("main");
                self.play.fake.push_to_gitlab(PROJECT, branch, &push.commit);
                // Until GitLab has run the mirrors.
                return tokio::time::sleep(Duration::from_mins(10)).await;
            }
        }
        // A request that was rejected corrects nothing.
        self.is_broken &= !effects.fails.is_empty();
        self.watch(self.pairs());
        // The former credential that a rotation leaves is deleted by the next request.
        if !matches!(word, ResourceWord::Schedule | ResourceWord::Rotate) {
            self.repeat_late().await;
        }
    }

    async fn by_hand(&mut self, change: &Value) {
        // The change of a resource that was not created because of the fault.
        if self.stack.resource.is_none() {
            return;
        }
        // Several projects do not change at one instant.
        self.watch.expect_nothing();
        self.assert_foreign_kept(false);
        self.is_broken |= changes::apply(&self.play.fake, change);
        if !self.is_broken {
            self.watch(self.pairs());
        }
        self.foreign = self.play.fake.look(checks::foreign);
        // IAM's lists show it by then.
        tokio::time::sleep(Duration::from_mins(1)).await;
    }

    async fn expect(&mut self, _: usize, expected: &Expectation) {
        assert!(expected.executions.is_none(), "of a pipeline: {expected:?}");
        if !self.is_as_expected {
            return;
        }
        let aws = &self.play.fake.snapshot();
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
        self.play.assert_calls(&expected.calls);
    }

    async fn check(&mut self, step: &Step) {
        self.check_at_rest(&format!("{step:?}"));
    }

    async fn end(&mut self) {
        answers_are_sound(&self.play.fake);
        self.assert_foreign_kept(true);
    }
}

impl Mirrors {
    /// The mirrors of the stored properties.
    fn pairs(&self) -> Vec<Pair> {
        let resource = self.stack.resource.as_ref();
        resource.map_or_else(Vec::new, |(_, properties)| checks::pairs(properties))
    }

    /// Whether a request may fail, although it succeeds in the story.
    fn may_fail(&self) -> bool {
        let Place {
            may_fail,
            may_differ,
            ..
        } = self.play.place;
        may_fail || may_differ || self.play.has_fault()
    }

    /// From now on, the login and these mirrors have to work.
    fn watch(&self, pairs: Vec<Pair>) {
        match &self.stack.resource {
            Some((secret, _)) if !self.is_broken => self.watch.expect_of(secret, pairs),
            _ => self.watch.expect_nothing(),
        }
    }

    async fn schedule(&mut self) {
        let issued = || self.play.fake.count("CreateServiceSpecificCredential");
        let before = issued();
        let attached = self.rotation.attach_schedule(30, false).await;
        assert_eq!(issued(), before, "trying a schedule issues nothing");
        let is_attached = attached == Rotated::Finished;
        assert!(self.may_fail() || is_attached, "{attached:?}");
    }

    async fn repeat_late(&self) {
        if self.play.place.delivery == Delivery::LateCopies && !self.is_broken {
            let fake = &self.play.fake;
            let are_tags_late = fake.look(|aws| !aws.options.tags_late.is_zero());
            let of = |aws: &AwsState| checks::resources(aws, are_tags_late);
            let state = || fake.look(of);
            self.stack.assert_late_copies_change_nothing(&[], state).await;
        }
    }

    fn ended(&mut self, effects: &Effects, outcome: &RequestOutcome, properties: &Value) {
        self.is_as_expected &= if self.play.place.may_differ {
            outcome.is_success() == effects.fails.is_empty()
        } else {
            effects.check(outcome, self.may_fail(), self.may_fail())
        };
        if let (RequestOutcome::Success { id, attributes, .. }, None) =
            (outcome, effects.rolled_back)
        {
            let expected = self.play.fake.look(|aws| checks::attributes(aws, properties));
            for (name, value) in expected.as_object().expect("attributes") {
                assert_eq!(attributes[name], *value, "{name}");
            }
            assert_eq!(*id, checks::secret(properties));
        }
    }

    /// Asserts that foreign resources are unchanged. With `ForeignCredentials: Delete`, at the end
    /// only a credential that another person created after the Delete is left.
    fn assert_foreign_kept(&self, at_the_end: bool) {
        let created = take_created();
        let mut properties = self.play.story.properties();
        if !properties.any(|set| set["ForeignCredentials"] == "Delete") {
            let now = self.play.fake.look(checks::foreign);
            let mut expected = self.foreign.clone();
            expected.extend(created.map(|created| format!("{:?}", created.credential)));
            expected.sort();
            assert_eq!(now, expected, "what is not ours changed");
        } else if at_the_end {
            let later = created.filter(|created| created.after_the_delete);
            let later = later.map(|created| created.credential);
            let of = |aws: &AwsState| checks::foreign_credentials(aws).collect();
            let mut left: Vec<_> = self.play.fake.look(of);
            left.retain(|one| later.as_ref() != Some(one));
            assert!(left.is_empty(), "foreign credentials are left: {left:?}");
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
        assert!(self.may_fail() || is_as_expected, "{rotated:?}");
        self.is_as_expected &= is_as_expected;
        if has_to_fail && let Rotated::Failed { reason, .. } = &rotated {
            let has_texts = effects.fails.iter().all(|text| reason.contains(text));
            assert!(self.may_fail() || has_texts, "{reason}");
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
                check_health(&self.play.fake).await;
            }
            Rotated::Failed { .. } => {}
            Rotated::Refused(refusal) => panic!("{refusal}"),
        }
        if self.rotation.is_pending() {
            let (_, properties) = self.stack.resource.as_ref().expect("a resource");
            self.play
                .fake
                .assert_holds_in("while pending", |aws| checks::pending(aws, properties));
        } else {
            self.check_at_rest("a rotation that failed");
        }
        let again = self.rotation.come_due().await;
        assert_eq!(again, Rotated::Finished);
    }

    fn check_at_rest(&self, context: &str) {
        let held = match &self.stack.resource {
            None => self.play.fake.look(checks::nothing_remains),
            Some(_) if self.is_broken => Ok(()),
            Some((_, properties)) => self.play.fake.look(|aws| {
                if !self.may_fail() && !self.stack.delivers_twice {
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
