//! The scenarios for the fault schedules, and their invariants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::by_hand::take_created;
use crate::checks::{login, nothing_remains, one_live_login, stored_login_works};
use crate::cloudformation::{ParentStack, RequestOutcome, RollBack, stack};
use crate::{OTHER_USER, REPOSITORY, USER, fake, properties, with};
use fake_aws::schedules::SingleFault;
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::answers_are_sound;

/// One thing that happens to the stack.
#[derive(Clone, Debug)]
pub enum Event {
    Create(Value),
    Update(Value),
    /// The Update succeeds, and then another resource of the stack fails.
    UpdateRolledBack(Value, RollBack),
    /// The Update has to fail without a fault.
    UpdateThatFails(Value),
    /// The Create has to fail without a fault, with these parts in its reason.
    CreateThatFails(Value, &'static [&'static str]),
    Delete,
}

/// A history of one resource.
#[derive(Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub setup: fn(&FakeAws),
    pub events: Vec<Event>,
    pub delivers_twice: bool,
}

impl Scenario {
    /// Runs the scenario in a new fake AWS with these faults, checks every invariant, deletes the
    /// rest like the end of the stack, and checks that nothing remains.
    pub async fn play(&self, options: Options, faults: &[SingleFault]) -> FakeAws {
        let fake = fake(options);
        (self.setup)(&fake);
        let mut foreign = fake.look(foreign_credentials);
        for fault in faults {
            fault.inject(&fake);
        }
        let mut stack = stack(&fake);
        stack.delivers_twice = self.delivers_twice;
        // From the first SUCCESS until the Delete, the login in the secret works at every instant.
        let is_watched = Arc::new(AtomicBool::new(false));
        for event in &self.events {
            let answer = self.happen(event, &mut stack, &is_watched).await;
            check(&fake, &stack, &format!("{event:?} answered {answer:?}"));
            if let (Event::CreateThatFails(_, says), Some(answer), true) =
                (event, &answer, faults.is_empty())
            {
                answer.assert_reason(*says);
            }
        }
        is_watched.store(false, Ordering::SeqCst);
        if stack.resource.is_some() {
            stack.delete().await.assert_success();
        }
        fake.assert_holds(nothing_remains);
        if !self.deletes_foreign() {
            foreign.extend(take_created());
            foreign.sort_by(|one, other| one.id.cmp(&other.id));
            let now = fake.look(foreign_credentials);
            assert_eq!(now, foreign, "a foreign credential was touched");
        }
        answers_are_sound(&fake);
        fake.assert_unbroken();
        fake
    }

    pub fn deletes_foreign(&self) -> bool {
        format!("{:?}", self.events).contains(r#""ForeignCredentials": String("Delete")"#)
    }

    async fn happen(
        &self,
        event: &Event,
        stack: &mut ParentStack,
        is_watched: &Arc<AtomicBool>,
    ) -> Option<RequestOutcome> {
        let answer = match event {
            Event::Create(properties) => {
                let answer = stack.create(properties).await;
                if let Some((id, _)) = stack.resource.clone() {
                    attributes_are_true(&stack.fake, properties, &answer);
                    is_watched.store(true, Ordering::SeqCst);
                    let is_watched = Arc::clone(is_watched);
                    stack.fake.at_every_instant(move |aws| {
                        // A replaced secret goes when its successor works.
                        if is_watched.load(Ordering::SeqCst) && aws.secrets.contains_key(&id) {
                            stored_login_works(aws, &id)
                        } else {
                            Ok(())
                        }
                    });
                }
                answer
            }
            Event::CreateThatFails(properties, _) => {
                let answer = stack.create(properties).await;
                assert!(!answer.is_success(), "{answer:?}");
                answer
            }
            // A resource that was not created because of the fault cannot be updated.
            _ if stack.resource.is_none() => return None,
            Event::Update(properties) => {
                // The secret that is replaced is deleted in the cleanup phase.
                let is_replaced = properties["SecretName"]
                    != stack.resource.as_ref()?.1["SecretName"]
                    || (properties["SecretName"].is_null()
                        && properties["UserName"] != stack.resource.as_ref()?.1["UserName"]);
                if is_replaced {
                    is_watched.store(false, Ordering::SeqCst);
                }
                let answer = stack.update(properties, None).await;
                if answer.is_success() {
                    attributes_are_true(&stack.fake, properties, &answer);
                }
                answer
            }
            Event::UpdateRolledBack(properties, how) => stack.update(properties, Some(*how)).await,
            Event::UpdateThatFails(properties) => {
                let answer = stack.update(properties, None).await;
                assert!(!answer.is_success(), "{answer:?}");
                answer
            }
            Event::Delete => {
                is_watched.store(false, Ordering::SeqCst);
                stack.delete().await
            }
        };
        Some(answer)
    }
}

/// After every event: only the resources that CloudFormation has stored exist.
fn check(fake: &FakeAws, stack: &ParentStack, context: &str) {
    let held = match &stack.resource {
        Some((id, properties)) => {
            let user = properties["UserName"].as_str().expect("a user");
            fake.look(|aws| one_live_login(aws, id, user))
        }
        None => fake.look(nothing_remains),
    };
    if let Err(broken) = held {
        panic!("after {context}: {broken}");
    }
}

/// The attributes are those of the credential in the secret.
fn attributes_are_true(fake: &FakeAws, properties: &Value, answer: &RequestOutcome) {
    let RequestOutcome::Success { id, attributes, .. } = answer else {
        panic!("{answer:?}");
    };
    let user = properties["UserName"].as_str().expect("a user");
    let name = match properties["SecretName"].as_str() {
        Some(name) => name.to_owned(),
        None => format!("codecommit-mirror/{user}"),
    };
    assert_eq!(*id, name);
    assert_eq!(attributes["SecretName"], name);
    assert_eq!(attributes["UserName"], user);
    let arn = attributes["SecretArn"].as_str().expect("an ARN");
    assert!(arn.starts_with("arn:aws:secretsmanager:"), "{arn}");
    let (service_user, _, credential) = fake.look(|aws| login(aws, &name)).expect("a login");
    assert_eq!(attributes["ServiceUserName"], service_user);
    assert_eq!(attributes["ServiceSpecificCredentialId"], credential);
}

fn foreign_credentials(aws: &fake_aws::AwsState) -> Vec<fake_aws::iam::Credential> {
    let users = [USER, OTHER_USER];
    let all = users.into_iter().flat_map(|user| aws.credentials(user));
    let foreign = all.filter(|credential| credential.issued_by == crate::checks::ANOTHER_PERSON);
    let mut foreign: Vec<_> = foreign.collect();
    foreign.sort_by(|one, other| one.id.cmp(&other.id));
    foreign
}

/// The scenarios: each kind of request, and the rollback of each.
pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name, events| Scenario {
        name,
        setup: |_| {},
        events,
        delivers_twice: false,
    };
    let named = with(properties(), "SecretName", json!("codecommit-mirror/named"));
    let serial = |base: &Value| with(base.clone(), "RotationSerial", json!("2"));
    let renamed = with(
        properties(),
        "SecretName",
        json!("codecommit-mirror/renamed"),
    );
    let moved = with(named.clone(), "UserName", json!(OTHER_USER));
    let other_default = with(properties(), "UserName", json!(OTHER_USER));
    let bare = json!({"UserName": USER});
    let create = || Event::Create(properties());
    let create_named = || Event::Create(named.clone());
    let back = Event::UpdateRolledBack;
    vec![
        scenario("create and delete", vec![create(), Event::Delete]),
        scenario(
            "create and delete without repositories",
            vec![Event::Create(bare.clone()), Event::Delete],
        ),
        Scenario {
            setup: |fake| {
                fake.foreign_credential(OTHER_USER);
            },
            ..scenario(
                "scenario beside another user's credential",
                vec![create(), Event::Delete],
            )
        },
        scenario("no-op update", vec![create(), Event::Update(properties())]),
        scenario(
            "no-op update rolled back",
            vec![create(), back(properties(), RollBack::UpdateBack)],
        ),
        scenario(
            "rotation",
            vec![create(), Event::Update(serial(&properties()))],
        ),
        scenario(
            "rotation without repositories",
            vec![Event::Create(bare.clone()), Event::Update(serial(&bare))],
        ),
        scenario(
            "rotation rolled back",
            vec![create(), back(serial(&properties()), RollBack::UpdateBack)],
        ),
        scenario(
            "replacement by secret name",
            vec![create(), Event::Update(renamed.clone())],
        ),
        scenario(
            "replacement by secret name rolled back",
            vec![create(), back(renamed.clone(), RollBack::UpdateBack)],
        ),
        scenario(
            "replacement by secret name abandoned",
            vec![create(), back(renamed.clone(), RollBack::DeleteNewOnly)],
        ),
        scenario(
            "replacement by user name",
            vec![create(), Event::Update(other_default.clone())],
        ),
        scenario(
            "replacement by user name rolled back",
            vec![create(), back(other_default.clone(), RollBack::UpdateBack)],
        ),
        scenario(
            "replacement by user name abandoned",
            vec![create(), back(other_default, RollBack::DeleteNewOnly)],
        ),
        scenario(
            "user changed under the same secret name",
            vec![create_named(), Event::UpdateThatFails(moved)],
        ),
        scenario(
            "tags and key changed",
            vec![
                create(),
                Event::Update(with(
                    with(properties(), "Tags", json!([{"Key": "team", "Value": "a"}])),
                    "KmsKeyId",
                    json!("alias/mirror"),
                )),
                Event::Update(properties()),
            ],
        ),
        Scenario {
            setup: |fake| fake.take_git_push(USER),
            ..scenario(
                "create that fails by itself",
                vec![Event::CreateThatFails(
                    properties(),
                    &["HTTP 403", "codecommit:GitPush"],
                )],
            )
        },
        Scenario {
            setup: |fake| fake.take_git_push(USER),
            ..scenario(
                "rotation that fails by itself",
                vec![
                    Event::Create(bare.clone()),
                    Event::UpdateThatFails(with(
                        serial(&bare),
                        "RepositoryNames",
                        json!([REPOSITORY]),
                    )),
                ],
            )
        },
        Scenario {
            setup: |fake| {
                fake.foreign_credential(USER);
            },
            ..scenario(
                "create beside a foreign credential",
                vec![Event::CreateThatFails(
                    properties(),
                    &[
                        "did not issue: ACCA",
                        "aws iam delete-service-specific-credential --user-name",
                    ],
                )],
            )
        },
        Scenario {
            setup: |fake| {
                fake.foreign_credential(USER);
            },
            ..scenario(
                "create that deletes a foreign credential",
                vec![Event::Create(with(
                    properties(),
                    "ForeignCredentials",
                    json!("Delete"),
                ))],
            )
        },
    ]
}
