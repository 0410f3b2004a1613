//! Every project of the environment, with all that needs a person.
//!
//! A project is a row, even if it cannot be read. No failure of a row touches another one.

mod change_set;
mod freeze;
mod gitlab;
mod owner;
mod pipeline;
mod rights;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use self::gitlab::add_mirrors;
pub use self::owner::failure_of;
use self::row::Row;
use super::not_read::ReadLimit;
use super::shape::{OwnStack, Projects, Stack};
use crate::common::pace::Pace;
use crate::gitops_pipeline::names;
use crate::gitops_pipeline::names::ResourceNames;
use crate::health_check::checker::Checker;
use crate::health_check::concurrent::{Checking, PIPELINES_PER_SECOND, TimeLimits, check_each};
use crate::health_check::findings::{Findings, Problem};
use crate::health_check::stacks;
use crate::health_check::stacks::Stacks;
/// The most bytes of the resources in change sets and failures. Lambda rejects an answer of more
/// than 6 MB: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const MAX_RESOURCES_BYTES: usize = 4_000_000;

/// The most time for the rows. The reads of GitLab follow, and the command waits for 310 seconds,
/// or 60 for one project.
const ALL_PROJECTS_TIME: Duration = Duration::from_secs(200);
const ONE_PROJECT_TIME: Duration = Duration::from_secs(30);

/// The most time for the reads of GitLab, and of the rights.
const GITLAB_TIME: Duration = Duration::from_secs(20);
const RIGHTS_TIME: Duration = GITLAB_TIME;

impl Checker<'_> {
    /// A row of each project, or of `only` this one.
    pub(super) async fn projects(&self, only: Option<&ResourceNames>, time: Duration) -> Projects {
        let all = ReadLimit::after(time);
        let aws_time = only.map_or(ALL_PROJECTS_TIME, |_| ONE_PROJECT_TIME);
        let limits = TimeLimits::of(time.min(aws_time));
        let mut findings = Findings::default();
        let env_id = &self.environment.id;
        let listing = stacks::list(&self.clients.aws, env_id);
        let limit = all.at_most(aws_time / 2);
        let stacks = limit.read("the stacks of the account".to_owned(), listing).await;
        let stacks = stacks.map_err(|reason| findings.failed(reason)).ok();
        let children: BTreeSet<String> = match (only, &stacks) {
            (Some(only), _) => [only.stack()].into(),
            (None, Some(stacks)) => stacks.pipelines.keys().cloned().collect(),
            (None, None) => BTreeSet::new(),
        };
        let mut rows = self.read_rows(&children, stacks.as_ref(), &limits).await;
        let asked = only.and_then(|_| rows.values().next());
        let (mirrors, rights) = tokio::join!(
            self.found_mirrors(&rows, all.at_most(GITLAB_TIME)),
            self.compared_rights(asked, all.at_most(RIGHTS_TIME)),
        );
        if let Some(row) = rows.values_mut().next() {
            row.add_rights(rights);
        }
        if let Some(found) = mirrors {
            add_mirrors(&mut rows, found, &mut findings);
        }
        if let Some(stacks) = &stacks {
            self.add_owners_without_child(&mut rows, stacks, only);
        }
        let mut answer = Projects {
            stack: stacks.as_ref().and_then(|stacks| self.own_stack(stacks)),
            projects: rows.into_values().map(Row::project).collect(),
            not_read: findings.not_checked(),
        };
        limit_resources(&mut answer);
        answer
    }

    /// The rows of the pipelines' stacks with these names, by the projects.
    async fn read_rows(
        &self,
        children: &BTreeSet<String>,
        stacks: Option<&Stacks>,
        limits: &TimeLimits,
    ) -> BTreeMap<String, Row> {
        let prefix = &names::STACK.prefix(&self.environment.id);
        let project = |name: &str| name.strip_prefix(prefix).unwrap_or(name).to_owned();
        let late = children.iter().map(|name| (project(name), Row::out_of_time(&project(name))));
        let mut rows: BTreeMap<String, Row> = late.collect();
        let pace = &Pace::per_second(PIPELINES_PER_SECOND);
        let read = |name, ()| -> Checking<'_, Option<Row>> {
            Box::pin(async move {
                pace.wait().await;
                Box::pin(self.read_row(name, &project(name), stacks)).await
            })
        };
        let items = children.iter().map(|name| (name.as_str(), ())).collect();
        check_each(items, limits, read, |name, row| {
            match row {
                Some(row) => rows.insert(project(name), row),
                // It was deleted meanwhile, or was never created.
                None => rows.remove(&project(name)),
            };
        })
        .await;
        rows
    }

    /// The stack of the environment. `None` if it is not known, or not listed.
    fn own_stack(&self, stacks: &Stacks) -> Option<OwnStack> {
        let own = stacks.with_id(self.environment.stack_id.as_ref()?)?;
        let remedy = format!(
            "See what failed: cfn-gitops failures --env {}",
            self.environment.id
        );
        let problem = owner::failure_of(&own.status);
        Some(OwnStack {
            stack: Stack::new(&own.name, &own.status),
            problem: problem.map(|problem| Problem::new(problem, remedy)),
        })
    }
}

/// Leaves out the resources of change sets and failures beyond [`MAX_RESOURCES_BYTES`].
fn limit_resources(answer: &mut Projects) {
    let mut left = MAX_RESOURCES_BYTES;
    for row in &mut answer.projects {
        for approval in row.approvals.iter_mut().flatten() {
            if let Some(change_set) = &mut approval.change_set {
                fit(&mut change_set.resources, &mut left);
            }
        }
        if let Some(failure) = &mut row.failure
            && fit(&mut failure.resources, &mut left)
        {
            failure.not_listed = Some("the answer would be too long".to_owned());
        }
    }
}

/// Whether the resources do not fit into the bytes that are `left`, and are taken out.
fn fit<T: Serialize>(resources: &mut Option<Vec<T>>, left: &mut usize) -> bool {
    let Some(listed) = resources else {
        return false;
    };
    let size = serde_json::to_string(listed).map_or(usize::MAX, |text| text.len());
    let Some(rest) = left.checked_sub(size) else {
        *resources = None;
        return true;
    };
    *left = rest;
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health_check::answers::shape::{
        Failure, Resource, ShownApproval, ShownChangeSet, ShownFailure, ShownProject,
    };

    #[test]
    fn resources_beyond_the_limit_are_left_out() {
        const LONG: usize = MAX_RESOURCES_BYTES - 100;
        let failed = |path: Option<usize>| ShownProject {
            failure: Some(Failure {
                resources: path.map(|path| {
                    vec![ShownFailure {
                        path: "x".repeat(path),
                        ..ShownFailure::default()
                    }]
                }),
                ..Failure::default()
            }),
            ..ShownProject::default()
        };
        let approved = |name: usize| ShownProject {
            approvals: Some(vec![ShownApproval {
                change_set: Some(ShownChangeSet {
                    resources: Some(vec![Resource {
                        logical_id: "x".repeat(name),
                        ..Resource::default()
                    }]),
                    ..ShownChangeSet::default()
                }),
                ..ShownApproval::default()
            }]),
            ..ShownProject::default()
        };
        let mut projects = vec![failed(Some(LONG)), failed(Some(LONG)), approved(LONG)];
        // They take no place.
        projects.extend((0..30).map(|_| failed(None)));
        projects.push(failed(Some(0)));
        let mut answer = Projects {
            stack: None,
            projects,
            not_read: vec![],
        };
        limit_resources(&mut answer);
        let listed = |row: &ShownProject| {
            let of_approval =
                row.approvals.iter().flatten().filter_map(|it| it.change_set.as_ref());
            let of_failure = row.failure.iter().filter(|it| it.resources.is_some());
            of_approval.filter(|it| it.resources.is_some()).count() + of_failure.count()
        };
        let is_told =
            |row: &ShownProject| row.failure.as_ref().is_some_and(|it| it.not_listed.is_some());
        let rows: Vec<_> = answer.projects.iter().map(|row| (listed(row), is_told(row))).collect();
        let mut expected = vec![(1, false), (0, true)];
        expected.extend([(0, false); 31]);
        expected.push((1, false));
        assert_eq!(rows, expected);
    }
}
