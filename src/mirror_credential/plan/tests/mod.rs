//! The plan as a table: the state, and the step that the planner chooses.

use std::time::{Duration, SystemTime};

use crate::common::password::Password;
use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::mirrors::{SavedSpec, spec_key};
use crate::mirror_credential::intent_log::{IssueIntent, Login, Owner};
use crate::mirror_credential::plan::next;
use crate::mirror_credential::plan::step::{CredentialStep, NextStep};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{
    Credential, Issued, Secret, SecretOrigin, SecretState, State, User,
};
use crate::reconcile::Next;
use crate::reconcile::sender::Sender;

mod rejections;
mod request;
mod steps;
mod tags;

pub(in crate::mirror_credential) const USER: &str = "user-dev-m";
pub(in crate::mirror_credential) const NAME: &str = "codecommit-mirror/user-dev-m";

pub(in crate::mirror_credential) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_161_300 + seconds)
}

pub(in crate::mirror_credential) fn owner() -> Owner {
    Owner {
        stack_id: "arn:stack".to_owned(),
        logical_id: "Credential".to_owned(),
    }
}

pub(in crate::mirror_credential) fn credential(id: &str) -> Credential {
    Credential {
        id: id.to_owned(),
        service_user_name: format!("{USER}-at-1"),
        active: true,
        created: at(1),
    }
}

pub(in crate::mirror_credential) fn login(entry: u64, id: &str) -> Login {
    Login {
        entry,
        credential_id: id.to_owned(),
        serial_key: intent_log::serial_key(None),
        user_key: intent_log::key(USER),
        version_id: intent_log::version_id(entry),
        mirrors: 0,
    }
}

pub(in crate::mirror_credential) fn secret() -> Secret {
    Secret {
        origin: SecretOrigin {
            owner: Some(owner()),
            user_name: Some(USER.to_owned()),
            as_of: Some(at(0)),
            ..SecretOrigin::default()
        },
        arn: "arn:secret-a".to_owned(),
        ..Secret::default()
    }
}

pub(in crate::mirror_credential) fn issue_intent(claim: u64) -> IssueIntent {
    IssueIntent {
        secret_key: intent_log::key("arn:secret-a"),
        claim,
        started: at(0),
        before: Vec::new(),
        closed: false,
    }
}

pub(in crate::mirror_credential) fn issued(password: Option<&str>) -> Issued {
    Issued {
        id: "NEW".to_owned(),
        service_user_name: "n".to_owned(),
        password: password.map(Password::new),
        verified: false,
    }
}

/// A fresh user, an hour into the request.
pub(in crate::mirror_credential) fn fresh() -> State {
    let mut fresh = State {
        now: at(3600),
        user_read_at: at(3600),
        secret_read_after_user: true,
        ..State::new(at(0), User::absent(USER, None), SecretState::Absent)
    };
    fresh.request.sender = Some(Sender::Plausible);
    fresh
}

/// A user and a secret with a valid login of this resource.
pub(in crate::mirror_credential) fn settled() -> State {
    let mut state = fresh();
    state.user.exists = true;
    state.user.owner = Some(owner());
    state.user.secret_name = Some(NAME.to_owned());
    state.user.issue_intent = Some(IssueIntent {
        before: vec![("CUR".to_owned(), CredentialClass::Superseded)],
        closed: true,
        ..issue_intent(0)
    });
    state.user.credentials = vec![credential("CUR")];
    present(&mut state, |secret| {
        secret.log.current = Some(login(1, "CUR"));
    });
    state
}

/// The spec is saved in the log.
pub(in crate::mirror_credential) fn noted(entry: u64) -> SavedSpec {
    SavedSpec {
        entry,
        key: spec_key(&spec().document),
    }
}

/// A claim of this delivery on a secret without a login.
pub(in crate::mirror_credential) fn claimed() -> State {
    let mut state = settled();
    state.user.credentials.clear();
    state.user.issue_intent = Some(issue_intent(0));
    present(&mut state, |_| {});
    state.log.claim = Some(0);
    state.log.issue_intent_written = true;
    state
}

pub(in crate::mirror_credential) fn present(state: &mut State, change: impl FnOnce(&mut Secret)) {
    let mut present = secret();
    change(&mut present);
    if let Some(login) = &present.log.current
        && present.log.saved_specs.is_empty()
    {
        present.log.saved_specs = vec![noted(login.entry)];
    }
    state.secret = SecretState::Present(Box::new(present));
}

pub(in crate::mirror_credential) fn spec() -> Spec {
    Spec {
        user_name: USER.to_owned(),
        secret_name: NAME.to_owned(),
        kms_key_id: None,
        repository_names: Vec::new(),
        deletes_foreign: false,
        rotation_serial: None,
        tags: std::collections::BTreeMap::new(),
        gitlab: None,
        mirrors: Vec::new(),
        document: serde_json::json!({"UserName": USER}),
    }
}

/// The request requires a new password.
pub(in crate::mirror_credential) fn recreated(spec: &mut Spec) {
    spec.rotation_serial = Some("2".to_owned());
    spec.document["RotationSerial"] = "2".into();
}

pub(in crate::mirror_credential) fn step(
    change_spec: impl FnOnce(&mut Spec),
    state: &State,
) -> NextStep {
    let mut spec = spec();
    change_spec(&mut spec);
    next(&spec, &context(), state)
}

pub(in crate::mirror_credential) fn context() -> RequestContext {
    RequestContext {
        owner: owner(),
        signed_at: at(0),
        compared_at: at(0),
        request_key: "request".to_owned(),
        claimant: "claimant".to_owned(),
        is_create: true,
        is_local: false,
        rotation: None,
    }
}

pub(in crate::mirror_credential) fn state(base: State, change: impl FnOnce(&mut State)) -> State {
    let mut state = base;
    change(&mut state);
    state
}

pub(in crate::mirror_credential) const DONE: NextStep = Next::Done(());

pub(in crate::mirror_credential) fn delete(id: &str) -> NextStep {
    CredentialStep::DeleteCredential(id.to_owned()).into()
}

/// One test for each row: the argument of `$next`, a state and its change, and the step that
/// `$next` chooses.
macro_rules! step_table {
    ($next:ident: $($name:ident: $of:expr, $state:expr $(, |$k:ident| $change:expr)? => $expected:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let base = $state;
                $(let base = state(base, |$k| $change);)?
                let expected: crate::mirror_credential::plan::step::NextStep = $expected.into();
                assert_eq!($next($of, &base), expected);
            }
        )*
    };
}
pub(crate) use step_table;
