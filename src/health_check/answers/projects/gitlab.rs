//! The mirrors of the projects, as GitLab lists them. AWS's part of the rows comes first.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::row::Row;
use crate::health_check::answers::mirrors::OwnedPipeline;
use crate::health_check::checker::Checker;
use crate::health_check::concurrent::TimeLimits;
use crate::health_check::findings::{Check, Findings};

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
            let (settings, owner) = (row.settings.as_ref()?, row.owner.as_deref()?);
            settings.report.as_ref()?;
            Some(OwnedPipeline { settings, owner })
        });
        let pipelines: Vec<_> = pipelines.collect();
        if pipelines.is_empty() {
            return;
        }
        let mut listed = Findings::default();
        let secrets = self.list_secrets(limits, &mut listed).await.unwrap_or_default();
        // The mirrors that a deleted resource has left are not a project's.
        listed.failed.into_iter().for_each(|reason| findings.failed(reason));
        let until = limits.end.min(Instant::now() + GITLAB_TIME);
        let mut found = Box::pin(self.mirrors_of(&pipelines, &secrets, until)).await;
        found.not_read.into_iter().for_each(|reason| findings.failed(reason));
        for row in rows.values_mut() {
            let pipeline = row.settings.as_ref().map(|it| it.names.pipeline());
            let checks = pipeline.and_then(|name| found.rows.remove(&name)).unwrap_or_default();
            if !checks.is_empty() {
                let shown: Value = checks.iter().map(Check::shown).collect();
                row.members.set("Mirrors", shown);
            }
        }
    }
}
