//! Reads the projects in GitLab: their mirrors and their branches.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream;
use futures_util::{StreamExt, TryStreamExt};

use crate::clients::gitlab::{GitLab, GitLabError};
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::calls::gitlab::GITLAB_POLL_INTERVAL;
use crate::mirror_credential::messages;
use crate::mirror_credential::request_context::RotationPhase;
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::state::mirrors::Project;
use crate::mirror_credential::timing::MIRRORS_AT_ONCE;

/// A GitLab that restarts responds again within this time.
const GITLAB_RESTART_TIMEOUT: Duration = Duration::from_secs(60);

impl Applier<'_> {
    /// Reads every project of the spec. If GitLab is unreachable, the plan decides whether the
    /// request fails.
    pub async fn read_projects(&mut self) -> Result<(), ApplyError> {
        let left = self.clients.clock.until(self.progress.until());
        let patience = match self.context.rotation {
            // AWS does not document the interval of Secrets Manager's retries: see
            // the module `rotation`.
            Some(_) => left.mul_f64(0.5),
            None => GITLAB_RESTART_TIMEOUT.min(left.mul_f64(0.1)),
        };
        let give_up = tokio::time::Instant::now() + patience;
        loop {
            match self.try_read_projects().await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() && tokio::time::Instant::now() < give_up => {
                    self.gitlab_clients.forget_failures();
                    tokio::time::sleep(GITLAB_POLL_INTERVAL * 5).await;
                }
                Err(error)
                    if self.context.rotation.is_none() && self.state.secret.present().is_some() =>
                {
                    self.state.mirrors.gitlab_error = Some(error.reason());
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn try_read_projects(&mut self) -> Result<(), GitLabError> {
        let Some(access) = &self.spec.gitlab else {
            return Ok(());
        };
        let gitlab = self.gitlab_clients.at(&access.url).await?;
        let mut wanted: BTreeMap<&String, Vec<&WantedMirror>> = BTreeMap::new();
        for mirror in &self.spec.mirrors {
            wanted.entry(&mirror.project).or_default().push(mirror);
        }
        let reads = wanted
            .into_iter()
            .map(|(name, mirrors)| self.read_project(&gitlab, name, mirrors));
        let reads: Vec<_> = reads.collect();
        let projects = stream::iter(reads).buffered(MIRRORS_AT_ONCE);
        let projects = projects.try_collect().await?;
        self.state.mirrors.projects = Some(projects);
        self.state
            .mirrors
            .reachable_gitlabs
            .insert(access.url.clone());
        Ok(())
    }

    async fn read_project(
        &self,
        gitlab: &GitLab,
        name: &str,
        mirrors: Vec<&WantedMirror>,
    ) -> Result<(String, Project), GitLabError> {
        let mut project = Project::new(gitlab.mirrors(name).await?);
        let phase = self.context.rotation.as_ref().map(|one| one.phase);
        if phase.is_none() {
            let described = gitlab.project(name).await?;
            project.is_empty = described.is_empty;
            project.default_branch = described.default_branch;
            project.lfs_objects_size = described.lfs_objects_size;
        }
        for wanted in mirrors {
            // These phases do not start pushes.
            if !matches!(phase, Some(RotationPhase::Create | RotationPhase::Set)) {
                match read_branches(gitlab, wanted, &mut project).await {
                    // A rotation's mirrors push the same branches as those that they replace.
                    Err(error) if phase.is_some() && !error.is_transient() => {
                        tracing::warn!(%error, "the branches were not read");
                    }
                    read => read?,
                }
            }
            if phase.is_some()
                && let Some(reason) = project.pushes_everything(&wanted.settings)
            {
                tracing::warn!(project = name, ?reason, "GitLab pushes every branch");
            }
        }
        Ok((name.to_owned(), project))
    }

    /// Reads the branches again before GitLab may push, because they may have changed since the
    /// start.
    pub async fn check_branches(
        &self,
        gitlab: &GitLab,
        wanted: &WantedMirror,
    ) -> Result<(), ApplyError> {
        if self.context.rotation.is_some() {
            return Ok(());
        }
        let (project, settings) = (&wanted.project, &wanted.settings);
        let Some(reason) = gitlab.pushes_everything(project, settings).await? else {
            return Ok(());
        };
        let mut mirrors = self.spec.mirrors.iter();
        let n = mirrors.position(|one| one == wanted).unwrap_or_default();
        let (place, regex) = (format!("Mirrors[{n}]"), settings.branch_regex.as_deref());
        let refusal = messages::every_branch_is_pushed(&place, project, &reason, regex);
        Err(ApplyError::permanent(refusal))
    }
}

/// Reads the settings and branches that determine which branches a mirror pushes.
async fn read_branches(
    gitlab: &GitLab,
    wanted: &WantedMirror,
    project: &mut Project,
) -> Result<(), GitLabError> {
    if wanted.settings.only_protected_branches {
        if project.protected_branches.is_none() {
            let protected = gitlab.protected_branches(&wanted.project).await?;
            project.protected_branches = Some(protected);
        }
    } else if let Some(regex) = &wanted.settings.branch_regex
        && !gitlab.has_branch_like(&wanted.project, regex).await?
    {
        project.unmatched.insert(regex.clone());
    }
    Ok(())
}
