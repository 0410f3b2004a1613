//! Reads the projects in GitLab: their mirrors and their branches.

use std::collections::BTreeMap;

use futures_util::stream;
use futures_util::{StreamExt, TryStreamExt};

use crate::clients::gitlab::{GitLab, GitLabError, RetryTime};
use crate::mirror_credential::messages;
use crate::mirror_credential::request_context::RotationPhase;
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::state::mirrors::Project;
use crate::mirror_credential::timing::MIRRORS_AT_ONCE;

/// Reads every project of `mirrors`, as far as the rotation's `phase` needs it. `None` for a
/// request of CloudFormation, which needs all of it.
pub async fn read_projects(
    gitlab: &GitLab,
    mirrors: &[WantedMirror],
    phase: Option<RotationPhase>,
) -> Result<BTreeMap<String, Project>, GitLabError> {
    let mut wanted: BTreeMap<&String, Vec<&WantedMirror>> = BTreeMap::new();
    for mirror in mirrors {
        wanted.entry(&mirror.project).or_default().push(mirror);
    }
    let reads = wanted
        .into_iter()
        .map(|(name, mirrors)| read_project(gitlab, name, mirrors, phase));
    let reads: Vec<_> = reads.collect();
    let projects = stream::iter(reads).buffered(MIRRORS_AT_ONCE);
    projects.try_collect().await
}

async fn read_project(
    gitlab: &GitLab,
    name: &str,
    mirrors: Vec<&WantedMirror>,
    phase: Option<RotationPhase>,
) -> Result<(String, Project), GitLabError> {
    let mut project = Project::new(gitlab.mirrors(name).await?);
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
                Err(error) if phase.is_some() && error.retry != RetryTime::Later => {
                    tracing::warn!(
                        error = error.reason().as_error(),
                        "the branches of a project are not read"
                    );
                }
                read => read?,
            }
        }
        if phase.is_some()
            && let Some(reason) = project.pushes_everything(&wanted.settings)
        {
            let regex = wanted.settings.branch_regex.as_deref();
            let mirror = "the mirror of the rotation";
            let reason = messages::every_branch_is_pushed(mirror, name, &reason, regex);
            tracing::warn!(error = reason.as_error(), "GitLab pushes every branch");
        }
    }
    Ok((name.to_owned(), project))
}

/// Reads the settings and branches that determine which branches a mirror pushes.
pub async fn read_branches(
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
