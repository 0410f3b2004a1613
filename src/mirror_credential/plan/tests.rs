//! The plan as a table: what is known, and the step that follows from it.

use std::time::{Duration, SystemTime};

use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::{IssueIntent, Login, Owner, Tombstone};
use crate::mirror_credential::messages;
use crate::mirror_credential::mirrors::intent::{SavedSpec, spec_key};
use crate::mirror_credential::plan::next;
use crate::mirror_credential::plan::step::{CredentialStep, SecretStep, Step};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::{ForeignCredentials, Spec};
use crate::mirror_credential::state::{Credential, Issued, Secret, SecretState, State, User};
use crate::password::Password;

pub(in crate::mirror_credential) const USER: &str = "user-dev-m";
const NAME: &str = "codecommit-mirror/user-dev-m";

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
        url_safe: true,
        version_id: intent_log::version_id(entry),
        mirrors: 0,
    }
}

pub(in crate::mirror_credential) fn secret() -> Secret {
    Secret {
        as_of: Some(at(0)),
        ..Secret::created("arn:secret-a".to_owned(), owner(), USER.to_owned())
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
    State {
        now: at(3600),
        user_read_at: at(3600),
        secret_read_after_user: true,
        ..State::new(at(0), User::absent(USER, None), SecretState::Absent)
    }
}

/// A user and a secret whose login is live and ours.
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
    present(&mut state, |secret| secret.current = Some(login(1, "CUR")));
    state
}

/// What the template asks for stands in the log.
pub(in crate::mirror_credential) fn noted(entry: u64) -> SavedSpec {
    SavedSpec {
        entry,
        key: spec_key(&spec().document),
    }
}

/// A claim of ours on a secret that holds nothing yet.
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
    if let Some(login) = &present.current
        && present.saved_specs.is_empty()
    {
        present.saved_specs = vec![noted(login.entry)];
    }
    state.secret = SecretState::Present(Box::new(present));
}

pub(in crate::mirror_credential) fn spec() -> Spec {
    Spec {
        user_name: USER.to_owned(),
        secret_name: NAME.to_owned(),
        kms_key_id: None,
        repository_names: Vec::new(),
        foreign_credentials: ForeignCredentials::Refuse,
        rotation_serial: None,
        url_safe_password: true,
        tags: std::collections::BTreeMap::new(),
        gitlab: None,
        mirrors: Vec::new(),
        document: serde_json::json!({"UserName": USER}),
    }
}

pub(in crate::mirror_credential) fn step(
    change_spec: impl FnOnce(&mut Spec),
    state: &State,
) -> Step {
    let mut spec = spec();
    change_spec(&mut spec);
    next(&spec, &context(), state)
}

pub(in crate::mirror_credential) fn context() -> RequestContext {
    RequestContext {
        owner: owner(),
        signed_at: at(0),
        request_key: "request".to_owned(),
        claimant: "claimant".to_owned(),
        is_create: true,
        rotation: None,
    }
}

pub(in crate::mirror_credential) fn state(base: State, change: impl FnOnce(&mut State)) -> State {
    let mut state = base;
    change(&mut state);
    state
}

pub(in crate::mirror_credential) fn delete(id: &str) -> Step {
    CredentialStep::DeleteCredential {
        user_name: USER.to_owned(),
        id: id.to_owned(),
    }
    .into()
}

#[test]
#[allow(clippy::too_many_lines)] // A table.
fn what_is_known_decides_the_next_step() {
    let exists = |state: &mut State| state.user.exists = true;
    let same = |_: &mut Spec| {};
    let rows: Vec<(&str, Step, Step)> = vec![
        ("it is so", step(same, &settled()), Step::Done),
        (
            "nothing is there",
            step(same, &state(fresh(), exists)),
            SecretStep::CreateSecret.into(),
        ),
        (
            "the secret was not read, and the user is new: creating it tells",
            step(
                same,
                &state(fresh(), |k| {
                    k.user.exists = true;
                    k.secret = SecretState::Unread;
                }),
            ),
            SecretStep::CreateSecret.into(),
        ),
        (
            "the secret was not read, and the user has a history",
            step(same, &state(settled(), |k| k.secret = SecretState::Unread)),
            SecretStep::ReadSecret.into(),
        ),
        (
            "claimed, not recorded",
            step(
                same,
                &state(claimed(), |k| k.log.issue_intent_written = false),
            ),
            CredentialStep::WriteIssueIntent.into(),
        ),
        (
            "claimed and recorded",
            step(same, &claimed()),
            CredentialStep::Issue.into(),
        ),
        (
            "issued",
            step(
                same,
                &state(claimed(), |k| k.login.issued = Some(issued(Some("a+b=")))),
            ),
            CredentialStep::Store.into(),
        ),
        (
            "issued with a slash",
            step(
                same,
                &state(claimed(), |k| k.login.issued = Some(issued(Some("a/b=")))),
            ),
            CredentialStep::Reset("NEW".to_owned()).into(),
        ),
        (
            "issued with a slash where that does not matter",
            step(
                |d| d.url_safe_password = false,
                &state(claimed(), |k| k.login.issued = Some(issued(Some("a/b")))),
            ),
            CredentialStep::Store.into(),
        ),
        (
            "the password of what was issued is not known any more",
            step(
                same,
                &state(claimed(), |k| k.login.issued = Some(issued(None))),
            ),
            CredentialStep::Reset("NEW".to_owned()).into(),
        ),
        (
            "somebody else's claim on a secret without a value is taken over",
            step(same, &state(claimed(), |k| k.log.claim = None)),
            SecretStep::Claim(1).into(),
        ),
        (
            "somebody who took over from us is let finish",
            step(
                same,
                &state(claimed(), |k| {
                    k.log.claim = None;
                    k.log.claim_lost_at = Some(at(3599));
                }),
            ),
            SecretStep::WaitForPeer.into(),
        ),
        (
            "an attempt before this one left a credential: it is reset, not issued again",
            step(
                same,
                &state(claimed(), |k| {
                    k.user.credentials = vec![credential("LOST")];
                    k.log.issue_intent_written = false;
                }),
            ),
            CredentialStep::Reset("LOST".to_owned()).into(),
        ),
        (
            "a call to issue whose fate is not known yet",
            step(
                same,
                &state(claimed(), |k| k.login.uncertain_since = Some(at(3595))),
            ),
            CredentialStep::WaitForIam.into(),
        ),
        (
            "another serial, another login: claim first",
            step(|d| d.rotation_serial = Some("2".to_owned()), &settled()),
            SecretStep::Claim(2).into(),
        ),
        (
            "while something works, the new login is proved before it is stored",
            step(
                |d| {
                    d.rotation_serial = Some("2".to_owned());
                    d.repository_names = vec!["r".to_owned()];
                },
                &state(settled(), |k| {
                    present(k, |s| {
                        s.current = Some(login(1, "CUR"));
                        s.claim = 2;
                    });
                    k.log.claim = Some(2);
                    k.login.issued = Some(issued(Some("a")));
                    k.user.credentials.push(credential("NEW"));
                }),
            ),
            CredentialStep::VerifyIssued.into(),
        ),
        (
            "the superseded one goes",
            step(
                same,
                &state(settled(), |k| {
                    present(k, |s| {
                        s.current = Some(login(3, "CUR"));
                        s.superseded = vec![login(1, "OLD")];
                    });
                    k.user.credentials.push(credential("OLD"));
                }),
            ),
            delete("OLD"),
        ),
        (
            "a superseded one that is not listed goes too",
            step(
                same,
                &state(settled(), |k| {
                    present(k, |s| {
                        s.current = Some(login(3, "CUR"));
                        s.superseded = vec![login(1, "OLD")];
                    });
                }),
            ),
            delete("OLD"),
        ),
        (
            "and then its label",
            step(
                same,
                &state(settled(), |k| {
                    present(k, |s| {
                        s.current = Some(login(3, "CUR"));
                        s.superseded = vec![login(1, "OLD")];
                    });
                    k.login.deleted_credentials.push("OLD".to_owned());
                }),
            ),
            SecretStep::DropOldLogin(1).into(),
        ),
        (
            "somebody set it inactive",
            step(
                same,
                &state(settled(), |k| k.user.credentials[0].active = false),
            ),
            CredentialStep::Activate("CUR".to_owned()).into(),
        ),
        (
            "repositories are to be proved",
            step(|d| d.repository_names = vec!["r".to_owned()], &settled()),
            CredentialStep::VerifyStored.into(),
        ),
        (
            // An Update to another user was interrupted after it had written the tag.
            "a secret with the right login, tagged with another user",
            step(
                same,
                &state(settled(), |k| {
                    present(k, |s| {
                        s.user_name = Some("user-dev-b".to_owned());
                        s.current = Some(login(1, "CUR"));
                    });
                }),
            ),
            SecretStep::TagSecret.into(),
        ),
        (
            "another key",
            step(|d| d.kms_key_id = Some("alias/x".to_owned()), &settled()),
            SecretStep::ChangeKey.into(),
        ),
        (
            "another tag",
            step(
                |d| {
                    d.tags.insert("team".to_owned(), "a".to_owned());
                },
                &settled(),
            ),
            SecretStep::TagSecret.into(),
        ),
        (
            "a foreign credential that is in nobody's way stays",
            step(
                same,
                &state(settled(), |k| k.user.credentials.push(credential("HIS"))),
            ),
            Step::Done,
        ),
        (
            "another person creates a credential during this attempt",
            step(
                same,
                &state(claimed(), |k| k.user.credentials = vec![credential("HIS")]),
            ),
            Step::Reject(messages::foreign_in_the_way(USER, &[&credential("HIS")])),
        ),
        (
            "the record is open: it does not name what was issued",
            step(
                same,
                &state(settled(), |k| k.user.issue_intent = Some(issue_intent(0))),
            ),
            CredentialStep::CloseIssueIntent.into(),
        ),
        (
            "the user's tags are lost",
            step(
                same,
                &state(settled(), |k| {
                    k.user.owner = None;
                    k.user.secret_name = None;
                    k.user.issue_intent = None;
                }),
            ),
            CredentialStep::CloseIssueIntent.into(),
        ),
        (
            "a Delete has been there since",
            step(
                same,
                &state(settled(), |k| {
                    k.user.tombstone = Some(Tombstone {
                        owner_key: owner().key(),
                        signed_at: at(5),
                        done_at: at(5),
                        ended: "-".to_owned(),
                        unanswered: false,
                    });
                }),
            ),
            Step::SupersededByDelete,
        ),
        (
            "the secret was taken away while it was worked on",
            step(same, &state(claimed(), |k| k.secret = SecretState::Absent)),
            Step::SupersededByDelete,
        ),
    ];
    for (what, actual, expected) in rows {
        assert_eq!(actual, expected, "{what}");
    }
}

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
