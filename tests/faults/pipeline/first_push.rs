//! A branch's first push, and pushes during the pipeline's creation.

use std::time::Duration;

use serde_json::json;

use crate::checks::{assert_runs, delete_completely, runs, shape};
use crate::fixture::{
    BRANCH, CHILD, GIVEN, OTHER_PARENT, PIPELINE, REPOSITORY, created, delete_branch, event,
    event_rule, fake, in_account, in_project, paused, properties, push, push_beside, pushed,
    set_event_rule, stack, stack_called, with,
};
use fake_aws::other_account::repository_arn;
use fake_aws::{AwsState, Options, Reaction, ResourceAction};
use test_support::custom_resource::{answered_once, deliver_all, deliver_beside, deliver_once};

#[test]
fn first_push_creates_the_pipeline_and_runs_it() {
    in_project(created(&properties()), async |fake, _| {
        assert!(fake.look(|aws| aws.pipelines.is_empty()), "not before");
        // A push to another branch, the first of all, is not one to this branch.
        fake.push(REPOSITORY, "main", "commit-0");
        let first = push(fake, REPOSITORY, "commit-1", "first").await;
        event(&first);
        assert_runs(fake, &[("commit-1", 1)]);
        fake.look(|aws| {
            let default = &aws.codecommit.repositories[REPOSITORY].default_branch;
            assert_eq!(default.as_deref(), Some(BRANCH), "what a clone checks out");
        });
        let second = push(fake, REPOSITORY, "commit-2", "second").await;
        let starts = matches!(second[..], [Reaction::Started { .. }]);
        assert!(starts, "{second:?}");
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
    });
}

#[test]
fn second_push_during_the_creation_runs_once() {
    // At least a millisecond, so that the branch ends with the second commit.
    for after in (1..16_000).step_by(400) {
        in_project(created(&properties()), async |fake, _| {
            let first = push_beside(fake, properties(), "commit-1");
            tokio::time::sleep(Duration::from_millis(after)).await;
            push(fake, REPOSITORY, "commit-2", "second").await;
            first.await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            let runs = fake.look(|aws| runs(aws, PIPELINE));
            let context = format!("{runs:?} with the second push after {after} ms");
            assert_eq!(runs.get("commit-2"), Some(&1), "{context}");
            // The first may have been passed by the second, and is not run twice.
            let first = runs.get("commit-1").copied().unwrap_or(0);
            assert!(first <= 1, "{context}");
        });
    }
}

#[test]
fn rule_disabled_during_the_creation_holds_the_second_push() {
    let mut held = 0;
    // The update of the stack may enable the rule again.
    for after in (1..16_000).step_by(400) {
        in_project(created(&properties()), async |fake, _| {
            let first = push_beside(fake, properties(), "commit-1");
            tokio::time::sleep(Duration::from_millis(after)).await;
            set_event_rule(fake, "DISABLED");
            fake.push_without_event(REPOSITORY, BRANCH, "commit-2");
            first.await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            let is_disabled = |aws: &AwsState| {
                let is_made = aws.pipelines.contains_key(PIPELINE);
                is_made && aws.made[&event_rule()].properties["State"] == "DISABLED"
            };
            if fake.look(is_disabled) {
                assert_eq!(fake.count("StartPipelineExecution"), 0, "after {after} ms");
                held += 1;
            }
        });
    }
    assert!(held > 0, "no rule stayed disabled");
}

#[test]
fn repeated_push_of_a_frozen_project_is_ignored() {
    in_project(created(&properties()), async |fake, _| {
        let first = push(fake, REPOSITORY, "commit-1", "first").await;
        set_event_rule(fake, "DISABLED");
        fake.push_without_event(REPOSITORY, BRANCH, "commit-2");
        let again = pushed(fake, "again", event(&first));
        let answer = answered_once(fake, "again", &again).await;
        let ignored = json!({"Ignored": "the event rule is disabled"});
        assert_eq!(answer, Some(Ok(ignored)));
        assert_runs(fake, &[("commit-1", 1)]);
    });
}

#[test]
fn push_at_any_time_while_the_stack_is_created_is_run_once() {
    let given = with(properties(), "Source", json!({"RepositoryName": GIVEN}));
    for (wanted, repository, is_pushed) in [
        (given.clone(), GIVEN, true),
        (given, GIVEN, false),
        (properties(), REPOSITORY, false),
    ] {
        for after in (0..16_000).step_by(800) {
            in_account(async |fake, stack| {
                if is_pushed {
                    fake.push(repository, BRANCH, "commit-0");
                }
                let create = stack.request("Create", None, &wanted, None);
                let creating = deliver_beside(fake, &create);
                tokio::time::sleep(Duration::from_millis(after)).await;
                while fake.look(|aws| !aws.codecommit.repositories.contains_key(repository)) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                push(fake, repository, "commit-1", "push").await;
                creating.await;
                stack.heard(&create).await.assert_success();
                tokio::time::sleep(Duration::from_secs(60)).await;
                let runs = fake.look(|aws| runs(aws, PIPELINE));
                let context = format!("{runs:?} with a push to {repository} after {after} ms");
                assert_eq!(runs.get("commit-1"), Some(&1), "{context}");
                stack.resource = Some((CHILD.to_owned(), wanted.clone()));
            });
        }
    }
}

#[test]
fn next_request_creates_a_pipeline_that_a_push_could_not() {
    in_project(created(&properties()), async |fake, stack| {
        let made = || fake.look(|aws| shape(aws)["made"].clone());
        let before = made();
        fake.fail_resource("Pipeline", ResourceAction::Create, "no such role", 3);
        push(fake, REPOSITORY, "commit-1", "push").await;
        assert!(fake.calls_of("push.3") > 0, "Lambda tried three times");
        assert_eq!(made(), before, "rolled back");
        assert!(fake.look(|aws| aws.pipelines.is_empty()));
        stack.update(&properties(), None).await.assert_success();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_runs(fake, &[("commit-1", 1)]);
    });
}

#[test]
fn push_of_a_deleted_branch_creates_no_pipeline() {
    in_project(created(&properties()), async |fake, _| {
        let first = event(&fake.push(REPOSITORY, BRANCH, "commit-1"));
        delete_branch(fake);
        deliver_all(fake, &pushed(fake, "push", first), false).await;
        assert!(fake.look(|aws| aws.pipelines.is_empty()));
    });
}

#[test]
fn event_about_something_else_changes_nothing() {
    paused(async {
        let fake = fake(Options::default());
        let mut stack = stack(&fake);
        stack.create(&properties()).await.assert_success();
        let mut second = stack_called(&fake, OTHER_PARENT);
        second.starts_counting_at(100);
        let wanted = with(properties(), "ProjectID", json!("second"));
        second.create(&wanted).await.assert_success();
        let first = event(&fake.push(REPOSITORY, BRANCH, "commit-1"));
        let arn = first["resources"][0].as_str().expect("the repository");
        let given = arn.replace(REPOSITORY, GIVEN);
        let others = [
            ("another's stack", "/StackName", json!("gitops-dev-second")),
            ("no stack", "/StackName", json!("gitops-dev-nobody")),
            ("no pipeline's", "/StackName", json!("cfnstack-dev-shop")),
            ("a repository", "/resources/0", json!(given)),
            (
                "an account",
                "/resources/0",
                json!(repository_arn(REPOSITORY)),
            ),
            ("a branch", "/detail/referenceName", json!("main")),
            ("a tag", "/detail/referenceType", json!("tag")),
            ("a deletion", "/detail/event", json!("referenceDeleted")),
            ("a service", "/source", json!("aws.ecr")),
        ];
        fake.push(REPOSITORY, "main", "commit-of-main");
        fake.push(GIVEN, BRANCH, "commit-of-given");
        for (what, at, value) in others {
            let mut event = first.clone();
            *event.pointer_mut(at).expect("a member of the event") = value;
            deliver_once(&fake, what, &pushed(&fake, what, event)).await;
            let calls = fake.journal_of(what);
            assert!(calls.iter().all(|call| call.reads()), "{what}");
        }
        second.delete().await.assert_success();
        delete_completely(&mut stack).await;
    });
}
