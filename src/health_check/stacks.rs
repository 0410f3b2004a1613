//! The projects of the environment: a look at each, and the first pushes that were not delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::checker::{Checker, listed};
use super::concurrent::{Checking, TimeLimits, check_each};
use super::drift::ComparedStack;
use super::facts::{Fact, LOOK_TIMEOUT, ProjectFacts};
use super::findings::Findings;
use super::listed_stacks::{Stacks, list, projects_of};
use super::metrics;
use super::metrics::Metric;
use super::pipelines::ChangedExecutions;
use super::problems::shared_environments;
use super::pushes::SuspectedPush;
use super::read_limit::ReadLimit;
use super::schedule::DAY;
use crate::clients::failing_calls::within;
use crate::clients::gitlab::Access;
use crate::common::pace::Pace;
use crate::common::stop::Stop;
use crate::feedback::review::ReviewTarget;
use crate::gitops_pipeline::child::{Child, FoundChild, UntaggedChild};
use crate::gitops_pipeline::executions::Outcome;
use crate::gitops_pipeline::health;
use crate::gitops_pipeline::names;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::pushes::BranchPush;
use cfn_custom_resource::Failure;

/// How many projects a second are looked at, with one `DescribeStacks` each, and for a stack with a
/// pipeline one `GetBranch`, one `GetPipelineState` and two `ListPipelineExecutions`. If its newest
/// execution was canceled, one `DescribeStackEvents` follows. AWS documents no rate. Of
/// `DescribeStacks` a user reports 5 a second, which cannot be increased, for all callers of the
/// account: <https://github.com/aws/aws-sam-cli/issues/2671>.
const PROJECTS_PER_SECOND: u32 = 3;

/// The longest wait for the creation of one pipeline. CloudFormation continues a longer one.
const PIPELINE_CREATION_TIMEOUT: Duration = Duration::from_secs(180);

/// The result of the check of the stacks, and the work that it leaves to do.
#[derive(Debug, Default)]
pub struct FoundStacks {
    /// The stacks of the account. `None` if they could not be listed.
    pub listed: Option<Stacks>,
    /// The stacks that own a pipeline's stack.
    pub owners: BTreeSet<String>,
    /// The stacks of pipelines' names whose owner no tags name, by their names.
    pub untagged: BTreeMap<String, UntaggedChild>,
    /// Whether every pipeline's stack was read.
    pub is_complete: bool,
    /// The first pushes that stacks wait for.
    pub missed: Vec<BranchPush>,
    /// Pushes without an execution, as far as one look shows.
    pub suspected: Vec<SuspectedPush>,
    /// The settings of the pipelines whose stacks were read, by the pipelines' names.
    pub settings: BTreeMap<String, PipelineSettings>,
    /// The pipelines whose branches are reviewed.
    pub reviewing: Vec<ReviewTarget>,
    /// The executions whose reports are repeated.
    pub changed: Vec<ChangedExecutions>,
    /// How pipelines reach GitLab.
    pub accesses: Vec<Access>,
}

/// A project after its look, without the executions, of which most are not needed any more.
struct CheckedProject {
    facts: ProjectFacts,
    findings: Findings,
    metrics: Option<Vec<(Metric, Value)>>,
    changed: Option<ChangedExecutions>,
    drift: Option<ComparedStack>,
}

impl FoundStacks {
    /// Adds a project, with the work that it leaves to do.
    fn add(&mut self, checked: CheckedProject) {
        let CheckedProject { facts, changed, .. } = checked;
        self.changed.extend(changed);
        let is_orphan = facts.is_orphan();
        if let Fact::Known(looked) = facts.looked {
            self.suspected.extend(looked.missed);
        }
        let child = match facts.child {
            Fact::Known(FoundChild::Owned(child)) => child,
            Fact::Known(FoundChild::Untagged(child)) => {
                self.untagged.insert(facts.stack_name, *child);
                return;
            }
            Fact::Absent | Fact::NotRead(_) => return,
        };
        self.accesses.extend(child.access().cloned());
        self.owners.insert(child.owner.stack_id);
        if is_orphan {
            return;
        }
        if let Some(settings) = child.settings {
            self.reviewing.extend(ReviewTarget::of(settings.clone()));
            self.settings.insert(facts.pipeline_name, settings);
        }
        self.missed.extend(child.waits_for);
    }
}

impl Checker<'_> {
    /// Looks at every project: those with a stack, and those with a pipeline of their name.
    pub async fn check_stacks(&self, limits: &TimeLimits) -> (Findings, FoundStacks) {
        let (mut findings, mut found) = (Findings::default(), FoundStacks::default());
        let (projects, stacks) = self.list_projects(&mut findings, limits).await;
        let (pace, all) = (&Pace::per_second(PROJECTS_PER_SECOND), stacks.as_ref());
        let look_up = |project_id, ()| -> Checking<'_, _> {
            Box::pin(async move {
                pace.wait().await;
                Box::pin(self.check_project(project_id, all)).await
            })
        };
        let mut items: Vec<_> = projects.iter().map(|id| (id.as_str(), ())).collect();
        self.schedule.rotate(&mut items);
        // No other check of the day compares these with their templates.
        let prefix = names::STACK.prefix(&self.environment.id);
        items.sort_by_key(|(id, ())| !self.schedule.is_due(&format!("{prefix}{id}"), DAY));
        let (mut orphans, mut outdated, mut unread) = (0_usize, 0_usize, 0);
        let left = check_each(items, limits, look_up, |_, mut checked| {
            if let Some(compared) = &checked.drift {
                self.report_drift(&mut findings, compared);
            }
            if let Some(metrics) = &checked.metrics {
                self.emit(&checked.facts.pipeline_name, metrics);
            }
            let is_orphan = checked.facts.is_orphan();
            let is_outdated = checked.facts.owned().is_some_and(Child::is_outdated);
            orphans += usize::from(is_orphan);
            outdated += usize::from(is_outdated && !is_orphan);
            unread += usize::from(matches!(checked.facts.child, Fact::NotRead(_)));
            findings.add(std::mem::take(&mut checked.findings));
            found.add(checked);
        });
        let left = left.await;
        found.is_complete = left + unread == 0;
        self.report_left("projects", left, projects.len(), &mut findings);
        for (subject, problem) in shared_environments(found.settings.values()) {
            findings.checked(subject, Some(problem));
        }
        let Some(stacks) = stacks else {
            return (findings, found);
        };
        self.delete_leftovers(&stacks.deployed, &mut findings, limits).await;
        let counts = [
            (metrics::ORPHANED_PIPELINE_STACKS, orphans.into()),
            (metrics::OUTDATED_PIPELINE_STACKS, outdated.into()),
        ];
        self.emit("", &counts);
        found.listed = Some(stacks);
        (findings, found)
    }

    /// The IDs of the projects, and the stacks of the account. A pipeline shows a project whose stack
    /// has a status that this function does not know, which the list of stacks lacks.
    pub async fn list_projects(
        &self,
        findings: &mut Findings,
        limits: &TimeLimits,
    ) -> (BTreeSet<String>, Option<Stacks>) {
        let (aws, env_id) = (&self.clients.aws, &self.environment.id);
        let mut of_pipelines = Findings::default();
        let (stacks, pipelines) = tokio::join!(
            Box::pin(listed(list(aws, env_id), findings, limits)),
            Box::pin(listed(health::list(aws, env_id), &mut of_pipelines, limits)),
        );
        findings.add(of_pipelines);
        let pipelines = pipelines.unwrap_or_default();
        (projects_of(env_id, stacks.as_ref(), &pipelines), stacks)
    }

    async fn check_project(&self, project_id: &str, stacks: Option<&Stacks>) -> CheckedProject {
        let limit = ReadLimit::after(LOOK_TIMEOUT);
        let mut facts = Box::pin(self.look_at_project(project_id, stacks, limit)).await;
        let mut findings = facts.findings(self.environment);
        if !self.may_change() {
            facts.report_push(&mut findings);
            findings.add(facts.unknown_statuses());
        }
        if let Err(error) = self.approve(&facts).await {
            let subject = format!("pipeline {}", facts.pipeline_name);
            findings.checked(subject, Some(error.reason()));
        }
        let drift = match facts.owned() {
            Some(child) => self.compare(&facts.stack_name, child).await,
            None => None,
        };
        let (metrics, changed) = (
            self.pipeline_metrics(&facts),
            self.changed_executions(&facts),
        );
        (facts.pipeline.state, facts.pipeline.executions) = (Fact::Absent, Fact::Absent);
        CheckedProject {
            facts,
            findings,
            metrics,
            changed,
            drift,
        }
    }

    /// Creates the pipelines that wait for the pushes `missed`, if their branches exist.
    pub async fn create_pipelines(
        &self,
        missed: &[BranchPush],
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        let until = limits.half_of_the_rest();
        for push in missed {
            let left = until.saturating_duration_since(Instant::now());
            let time = left.min(PIPELINE_CREATION_TIMEOUT);
            let name = push.stack_name().unwrap_or_default();
            let pipeline = push.pipeline_name().unwrap_or_default();
            let work = Box::pin(self.gitops_pipeline.start(push));
            match within(time, work).await {
                Ok(Ok(Outcome::Started)) => {
                    tracing::warn!(
                        pipeline,
                        "pipeline created: the first push of its branch was not delivered"
                    );
                    findings.created.push(pipeline);
                }
                Ok(Ok(Outcome::Frozen)) => {
                    tracing::warn!(
                        pipeline,
                        branch = push.branch,
                        "the first push is not deployed: the event rule is disabled"
                    );
                    self.emit(&pipeline, &[(metrics::MISSED_PUSHES, 1.into())]);
                }
                Ok(Err(Stop::Nothing(_))) => {}
                Ok(Err(Stop::Failed(Failure(reason)))) => {
                    findings.checked(format!("pipeline stack {name}"), Some(reason));
                }
                // The next check reads its state.
                Err(error) => {
                    tracing::warn!(pipeline_stack = name, %error, "no time to create the pipeline");
                }
            }
        }
    }
}
