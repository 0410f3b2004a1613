//! Rejections come before every step that changes something. `tests/faults/mirrors/rejected.rs` and
//! the stories `mirrors_login_*refused` have others.

use super::*;
use crate::mirror_credential::state::DeliveryError;

/// One test for each row: a state that the plan rejects, and a part of the reason.
macro_rules! rejected {
    ($($name:ident: $state:expr => $text:expr;)*) => {
        $(
            #[test]
            fn $name() {
                match step(|_| {}, &$state) {
                    Next::Fail(DeliveryError { reason, is_transient: false }) => {
                        assert!(reason.text().contains($text), "{reason}");
                    }
                    next => panic!("{next:?}"),
                }
            }
        )*
    };
}

rejected! {
    missing_user_is_rejected: fresh() => "there is no IAM user of that name";
    unfinished_secret_of_another_user_is_rejected: state(settled(), |state| {
            present(state, |s| s.origin.user_name = Some("user-dev-a".to_owned()));
        })
        => "change SecretName too";
    request_before_a_handled_one_is_rejected:
        state(settled(), |state| present(state, |s| s.origin.as_of = Some(at(1))))
        => "a later request";
}
