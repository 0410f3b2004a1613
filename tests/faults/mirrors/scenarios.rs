//! The scenarios that faults are tried on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{self, Pair, Watch};
use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, PROJECT, REPOSITORY, both, check_health, fake, mirror,
    properties, rotation, serial, stack, with,
};
use fake_aws::schedules::SingleFault;
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::{ParentStack, RequestOutcome, RollBack, answers_are_sound};
use test_support::{Rotated, Rotation};

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Event {
    Create(Value),
    Update(Value),
    /// The Update succeeds, and then another resource of the stack fails.
    UpdateRolledBack(Value, RollBack),
    /// A schedule is attached, which runs only `testSecret`.
    Attach,
    Rotate,
    Delete,
    /// A person changes something, which may break the mirrors.
    ByHand(fn(&FakeAws)),
}

/// A history of one resource.
#[derive(Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub setup: fn(&FakeAws),
    pub events: Vec<Event>,
    /// Every request and every step is repeated after it succeeded.
    pub delivers_twice: bool,
    /// How often a killed step of a rotation is delivered.
    pub step_deliveries: u32,
}

/// A scenario that is being played.
struct Play {
    fake: FakeAws,
    stack: ParentStack,
    rotation: Rotation,
    watch: Watch,
    /// Whether something was broken on purpose.
    is_hurt: bool,
    after_rotation: bool,
    /// A person has broken it, and no Update has corrected it yet.
    is_broken: bool,
}

impl Scenario {
    /// Runs the scenario in a new fake AWS with these faults, checks every invariant, deletes the
    /// rest like the end of the stack, and checks that nothing remains.
    pub async fn play(&self, options: Options, faults: &[SingleFault]) -> FakeAws {
        // Requests of CloudFormation and steps of a rotation are further apart than that: AWS's
        // own rotation template relies on it.
        let late = options.secrets_late;
        let fake = fake(options);
        (self.setup)(&fake);
        let foreign = fake.look(checks::foreign);
        for fault in faults {
            fault.inject(&fake);
        }
        let mut play = Play {
            stack: stack(&fake),
            rotation: rotation(&fake),
            watch: Watch::begin(&fake),
            is_hurt: !faults.is_empty(),
            after_rotation: false,
            is_broken: false,
            fake: fake.clone(),
        };
        play.stack.delivers_twice = self.delivers_twice;
        play.rotation.delivers_twice = self.delivers_twice;
        play.rotation.deliveries = self.step_deliveries;
        play.rotation.pause = late;
        for event in &self.events {
            tokio::time::sleep(late).await;
            play.happen(event).await;
            play.check(&format!("{event:?}"));
        }
        if play.stack.resource.is_some() {
            tokio::time::sleep(late).await;
            play.happen(&Event::Delete).await;
        }
        play.check("the end");
        answers_are_sound(&fake);
        let now = fake.look(checks::foreign);
        assert_eq!(now, foreign, "what is not ours changed");
        fake.assert_unbroken();
        fake
    }
}

impl Play {
    fn asked(&self) -> Vec<Pair> {
        let resource = self.stack.resource.as_ref();
        resource.map_or_else(Vec::new, |(_, properties)| checks::pairs(properties))
    }

    async fn happen(&mut self, event: &Event) {
        // A resource that was not created because of the fault cannot be updated or rotated.
        if self.stack.resource.is_none() && !matches!(event, Event::Create(_) | Event::ByHand(_)) {
            return;
        }
        match event {
            Event::Create(properties) => {
                let answer = self.stack.create(properties).await;
                self.succeeds(event, &answer);
            }
            Event::Update(properties) => {
                self.only_common(properties);
                let answer = self.stack.update(properties, None).await;
                self.succeeds(event, &answer);
                self.after_rotation = false;
            }
            Event::UpdateRolledBack(properties, how) => {
                self.only_common(properties);
                let answer = self.stack.update(properties, Some(*how)).await;
                self.succeeds(event, &answer);
                self.after_rotation = false;
            }
            Event::Attach => {
                let issued = || self.fake.count("CreateServiceSpecificCredential");
                let before = issued();
                let attached = self.rotation.attach_schedule(30, false).await;
                assert_eq!(issued(), before, "trying a schedule issues nothing");
                assert!(
                    self.is_hurt || attached == Rotated::Finished,
                    "{attached:?}"
                );
            }
            Event::Rotate => self.rotate().await,
            Event::Delete => {
                self.watch.expect_nothing();
                self.stack.delete().await.assert_success();
            }
            Event::ByHand(change) => {
                self.watch.expect_nothing();
                change(&self.fake);
                self.is_broken = true;
                return;
            }
        }
        self.is_broken = false;
        if self.stack.resource.is_some() {
            self.watch.expect(self.asked());
        }
    }

    fn succeeds(&self, event: &Event, answer: &RequestOutcome) {
        assert!(
            self.is_hurt || answer.is_success(),
            "{event:?} answered {answer:?}"
        );
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
    async fn rotate(&mut self) {
        // It runs days after the events before: IAM shows their effect by then.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let rotated = self.rotation.rotate().await;
        assert!(self.is_hurt || rotated == Rotated::Finished, "{rotated:?}");
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
            Some(_) if context.starts_with("ByHand") => Ok(()),
            Some((_, properties)) => self
                .fake
                .look(|aws| checks::at_rest(aws, properties, self.after_rotation)),
        };
        if let Err(broken) = held {
            panic!("after {context}: {broken}");
        }
    }
}

/// The scenarios: a template's variants, rotation between its updates, and the rollback of each.
pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name, events| Scenario {
        name,
        setup: |_| {},
        events,
        delivers_twice: false,
        step_deliveries: 3,
    };
    let create = || Event::Create(properties());
    let back = |properties| Event::UpdateRolledBack(properties, RollBack::UpdateBack);
    let plain = with(
        with(properties(), "GitLab", Value::Null),
        "Mirrors",
        Value::Null,
    );
    let moved = with(
        properties(),
        "Mirrors",
        json!([mirror(OTHER_PROJECT, OTHER_REPOSITORY)]),
    );
    let mut of_all = mirror(PROJECT, REPOSITORY);
    of_all["OnlyProtectedBranches"] = json!("false");
    of_all["KeepDivergentRefs"] = json!("true");
    let of_all = with(properties(), "Mirrors", json!([of_all]));
    vec![
        scenario("create and delete", vec![create(), Event::Delete]),
        scenario("create with two projects", vec![Event::Create(both())]),
        scenario(
            "new password by the template",
            vec![create(), Event::Update(serial(&properties(), 2))],
        ),
        scenario(
            "new password rolled back",
            vec![create(), back(serial(&properties(), 2))],
        ),
        scenario(
            "mirrors added and removed",
            vec![
                Event::Create(plain.clone()),
                Event::Update(both()),
                Event::Update(plain),
            ],
        ),
        scenario(
            "another project rolled back, then kept",
            vec![create(), back(moved.clone()), Event::Update(moved)],
        ),
        scenario(
            "settings changed and rolled back",
            vec![create(), back(of_all.clone()), Event::Update(of_all)],
        ),
        scenario(
            "schedule attached, then two rotations",
            vec![create(), Event::Attach, Event::Rotate, Event::Rotate],
        ),
        scenario(
            "rotation between updates",
            vec![
                create(),
                Event::Rotate,
                Event::Update(serial(&properties(), 2)),
                Event::Rotate,
                Event::Update(serial(&properties(), 2)),
            ],
        ),
        Scenario {
            step_deliveries: 1,
            ..scenario(
                "rotation whose steps come once",
                vec![Event::Create(both()), Event::Rotate],
            )
        },
        Scenario {
            setup: |fake| {
                let url = fake_aws::codecommit::clone_url(REPOSITORY);
                fake.manual_mirror(PROJECT, &url, None, false);
            },
            ..scenario(
                "rotation beside a manual mirror to the same repository",
                vec![create(), Event::Rotate],
            )
        },
    ]
}
