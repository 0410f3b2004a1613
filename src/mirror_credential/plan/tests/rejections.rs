//! Rejections come before every step that changes something.

use super::*;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::{Login, Owner};
use crate::mirror_credential::plan::step::Step;

/// One test for each row: a state that the plan rejects, and a part of the reason.
macro_rules! rejected {
    ($($name:ident: $state:expr => $text:expr;)*) => {
        $(
            #[test]
            fn $name() {
                match step(|_| {}, &$state) {
                    Step::Reject(reason) => assert!(reason.text.contains($text), "{reason}"),
                    step => panic!("{step:?}"),
                }
            }
        )*
    };
}

fn other_owner() -> Owner {
    Owner {
        stack_id: "arn:other".to_owned(),
        logical_id: "X".to_owned(),
    }
}

rejected! {
    missing_user_is_rejected: fresh() => "there is no IAM user of that name";
    user_of_another_owner_is_rejected: state(settled(), |k| k.user.owner = Some(other_owner()))
        => "aws iam untag-user";
    secret_of_another_owner_is_rejected: state(settled(), |k| {
            present(k, |s| s.origin.owner = Some(other_owner()));
        })
        => "aws secretsmanager delete-secret";
    secret_without_an_owner_is_rejected:
        state(settled(), |k| present(k, |s| s.origin.owner = None))
        => "was not created by Custom::MirrorCredential";
    foreign_credential_is_rejected_if_a_slot_is_needed: state(fresh(), |k| {
            k.user.exists = true;
            k.user.credentials = vec![credential("HIS")];
        })
        => "aws iam delete-service-specific-credential --user-name user-dev-m \
            --service-specific-credential-id HIS";
    login_of_another_user_is_rejected: state(settled(), |k| {
            present(k, |s| {
                s.origin.user_name = Some("user-dev-a".to_owned());
                s.log.current = Some(Login {
                    user_key: intent_log::key("user-dev-a"),
                    ..login(1, "CUR")
                });
            });
        })
        => "holds the login of user user-dev-a. To use another user, change SecretName too";
    unfinished_secret_of_another_user_is_rejected: state(settled(), |k| {
            present(k, |s| s.origin.user_name = Some("user-dev-a".to_owned()));
        })
        => "change SecretName too";
    request_before_a_handled_one_is_rejected:
        state(settled(), |k| present(k, |s| s.origin.as_of = Some(at(1))))
        => "a later request";
}
