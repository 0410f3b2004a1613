use std::collections::BTreeSet;

use crate::mirror_credential::plan::mirrors::tests::record;
use crate::mirror_credential::plan::step::{
    CredentialStep, MirrorStep, NextStep, RequestStep, SecretStep,
};
use crate::mirror_credential::plan::tests::spec;
use crate::reconcile::Next;

/// Every step. Those of one row have the same action.
fn steps_by_action() -> Vec<Vec<NextStep>> {
    let id = || "1".to_owned();
    let records = || vec![record(1)];
    macro_rules! rows {
        ($([$($step:expr),*];)*) => {
            vec![$(vec![$($step.into()),*]),*]
        };
    }
    rows! {
        [RequestStep::DeleteReplacement(id())];
        [RequestStep::ReadFormerSecret(id())];
        [RequestStep::LookForProof, RequestStep::LookForContradiction];
        [RequestStep::LookForRollback];
        [CredentialStep::WaitForIam];
        [CredentialStep::WriteIssueIntent];
        [CredentialStep::CloseIssueIntent];
        [CredentialStep::Issue];
        [CredentialStep::Reset(id())];
        [CredentialStep::VerifyIssued, CredentialStep::VerifyStored];
        [CredentialStep::Store];
        [CredentialStep::ReadLogin(id())];
        [CredentialStep::Deactivate(id())];
        [CredentialStep::DeleteCredential(id())];
        [SecretStep::ReadSecret];
        [SecretStep::WaitForPeer];
        [SecretStep::CreateSecret];
        [SecretStep::Claim, SecretStep::ClaimIfAllowed];
        [SecretStep::SaveSpec];
        [SecretStep::drop_pending("1")];
        [SecretStep::MoveAwsCurrent(id())];
        [SecretStep::CopyCurrentVersion];
        [SecretStep::ChangeSettings];
        [SecretStep::TagSecret, SecretStep::TagSecretIfAllowed];
        [SecretStep::UntagSecret(vec![id()])];
        [MirrorStep::ReadMirrorIntent(id())];
        [MirrorStep::ReadProjects];
        [MirrorStep::CreateMirrors(vec![1])];
        [MirrorStep::CommitMirrorIds];
        [MirrorStep::EnableMirrors(records())];
        [MirrorStep::SyncMirrors(records())];
        [MirrorStep::CheckGitLab(record(1))];
        [MirrorStep::DeleteOrphanMirror(record(1)), MirrorStep::RetireMirrors(records())];
    }
}

#[test]
fn every_action_has_a_description_of_its_own() {
    let spec = spec();
    let mut described = BTreeSet::new();
    for steps in steps_by_action() {
        let texts = steps.iter().map(|next| match next {
            Next::Apply(step) => step.describe(&spec),
            Next::Done(()) | Next::Fail(_) => panic!("{next:?}"),
        });
        let texts: BTreeSet<String> = texts.collect();
        assert_eq!(texts.len(), 1, "{texts:?}");
        for text in texts {
            assert!(described.insert(text.clone()), "{text}: a second action");
        }
    }
}
