//! The scenarios: each kind of request, and the rollback of each.

use serde_json::json;

use crate::fixture::{BRANCH, GIVEN, REPOSITORY, changed, cross_account, properties, ruled, with};
use crate::scenarios::{Event, Scenario};
use fake_aws::{FakeAws, ResourceAction};
use test_support::custom_resource::RollBack;

/// A repository that an earlier child stack left behind.
pub fn leave_repository(fake: &FakeAws) {
    fake.repository(REPOSITORY);
    fake.arrange(|aws| {
        let held = aws
            .codecommit
            .repositories
            .get_mut(REPOSITORY)
            .expect("just made");
        // An earlier stack's, not a foreign one.
        held.stack_id = Some("an earlier child stack".to_owned());
        let tag = (
            "cfn-gitops:stack-name".to_owned(),
            "gitops-dev-shop".to_owned(),
        );
        held.tags.extend([tag]);
        held.push(BRANCH, "commit-of-old");
    });
}

/// The scenarios: each kind of request, and the rollback of each.
pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name, events| Scenario {
        name,
        setup: |_| {},
        events,
        delivers_twice: false,
        retained: &[],
        stacks: 1,
    };
    let create = || Event::Create(properties());
    let given = || with(properties(), "Source", json!({"RepositoryName": GIVEN}));
    let retaining = || with(properties(), "RepositoryDeletionPolicy", json!("Retain"));
    let renamed = || with(properties(), "ProjectID", json!("renamed"));
    let is_elsewhere = |fake: &FakeAws| fake.repository_in_other_account(REPOSITORY);
    let push_in_other_account = |fake: &FakeAws| {
        fake.repository_in_other_account(REPOSITORY);
        fake.push_in_other_account(REPOSITORY, BRANCH, "commit-of-old");
    };
    let push_given = |fake: &FakeAws| {
        fake.push(GIVEN, BRANCH, "commit-of-old");
    };
    let rule_fails = |fake: &FakeAws| {
        fake.fail_resource(
            "EventRule",
            ResourceAction::Create,
            "no such role",
            usize::MAX,
        );
    };
    let change_fails = |fake: &FakeAws| {
        fake.fail_resource(
            "BuildProject",
            ResourceAction::Update,
            "no such image",
            usize::MAX,
        );
    };
    vec![
        scenario("create and delete", vec![create(), Event::Delete]),
        scenario(
            "create and delete with an approval rule",
            vec![Event::Create(ruled()), Event::Delete],
        ),
        scenario(
            "create with a given repository without the branch",
            vec![Event::Create(given()), Event::Delete],
        ),
        Scenario {
            setup: push_given,
            ..scenario(
                "create with a given repository and its branch",
                vec![Event::Create(given()), Event::Delete],
            )
        },
        Scenario {
            setup: leave_repository,
            ..scenario(
                "create that takes a retained repository up",
                vec![create(), Event::Delete],
            )
        },
        Scenario {
            setup: leave_repository,
            retained: &[REPOSITORY],
            ..scenario(
                "create that takes a retained repository up and retains it",
                vec![Event::Create(retaining()), Event::Delete],
            )
        },
        Scenario {
            retained: &[REPOSITORY],
            ..scenario(
                "create that retains its repository",
                vec![Event::Create(retaining()), Event::Delete],
            )
        },
        scenario("no-op update", vec![create(), Event::Update(properties())]),
        scenario(
            "changing update",
            vec![create(), Event::Update(changed(properties()))],
        ),
        scenario(
            "update of the policy alone",
            vec![
                Event::Create(retaining()),
                Event::Update(properties()),
                Event::Delete,
            ],
        ),
        scenario(
            "approval rule added and removed",
            vec![
                create(),
                Event::Update(ruled()),
                Event::Update(properties()),
            ],
        ),
        scenario(
            "changing update rolled back",
            vec![
                create(),
                Event::UpdateRolledBack(changed(ruled()), RollBack::UpdateBack),
            ],
        ),
        Scenario {
            stacks: 2,
            ..scenario(
                "replacement",
                vec![create(), Event::Update(renamed()), Event::Delete],
            )
        },
        Scenario {
            stacks: 2,
            ..scenario(
                "replacement rolled back",
                vec![
                    create(),
                    Event::UpdateRolledBack(renamed(), RollBack::UpdateBack),
                ],
            )
        },
        Scenario {
            stacks: 2,
            ..scenario(
                "replacement abandoned",
                vec![
                    create(),
                    Event::UpdateRolledBack(renamed(), RollBack::DeleteNewOnly),
                ],
            )
        },
        Scenario {
            setup: rule_fails,
            ..scenario(
                "create that fails by itself",
                vec![Event::CreateThatFails(
                    properties(),
                    "EventRule (AWS::Events::Rule",
                )],
            )
        },
        Scenario {
            setup: |fake| fake.repository(REPOSITORY),
            ..scenario(
                "create beside a foreign repository",
                vec![Event::CreateThatFails(properties(), REPOSITORY)],
            )
        },
        Scenario {
            setup: change_fails,
            ..scenario(
                "update that fails by itself",
                vec![
                    create(),
                    Event::UpdateThatFails(
                        changed(properties()),
                        "BuildProject (AWS::CodeBuild::Project, codebuild-dev-cfn-shop) UPDATE_FAILED: no such image",
                    ),
                ],
            )
        },
        scenario(
            "create cancelled at once",
            vec![Event::CreateCancelled(properties(), 0)],
        ),
        scenario(
            "create cancelled in its middle",
            vec![Event::CreateCancelled(ruled(), 6)],
        ),
        scenario(
            "first push",
            vec![create(), Event::Push("commit-1"), Event::Push("commit-2")],
        ),
        scenario(
            "first push to a given repository",
            vec![Event::Create(given()), Event::Push("commit-1")],
        ),
        Scenario {
            setup: push_in_other_account,
            ..scenario(
                "create with another account's repository and its branch",
                vec![Event::Create(cross_account()), Event::Delete],
            )
        },
        Scenario {
            setup: is_elsewhere,
            ..scenario(
                "first push to another account's repository",
                vec![
                    Event::Create(cross_account()),
                    Event::Push("commit-1"),
                    Event::Update(changed(cross_account())),
                    Event::Push("commit-2"),
                ],
            )
        },
        Scenario {
            setup: push_in_other_account,
            ..scenario(
                "source moved to another account",
                vec![create(), Event::Update(cross_account()), Event::Delete],
            )
        },
        Scenario {
            setup: push_in_other_account,
            ..scenario(
                "source of a pipeline that runs moved to another account",
                vec![
                    create(),
                    Event::Push("commit-1"),
                    Event::Update(cross_account()),
                    Event::Push("commit-2"),
                ],
            )
        },
        Scenario {
            setup: is_elsewhere,
            ..scenario(
                "move to another account rolled back",
                vec![
                    create(),
                    Event::UpdateRolledBack(cross_account(), RollBack::UpdateBack),
                ],
            )
        },
        scenario(
            "first push and then a change",
            vec![
                create(),
                Event::Push("commit-1"),
                Event::Update(changed(properties())),
                Event::Push("commit-2"),
            ],
        ),
    ]
}
