//! A stack's description and its events come from two calls: an operation may start in between,
//! and each may be late.

use std::time::Duration;

use crate::checks::{answers_are_true_when_they_come, assert_nothing_remains, ours};
use crate::fixture::{CHILD, account, changed, in_project, properties, ruled};
use fake_aws::{At, FakeAws, Options, ResourceAction};
use test_support::custom_resource::{ParentStack, StackRequest, deliver_once};

/// Two copies of a request: one reads the stack's description, and before it reads the events, at
/// this poll, the other one starts its operation. Both have this status.
async fn two_copies(fake: &FakeAws, request: &StackRequest, look: usize, status: &str) {
    fake.hold(
        "slow",
        At::Operation("DescribeStackEvents".to_owned(), look),
        Duration::from_millis(1500),
    );
    let slow = deliver_once(fake, "slow", request);
    let quick = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        deliver_once(fake, "quick", request).await
    };
    tokio::join!(Box::pin(slow), Box::pin(quick));
    assert_eq!(fake.faults_left(), 0, "nothing was held");
    let answers = request.responses(fake);
    let statuses = answers.iter().map(|one| one.json()["Status"].clone());
    let statuses: Vec<_> = statuses.collect();
    assert_eq!(statuses, [status, status]);
}

async fn project() -> (FakeAws, ParentStack) {
    let (fake, mut stack) = account(Options::default());
    answers_are_true_when_they_come(&fake);
    stack.create(&properties()).await.assert_success();
    tokio::time::sleep(Duration::from_mins(1)).await;
    (fake, stack)
}

#[test]
fn copy_waits_for_the_operation_of_its_peer_and_reports_its_end() {
    for (fails, status) in [(false, "SUCCESS"), (true, "FAILED")] {
        in_project(project(), async |fake, stack| {
            let update = stack.request_update(&changed(ruled()));
            if fails {
                fake.fail_resource("BuildProject", ResourceAction::Update, "no such image", 1);
            }
            two_copies(fake, &update, 0, status).await;
            stack.resource = Some((CHILD.to_owned(), changed(ruled())));
        });
    }
}

#[test]
fn update_after_a_rollback_is_a_new_update() {
    in_project(project(), async |fake, stack| {
        fake.fail_resource("BuildProject", ResourceAction::Update, "no such image", 1);
        let failing = stack.request_update(&changed(ruled()));
        let failed = stack.deliver(&failing).await;
        failed.assert_reason(["no such image"]);
        fake.look(|aws| assert_eq!(ours(aws)[0].status, "UPDATE_ROLLBACK_COMPLETE"));
        tokio::time::sleep(Duration::from_mins(1)).await;
        let update = stack.request_update(&changed(ruled()));
        two_copies(fake, &update, 0, "SUCCESS").await;
        stack.resource = Some((CHILD.to_owned(), changed(ruled())));
    });
}

#[test]
fn delete_after_a_failed_delete_is_a_new_delete() {
    in_project(project(), async |fake, stack| {
        fake.fail_resource("EventRule", ResourceAction::Delete, "it is busy", 1);
        stack.delete().await.assert_reason(["it is busy"]);
        fake.look(|aws| assert_eq!(ours(aws)[0].status, "DELETE_FAILED"));
        tokio::time::sleep(Duration::from_mins(1)).await;
        let delete = stack.request("Delete", Some(CHILD), &properties(), None);
        // The first read is that of the tombstone.
        two_copies(fake, &delete, 1, "SUCCESS").await;
        assert_nothing_remains(fake);
        stack.resource = None;
    });
}
