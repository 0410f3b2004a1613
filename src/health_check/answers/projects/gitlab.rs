//! The mirrors of the projects, as GitLab lists them. AWS's part of the rows comes first.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::row::Row;
use crate::health_check::answers::mirrors::{OwnedPipeline, mirroring_stacks};
use crate::health_check::checker::Checker;
use crate::health_check::concurrent::TimeLimits;
use crate::health_check::findings::{Check, Findings};
use cfn_custom_resource::Reason;

/// The most time for the reads of GitLab.
const GITLAB_TIME: Duration = Duration::from_secs(20);

impl Checker<'_> {
    /// Adds them to `rows`. A GitLab that does not respond in time is in the `findings`.
    pub(super) async fn add_mirrors(
        &self,
        rows: &mut BTreeMap<String, Row>,
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        let pipelines = rows.values().filter_map(|row| {
            let settings = row.settings.as_ref()?;
            let owner = row.owner.as_deref().unwrap_or_default();
            Some(OwnedPipeline { settings, owner })
        });
        let pipelines: Vec<_> = pipelines.collect();
        if pipelines.iter().all(|it| it.settings.report.is_none()) {
            return;
        }
        let mut listed = Findings::default();
        let secrets = self.list_secrets(limits, &mut listed).await.unwrap_or_default();
        // The mirrors that a deleted resource has left are not a project's.
        listed.failed.into_iter().for_each(|reason| findings.failed(reason));
        let owners: Vec<&str> = pipelines.iter().map(|it| it.owner).collect();
        // One that was not read may belong to any of the stacks.
        let is_unread = |row: &Row| row.owner.is_none() && !row.is_whole();
        let mirroring = if rows.values().any(is_unread) {
            BTreeMap::new()
        } else {
            mirroring_stacks(&owners, &secrets)
        };
        let until = limits.end.min(Instant::now() + GITLAB_TIME);
        let mut found = Box::pin(self.mirrors_of(&pipelines, &mirroring, until)).await;
        found.not_read.into_iter().for_each(|reason| findings.failed(reason));
        for row in rows.values_mut() {
            let Some(settings) = &row.settings else {
                continue;
            };
            let checks = found.rows.remove(&settings.names.pipeline());
            match (checks, &settings.report) {
                (Some(checks), _) if !checks.is_empty() => {
                    let shown: Value = checks.iter().map(Check::shown).collect();
                    row.members.set("Mirrors", shown);
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
}
