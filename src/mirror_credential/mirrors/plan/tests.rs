//! The plan for mirrors as a table.

use std::collections::BTreeMap;

use serde_json::json;

use crate::gitlab::{Access, Mirror, ProtectedBranches, PushStatus, Settings};
use crate::mirror_credential::calls::StoredLogin;
use crate::mirror_credential::intent_log::{Login, version_id};
use crate::mirror_credential::mirrors::journal::{Before, MirrorRecord};
use crate::mirror_credential::observe::Secret;
use crate::mirror_credential::plan;
use crate::mirror_credential::plan::tests::{
    at, claimed, credential, issued, known, login, settled, step,
};
use crate::mirror_credential::plan::{Observed, Project, SecretState, Step};
use crate::mirror_credential::spec::{Spec, WantedMirror};
use crate::password::Password;
use crate::reason_codes::Code;
use cfn_custom_resource::Reason;

const GITLAB: &str = "https://gitlab.example.com";
const PROJECT: &str = "platform/infra";
const REPOSITORY: &str = "codecommit-dev-infra";
const CLONE_URL: &str = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/r";

fn settings() -> Settings {
    Settings {
        only_protected_branches: true,
        branch_regex: None,
        keep_divergent_refs: false,
    }
}

fn wanted() -> WantedMirror {
    WantedMirror {
        project: PROJECT.to_owned(),
        repository_name: REPOSITORY.to_owned(),
        settings: settings(),
        required_branches: vec!["development".to_owned()],
        waits_for_sync: true,
    }
}

pub(in crate::mirror_credential) fn mirrored(desired: &mut Spec) {
    desired.gitlab = Some(Access {
        url: GITLAB.to_owned(),
        token_secret_id: "gitlab-token".to_owned(),
        token_secret_key: "token".to_owned(),
        ca_certificate: None,
    });
    desired.mirrors = vec![wanted()];
}

pub(in crate::mirror_credential) fn record(id: u64) -> MirrorRecord {
    MirrorRecord {
        gitlab_url: GITLAB.to_owned(),
        project: PROJECT.to_owned(),
        repository_name: REPOSITORY.to_owned(),
        id,
    }
}

/// A mirror that is enabled and has pushed.
pub(in crate::mirror_credential) fn mirror(id: u64) -> Mirror {
    Mirror {
        id,
        url: CLONE_URL.replace("://", "://*****:*****@"),
        enabled: true,
        settings: settings(),
        status: PushStatus::Finished,
        last_error: None,
        started_at: Some(at(1)),
        updated_at: Some(at(2)),
        succeeded_at: Some(at(2)),
    }
}

/// A mirror as it is made.
pub(in crate::mirror_credential) fn new_mirror(id: u64) -> Mirror {
    Mirror {
        enabled: false,
        status: PushStatus::None,
        started_at: None,
        updated_at: None,
        succeeded_at: None,
        ..mirror(id)
    }
}

pub(in crate::mirror_credential) fn value(mirrors: &[u64]) -> StoredLogin {
    StoredLogin {
        service_user_name: "u-at-1".to_owned(),
        password: Password::new("p"),
        mirrors: mirrors.iter().map(|id| record(*id)).collect(),
    }
}

pub(in crate::mirror_credential) fn seen(known: &mut Observed, mirrors: Vec<Mirror>) {
    let project = Project {
        protected_branches: Some(protected(&["development"])),
        ..Project::new(mirrors)
    };
    known.projects = Some(BTreeMap::from([(PROJECT.to_owned(), project)]));
    known.clone_urls = BTreeMap::from([(REPOSITORY.to_owned(), CLONE_URL.to_owned())]);
}

fn protected(own: &[&str]) -> ProtectedBranches {
    ProtectedBranches {
        own: own.iter().map(|&name| name.to_owned()).collect(),
        is_complete: true,
    }
}

pub(in crate::mirror_credential) fn edit(known: &mut Observed, change: impl FnOnce(&mut Secret)) {
    if let SecretState::Present(secret) = &mut known.secret {
        change(secret);
    }
}

/// A login whose one mirror pushes.
pub(in crate::mirror_credential) fn pushing() -> Observed {
    known(settled(), |k| {
        edit(k, |secret| {
            let current = Login {
                mirrors: 1,
                ..login(1, "CUR")
            };
            secret.current = Some(current);
        });
        k.values.insert(version_id(1), Some(value(&[7])));
        seen(k, vec![mirror(7)]);
        k.proved = true;
    })
}

/// A login was issued for the first time, its mirror made, and the log names it.
fn sealed() -> Observed {
    known(claimed(), |k| {
        k.issued = Some(issued(Some("p")));
        seen(k, vec![new_mirror(8)]);
        k.is_journaled = true;
        k.is_sealed = true;
        k.journal.made = vec![record(8)];
    })
}

#[test]
#[allow(clippy::too_many_lines)] // A table.
fn what_gitlab_shows_decides_the_next_step() {
    let rows: Vec<(&str, Step, Step)> = vec![
        ("it pushes", step(mirrored, &pushing()), Step::Done),
        (
            "it pushes, and the template says something new",
            step(
                |desired| {
                    mirrored(desired);
                    desired.document = json!({"New": true});
                },
                &pushing(),
            ),
            Step::NoteProperties(2),
        ),
        (
            "the projects were not looked at",
            step(mirrored, &known(pushing(), |k| k.projects = None)),
            Step::ReadProjects,
        ),
        (
            "a branch that must be mirrored is not protected",
            match step(
                |desired| {
                    mirrored(desired);
                    desired.document = json!({"New": true});
                },
                &known(pushing(), |k| {
                    for project in k.projects.iter_mut().flat_map(|p| p.values_mut()) {
                        project.protected_branches = Some(protected(&["main"]));
                    }
                }),
            ) {
                Step::Refuse(reason) if reason.text.contains("development") => Step::Refuse(any()),
                other => other,
            },
            Step::Refuse(any()),
        ),
        (
            "the mirrors of the login have to be known",
            step(mirrored, &known(pushing(), |k| k.values.clear())),
            Step::ReadLogin(version_id(1)),
        ),
        (
            "its mirror is gone",
            step(mirrored, &known(pushing(), |k| seen(k, vec![]))),
            Step::Claim(2),
        ),
        (
            "its mirror leads elsewhere",
            step(
                mirrored,
                &known(pushing(), |k| {
                    let elsewhere = Mirror {
                        url: "https://example.com/r".to_owned(),
                        ..mirror(7)
                    };
                    seen(k, vec![elsewhere]);
                }),
            ),
            Step::Claim(2),
        ),
        (
            "its mirror was disabled",
            step(
                mirrored,
                &known(pushing(), |k| {
                    let disabled = Mirror {
                        enabled: false,
                        ..mirror(7)
                    };
                    seen(k, vec![disabled]);
                }),
            ),
            Step::EnableMirror(record(7)),
        ),
        (
            "its mirror failed",
            step(
                mirrored,
                &known(pushing(), |k| {
                    let failed = Mirror {
                        status: PushStatus::Failed,
                        ..mirror(7)
                    };
                    seen(k, vec![failed]);
                }),
            ),
            Step::SyncMirrors(vec![record(7)]),
        ),
        (
            "no mirror is wanted any more: would GitLab let it go?",
            step(|_| {}, &pushing()),
            Step::AskGitLab(record(7)),
        ),
        (
            "it would: the same login without it",
            step(
                |_| {},
                &known(pushing(), |k| {
                    k.answering.insert(GITLAB.to_owned());
                    k.claim = Some(2);
                    edit(k, |secret| secret.claim = 2);
                }),
            ),
            Step::Store,
        ),
        (
            "issued, and no mirror yet",
            step(
                mirrored,
                &known(sealed(), |k| {
                    k.journal.made.clear();
                    k.is_sealed = false;
                    seen(k, vec![]);
                }),
            ),
            Step::MakeMirror(0),
        ),
        (
            "made, and not named in the log",
            step(mirrored, &known(sealed(), |k| k.is_sealed = false)),
            Step::Seal(1),
        ),
        (
            "named: the login first",
            step(mirrored, &sealed()),
            Step::ProveIssued,
        ),
        (
            "proved",
            step(mirrored, &known(sealed(), prove)),
            Step::EnableMirror(record(8)),
        ),
        (
            "enabled",
            step(
                mirrored,
                &known(sealed(), |k| {
                    prove(k);
                    let enabled = Mirror {
                        enabled: true,
                        ..new_mirror(8)
                    };
                    seen(k, vec![enabled]);
                }),
            ),
            Step::SyncMirrors(vec![record(8)]),
        ),
        (
            "pushed",
            step(
                mirrored,
                &known(sealed(), |k| {
                    prove(k);
                    seen(k, vec![mirror(8)]);
                }),
            ),
            Step::Store,
        ),
        (
            "the answer to a call that makes a mirror got lost",
            step(
                mirrored,
                &known(sealed(), |k| {
                    k.journal.before = vec![before(&[])];
                    k.may_have_lost = true;
                }),
            ),
            Step::FindLost,
        ),
        (
            "it had been made",
            step(
                mirrored,
                &known(sealed(), |k| {
                    k.strays.insert(record(9));
                }),
            ),
            Step::RemoveStray(record(9)),
        ),
        (
            "what an attempt made is current by now",
            step(
                mirrored,
                &known(pushing(), |k| {
                    k.strays.insert(record(7));
                }),
            ),
            Step::Done,
        ),
        (
            "GitLab does not answer, and nothing is to be changed",
            step(
                mirrored,
                &known(pushing(), |k| {
                    k.projects = None;
                    k.silence = Some(silence());
                }),
            ),
            Step::Done,
        ),
        (
            "GitLab does not answer, and something is",
            step(
                |desired| {
                    mirrored(desired);
                    desired.document = json!({"New": true});
                },
                &known(pushing(), |k| {
                    k.projects = None;
                    k.silence = Some(silence());
                }),
            ),
            Step::Refuse(silence()),
        ),
        (
            "another attempt left a journal",
            step(
                mirrored,
                &known(pushing(), |k| {
                    edit(k, |secret| {
                        secret.claim = 2;
                        secret.journal = Some(version_id(2));
                    });
                }),
            ),
            Step::ReadJournal(version_id(2)),
        ),
        (
            "the old mirror goes after the new login is current, and before the old one",
            step(
                mirrored,
                &known(pushing(), |k| {
                    k.user.credentials.push(credential("OLD"));
                    edit(k, |secret| {
                        let current = Login {
                            mirrors: 1,
                            ..login(3, "CUR")
                        };
                        secret.current = Some(current);
                        let old = Login {
                            mirrors: 1,
                            ..login(1, "OLD")
                        };
                        secret.superseded = vec![old];
                    });
                    k.values.insert(version_id(1), Some(value(&[6])));
                    k.values.insert(version_id(3), Some(value(&[7])));
                    seen(k, vec![mirror(6), mirror(7)]);
                }),
            ),
            Step::RetireMirror(record(6)),
        ),
        (
            "ten other mirrors are enabled: the limit is GitLab's to enforce",
            step(
                mirrored,
                &known(pushing(), |k| {
                    k.claim = Some(2);
                    k.is_journaled = true;
                    edit(k, |secret| secret.claim = 2);
                    seen(k, (20..30).map(mirror).collect());
                }),
            ),
            Step::MakeMirror(0),
        ),
    ];
    for (situation, actual, expected) in rows {
        assert_eq!(actual, expected, "{situation}");
    }
}

/// `known` in a project with commits that protects no branch itself.
fn unprotected(base: Observed) -> Observed {
    known(base, |k| {
        for project in k.projects.iter_mut().flat_map(|p| p.values_mut()) {
            project.protected_branches = Some(protected(&[]));
        }
    })
}

fn without_required_branches(desired: &mut Spec) {
    mirrored(desired);
    desired.mirrors[0].required_branches.clear();
}

fn with_regex(desired: &mut Spec) {
    without_required_branches(desired);
    desired.mirrors[0].settings = Settings {
        only_protected_branches: false,
        branch_regex: Some("^release".to_owned()),
        keep_divergent_refs: false,
    };
}

/// The reason that GitLab does not respond.
fn silence() -> Reason {
    Reason::new(Code::GitLabUnreachable, "HTTP 502")
}

/// A reason whose text does not matter.
fn any() -> Reason {
    Reason::new(Code::BranchNotMirrored, "")
}

fn refusal(step: Step) -> String {
    match step {
        Step::Refuse(reason) => reason.text,
        other => panic!("not a refusal: {other:?}"),
    }
}

#[test]
fn new_mirror_of_an_unprotected_project_is_refused() {
    let nothing_done_yet = known(unprotected(sealed()), |k| {
        k.issued = None;
        k.journal.made.clear();
    });
    let reason = refusal(step(without_required_branches, &nothing_done_yet));
    assert!(reason.contains("every branch") && reason.contains("Mirrors[0]"));
    let changed = |desired: &mut Spec| {
        without_required_branches(desired);
        desired.document = json!({"New": true});
    };
    let reason = refusal(step(changed, &unprotected(pushing())));
    assert!(reason.contains("set OnlyProtectedBranches to false"));
}

#[test]
fn regex_that_matches_no_branch_is_refused() {
    let unmatched = known(sealed(), |k| {
        k.issued = None;
        k.journal.made.clear();
        for project in k.projects.iter_mut().flat_map(|p| p.values_mut()) {
            project.unmatched.insert("^release".to_owned());
        }
    });
    let reason = refusal(step(with_regex, &unmatched));
    assert!(reason.contains("BranchRegex \"^release\""), "{reason}");
}

#[test]
fn unprotected_project_without_commits_is_accepted() {
    let empty = known(unprotected(sealed()), |k| {
        for project in k.projects.iter_mut().flat_map(|p| p.values_mut()) {
            project.is_empty = true;
        }
    });
    assert_eq!(step(without_required_branches, &empty), Step::ProveIssued);
}

#[test]
fn noted_mirror_of_an_unprotected_project_is_left_alone() {
    let changed_by_hand = [
        mirror(7),
        Mirror {
            enabled: false,
            ..mirror(7)
        },
        Mirror {
            status: PushStatus::Failed,
            ..mirror(7)
        },
    ];
    for shown in changed_by_hand {
        let known = unprotected(known(pushing(), |k| seen(k, vec![shown.clone()])));
        let next = step(without_required_branches, &known);
        assert_eq!(next, Step::Done, "{shown:?}");
    }
}

#[test]
fn lfs_warning_names_projects_with_lfs_objects() {
    let mut desired = crate::mirror_credential::plan::tests::desired();
    mirrored(&mut desired);
    let mut known = pushing();
    assert!(plan::lfs_warnings(&desired, &known).is_empty());
    for project in known.projects.iter_mut().flat_map(|p| p.values_mut()) {
        project.lfs_objects_size = 4096;
    }
    let warnings = plan::lfs_warnings(&desired, &known);
    assert!(
        warnings[0]
            .text
            .contains("project platform/infra has 4096 bytes")
    );
}

fn prove(known: &mut Observed) {
    if let Some(issued) = &mut known.issued {
        issued.proved = true;
    }
}

fn before(ids: &[u64]) -> Before {
    Before {
        gitlab_url: GITLAB.to_owned(),
        project: PROJECT.to_owned(),
        repository_name: REPOSITORY.to_owned(),
        ids: ids.to_vec(),
    }
}
