//! The rollback as a table: the state and the secret after a failure, and the steps.

use crate::mirror_credential::plan::roll_back::RollBackStep::{
    CloseIssueIntent, DeleteCredential, DeleteMirrors, DeleteResource,
};
use crate::mirror_credential::plan::roll_back::{RollBackStep, may_have_left, roll_back};
use crate::mirror_credential::plan::tests::{
    at, claimed, context, fresh, issued, login, secret, state,
};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::state::{Secret, State};

/// The claim of the delivery is the latest entry, and no login is stored.
fn own() -> Secret {
    secret()
}

/// A peer has claimed the log.
fn taken() -> Secret {
    let mut secret = secret();
    secret.log.claim = 1;
    secret
}

/// The secret with the login of the credential `id` as its first entry.
fn with_login(id: &str) -> Secret {
    let mut secret = secret();
    secret.log.current = Some(login(1, id));
    secret
}

/// Another request of the resource created the secret, and this delivery claimed it.
fn update() -> RequestContext {
    RequestContext {
        is_create: false,
        ..context()
    }
}

/// This delivery created the secret.
fn created() -> Secret {
    let mut secret = secret();
    secret.origin.claimant = Some(context().claimant);
    secret
}

/// The credential `NEW` is issued and not stored.
fn unstored(state: &mut State) {
    state.login.issued = Some(issued(None));
}

/// The credential `NEW` is stored.
fn stored(state: &mut State) {
    state.created.stored_credential = Some("NEW".to_owned());
}

fn delete_new() -> RollBackStep {
    DeleteCredential("NEW".to_owned())
}

fn delete_resource() -> RollBackStep {
    DeleteResource {
        waits_for_iam: false,
    }
}

/// One test for each row: the request, whether a Delete came after it, the state after a claim with
/// an intent and its change, the secret as it is now, and the steps.
macro_rules! rolls_back {
    ($($name:ident: $context:expr, $for_delete:expr, |$state:ident| $change:expr, $secret:expr => $steps:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let state = state(claimed(), |$state| $change);
                let secret: Option<Secret> = $secret;
                let expected: Vec<RollBackStep> = $steps.into();
                assert_eq!(roll_back(&$context, &state, secret.as_ref(), $for_delete), expected);
            }
        )*
    };
}

rolls_back! {
    create_deletes_its_resource: context(), false, |_k| (), Some(own()) => [DeleteMirrors, delete_resource()];
    create_deletes_an_unstored_credential_first:
        context(), false, |state| unstored(state), Some(own()) => [DeleteMirrors, delete_new(), delete_resource()];
    create_waits_for_a_credential_that_iam_may_list_late:
        context(), false, |state| state.login.uncertain_since = Some(at(0)), Some(own())
        => [DeleteMirrors, DeleteResource { waits_for_iam: true }];
    create_without_a_secret_deletes_its_credential:
        context(), false, |state| unstored(state), None => [DeleteMirrors, delete_new()];
    create_deletes_its_stored_login:
        context(), false, |state| stored(state), Some(with_login("NEW")) => [DeleteMirrors, delete_resource()];
    create_whose_store_was_not_answered_keeps_its_mirrors_for_the_deletion: context(), false, |state| {
        unstored(state);
        state.created.storing_entry = Some(1);
    }, Some(with_login("NEW")) => [delete_resource()];
    create_keeps_the_login_of_a_peer:
        context(), false, |_k| (), Some(with_login("HIS")) => [DeleteMirrors, CloseIssueIntent];
    create_keeps_the_secret_that_a_peer_has_claimed:
        context(), false, |state| unstored(state), Some(taken()) => [DeleteMirrors, delete_new()];
    credential_that_a_peer_has_stored_stays:
        update(), false, |state| unstored(state), Some(with_login("NEW")) => [DeleteMirrors, CloseIssueIntent];
    update_closes_its_intent:
        update(), false, |state| unstored(state), Some(own()) => [DeleteMirrors, delete_new(), CloseIssueIntent];
    update_without_an_intent_closes_none:
        update(), false, |state| state.log.issue_intent_written = false, Some(own()) => [DeleteMirrors];
    update_with_an_uncertain_call_keeps_its_intent_open:
        update(), false, |state| state.login.may_have_issued = true, Some(own()) => [DeleteMirrors];
    update_that_has_stored_keeps_its_intent_open:
        update(), false, |state| stored(state), Some(with_login("NEW")) => [DeleteMirrors];
    superseded_update_deletes_the_secret_that_it_created:
        update(), true, |_k| (), Some(created()) => [DeleteMirrors, delete_resource()];
    superseded_update_keeps_an_older_secret:
        update(), true, |_k| (), Some(own()) => [DeleteMirrors, CloseIssueIntent];
    failed_update_keeps_the_secret_that_it_created:
        update(), false, |_k| (), Some(created()) => [DeleteMirrors, CloseIssueIntent];
}

#[test]
fn delivery_without_a_claim_has_left_nothing() {
    assert!(!may_have_left(&fresh()));
    assert!(may_have_left(&claimed()));
    assert!(may_have_left(&state(fresh(), unstored)));
    let with_mirror = state(fresh(), |state| {
        let record = crate::mirror_credential::plan::mirrors::tests::record(1);
        state.created.mirrors.insert(record);
    });
    assert!(may_have_left(&with_mirror));
}
