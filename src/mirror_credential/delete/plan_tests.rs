//! The plan of a deletion as a table: the target, the state, and the step that the planner chooses.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::json;

use crate::clients::aws::CallError;
use crate::common::reason_codes::Code;
use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::delete::plan::{
    DeleteStep, DeleteStop, DeletionPlanner, DeletionState,
};
use crate::mirror_credential::delete::target::{CreateResponse, DeletionScope, DeletionTarget};
use crate::mirror_credential::intent_log::{Owner, Tombstone, key};
use crate::mirror_credential::plan::tests::{
    NAME, USER, at, context, credential, issue_intent, login, present, secret, settled,
};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec;
use crate::mirror_credential::state::{DeniedRead, Secret, SecretOrigin, SecretState, State, User};
use crate::reconcile::Next;

/// CloudFormation's Delete, whose Create responded.
fn delete() -> DeletionTarget {
    DeletionTarget {
        secret_name: NAME.to_owned(),
        user_name: Some(USER.to_owned()),
        gitlab: None,
        mirrors: Vec::new(),
        tags: BTreeMap::new(),
        deletes_foreign: false,
        scope: DeletionScope::Delete {
            create: CreateResponse::Id,
        },
    }
}

fn after(create: CreateResponse) -> DeletionTarget {
    DeletionTarget {
        scope: DeletionScope::Delete { create },
        ..delete()
    }
}

/// The Delete of a rejected Create with this key.
fn rejected(key: &str) -> DeletionTarget {
    after(CreateResponse::Rejected(key.to_owned()))
}

fn unknown_replacement() -> DeletionTarget {
    DeletionTarget {
        scope: DeletionScope::UnknownReplacement,
        ..delete()
    }
}

fn failed_create() -> DeletionTarget {
    DeletionTarget {
        scope: DeletionScope::FailedCreate {
            waits_for_iam: false,
        },
        ..delete()
    }
}

/// The resource is settled, the tombstone is written, and IAM shows everything.
fn marked(change: impl FnOnce(&mut DeletionState)) -> DeletionState {
    let State { user, secret, .. } = settled();
    let mut state = DeletionState {
        started_at: at(0),
        users_read_at: at(3600),
        users: vec![user],
        secret,
        denied: None,
        is_fenced: false,
        is_secret_deleted: false,
        tombstones_written: vec![USER.to_owned()],
        deleted_credentials: Vec::new(),
        are_mirrors_deleted: false,
        mirrors_to_look_for: Vec::new(),
    };
    change(&mut state);
    state
}

/// Like [`marked`], with a changed secret.
fn with_secret(change: impl FnOnce(&mut Secret)) -> DeletionState {
    let mut changed = settled();
    present(&mut changed, |secret| {
        secret.log.current = Some(login(1, "CUR"));
        change(secret);
    });
    marked(|state| state.secret = changed.secret)
}

/// Neither the secret nor the user was there `seconds` after the start.
fn missing(seconds: u64) -> DeletionState {
    marked(|state| {
        without_user(state);
        state.secret = SecretState::Absent;
        state.users_read_at = at(seconds);
    })
}

/// The secret was changed at the start. `seconds` later, the tags of its user named another one.
fn with_former_tags(seconds: u64) -> DeletionState {
    DeletionState {
        users_read_at: at(seconds),
        tombstones_written: Vec::new(),
        users: vec![User {
            secret_name: Some("another".to_owned()),
            ..settled().user
        }],
        ..with_secret(|secret| secret.last_changed = Some(at(0)))
    }
}

fn changed_by_request(secret: &mut Secret) {
    secret.origin.changed_by = Some("request".to_owned());
}

/// The credential of the secret is deleted.
fn without_login(change: impl FnOnce(&mut DeletionState)) -> DeletionState {
    marked(|state| {
        state.deleted_credentials = vec!["CUR".to_owned()];
        change(state);
    })
}

fn denied() -> DeniedRead {
    DeniedRead(CallError::local(Code::AwsDenied, "reading", "denied"))
}

#[test]
fn delete_is_compared_by_the_date_of_its_url() {
    // This machine's clock is behind that of the Create.
    let context = RequestContext {
        compared_at: at(60),
        ..context()
    };
    let state = with_secret(|secret| secret.origin.as_of = Some(at(30)));
    let target = delete();
    let next = DeletionPlanner::new(&target, &context, &state).next();
    assert_eq!(next, delete_credential("CUR"));
}

fn next(target: &DeletionTarget, state: &DeletionState) -> Next<DeleteStep, (), DeleteStop> {
    DeletionPlanner::new(target, &context(), state).next()
}

fn delete_credential(id: &str) -> Next<DeleteStep, (), DeleteStop> {
    Next::Apply(DeleteStep::DeleteCredential {
        user_name: USER.to_owned(),
        id: id.to_owned(),
    })
}

/// One test for each row.
macro_rules! table {
    ($($name:ident: $target:expr, $state:expr => $expected:expr;)*) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(next(&$target, &$state), $expected);
            }
        )*
    };
}

table! {
    delete_writes_the_tombstone_first: delete(), marked(|state| state.tombstones_written.clear())
        => Next::Apply(DeleteStep::WriteTombstone(USER.to_owned()));
    unknown_replacement_needs_no_tombstone:
        unknown_replacement(), marked(|state| state.tombstones_written.clear())
        => delete_credential("CUR");
    user_of_another_owner_gets_no_tombstone: delete(), without_login(|state| {
            state.tombstones_written.clear();
            state.users[0].owner = Some(Owner {
                stack_id: "arn:other".to_owned(),
                logical_id: "X".to_owned(),
            });
            state.secret = SecretState::Absent;
        })
        => Next::Done(());
    unfinished_log_is_fenced: delete(), with_secret(|secret| secret.log.claim = 2)
        => Next::Apply(DeleteStep::Fence);
    log_of_a_rotating_secret_is_fenced: delete(), with_secret(|secret| secret.rotates = true)
        => Next::Apply(DeleteStep::Fence);
    fenced_log_is_deleted: delete(), DeletionState {
            is_fenced: true,
            ..with_secret(|secret| secret.log.claim = 2)
        }
        => delete_credential("CUR");
    unfinished_log_waits_for_iam: delete(), DeletionState {
            is_fenced: true,
            users_read_at: at(0),
            ..with_secret(|secret| {
                secret.log.claim = 2;
                secret.last_changed = Some(at(0));
            })
        }
        => Next::Apply(DeleteStep::ReadAgain);
    missing_secret_waits_for_a_running_create: delete(), without_login(|state| {
            state.secret = SecretState::Absent;
            // A secret that exists would be shown by then.
            state.users_read_at = at(12);
        })
        => Next::Apply(DeleteStep::ReadAgain);
    missing_secret_of_a_delete_is_looked_for: delete(), missing(0) => Next::Apply(DeleteStep::ReadAgain);
    missing_secret_of_a_delete_is_not_looked_for_longer: delete(), missing(10) => Next::Done(());
    missing_unknown_replacement_is_looked_for:
        unknown_replacement(), missing(0) => Next::Apply(DeleteStep::ReadAgain);
    missing_unknown_replacement_is_not_looked_for_longer:
        unknown_replacement(), missing(10) => Next::Done(());
    missing_secret_of_a_rejected_create_is_not_looked_for:
        rejected("request"), missing(0) => Next::Done(());
    missing_secret_of_a_failed_create_is_not_looked_for:
        failed_create(), missing(0) => Next::Done(());
    tags_of_a_former_secret_are_read_again: delete(), with_former_tags(9)
        => Next::Apply(DeleteStep::ReadAgain);
    tags_of_a_former_secret_are_read_again_after_a_failed_create: failed_create(), with_former_tags(9)
        => Next::Apply(DeleteStep::ReadAgain);
    tags_of_another_secret_that_stay_are_believed: delete(), with_former_tags(10)
        => delete_credential("CUR");
    tags_of_another_secret_are_believed_if_the_change_is_old: delete(), DeletionState {
            started_at: at(10),
            ..with_former_tags(10)
        }
        => delete_credential("CUR");
    second_delivery_of_an_ended_delete_does_not_wait: delete(), without_login(|state| {
            state.secret = SecretState::Absent;
            state.users_read_at = at(0);
            state.users[0].tombstone = Some(tombstone(0));
        })
        => Next::Done(());
    tombstone_of_a_later_delete_stays: delete(), without_login(|state| {
            without_secret(state);
            state.tombstones_written.clear();
            state.users[0].tombstone = Some(tombstone(1));
        })
        => Next::Done(());
    tombstone_of_an_earlier_delete_is_replaced: delete(), without_login(|state| {
            without_secret(state);
            state.tombstones_written.clear();
            state.users[0].tombstone = Some(Tombstone {
                signed_at: SystemTime::UNIX_EPOCH,
                ..tombstone(0)
            });
        })
        => Next::Apply(DeleteStep::WriteTombstone(USER.to_owned()));
    mirrors_are_deleted_before_their_credential: delete(), with_secret(|secret| {
            secret.log.current.as_mut().expect("a login").mirrors = 1;
        })
        => Next::Apply(DeleteStep::DeleteMirrors);
    mirrors_of_an_interrupted_request_are_deleted: delete(), DeletionState {
            is_fenced: true,
            ..with_secret(|secret| {
                secret.log.claim = 2;
                secret.log.mirror_intent = Some("cfn-gitops-entry-2".to_owned());
            })
        }
        => Next::Apply(DeleteStep::DeleteMirrors);
    open_intent_is_closed_before_its_credential_is_deleted:
        delete(), marked(|state| {
            state.users[0].issue_intent = Some(issue_intent(0));
            state.users_read_at = at(0);
            with_recorded(state);
            with_foreign(state);
        })
        => Next::Apply(DeleteStep::CloseIssueIntent {
            user_name: USER.to_owned(),
            ids: vec!["CUR".to_owned(), "OLD".to_owned()],
        });
    named_credential_is_deleted_if_unlisted:
        delete(), marked(|state| state.users[0].credentials.clear())
        => delete_credential("CUR");
    named_credential_of_a_missing_user_waits_for_iam: delete(), marked(|state| {
            without_user(state);
            state.users_read_at = at(9);
        })
        => Next::Apply(DeleteStep::ReadAgain);
    named_credential_is_deleted_if_its_user_stays_missing: delete(), marked(without_user)
        => delete_credential("CUR");
    recorded_credential_is_deleted: delete(), without_login(with_recorded)
        => delete_credential("OLD");
    recorded_credential_waits_for_the_tags: delete(), without_login(|state| {
            with_recorded(state);
            state.users_read_at = at(0);
        })
        => Next::Apply(DeleteStep::ReadAgain);
    foreign_credential_stays: delete(), without_login(with_foreign)
        => Next::Apply(DeleteStep::DeleteSecret);
    foreign_credential_is_deleted_if_wanted: DeletionTarget {
            deletes_foreign: true,
            ..delete()
        }, without_login(|state| {
            with_foreign(state);
            // The secret's tags name the user, too.
            state.users[0].owner = None;
        })
        => delete_credential("HIS");
    secret_is_deleted_last: delete(), without_login(|_| {})
        => Next::Apply(DeleteStep::DeleteSecret);
    deleted_resource_is_done: delete(), without_login(|state| {
            without_secret(state);
            state.users_read_at = at(0);
        })
        => Next::Done(());
    user_of_an_unknown_replacement_is_released: unknown_replacement(), without_login(without_secret)
        => Next::Apply(DeleteStep::ReleaseUser(USER.to_owned()));
    delete_that_is_older_than_a_change_fails:
        delete(), with_secret(|secret| secret.origin.as_of = Some(at(1)))
        => Next::Fail(DeleteStop::Outdated(secret().arn));
    delete_in_the_second_of_a_change_deletes:
        delete(), with_secret(|secret| secret.origin.as_of = Some(at(0)))
        => delete_credential("CUR");
    denied_user_of_a_secret_fails:
        delete(), marked(|state| state.users[0].denied = Some(denied()))
        => Next::Fail(DeleteStop::Denied(denied()));
    denied_user_without_a_secret_fails:
        delete(), denied_reads(|state| state.denied = None) => Next::Fail(DeleteStop::Denied(denied()));
    denied_secret_of_a_recorded_user_fails: delete(), denied_secret(|_| {})
        => Next::Fail(DeleteStop::Denied(denied()));
    denied_secret_after_a_replacement_fails: delete(), denied_secret(|state| {
            // The user's tags name the latest secret alone.
            state.users[0].secret_name = Some("another".to_owned());
        })
        => Next::Fail(DeleteStop::Denied(denied()));
    denied_secret_that_no_user_names_fails: delete(), denied_secret(without_records)
        => Next::Fail(DeleteStop::Denied(denied()));
    denied_secret_of_a_deleted_user_fails: delete(), denied_secret(without_user)
        => Next::Fail(DeleteStop::Denied(denied()));
    denied_secret_of_an_unanswered_create_fails:
        after(CreateResponse::None), denied_secret(without_records) => Next::Fail(DeleteStop::Denied(denied()));
    rejected_creates_peer_is_deleted:
        rejected("request"), with_secret(changed_by_request) => delete_credential("CUR");
    resource_of_another_request_is_left_by_a_rejected_creates_delete:
        rejected("another"), with_secret(changed_by_request) => Next::Done(());
    denied_reads_of_a_rejected_create_are_done:
        rejected("request"), denied_reads(|_| {}) => Next::Done(());
    denied_secret_of_a_rejected_create_is_done: rejected("request"),
        denied_secret(|state| {
            without_records(state);
            state.users[0].tombstone = Some(tombstone(0));
        })
        => Next::Done(());
    denied_secret_of_a_rejected_creates_peer_fails:
        rejected("request"), denied_secret(|_| {}) => Next::Fail(DeleteStop::Denied(denied()));
    denied_user_of_a_rejected_creates_peer_fails: rejected("request"),
        marked(|state| {
            state.users[0].denied = Some(denied());
            state.secret.change(changed_by_request);
        })
        => Next::Fail(DeleteStop::Denied(denied()));
    denied_reads_of_an_unknown_replacement_are_done:
        unknown_replacement(), denied_reads(|_| {}) => Next::Done(());
    denied_secret_of_a_recorded_replacement_fails:
        unknown_replacement(), denied_secret(|_| {}) => Next::Fail(DeleteStop::Denied(denied()));
    unrecorded_mirrors_are_looked_for_last: delete(), without_login(|state| {
            without_secret(state);
            state.mirrors_to_look_for = spec::mirrors_in(&json!({"Mirrors": [
                {"GitLabProject": "group/project", "RepositoryName": "repository"}
            ]}));
        })
        => Next::Apply(DeleteStep::LookForMirrors);
}

/// The function may not read the secret.
fn denied_secret(change: impl FnOnce(&mut DeletionState)) -> DeletionState {
    marked(|state| {
        state.secret = SecretState::Absent;
        state.denied = Some(denied());
        change(state);
    })
}

/// The function may read neither the secret nor the user.
fn denied_reads(change: impl FnOnce(&mut DeletionState)) -> DeletionState {
    denied_secret(|state| {
        state.users = vec![User::absent(USER, Some(denied()))];
        change(state);
    })
}

fn without_records(state: &mut DeletionState) {
    state.users[0].owner = None;
    state.users[0].secret_name = None;
}

fn without_user(state: &mut DeletionState) {
    state.users = vec![User::absent(USER, None)];
}

/// The tombstone of this resource's Delete that was signed at `signed`.
fn tombstone(signed: u64) -> Tombstone {
    Tombstone {
        owner_key: context().owner.key(),
        signed_at: at(signed),
        done_at: at(signed),
        ended: "secret".to_owned(),
        unanswered: false,
    }
}

fn without_secret(state: &mut DeletionState) {
    state.secret = SecretState::Absent;
    state.is_secret_deleted = true;
}

/// Only the user's tags name `OLD`.
fn with_recorded(state: &mut DeletionState) {
    let user = &mut state.users[0];
    user.credentials.push(credential("OLD"));
    let intent = user.issue_intent.as_mut().expect("an intent");
    let recorded = ("OLD".to_owned(), CredentialClass::Superseded);
    intent.before.push(recorded);
}

/// Another person created `HIS`.
fn with_foreign(state: &mut DeletionState) {
    state.users[0].credentials.push(credential("HIS"));
}

type Change = fn(&mut DeletionState);

/// A Delete of a secret that no tags give to a resource. The user's tags may stand in for them.
#[test]
fn secret_without_tags_is_deleted_or_named() {
    let fails = Next::Fail(DeleteStop::Untagged);
    let (login, done) = (delete_credential("CUR"), Next::Done(()));
    let of_this = |_: &mut DeletionState| {};
    let of_an_earlier_secret = |state: &mut DeletionState| {
        let intent = state.users[0].issue_intent.as_mut().expect("an intent");
        intent.secret_key = key("arn:secret-b");
    };
    let of_another = |state: &mut DeletionState| {
        state.users[0].owner = Some(Owner {
            stack_id: "arn:other".to_owned(),
            logical_id: "X".to_owned(),
        });
    };
    // An own ID, a generated one, that of a rejected Create, and a replacement without an ID.
    let tags: [(&str, Change, [_; 4]); 5] = [
        ("of this secret", of_this, [&login, &login, &done, &login]),
        // Its name was used again. The user's credential is still this resource's.
        (
            "of an earlier secret",
            of_an_earlier_secret,
            [&fails, &login, &login, &login],
        ),
        ("missing", without_tags, [&fails, &done, &done, &done]),
        (
            "of another resource",
            of_another,
            [&fails, &done, &done, &done],
        ),
        ("no user", without_user, [&fails, &done, &done, &done]),
    ];
    for (user, change, expected) in tags {
        let targets = [
            delete(),
            after(CreateResponse::None),
            rejected("request"),
            unknown_replacement(),
        ];
        for (target, expected) in targets.iter().zip(expected) {
            let mut state = with_secret(|secret| secret.origin = SecretOrigin::default());
            change(&mut state);
            let context = format!("{:?}, user's tags: {user}", target.scope);
            assert_eq!(next(target, &state), *expected, "{context}");
            // If the secret is gone, a user without tags is nothing of this resource.
            if user == "missing" {
                state.secret = SecretState::Absent;
                assert_eq!(next(target, &state), done, "{context}, no secret");
            }
        }
    }
}

/// A person scheduled the deletion of a secret without tags: it can be restored.
#[test]
fn untagged_secret_that_is_to_be_deleted_is_not_gone() {
    let mut state = with_secret(|secret| {
        secret.origin = SecretOrigin::default();
        secret.deleted_at = Some(at(7));
    });
    without_tags(&mut state);
    assert_eq!(next(&delete(), &state), Next::Fail(DeleteStop::Untagged));
}

fn without_tags(state: &mut DeletionState) {
    let user = &mut state.users[0];
    (user.owner, user.secret_name, user.issue_intent) = (None, None, None);
}
