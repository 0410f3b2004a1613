//! Rejections come before every step that changes something.

use super::*;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::{Login, Owner};
use crate::mirror_credential::plan::step::Step;
use crate::mirror_credential::state::State;

#[test]
fn refusals_come_before_any_step_that_changes_something() {
    let other = Owner {
        stack_id: "arn:other".to_owned(),
        logical_id: "X".to_owned(),
    };
    let rows: Vec<(&str, State, &str)> = vec![
        ("no such user", fresh(), "there is no IAM user of that name"),
        (
            "another's user",
            state(settled(), |k| k.user.owner = Some(other.clone())),
            "aws iam untag-user",
        ),
        (
            "another's secret",
            state(settled(), |k| present(k, |s| s.owner = Some(other.clone()))),
            "aws secretsmanager delete-secret",
        ),
        (
            "a secret of nobody of ours",
            state(settled(), |k| present(k, |s| s.owner = None)),
            "was not made by Custom::MirrorCredential",
        ),
        (
            "a foreign credential where a slot is needed",
            state(fresh(), |k| {
                k.user.exists = true;
                k.user.credentials = vec![credential("HIS")];
            }),
            "aws iam delete-service-specific-credential --user-name user-dev-m --service-specific-credential-id HIS",
        ),
        (
            "a secret with the login of another user",
            state(settled(), |k| {
                present(k, |s| {
                    s.user_name = Some("user-dev-a".to_owned());
                    s.current = Some(Login {
                        user_key: intent_log::key("user-dev-a"),
                        ..login(1, "CUR")
                    });
                });
            }),
            "holds the login of user user-dev-a. To use another user, change SecretName too",
        ),
        (
            "a secret without a login, created for another user",
            state(settled(), |k| {
                present(k, |s| s.user_name = Some("user-dev-a".to_owned()));
            }),
            "change SecretName too",
        ),
        (
            "a later request was carried out",
            state(settled(), |k| present(k, |s| s.as_of = Some(at(1)))),
            "a later request",
        ),
    ];
    for (what, state, says) in rows {
        match step(|_| {}, &state) {
            Step::Reject(reason) => assert!(reason.text.contains(says), "{what}: {reason}"),
            step => panic!("{what}: {step:?}"),
        }
    }
}
