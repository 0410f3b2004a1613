//! The mirrors of the projects, as GitLab lists them. AWS's part of the rows comes first.

use std::collections::BTreeMap;

use super::row::Row;
use crate::health_check::answers::mirrors::FoundMirrors;
use crate::health_check::answers::not_read::ReadLimit;
use crate::health_check::checker::Checker;
use crate::health_check::findings::Findings;
use cfn_custom_resource::Reason;

impl Checker<'_> {
    /// The mirrors of `rows`, as far as GitLab shows them in time. `None` if no row can have one.
    pub(super) async fn found_mirrors(
        &self,
        rows: &BTreeMap<String, Row>,
        limit: ReadLimit,
    ) -> Option<FoundMirrors> {
        let pipelines: Vec<_> = rows.values().filter_map(|row| row.settings.as_ref()).collect();
        if pipelines.iter().all(|settings| settings.report.is_none()) {
            return None;
        }
        Some(Box::pin(self.mirrors_of(&pipelines, limit.end())).await)
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
