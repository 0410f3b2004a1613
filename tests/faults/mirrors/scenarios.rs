//! The stories of `tests/scenarios` that faults are tried on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::changes;
use crate::checks::{self, Pair, Watch};
use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, PROJECT, REPOSITORY, THIRD_REPOSITORY, check_health, fake,
    mirror, properties, rotation, stack,
};
use fake_aws::schedules::SingleFault;
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::{ParentStack, RequestOutcome, answers_are_sound};
use test_support::scenarios::{Action, Effects, Expectation, Step, Story, stories};
use test_support::{Rotated, Rotation};

/// A story, and how its requests are delivered.
#[derive(Clone)]
pub struct Scenario {
    pub story: Story,
    /// Every request and every step is repeated after it succeeded.
    pub delivers_twice: bool,
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
    /// Whether something was broken on purpose.
    is_hurt: bool,
    /// Neither a fault nor another day: every figure is that of the story.
    is_plain: bool,
    /// Every step so far ended as in the story.
    is_as_told: bool,
    after_rotation: bool,
    /// A person has broken it, and no Update has corrected it yet.
    is_broken: bool,
    foreign: String,
}

impl Scenario {
    /// Runs the scenario in a new fake AWS with these faults, checks every invariant, deletes the
    /// rest like the end of the stack, and checks that nothing remains.
    pub async fn play(&self, options: Options, faults: &[SingleFault]) -> FakeAws {
        // Requests of CloudFormation and steps of a rotation are further apart than that: AWS's
        // own rotation template relies on it.
        let late = options.secrets_late;
        let is_default = format!("{options:?}") == format!("{:?}", Options::default());
        let fake = fake(self.story.options(options));
        for given in &self.story.given {
            changes::apply(&fake, given);
        }
        let mut play = Play {
            stack: stack(&fake),
            rotation: rotation(&fake),
            watch: Watch::begin(&fake),
            is_hurt: !faults.is_empty(),
            is_plain: faults.is_empty() && is_default && !self.delivers_twice,
            is_as_told: true,
            after_rotation: false,
            is_broken: false,
            foreign: fake.look(checks::foreign),
            fake: fake.clone(),
        };
        for fault in faults {
            fault.inject(&fake);
        }
        play.stack.delivers_twice = self.delivers_twice;
        play.rotation.delivers_twice = self.delivers_twice;
        play.rotation.deliveries = self.step_deliveries;
        play.rotation.pause = late;
        for step in &self.story.steps {
            tokio::time::sleep(late).await;
            play.happen(step).await;
            play.check(&format!("{step:?}"));
        }
        if play.stack.resource.is_some() {
            tokio::time::sleep(late).await;
            play.delete().await;
        }
        play.check("the end");
        answers_are_sound(&fake);
        play.assert_foreign_kept();
        fake.assert_unbroken();
        fake
    }
}

impl Play {
    fn asked(&self) -> Vec<Pair> {
        let resource = self.stack.resource.as_ref();
        resource.map_or_else(Vec::new, |(_, properties)| checks::pairs(properties))
    }

    async fn happen(&mut self, step: &Step) {
        let Step { action, effects } = step;
        // A resource that was not created because of the fault cannot be updated or rotated.
        let is_always_there = matches!(
            action,
            Action::Create(_) | Action::Wait(_) | Action::Expect(_)
        );
        if self.stack.resource.is_none() && !is_always_there {
            return;
        }
        let began = self.fake.now();
        match action {
            Action::Create(properties) => {
                let outcome = self.stack.create(properties).await;
                self.ended(effects, &outcome);
            }
            Action::Update(properties) => {
                self.only_common(properties);
                let outcome = self.stack.update(properties, effects.rolled_back).await;
                self.ended(effects, &outcome);
                self.after_rotation = false;
            }
            Action::Schedule => {
                let issued = || self.fake.count("CreateServiceSpecificCredential");
                let before = issued();
                let attached = self.rotation.attach_schedule(30, false).await;
                assert_eq!(issued(), before, "trying a schedule issues nothing");
                let is_attached = attached == Rotated::Finished;
                assert!(self.is_hurt || is_attached, "{attached:?}");
            }
            Action::Rotate => self.rotate(effects).await,
            Action::Delete => self.delete().await,
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
        if let Some(within) = effects.within.filter(|_| self.is_plain) {
            let took = self.fake.now().duration_since(began).expect("later");
            assert!(took <= within, "{step:?} took {took:?}");
        }
        // A request that was rejected corrects nothing.
        self.is_broken &= !effects.fails.is_empty();
        if self.stack.resource.is_some() && !self.is_broken {
            self.watch.expect(self.asked());
        }
    }

    fn ended(&mut self, effects: &Effects, outcome: &RequestOutcome) {
        self.is_as_told &= effects.check(outcome, self.is_hurt);
    }

    async fn delete(&mut self) {
        self.watch.expect_nothing();
        self.stack.delete().await.assert_success();
    }

    async fn change(&mut self, change: &Value) {
        // Several projects do not change at one instant.
        self.watch.expect_nothing();
        self.is_broken |= changes::breaks(change);
        self.assert_foreign_kept();
        changes::apply(&self.fake, change);
        if !self.is_broken {
            self.watch.expect(self.asked());
        }
        self.foreign = self.fake.look(checks::foreign);
        // IAM's lists show it by then.
        tokio::time::sleep(Duration::from_mins(1)).await;
    }

    fn assert_foreign_kept(&self) {
        let now = self.fake.look(checks::foreign);
        assert_eq!(now, self.foreign, "what is not ours changed");
    }

    fn expect(&self, expected: &Expectation) {
        if !self.is_as_told {
            return;
        }
        self.fake.look(|aws| {
            let branches: Vec<_> = aws.codecommit.repositories[REPOSITORY]
                .branches
                .keys()
                .collect();
            let repository = expected.repository.iter().flatten().collect::<Vec<_>>();
            assert!(
                expected.repository.is_none() || branches == repository,
                "{branches:?}"
            );
            let mirrors = checks::our_mirrors(aws);
            let number = expected.mirrors.unwrap_or(mirrors.len());
            assert_eq!(mirrors.len(), number, "{mirrors:?}");
            let held = checks::ours(aws);
            let active = held.iter().filter(|credential| credential.active).count();
            assert_eq!(active, expected.credentials.unwrap_or(active), "{held:?}");
        });
        for (operation, number) in expected.calls.iter().filter(|_| self.is_plain) {
            assert_eq!(self.fake.count(operation), *number, "{operation}");
        }
    }

    /// The pairs in the properties before and after an Update work throughout.
    fn only_common(&self, next: &Value) {
        let next = checks::pairs(next);
        let mut common = self.asked();
        common.retain(|pair| next.contains(pair));
        if !self.is_broken {
            self.watch.expect(common);
        }
    }

    /// A rotation that a fault stopped is pending or has ended, and succeeds the next time that it
    /// is due. If a step was killed, and no retry followed, an update of the stack comes between.
    async fn rotate(&mut self, effects: &Effects) {
        // It runs days after the events before: IAM shows their effect by then.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let rotated = self.rotation.rotate().await;
        let has_to_fail = !effects.fails.is_empty();
        let is_as_told = (rotated == Rotated::Finished) != has_to_fail;
        assert!(self.is_hurt || is_as_told, "{rotated:?}");
        self.is_as_told &= is_as_told;
        if has_to_fail && let Rotated::Failed { reason, .. } = &rotated {
            let says = effects.fails.iter().all(|text| reason.contains(text));
            assert!(self.is_hurt || says, "{reason}");
            return;
        }
        self.after_rotation = true;
        match rotated {
            Rotated::Finished => return,
            Rotated::Died(_) => {
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
            Some((_, properties)) => self
                .fake
                .look(|aws| checks::at_rest(aws, properties, self.after_rotation)),
        };
        if let Err(broken) = held {
            panic!("after {context}: {broken}");
        }
    }
}

/// The stories: a template's variants, rotation between its updates, and the rollback of each.
pub fn scenarios() -> Vec<Scenario> {
    let stories = stories("mirrors_", &properties(), translate);
    let scenario = |story: Story| Scenario {
        delivers_twice: false,
        step_deliveries: match &story.world.get("step_deliveries") {
            Some(number) => number.to_string().parse().expect("a number"),
            None => 3,
        },
        story,
    };
    stories.into_iter().map(scenario).collect()
}

/// Replaces the names of a story by those of this account.
fn translate(properties: &mut Value) {
    let mirrors = properties.get_mut("Mirrors");
    for one in mirrors.and_then(Value::as_array_mut).into_iter().flatten() {
        let given = match one.take() {
            Value::String(project) => json!({"GitLabProject": project}),
            given => given,
        };
        let project = given["GitLabProject"].as_str().unwrap_or("infra");
        let repository = given["RepositoryName"].as_str().unwrap_or(project);
        let mut complete = mirror(full_name(project), repository_of(repository));
        for (name, value) in given.as_object().expect("a mirror") {
            match (name.as_str(), value) {
                ("GitLabProject" | "RepositoryName", _) => {}
                (_, Value::Null) => drop(complete.as_object_mut().expect("one").remove(name)),
                _ => complete[name] = value.clone(),
            }
        }
        *one = complete;
    }
}

fn full_name(project: &str) -> &str {
    match project {
        "infra" => PROJECT,
        "network" => OTHER_PROJECT,
        other => other,
    }
}

fn repository_of(name: &str) -> &str {
    match name {
        "infra" => REPOSITORY,
        "network" => OTHER_REPOSITORY,
        "copy" => THIRD_REPOSITORY,
        other => other,
    }
}
