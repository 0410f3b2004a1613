//! The lives that faults are tried on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{self, Pair, Watch};
use crate::scene::{
    OTHER_PROJECT, OTHER_REPOSITORY, PROJECT, REPOSITORY, both, check_health, mirror, properties,
    rotation, serial, stack, with, world,
};
use fake_aws::custom_resource::{Answer, RollBack, Stack, answers_are_sound};
use fake_aws::{Fault, Options, Rotated, Rotation, World};

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Event {
    Create(Value),
    Update(Value),
    /// The Update succeeds, and then another resource of the stack fails.
    UpdateRolledBack(Value, RollBack),
    /// A schedule is attached, which tries `testSecret` alone.
    Attach,
    Rotate,
    Delete,
    /// Somebody changes something by hand; what works may break by it.
    ByHand(fn(&World)),
}

/// A history of one resource.
#[derive(Clone)]
pub struct Life {
    pub name: &'static str,
    pub setup: fn(&World),
    pub events: Vec<Event>,
    /// Every request and every step comes once more after it succeeded.
    pub delivers_twice: bool,
    /// How often a rotation's step is delivered that dies.
    pub step_deliveries: u32,
}

/// A life that is being played.
struct Play {
    world: World,
    stack: Stack,
    rotation: Rotation,
    watch: Watch,
    /// Whether something was broken on purpose.
    is_hurt: bool,
    after_rotation: bool,
    /// Somebody has broken it by hand, and no Update has healed it yet.
    is_broken: bool,
}

impl Life {
    /// Plays the life in a new world with these faults in it, checks every invariant, deletes what
    /// is left as the end of the stack would, and checks that nothing is.
    pub async fn play(&self, options: Options, faults: &[(String, Fault)]) -> World {
        // Requests of CloudFormation and steps of a rotation are further apart than that: AWS's
        // own rotation template relies on it.
        let late = options.secrets_late;
        let world = world(options);
        (self.setup)(&world);
        let foreign = world.look(checks::foreign);
        for (caller, fault) in faults {
            world.inject(caller, fault.clone());
        }
        let mut play = Play {
            stack: stack(&world),
            rotation: rotation(&world),
            watch: Watch::begin(&world),
            is_hurt: !faults.is_empty(),
            after_rotation: false,
            is_broken: false,
            world: world.clone(),
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
        answers_are_sound(&world);
        let now = world.look(checks::foreign);
        assert_eq!(now, foreign, "what is not ours changed\n{}", world.told());
        world.assert_unbroken();
        world
    }
}

impl Play {
    fn asked(&self) -> Vec<Pair> {
        let resource = self.stack.resource.as_ref();
        resource.map_or_else(Vec::new, |(_, properties)| checks::pairs(properties))
    }

    async fn happen(&mut self, event: &Event) {
        // What was never created, because of the fault, cannot be updated or rotated.
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
                let issued = || self.world.count("CreateServiceSpecificCredential");
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
                let answer = self.stack.delete().await;
                let told = self.world.told();
                assert!(answer.is_success(), "{answer:?}\n{told}");
            }
            Event::ByHand(change) => {
                self.watch.expect_nothing();
                change(&self.world);
                self.is_broken = true;
                return;
            }
        }
        self.is_broken = false;
        if self.stack.resource.is_some() {
            self.watch.expect(self.asked());
        }
    }

    fn succeeds(&self, event: &Event, answer: &Answer) {
        let told = || self.world.told();
        assert!(
            self.is_hurt || answer.is_success(),
            "{event:?} answered {answer:?}\n{}",
            told()
        );
    }

    /// What the properties before and after an Update ask for works throughout.
    fn only_common(&self, next: &Value) {
        let next = checks::pairs(next);
        let mut common = self.asked();
        common.retain(|pair| next.contains(pair));
        if !self.is_broken {
            self.watch.expect(common);
        }
    }

    /// A rotation that a fault stopped is pending or has ended, and succeeds the next time that it is
    /// due. If a step was killed for good, an update of the stack comes between.
    async fn rotate(&mut self) {
        // It comes days after whatever was before: IAM shows that by then.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let rotated = self.rotation.rotate().await;
        let told = || self.world.told();
        assert!(
            self.is_hurt || rotated == Rotated::Finished,
            "{rotated:?}\n{}",
            told()
        );
        self.after_rotation = true;
        match rotated {
            Rotated::Finished => return,
            Rotated::Died(_) => {
                let (_, properties) = self.stack.resource.clone().expect("a resource");
                let healed = self.stack.update(&properties, None).await;
                assert!(healed.is_success(), "{healed:?}\n{}", told());
                // A version that the rotation has only named may still be waited for.
                tokio::time::sleep(Duration::from_mins(90)).await;
                check_health(&self.world).await;
            }
            Rotated::Failed { .. } => {}
            Rotated::Refused(refusal) => panic!("{refusal}\n{}", told()),
        }
        if self.rotation.is_pending() {
            let (_, properties) = self.stack.resource.as_ref().expect("a resource");
            let held = self.world.look(|aws| checks::pending(aws, properties));
            held.unwrap_or_else(|broken| panic!("while pending: {broken}\n{}", told()));
        } else {
            self.check("a rotation that failed");
        }
        let again = self.rotation.come_due().await;
        assert_eq!(again, Rotated::Finished, "{}", told());
    }

    fn check(&self, context: &str) {
        let held = match &self.stack.resource {
            None => self.world.look(checks::nothing_left),
            Some(_) if context.starts_with("ByHand") => Ok(()),
            Some((_, properties)) => self
                .world
                .look(|aws| checks::at_rest(aws, properties, self.after_rotation)),
        };
        if let Err(broken) = held {
            panic!("after {context}: {broken}\n{}", self.world.told());
        }
    }
}

/// The lives: what a template can ask for, rotation between its updates, and the rollback of each.
pub fn lives() -> Vec<Life> {
    let life = |name, events| Life {
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
        life("create and delete", vec![create(), Event::Delete]),
        life("create with two projects", vec![Event::Create(both())]),
        life(
            "new password by the template",
            vec![create(), Event::Update(serial(&properties(), 2))],
        ),
        life(
            "new password rolled back",
            vec![create(), back(serial(&properties(), 2))],
        ),
        life(
            "mirrors added and taken away",
            vec![
                Event::Create(plain.clone()),
                Event::Update(both()),
                Event::Update(plain),
            ],
        ),
        life(
            "another project rolled back, then kept",
            vec![create(), back(moved.clone()), Event::Update(moved)],
        ),
        life(
            "settings changed and rolled back",
            vec![create(), back(of_all.clone()), Event::Update(of_all)],
        ),
        life(
            "schedule attached, then two rotations",
            vec![create(), Event::Attach, Event::Rotate, Event::Rotate],
        ),
        life(
            "rotation between updates",
            vec![
                create(),
                Event::Rotate,
                Event::Update(serial(&properties(), 2)),
                Event::Rotate,
                Event::Update(serial(&properties(), 2)),
            ],
        ),
        Life {
            step_deliveries: 1,
            ..life(
                "rotation whose steps come once",
                vec![Event::Create(both()), Event::Rotate],
            )
        },
        Life {
            setup: |world| {
                let url = fake_aws::codecommit::clone_url(REPOSITORY);
                world.handmade_mirror(PROJECT, &url, None, false);
            },
            ..life(
                "rotation beside a mirror that somebody made to the same repository",
                vec![create(), Event::Rotate],
            )
        },
    ]
}
