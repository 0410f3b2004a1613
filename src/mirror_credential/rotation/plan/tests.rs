//! The plan for rotations as a table.

use crate::gitlab::{Mirror, ProtectedBranches};
use crate::mirror_credential::intent_log::{Login, version_id};
use crate::mirror_credential::mirrors::journal::{claimant, giving_up};
use crate::mirror_credential::mirrors::plan::tests::{
    edit, mirror, mirrored, new_mirror, pushing, record, seen, value,
};
use crate::mirror_credential::plan::tests::{at, credential, known, login, me, step};
use crate::mirror_credential::plan::{Me, Observed, Rotation, RotationPart, Step, next};
use crate::reason_codes::Code;
use cfn_custom_resource::Reason;

const VERSION: &str = "5f3b2c10-0000-4000-8000-0a0000000000";

/// Secrets Manager has named a version, and nothing is in it.
fn named() -> Observed {
    known(pushing(), |k| {
        edit(k, |secret| secret.pending = Some(VERSION.to_owned()));
    })
}

/// `createSecret` has been done.
fn prepared() -> Observed {
    known(named(), |k| {
        k.user.credentials.push(credential("NEW"));
        edit(k, |secret| {
            secret.claim = 3;
            secret.journal = Some(version_id(3));
            let prepared = Login {
                version_id: VERSION.to_owned(),
                mirrors: 1,
                ..login(4, "NEW")
            };
            secret.superseded = vec![prepared];
        });
        k.values.insert(VERSION.to_owned(), Some(value(&[8])));
        seen(k, vec![mirror(7), mirror(8)]);
    })
}

/// `finishSecret` has moved `AWSCURRENT`.
fn rotated() -> Observed {
    known(prepared(), |k| {
        edit(k, |secret| {
            let next = secret.superseded.pop();
            secret.superseded.extend(secret.current.take());
            secret.current = next;
            secret.pending = None;
        });
    })
}

/// Somebody's claim is a minute old.
fn at_work(base: Observed) -> Observed {
    known(base, |k| {
        edit(k, |secret| secret.claim = 2);
        k.journal_read = Some(version_id(2));
        k.journal.written = Some(at(3540));
    })
}

/// A reason whose text does not matter.
fn any() -> Reason {
    Reason::new(Code::NothingToRotate, "")
}

fn rotate(part: RotationPart, known: &Observed) -> Step {
    let mut desired = crate::mirror_credential::plan::tests::desired();
    mirrored(&mut desired);
    let me = Me {
        is_create: false,
        rotation: Some(Rotation {
            version_id: VERSION.to_owned(),
            part,
        }),
        ..me()
    };
    match next(&desired, &me, known) {
        Step::Refuse(_) => Step::Refuse(any()),
        Step::Defer(_) => Step::Defer(any()),
        step => step,
    }
}

#[test]
#[allow(clippy::too_many_lines)] // A table.
fn a_rotation_goes_as_far_as_its_step() {
    use RotationPart::{Create, Finish, Set, Test};
    let refused = || Step::Refuse(any());
    let slow = known(prepared(), |k| seen(k, vec![mirror(7), new_mirror(8)]));
    let enabled = Mirror {
        enabled: true,
        ..new_mirror(8)
    };
    let silent = known(prepared(), |k| seen(k, vec![mirror(7), enabled]));
    let overtaken = known(prepared(), |k| edit(k, |secret| secret.claim = 5));
    let lost = known(prepared(), |k| seen(k, vec![mirror(7)]));
    let hand_over = || Step::HandOver {
        from: version_id(1),
        to: VERSION.to_owned(),
    };
    let deactivate = Step::Deactivate {
        user_name: crate::mirror_credential::plan::tests::USER.to_owned(),
        id: "CUR".to_owned(),
    };
    let retired = known(rotated(), |k| seen(k, vec![mirror(8)]));
    let rows: Vec<(&str, Step, Step)> = vec![
        (
            "nothing is prepared",
            rotate(Create, &named()),
            Step::Claim(2),
        ),
        (
            "a stack's update may be at work",
            rotate(
                Create,
                &known(named(), |k| edit(k, |secret| secret.claim = 2)),
            ),
            Step::ReadJournal(version_id(2)),
        ),
        (
            "it is",
            rotate(Create, &at_work(named())),
            Step::Defer(any()),
        ),
        (
            "it is an earlier rotation's",
            rotate(
                Create,
                &known(at_work(named()), |k| {
                    k.journal.claimant = giving_up("another");
                }),
            ),
            Step::Claim(3),
        ),
        (
            "it was, long ago",
            rotate(
                Create,
                &known(at_work(named()), |k| k.journal.written = Some(at(0))),
            ),
            Step::Claim(3),
        ),
        (
            "it is this very rotation",
            rotate(
                Create,
                &known(at_work(named()), |k| {
                    k.journal.claimant = claimant(Some(VERSION));
                }),
            ),
            Step::Claim(3),
        ),
        (
            "a late copy, after the rotation was given up",
            rotate(Create, &pushing()),
            refused(),
        ),
        (
            "a schedule was attached",
            rotate(Test, &named()),
            Step::Done,
        ),
        ("set before create", rotate(Set, &named()), refused()),
        ("no rotation", rotate(Set, &pushing()), refused()),
        ("created twice", rotate(Create, &prepared()), Step::Done),
        ("overtaken", rotate(Finish, &overtaken), refused()),
        ("its mirror is gone", rotate(Set, &lost), refused()),
        ("set", rotate(Set, &slow), Step::EnableMirror(record(8))),
        ("set twice", rotate(Set, &prepared()), Step::Done),
        (
            "test",
            rotate(Test, &silent),
            Step::SyncMirrors(vec![record(8)]),
        ),
        ("tested", rotate(Test, &prepared()), Step::Done),
        ("finish", rotate(Finish, &prepared()), hand_over()),
        (
            "finished",
            rotate(Finish, &rotated()),
            Step::RetireMirror(record(7)),
        ),
        (
            "the old one is left alone until it is needed",
            rotate(Finish, &retired),
            deactivate,
        ),
        (
            "tested after it is current",
            rotate(Test, &rotated()),
            Step::Done,
        ),
    ];
    for (situation, actual, expected) in rows {
        assert_eq!(actual, expected, "{situation}");
    }
}

#[test]
fn rotation_in_an_unprotected_project_starts_no_push() {
    use RotationPart::{Finish, Set, Test};
    let unprotected = |base: Observed| {
        known(base, |k| {
            for project in k.projects.iter_mut().flat_map(|p| p.values_mut()) {
                let none = ProtectedBranches {
                    own: vec![],
                    is_complete: true,
                };
                project.protected_branches = Some(none);
            }
        })
    };
    let with = |mirror| {
        known(prepared(), |k| {
            seen(
                k,
                vec![
                    crate::mirror_credential::mirrors::plan::tests::mirror(7),
                    mirror,
                ],
            );
        })
    };
    let disabled = unprotected(with(new_mirror(8)));
    assert_eq!(rotate(Set, &disabled), Step::EnableMirror(record(8)));
    let enabled = unprotected(with(Mirror {
        enabled: true,
        ..new_mirror(8)
    }));
    assert_eq!(rotate(Test, &enabled), Step::Done);
    let hand_over = Step::HandOver {
        from: version_id(1),
        to: VERSION.to_owned(),
    };
    assert_eq!(rotate(Finish, &enabled), hand_over);
}

#[test]
fn a_rotation_that_is_taken_over_cannot_finish_before_its_login_goes() {
    let stranger = |known: &Observed| step(mirrored, known);
    let shut_out = known(prepared(), |k| {
        k.claim = Some(5);
        edit(k, |secret| secret.claim = 5);
    });
    assert_eq!(stranger(&prepared()), Step::ReadJournal(version_id(3)));
    let told = known(prepared(), |k| k.journal_read = Some(version_id(3)));
    assert_eq!(stranger(&told), Step::Fence(5));
    assert_eq!(stranger(&shut_out), Step::Copy(6));
    let copied = known(shut_out, |k| {
        edit(k, |secret| secret.superseded.push(login(6, "CUR")));
    });
    let hand_over = Step::HandOver {
        from: version_id(1),
        to: version_id(6),
    };
    assert_eq!(stranger(&copied), hand_over);
    let safe = known(copied, |k| {
        edit(k, |secret| {
            let copy = secret.superseded.pop();
            secret.superseded.extend(secret.current.take());
            secret.current = copy;
        });
        k.values.insert(version_id(6), Some(value(&[7])));
    });
    assert_eq!(stranger(&safe), Step::DropPending(VERSION.to_owned()));
}
