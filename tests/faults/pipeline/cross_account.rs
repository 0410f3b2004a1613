//! Sources of another account: the function's reads of them, and its behaviour if they are
//! denied.

use std::time::Duration;

use expect_test::expect;

use crate::checks::{assert_runs, runs, watch};
use crate::fixture::{
    BRANCH, CHILD, PIPELINE, REPOSITORY, changed, cross_account, deliver_events, fake, in_account,
    paused, properties, push_beside, push_to, stack,
};
use fake_aws::other_account::repository_arn;
use fake_aws::{FakeAws, Options, redacted};
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

/// Whether the child stack creates the pipeline.
#[track_caller]
fn assert_branch_exists(fake: &FakeAws, expected: bool) {
    fake.look(|aws| {
        let stack = aws.stacks.named(CHILD).expect("the child stack");
        assert_eq!(stack.parameters["BranchExists"], expected.to_string());
    });
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
        assert_branch_exists(&fake, false);
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
        assert_branch_exists(fake, true);
        expect!["the source was not checked (assuming role arn:aws:iam::210987654321:role/role-dev-codecommit-source: AccessDenied: User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::210987654321:role/role-dev-codecommit-source): CloneUrlHttp is empty, and only an execution of the pipeline shows whether the branch exists. Name the role in the provider stack's parameter SourceRoleArns. Name the function's role and the pipeline's role in the role's trust policy - CFG-507"].assert_eq(&redacted(created.note()));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_runs(fake, &[("commit-1", 1)]);

        // Once the role trusts it, the next update returns all attributes.
        fake.arrange(|aws| aws.other_account.admits = true);
        let updated = stack.update(&cross_account(), None).await;
        assert_ne!(attributes(&updated)["CloneUrlHttp"], "");
        assert_eq!(updated.note(), "");
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
        expect!["CloneUrlHttp is empty (looking up repository codecommit-dev-cfn-shop: AccessDeniedException: User: arn:aws:sts::210987654321:assumed-role/role-dev-codecommit-source/s is not authorized to perform: codecommit:GetRepository on resource: arn:aws:codecommit:eu-central-1:210987654321:codecommit-dev-cfn-shop). Allow Source.RoleArn codecommit:GetRepository - CFG-507"].assert_eq(&redacted(created.note()));
        assert_branch_exists(fake, false);
        push_to(fake, &cross_account(), "commit-1", "first").await;
        assert_branch_exists(fake, true);
    });
}

// claim: session-in-the-other-account-is-never-disclosed
#[test]
fn session_of_the_other_account_is_never_shown() {
    for shows in [&["GetRepository", "GetBranch"][..], &["GetBranch"], &[]] {
        paused(async {
            // Without the invariants: without permissions, the pipeline is created too early.
            let fake = &fake(Options::default());
            fake.repository_in_other_account(REPOSITORY);
            fake.arrange(|aws| aws.other_account.shows = shows.iter().copied().collect());
            let mut stack = stack(fake);
            let created = stack.create(&cross_account()).await;
            push_to(fake, &cross_account(), "commit-1", "first").await;
            let updated = stack.update(&changed(cross_account()), None).await;
            let mut shown = vec![format!("{created:?} {updated:?}"), fake.transcript()];
            fake.look(|aws| {
                shown.push(format!("{:?}", aws.stacks.all));
                let bodies = aws.responses.iter().map(|delivery| &delivery.body);
                shown.extend(bodies.map(|body| String::from_utf8_lossy(body).into_owned()));
            });
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
    let mut shown = vec![];
    for code in [
        "EncryptionKeyAccessDeniedException",
        "EncryptionKeyDisabledException",
    ] {
        with_source(async |fake, stack| {
            fake.push_in_other_account(REPOSITORY, BRANCH, "commit-1");
            fake.arrange(|aws| {
                let held = aws.other_account.repositories.get_mut(REPOSITORY);
                held.expect("the repository").key_error = Some(code);
            });
            let created = stack.create(&cross_account()).await;
            assert_eq!(attributes(&created)["CloneUrlHttp"], "");
            shown.push(redacted(created.note()));
        });
    }
    expect![[r#"
        CloneUrlHttp is empty (looking up repository codecommit-dev-cfn-shop: EncryptionKeyAccessDeniedException: An encryption key could not be accessed); the branch was not checked (looking up branch 機能/ログイン of repository codecommit-dev-cfn-shop: EncryptionKeyAccessDeniedException: An encryption key could not be accessed). The pipeline reads it with the same role. Allow Source.RoleArn kms:Decrypt, kms:DescribeKey and kms:GenerateDataKey on the repository's key in the key's policy (kms:ViaService codecommit), and deny them in no policy - CFG-507
        CloneUrlHttp is empty (looking up repository codecommit-dev-cfn-shop: EncryptionKeyDisabledException: An encryption key could not be accessed); the branch was not checked (looking up branch 機能/ログイン of repository codecommit-dev-cfn-shop: EncryptionKeyDisabledException: An encryption key could not be accessed). The pipeline reads it with the same role. Enable the repository's key - CFG-507"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn create_retries_a_role_that_admits_late() {
    with_source(async |fake, stack| {
        fake.arrange(|aws| aws.other_account.admits_from = aws.now + Duration::from_secs(5));
        let created = stack.create(&cross_account()).await;
        created.assert_success();
        assert_eq!(created.note(), "");
        assert_branch_exists(fake, false);
    });
}

#[test]
fn missing_branch_is_awaited_after_the_role_denies() {
    with_source(async |fake, stack| {
        stack.create(&cross_account()).await.assert_success();
        fake.arrange(|aws| aws.other_account.admits = false);
        let updated = stack.update(&changed(cross_account()), None).await;
        updated.assert_success();
        assert_branch_exists(fake, false);
        // The push is believed.
        push_to(fake, &cross_account(), "commit-1", "first").await;
        assert_branch_exists(fake, true);
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
            let first = push_beside(fake, cross_account(), "commit-1");
            tokio::time::sleep(Duration::from_millis(after)).await;
            push_to(fake, &cross_account(), "commit-2", "second").await;
            first.await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            // The push that came late may start the latest commit a second time, never the older
            // one.
            fake.look(|aws| {
                let executions = &aws.pipelines[PIPELINE].executions;
                let latest = executions.last().and_then(|last| last.revision.as_deref());
                let found = runs(aws, PIPELINE);
                assert_eq!(latest, Some("commit-2"), "after {after} ms: {found:?}");
            });
        });
    }
}

#[test]
fn late_push_to_the_former_source_creates_nothing() {
    with_source(async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        let reactions = fake.push(REPOSITORY, BRANCH, "commit-here");
        stack.update(&cross_account(), None).await.assert_success();
        assert_branch_exists(fake, false);
        fake.arrange(|aws| aws.other_account.admits = false);
        deliver_events(fake, &reactions, "late").await;
        assert_branch_exists(fake, false);
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
