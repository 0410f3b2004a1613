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

use serde_json::{Value, json};

use self::gitlab::add_mirrors;
pub use self::owner::failure_of;
use self::row::Row;
use super::members;
use super::not_read::ReadLimit;
use crate::common::pace::Pace;
use crate::gitops_pipeline::names;
use crate::gitops_pipeline::names::ResourceNames;
use crate::health_check::checker::Checker;
use crate::health_check::concurrent::{Checking, PIPELINES_PER_SECOND, TimeLimits, check_each};
use crate::health_check::findings::Findings;
use crate::health_check::stacks;
use crate::health_check::stacks::Stacks;
use cfn_custom_resource::Reason;

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
    pub(super) async fn projects(&self, only: Option<&ResourceNames>, time: Duration) -> Value {
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
        let mut answer = json!({});
        if let Some(stacks) = &stacks {
            self.add_owners_without_child(&mut rows, stacks, only);
            if let Some(own) = self.own_stack(stacks) {
                answer["Stack"] = own;
            }
        }
        let rows = rows.into_values().map(Row::value);
        answer["Projects"] = rows.collect();
        answer["NotRead"] = findings.not_checked().into();
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
    fn own_stack(&self, stacks: &Stacks) -> Option<Value> {
        let own = stacks.with_id(self.environment.stack_id.as_ref()?)?;
        let mut shown = members::stack(&own.name, own.status.as_str());
        let remedy = format!(
            "See what failed: cfn-gitops failures --env {}",
            self.environment.id
        );
        if let Some(problem) = owner::failure_of(&own.status) {
            let reason = Reason::uncoded(problem, remedy);
            shown["Problem"] = json!(reason.problem);
            shown["Remedy"] = json!(reason.remedy.to_string());
        }
        Some(shown)
    }
}

/// Leaves out the resources of change sets and failures beyond [`MAX_RESOURCES_BYTES`].
fn limit_resources(answer: &mut Value) {
    let mut left = MAX_RESOURCES_BYTES;
    let mut is_too_long = |resources: &Value| {
        let size = resources.to_string().len();
        let is_too_long = size > left;
        left -= if is_too_long { 0 } else { size };
        is_too_long
    };
    let rows = answer["Projects"].as_array_mut();
    for row in rows.into_iter().flatten().filter_map(Value::as_object_mut) {
        let approvals = row.get_mut("Approvals").and_then(Value::as_array_mut);
        let approvals = approvals.into_iter().flatten();
        let change_sets = approvals.filter_map(|it| it.get_mut("ChangeSet")?.as_object_mut());
        for change_set in change_sets {
            if change_set.get("Resources").is_some_and(&mut is_too_long) {
                change_set.remove("Resources");
            }
        }
        let failure = row.get_mut("Failure").and_then(Value::as_object_mut);
        if let Some(failure) = failure
            && failure.get("Resources").is_some_and(&mut is_too_long)
        {
            failure.remove("Resources");
            failure.insert(
                "NotListed".to_owned(),
                json!("the answer would be too long"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_beyond_the_limit_are_left_out() {
        let long = json!(["x".repeat(MAX_RESOURCES_BYTES - 100)]);
        let mut answer = json!({"Projects": [
            {"Approvals": [{"ChangeSet": {"Counts": {}, "Resources": long}}]},
            {
                "Approvals": [{"ChangeSet": {"Counts": {}, "Resources": long}}],
                "Failure": {"Cause": "c", "Resources": long},
            },
            {"Failure": {"Cause": "c", "Resources": [{}]}},
        ]});
        limit_resources(&mut answer);
        let kept = answer["Projects"][0]["Approvals"].to_string().len();
        answer["Projects"][0].take();
        assert!(kept > MAX_RESOURCES_BYTES - 100);
        let expected = json!({"Projects": [
            null,
            {
                "Approvals": [{"ChangeSet": {"Counts": {}}}],
                "Failure": {"Cause": "c", "NotListed": "the answer would be too long"},
            },
            {"Failure": {"Cause": "c", "Resources": [{}]}},
        ]});
        assert_eq!(answer, expected);
    }
}
