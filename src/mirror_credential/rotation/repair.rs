//! Repairs mirrors by a rotation that the health check runs: it creates all mirrors of a secret
//! again, with a new login, and needs no `AWS::SecretsManager::RotationSchedule`.

use std::time::SystemTime;

use crate::common::ownership;
use crate::mirror_credential::apply::sync_mirrors::is_empty;
use crate::mirror_credential::calls::gitlab::GitLabClients;
use crate::mirror_credential::request_context::RotationPhase;
use crate::mirror_credential::resource::MirrorCredential;
use crate::mirror_credential::rotation::event::RotationEvent;
use crate::mirror_credential::rotation::read_spec;
use crate::mirror_credential::state::mirrors::MirrorState;
use crate::mirror_credential::state::{DeliveryError, Secret};
use crate::mirror_credential::{calls, messages, observe};
use cfn_custom_resource::Failure;

/// How the version of a repair begins. Secrets Manager's own are UUIDs.
const VERSION_PREFIX: &str = "cfn-gitops-repair-";

/// The result of a repair that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    Done,
    /// A pending rotation creates the mirrors, or the secret no longer exists.
    NotNeeded,
    /// An earlier check of the hour repaired them.
    DoneBefore,
}

impl MirrorCredential {
    /// Creates the mirrors of a secret again. The caller requests at most one repair for each
    /// `hour` (any number that distinguishes them). If the latest repair `is_unfinished`, it is
    /// finished instead. Every wait ends before `until`.
    ///
    /// # Errors
    /// If a phase of the rotation failed. If the failure may pass, a later repair resumes it. If
    /// GitLab keeps a mirror disabled, nothing is changed.
    pub async fn repair_mirrors(
        &self,
        secret_id: &str,
        hour: u64,
        is_unfinished: bool,
        until: SystemTime,
    ) -> Result<Repair, Failure> {
        let mut event = RotationEvent {
            phase: RotationPhase::Create,
            secret_id: secret_id.to_owned(),
            version_id: version_id(secret_id, hour),
            is_repair: true,
        };
        let secret = observe::read_secret(&self.clients.aws, secret_id).await;
        let Some(secret) = secret.map_err(|error| event.failure(error.into()))? else {
            return Ok(Repair::NotNeeded);
        };
        let current = secret.log.current.as_ref().map(|login| &login.version_id);
        let mut phases = RotationPhase::ALL.as_slice();
        match (secret.open_rotation(), current) {
            (Some(pending), _) if is_repair(pending) => event.version_id.clone_from(pending),
            (Some(_), _) => return Ok(Repair::NotNeeded),
            (None, Some(current)) if is_unfinished && is_repair(current) => {
                event.version_id.clone_from(current);
                phases = &[RotationPhase::Finish];
            }
            (None, Some(current)) if *current == event.version_id => {
                return Ok(Repair::DoneBefore);
            }
            (None, _) => {
                let enabled = Box::pin(self.check_enabling(&secret)).await;
                enabled.map_err(|error| event.failure(error))?;
            }
        }
        for phase in phases.iter().copied() {
            event.phase = phase;
            Box::pin(self.rotate(&event, until)).await?;
        }
        Ok(Repair::Done)
    }

    /// Fails if GitLab keeps a disabled mirror of the current login disabled, as in silent mode. It
    /// would keep a new one disabled too, so each hour's repair would issue a login and delete it.
    async fn check_enabling(&self, secret: &Secret) -> Result<(), DeliveryError> {
        let aws = &self.clients.aws;
        let Some(login) = secret.log.current.as_ref().filter(|login| login.mirrors > 0) else {
            return Ok(());
        };
        let spec = read_spec(aws, secret).await?;
        let value = calls::read_login(aws, secret, &login.version_id).await?;
        let accesses = spec.gitlab.iter().cloned().collect();
        let mut gitlab_clients = GitLabClients::new(&self.clients, accesses);
        for record in value.iter().flat_map(|value| &value.mirrors) {
            let Some(wanted) = MirrorState::default().wanted(&spec, record) else {
                continue;
            };
            let gitlab = gitlab_clients.at(&record.gitlab_url).await?;
            let (project, id) = (record.project(), record.id);
            let shown = gitlab.mirror(project, id).await?;
            if shown.is_none_or(|mirror| mirror.enabled) {
                continue;
            }
            let shown = gitlab.update(project, id, &wanted.settings, true).await?;
            if shown.is_some_and(|mirror| !mirror.enabled) && !is_empty(&gitlab, record).await {
                let reason = messages::mirror_stays_disabled(&record.project, id);
                return Err(DeliveryError::permanent(reason));
            }
        }
        Ok(())
    }
}

pub(crate) fn is_repair(version_id: &str) -> bool {
    version_id.starts_with(VERSION_PREFIX)
}

/// A version has 32 to 64 characters:
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html>.
fn version_id(secret_id: &str, hour: u64) -> String {
    let key = ownership::key(&format!("{secret_id} {hour}"));
    format!("{VERSION_PREFIX}{key}")
}
