//! Executes the planner's steps until the resource matches its spec.
//!
//! [`plan::next`] chooses each step. The [`Applier`] executes it and follows its own changes in the
//! state. It reads again only the parts that a peer may have changed.

mod abort_rotation;
pub mod applier;
mod check_move;
pub mod credential;
pub mod error;
mod issue_intent;
pub mod mirrors;
pub mod read_projects;
pub mod remove_mirrors;
mod rollback;
mod secret;
pub mod start;
pub mod sync_mirrors;
mod verify;

use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::intent_log::IssueIntent;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::plan::mirrors::MirrorPlanner;
use crate::mirror_credential::plan::step::{CredentialStep, MirrorStep, SecretStep, Step};
use crate::mirror_credential::state::{Credential, Secret};
use crate::mirror_credential::{calls, messages, plan};
use crate::reconcile::{Next, Reconcile, reconcile};
use cfn_custom_resource::{Failure, Reason};

/// The resource after its spec was applied.
pub struct Applied {
    pub secret: Secret,
    /// The credential whose login the secret holds.
    pub credential: Credential,
    /// The operator should see these although the request succeeded.
    pub warnings: Vec<Reason>,
}

impl Applier<'_> {
    /// Runs steps until the resource matches its spec. After a failure, rolls back this delivery,
    /// best effort.
    pub async fn apply_spec(mut self) -> Result<Applied, Failure> {
        if let Err(error) = self.run().await {
            Box::pin(self.roll_back(&error)).await;
            return Err(error.into());
        }
        let applied = self.applied();
        applied.ok_or_else(|| ApplyError::internal("done without a credential").into())
    }

    /// Runs the steps of one phase of a rotation. After a transient failure, the rotation's
    /// resources stay, as after a killed process. The same phase of the same rotation resumes from
    /// them.
    pub async fn apply_rotation_phase(mut self) -> Result<(), ApplyError> {
        let result = self.run().await;
        match &result {
            Ok(()) => {}
            // Only this delivery names the mirrors that it has not committed, or that a peer
            // superseded.
            Err(error) if error.is_transient => {
                if !self.state.mirrors.intent.ids_committed {
                    self.orphan_created_mirrors();
                }
                self.delete_own_orphans().await;
            }
            Err(error) => Box::pin(self.roll_back(error)).await,
        }
        result
    }

    async fn run(&mut self) -> Result<(), ApplyError> {
        let progress = self.progress;
        reconcile(self, progress).await?;
        self.delete_own_orphans().await;
        Ok(())
    }

    fn applied(&self) -> Option<Applied> {
        let secret = self.state.secret.present()?;
        let login = secret.log.current.as_ref()?;
        let credential = self.state.user.credential(&login.credential_id)?;
        let mut warnings = self.warnings.clone();
        if let Some(error) = &self.state.mirrors.gitlab_error {
            let text = format!("the mirrors were not checked: {}", error.text);
            warnings.push(Reason::new(error.code, text));
        }
        if self.context.rotation.is_none() {
            let planner = MirrorPlanner::new(self.spec, self.context, &self.state);
            // The mirrors are as the saved spec has them. Otherwise the plan would have failed.
            warnings.extend(planner.branch_faults());
            for warning in plan::lfs_warnings(self.spec, &self.state) {
                tracing::warn!(%warning, "Git LFS objects are not mirrored");
                warnings.push(warning);
            }
        }
        Some(Applied {
            secret: secret.clone(),
            credential: credential.clone(),
            warnings,
        })
    }

    /// The closed issue intent to write beside `step`. `None` if it is closed, if it is too early,
    /// or if the step itself changes the user.
    fn intent_to_close(&self, step: &Step) -> Option<IssueIntent> {
        let changes_no_user = matches!(
            step,
            Step::Credential(CredentialStep::Store | CredentialStep::VerifyStored)
                | Step::Secret(SecretStep::SaveSpec(_))
        );
        let may_close = changes_no_user && plan::may_close_issue_intent(&self.state);
        may_close.then(|| self.issue_intent_now(true))?.ok()
    }

    async fn execute(&mut self, step: Step) -> Result<(), ApplyError> {
        match step {
            Step::Credential(step) => self.apply_credential_step(step).await,
            Step::Secret(step) => Ok(self.apply_secret_step(step).await?),
            Step::Mirror(step) => self.apply_mirror_step(step).await,
            Step::Reject(_) | Step::Defer(_) | Step::SupersededByDelete | Step::Done => Ok(()),
        }
    }
}

impl Reconcile for Applier<'_> {
    type Step = Step;
    type Done = ();
    type Error = ApplyError;

    /// Reads only the clock. The steps read the rest.
    async fn observe(&mut self) -> Result<(), ApplyError> {
        self.state.now = self.clients.clock.now();
        Ok(())
    }

    fn plan(&self) -> Next<Step, (), ApplyError> {
        match plan::next(self.spec, self.context, &self.state) {
            Step::Done => Next::Done(()),
            Step::Reject(reason) => Next::Fail(ApplyError::permanent(reason)),
            Step::Defer(reason) => Next::Fail(ApplyError::transient(reason)),
            Step::SupersededByDelete => {
                Next::Fail(ApplyError::permanent(messages::superseded_by_delete()))
            }
            step => Next::Apply(step),
        }
    }

    fn describe(&self, step: &Step) -> String {
        let (user_name, secret_name) = (&self.spec.user_name, &self.spec.secret_name);
        match step {
            Step::Secret(SecretStep::ReadSecret) => format!("reading secret {secret_name}"),
            Step::Secret(SecretStep::WaitForPeer) => {
                format!("waiting for another delivery to finish secret {secret_name}")
            }
            Step::Credential(CredentialStep::WaitForIam) => {
                format!("waiting for IAM to list the credentials of user {user_name}")
            }
            Step::Credential(CredentialStep::Issue) => {
                format!("issuing the service-specific credential of user {user_name}")
            }
            Step::Credential(CredentialStep::Reset(id)) => {
                format!("resetting the service-specific credential {id}")
            }
            Step::Credential(CredentialStep::VerifyIssued | CredentialStep::VerifyStored) => {
                format!("verifying that the login of user {user_name} can push")
            }
            Step::Mirror(MirrorStep::ReadProjects) => "reading the projects in GitLab".to_owned(),
            Step::Mirror(MirrorStep::CreateMirrors(indices)) => {
                let places: Vec<String> = indices.iter().map(|n| format!("Mirrors[{n}]")).collect();
                format!("creating the push mirror of {}", places.join(", "))
            }
            Step::Mirror(MirrorStep::EnableMirrors(records)) => {
                format!("enabling {}", names_of(records))
            }
            Step::Mirror(MirrorStep::SyncMirrors(records)) => {
                format!("waiting for the pushes of {}", names_of(records))
            }
            Step::Mirror(MirrorStep::RetireMirrors(records)) => {
                format!("removing {}", names_of(records))
            }
            Step::Mirror(MirrorStep::DeleteOrphanMirror(record)) => {
                format!("removing {}", names_of(std::slice::from_ref(record)))
            }
            _ => format!("creating the credential of user {user_name} in secret {secret_name}"),
        }
    }

    async fn apply(&mut self, step: Step) -> Result<(), ApplyError> {
        let Some(intent) = self.intent_to_close(&step) else {
            return Box::pin(self.execute(step)).await;
        };
        let (clients, spec) = (self.clients, self.spec);
        let tags = [intent.tag()];
        let tagging = calls::tag_user(&clients.aws, &spec.user_name, &tags);
        let (tagged, result) = tokio::join!(tagging, Box::pin(self.execute(step)));
        match tagged {
            Ok(()) => self.state.user.issue_intent = Some(intent),
            // The intent stays open, and is closed at the end.
            Err(error) => tracing::info!(%error, "the issue intent is not closed yet"),
        }
        result
    }
}

fn names_of(records: &[MirrorRecord]) -> String {
    let names = records.iter().map(|record| {
        let MirrorRecord { project, id, .. } = record;
        format!("push mirror {id} of project {project}")
    });
    names.collect::<Vec<_>>().join(", ")
}
