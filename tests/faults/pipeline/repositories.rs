//! Repositories and approval rules: whose they are, what becomes of them, and what hangs on them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{nothing_left, ours, runs, shape, watch};
use crate::project::{
    BRANCH, GIVEN, PIPELINE, REPOSITORY, RULE, paused, properties, push, ruled, stack, with, world,
};
use crate::table_of_lives::leave_repository;
use fake_aws::custom_resource::Stack;
use fake_aws::{Options, World};

fn retaining() -> Value {
    with(properties(), "RepositoryDeletionPolicy", json!("Retain"))
}

fn given(name: &str) -> Value {
    with(properties(), "Source", json!({"RepositoryName": name}))
}

/// Creates, expects a refusal that says this, and that neither it nor its Delete made anything.
async fn refused(world: &World, stack: &mut Stack, wanted: &Value, says: &[&str]) {
    let before = world.look(shape);
    let answer = stack.create(wanted).await;
    for part in says {
        assert!(
            answer.reason().contains(part),
            "{part} is missing: {answer:?}"
        );
    }
    assert_eq!(world.look(shape), before, "{}", world.told());
    assert_eq!(world.count("CreateStack"), 0, "{}", world.told());
    world.assert_unbroken();
}

#[test]
fn a_retained_repository_is_taken_up_with_what_is_in_it_and_goes_when_the_policy_says_so() {
    paused(async {
        let world = world(Options::default());
        let mut stack = stack(&world);
        assert!(stack.create(&retaining()).await.is_success());
        push(&world, REPOSITORY, "commit-1", "push").await;
        let id = world.look(|aws| aws.repositories[REPOSITORY].id.clone());
        assert!(stack.delete().await.is_success());
        let kept = |world: &World| {
            world.look(|aws| aws.repositories.get(REPOSITORY).map(|held| held.id.clone()))
        };
        assert_eq!(kept(&world).as_ref(), Some(&id), "retained");
        world
            .look(|aws| nothing_left(aws, &[REPOSITORY]))
            .expect("nothing else");

        // Its branch is there: the pipeline is made with the stack, and runs what is newest.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let created = stack.create(&retaining()).await;
        assert!(created.is_success(), "{created:?}\n{}", world.told());
        tokio::time::sleep(Duration::from_secs(10)).await;
        let runs = world.look(|aws| runs(aws, PIPELINE));
        assert_eq!(
            runs.into_iter().collect::<Vec<_>>(),
            [("commit-1".to_owned(), 1)]
        );
        assert_eq!(kept(&world).as_ref(), Some(&id), "the same one");

        // It stays through an update, and is retained once more.
        assert!(stack.update(&retaining(), None).await.is_success());
        assert!(stack.delete().await.is_success());
        assert_eq!(kept(&world).as_ref(), Some(&id), "retained again");

        // Until the policy says otherwise.
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(stack.create(&retaining()).await.is_success());
        let updated = stack.update(&properties(), None).await;
        assert!(updated.is_success(), "{updated:?}\n{}", world.told());
        assert_eq!(
            kept(&world).as_ref(),
            Some(&id),
            "an update deletes nothing"
        );
        assert!(stack.delete().await.is_success());
        assert_eq!(kept(&world), None);
        world.look(|aws| nothing_left(aws, &[])).expect("nothing");
        world.assert_unbroken();
    });
}

#[test]
fn a_repository_of_somebody_else_is_refused_by_name_with_the_ways_out() {
    for tag in [None, Some("gitops-dev-other")] {
        paused(async {
            let world = world(Options::default());
            world.repository(REPOSITORY);
            if let Some(stack_name) = tag {
                world.arrange(|aws| {
                    let held = aws.repositories.get_mut(REPOSITORY).expect("just made");
                    let tag = ("cfn-gitops:stack-name".to_owned(), stack_name.to_owned());
                    held.tags.extend([tag]);
                });
            }
            watch(&world, 1, &[REPOSITORY]);
            let says = [REPOSITORY, "aws codecommit delete-repository"];
            refused(&world, &mut stack(&world), &properties(), &says).await;
        });
    }
}

#[test]
fn a_given_repository_that_does_not_exist_is_refused_before_anything_is_touched() {
    paused(async {
        let world = world(Options::default());
        watch(&world, 1, &[]);
        let says = ["Source.RepositoryName", "nowhere", "does not exist"];
        refused(&world, &mut stack(&world), &given("nowhere"), &says).await;
    });
}

#[test]
fn a_given_repository_keeps_its_default_branch_and_outlives_the_resource() {
    paused(async {
        let world = world(Options::default());
        world.push(GIVEN, "main", "commit-0");
        world.push(GIVEN, BRANCH, "commit-1");
        watch(&world, 1, &[GIVEN]);
        let before = world.look(|aws| aws.repositories[GIVEN].clone());
        let mut stack = stack(&world);
        assert!(stack.create(&given(GIVEN)).await.is_success());
        assert!(stack.update(&given(GIVEN), None).await.is_success());
        assert!(stack.delete().await.is_success());
        assert_eq!(world.look(|aws| aws.repositories[GIVEN].clone()), before);
        world.assert_unbroken();
    });
}

#[test]
fn the_source_can_be_changed_to_a_given_repository_and_the_rule_goes_along() {
    paused(async {
        let world = world(Options::default());
        world.push(GIVEN, BRANCH, "commit-1");
        watch(&world, 1, &[GIVEN]);
        let mut stack = stack(&world);
        assert!(stack.create(&ruled()).await.is_success());
        let associated = |world: &World| {
            world.look(|aws| {
                let held = aws.rule_templates[RULE].repositories.iter();
                held.cloned().collect::<Vec<_>>()
            })
        };
        assert_eq!(associated(&world), [REPOSITORY]);
        let moved = with(ruled(), "Source", json!({"RepositoryName": GIVEN}));
        let updated = stack.update(&moved, None).await;
        assert!(updated.is_success(), "{updated:?}\n{}", world.told());
        assert_eq!(associated(&world), [GIVEN]);
        assert!(!world.look(|aws| aws.repositories.contains_key(REPOSITORY)));
        tokio::time::sleep(Duration::from_secs(10)).await;
        let runs = world.look(|aws| runs(aws, PIPELINE));
        assert_eq!(
            runs.into_iter().collect::<Vec<_>>(),
            [("commit-1".to_owned(), 1)]
        );
        assert!(stack.delete().await.is_success());
        world.look(|aws| nothing_left(aws, &[])).expect("nothing");
        world.assert_unbroken();
    });
}

#[test]
fn an_approval_rule_template_of_somebody_else_is_refused_and_left_alone() {
    paused(async {
        let world = world(Options::default());
        world.arrange(|aws| {
            let theirs = aws.rule_templates["approval-dev-cfn-other"].clone();
            aws.rule_templates.insert(RULE.to_owned(), theirs);
        });
        watch(&world, 1, &[]);
        let says = [RULE, "Somebody's"];
        refused(&world, &mut stack(&world), &ruled(), &says).await;
        // Without a rule of its own there is no conflict. (A request of the second in which nothing
        // was deleted is taken for overtaken.)
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut stack = stack(&world);
        stack.starts_counting_at(10);
        let created = stack.create(&properties()).await;
        assert!(created.is_success(), "{created:?}\n{}", world.told());
        assert!(stack.delete().await.is_success());
        world.assert_unbroken();
    });
}

#[test]
fn a_repository_that_was_taken_up_is_not_lost_by_a_create_that_fails() {
    paused(async {
        let world = world(Options::default());
        leave_repository(&world);
        watch(&world, 1, &[REPOSITORY]);
        let doing = fake_aws::Doing::Create;
        world.fail_resource("BuildProject", doing, "no such role", usize::MAX);
        let mut stack = stack(&world);
        let answer = stack.create(&properties()).await;
        assert!(answer.reason().contains("no such role"), "{answer:?}");
        assert!(world.look(|aws| aws.repositories.contains_key(REPOSITORY)));
        world.assert_unbroken();
    });
}

#[test]
fn a_delete_at_any_time_while_a_create_runs_leaves_nothing_of_the_rule_either() {
    let mut times = 0;
    for after in (0..18_000).step_by(300) {
        paused(async {
            let world = world(Options::default());
            watch(&world, 1, &[]);
            let mut stack = stack(&world);
            let create = stack.request("Create", None, &ruled(), None);
            let creating = (world.clone(), create.clone());
            let running = tokio::spawn(Box::pin(async move {
                fake_aws::custom_resource::deliver_all(&creating.0, &creating.1, false).await;
            }));
            tokio::time::sleep(Duration::from_millis(after)).await;
            let invented = fake_aws::custom_resource::INVENTED_ID;
            stack.delete_id(invented, &ruled()).await;
            running.await.expect("no panic in a delivery");
            let left = world.look(|aws| nothing_left(aws, &[]));
            left.unwrap_or_else(|left| panic!("after {after} ms: {left}\n{}", world.told()));
            assert!(world.look(|aws| ours(aws).is_empty()));
            world.assert_unbroken();
        });
        times += 1;
    }
    fake_aws::figure!("overtaken: a Create with an approval rule by its Delete at {times} times");
}
