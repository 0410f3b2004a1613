//! Reads the projects in GitLab: their mirrors and their branches.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;

use crate::clients::gitlab::{GitLab, GitLabError, ProjectRef, RetryTime, Sent};
use crate::mirror_credential::messages;
use crate::mirror_credential::request_context::RotationPhase;
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::state::mirrors::Project;
use crate::mirror_credential::timing::MIRRORS_AT_ONCE;

/// The projects by their names in the spec, and those that GitLab did not show.
pub type ReadProjects = (BTreeMap<String, Project>, Vec<(String, GitLabError)>);

/// Reads every project of `mirrors`, as far as the rotation's `phase` needs it. `None` for a
/// request of CloudFormation, which needs all of it. The projects of some paths have the `recorded`
/// numbers. A rollback goes on without a project that GitLab does not show.
pub async fn read_projects(
    gitlab: &GitLab,
    mirrors: &[WantedMirror],
    recorded: &BTreeMap<&str, u64>,
    phase: Option<RotationPhase>,
    may_lack_some: bool,
) -> Result<ReadProjects, GitLabError> {
    let mut wanted: BTreeMap<&String, Vec<&WantedMirror>> = BTreeMap::new();
    for mirror in mirrors {
        wanted.entry(&mirror.project).or_default().push(mirror);
    }
    let reads = wanted.into_iter().map(|(name, mirrors)| {
        let recorded = recorded.get(name.as_str()).copied();
        async move {
            (
                name,
                read_project(gitlab, name, recorded, mirrors, phase).await,
            )
        }
    });
    let reads: Vec<_> = reads.collect();
    let mut reads = stream::iter(reads).buffered(MIRRORS_AT_ONCE);
    let (mut projects, mut unread) = (BTreeMap::new(), vec![]);
    while let Some((name, read)) = reads.next().await {
        match read {
            Ok(project) => drop(projects.insert(name.clone(), project)),
            Err(error) if may_lack_some && error.sent == Sent::Yes => {
                unread.push((name.clone(), error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((projects, unread))
}

async fn read_project(
    gitlab: &GitLab,
    name: &str,
    recorded: Option<u64>,
    mirrors: Vec<&WantedMirror>,
    phase: Option<RotationPhase>,
) -> Result<Project, GitLabError> {
    let mut project = match recorded.filter(|_| phase.is_some()) {
        Some(number) => Project::new(&gitlab.url, number, vec![]),
        None => describe(gitlab, name, recorded).await?,
    };
    let of_number = ProjectRef::numbered(Some(project.number), name);
    project.mirrors = gitlab.mirrors(of_number).await?;
    for wanted in mirrors {
        // These phases do not start pushes.
        if !matches!(phase, Some(RotationPhase::Create | RotationPhase::Set)) {
            match read_branches(gitlab, wanted, &mut project).await {
                // A rotation's mirrors push the same branches as those that they replace.
                Err(error) if phase.is_some() && error.retry != RetryTime::Later => {
                    warn!(error.reason(), "the branches of a project are not read");
                }
                read => read?,
            }
        }
        if phase.is_some() && project.pushes_everything(&wanted.settings) {
            let reason = messages::every_branch_is_pushed("the mirror of the rotation", name);
            warn!(reason, "GitLab pushes every branch");
        }
    }
    Ok(project)
}

/// Looks up the project `name`, without its mirrors and branches. If its number is `recorded`, that
/// decides: the path may lead to another project, to none, or to one that GitLab hides.
async fn describe(
    gitlab: &GitLab,
    name: &str,
    recorded: Option<u64>,
) -> Result<Project, GitLabError> {
    let shown = gitlab.project(name.into()).await;
    let (details, path_leads_to) = match (shown, recorded) {
        (Ok(shown), Some(number)) if shown.id != number => {
            let recorded = gitlab.project(ProjectRef::numbered(recorded, name)).await?;
            (recorded, Some(shown.id))
        }
        (Err(error), Some(_)) if error.retry != RetryTime::Later => {
            let recorded = gitlab.project(ProjectRef::numbered(recorded, name)).await?;
            (recorded, None)
        }
        (shown, _) => (shown?, None),
    };
    Ok(Project {
        path_leads_to,
        is_empty: details.is_empty,
        default_branch: details.default_branch,
        lfs_objects_size: details.lfs_objects_size,
        ..Project::new(&gitlab.url, details.id, vec![])
    })
}

/// Reads the protected branches if the mirror pushes these alone.
pub async fn read_branches(
    gitlab: &GitLab,
    wanted: &WantedMirror,
    project: &mut Project,
) -> Result<(), GitLabError> {
    if wanted.settings.only_protected_branches && project.protected_branches.is_none() {
        let of_number = ProjectRef::numbered(Some(project.number), &wanted.project);
        let protected = gitlab.protected_branches(of_number).await?;
        project.protected_branches = Some(protected);
    }
    Ok(())
}
