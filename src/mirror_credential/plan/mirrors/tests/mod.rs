//! The plan for mirrors as a table.

use std::collections::BTreeMap;

use crate::clients::gitlab::{
    Access, Destination, Mirror, ProtectedBranches, PushStatus, Settings,
};
use crate::common::password::Password;
use crate::common::reason_codes::Code;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::intent_log::{Login, version_id};
use crate::mirror_credential::plan::step::{CredentialStep, NextStep};
use crate::mirror_credential::plan::tests::{
    DONE, at, claimed, issued, login, settled, state, step,
};
use crate::mirror_credential::spec::{Spec, WantedMirror};
use crate::mirror_credential::state::mirrors::Project;
use crate::mirror_credential::state::{
    DeliveryError, LoginTrial, Secret, SecretState, State, StoredLogin,
};
use crate::reconcile::Next;
use cfn_custom_resource::Reason;

mod steps;

const GITLAB: &str = "https://gitlab.example.com";
const PROJECT: &str = "platform/infra";
const NUMBER: u64 = 42;
const REPOSITORY: &str = "codecommit-dev-infra";
const CLONE_URL: &str = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/r";

fn settings() -> Settings {
    Settings {
        only_protected_branches: true,
        has_branch_regex: false,
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

pub(in crate::mirror_credential) fn mirrored(spec: &mut Spec) {
    spec.gitlab = Some(Access {
        url: GITLAB.to_owned(),
        token_secret_id: "gitlab-token".to_owned(),
        token_secret_key: "token".to_owned(),
        ca_certificate: None,
    });
    spec.mirrors = vec![wanted()];
}

pub(in crate::mirror_credential) fn record(id: u64) -> MirrorRecord {
    MirrorRecord {
        gitlab_url: GITLAB.to_owned(),
        project: PROJECT.to_owned(),
        number: NUMBER,
        repository_name: REPOSITORY.to_owned(),
        id,
    }
}

/// A mirror that is enabled and has pushed.
pub(in crate::mirror_credential) fn mirror(id: u64) -> Mirror {
    let url = CLONE_URL.replace("://", "://*****:*****@");
    let shown = Mirror::parse(&serde_json::json!({"id": id, "url": url}));
    Mirror {
        id,
        enabled: true,
        settings: settings(),
        status: PushStatus::Finished,
        last_error: None,
        started_at: Some(at(1)),
        updated_at: Some(at(2)),
        succeeded_at: Some(at(2)),
        ..shown.expect("a mirror")
    }
}

/// A mirror as GitLab creates it.
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

pub(in crate::mirror_credential) fn show_mirrors(state: &mut State, mirrors: Vec<Mirror>) {
    let project = Project {
        protected_branches: Some(protected(&["development"])),
        ..Project::new(GITLAB, NUMBER, mirrors)
    };
    state.mirrors.projects = Some(BTreeMap::from([(PROJECT.to_owned(), project)]));
    state.clone_urls = BTreeMap::from([(REPOSITORY.to_owned(), CLONE_URL.to_owned())]);
}

fn protected(own: &[&str]) -> ProtectedBranches {
    ProtectedBranches {
        own: own.iter().map(|&name| name.to_owned()).collect(),
        is_complete: true,
    }
}

pub(in crate::mirror_credential) fn change_secret(
    state: &mut State,
    change: impl FnOnce(&mut Secret),
) {
    if let SecretState::Present(secret) = &mut state.secret {
        change(secret);
    }
}

/// A login with one mirror, which pushes.
pub(in crate::mirror_credential) fn pushing() -> State {
    state(settled(), |state| {
        change_secret(state, |secret| {
            let current = Login {
                mirrors: 1,
                ..login(1, "CUR")
            };
            secret.log.current = Some(current);
        });
        state.login.stored.insert(version_id(1), Some(value(&[7])));
        show_mirrors(state, vec![mirror(7)]);
        state.login.trial = LoginTrial::Accepted;
    })
}

/// The first login was issued, its mirror was created, and the log names the mirror.
fn sealed() -> State {
    state(claimed(), |state| {
        state.login.issued = Some(issued(Some("p")));
        show_mirrors(state, vec![new_mirror(8)]);
        state.mirrors.intent.ids_committed = true;
        state.mirrors.intent.content.created = vec![record(8)];
    })
}

fn each_project(state: &mut State, change: impl FnMut(&mut Project)) {
    let projects = state.mirrors.projects.iter_mut();
    projects.flat_map(|projects| projects.values_mut()).for_each(change);
}

fn protecting(state: &mut State, own: &[&str]) {
    each_project(state, |project| {
        project.protected_branches = Some(protected(own));
    });
}

/// `state` in a project with commits that protects no branch itself.
fn unprotected(base: State) -> State {
    state(base, |state| protecting(state, &[]))
}

/// The same before the first credential is issued.
fn untouched(base: State) -> State {
    state(base, |state| {
        state.login.issued = None;
        state.mirrors.intent.content.created.clear();
    })
}

fn without_required_branches(spec: &mut Spec) {
    mirrored(spec);
    spec.mirrors[0].required_branches.clear();
}

/// The reason that GitLab does not respond.
fn silence() -> Reason {
    Reason::new(Code::GitLabUnreachable, "HTTP 502", "Try again")
}

fn rejection(next: NextStep) -> String {
    match next {
        Next::Fail(DeliveryError { reason, .. }) => reason.text(),
        other => panic!("not a refusal: {other:?}"),
    }
}

#[test]
fn new_mirror_of_an_unprotected_project_is_refused() {
    let reason = rejection(step(
        without_required_branches,
        &untouched(unprotected(sealed())),
    ));
    assert!(reason.contains("every branch") && reason.contains("Mirrors[0]"));
    assert!(reason.contains("set OnlyProtectedBranches to false"));
    // A new login needs a new mirror.
    let rejected = state(unprotected(pushing()), |state| {
        state.login.trial = LoginTrial::Rejected;
    });
    assert!(rejection(step(without_required_branches, &rejected)).contains("every branch"));
}

#[test]
fn unprotected_project_without_commits_is_accepted() {
    let empty = state(unprotected(sealed()), |state| {
        each_project(state, |project| project.is_empty = true);
    });
    assert_eq!(
        step(without_required_branches, &empty),
        CredentialStep::VerifyIssued.into()
    );
}

#[test]
fn empty_project_needs_its_default_branch_only() {
    let empty = |default_branch: &str| {
        state(untouched(unprotected(sealed())), |state| {
            each_project(state, |project| {
                project.is_empty = true;
                project.default_branch = Some(default_branch.to_owned());
            });
        })
    };
    let next = step(mirrored, &empty("development"));
    assert!(!matches!(next, Next::Fail(_)), "{next:?}");
    let reason = rejection(step(mirrored, &empty("main")));
    assert!(reason.contains("branch development of project"), "{reason}");
}

#[test]
fn noted_mirror_of_an_unprotected_project_is_left_alone() {
    let mut changed_by_hand = [mirror(7), mirror(7), mirror(7)];
    changed_by_hand[1].enabled = false;
    changed_by_hand[2].status = PushStatus::Failed;
    for shown in changed_by_hand {
        let state = unprotected(state(pushing(), |state| {
            show_mirrors(state, vec![shown.clone()]);
        }));
        let next = step(without_required_branches, &state);
        assert_eq!(next, DONE, "{shown:?}");
    }
}

fn prove(state: &mut State) {
    if let Some(issued) = &mut state.login.issued {
        issued.verified = true;
    }
}
