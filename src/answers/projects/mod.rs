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
use tokio::time::Instant;

use self::gitlab::add_mirrors;
use self::row::Row;
use super::shape::{OwnStack, Projects, Stack};
use crate::common::pace::Pace;
use crate::gitops_pipeline::names::ResourceNames;
use crate::health_check::checker::Checker;
use crate::health_check::concurrent::{Checking, PIPELINES_PER_SECOND, TimeLimits, check_each};
use crate::health_check::facts::ProjectFacts;
use crate::health_check::findings::Findings;
use crate::health_check::listed_stacks::Stacks;
use crate::health_check::missing::Missing;
use crate::health_check::read_limit::ReadLimit;
use crate::health_check::stacks::FoundStacks;
/// The most bytes of the resources in change sets and failures. Lambda rejects an answer of more
/// than 6 MB: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const MAX_RESOURCES_BYTES: usize = 4_000_000;

/// The most time for the rows. The reads of GitLab follow, and the command waits for 310 seconds,
/// or 60 for one project.
const ALL_PROJECTS_TIME: Duration = Duration::from_secs(200);
const ONE_PROJECT_TIME: Duration = Duration::from_secs(30);

/// The most time for the reads of GitLab, of the rights, and of what stacks declare.
const GITLAB_TIME: Duration = Duration::from_secs(20);
const RIGHTS_TIME: Duration = GITLAB_TIME;
const MISSING_TIME: Duration = GITLAB_TIME;

/// The most time for one row. With the list of the stacks, that is less than the time for one project.
const ROW_TIME: Duration = Duration::from_secs(13);

impl Checker<'_> {
    /// A row of each project, or of `only` this one.
    pub(super) async fn projects(&self, only: Option<&ResourceNames>, time: Duration) -> Projects {
        let all = ReadLimit::after(time);
        let aws_time = only.map_or(ALL_PROJECTS_TIME, |_| ONE_PROJECT_TIME);
        let limits = TimeLimits::of(time.min(aws_time));
        let mut findings = Findings::default();
        let listing = limits.until(Instant::now() + aws_time / 2);
        let (mut projects, stacks) = self.list_projects(&mut findings, &listing).await;
        if let Some(only) = only {
            projects = [only.project_id.clone()].into();
        }
        let (mut rows, found) = self.read_rows(&projects, stacks, &limits).await;
        let asked = only.and_then(|_| rows.values().next());
        let (mirrors, rights, missing) = tokio::join!(
            self.found_mirrors(&found, all.at_most(GITLAB_TIME)),
            self.compared_rights(asked, &found, all.at_most(RIGHTS_TIME)),
            self.find_missing_of(asked, &found, all.at_most(MISSING_TIME)),
        );
        if let Some(row) = rows.values_mut().next() {
            row.add_rights(rights);
        }
        let (mirrors, not_read) = mirrors;
        add_mirrors(&mut rows, &found, mirrors);
        for reason in not_read {
            findings.failed(reason);
        }
        let (missing, of_missing) = missing;
        findings.add(of_missing);
        let stacks = found.listed.as_ref();
        self.add_missing(&mut rows, missing, stacks, only);
        if let Some(stacks) = stacks {
            self.add_owners_without_child(&mut rows, stacks, only);
        }
        let mut answer = Projects {
            stack: stacks.and_then(|it| self.own_stack(it)).map(|(own, problem)| OwnStack {
                stack: Stack::new(&own.name, &own.status),
                problem: problem.as_ref().map(Into::into),
            }),
            projects: rows.into_values().map(|row| row.shown).collect(),
            not_read: findings.not_checked(),
        };
        limit_resources(&mut answer);
        answer
    }

    /// The missing stacks of pipelines. They are not looked for if the project that was `asked` for
    /// has its stack.
    async fn find_missing_of(
        &self,
        asked: Option<&Row>,
        found: &FoundStacks,
        limit: ReadLimit,
    ) -> (BTreeMap<String, Missing>, Findings) {
        let mut findings = Findings::default();
        if asked.is_some() && found.untagged().next().is_none() {
            return (BTreeMap::new(), findings);
        }
        let limits = TimeLimits::of(limit.left());
        let missing = self.find_missing(None, found, &mut findings, &limits).await;
        (missing, findings)
    }

    /// The rows of these projects, and the looks at them.
    async fn read_rows(
        &self,
        projects: &BTreeSet<String>,
        stacks: Option<Stacks>,
        limits: &TimeLimits,
    ) -> (BTreeMap<String, Row>, FoundStacks) {
        let late = projects.iter().map(|id| (id.clone(), Row::out_of_time(id)));
        let mut rows: BTreeMap<String, Row> = late.collect();
        let (pace, listed) = (&Pace::per_second(PIPELINES_PER_SECOND), stacks.as_ref());
        let read = |project_id, ()| -> Checking<'_, (Option<Row>, ProjectFacts)> {
            Box::pin(async move {
                pace.wait().await;
                let limit = ReadLimit::after(ROW_TIME);
                Box::pin(self.read_row(project_id, listed, limit)).await
            })
        };
        let items = projects.iter().map(|id| (id.as_str(), ())).collect();
        let mut found = FoundStacks::default();
        let left = check_each(items, limits, read, |project_id, (row, facts)| {
            match row {
                Some(row) => rows.insert(project_id.to_owned(), row),
                // It was deleted meanwhile, or was never created.
                None => rows.remove(project_id),
            };
            found.projects.push(facts);
        });
        (found.left, found.listed) = (left.await, stacks);
        (rows, found)
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
    use crate::answers::shape::{
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
