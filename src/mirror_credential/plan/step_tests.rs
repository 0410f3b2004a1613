use std::collections::BTreeSet;

use crate::mirror_credential::plan::mirrors::tests::record;
use crate::mirror_credential::plan::step::{CredentialStep, MirrorStep, SecretStep, Step};
use crate::mirror_credential::plan::tests::spec;

/// Every step that is executed. Those of one row have the same action.
fn steps_by_action() -> Vec<Vec<Step>> {
    let id = || "1".to_owned();
    let credential = [
        vec![CredentialStep::WaitForIam],
        vec![CredentialStep::WriteIssueIntent],
        vec![CredentialStep::CloseIssueIntent],
        vec![CredentialStep::Issue],
        vec![CredentialStep::Reset(id())],
        vec![CredentialStep::VerifyIssued, CredentialStep::VerifyStored],
        vec![CredentialStep::Store],
        vec![CredentialStep::ReadLogin(id())],
        vec![CredentialStep::Deactivate(id())],
        vec![CredentialStep::DeleteCredential(id())],
    ];
    let (from, to) = (id(), id());
    let secret = [
        vec![SecretStep::ReadSecret],
        vec![SecretStep::WaitForPeer],
        vec![SecretStep::CreateSecret],
        vec![SecretStep::Claim(1), SecretStep::ClaimIfAllowed(1)],
        vec![SecretStep::SaveSpec(1)],
        vec![SecretStep::DropOldSpec(1)],
        vec![SecretStep::DropOldLogin(1)],
        vec![SecretStep::MoveAwsCurrent { from, to }],
        vec![SecretStep::CopyCurrentVersion(1)],
        vec![SecretStep::DropPending(id())],
        vec![SecretStep::ChangeSettings],
        vec![SecretStep::TagSecret, SecretStep::TagSecretIfAllowed],
        vec![SecretStep::UntagSecret(vec![id()])],
    ];
    let records = || vec![record(1)];
    let mirror = [
        vec![MirrorStep::ReadMirrorIntent(id())],
        vec![MirrorStep::ReadProjects],
        vec![MirrorStep::CreateMirrors(vec![1])],
        vec![MirrorStep::CommitMirrorIds(1)],
        vec![MirrorStep::EnableMirrors(records())],
        vec![MirrorStep::SyncMirrors(records())],
        vec![MirrorStep::CheckGitLab(record(1))],
        vec![
            MirrorStep::DeleteOrphanMirror(record(1)),
            MirrorStep::RetireMirrors(records()),
        ],
    ];
    [
        into_steps(credential),
        into_steps(secret),
        into_steps(mirror),
    ]
    .concat()
}

fn into_steps<T: Into<Step>>(actions: impl IntoIterator<Item = Vec<T>>) -> Vec<Vec<Step>> {
    let actions = actions.into_iter();
    let actions = actions.map(|action| action.into_iter().map(Into::into).collect());
    actions.collect()
}

#[test]
fn every_action_has_a_description_of_its_own() {
    let spec = spec();
    let mut described = BTreeSet::new();
    for steps in steps_by_action() {
        let texts: BTreeSet<String> = steps.iter().map(|step| step.describe(&spec)).collect();
        assert_eq!(texts.len(), 1, "{texts:?}");
        for text in texts {
            assert!(described.insert(text.clone()), "{text}: a second action");
        }
    }
}
