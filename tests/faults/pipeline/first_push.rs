//! A branch's first push, and pushes during the pipeline's creation.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::checks::{assert_runs, delete_completely, runs, shape, watch};
use crate::fixture::{
    BRANCH, CHILD, GIVEN, OTHER_PARENT, PIPELINE, REPOSITORY, changed, delete_branch, event, fake,
    in_account, in_project, paused, properties, push, pushed, stack, stack_called, with,
};
use fake_aws::{FakeAws, Options, Reaction, ResourceAction};
use test_support::custom_resource::{ParentStack, deliver_all, deliver_beside, deliver_once};

async fn created(wanted: &Value) -> (FakeAws, ParentStack) {
    let fake = fake(Options::default());
    watch(&fake, 1, &[]);
    let mut stack = stack(&fake);
    stack.create(wanted).await.assert_success();
    tokio::time::sleep(Duration::from_secs(60)).await;
    (fake, stack)
}

#[test]
fn first_push_creates_the_pipeline_and_runs_it() {
    in_project(created(&properties()), async |fake, _| {
        assert!(fake.look(|aws| aws.pipelines.is_empty()), "not before");
        // A push to another branch, the first of all, is not one to this branch.
        fake.push(REPOSITORY, "main", "commit-0");
        let first = push(fake, REPOSITORY, "commit-1", "first").await;
        event(&first);
        assert_runs(fake, &[("commit-1", 1)]);
        let default = fake.look(|aws| {
            aws.codecommit.repositories[REPOSITORY]
                .default_branch
                .clone()
        });
        assert_eq!(default.as_deref(), Some(BRANCH), "what a clone checks out");
        let second = push(fake, REPOSITORY, "commit-2", "second").await;
        assert!(
            matches!(second[..], [Reaction::Started { .. }]),
            "{second:?}"
        );
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
    });
}

#[test]
fn push_while_the_stack_is_updated_waits_for_it_and_is_run() {
    for after in [0, 2, 4, 6, 8, 10] {
        in_project(created(&properties()), async |fake, stack| {
            let wanted = changed(properties());
            let update = stack.request("Update", Some(CHILD), &wanted, Some(&properties()));
            let updating = deliver_beside(fake, &update);
            tokio::time::sleep(Duration::from_secs(after)).await;
            push(fake, REPOSITORY, "commit-1", "push").await;
            updating.await;
            let answer = stack.heard(&update).await;
            assert!(answer.is_success(), "after {after} s: {answer:?}");
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_runs(fake, &[("commit-1", 1)]);
            stack.resource = Some((CHILD.to_owned(), wanted));
        });
    }
}

/// Pushes again and again during the pipeline's creation. EventBridge's events for the function
/// reach it at once.
fn pushes(fake: &FakeAws, repository: &'static str, times: &[u64]) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for (index, after) in times.iter().enumerate() {
        let (fake, after) = (fake.clone(), Duration::from_millis(*after));
        running.spawn(Box::pin(async move {
            tokio::time::sleep(after).await;
            let commit = format!("commit-{}", index + 1);
            push(&fake, repository, &commit, &format!("push-{}", index + 1)).await;
        }));
    }
    running
}

#[test]
fn second_push_during_the_creation_runs_once() {
    let mut times = 0;
    for after in (0..16_000).step_by(400) {
        in_project(created(&properties()), async |fake, _| {
            let mut running = pushes(fake, REPOSITORY, &[0, after]);
            while let Some(done) = running.join_next().await {
                done.expect("no panic in a delivery");
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
            let runs = fake.look(|aws| runs(aws, PIPELINE));
            let context = format!("{runs:?} with the second push after {after} ms");
            assert_eq!(runs.get("commit-2"), Some(&1), "{context}");
            // The first may have been passed by the second, and is not run twice.
            let first = runs.get("commit-1").copied().unwrap_or(0);
            assert!(first <= 1, "{context}");
        });
        times += 1;
    }
    fake_aws::figure!("first push: a second one at {times} times");
}

#[test]
fn push_at_any_time_while_the_stack_is_created_is_run_once() {
    let given = with(properties(), "Source", json!({"RepositoryName": GIVEN}));
    let mut times = 0;
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
            times += 1;
        }
    }
    fake_aws::figure!("first push: at {times} times while the stack is created");
}

#[test]
fn next_request_creates_a_pipeline_that_a_push_could_not() {
    in_project(created(&properties()), async |fake, stack| {
        let before = fake.look(|aws| shape(aws)["made"].clone());
        fake.fail_resource("Pipeline", ResourceAction::Create, "no such role", 3);
        push(fake, REPOSITORY, "commit-1", "push").await;
        assert!(fake.calls_of("push.3") > 0, "Lambda tried three times");
        assert_eq!(
            fake.look(|aws| shape(aws)["made"].clone()),
            before,
            "rolled back"
        );
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
        second
            .create(&with(properties(), "ProjectID", json!("second")))
            .await
            .assert_success();
        let first = event(&fake.push(REPOSITORY, BRANCH, "commit-1"));
        let arn = first["resources"][0].as_str().expect("the repository");
        let given = arn.replace(REPOSITORY, GIVEN);
        let others = [
            ("another's stack", "/StackName", json!("gitops-dev-second")),
            ("no stack", "/StackName", json!("gitops-dev-nobody")),
            (
                "a stack of no pipeline",
                "/StackName",
                json!("cfnstack-dev-shop"),
            ),
            ("a repository", "/resources/0", json!(given)),
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
            let one = pushed(&fake, what, event);
            deliver_once(&fake, what, &one).await;
            let changes = fake
                .journal_of(what)
                .into_iter()
                .filter(|call| !call.reads());
            assert_eq!(changes.count(), 0, "{what}");
        }
        second.delete().await.assert_success();
        delete_completely(&mut stack).await;
    });
}
