//! Whether the paths of pipelines' projects in GitLab still lead to them.
//!
//! A pipeline keeps the project whose number its stack stores, although its template may name
//! another one.

use std::collections::BTreeMap;

use tokio::time::timeout_at;

use super::checker::Checker;
use super::concurrent::TimeLimits;
use super::findings::Findings;
use super::stacks::FoundStacks;
use crate::clients::gitlab;
use crate::clients::gitlab::{Access, GitLab, TokenLocation, other_project};
use crate::gitops_pipeline::PROJECT_PROPERTY;
use crate::gitops_pipeline::settings::ReportSettings;
use crate::mirror_credential::health::CheckedGitLabs;

/// A path in a GitLab.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ProjectPath<'a> {
    url: &'a str,
    path: &'a str,
}

/// A pipeline whose property has a path.
struct Reporting<'a> {
    pipeline: &'a str,
    report: &'a ReportSettings,
}

/// The clients of each GitLab, opened once. `None` if its token cannot be read.
type OpenedGitLabs = BTreeMap<TokenLocation, Option<GitLab>>;

impl Checker<'_> {
    /// Reports pipelines whose `GitLab.Project` is a path that leads to another project than the
    /// one that their stacks store. A path may lead nowhere: the project was moved, and its number
    /// still works.
    pub async fn check_projects(
        &self,
        stacks: &FoundStacks,
        findings: &mut Findings,
        limits: &TimeLimits,
        gitlabs: &CheckedGitLabs,
    ) {
        let mut paths = BTreeMap::<ProjectPath<'_>, Vec<Reporting<'_>>>::new();
        for (pipeline, settings) in &stacks.settings {
            let report = settings.report.as_ref();
            if let Some(report) = report.filter(|report| report.has_path()) {
                let (url, path) = (&report.access.url, &report.project);
                let reporting = paths.entry(ProjectPath { url, path }).or_default();
                reporting.push(Reporting { pipeline, report });
            }
        }
        let mut paths: Vec<_> = paths.into_iter().collect();
        self.schedule.rotate(&mut paths);
        let (mut clients, until) = (OpenedGitLabs::default(), limits.half_of_the_rest());
        for (ProjectPath { path, .. }, pipelines) in &paths {
            let Some(Reporting { report, .. }) = pipelines.first() else {
                continue;
            };
            let look_up = self.number_at(path, &report.access, &mut clients, gitlabs);
            let Ok(shown) = timeout_at(until, Box::pin(look_up)).await else {
                return tracing::warn!("no time to look up the projects of all pipelines");
            };
            for Reporting { pipeline, report } in pipelines {
                let recorded = report.project_number;
                if let Some(shown) = shown.filter(|shown| *shown != recorded) {
                    let problem = other_project(PROJECT_PROPERTY, path, recorded, shown);
                    findings.missing(format!("pipeline {pipeline}"), problem);
                }
            }
        }
    }

    /// The number of the project to which the path leads. `None` if GitLab does not show it.
    async fn number_at(
        &self,
        path: &str,
        access: &Access,
        clients: &mut OpenedGitLabs,
        gitlabs: &CheckedGitLabs,
    ) -> Option<u64> {
        if gitlabs.unreachable.error_of(&access.url).is_some() {
            return None;
        }
        gitlabs.pace.wait().await;
        let gitlab = self.client(access, clients).await?;
        match gitlab.project(path.into()).await {
            Ok(project) => Some(project.id),
            Err(error) => {
                gitlabs.unreachable.note(&access.url, Some(path), &error);
                error.moved_to()
            }
        }
    }

    /// The check of the tokens reports one that cannot be read.
    async fn client<'c>(
        &self,
        access: &Access,
        clients: &'c mut OpenedGitLabs,
    ) -> Option<&'c GitLab> {
        let token = access.token();
        if !clients.contains_key(&token) {
            let (aws, http) = (&self.clients.aws, &self.clients.http);
            let opened = gitlab::open(aws, http, access).await;
            clients.insert(token.clone(), opened.ok());
        }
        clients.get(&token)?.as_ref()
    }
}
