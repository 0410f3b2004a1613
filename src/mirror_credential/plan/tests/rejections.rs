//! Rejections come before every step that changes something.

use super::*;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::{Login, Owner};
use crate::mirror_credential::plan::step::Step;
use crate::mirror_credential::state::State;

fn assert_rejected(state: &State, text: &str) {
    match step(|_| {}, state) {
        Step::Reject(reason) => assert!(reason.text.contains(text), "{reason}"),
        step => panic!("{step:?}"),
    }
}

fn other_owner() -> Owner {
    Owner {
        stack_id: "arn:other".to_owned(),
        logical_id: "X".to_owned(),
    }
}

#[test]
fn missing_user_is_rejected() {
    assert_rejected(&fresh(), "there is no IAM user of that name");
}

#[test]
fn user_of_another_owner_is_rejected() {
    let state = state(settled(), |k| k.user.owner = Some(other_owner()));
    assert_rejected(&state, "aws iam untag-user");
}

#[test]
fn secret_of_another_owner_is_rejected() {
    let state = state(settled(), |k| {
        present(k, |s| s.origin.owner = Some(other_owner()));
    });
    assert_rejected(&state, "aws secretsmanager delete-secret");
}

#[test]
fn secret_without_an_owner_is_rejected() {
    let state = state(settled(), |k| present(k, |s| s.origin.owner = None));
    assert_rejected(&state, "was not created by Custom::MirrorCredential");
}

#[test]
fn foreign_credential_is_rejected_if_a_slot_is_needed() {
    let state = state(fresh(), |k| {
        k.user.exists = true;
        k.user.credentials = vec![credential("HIS")];
    });
    let command = "aws iam delete-service-specific-credential --user-name user-dev-m \
         --service-specific-credential-id HIS";
    assert_rejected(&state, command);
}

#[test]
fn login_of_another_user_is_rejected() {
    let state = state(settled(), |k| {
        present(k, |s| {
            s.origin.user_name = Some("user-dev-a".to_owned());
            s.log.current = Some(Login {
                user_key: intent_log::key("user-dev-a"),
                ..login(1, "CUR")
            });
        });
    });
    let text = "holds the login of user user-dev-a. To use another user, change SecretName too";
    assert_rejected(&state, text);
}

#[test]
fn unfinished_secret_of_another_user_is_rejected() {
    let state = state(settled(), |k| {
        present(k, |s| s.origin.user_name = Some("user-dev-a".to_owned()));
    });
    assert_rejected(&state, "change SecretName too");
}

#[test]
fn request_before_a_handled_one_is_rejected() {
    let state = state(settled(), |k| present(k, |s| s.origin.as_of = Some(at(1))));
    assert_rejected(&state, "a later request");
}
