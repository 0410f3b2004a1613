//! Repositories and approval rules: their owners, their deletion, and their dependents.

use std::time::Duration;

use serde_json::{Value, json};

use crate::changes::leave_repository;
use crate::checks::{
    assert_nothing_remains, assert_runs, delete_completely, nothing_remains, ours, shape, watch,
};
use crate::fixture::{
    BRANCH, GIVEN, REPOSITORY, RULE, cross_account, fake, in_account, paused, properties, push,
    ruled, stack, with,
};
use fake_aws::other_account::repository_arn;
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::{INVENTED_ID, ParentStack, deliver_beside};

fn retaining() -> Value {
    with(properties(), "RepositoryDeletionPolicy", json!("Retain"))
}

fn given(name: &str) -> Value {
    with(properties(), "Source", json!({"RepositoryName": name}))
}

/// Creates, expects this error, and that neither the Create nor its Delete changed anything.
async fn refused(fake: &FakeAws, stack: &mut ParentStack, wanted: &Value, says: &[&str]) {
    let before = fake.look(shape);
    let answer = stack.create(wanted).await;
    answer.assert_reason(says);
    assert_eq!(fake.look(shape), before);
    assert_eq!(fake.count("CreateStack"), 0);
    fake.assert_unbroken();
}

#[test]
fn retained_repository_is_adopted_and_deleted_by_policy() {
    in_account(async |fake, stack| {
        fake.options(|options| options.page_length = Some(1));
        stack.create(&retaining()).await.assert_success();
        push(fake, REPOSITORY, "commit-1", "push").await;
        let id = fake.look(|aws| aws.codecommit.repositories[REPOSITORY].id.clone());
        stack.delete().await.assert_success();
        let kept = |fake: &FakeAws| {
            fake.look(|aws| {
                aws.codecommit
                    .repositories
                    .get(REPOSITORY)
                    .map(|held| held.id.clone())
            })
        };
        assert_eq!(kept(fake).as_ref(), Some(&id), "retained");
        fake.assert_holds(|aws| nothing_remains(aws, &[REPOSITORY]));

        // Its branch exists: the pipeline is created with the stack, and runs the latest commit.
        tokio::time::sleep(Duration::from_secs(60)).await;
        stack.create(&retaining()).await.assert_success();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_runs(fake, &[("commit-1", 1)]);
        assert_eq!(kept(fake).as_ref(), Some(&id), "the same one");

        // It stays through an update, and is retained again.
        stack.update(&retaining(), None).await.assert_success();
        stack.delete().await.assert_success();
        assert_eq!(kept(fake).as_ref(), Some(&id), "retained again");

        // Until the policy changes.
        tokio::time::sleep(Duration::from_secs(60)).await;
        stack.create(&retaining()).await.assert_success();
        stack.update(&properties(), None).await.assert_success();
        assert_eq!(kept(fake).as_ref(), Some(&id), "an update deletes nothing");
        stack.delete().await.assert_success();
        assert_eq!(kept(fake), None);
        assert_nothing_remains(fake);
    });
}

#[test]
fn foreign_repository_is_rejected_with_the_remedies() {
    for tag in [None, Some("gitops-dev-other")] {
        paused(async {
            let fake = fake(Options::default());
            fake.repository(REPOSITORY);
            if let Some(stack_name) = tag {
                fake.arrange(|aws| {
                    let held = aws
                        .codecommit
                        .repositories
                        .get_mut(REPOSITORY)
                        .expect("just made");
                    let tag = ("cfn-gitops:stack-name".to_owned(), stack_name.to_owned());
                    held.tags.extend([tag]);
                });
            }
            watch(&fake, 1, &[REPOSITORY]);
            let says = [REPOSITORY, "aws codecommit delete-repository"];
            refused(&fake, &mut stack(&fake), &properties(), &says).await;
        });
    }
}

#[test]
fn missing_source_is_rejected_before_any_change() {
    let arn = repository_arn(REPOSITORY);
    for (wanted, says) in [
        (given("nowhere"), ["Source.RepositoryName", "nowhere"]),
        (cross_account(), ["Source.RepositoryArn", &*arn]),
    ] {
        in_account(async |fake, stack| {
            let says = [says[0], says[1], "does not exist"];
            refused(fake, stack, &wanted, &says).await;
        });
    }
}

#[test]
fn named_repository_keeps_its_default_branch_and_is_kept() {
    paused(async {
        let fake = fake(Options::default());
        fake.push(GIVEN, "main", "commit-0");
        fake.push(GIVEN, BRANCH, "commit-1");
        watch(&fake, 1, &[GIVEN]);
        let before = fake.look(|aws| aws.codecommit.repositories[GIVEN].clone());
        let mut stack = stack(&fake);
        stack.create(&given(GIVEN)).await.assert_success();
        stack.update(&given(GIVEN), None).await.assert_success();
        stack.delete().await.assert_success();
        assert_eq!(
            fake.look(|aws| aws.codecommit.repositories[GIVEN].clone()),
            before
        );
        fake.assert_unbroken();
    });
}

#[test]
fn source_can_change_to_a_named_repository_with_its_rule() {
    paused(async {
        let fake = fake(Options::default());
        fake.push(GIVEN, BRANCH, "commit-1");
        watch(&fake, 1, &[GIVEN]);
        let mut stack = stack(&fake);
        stack.create(&ruled()).await.assert_success();
        let associated = |fake: &FakeAws| {
            fake.look(|aws| {
                let held = aws.codecommit.rule_templates[RULE].repositories.iter();
                held.cloned().collect::<Vec<_>>()
            })
        };
        assert_eq!(associated(&fake), [REPOSITORY]);
        let moved = with(ruled(), "Source", json!({"RepositoryName": GIVEN}));
        stack.update(&moved, None).await.assert_success();
        assert_eq!(associated(&fake), [GIVEN]);
        assert!(!fake.look(|aws| aws.codecommit.repositories.contains_key(REPOSITORY)));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_runs(&fake, &[("commit-1", 1)]);
        delete_completely(&mut stack).await;
    });
}

#[test]
fn foreign_approval_rule_template_is_rejected_and_kept() {
    paused(async {
        let fake = fake(Options::default());
        fake.arrange(|aws| {
            let theirs = aws.codecommit.rule_templates["approval-dev-cfn-other"].clone();
            aws.codecommit
                .rule_templates
                .insert(RULE.to_owned(), theirs);
        });
        watch(&fake, 1, &[]);
        let says = [RULE, "Somebody's"];
        refused(&fake, &mut stack(&fake), &ruled(), &says).await;
        // Without a rule of its own there is no conflict. (A request of the second in which nothing
        // was deleted counts as superseded.)
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut stack = stack(&fake);
        stack.starts_counting_at(10);
        stack.create(&properties()).await.assert_success();
        stack.delete().await.assert_success();
        fake.assert_unbroken();
    });
}

#[test]
fn adopted_repository_survives_a_failed_create() {
    paused(async {
        let fake = fake(Options::default());
        leave_repository(&fake);
        watch(&fake, 1, &[REPOSITORY]);
        let doing = fake_aws::ResourceAction::Create;
        fake.fail_resource("BuildProject", doing, "no such role", usize::MAX);
        let mut stack = stack(&fake);
        let answer = stack.create(&properties()).await;
        answer.assert_reason(["no such role"]);
        assert!(fake.look(|aws| aws.codecommit.repositories.contains_key(REPOSITORY)));
        fake.assert_unbroken();
    });
}

#[test]
fn delete_during_a_create_leaves_no_approval_rule() {
    let mut times = 0;
    for after in (0..18_000).step_by(300) {
        in_account(async |fake, stack| {
            let create = stack.request("Create", None, &ruled(), None);
            let creating = deliver_beside(fake, &create);
            tokio::time::sleep(Duration::from_millis(after)).await;
            stack.delete_id(INVENTED_ID, &ruled()).await;
            creating.await;
            assert_nothing_remains(fake);
            assert!(fake.look(|aws| ours(aws).is_empty()));
        });
        times += 1;
    }
    fake_aws::figure!("overtaken: a Create with an approval rule by its Delete at {times} times");
}
