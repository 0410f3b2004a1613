//! The step that the plan chooses in each situation of the mirrors.

use super::*;
use crate::clients::gitlab::{Mirror, PushStatus};
use crate::mirror_credential::intent_log::{Login, version_id};
use crate::mirror_credential::plan::step::{CredentialStep, MirrorStep, SecretStep, Step};
use crate::mirror_credential::plan::tests::step_table;
use crate::mirror_credential::plan::tests::{credential, login, state, step};
use serde_json::json;

fn renewed(spec: &mut Spec) {
    mirrored(spec);
    spec.document = json!({"New": true});
}

fn login_with_mirror(entry: u64, id: &str) -> Login {
    Login {
        mirrors: 1,
        ..login(entry, id)
    }
}

step_table! {
    step:
    mirror_that_pushes_is_done: mirrored, pushing() => Step::Done;
    pushing_mirror_with_a_new_spec_saves_the_spec: renewed, pushing() => SecretStep::SaveSpec(2);
    unread_projects_are_read: mirrored, pushing(), |k| k.mirrors.projects = None => MirrorStep::ReadProjects;
    unread_mirrors_of_the_login_are_read:
        mirrored, pushing(), |k| k.login.stored.clear() => CredentialStep::ReadLogin(version_id(1));
    deleted_mirror_claims: mirrored, pushing(), |k| seen(k, vec![]) => SecretStep::Claim(2);
    mirror_of_another_repository_claims: mirrored, pushing(), |k| {
        seen(k, vec![Mirror { url: "https://example.com/r".to_owned(), ..mirror(7) }]);
    } => SecretStep::Claim(2);
    disabled_mirror_is_enabled:
        mirrored, pushing(), |k| {
            seen(k, vec![Mirror { enabled: false, ..mirror(7) }]);
        } => MirrorStep::EnableMirrors(vec![record(7)]);
    failed_mirror_is_synced: mirrored, pushing(), |k| {
        seen(k, vec![Mirror { status: PushStatus::Failed, ..mirror(7) }]);
    } => MirrorStep::SyncMirrors(vec![record(7)]);
    unwanted_mirror_checks_its_gitlab_first: |_| {}, pushing() => MirrorStep::CheckGitLab(record(7));
    login_without_the_unwanted_mirror_is_stored: |_| {}, pushing(), |k| {
        k.mirrors.reachable_gitlabs.insert(GITLAB.to_owned());
        k.log.claim = Some(2);
        edit(k, |secret| secret.log.claim = 2);
    } => CredentialStep::Store;
    issued_login_without_a_mirror_creates_it: mirrored, sealed(), |k| {
        k.mirrors.intent.content.created.clear();
        k.mirrors.intent.ids_committed = false;
        seen(k, vec![]);
    } => MirrorStep::CreateMirrors(vec![0]);
    created_mirror_is_committed:
        mirrored, sealed(), |k| k.mirrors.intent.ids_committed = false => MirrorStep::CommitMirrorIds(1);
    committed_mirror_verifies_the_login: mirrored, sealed() => CredentialStep::VerifyIssued;
    verified_login_enables_the_mirror: mirrored, sealed(), |k| prove(k) => MirrorStep::EnableMirrors(vec![record(8)]);
    enabled_mirror_is_synced: mirrored, sealed(), |k| {
        prove(k);
        seen(k, vec![Mirror { enabled: true, ..new_mirror(8) }]);
    } => MirrorStep::SyncMirrors(vec![record(8)]);
    pushed_mirror_stores_the_login: mirrored, sealed(), |k| {
        prove(k);
        seen(k, vec![mirror(8)]);
    } => CredentialStep::Store;
    orphan_mirror_is_deleted: mirrored, sealed(), |k| {
        k.mirrors.orphans.insert(record(9));
    } => MirrorStep::DeleteOrphanMirror(record(9));
    orphan_beside_a_login_without_mirrors_is_deleted: |_| {}, settled(), |k| {
        k.mirrors.orphans.insert(record(9));
    } => MirrorStep::DeleteOrphanMirror(record(9));
    orphan_of_the_current_login_stays: mirrored, pushing(), |k| {
        k.mirrors.orphans.insert(record(7));
    } => Step::Done;
    unreachable_gitlab_without_a_change_is_done: mirrored, pushing(), |k| {
        k.mirrors.projects = None;
        k.mirrors.gitlab_error = Some(silence());
    } => Step::Done;
    unreachable_gitlab_with_unread_mirrors_reads_them: mirrored, pushing(), |k| {
        k.login.stored.clear();
        k.mirrors.gitlab_error = Some(silence());
    } => CredentialStep::ReadLogin(version_id(1));
    unreachable_gitlab_with_a_change_rejects: renewed, pushing(), |k| {
        k.mirrors.projects = None;
        k.mirrors.gitlab_error = Some(silence());
    } => Step::Reject(silence());
    superseded_mirror_is_retired_before_its_credential: mirrored, pushing(), |k| {
        k.user.credentials.push(credential("OLD"));
        edit(k, |secret| {
            secret.log.current = Some(login_with_mirror(3, "CUR"));
            secret.log.superseded = vec![login_with_mirror(1, "OLD")];
        });
        k.login.stored.insert(version_id(1), Some(value(&[6, 7])));
        k.login.stored.insert(version_id(3), Some(value(&[7])));
        seen(k, vec![mirror(6), mirror(7)]);
    } => MirrorStep::RetireMirrors(vec![record(6)]);
    mirror_is_created_beside_ten_enabled_ones: mirrored, pushing(), |k| {
        k.log.claim = Some(2);
        edit(k, |secret| secret.log.claim = 2);
        seen(k, (20..30).map(mirror).collect());
    } => MirrorStep::CreateMirrors(vec![0]);
}

#[test]
fn unprotected_required_branch_rejects() {
    let state = state(pushing(), |k| protecting(k, &["main"]));
    assert!(refusal(step(renewed, &state)).contains("development"));
}
