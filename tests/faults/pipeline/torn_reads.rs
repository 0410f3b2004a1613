//! A stack's description and its events come from two calls: an operation may start in between,
//! and each may be late.

use std::time::Duration;

use serde_json::Value;

use crate::checks::{
    answers_are_true_when_they_come, assert_nothing_remains, delete_completely, ours, watch,
};
use crate::fixture::{CHILD, changed, fake, paused, properties, ruled, stack};
use fake_aws::{At, FakeAws, Options, ResourceAction};
use test_support::custom_resource::{ParentStack, StackRequest, answers_are_sound, deliver_once};

/// Two copies of a request: one reads the stack's description, and before it reads the events, at
/// this poll, the other one starts its operation. Returns both statuses, in their order.
async fn two_copies(fake: &FakeAws, request: &StackRequest, look: usize) -> Vec<Value> {
    fake.hold(
        "slow",
        At::Operation("DescribeStackEvents".to_owned(), look),
        Duration::from_millis(1500),
    );
    let slow = async {
        deliver_once(fake, "slow", request).await;
    };
    let quick = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        deliver_once(fake, "quick", request).await;
    };
    tokio::join!(Box::pin(slow), Box::pin(quick));
    assert_eq!(fake.faults_left(), 0, "nothing was held");
    let answers = request.responses(fake);
    answers
        .iter()
        .map(|answer| answer.json()["Status"].clone())
        .collect()
}

/// The project after a Create, and an update that changes it.
async fn created() -> (ParentStack, StackRequest) {
    let fake = fake(Options::default());
    watch(&fake, 1, &[]);
    answers_are_true_when_they_come(&fake);
    let mut stack = stack(&fake);
    stack.create(&properties()).await.assert_success();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let update = change(&mut stack);
    (stack, update)
}

fn change(stack: &mut ParentStack) -> StackRequest {
    let wanted = changed(ruled());
    let old = properties();
    stack.request("Update", Some(CHILD), &wanted, Some(&old))
}

async fn ends_well(mut stack: ParentStack) {
    let fake = stack.fake.clone();
    stack.resource = Some((CHILD.to_owned(), changed(ruled())));
    delete_completely(&mut stack).await;
    answers_are_sound(&fake);
}

#[test]
fn copy_waits_for_the_operation_of_its_peer_and_reports_its_end() {
    for (fails, status) in [(false, "SUCCESS"), (true, "FAILED")] {
        paused(async {
            let (stack, update) = created().await;
            let fake = stack.fake.clone();
            if fails {
                fake.fail_resource("BuildProject", ResourceAction::Update, "no such image", 1);
            }
            let answers = two_copies(&fake, &update, 0).await;
            assert_eq!(answers, [status, status]);
            fake.assert_unbroken();
            ends_well(stack).await;
        });
    }
}

#[test]
fn update_after_a_rollback_is_a_new_update() {
    paused(async {
        let (mut stack, failing) = created().await;
        let fake = stack.fake.clone();
        fake.fail_resource("BuildProject", ResourceAction::Update, "no such image", 1);
        let failed = stack.deliver(&failing).await;
        assert!(!failed.is_success(), "{failed:?}");
        let status = fake.look(|aws| ours(aws)[0].status);
        assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE");
        tokio::time::sleep(Duration::from_mins(1)).await;
        let update = change(&mut stack);
        let answers = two_copies(&fake, &update, 0).await;
        assert_eq!(answers, ["SUCCESS", "SUCCESS"]);
        ends_well(stack).await;
    });
}

#[test]
fn delete_after_a_failed_delete_is_a_new_delete() {
    paused(async {
        let (mut stack, _) = created().await;
        let fake = stack.fake.clone();
        fake.fail_resource("EventRule", ResourceAction::Delete, "it is busy", 1);
        let failing = stack.request("Delete", Some(CHILD), &properties(), None);
        let failed = stack.deliver(&failing).await;
        failed.assert_reason(["it is busy"]);
        let status = fake.look(|aws| ours(aws)[0].status);
        assert_eq!(status, "DELETE_FAILED");
        tokio::time::sleep(Duration::from_mins(1)).await;
        let delete = stack.request("Delete", Some(CHILD), &properties(), None);
        // The first read is that of the tombstone.
        let answers = two_copies(&fake, &delete, 1).await;
        assert_eq!(answers, ["SUCCESS", "SUCCESS"]);
        assert_nothing_remains(&fake);
        fake.assert_unbroken();
    });
}
