//! Each status of a stack, for each caller of its latest operation, and the next step of each type
//! of request. `tests/faults/pipeline/statuses.rs` has stacks of another owner.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>

use std::collections::BTreeMap;

use super::apply;
use super::apply::{ApplyState, ApplyStep, ApplyStop};
use crate::clients::cloudformation::StackStatus;
use crate::common::ownership::Owner;
use crate::gitops_pipeline::delete::plan as delete;
use crate::gitops_pipeline::delete::plan::{DeleteStep, DeleteStop};
use crate::gitops_pipeline::intent_log::request_token::{Purpose, RequestKey, of_first_push, read};
use crate::gitops_pipeline::names::AwsLocation;
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::template::DELETION_POLICY_OUTPUT;
use crate::reconcile::Next;

const CONTENT: &str = "0123456789abcdef";

fn key(signed: u64) -> RequestKey {
    RequestKey {
        signed,
        hash: format!("request{signed}"),
    }
}

pub(in crate::gitops_pipeline) fn context() -> RequestContext {
    RequestContext {
        owner: Owner {
            stack_id: "the stack".to_owned(),
            logical_id: "Project".to_owned(),
        },
        request: key(100),
        compared_at: 100,
        is_local: false,
        location: AwsLocation::from_arn("arn:aws:cloudformation:eu-central-1:123456789012:stack")
            .expect("an ARN"),
        role_arn: "role".to_owned(),
        names_stack: true,
        properties_key: "properties".to_owned(),
    }
}

fn child(status: &str, token: Option<String>) -> ChildStack {
    let latest_request = token.as_deref().and_then(read);
    ChildStack {
        id: "arn".to_owned(),
        changed: 100,
        status: StackStatus::parse(Some(status)),
        status_reason: None,
        owner: Some(context().owner),
        tags: BTreeMap::new(),
        parameters: BTreeMap::new(),
        outputs: BTreeMap::new(),
        latest_token: token,
        latest_request,
        is_request_complete: false,
        failure: None,
    }
}

type ApplyPlan = Next<ApplyStep, (), ApplyStop>;
type DeletePlan = Next<DeleteStep, (), DeleteStop>;

const READ_FAILURE: ApplyPlan = Next::Apply(ApplyStep::ReadFailure);
const CREATE: ApplyPlan = Next::Apply(ApplyStep::Create { again: false });
const UPDATE: ApplyPlan = Next::Apply(ApplyStep::Update { again: false });
const CANCEL_UPDATE: ApplyPlan = Next::Apply(ApplyStep::CancelUpdate);
const CONTINUE_ROLLBACK: ApplyPlan = Next::Apply(ApplyStep::ContinueRollback);
const WAIT: ApplyPlan = Next::Apply(ApplyStep::Wait);
const DONE: ApplyPlan = Next::Done(());
const UNKNOWN: ApplyPlan = Next::Fail(ApplyStop::UnknownStatus);
const READ_PROPERTIES: ApplyPlan = Next::Apply(ApplyStep::ReadProperties);
const DELETE_LEFTOVER: ApplyPlan = Next::Apply(ApplyStep::Delete);

const DELETE: DeletePlan = Next::Apply(DeleteStep::Delete);
const DELETE_CANCELS: DeletePlan = Next::Apply(DeleteStep::CancelUpdate);
const DELETE_WAITS: DeletePlan = Next::Apply(DeleteStep::Wait);
const DELETED: DeletePlan = Next::Done(());

fn make(content: &str) -> Purpose {
    Purpose::Apply(content.to_owned())
}

fn rendered() -> ApplyState {
    ApplyState {
        content: Some(CONTENT.to_owned()),
        has_tombstone: Some(false),
        ..ApplyState::default()
    }
}

fn plan(child: Option<&ChildStack>) -> ApplyPlan {
    plan_in(child, &rendered())
}

fn plan_in(child: Option<&ChildStack>, state: &ApplyState) -> ApplyPlan {
    match apply::next(child, state, &context()) {
        Next::Apply(step) => Next::Apply(step),
        Next::Done(done) => {
            assert_eq!(Some(&done), child);
            DONE
        }
        Next::Fail(stop) => Next::Fail(stop),
    }
}

/// The plan of a deletion without dependents.
fn plan_delete(child: Option<&ChildStack>, purpose: &Purpose) -> DeletePlan {
    let state = delete::DeleteState {
        has_deleted_dependents: true,
        ..delete::DeleteState::default()
    };
    delete::next(child, &state, &context(), purpose)
}

/// Checks the plans of a Create or Update for three callers of the stack's latest operation: this
/// request, an earlier one, and another caller.
fn check_apply(status: &str, expected: [ApplyPlan; 3]) {
    let [own, earlier, other] = expected;
    let token = |signed: u64| Some(key(signed).token(&make(CONTENT)));
    let tokens = [
        (token(100), &own),
        (token(50), &earlier),
        (Some("Console-UpdateStack-1".to_owned()), &other),
        (None, &other),
        (Some(of_first_push()), &other),
    ];
    for (token, expected) in tokens {
        let found = plan(Some(&child(status, token.clone())));
        assert_eq!(found, *expected, "{status} {token:?}");
    }
}

fn check_superseded(status: &str) {
    let newer = child(status, Some(key(101).token(&make(CONTENT))));
    assert_eq!(plan(Some(&newer)), Next::Fail(ApplyStop::Superseded));
    let fails = |stack: &ChildStack| {
        let plan = plan_delete(Some(stack), &Purpose::Delete);
        assert_eq!(plan, Next::Fail(DeleteStop::Overtaken));
    };
    fails(&newer);
    // The same holds if a first push came after the newer request.
    let mut pushed = newer.clone();
    pushed.latest_token = Some(of_first_push());
    fails(&pushed);
}

/// Generates tests of each status: the plans of a Create or Update, of a Delete, and of the
/// rollback of a failed request.
macro_rules! statuses {
    ($($status:ident: $apply:expr, $delete:expr, $roll_back:expr;)*) => {
        $(
            #[allow(non_snake_case)]
            mod $status {
                use super::*;

                const STATUS: &str = stringify!($status);

                #[test]
                fn applied() {
                    check_apply(STATUS, $apply);
                }

                #[test]
                fn deleted() {
                    let child = child(STATUS, Some(key(50).token(&make(CONTENT))));
                    assert_eq!(plan_delete(Some(&child), &Purpose::Delete), $delete);
                }

                #[test]
                fn rolled_back() {
                    let child = child(STATUS, Some(key(100).token(&make(CONTENT))));
                    assert_eq!(plan_delete(Some(&child), &Purpose::RollBack), $roll_back);
                }

                #[test]
                fn superseded_is_unchanged() {
                    if STATUS != "DELETE_COMPLETE" {
                        check_superseded(STATUS);
                    }
                }
            }
        )*
    };
}

statuses! {
    CREATE_IN_PROGRESS: [WAIT; 3], DELETE, DELETED;
    CREATE_FAILED: [READ_FAILURE, DELETE_LEFTOVER, DELETE_LEFTOVER], DELETE, DELETE;
    CREATE_COMPLETE: [DONE, UPDATE, UPDATE], DELETE, DELETED;
    ROLLBACK_IN_PROGRESS: [WAIT; 3], DELETE_WAITS, DELETED;
    ROLLBACK_FAILED: [READ_FAILURE, DELETE_LEFTOVER, DELETE_LEFTOVER], DELETE, DELETE;
    ROLLBACK_COMPLETE: [READ_FAILURE, DELETE_LEFTOVER, DELETE_LEFTOVER], DELETE, DELETE;
    DELETE_IN_PROGRESS: [WAIT; 3], DELETE_WAITS, DELETE_WAITS;
    DELETE_FAILED: [DELETE_LEFTOVER; 3], DELETE, DELETE;
    DELETE_COMPLETE: [CREATE; 3], DELETED, DELETED;
    UPDATE_IN_PROGRESS: [WAIT, CANCEL_UPDATE, WAIT], DELETE_CANCELS, DELETED;
    UPDATE_COMPLETE_CLEANUP_IN_PROGRESS: [WAIT; 3], DELETE_WAITS, DELETED;
    UPDATE_COMPLETE: [DONE, UPDATE, UPDATE], DELETE, DELETED;
    UPDATE_FAILED: [READ_FAILURE, READ_PROPERTIES, READ_PROPERTIES], DELETE, DELETED;
    UPDATE_ROLLBACK_IN_PROGRESS: [WAIT; 3], DELETE_WAITS, DELETED;
    UPDATE_ROLLBACK_FAILED: [READ_FAILURE, CONTINUE_ROLLBACK, CONTINUE_ROLLBACK], DELETE, DELETED;
    UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: [WAIT; 3], DELETE_WAITS, DELETED;
    UPDATE_ROLLBACK_COMPLETE: [READ_FAILURE, UPDATE, UPDATE], DELETE, DELETED;
    REVIEW_IN_PROGRESS: [DELETE_LEFTOVER; 3], DELETE, DELETED;
    IMPORT_IN_PROGRESS: [WAIT; 3], DELETE_WAITS, DELETED;
    IMPORT_COMPLETE: [DONE, UPDATE, UPDATE], DELETE, DELETED;
    IMPORT_ROLLBACK_IN_PROGRESS: [WAIT; 3], DELETE_WAITS, DELETED;
    IMPORT_ROLLBACK_FAILED: [UNKNOWN, READ_PROPERTIES, READ_PROPERTIES], DELETE, DELETED;
    IMPORT_ROLLBACK_COMPLETE: [DONE, UPDATE, UPDATE], DELETE, DELETED;
}

/// Generates tests of plans for a stack whose latest operation this request started.
macro_rules! own_operations {
    ($($name:ident: $status:literal, $purpose:expr => $expected:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let child = child($status, Some(key(100).token(&$purpose)));
                assert_eq!(plan(Some(&child)), $expected);
            }
        )*
    };
}

own_operations! {
    complete_with_former_content_is_updated: "CREATE_COMPLETE", make("another") => UPDATE;
    failed_with_former_content_is_a_failure: "ROLLBACK_COMPLETE", make("another") => READ_FAILURE;
    cancelled_update_is_followed_by_an_update: "UPDATE_ROLLBACK_COMPLETE", Purpose::Cancel => UPDATE;
    continued_rollback_is_followed_by_an_update:
        "UPDATE_ROLLBACK_COMPLETE", Purpose::ContinueRollback => UPDATE;
    continued_rollback_that_fails_may_be_that_of_no_change:
        "UPDATE_ROLLBACK_FAILED", Purpose::ContinueRollback => READ_PROPERTIES;
    rollback_of_a_cancelled_update_is_continued:
        "UPDATE_ROLLBACK_FAILED", Purpose::Cancel => CONTINUE_ROLLBACK;
    running_own_rollback_is_a_failure: "DELETE_IN_PROGRESS", Purpose::RollBack => READ_FAILURE;
    failed_own_rollback_is_a_failure: "DELETE_FAILED", Purpose::RollBack => READ_FAILURE;
    running_deletion_of_a_leftover_is_awaited: "DELETE_IN_PROGRESS", Purpose::Delete => WAIT;
    failed_deletion_of_a_leftover_is_a_failure: "DELETE_FAILED", Purpose::Delete => READ_FAILURE;
}

/// Another caller has operated on the stack after this request did.
#[test]
fn operation_of_others_since_decides_nothing() {
    for (status, sent, has_ended, expected) in [
        ("UPDATE_IN_PROGRESS", CONTENT, true, WAIT),
        ("UPDATE_COMPLETE", CONTENT, true, DONE),
        ("UPDATE_ROLLBACK_COMPLETE", CONTENT, true, DONE),
        ("IMPORT_COMPLETE", CONTENT, true, DONE),
        (
            "UPDATE_COMPLETE",
            CONTENT,
            false,
            Next::Apply(ApplyStep::Update { again: true }),
        ),
        ("UPDATE_ROLLBACK_COMPLETE", CONTENT, false, READ_FAILURE),
        ("UPDATE_ROLLBACK_FAILED", CONTENT, false, CONTINUE_ROLLBACK),
        ("UPDATE_COMPLETE", "another", true, UPDATE),
        ("UPDATE_ROLLBACK_COMPLETE", "another", true, UPDATE),
    ] {
        for token in [
            None,
            Some("Console-UpdateStack-1".to_owned()),
            Some(of_first_push()),
        ] {
            let child = ChildStack {
                latest_request: Some((key(100), make(sent))),
                is_request_complete: has_ended,
                ..child(status, token)
            };
            // The content is rendered only for a stack that can be updated.
            let mut state = rendered();
            state.content = state.content.filter(|_| child.status.is_complete());
            let found = plan_in(Some(&child), &state);
            assert_eq!(found, expected, "{status} {sent} {has_ended}");
        }
    }
}

#[test]
fn stack_is_created_only_after_the_tombstone_was_read() {
    let mut state = ApplyState::default();
    assert_eq!(plan_in(None, &state), Next::Apply(ApplyStep::Render));
    state.content = Some(CONTENT.to_owned());
    assert_eq!(plan_in(None, &state), Next::Apply(ApplyStep::ReadTombstone));
    state.has_tombstone = Some(true);
    assert_eq!(plan_in(None, &state), Next::Fail(ApplyStop::Deleted));
}

#[test]
fn created_stack_that_another_request_deleted_is_a_failure() {
    let deleted = |purpose: Purpose, content: Option<&str>, has_tombstone: Option<bool>| {
        let state = ApplyState {
            content: content.map(ToOwned::to_owned),
            has_tombstone,
            created_id: Some("arn".to_owned()),
            has_read_created: true,
            ..ApplyState::default()
        };
        let token = key(100).token(&purpose);
        plan_in(Some(&child("DELETE_COMPLETE", Some(token))), &state)
    };
    let (read, rendered) = (Some(false), Some(CONTENT));
    assert_eq!(deleted(Purpose::RollBack, rendered, None), READ_FAILURE);
    let unread = deleted(Purpose::RollBack, None, None);
    assert_eq!(unread, Next::Apply(ApplyStep::ReadTombstone));
    assert_eq!(deleted(Purpose::RollBack, rendered, read), READ_FAILURE);
    assert_eq!(
        deleted(Purpose::Delete, rendered, read),
        Next::Apply(ApplyStep::Create { again: true })
    );
}

#[test]
fn running_update_of_another_caller_delays_a_delete() {
    let other = child("UPDATE_IN_PROGRESS", Some("Console-1".to_owned()));
    assert_eq!(plan_delete(Some(&other), &Purpose::Delete), DELETE_WAITS);
}

#[test]
fn failed_own_delete_is_a_failure() {
    let failed = child("DELETE_FAILED", Some(key(100).token(&Purpose::Delete)));
    let plan = plan_delete(Some(&failed), &Purpose::Delete);
    assert_eq!(plan, Next::Apply(DeleteStep::ReadFailure));
}

#[test]
fn dependents_are_deleted_before_the_stack() {
    let state = delete::DeleteState::default();
    let mut complete = child("CREATE_COMPLETE", None);
    for (policy, repository) in [("Retain", false), ("Delete", true)] {
        let output = (DELETION_POLICY_OUTPUT.to_owned(), policy.to_owned());
        complete.outputs.extend([output]);
        let plan = |purpose: Purpose| delete::next(Some(&complete), &state, &context(), &purpose);
        assert_eq!(
            plan(Purpose::Delete),
            Next::Apply(DeleteStep::DeleteDependents { repository })
        );
        assert_eq!(plan(Purpose::RollBack), DELETED);
    }
    // A superseded request may have created the rule meanwhile.
    let state = delete::DeleteState {
        has_previous: true,
        has_deleted_dependents: true,
        ..state
    };
    let plan = delete::next(None, &state, &context(), &Purpose::Delete);
    assert_eq!(plan, Next::Apply(DeleteStep::DeleteRuleAgain));
}

#[test]
fn delete_that_is_older_than_a_change_of_its_stack_fails() {
    let plan = |stack: &ChildStack, purpose| plan_delete(Some(stack), &purpose);
    for later in [make(CONTENT), Purpose::Delete] {
        let mut stack = child("UPDATE_COMPLETE", Some(key(101).token(&later)));
        let failed = plan(&stack, Purpose::Delete);
        assert_eq!(failed, Next::Fail(DeleteStop::Overtaken));
        assert_eq!(plan(&stack, Purpose::RollBack), DELETED);
        stack.owner = Some(Owner {
            stack_id: "another".to_owned(),
            ..context().owner
        });
        assert_eq!(plan(&stack, Purpose::Delete), DELETED, "of another owner");
        let deleted = child("DELETE_COMPLETE", Some(key(101).token(&later)));
        assert_eq!(plan(&deleted, Purpose::Delete), DELETED);
    }
}

/// A stack without its tags, as a request meets it whose physical ID names it, or does not.
#[test]
fn stack_without_tags_is_neither_changed_nor_forgotten() {
    let untagged = Next::Fail(ApplyStop::Untagged);
    let foreign = || [(); 3].map(|()| Next::Fail(ApplyStop::Foreign(None)));
    let fails = || Next::Fail(DeleteStop::Untagged);
    let unread = [None, Some(false), Some(true)];
    for (status, names_stack, updates, deletes) in [
        (
            "UPDATE_COMPLETE",
            true,
            [READ_PROPERTIES, untagged.clone(), DONE],
            fails(),
        ),
        ("UPDATE_IN_PROGRESS", true, [WAIT; 3], DELETE_WAITS),
        ("DELETE_IN_PROGRESS", true, [WAIT; 3], DELETE_WAITS),
        (
            "UPDATE_ROLLBACK_FAILED",
            true,
            [READ_PROPERTIES, untagged.clone(), DONE],
            fails(),
        ),
        ("REVIEW_IN_PROGRESS", true, foreign(), DELETED),
        ("DELETE_COMPLETE", true, [CREATE; 3], DELETED),
        ("UPDATE_COMPLETE", false, foreign(), DELETED),
    ] {
        let child = ChildStack {
            owner: None,
            ..child(status, None)
        };
        let context = RequestContext {
            names_stack,
            ..context()
        };
        for (has_properties, expected) in unread.into_iter().zip(updates) {
            let state = ApplyState {
                has_properties,
                ..rendered()
            };
            let plan = match apply::next(Some(&child), &state, &context) {
                Next::Done(_) => DONE,
                Next::Apply(step) => Next::Apply(step),
                Next::Fail(stop) => Next::Fail(stop),
            };
            assert_eq!(plan, expected, "{status} {names_stack} {has_properties:?}");
        }
        let state = delete::DeleteState {
            has_deleted_dependents: true,
            ..delete::DeleteState::default()
        };
        let plan = delete::next(Some(&child), &state, &context, &Purpose::Delete);
        assert_eq!(plan, deletes, "{status} {names_stack}");
    }
}

/// A stack that only a person gets out of its status, after the update of a person.
#[test]
fn rollback_that_changed_nothing_succeeds_in_each_status() {
    let of_person = || Some("Console-UpdateStack-1".to_owned());
    let continued = || Some(key(100).token(&Purpose::ContinueRollback));
    for (status, token, otherwise) in [
        ("UPDATE_FAILED", of_person(), UNKNOWN),
        ("IMPORT_ROLLBACK_FAILED", of_person(), UNKNOWN),
        ("UPDATE_DELEGATED", of_person(), UNKNOWN),
        ("UPDATE_ROLLBACK_FAILED", continued(), READ_FAILURE),
    ] {
        for (has_properties, expected) in [(true, DONE), (false, otherwise)] {
            let state = ApplyState {
                has_properties: Some(has_properties),
                ..rendered()
            };
            let found = plan_in(Some(&child(status, token.clone())), &state);
            assert_eq!(found, expected, "{status} {has_properties}");
        }
    }
}

#[test]
fn stack_of_a_later_delete_is_not_of_a_later_request() {
    let later = |purpose: Purpose| child("DELETE_IN_PROGRESS", Some(key(101).token(&purpose)));
    assert!(!later(Purpose::Delete).is_of_later_request(&context()));
    assert!(later(make(CONTENT)).is_of_later_request(&context()));
    let earlier = child("CREATE_COMPLETE", Some(key(99).token(&Purpose::Delete)));
    assert!(!earlier.is_of_later_request(&context()));
}
