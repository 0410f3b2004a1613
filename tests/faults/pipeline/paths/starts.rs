//! Which pushes start the pipeline, also before, during and after a request for the resource.

use std::time::Duration;

use serde_json::json;

use super::{FIRST, MATCHING, OTHER, deliver, event_of, push, running, wanted};
use crate::checks::{assert_runs, delete_completely};
use crate::fixture::{
    BRANCH, CHILD, PIPELINE, REPOSITORY, change_repository, changed, delete_branch, deliver_events,
    in_account, in_project, properties, set_event_rule, with,
};
use fake_aws::{FaultKind, On, Reaction};
use test_support::custom_resource::deliver_beside;

#[test]
fn new_branch_always_starts() {
    in_project(running(), async |fake, _| {
        delete_branch(fake);
        push(fake, "commit-2", OTHER, "again").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
        // The same commit again.
        delete_branch(fake);
        push(fake, "commit-2", OTHER, "same").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 2)]);
    });
}

#[test]
fn deleted_branch_starts_nothing() {
    in_project(running(), async |fake, stack| {
        let event = event_of(fake, "commit-2", MATCHING);
        delete_branch(fake);
        deliver(fake, &event, "push").await;
        assert_runs(fake, &[("commit-1", 1)]);
        // An Update keeps the pipeline of a deleted branch.
        stack.update(&changed(wanted()), None).await.assert_success();
        assert!(fake.look(|aws| aws.pipelines.contains_key(PIPELINE)));
    });
}

#[test]
fn repeated_event_starts_nothing_while_its_rule_is_disabled() {
    in_project(running(), async |fake, _| {
        let event = event_of(fake, "commit-2", MATCHING);
        set_event_rule(fake, "DISABLED");
        deliver(fake, &event, "frozen").await;
        assert_runs(fake, &[("commit-1", 1)]);
        set_event_rule(fake, "ENABLED");
        deliver(fake, &event, "repeated").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
    });
}

#[test]
fn push_keeps_a_default_branch_that_a_person_has_chosen() {
    in_project(running(), async |fake, _| {
        change_repository(fake, |held| held.default_branch = Some("main".to_owned()));
        push(fake, "commit-2", MATCHING, "push").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
        change_repository(fake, |held| {
            assert_eq!(held.default_branch.as_deref(), Some("main"));
        });
    });
}

#[test]
fn unreadable_difference_starts() {
    let many: Vec<String> = (0..60).map(|n| format!("docs/{n}")).collect();
    for what in ["commit is gone", "denied", "no answer", "too many"] {
        in_project(running(), async |fake, _| {
            let mut files = OTHER.to_vec();
            if what == "too many" {
                files = FIRST.to_vec();
                files.extend(many.iter().map(|path| (path.as_str(), "1")));
            }
            let reactions = fake.push_files(REPOSITORY, BRANCH, "commit-2", &files);
            let operation = On::Operation("GetDifferences");
            match what {
                "commit is gone" => change_repository(fake, |held| {
                    held.trees.remove("commit-1");
                }),
                "denied" => fake.break_from_now(operation, FaultKind::Denied),
                "no answer" => fake.break_from_now(operation, FaultKind::RequestLost),
                _ => fake.options(|options| options.page_length = Some(1)),
            }
            deliver_events(fake, &reactions, "push").await;
            assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
            fake.mend();
            fake.options(|options| options.page_length = None);
        });
    }
}

#[test]
fn push_while_the_stack_is_updated_runs_once() {
    for after in [0, 2, 4, 6, 8, 10] {
        in_project(running(), async |fake, stack| {
            let update = stack.request_update(&changed(wanted()));
            let updated = deliver_beside(fake, &update);
            tokio::time::sleep(Duration::from_secs(after)).await;
            push(fake, "commit-2", MATCHING, "push").await;
            push(fake, "commit-3", OTHER, "another").await;
            updated.await;
            stack.heard(&update).await.assert_success();
            // From the second commit to the third, the matching file changed back.
            assert_runs(fake, &[("commit-1", 1), ("commit-2", 1), ("commit-3", 1)]);
            stack.resource = Some((CHILD.to_owned(), changed(wanted())));
        });
    }
}

#[test]
fn paths_are_added_changed_and_removed() {
    in_account(async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        let first = fake.push_files(REPOSITORY, BRANCH, "commit-1", FIRST);
        deliver_events(fake, &first, "first").await;
        stack.update(&wanted(), None).await.assert_success();
        push(fake, "commit-2", OTHER, "other").await;
        assert_runs(fake, &[("commit-1", 1)]);
        let docs = json!({"Paths": {"Includes": ["docs/**"]}});
        let docs = with(properties(), "Source", docs);
        stack.update(&docs, None).await.assert_success();
        push(fake, "commit-3", FIRST, "docs").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-3", 1)]);
        // The event waits while the paths are removed: then every push starts the pipeline.
        let waiting = event_of(fake, "commit-4", MATCHING);
        stack.update(&properties(), None).await.assert_success();
        deliver(fake, &waiting, "waiting").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-3", 1), ("commit-4", 1)]);
        let last = fake.push_files(REPOSITORY, BRANCH, "commit-5", OTHER);
        assert!(matches!(last[..], [Reaction::Started { .. }]), "{last:?}");
    });
}

#[test]
fn failed_rollback_of_the_stack_does_not_stop_pushes() {
    in_project(running(), async |fake, _| {
        fake.change(|aws| {
            let child = aws.stacks.named_mut(CHILD).expect("the stack");
            child.status = "UPDATE_ROLLBACK_FAILED";
            if let Some(event) = child.events.last_mut() {
                std::sync::Arc::make_mut(event).status = "UPDATE_ROLLBACK_FAILED";
            }
        });
        push(fake, "commit-2", MATCHING, "push").await;
        assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
    });
}

#[test]
fn event_after_the_delete_starts_nothing() {
    in_project(running(), async |fake, stack| {
        let event = event_of(fake, "commit-2", MATCHING);
        delete_completely(stack).await;
        deliver(fake, &event, "push").await;
        assert!(fake.look(|aws| aws.pipelines.is_empty()));
        assert_eq!(fake.count("StartPipelineExecution"), 0);
    });
}
