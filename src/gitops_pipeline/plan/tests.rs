//! Every status that a stack can have, whoever began its latest operation, and what each kind of
//! request does then.

use std::collections::BTreeMap;

use super::{Refusal, Removal, Step, is_made_by_later, next, next_removal};
use crate::gitops_pipeline::names::AwsLocation;
use crate::gitops_pipeline::observe::ChildStack;
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::request_token::{Purpose, RequestKey, of_first_push};
use crate::ownership::Owner;

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>
const STATUSES: [&str; 23] = [
    "CREATE_IN_PROGRESS",
    "CREATE_FAILED",
    "CREATE_COMPLETE",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_FAILED",
    "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS",
    "DELETE_FAILED",
    "DELETE_COMPLETE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_IN_PROGRESS",
    "IMPORT_ROLLBACK_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
];

const CONTENT: &str = "0123456789abcdef";

fn key(signed: u64) -> RequestKey {
    RequestKey {
        signed,
        hash: format!("request{signed}"),
    }
}

fn context() -> RequestContext {
    RequestContext {
        owner: Owner {
            stack_id: "the stack".to_owned(),
            logical_id: "Project".to_owned(),
        },
        request: key(100),
        location: AwsLocation::from_arn("arn:aws:cloudformation:eu-central-1:123456789012:stack")
            .expect("an ARN"),
        role_arn: "role".to_owned(),
    }
}

fn child(status: &str, token: Option<String>) -> ChildStack {
    let latest_request = token
        .as_deref()
        .and_then(crate::gitops_pipeline::request_token::read);
    ChildStack {
        id: "arn".to_owned(),
        changed: 100,
        status: status.to_owned(),
        status_reason: None,
        owner: Some(context().owner),
        parameters: BTreeMap::new(),
        outputs: BTreeMap::new(),
        latest_token: token,
        latest_request,
    }
}

/// What `next` says for each status after this request, an earlier one (both to make the stack so)
/// and somebody else have begun the latest operation.
fn expected(status: &str) -> [Step; 3] {
    use Step::{
        CancelUpdate, ContinueRollback, Create, DeleteLeftover, Done, Failed, Update, Wait,
    };
    let all = |step: Step| [step.clone(), step.clone(), step];
    match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => {
            [Done, Update, Update]
        }
        "UPDATE_ROLLBACK_COMPLETE" | "UPDATE_FAILED" => [Failed, Update, Update],
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" => {
            [Failed, DeleteLeftover, DeleteLeftover]
        }
        "DELETE_FAILED" | "REVIEW_IN_PROGRESS" => all(DeleteLeftover),
        "DELETE_COMPLETE" => all(Create),
        "UPDATE_ROLLBACK_FAILED" => [Failed, ContinueRollback, ContinueRollback],
        "UPDATE_IN_PROGRESS" => [Wait, CancelUpdate, Wait],
        "IMPORT_ROLLBACK_FAILED" => all(Step::Refuse(Refusal::UnknownStatus)),
        _ => all(Wait),
    }
}

#[test]
fn every_status_has_a_next_step() {
    let make = Purpose::Make(CONTENT.to_owned());
    for status in STATUSES {
        let tokens = [
            Some(key(100).token(&make)),
            Some(key(50).token(&make)),
            Some("Console-UpdateStack-1".to_owned()),
        ];
        for (token, expected) in tokens.into_iter().zip(expected(status)) {
            let step = next(
                Some(&child(status, token.clone())),
                &context(),
                CONTENT,
                None,
            );
            assert_eq!(step, expected, "{status} {token:?}");
        }
        // No token at all and a first push are somebody else's operations.
        for token in [None, Some(of_first_push())] {
            let step = next(
                Some(&child(status, token.clone())),
                &context(),
                CONTENT,
                None,
            );
            assert_eq!(step, expected(status)[2], "{status} {token:?}");
        }
        // Where CloudFormation shows no token, what this invocation began counts as this request's.
        let step = next(
            Some(&child(status, None)),
            &context(),
            CONTENT,
            Some(CONTENT),
        );
        assert_eq!(step, expected(status)[0], "{status}");
    }
    // What it began is not what is desired by now.
    let complete = child("CREATE_COMPLETE", None);
    let step = next(Some(&complete), &context(), CONTENT, Some("another"));
    assert_eq!(step, Step::Update);
}

#[test]
fn where_nothing_is_something_is_created_and_nothing_removed() {
    assert_eq!(next(None, &context(), CONTENT, None), Step::Create);
    assert_eq!(
        next_removal(None, &context(), &Purpose::Delete),
        Removal::Done
    );
}

#[test]
fn what_is_not_ours_is_refused_and_not_removed_in_any_status() {
    let somebody = Owner {
        stack_id: "another stack".to_owned(),
        logical_id: "Project".to_owned(),
    };
    for status in STATUSES.into_iter().filter(|s| *s != "DELETE_COMPLETE") {
        for owner in [None, Some(somebody.clone())] {
            let token = key(100).token(&Purpose::Make(CONTENT.to_owned()));
            let mut foreign = child(status, Some(token));
            foreign.owner.clone_from(&owner);
            let step = next(Some(&foreign), &context(), CONTENT, Some(CONTENT));
            assert_eq!(step, Step::Refuse(Refusal::Foreign(owner)), "{status}");
            assert_eq!(
                next_removal(Some(&foreign), &context(), &Purpose::Delete),
                Removal::Done,
                "{status}"
            );
        }
    }
}

#[test]
fn an_overtaken_request_changes_nothing_in_any_status() {
    for status in STATUSES.into_iter().filter(|s| *s != "DELETE_COMPLETE") {
        let token = key(101).token(&Purpose::Make(CONTENT.to_owned()));
        let newer = child(status, Some(token));
        let step = next(Some(&newer), &context(), CONTENT, None);
        assert_eq!(step, Step::Refuse(Refusal::Overtaken), "{status}");
        assert_eq!(
            next_removal(Some(&newer), &context(), &Purpose::Delete),
            Removal::Done,
            "{status}"
        );
        // Also when a first push has come after the newer request.
        let mut pushed = newer.clone();
        pushed.latest_token = Some(of_first_push());
        assert_eq!(
            next_removal(Some(&pushed), &context(), &Purpose::Delete),
            Removal::Done,
            "{status}"
        );
    }
}

#[test]
fn a_delete_in_each_status() {
    let make = Purpose::Make(CONTENT.to_owned());
    for status in STATUSES {
        let expected = match status {
            "DELETE_COMPLETE" => Removal::Done,
            "UPDATE_IN_PROGRESS" => Removal::CancelUpdate,
            "DELETE_IN_PROGRESS"
            | "IMPORT_IN_PROGRESS"
            | "IMPORT_ROLLBACK_IN_PROGRESS"
            | "ROLLBACK_IN_PROGRESS"
            | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
            | "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
            | "UPDATE_ROLLBACK_IN_PROGRESS" => Removal::Wait,
            "CREATE_COMPLETE"
            | "CREATE_FAILED"
            | "CREATE_IN_PROGRESS"
            | "DELETE_FAILED"
            | "IMPORT_COMPLETE"
            | "IMPORT_ROLLBACK_COMPLETE"
            | "IMPORT_ROLLBACK_FAILED"
            | "REVIEW_IN_PROGRESS"
            | "ROLLBACK_COMPLETE"
            | "ROLLBACK_FAILED"
            | "UPDATE_COMPLETE"
            | "UPDATE_FAILED"
            | "UPDATE_ROLLBACK_COMPLETE"
            | "UPDATE_ROLLBACK_FAILED" => Removal::Delete,
            other => panic!("{other} is not in the table"),
        };
        let earlier = child(status, Some(key(50).token(&make)));
        assert_eq!(
            next_removal(Some(&earlier), &context(), &Purpose::Delete),
            expected,
            "{status}"
        );
    }
    let by_somebody = child("UPDATE_IN_PROGRESS", Some("Console-1".to_owned()));
    assert_eq!(
        next_removal(Some(&by_somebody), &context(), &Purpose::Delete),
        Removal::Wait
    );
    let failed = child("DELETE_FAILED", Some(key(100).token(&Purpose::Delete)));
    assert_eq!(
        next_removal(Some(&failed), &context(), &Purpose::Delete),
        Removal::Failed
    );
}

#[test]
fn this_requests_own_operation_is_told_by_its_purpose() {
    let step = |status: &str, purpose: Purpose| {
        let child = child(status, Some(key(100).token(&purpose)));
        next(Some(&child), &context(), CONTENT, None)
    };
    // Another content than now: the branch has appeared meanwhile.
    let other = || Purpose::Make("another".to_owned());
    assert_eq!(step("CREATE_COMPLETE", other()), Step::Update);
    assert_eq!(step("ROLLBACK_COMPLETE", other()), Step::Failed);
    // An update of an earlier request was cancelled: that is no failure of this one.
    assert_eq!(
        step("UPDATE_ROLLBACK_COMPLETE", Purpose::Cancel),
        Step::Update
    );
    assert_eq!(
        step("UPDATE_ROLLBACK_COMPLETE", Purpose::ContinueRollback),
        Step::Update
    );
    assert_eq!(
        step("UPDATE_ROLLBACK_FAILED", Purpose::ContinueRollback),
        Step::Failed
    );
    assert_eq!(
        step("UPDATE_ROLLBACK_FAILED", Purpose::Cancel),
        Step::ContinueRollback
    );
    // What it undoes has failed; what it clears away has not.
    for status in ["DELETE_IN_PROGRESS", "DELETE_FAILED"] {
        assert_eq!(step(status, Purpose::Undo), Step::Failed, "{status}");
    }
    assert_eq!(step("DELETE_IN_PROGRESS", Purpose::Delete), Step::Wait);
    assert_eq!(step("DELETE_FAILED", Purpose::Delete), Step::Failed);
}

#[test]
fn a_request_undoes_what_it_failed_to_create_and_nothing_that_was_complete() {
    let token = key(100).token(&Purpose::Make(CONTENT.to_owned()));
    for status in STATUSES {
        let expected = match status {
            "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_FAILED" => {
                Removal::Delete
            }
            "DELETE_IN_PROGRESS" => Removal::Wait,
            _ => Removal::Done,
        };
        let child = child(status, Some(token.clone()));
        let removal = next_removal(Some(&child), &context(), &Purpose::Undo);
        assert_eq!(removal, expected, "{status}");
    }
}

#[test]
fn what_a_later_delete_removes_is_not_made_by_it() {
    let later = |purpose: Purpose| child("DELETE_IN_PROGRESS", Some(key(101).token(&purpose)));
    assert!(!is_made_by_later(&later(Purpose::Delete), &context()));
    assert!(is_made_by_later(
        &later(Purpose::Make(CONTENT.to_owned())),
        &context()
    ));
    let earlier = child("CREATE_COMPLETE", Some(key(99).token(&Purpose::Delete)));
    assert!(!is_made_by_later(&earlier, &context()));
}
