//! Pushes before, during and after a request for the resource.

use std::time::Duration;

use serde_json::json;

use super::{FIRST, MATCHING, OTHER, deliver, event_of, push, running, wanted};
use crate::checks::{assert_runs, delete_completely};
use crate::fixture::{
    BRANCH, CHILD, REPOSITORY, changed, deliver_events, in_account, in_project, paused, properties,
    with,
};
use fake_aws::Reaction;
use test_support::custom_resource::deliver_beside;

#[test]
fn push_while_the_stack_is_updated_runs_once() {
    for after in [0, 2, 4, 6, 8, 10] {
        in_project(running(), async |fake, stack| {
            let update = stack.request("Update", Some(CHILD), &changed(wanted()), Some(&wanted()));
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
            let id = aws.stacks.named(CHILD).expect("the stack").id.clone();
            let child = aws.stacks.all.get_mut(&id).expect("the stack");
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
    paused(async {
        let (fake, mut stack) = running().await;
        let event = event_of(&fake, "commit-2", MATCHING);
        delete_completely(&mut stack).await;
        deliver(&fake, &event, "push").await;
        assert!(fake.look(|aws| aws.pipelines.is_empty()));
        assert_eq!(fake.count("StartPipelineExecution"), 0);
    });
}
