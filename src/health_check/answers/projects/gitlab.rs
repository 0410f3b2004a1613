//! The mirrors of the projects, as GitLab lists them. AWS's part of the rows comes first.

use std::collections::BTreeMap;

use super::row::Row;
use crate::health_check::answers::mirrors::{FoundMirrors, OwnedPipeline, mirroring_stacks};
use crate::health_check::answers::not_read::ReadLimit;
use crate::health_check::checker::Checker;
use crate::health_check::concurrent::TimeLimits;
use crate::health_check::findings::Findings;
use cfn_custom_resource::Reason;

impl Checker<'_> {
    /// The mirrors of `rows`, as far as GitLab shows them in time. `None` if no row can have one.
    pub(super) async fn found_mirrors(
        &self,
        rows: &BTreeMap<String, Row>,
        limit: ReadLimit,
    ) -> Option<FoundMirrors> {
        let pipelines = rows.values().filter_map(|row| {
            let settings = row.settings.as_ref()?;
            let owner = row.owner.as_deref().unwrap_or_default();
            Some(OwnedPipeline { settings, owner })
        });
        let pipelines: Vec<_> = pipelines.collect();
        if pipelines.iter().all(|it| it.settings.report.is_none()) {
            return None;
        }
        let (mut listed, limits) = (Findings::default(), TimeLimits::of(limit.left()));
        let half = limits.until(limits.half_of_the_rest());
        let secrets = self.list_secrets(&half, &mut listed).await.unwrap_or_default();
        let owners: Vec<&str> = pipelines.iter().map(|it| it.owner).collect();
        // One that was not read may belong to any of the stacks.
        let is_unread = |row: &Row| row.owner.is_none() && !row.is_whole();
        let mirroring = if rows.values().any(is_unread) {
            BTreeMap::new()
        } else {
            mirroring_stacks(&owners, &secrets)
        };
        let mut found = Box::pin(self.mirrors_of(&pipelines, &mirroring, limits.end)).await;
        // The mirrors that a deleted resource has left are not a project's.
        found.not_read.extend(listed.failed);
        Some(found)
    }
}

/// Adds the mirrors that were `found`.
pub fn add_mirrors(
    rows: &mut BTreeMap<String, Row>,
    mut found: FoundMirrors,
    findings: &mut Findings,
) {
    found.not_read.into_iter().for_each(|reason| findings.failed(reason));
    for row in rows.values_mut() {
        let Some(settings) = &row.settings else {
            continue;
        };
        let checks = found.rows.remove(&settings.names.pipeline());
        match (checks, &settings.report) {
            (Some(checks), _) if !checks.is_empty() => {
                row.shown.mirrors = Some(checks.iter().map(Into::into).collect());
            }
            (None, Some(report)) if !settings.is_cross_account => {
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
