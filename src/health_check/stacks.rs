//! The projects of the environment: a look at each, and the first pushes that were not delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::checker::{Checker, listed};
use super::concurrent::{Checking, TimeLimits, check_each};
use super::facts::{Fact, LOOK_TIMEOUT, ProjectFacts};
use super::findings::Findings;
use super::listed_stacks::{ListedStack, Stacks, list, projects_of};
use super::metrics;
use super::pipelines::ChangedExecutions;
use super::problems::{owner_problem, shared_environments};
use super::pushes::SuspectedPush;
use super::read_limit::ReadLimit;
use super::schedule::DAY;
use crate::clients::failing_calls::within;
use crate::common::pace::Pace;
use crate::common::stop::Stop;
use crate::gitops_pipeline::child::{Child, FoundChild, UntaggedChild};
use crate::gitops_pipeline::executions::Outcome;
use crate::gitops_pipeline::health;
use crate::gitops_pipeline::names;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use cfn_custom_resource::{Failure, Reason};

/// How many projects a second are looked at, with one `DescribeStacks` each, and for a stack with a
/// pipeline one `GetBranch`, one `GetPipelineState` and two `ListPipelineExecutions`. If its newest
/// execution was canceled, one `DescribeStackEvents` follows. AWS documents no rate. Of
/// `DescribeStacks` a user reports 5 a second, which cannot be increased, for all callers of the
/// account: <https://github.com/aws/aws-sam-cli/issues/2671>.
const PROJECTS_PER_SECOND: u32 = 3;

/// The longest wait for the creation of one pipeline. CloudFormation continues a longer one.
const PIPELINE_CREATION_TIMEOUT: Duration = Duration::from_secs(180);

/// The stacks of the account, and the projects that were looked at.
#[derive(Debug, Default)]
pub struct FoundStacks {
    /// `None` if they could not be listed.
    pub listed: Option<Stacks>,
    /// Without their executions.
    pub projects: Vec<ProjectFacts>,
    /// How many more there was no time to look at.
    pub left: usize,
    /// The executions whose reports are repeated.
    pub changed: Vec<ChangedExecutions>,
}

impl FoundStacks {
    /// Whether every pipeline's stack was read.
    pub fn is_complete(&self) -> bool {
        let is_read = |facts: &ProjectFacts| !matches!(facts.child, Fact::NotRead(_));
        self.left == 0 && self.projects.iter().all(is_read)
    }

    /// The pipelines' stacks whose tags name an owner.
    pub fn owned(&self) -> impl Iterator<Item = &Child> {
        self.projects.iter().filter_map(ProjectFacts::owned)
    }

    /// Those whose owner may exist.
    pub fn with_owner(&self) -> impl Iterator<Item = &Child> {
        let projects = self.projects.iter().filter(|facts| !facts.is_orphan());
        projects.filter_map(ProjectFacts::owned)
    }

    /// The stacks of pipelines' names whose owner no tags name, with their names.
    pub fn untagged(&self) -> impl Iterator<Item = (&String, &UntaggedChild)> {
        self.projects.iter().filter_map(|facts| match facts.child.known()? {
            FoundChild::Untagged(child) => Some((&facts.stack_name, &**child)),
            FoundChild::Owned(_) => None,
        })
    }

    /// Pushes without an execution, as far as one look shows.
    pub fn suspected(&self) -> impl Iterator<Item = &SuspectedPush> {
        let looked = self.projects.iter().filter_map(|facts| facts.looked.known());
        looked.filter_map(|looked| looked.missed.as_ref())
    }

    /// The settings of the pipelines with an owner, by the pipelines' names.
    pub fn settings(&self) -> BTreeMap<String, &PipelineSettings> {
        let settings = self.with_owner().filter_map(|child| child.settings.as_ref());
        settings.map(|it| (it.names.pipeline(), it)).collect()
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
        let left = check_each(items, limits, look_up, |_, (facts, of_project, changed)| {
            findings.add(of_project);
            found.projects.push(facts);
            found.changed.extend(changed);
        });
        found.left = left.await;
        self.report_left("projects", found.left, projects.len(), &mut findings);
        for (subject, problem) in shared_environments(found.settings().into_values()) {
            findings.checked(subject, Some(problem));
        }
        let Some(stacks) = stacks else {
            return (findings, found);
        };
        self.delete_leftovers(&stacks.deployed, &mut findings, limits).await;
        let orphans = found.projects.iter().filter(|facts| facts.is_orphan()).count();
        let outdated = found.with_owner().filter(|child| child.is_outdated()).count();
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

    /// The stack of the environment, with its problem. `None` if it is not known, or not listed.
    pub fn own_stack<'s>(&self, stacks: &'s Stacks) -> Option<(&'s ListedStack, Option<Reason>)> {
        let own = stacks.with_id(self.environment.stack_id.as_ref()?)?;
        let problem = owner_problem(&own.status, &self.environment.id, "");
        Some((own, problem))
    }

    /// Looks at a project. Returns its findings, and the executions whose reports are repeated.
    async fn check_project(
        &self,
        project_id: &str,
        stacks: Option<&Stacks>,
    ) -> (ProjectFacts, Findings, Option<ChangedExecutions>) {
        let limit = ReadLimit::after(LOOK_TIMEOUT);
        let facts = Box::pin(self.look_at_project(project_id, stacks, limit)).await;
        let mut of_facts = facts.findings(self.environment);
        if !self.may_change() {
            facts.report_push(&mut of_facts);
            of_facts.add(facts.unknown_statuses());
        }
        if let Err(error) = self.approve(&facts).await {
            let subject = format!("pipeline {}", facts.pipeline_name);
            of_facts.checked(subject, Some(error.reason()));
        }
        let mut findings = match facts.owned() {
            Some(child) => self.compare(&facts.stack_name, child).await,
            None => Findings::default(),
        };
        findings.add(of_facts);
        self.emit_pipeline(&facts);
        let changed = self.changed_executions(&facts);
        (facts.without_executions(), findings, changed)
    }

    /// Creates the pipelines that wait for a first push, if their branches exist.
    pub async fn create_pipelines(
        &self,
        stacks: &FoundStacks,
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        let until = limits.half_of_the_rest();
        for push in stacks.with_owner().filter_map(|child| child.waits_for.as_ref()) {
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
