//! Every status of a child stack, from every possible operation, for every request: its
//! response and the resources afterwards.

use std::time::Duration;

use serde_json::Value;

use crate::checks::{difference, nothing_remains, shape, watch};
use crate::fixture::{
    CHILD, FOREIGN_TAGS, changed, created, created_with, fake, paused, properties, stack,
};
use fake_aws::schedules::Moment;
use fake_aws::stacks::{STATUSES, SeenTokens};
use fake_aws::{Caller, FakeAws, Options, Schedules, stacks};
use test_support::custom_resource::{ParentStack, RequestOutcome, StackRequest, deliver_once};

/// Who began the operation that led to the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    /// This very request, in a delivery that was cut off.
    This,
    /// An earlier request of the resource's.
    Earlier,
    /// A person, without a token.
    None,
}

/// How a running operation ends.
fn then(status: &str) -> Option<(Duration, &'static str)> {
    let end = match status {
        "CREATE_IN_PROGRESS" => "CREATE_COMPLETE",
        "ROLLBACK_IN_PROGRESS" => "ROLLBACK_COMPLETE",
        "UPDATE_IN_PROGRESS" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_IN_PROGRESS" | "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" => {
            "UPDATE_ROLLBACK_COMPLETE"
        }
        _ => return None,
    };
    Some((Duration::from_secs(20), end))
}

/// The status that follows without another request.
fn settled(status: &'static str) -> &'static str {
    then(status).map_or(status, |(_, end)| end)
}

/// Whether a request that finds the resource's own stack in this status succeeds: unless its own
/// operation has failed, or only a person gets the stack out of the status.
fn succeeds(request_type: &str, status: &'static str, begun: Begun) -> bool {
    if status == "UPDATE_FAILED" {
        return request_type == "Delete";
    }
    if begun != Begun::This {
        return true;
    }
    if request_type == "Delete" {
        // A failed deletion stays failed until the next request.
        return status != "DELETE_FAILED";
    }
    !matches!(
        settled(status),
        "ROLLBACK_COMPLETE"
            | "ROLLBACK_FAILED"
            | "CREATE_FAILED"
            | "UPDATE_FAILED"
            | "UPDATE_ROLLBACK_COMPLETE"
            | "UPDATE_ROLLBACK_FAILED"
    )
}

/// The resource's stack, there for long, and the request that meets it.
async fn scene(request_type: &str) -> (FakeAws, ParentStack, StackRequest) {
    let options = Options {
        resource_takes: Duration::from_millis(500),
        ..Options::default()
    };
    let (fake, mut stack) = created_with(options, &properties()).await;
    let wanted = changed(properties());
    let request = match request_type {
        // CloudFormation does not keep the former state.
        "Create" => stack.request("Create", None, &wanted, None),
        "Update" => stack.request_update(&wanted),
        _ => stack.request("Delete", Some(CHILD), &properties(), None),
    };
    (fake, stack, request)
}

/// The token that a delivery of this request gives to its operation.
async fn own_token(fake: &FakeAws, request: &StackRequest) -> String {
    let fork = fake.fork();
    deliver_once(&fork, "fork", request).await;
    let journal = fork.journal();
    let begins = ["CreateStack", "UpdateStack", "DeleteStack"];
    let entry = journal.iter().find(|entry| begins.contains(&&*entry.operation));
    let token = &entry.expect("it begins an operation").params["ClientRequestToken"];
    token.as_str().expect("a token").to_owned()
}

/// Puts the child stack into a status.
fn arrange(fake: &FakeAws, status: &'static str, token: Option<&str>) {
    fake.arrange(|aws| {
        let id = aws.stacks.named(CHILD).expect("the child stack").id.clone();
        let now = aws.now;
        if status.starts_with("DELETE_") && status != "DELETE_FAILED" {
            stacks::operations::delete(&mut aws.stacks, now, &id, token.map(str::to_owned));
            let ends = now + Duration::from_hours(1);
            if status == "DELETE_COMPLETE" {
                while aws.step(ends) {}
                aws.now = now;
            }
            return;
        }
        let stack = aws.stacks.named_mut(CHILD).expect("the child stack");
        stack.arrange(status, token, then(status), now);
        // A failed creation has created nothing that remains.
        if matches!(status, "ROLLBACK_COMPLETE" | "REVIEW_IN_PROGRESS") {
            let resources: Vec<_> = stack.resources.values().cloned().collect();
            stack.resources.clear();
            stack.outputs.clear();
            for held in resources {
                aws.delete_resource(&held.desired);
            }
        }
    });
}

fn check_own(request_type: &str, status: &'static str, begun: Begun) {
    paused(async {
        let (fake, mut stack, request) = scene(request_type).await;
        let wanted = changed(properties());
        let own = own_token(&fake, &request).await;
        let earlier = fake.look(|aws| {
            let child = aws.stacks.named(CHILD).expect("the child stack");
            child.last_token().map(str::to_owned)
        });
        let token = match begun {
            Begun::This => Some(own),
            Begun::Earlier => earlier,
            Begun::None => None,
        };
        arrange(&fake, status, token.as_deref());
        let context = format!("{request_type} that finds {status}, begun by {begun:?}");
        let answer = stack.deliver(&request).await;
        let is_done = answer.is_success();
        let expected = succeeds(request_type, status, begun);
        assert_eq!(is_done, expected, "{context}: {answer:?}");
        let id = match &answer {
            RequestOutcome::Success { id, .. } => id,
            RequestOutcome::Failed { id, reason } => {
                let names_stack = reason.contains("stack gitops-dev-shop");
                assert!(names_stack, "{context}: {reason}");
                let names_command = reason
                    .contains("`aws cloudformation rollback-stack --stack-name gitops-dev-shop`");
                let is_of_person = status == "UPDATE_FAILED" && begun != Begun::This;
                assert_eq!(names_command, is_of_person, "{context}: {reason}");
                id
            }
            RequestOutcome::Silence => panic!("{context}: no answer"),
        };
        assert_eq!(id, CHILD, "{context}");
        if is_done && request_type != "Delete" {
            let is_itself = token.is_some() && begun == Begun::This;
            let now = fake.look(shape);
            let fresh = Box::pin(fresh(&wanted)).await;
            // The resources that the prepared operation of this request reports were never created.
            let is_right = is_itself || now == fresh;
            assert!(is_right, "{context}: {}", difference(&now, &fresh));
        }
        // A stack that was complete once is left to the Delete that follows.
        let was_complete = settled(status).starts_with("UPDATE_");
        if !is_done && request_type == "Create" && !was_complete {
            fake.assert_holds_in(&context, |aws| nothing_remains(aws, &[]));
        }
        // And then it can be deleted.
        if !is_done && request_type == "Update" {
            let back = stack.request("Update", Some(CHILD), &properties(), Some(&wanted));
            let backed = stack.deliver(&back).await;
            assert!(backed.is_success(), "{context}: {backed:?}");
        }
        stack.delete_id(CHILD, &properties()).await;
        fake.assert_holds_in(&context, |aws| nothing_remains(aws, &[]));
        fake.assert_unbroken();
    });
}

/// A Create's resources in an empty account.
async fn fresh(wanted: &Value) -> Value {
    created(wanted).await.0.look(shape)
}

#[test]
fn every_request_gets_a_response_in_every_stack_status() {
    let mut cells = Schedules::default();
    for request_type in ["Create", "Update", "Delete"] {
        for status in STATUSES {
            for begun in [Begun::This, Begun::Earlier, Begun::None] {
                let cell = format!("{request_type} {status} {begun:?}");
                cells.run(cell, || check_own(request_type, status, begun));
            }
        }
    }
    let cells = cells.finish();
    fake_aws::figure!("states: {cells} of its own stack");
}

/// A person's operation, which has no token, is not the Update's own, before any call.
#[test]
fn operation_of_a_person_is_awaited_at_any_call() {
    let wanted = paused(fresh(&changed(properties())));
    let mut schedules = Schedules::default();
    for tokens in [SeenTokens::SameAnswer, SeenTokens::Refused] {
        for index in 0..update_beside_a_person(usize::MAX, tokens, &wanted) {
            schedules.run_always(format!("{tokens:?} before call {index}"), || {
                update_beside_a_person(index, tokens, &wanted)
            });
        }
    }
    assert!(schedules.report("calls of an Update before which a person updates the stack") > 10);
}

/// Lets a person begin an operation before the call `index` of an Update. Returns the number of
/// calls.
fn update_beside_a_person(index: usize, tokens: SeenTokens, wanted: &Value) -> usize {
    let counts = |fake: &FakeAws, _: &Caller| !fake.responses().is_empty();
    let begin = |fake: &FakeAws| {
        let is_free = fake.look(|aws| {
            let child = aws.stacks.named(CHILD).expect("the child stack");
            !child.status.ends_with("_IN_PROGRESS")
        });
        if is_free {
            arrange(fake, "UPDATE_IN_PROGRESS", None);
        }
    };
    Moment::before(index).play(counts, begin, async |_| {
        let (fake, stack, request) = scene("Update").await;
        fake.options(|options| options.seen_tokens = tokens);
        stack.deliver(&request).await.assert_success();
        // One that begins after the last read goes on.
        tokio::time::sleep(Duration::from_mins(1)).await;
        let now = fake.look(shape);
        assert!(now == *wanted, "{}", difference(&now, wanted));
    })
}

/// A foreign stack is neither adopted nor changed, in any status.
// claim: user-of-another-stack-is-rejected-naming-its-owner
#[test]
fn foreign_stack_is_rejected_and_kept_in_every_status() {
    for tags in [&FOREIGN_TAGS[..], &[]] {
        for status in STATUSES {
            if status == "DELETE_COMPLETE" {
                continue;
            }
            // A stack without tags may be one that has lost them: see `tags.rs`.
            let requests = if tags.is_empty() { 1 } else { 3 };
            for request_type in ["Create", "Update", "Delete"].into_iter().take(requests) {
                paused(meets_foreign(request_type, status, tags));
            }
        }
    }
}

async fn meets_foreign(request_type: &str, status: &'static str, tags: &[(&str, &str)]) {
    let fake = fake(Options::default());
    fake.stack(CHILD, status, tags);
    watch(&fake, 0, &[]);
    let mut stack = stack(&fake);
    let request = match request_type {
        "Create" => stack.request("Create", None, &properties(), None),
        "Update" => {
            let old = changed(properties());
            stack.request("Update", Some(CHILD), &properties(), Some(&old))
        }
        _ => stack.request("Delete", Some(CHILD), &properties(), None),
    };
    let answer = stack.deliver(&request).await;
    let context = format!("{request_type} that finds {status} of {tags:?}");
    let is_delete = request_type == "Delete";
    assert_eq!(answer.is_success(), is_delete, "{context}: {answer:?}");
    if let RequestOutcome::Failed { id, reason } = &answer {
        let is_marked = id.starts_with("rejected/gitops-dev-shop/");
        assert_eq!(is_marked, request_type == "Create", "{context}");
        assert!(is_marked || id == CHILD, "{context}: {id}");
        answer.assert_reason(["using stack gitops-dev-shop"]);
        let is_empty = status == "REVIEW_IN_PROGRESS" && tags.is_empty();
        let command = if is_empty {
            "delete-stack"
        } else {
            "update-stack"
        };
        answer.assert_reason([format!("aws cloudformation {command}")]);
        let names_owner =
            reason.contains("it belongs to Project of stack") && reason.contains("stack/other/");
        assert_eq!(names_owner, !tags.is_empty(), "{reason}");
        // The Delete that follows touches nothing either.
        stack.delete_id(id, &properties()).await;
    }
    for operation in ["CreateStack", "UpdateStack", "DeleteStack"] {
        assert_eq!(fake.count(operation), 0, "{context}");
    }
    fake.assert_unbroken();
}
