//! Repositories: their owners and their deletion.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{assert_nothing_remains, assert_runs, nothing_remains};
use crate::fixture::{BRANCH, GIVEN, REPOSITORY, in_account, properties, push, with};

fn retaining() -> Value {
    with(properties(), "RepositoryDeletionPolicy", json!("Retain"))
}

#[test]
fn retained_repository_is_adopted_and_deleted_by_policy() {
    in_account(async |fake, stack| {
        fake.options(|options| options.page_length = Some(1));
        stack.create(&retaining()).await.assert_success();
        push(fake, REPOSITORY, "commit-1", "push").await;
        let id = || {
            fake.look(|aws| {
                let held = aws.codecommit.repositories.get(REPOSITORY);
                held.map(|held| held.id.clone())
            })
        };
        let first = id();
        stack.delete().await.assert_success();
        assert_eq!(id(), first, "retained");
        fake.assert_holds(|aws| nothing_remains(aws, &[REPOSITORY]));

        // Its branch exists: the pipeline is created with the stack, and runs the latest commit.
        tokio::time::sleep(Duration::from_secs(60)).await;
        stack.create(&retaining()).await.assert_success();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_runs(fake, &[("commit-1", 1)]);
        assert_eq!(id(), first, "the same one");

        // It stays through updates, until its policy has changed.
        for wanted in [retaining(), properties()] {
            stack.update(&wanted, None).await.assert_success();
            assert_eq!(id(), first, "an update deletes nothing");
        }
        stack.delete().await.assert_success();
        assert_eq!(id(), None);
        assert_nothing_remains(fake);
    });
}

#[test]
fn named_repository_keeps_its_default_branch_and_is_kept() {
    in_account(async |fake, stack| {
        fake.push(GIVEN, "main", "commit-0");
        fake.push(GIVEN, BRANCH, "commit-1");
        let held = || fake.look(|aws| aws.codecommit.repositories[GIVEN].clone());
        let before = held();
        let given = with(properties(), "Source", json!({"RepositoryName": GIVEN}));
        stack.create(&given).await.assert_success();
        stack.update(&given, None).await.assert_success();
        stack.delete().await.assert_success();
        assert_eq!(held(), before);
    });
}

/// A denial is retried, because a key's policy takes effect late. Another error of the key is not.
#[test]
fn create_with_an_unusable_key_names_its_cause_and_remedy() {
    for (code, remedy, is_retried) in [
        (
            "EncryptionKeyAccessDeniedException",
            "Allow the function's role kms:Decrypt, kms:DescribeKey and kms:GenerateDataKey",
            true,
        ),
        (
            "EncryptionKeyDisabledException",
            "Enable the repository's key",
            false,
        ),
        (
            "EncryptionKeyNotFoundException",
            "If KMS shows that the deletion of the repository's key is scheduled, cancel it",
            false,
        ),
    ] {
        in_account(async |fake, stack| {
            fake.push(GIVEN, BRANCH, "commit-1");
            fake.arrange(|aws| {
                let held = aws.codecommit.repositories.get_mut(GIVEN);
                held.expect("the repository").key_error = Some(code);
            });
            let began = tokio::time::Instant::now();
            let given = with(properties(), "Source", json!({"RepositoryName": GIVEN}));
            let answer = stack.create(&given).await;
            answer.assert_reason([GIVEN, code, remedy, "CFG-206"]);
            let took = began.elapsed();
            assert_eq!(took > Duration::from_secs(50), is_retried, "{took:?}");
        });
    }
}
