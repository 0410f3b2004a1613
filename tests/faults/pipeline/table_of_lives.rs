//! The lives: each kind of request, and the rollback of each.

use serde_json::json;

use crate::lives::{Event, Life};
use crate::project::{BRANCH, GIVEN, REPOSITORY, changed, elsewhere, properties, ruled, with};
use fake_aws::custom_resource::RollBack;
use fake_aws::{Doing, World};

/// A repository that an earlier child stack left behind.
pub fn leave_repository(world: &World) {
    world.repository(REPOSITORY);
    world.arrange(|aws| {
        let held = aws.repositories.get_mut(REPOSITORY).expect("just made");
        // An earlier stack's; not somebody else's.
        held.stack_id = Some("an earlier child stack".to_owned());
        let tag = (
            "cfn-gitops:stack-name".to_owned(),
            "gitops-dev-shop".to_owned(),
        );
        held.tags.extend([tag]);
        held.push(BRANCH, "commit-of-old");
    });
}

/// The lives: each kind of request, and the rollback of each.
#[allow(clippy::too_many_lines)] // A list.
pub fn lives() -> Vec<Life> {
    let life = |name, events| Life {
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
    let is_elsewhere = |world: &World| world.repository_elsewhere(REPOSITORY);
    let push_elsewhere = |world: &World| {
        world.repository_elsewhere(REPOSITORY);
        world.push_elsewhere(REPOSITORY, BRANCH, "commit-of-old");
    };
    let push_given = |world: &World| {
        world.push(GIVEN, BRANCH, "commit-of-old");
    };
    let rule_fails = |world: &World| {
        world.fail_resource("EventRule", Doing::Create, "no such role", usize::MAX);
    };
    let change_fails = |world: &World| {
        world.fail_resource("BuildProject", Doing::Update, "no such image", usize::MAX);
    };
    vec![
        life("create and delete", vec![create(), Event::Delete]),
        life(
            "create and delete with an approval rule",
            vec![Event::Create(ruled()), Event::Delete],
        ),
        life(
            "create with a given repository without the branch",
            vec![Event::Create(given()), Event::Delete],
        ),
        Life {
            setup: push_given,
            ..life(
                "create with a given repository and its branch",
                vec![Event::Create(given()), Event::Delete],
            )
        },
        Life {
            setup: leave_repository,
            ..life(
                "create that takes a retained repository up",
                vec![create(), Event::Delete],
            )
        },
        Life {
            setup: leave_repository,
            retained: &[REPOSITORY],
            ..life(
                "create that takes a retained repository up and retains it",
                vec![Event::Create(retaining()), Event::Delete],
            )
        },
        Life {
            retained: &[REPOSITORY],
            ..life(
                "create that retains its repository",
                vec![Event::Create(retaining()), Event::Delete],
            )
        },
        life("no-op update", vec![create(), Event::Update(properties())]),
        life(
            "changing update",
            vec![create(), Event::Update(changed(properties()))],
        ),
        life(
            "update of the policy alone",
            vec![
                Event::Create(retaining()),
                Event::Update(properties()),
                Event::Delete,
            ],
        ),
        life(
            "approval rule added and removed",
            vec![
                create(),
                Event::Update(ruled()),
                Event::Update(properties()),
            ],
        ),
        life(
            "changing update rolled back",
            vec![
                create(),
                Event::UpdateRolledBack(changed(ruled()), RollBack::UpdateBack),
            ],
        ),
        Life {
            stacks: 2,
            ..life(
                "replacement",
                vec![create(), Event::Update(renamed()), Event::Delete],
            )
        },
        Life {
            stacks: 2,
            ..life(
                "replacement rolled back",
                vec![
                    create(),
                    Event::UpdateRolledBack(renamed(), RollBack::UpdateBack),
                ],
            )
        },
        Life {
            stacks: 2,
            ..life(
                "replacement given up",
                vec![
                    create(),
                    Event::UpdateRolledBack(renamed(), RollBack::DeleteNewOnly),
                ],
            )
        },
        Life {
            setup: rule_fails,
            ..life(
                "create that fails by itself",
                vec![Event::CreateThatFails(
                    properties(),
                    "EventRule (AWS::Events::Rule",
                )],
            )
        },
        Life {
            setup: |world| world.repository(REPOSITORY),
            ..life(
                "create beside a repository of somebody else's",
                vec![Event::CreateThatFails(properties(), REPOSITORY)],
            )
        },
        Life {
            setup: change_fails,
            ..life(
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
        life(
            "create cancelled at once",
            vec![Event::CreateCancelled(properties(), 0)],
        ),
        life(
            "create cancelled in its middle",
            vec![Event::CreateCancelled(ruled(), 6)],
        ),
        life(
            "first push",
            vec![create(), Event::Push("commit-1"), Event::Push("commit-2")],
        ),
        life(
            "first push to a given repository",
            vec![Event::Create(given()), Event::Push("commit-1")],
        ),
        Life {
            setup: push_elsewhere,
            ..life(
                "create with another account's repository and its branch",
                vec![Event::Create(elsewhere()), Event::Delete],
            )
        },
        Life {
            setup: is_elsewhere,
            ..life(
                "first push to another account's repository",
                vec![
                    Event::Create(elsewhere()),
                    Event::Push("commit-1"),
                    Event::Update(changed(elsewhere())),
                    Event::Push("commit-2"),
                ],
            )
        },
        Life {
            setup: push_elsewhere,
            ..life(
                "source moved to another account",
                vec![create(), Event::Update(elsewhere()), Event::Delete],
            )
        },
        Life {
            setup: push_elsewhere,
            ..life(
                "source of a pipeline that runs moved to another account",
                vec![
                    create(),
                    Event::Push("commit-1"),
                    Event::Update(elsewhere()),
                    Event::Push("commit-2"),
                ],
            )
        },
        Life {
            setup: is_elsewhere,
            ..life(
                "move to another account rolled back",
                vec![
                    create(),
                    Event::UpdateRolledBack(elsewhere(), RollBack::UpdateBack),
                ],
            )
        },
        life(
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
