//! The mirrors of the projects, as GitLab lists them. AWS's part of the rows comes first.

use std::collections::BTreeMap;

use super::row::Row;
use crate::health_check::checker::Checker;
use crate::health_check::facts::ProjectFacts;
use crate::health_check::gitlab_reads::{GITLAB_PROJECTS_PER_SECOND, GitLabReads};
use crate::health_check::listed_mirrors::{Extent, MirrorRows};
use crate::health_check::read_limit::ReadLimit;
use crate::health_check::stacks::FoundStacks;
use crate::mirror_credential::health::CheckedGitLabs;
use cfn_custom_resource::Reason;

impl Checker<'_> {
    /// The mirrors of the projects, as far as GitLab shows them in time, and why others were not
    /// read: a GitLab that does not respond is named once.
    pub(super) async fn found_mirrors(
        &self,
        found: &FoundStacks,
        limit: ReadLimit,
    ) -> (MirrorRows, Vec<Reason>) {
        let pipelines: Vec<_> = found.projects.iter().filter_map(ProjectFacts::settings).collect();
        let gitlabs = CheckedGitLabs::at_pace(GITLAB_PROJECTS_PER_SECOND);
        let reads = GitLabReads::until(limit.end(), &gitlabs, self.clients);
        let reading = Box::pin(self.read_projects(&reads, &pipelines, Extent::Mirrors));
        let (found, _) = reading.await;
        (found, reads.not_read())
    }
}

/// Adds the `mirrors` of the projects.
pub fn add_mirrors(rows: &mut BTreeMap<String, Row>, found: &FoundStacks, mut mirrors: MirrorRows) {
    for facts in &found.projects {
        let Some((settings, row)) = facts.settings().zip(rows.get_mut(&facts.project_id)) else {
            continue;
        };
        let checks = mirrors.remove(&facts.pipeline_name);
        match (checks, &settings.stored.report) {
            (Some(checks), _) if !checks.is_empty() => {
                row.shown.mirrors = Some(checks.iter().map(Into::into).collect());
            }
            (None, Some(report)) if !settings.is_cross_account() => {
                let (project, url) = (&report.project, &report.access.url);
                let problem = format!("the mirrors of project {project} at {url} are not read");
                let remedy = "Correct the cause, which is shown for this GitLab or its token, \
                    and try again";
                row.not_read(Reason::uncoded(problem, remedy));
            }
            _ => {}
        }
    }
}
