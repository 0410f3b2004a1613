//! Sources of another account: the function's reads of them, and its behaviour if they are
//! denied.

use std::time::Duration;

use crate::checks::{assert_runs, runs, watch};
use crate::fixture::{
    BRANCH, CHILD, PIPELINE, REPOSITORY, changed, cross_account, deliver_events, fake, in_account,
    paused, properties, push_to, stack,
};
use fake_aws::other_account::{SOURCE_ROLE, repository_arn};
use fake_aws::{FakeAws, Options};
use test_support::custom_resource::{ParentStack, RequestOutcome};

/// Plays beside an account with the source's repository.
fn with_source(play: impl AsyncFnOnce(&FakeAws, &mut ParentStack)) {
    in_account(async |fake, stack| {
        fake.repository_in_other_account(REPOSITORY);
        play(fake, stack).await;
    });
}

fn attributes(answer: &RequestOutcome) -> &serde_json::Value {
    match answer {
        RequestOutcome::Success { attributes, .. } => attributes,
        refused => panic!("{refused:?}"),
    }
}

/// The warning of the last successful request.
fn note(fake: &FakeAws) -> String {
    fake.look(|aws| {
        let body = aws.responses.last().expect("an answer").json();
        body["Reason"].as_str().unwrap_or_default().to_owned()
    })
}

/// The parameter `BranchExists` of the child stack.
fn branch_exists(fake: &FakeAws) -> Option<String> {
    fake.look(|aws| {
        let stack = aws.stacks.named(CHILD)?;
        stack.parameters.get("BranchExists").cloned()
    })
}

// claim: outsider-has-no-access
#[test]
fn push_to_a_local_repository_of_the_name_starts_nothing() {
    paused(async {
        let fake = fake(Options::default());
        fake.repository_in_other_account(REPOSITORY);
        fake.repository(REPOSITORY);
        watch(&fake, 1, &[REPOSITORY]);
        let mut stack = stack(&fake);
        stack.create(&cross_account()).await.assert_success();
        assert_eq!(fake.push(REPOSITORY, BRANCH, "commit-here"), []);
        assert_eq!(branch_exists(&fake).as_deref(), Some("false"));
        stack.delete().await.assert_success();
        fake.look(|aws| {
            assert!(aws.codecommit.repositories.contains_key(REPOSITORY));
            assert!(aws.other_account.repositories.contains_key(REPOSITORY));
        });
        fake.assert_unbroken();
    });
}

#[test]
fn role_that_denies_the_function_creates_the_pipeline() {
    with_source(async |fake, stack| {
        fake.push_in_other_account(REPOSITORY, BRANCH, "commit-1");
        fake.arrange(|aws| aws.other_account.admits = false);
        let created = stack.create(&cross_account()).await;
        let shown = attributes(&created);
        assert_eq!(shown["RepositoryArn"], repository_arn(REPOSITORY));
        assert_eq!(shown["RepositoryName"], REPOSITORY);
        assert_eq!(shown["CloneUrlHttp"], "", "{shown}");
        assert_eq!(branch_exists(fake).as_deref(), Some("true"));
        let said = note(fake);
        for part in [
            SOURCE_ROLE,
            "AccessDenied",
            "CloneUrlHttp",
            "SourceRoleArns",
        ] {
            assert!(said.contains(part), "{part} is missing: {said}");
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_runs(fake, &[("commit-1", 1)]);

        // Once the role trusts it, the next update returns all attributes.
        fake.arrange(|aws| aws.other_account.admits = true);
        let updated = stack.update(&cross_account(), None).await;
        assert_ne!(attributes(&updated)["CloneUrlHttp"], "");
        assert_eq!(note(fake), "");
    });
}

#[test]
fn branch_permission_is_enough_to_wait_for_a_branch() {
    with_source(async |fake, stack| {
        fake.arrange(|aws| {
            aws.other_account.shows.remove("GetRepository");
        });
        let created = stack.create(&cross_account()).await;
        assert_eq!(attributes(&created)["CloneUrlHttp"], "");
        let said = note(fake);
        assert!(said.contains("codecommit:GetRepository"), "{said}");
        assert!(!said.contains("branch"), "{said}");
        assert_eq!(branch_exists(fake).as_deref(), Some("false"));
        push_to(fake, &cross_account(), "commit-1", "first").await;
        assert_eq!(branch_exists(fake).as_deref(), Some("true"));
    });
}

// claim: session-in-the-other-account-is-never-disclosed
#[test]
fn session_of_the_other_account_is_never_shown() {
    for shows in [&["GetRepository", "GetBranch"][..], &["GetBranch"], &[]] {
        paused(async {
            let fake = fake(Options::default());
            fake.repository_in_other_account(REPOSITORY);
            fake.arrange(|aws| aws.other_account.shows = shows.iter().copied().collect());
            let mut stack = stack(&fake);
            let mut shown = vec![format!("{:?}", stack.create(&cross_account()).await)];
            push_to(&fake, &cross_account(), "commit-1", "first").await;
            shown.push(format!(
                "{:?}",
                stack.update(&changed(cross_account()), None).await
            ));
            shown.push(fake.transcript());
            shown.push(fake.look(|aws| format!("{:?}", aws.stacks.all)));
            shown.extend(fake.look(|aws| {
                let bodies = aws.responses.iter().map(|delivery| &delivery.body);
                bodies
                    .map(|body| String::from_utf8_lossy(body).into_owned())
                    .collect::<Vec<_>>()
            }));
            // Of each session the key and the token.
            let secrets = fake.look(|aws| aws.secrets_ever.clone());
            assert!(secrets.len() >= 4);
            for secret in secrets {
                assert!(shown.iter().all(|text| !text.contains(&secret)));
            }
            fake.assert_unbroken();
        });
    }
}

#[test]
fn denied_repository_key_hides_it_and_fails_nothing() {
    with_source(async |fake, stack| {
        fake.push_in_other_account(REPOSITORY, BRANCH, "commit-1");
        fake.arrange(|aws| aws.other_account.key_is_refused = true);
        let created = stack.create(&cross_account()).await;
        assert_eq!(attributes(&created)["CloneUrlHttp"], "");
        let said = note(fake);
        assert!(said.contains("EncryptionKeyAccessDenied"), "{said}");
        assert!(said.contains("the branch was not checked"), "{said}");
    });
}

#[test]
fn create_retries_a_role_that_admits_late() {
    with_source(async |fake, stack| {
        fake.arrange(|aws| aws.other_account.admits_from = aws.now + Duration::from_secs(5));
        stack.create(&cross_account()).await.assert_success();
        assert_eq!(note(fake), "");
        assert_eq!(branch_exists(fake).as_deref(), Some("false"));
    });
}

#[test]
fn missing_branch_is_awaited_after_the_role_denies() {
    with_source(async |fake, stack| {
        stack.create(&cross_account()).await.assert_success();
        fake.arrange(|aws| aws.other_account.admits = false);
        stack
            .update(&changed(cross_account()), None)
            .await
            .assert_success();
        assert_eq!(branch_exists(fake).as_deref(), Some("false"));
        // The push is believed.
        push_to(fake, &cross_account(), "commit-1", "first").await;
        assert_eq!(branch_exists(fake).as_deref(), Some("true"));
        assert_runs(fake, &[("commit-1", 1)]);
        // A repository of the same name may be here, too: it is none of this pipeline's.
        assert_eq!(fake.count("UpdateDefaultBranch"), 0);
    });
}

#[test]
fn second_push_runs_although_the_branch_cannot_be_read() {
    // At least a millisecond, so that the branch ends with the second commit.
    for after in (1..10_000).step_by(500) {
        with_source(async |fake, stack| {
            stack.create(&cross_account()).await.assert_success();
            fake.arrange(|aws| aws.other_account.admits = false);
            let first = fake.clone();
            let pushing = tokio::spawn(async move {
                push_to(&first, &cross_account(), "commit-1", "first").await;
            });
            tokio::time::sleep(Duration::from_millis(after)).await;
            push_to(fake, &cross_account(), "commit-2", "second").await;
            pushing.await.expect("no panic");
            tokio::time::sleep(Duration::from_secs(60)).await;
            // The push that came late may start the latest commit a second time, never the older
            // one.
            let found = fake.look(|aws| runs(aws, PIPELINE));
            let latest = fake.look(|aws| {
                let executions = &aws.pipelines[PIPELINE].executions;
                executions.last().and_then(|last| last.revision.clone())
            });
            assert_eq!(
                latest.as_deref(),
                Some("commit-2"),
                "after {after} ms: {found:?}"
            );
        });
    }
}

#[test]
fn late_push_to_the_former_source_creates_nothing() {
    with_source(async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        let reactions = fake.push(REPOSITORY, BRANCH, "commit-here");
        stack.update(&cross_account(), None).await.assert_success();
        assert_eq!(branch_exists(fake).as_deref(), Some("false"));
        fake.arrange(|aws| aws.other_account.admits = false);
        deliver_events(fake, &reactions, "late").await;
        assert_eq!(branch_exists(fake).as_deref(), Some("false"));
    });
}

#[test]
fn pipeline_moved_back_runs_the_first_push_to_its_repository() {
    with_source(async |fake, stack| {
        fake.push_in_other_account(REPOSITORY, BRANCH, "commit-there");
        stack.create(&properties()).await.assert_success();
        push_to(fake, &properties(), "commit-1", "first").await;
        for moved in [cross_account(), properties()] {
            stack.update(&moved, None).await.assert_success();
        }
        push_to(fake, &properties(), "commit-2", "second").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
    });
}
