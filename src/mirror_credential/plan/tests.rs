//! The plan as a table: what is known, and the step that follows from it.

use std::time::{Duration, SystemTime};

use super::{Issued, Me, Observed, SecretState, Step, next};
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::{Attempt, Deletion, Login, Owner, Standing};
use crate::mirror_credential::messages;
use crate::mirror_credential::mirrors::journal::{Properties, properties_key};
use crate::mirror_credential::observe::{Credential, Secret, User};
use crate::mirror_credential::spec::{ForeignCredentials, Spec};
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

pub(in crate::mirror_credential) fn attempt(claim: u64) -> Attempt {
    Attempt {
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
        proved: false,
    }
}

/// A fresh user, an hour into the request.
pub(in crate::mirror_credential) fn fresh() -> Observed {
    Observed {
        now: at(3600),
        looked_at: at(3600),
        is_in_order: true,
        ..Observed::begin(at(0), User::absent(USER, None), SecretState::Absent)
    }
}

/// A user and a secret whose login is live and ours.
pub(in crate::mirror_credential) fn settled() -> Observed {
    let mut known = fresh();
    known.user.exists = true;
    known.user.owner = Some(owner());
    known.user.secret_name = Some(NAME.to_owned());
    known.user.attempt = Some(Attempt {
        before: vec![("CUR".to_owned(), Standing::Ours)],
        closed: true,
        ..attempt(0)
    });
    known.user.credentials = vec![credential("CUR")];
    present(&mut known, |secret| secret.current = Some(login(1, "CUR")));
    known
}

/// What the template asks for stands in the log.
pub(in crate::mirror_credential) fn noted(entry: u64) -> Properties {
    Properties {
        entry,
        key: properties_key(&desired().document),
    }
}

/// A claim of ours on a secret that holds nothing yet.
pub(in crate::mirror_credential) fn claimed() -> Observed {
    let mut known = settled();
    known.user.credentials.clear();
    known.user.attempt = Some(attempt(0));
    present(&mut known, |_| {});
    known.claim = Some(0);
    known.recorded = true;
    known
}

pub(in crate::mirror_credential) fn present(
    known: &mut Observed,
    change: impl FnOnce(&mut Secret),
) {
    let mut present = secret();
    change(&mut present);
    if let Some(login) = &present.current
        && present.properties.is_empty()
    {
        present.properties = vec![noted(login.entry)];
    }
    known.secret = SecretState::Present(Box::new(present));
}

pub(in crate::mirror_credential) fn desired() -> Spec {
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
    change_desired: impl FnOnce(&mut Spec),
    known: &Observed,
) -> Step {
    let mut desired = desired();
    change_desired(&mut desired);
    next(&desired, &me(), known)
}

pub(in crate::mirror_credential) fn me() -> Me {
    Me {
        owner: owner(),
        signed_at: at(0),
        request_key: "request".to_owned(),
        claimant: "claimant".to_owned(),
        is_create: true,
        rotation: None,
    }
}

pub(in crate::mirror_credential) fn known(
    base: Observed,
    change: impl FnOnce(&mut Observed),
) -> Observed {
    let mut known = base;
    change(&mut known);
    known
}

pub(in crate::mirror_credential) fn delete(id: &str) -> Step {
    Step::DeleteCredential {
        user_name: USER.to_owned(),
        id: id.to_owned(),
    }
}

#[test]
#[allow(clippy::too_many_lines)] // A table.
fn what_is_known_decides_the_next_step() {
    let exists = |known: &mut Observed| known.user.exists = true;
    let same = |_: &mut Spec| {};
    let rows: Vec<(&str, Step, Step)> = vec![
        ("it is so", step(same, &settled()), Step::Done),
        (
            "nothing is there",
            step(same, &known(fresh(), exists)),
            Step::CreateSecret,
        ),
        (
            "the secret was not read, and the user is new: creating it tells",
            step(
                same,
                &known(fresh(), |k| {
                    k.user.exists = true;
                    k.secret = SecretState::Unread;
                }),
            ),
            Step::CreateSecret,
        ),
        (
            "the secret was not read, and the user has a history",
            step(same, &known(settled(), |k| k.secret = SecretState::Unread)),
            Step::ReadSecret,
        ),
        (
            "claimed, not recorded",
            step(same, &known(claimed(), |k| k.recorded = false)),
            Step::Record,
        ),
        ("claimed and recorded", step(same, &claimed()), Step::Issue),
        (
            "issued",
            step(
                same,
                &known(claimed(), |k| k.issued = Some(issued(Some("a+b=")))),
            ),
            Step::Store,
        ),
        (
            "issued with a slash",
            step(
                same,
                &known(claimed(), |k| k.issued = Some(issued(Some("a/b=")))),
            ),
            Step::Reset("NEW".to_owned()),
        ),
        (
            "issued with a slash where that does not matter",
            step(
                |d| d.url_safe_password = false,
                &known(claimed(), |k| k.issued = Some(issued(Some("a/b")))),
            ),
            Step::Store,
        ),
        (
            "the password of what was issued is not known any more",
            step(same, &known(claimed(), |k| k.issued = Some(issued(None)))),
            Step::Reset("NEW".to_owned()),
        ),
        (
            "somebody else's claim on a secret without a value is taken over",
            step(same, &known(claimed(), |k| k.claim = None)),
            Step::Claim(1),
        ),
        (
            "somebody who took over from us is let finish",
            step(
                same,
                &known(claimed(), |k| {
                    k.claim = None;
                    k.overtaken_at = Some(at(3599));
                }),
            ),
            Step::Follow,
        ),
        (
            "an attempt before this one left a credential: it is reset, not issued again",
            step(
                same,
                &known(claimed(), |k| {
                    k.user.credentials = vec![credential("LOST")];
                    k.recorded = false;
                }),
            ),
            Step::Reset("LOST".to_owned()),
        ),
        (
            "a call to issue whose fate is not known yet",
            step(
                same,
                &known(claimed(), |k| k.doubtful_since = Some(at(3595))),
            ),
            Step::LookAgain,
        ),
        (
            "another serial, another login: claim first",
            step(|d| d.rotation_serial = Some("2".to_owned()), &settled()),
            Step::Claim(2),
        ),
        (
            "while something works, the new login is proved before it is stored",
            step(
                |d| {
                    d.rotation_serial = Some("2".to_owned());
                    d.repository_names = vec!["r".to_owned()];
                },
                &known(settled(), |k| {
                    present(k, |s| {
                        s.current = Some(login(1, "CUR"));
                        s.claim = 2;
                    });
                    k.claim = Some(2);
                    k.issued = Some(issued(Some("a")));
                    k.user.credentials.push(credential("NEW"));
                }),
            ),
            Step::ProveIssued,
        ),
        (
            "the superseded one goes",
            step(
                same,
                &known(settled(), |k| {
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
                &known(settled(), |k| {
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
                &known(settled(), |k| {
                    present(k, |s| {
                        s.current = Some(login(3, "CUR"));
                        s.superseded = vec![login(1, "OLD")];
                    });
                    k.gone.push("OLD".to_owned());
                }),
            ),
            Step::ForgetLogin(1),
        ),
        (
            "somebody set it inactive",
            step(
                same,
                &known(settled(), |k| k.user.credentials[0].active = false),
            ),
            Step::Activate("CUR".to_owned()),
        ),
        (
            "repositories are to be proved",
            step(|d| d.repository_names = vec!["r".to_owned()], &settled()),
            Step::ProveStored,
        ),
        (
            // An Update to another user was interrupted after it had written the tag.
            "a secret with the right login, tagged with another user",
            step(
                same,
                &known(settled(), |k| {
                    present(k, |s| {
                        s.user_name = Some("user-dev-b".to_owned());
                        s.current = Some(login(1, "CUR"));
                    });
                }),
            ),
            Step::TagSecret,
        ),
        (
            "another key",
            step(|d| d.kms_key_id = Some("alias/x".to_owned()), &settled()),
            Step::ChangeKey,
        ),
        (
            "another tag",
            step(
                |d| {
                    d.tags.insert("team".to_owned(), "a".to_owned());
                },
                &settled(),
            ),
            Step::TagSecret,
        ),
        (
            "a foreign credential that is in nobody's way stays",
            step(
                same,
                &known(settled(), |k| k.user.credentials.push(credential("HIS"))),
            ),
            Step::Done,
        ),
        (
            "another person creates a credential during this attempt",
            step(
                same,
                &known(claimed(), |k| k.user.credentials = vec![credential("HIS")]),
            ),
            Step::Refuse(messages::foreign_in_the_way(USER, &[&credential("HIS")])),
        ),
        (
            "the record is open: it does not name what was issued",
            step(
                same,
                &known(settled(), |k| k.user.attempt = Some(attempt(0))),
            ),
            Step::RecordIssued,
        ),
        (
            "the user's tags are lost",
            step(
                same,
                &known(settled(), |k| {
                    k.user.owner = None;
                    k.user.secret_name = None;
                    k.user.attempt = None;
                }),
            ),
            Step::RecordIssued,
        ),
        (
            "a Delete has been there since",
            step(
                same,
                &known(settled(), |k| {
                    k.user.deletion = Some(Deletion {
                        owner_key: owner().key(),
                        signed_at: at(5),
                        done_at: at(5),
                        ended: "-".to_owned(),
                        unanswered: false,
                    });
                }),
            ),
            Step::Overtaken,
        ),
        (
            "the secret was taken away while it was worked on",
            step(same, &known(claimed(), |k| k.secret = SecretState::Absent)),
            Step::Overtaken,
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
    let rows: Vec<(&str, Observed, &str)> = vec![
        ("no such user", fresh(), "there is no IAM user of that name"),
        (
            "another's user",
            known(settled(), |k| k.user.owner = Some(other.clone())),
            "aws iam untag-user",
        ),
        (
            "another's secret",
            known(settled(), |k| present(k, |s| s.owner = Some(other.clone()))),
            "aws secretsmanager delete-secret",
        ),
        (
            "a secret of nobody of ours",
            known(settled(), |k| present(k, |s| s.owner = None)),
            "was not made by Custom::MirrorCredential",
        ),
        (
            "a foreign credential where a slot is needed",
            known(fresh(), |k| {
                k.user.exists = true;
                k.user.credentials = vec![credential("HIS")];
            }),
            "aws iam delete-service-specific-credential --user-name user-dev-m --service-specific-credential-id HIS",
        ),
        (
            "a secret with the login of another user",
            known(settled(), |k| {
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
            known(settled(), |k| {
                present(k, |s| s.user_name = Some("user-dev-a".to_owned()));
            }),
            "change SecretName too",
        ),
        (
            "a later request was carried out",
            known(settled(), |k| present(k, |s| s.as_of = Some(at(1)))),
            "a later request",
        ),
    ];
    for (what, known, says) in rows {
        match step(|_| {}, &known) {
            Step::Refuse(reason) => assert!(reason.text.contains(says), "{what}: {reason}"),
            step => panic!("{what}: {step:?}"),
        }
    }
}
