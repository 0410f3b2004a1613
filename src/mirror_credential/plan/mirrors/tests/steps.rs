//! The step that the plan chooses in each situation of the mirrors.

use super::*;
use crate::clients::gitlab::{Mirror, PushStatus};
use crate::mirror_credential::intent_log::{Login, version_id};
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::step::{
    CredentialStep, MirrorStep, NextStep, SecretStep, reject,
};
use crate::mirror_credential::plan::tests::step_table;
use crate::mirror_credential::plan::tests::{credential, login, state, step};
use crate::reconcile::sender::Rollback;
use serde_json::json;

fn renewed(spec: &mut Spec) {
    mirrored(spec);
    spec.document = json!({"New": true});
}

/// The previous spec had a mirror of the same project and repository with other settings.
fn change_former(state: &mut State, change: impl FnOnce(&mut Settings)) {
    let mut former = wanted();
    change(&mut former.settings);
    state.request.previous.mirrors = vec![former];
}

/// GitLab shows the mirror with another address.
fn elsewhere(state: &mut State, id: u64) {
    let destination = Destination::parse("https://proxy.example.com/r");
    let shown = Mirror {
        destination,
        ..mirror(id)
    };
    show_mirrors(state, vec![shown]);
}

fn not_shown(id: u64) -> NextStep {
    let shown = Destination::parse("https://proxy.example.com/r");
    reject(messages::mirror_shown_elsewhere(
        &record(id),
        &shown,
        CLONE_URL,
    ))
}

/// GitLab created these mirrors, and then did not find them.
fn vanish(state: &mut State, ids: &[u64]) {
    show_mirrors(state, vec![]);
    state.mirrors.intent.content.created.clear();
    for id in ids {
        state.created.mirrors.insert(record(*id));
        state.note_mirror_deleted(&record(*id));
    }
    state.secret = claimed().secret;
}

/// GitLab responds, and this delivery holds the claim.
fn unwanted(state: &mut State) {
    state.mirrors.reachable_gitlabs.insert(GITLAB.to_owned());
    state.log.claim = Some(2);
    change_secret(state, |secret| secret.log.claim = 2);
}

fn login_with_mirror(entry: u64, id: &str) -> Login {
    Login {
        mirrors: 1,
        ..login(entry, id)
    }
}

step_table! {
    step:
    mirror_that_pushes_is_done: mirrored, pushing() => DONE;
    pushing_mirror_with_a_new_spec_saves_the_spec: renewed, pushing() => SecretStep::SaveSpec;
    unread_projects_are_read: mirrored, pushing(), |state| {
        state.mirrors.projects = None;
    } => MirrorStep::ReadProjects;
    unread_mirrors_of_the_login_are_read: mirrored, pushing(), |state| {
        state.login.stored.clear();
    } => CredentialStep::ReadLogin(version_id(1));
    deleted_mirror_claims: mirrored, pushing(), |state| show_mirrors(state, vec![]) => SecretStep::Claim;
    saved_mirror_with_another_address_is_left_alone: mirrored, pushing(), |state| {
        elsewhere(state, 7);
    } => DONE;
    changed_spec_with_another_address_rejects: renewed, pushing(), |state| {
        elsewhere(state, 7);
    } => not_shown(7);
    new_password_with_another_address_rejects: mirrored, pushing(), |state| {
        elsewhere(state, 7);
        state.login.trial = LoginTrial::Rejected;
    } => not_shown(7);
    spec_without_a_mirror_of_another_address_goes_on: |_| {}, pushing(), |state| {
        elsewhere(state, 7);
    } => MirrorStep::CheckGitLab(record(7));
    created_mirror_with_another_address_rejects: mirrored, sealed(), |state| {
        state.created.mirrors.insert(record(8));
        elsewhere(state, 8);
    } => not_shown(8);
    mirror_that_vanished_once_is_created_again: mirrored, sealed(), |state| {
        vanish(state, &[8]);
    } => MirrorStep::CreateMirrors(vec![0]);
    mirror_that_vanished_twice_rejects: mirrored, sealed(), |state| {
        vanish(state, &[8, 9]);
    } => reject(messages::mirror_is_not_found(PROJECT, 9));
    rollback_goes_on_without_the_mirror_that_vanished: mirrored, sealed(), |state| {
        vanish(state, &[8, 9]);
        state.request.rollback = Rollback::Yes;
    } => CredentialStep::VerifyIssued;
    rollback_issues_a_login_beside_an_unprotected_branch:
        without_required_branches, unprotected(sealed()), |state| {
        state.request.rollback = Rollback::Yes;
    } => CredentialStep::VerifyIssued;
    disabled_mirror_is_enabled: mirrored, pushing(), |state| {
        show_mirrors(state, vec![Mirror { enabled: false, ..mirror(7) }]);
    } => MirrorStep::EnableMirrors(vec![record(7)]);
    failed_mirror_is_synced: mirrored, pushing(), |state| {
        show_mirrors(state, vec![Mirror { status: PushStatus::Failed, ..mirror(7) }]);
    } => MirrorStep::SyncMirrors(vec![record(7)]);
    mirror_with_other_branches_is_synced: renewed, pushing(), |state| {
        change_former(state, |settings| settings.only_protected_branches = false);
    } => MirrorStep::SyncMirrors(vec![record(7)]);
    mirror_with_restored_branches_is_synced: mirrored, pushing(), |state| {
        state.mirrors.restored.insert(7);
    } => MirrorStep::SyncMirrors(vec![record(7)]);
    mirror_with_other_settings_of_its_branches_is_not_synced: renewed, pushing(), |state| {
        change_former(state, |settings| settings.keep_divergent_refs = true);
    } => SecretStep::SaveSpec;
    unwanted_mirror_checks_its_gitlab_first:
        |_| {}, pushing() => MirrorStep::CheckGitLab(record(7));
    login_without_the_unwanted_mirror_is_stored:
        |spec| spec.document = json!({"New": true}), pushing(), |state| unwanted(state) => CredentialStep::Store;
    rollback_retires_the_unwanted_mirror_first: |_| {}, pushing(), |state| {
        unwanted(state);
    } => MirrorStep::RetireMirrors(vec![record(7)]);
    rollback_keeps_the_mirror_that_gitlab_does_not_delete: |_| {}, pushing(), |state| {
        unwanted(state);
        state.mirrors.left.insert(record(7));
        state.mirrors.rejected.push(silence());
    } => SecretStep::SaveSpec;
    update_is_rejected_if_gitlab_rejects_a_step: renewed, pushing(), |state| {
        state.mirrors.rejected.push(silence());
    } => reject(silence());
    issued_login_without_a_mirror_creates_it: mirrored, sealed(), |state| {
        state.mirrors.intent.content.created.clear();
        state.mirrors.intent.ids_committed = false;
        show_mirrors(state, vec![]);
    } => MirrorStep::CreateMirrors(vec![0]);
    created_mirror_is_committed: mirrored, sealed(), |state| {
        state.mirrors.intent.ids_committed = false;
    } => MirrorStep::CommitMirrorIds;
    committed_mirror_verifies_the_login: mirrored, sealed() => CredentialStep::VerifyIssued;
    verified_login_enables_the_mirror: mirrored, sealed(), |state| {
        prove(state);
    } => MirrorStep::EnableMirrors(vec![record(8)]);
    enabled_mirror_is_synced: mirrored, sealed(), |state| {
        prove(state);
        show_mirrors(state, vec![Mirror { enabled: true, ..new_mirror(8) }]);
    } => MirrorStep::SyncMirrors(vec![record(8)]);
    pushed_mirror_stores_the_login: mirrored, sealed(), |state| {
        prove(state);
        show_mirrors(state, vec![mirror(8)]);
    } => CredentialStep::Store;
    orphan_mirror_is_deleted: mirrored, sealed(), |state| {
        state.mirrors.orphans.insert(record(9));
    } => MirrorStep::DeleteOrphanMirror(record(9));
    orphan_beside_a_login_without_mirrors_is_deleted: |_| {}, settled(), |state| {
        state.mirrors.orphans.insert(record(9));
    } => MirrorStep::DeleteOrphanMirror(record(9));
    orphan_of_the_current_login_stays: mirrored, pushing(), |state| {
        state.mirrors.orphans.insert(record(7));
    } => DONE;
    unreachable_gitlab_without_a_change_is_done: mirrored, pushing(), |state| {
        state.mirrors.projects = None;
        state.mirrors.gitlab_error = Some(silence());
    } => DONE;
    unreachable_gitlab_with_a_change_rejects: renewed, pushing(), |state| {
        state.mirrors.projects = None;
        state.mirrors.gitlab_error = Some(silence());
    } => reject(silence());
    superseded_mirror_is_retired_before_its_credential: mirrored, pushing(), |state| {
        state.user.credentials.push(credential("OLD"));
        change_secret(state, |secret| {
            secret.log.current = Some(login_with_mirror(3, "CUR"));
            secret.log.superseded = vec![login_with_mirror(1, "OLD")];
        });
        state.login.stored.insert(version_id(1), Some(value(&[6, 7])));
        state.login.stored.insert(version_id(3), Some(value(&[7])));
        show_mirrors(state, vec![mirror(6), mirror(7)]);
    } => MirrorStep::RetireMirrors(vec![record(6)]);
    mirror_is_created_beside_ten_enabled_ones: mirrored, pushing(), |state| {
        state.log.claim = Some(2);
        change_secret(state, |secret| secret.log.claim = 2);
        show_mirrors(state, (20..30).map(mirror).collect());
    } => MirrorStep::CreateMirrors(vec![0]);
}

#[test]
fn unprotected_required_branch_rejects() {
    let state = state(pushing(), |state| protecting(state, &["main"]));
    assert!(rejection(step(renewed, &state)).contains("development"));
}
