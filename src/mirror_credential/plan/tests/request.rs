//! Whether a request may begin, as a table.

use super::*;
use crate::common::reason_codes::Code;
use crate::mirror_credential::intent_log::Tombstone;
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::step::{RequestStep, SecretStep, Step, defer, reject};
use crate::mirror_credential::request_context::{Rotation, RotationPhase};
use crate::mirror_credential::state::DeliveryError;
use crate::reconcile::sender;
use cfn_custom_resource::Reason;

const FORMER: &str = "codecommit-mirror/former";

fn same(_: &mut Spec) {}

/// The request names another user, and keeps the secret.
fn other_user(base: State) -> State {
    state(base, |state| {
        state.request.previous.changes_user_name = true;
    })
}

fn of_another_user(secret: &mut Secret) {
    secret.log.current = Some(Login {
        user_key: intent_log::key("another"),
        ..login(1, "CUR")
    });
}

/// A person deleted the secret.
fn without_secret() -> State {
    state(settled(), |state| state.secret = SecretState::Absent)
}

fn failed_read(state: &mut State) {
    state.request.failed_read = Some(DeliveryError::permanent(failure()));
}

fn failure() -> Reason {
    Reason::new(Code::AwsUnavailable, "reading failed", "Try again")
}

/// The request replaces the former secret, which a request changed that was signed at `as_of`.
fn replacing(as_of: u64) -> State {
    state(fresh(), |state| {
        state.user.exists = true;
        let mut former = secret();
        former.origin.as_of = Some(at(as_of));
        state.request.previous.secret_name = Some(FORMER.to_owned());
        state.request.former_secrets.insert(FORMER.to_owned(), Some(former));
    })
}

/// The user's tags name the former secret.
fn moving() -> State {
    state(replacing(0), |state| {
        state.user.owner = Some(owner());
        state.user.secret_name = Some(FORMER.to_owned());
    })
}

fn user_differs() -> Reason {
    let mut secret = secret();
    of_another_user(&mut secret);
    messages::user_name_differs(&spec(), &secret).expect("another user")
}

fn later() -> NextStep {
    reject(messages::later_request())
}

fn not_in_progress() -> NextStep {
    reject(messages::not_in_progress(&spec(), FORMER, &owner()))
}

fn delete_replacement() -> NextStep {
    RequestStep::DeleteReplacement("replacement".to_owned()).into()
}

/// The replacement was rolled back before it responded.
fn replaced(base: State) -> State {
    state(base, |state| {
        state.request.previous.unknown_replacement = Some("replacement".to_owned());
    })
}

step_table! {
    step:
    user_of_the_stored_login_may_be_restored: same, other_user(settled()) => DONE;
    other_user_than_that_of_the_login_is_rejected_before_a_missing_one:
        same, other_user(state(settled(), |state| present(state, of_another_user))), |state| {
        state.user.exists = false;
    } => reject(user_differs());
    secret_of_another_owner_does_not_show_the_user: same, other_user(settled()), |state| {
        present(state, |s| s.origin.owner = None);
    } => reject(messages::secret_is_untagged(NAME, &owner(), Some(USER), &SecretOrigin::default()));
    user_of_a_deleted_secret_may_be_restored:
        same, other_user(without_secret()) => SecretStep::CreateSecret;
    other_user_of_a_deleted_secret_is_rejected: same, other_user(without_secret()), |state| {
        state.user.owner = None;
    } => reject(messages::user_name_changes(&spec()));
    other_user_is_not_judged_without_a_read: same, other_user(without_secret()), |state| {
        state.user = User::absent(USER, None);
        state.request.is_user_unread = true;
        failed_read(state);
    } => reject(failure());
    other_user_is_rejected_before_a_failed_read: same, other_user(without_secret()), |state| {
        state.user.owner = None;
        failed_read(state);
    } => reject(messages::user_name_changes(&spec()));
    deleted_secret_of_a_begun_request_does_not_reject_the_user:
        same, other_user(without_secret()), |state| {
        state.user.owner = None;
        state.request.has_begun = true;
        state.log.claim = Some(0);
    } => reject(messages::superseded_by_delete());
    unknown_replacement_is_deleted_first: same, replaced(settled()) => delete_replacement();
    unknown_replacement_is_deleted_even_if_a_read_failed: same, replaced(fresh()), |state| {
        failed_read(state);
    } => delete_replacement();
    rejected_user_keeps_the_unknown_replacement:
        same, replaced(other_user(without_secret())), |state| {
        state.user.owner = None;
    } => reject(messages::user_name_changes(&spec()));
    failed_read_is_reported: same, settled(), |state| failed_read(state) => reject(failure());
    failed_read_that_may_pass_defers: same, settled(), |state| {
        state.request.failed_read = Some(DeliveryError::transient(failure()));
    } => defer(failure());
    replacement_of_a_secret_begins: same, replacing(0) => SecretStep::CreateSecret;
    late_copy_of_a_replacement_is_rejected: same, replacing(1) => later();
    late_copy_is_rejected_before_a_failed_read: same, replacing(1), |state| {
        failed_read(state);
    } => later();
    replaced_secret_of_another_owner_is_not_compared: same, replacing(1), |state| {
        for former in state.request.former_secrets.values_mut().flatten() {
            former.origin.owner = None;
        }
    } => SecretStep::CreateSecret;
    moved_login_needs_the_secret_that_holds_it: same, moving(), |state| {
        state.request.former_secrets.clear();
    } => RequestStep::ReadFormerSecret(FORMER.to_owned());
    moved_login_is_verified_with_cloudformation:
        same, moving() => RequestStep::LookForProof;
    moved_login_of_a_deleted_secret_is_verified_too: same, moving(), |state| {
        state.request.former_secrets = [(FORMER.to_owned(), None)].into();
    } => RequestStep::LookForProof;
    move_that_cloudformation_does_not_show_is_rejected: same, moving(), |state| {
        state.request.sender = Some(Sender::NotShown);
    } => not_in_progress();
    confirmed_move_begins: same, moving(), |state| {
        state.request.sender = Some(Sender::Shown);
    } => SecretStep::CreateSecret;
    begun_move_is_not_verified_again: same, moving(), |state| {
        state.request.has_begun = true;
    } => SecretStep::CreateSecret;
    change_of_what_exists_needs_a_look: recreated, settled(), |state| {
        state.request.sender = None;
    } => RequestStep::LookForContradiction;
    change_of_a_users_records_needs_a_look: same, without_secret(), |state| {
        state.request.sender = None;
    } => RequestStep::LookForContradiction;
    unknown_replacement_needs_a_look: same, replaced(fresh()), |state| {
        state.request.sender = None;
    } => RequestStep::LookForContradiction;
    request_without_a_change_needs_no_look: same, settled(), |state| {
        state.request.sender = None;
    } => DONE;
    request_that_finds_nothing_needs_no_look: same, fresh(), |state| {
        state.user.exists = true;
        state.request.sender = None;
    } => SecretStep::CreateSecret;
    contradicted_request_is_rejected: same, settled(), |state| {
        state.request.sender = Some(Sender::Contradicted);
    } => reject(sender::contradicted(&owner()).reason());
    contradicted_request_changes_nothing_after_a_verification: recreated, settled(), |state| {
        state.request.sender = Some(Sender::Contradicted);
        state.request.has_begun = true;
    } => reject(sender::contradicted(&owner()).reason());
    late_create_does_not_move_the_login_of_a_later_request: same, moving(), |state| {
        state.request.previous.secret_name = None;
        for former in state.request.former_secrets.values_mut().flatten() {
            former.origin.as_of = Some(at(1));
        }
    } => later();
    released_user_moves_without_verification: same, moving(), |state| {
        state.user.tombstone = Some(Tombstone {
            owner_key: owner().key(),
            signed_at: at(0),
            done_at: at(0),
            ended: "another".to_owned(),
            unanswered: false,
        });
    } => SecretStep::CreateSecret;
}

#[test]
fn rotation_does_not_move_a_login() {
    let context = RequestContext {
        is_create: false,
        rotation: Some(Rotation {
            version_id: "version".to_owned(),
            phase: RotationPhase::Test,
            is_aborted: false,
        }),
        ..context()
    };
    let settled = state(settled(), |state| {
        state.user.secret_name = Some(FORMER.to_owned());
    });
    let step = next(&spec(), &context, &settled);
    assert!(!matches!(step, Next::Apply(Step::Request(_))), "{step:?}");
}
