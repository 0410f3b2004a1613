//! Repositories and approval rules: their owners, their deletion, and their dependents.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{assert_nothing_remains, assert_runs, nothing_remains, ours, watch};
use crate::fixture::{
    BRANCH, GIVEN, REPOSITORY, fake, in_account, paused, properties, push, ruled, stack, with,
};
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::{INVENTED_ID, deliver_beside};

fn retaining() -> Value {
    with(properties(), "RepositoryDeletionPolicy", json!("Retain"))
}

fn given(name: &str) -> Value {
    with(properties(), "Source", json!({"RepositoryName": name}))
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
