//! The steps that the planner chooses from.

use std::ops::ControlFlow;

use crate::mirror_credential::intent_log::Login;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::DeliveryError;
use crate::reconcile::Next;
use cfn_custom_resource::Reason;

/// The next step, or the end of the request.
pub type NextStep = Next<Step, (), DeliveryError>;

/// The result of a part of the plan: it breaks with the next step. Otherwise the plan continues,
/// and the value is the result of the part.
pub type Plan<T = ()> = ControlFlow<NextStep, T>;

/// Ends a request that cannot succeed.
pub fn reject(reason: Reason) -> NextStep {
    Next::Fail(DeliveryError::permanent(reason))
}

/// Ends a request that cannot succeed now. A later attempt may.
pub fn defer(reason: Reason) -> NextStep {
    Next::Fail(DeliveryError::transient(reason))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Request(RequestStep),
    Credential(CredentialStep),
    Secret(SecretStep),
    Mirror(MirrorStep),
}

/// A step that decides whether the request may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestStep {
    /// Delete the replacement with the secret of this name, then read everything again.
    DeleteReplacement(String),
    /// Read the secret of this name, which holds the login that the request moves.
    ReadFormerSecret(String),
    /// Look whether CloudFormation shows that the stack is changing the resource.
    LookForProof,
    /// Look whether CloudFormation contradicts the request.
    LookForContradiction,
    /// Look whether CloudFormation rolls the stack back.
    LookForRollback,
}

/// A step for the user's credential and the login in the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialStep {
    /// Wait, then read the user again: IAM's lists are late.
    WaitForIam,
    /// Write the issue intent into the user's tags.
    WriteIssueIntent,
    /// Write into the user's tags who owns the user, and which credentials were issued.
    CloseIssueIntent,
    Issue,
    /// Reset the credential with this ID, whose login is not in use: its password is unknown or
    /// unusable.
    Reset(String),
    /// Verify that the issued login can push, before anything uses it.
    VerifyIssued,
    /// Store the login as the log's next entry, under `AWSCURRENT`. A rotation stores it in its own
    /// version, under `AWSPENDING`.
    Store,
    ReadLogin(String),
    VerifyStored,
    /// Deactivate the superseded credential with this ID. Only a rotation does so: an Update
    /// deletes it.
    Deactivate(String),
    /// Delete the credential with this ID, which may be active, and which IAM may not list.
    DeleteCredential(String),
}

/// A step for the secret and its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretStep {
    ReadSecret,
    /// Wait, then read everything again: a peer is running.
    WaitForPeer,
    /// Create the secret without a value, which claims its name.
    CreateSecret,
    Claim,
    /// Write a claim as a fence. Without the permission, skip it: a peer has the same permissions.
    ClaimIfAllowed,
    SaveSpec,
    DropLabel {
        label: String,
        version_id: String,
    },
    /// Move `AWSCURRENT` to this version, unless a peer has moved it.
    MoveAwsCurrent(String),
    /// Write the current login again as the log's next entry, to move `AWSCURRENT` to it.
    CopyCurrentVersion,
    /// Change the secret's settings to the spec's.
    ChangeSettings,
    TagSecret,
    /// Record the request in the secret's tags. Without the permission, skip it, or a rollback
    /// would fail. A late copy of an earlier request has the same permissions.
    TagSecretIfAllowed,
    /// Remove these tags, which the spec no longer has.
    UntagSecret(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorStep {
    /// Read the mirror intent in this version: a peer has not finished it.
    ReadMirrorIntent(String),
    /// Read the projects, their mirrors and branches.
    ReadProjects,
    /// Create the mirrors of `Mirrors` with these indices, disabled.
    CreateMirrors(Vec<usize>),
    /// Write a claim with the IDs of the created mirrors.
    CommitMirrorIds,
    /// Send mirrors their settings, and enable them.
    EnableMirrors(Vec<MirrorRecord>),
    /// Let mirrors push, and wait for those with `WaitForSync`.
    SyncMirrors(Vec<MirrorRecord>),
    /// Check that the GitLab of a mirror responds, before the mirror is superseded.
    CheckGitLab(MirrorRecord),
    /// Delete a mirror that was never in use.
    DeleteOrphanMirror(MirrorRecord),
    /// Disable mirrors, let them finish their pushes, and delete them.
    RetireMirrors(Vec<MirrorRecord>),
}

impl Step {
    /// Whether the step may change something. The others read or wait.
    pub fn is_change(&self) -> bool {
        match self {
            Step::Request(step) => matches!(step, RequestStep::DeleteReplacement(_)),
            Step::Credential(step) => !matches!(
                step,
                CredentialStep::WaitForIam
                    | CredentialStep::VerifyIssued
                    | CredentialStep::VerifyStored
                    | CredentialStep::ReadLogin(_)
            ),
            Step::Secret(step) => !matches!(step, SecretStep::ReadSecret | SecretStep::WaitForPeer),
            Step::Mirror(step) => !matches!(
                step,
                MirrorStep::ReadMirrorIntent(_)
                    | MirrorStep::ReadProjects
                    | MirrorStep::CheckGitLab(_)
            ),
        }
    }

    /// The action of the step for `spec`, as a gerund phrase.
    pub fn describe(&self, spec: &Spec) -> String {
        match self {
            Step::Request(step) => step.describe(),
            Step::Credential(step) => step.describe(&spec.user_name, &spec.secret_name),
            Step::Secret(step) => step.describe(&spec.secret_name),
            Step::Mirror(step) => step.describe(&spec.secret_name),
        }
    }
}

impl RequestStep {
    fn describe(&self) -> String {
        match self {
            Self::DeleteReplacement(secret) => {
                format!("deleting secret {secret} of a replacement that was rolled back")
            }
            Self::ReadFormerSecret(secret) => {
                format!("reading secret {secret}, which holds the user's login")
            }
            Self::LookForProof | Self::LookForContradiction => {
                "verifying that CloudFormation sent the request".to_owned()
            }
            Self::LookForRollback => "looking whether the stack rolls back".to_owned(),
        }
    }
}

impl CredentialStep {
    fn describe(&self, user: &str, secret: &str) -> String {
        match self {
            Self::WaitForIam => format!("waiting for IAM to list the credentials of user {user}"),
            Self::WriteIssueIntent => format!("writing the intent record of user {user}"),
            Self::CloseIssueIntent => format!("closing the intent record of user {user}"),
            Self::Issue => format!("issuing the service-specific credential of user {user}"),
            Self::Reset(id) => format!("resetting the service-specific credential {id}"),
            Self::VerifyIssued | Self::VerifyStored => {
                format!("verifying that the login of user {user} can push")
            }
            Self::Store => format!("storing the login of user {user} in secret {secret}"),
            Self::ReadLogin(version) => {
                format!("reading the login in version {version} of secret {secret}")
            }
            Self::Deactivate(id) => format!("deactivating the service-specific credential {id}"),
            Self::DeleteCredential(id) => format!("deleting the service-specific credential {id}"),
        }
    }
}

impl SecretStep {
    pub fn drop_login(login: &Login) -> Self {
        SecretStep::DropLabel {
            label: login.write(),
            version_id: login.version_id.clone(),
        }
    }

    pub fn drop_pending(version_id: &str) -> Self {
        SecretStep::DropLabel {
            label: "AWSPENDING".to_owned(),
            version_id: version_id.to_owned(),
        }
    }

    fn describe(&self, secret: &str) -> String {
        match self {
            Self::ReadSecret => format!("reading secret {secret}"),
            Self::WaitForPeer => format!("waiting for a change of secret {secret}"),
            Self::CreateSecret => format!("creating secret {secret}"),
            Self::Claim | Self::ClaimIfAllowed => {
                format!("recording the request in secret {secret}")
            }
            Self::SaveSpec => format!("saving the spec in secret {secret}"),
            Self::DropLabel { label, .. } => format!("removing label {label} from secret {secret}"),
            Self::MoveAwsCurrent(version) => {
                format!("moving AWSCURRENT to version {version} of secret {secret}")
            }
            Self::CopyCurrentVersion => format!("copying the current login of secret {secret}"),
            Self::ChangeSettings => format!("changing the settings of secret {secret}"),
            Self::TagSecret | Self::TagSecretIfAllowed => format!("tagging secret {secret}"),
            Self::UntagSecret(_) => format!("untagging secret {secret}"),
        }
    }
}

impl MirrorStep {
    fn describe(&self, secret: &str) -> String {
        match self {
            Self::ReadMirrorIntent(version) => {
                format!("reading the mirror intent in version {version} of secret {secret}")
            }
            Self::ReadProjects => "reading the projects in GitLab".to_owned(),
            Self::CreateMirrors(indices) => {
                let places: Vec<String> = indices.iter().map(|n| format!("Mirrors[{n}]")).collect();
                format!("creating the push mirror of {}", places.join(", "))
            }
            Self::CommitMirrorIds => {
                format!("recording the created mirrors in secret {secret}")
            }
            Self::EnableMirrors(records) => format!("enabling {}", names_of(records)),
            Self::SyncMirrors(records) => {
                format!("waiting for the pushes of {}", names_of(records))
            }
            Self::CheckGitLab(record) => {
                format!("checking that GitLab responds at {}", record.gitlab_url)
            }
            Self::DeleteOrphanMirror(record) => {
                format!("removing {}", names_of(std::slice::from_ref(record)))
            }
            Self::RetireMirrors(records) => format!("removing {}", names_of(records)),
        }
    }
}

fn names_of(records: &[MirrorRecord]) -> String {
    let names = records.iter().map(|record| {
        let MirrorRecord { project, id, .. } = record;
        format!("push mirror {id} of project {project}")
    });
    names.collect::<Vec<_>>().join(", ")
}

macro_rules! groups {
    ($($group:ident($step:ident);)*) => {
        $(impl From<$step> for NextStep {
            fn from(step: $step) -> Self {
                Next::Apply(Step::$group(step))
            }
        })*
    };
}

groups! {
    Request(RequestStep);
    Credential(CredentialStep);
    Secret(SecretStep);
    Mirror(MirrorStep);
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
