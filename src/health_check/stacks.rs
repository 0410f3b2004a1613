//! The stacks of the account: the environment's pipelines among them, and whether their owners
//! still exist.
//!
//! A pipeline's stack may belong to any stack of the account, and `cloudformation:DescribeStacks`
//! on all of them would show their parameters and outputs. `ListStacks` returns names, IDs and
//! statuses only, and a stack that it does not return does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::checker::{Checker, listed};
use super::concurrent::{Checking, TimeLimits, check_each};
use super::doctor::{
    orphan_problem, outdated_problem, part_problem, shared_environments, stack_problem,
};
use super::drift::ComparedStack;
use super::findings::{Findings, unknown_value};
use super::metrics;
use super::pushes::{LookedAt, SuspectedPush};
use super::schedule::DAY;
use crate::clients::aws::{Aws, CallError, required};
use crate::clients::cloudformation::{StackStatus, is_deleted, stack_resource};
use crate::clients::failing_calls::within;
use crate::clients::gitlab::Access;
use crate::common::ownership::Owner;
use crate::common::pace::Pace;
use crate::common::stop::Stop;
use crate::feedback::review::ReviewTarget;
use crate::gitops_pipeline::child::{Child, FoundChild};
use crate::gitops_pipeline::holds::{DeclaredRule, Hold, RuleState};
use crate::gitops_pipeline::names;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::pushes::{BranchPush, Started};
use cfn_custom_resource::Failure;

/// How many stacks a second are looked up, with one `DescribeStacks` each, and for a stack with a
/// pipeline one `GetBranch` and one `ListPipelineExecutions`. If its newest execution was canceled,
/// one `DescribeStackEvents` follows. AWS documents no rate. A user reports
/// 5 a second, which cannot be increased, for all callers of the account:
/// <https://github.com/aws/aws-sam-cli/issues/2671>.
const STACKS_PER_SECOND: u32 = 3;

/// The longest wait for the creation of one pipeline. CloudFormation continues a longer one.
const PIPELINE_CREATION_TIMEOUT: Duration = Duration::from_secs(180);

/// A stack as CloudFormation listed it.
#[derive(Clone, Debug)]
pub struct ListedStack {
    pub name: String,
    pub id: String,
    pub status: StackStatus,
}

/// The stacks that exist, as CloudFormation listed them.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    /// By their names.
    all: BTreeMap<String, ListedStack>,
    /// The IDs of nested stacks with that of the stack at the top.
    roots: BTreeMap<String, String>,
    /// The names of the pipelines' stacks, with their IDs.
    pub pipelines: BTreeMap<String, String>,
    /// The names of the stacks that pipelines deploy.
    pub deployed: BTreeSet<String>,
}

/// The result of the check of the stacks, and the work that it leaves to do.
#[derive(Debug, Default)]
pub struct FoundStacks {
    /// The stacks of the account. `None` if they could not be listed.
    pub listed: Option<Stacks>,
    /// The stacks that own a pipeline's stack.
    pub owners: BTreeSet<String>,
    /// The stacks of pipelines' names whose owner no tags name.
    pub untagged: BTreeSet<String>,
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
    /// How pipelines reach GitLab.
    pub accesses: Vec<Access>,
}

enum Read<'a> {
    /// It was deleted meanwhile, or is not a pipeline's.
    Nothing,
    /// No tags name its owner.
    Untagged,
    Stack(Box<ReadStack<'a>>),
}

struct ReadStack<'a> {
    id: &'a str,
    child: Child,
    /// Whether its owner exists.
    is_owned: bool,
    /// Why that is not known.
    unread: Option<CallError>,
    rules: Result<Vec<DeclaredRule>, CallError>,
    looked: Result<LookedAt, CallError>,
    drift: Option<ComparedStack>,
}

impl Stacks {
    pub fn contains(&self, id: &str) -> bool {
        self.with_id(id).is_some()
    }

    /// The ID of the stack that contains the nested stack `id`, or `id` itself.
    pub fn root<'a>(&'a self, id: &'a String) -> &'a String {
        self.roots.get(id).unwrap_or(id)
    }

    /// The stacks whose names begin with `prefix`, without nested ones.
    pub fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = &ListedStack> {
        let all = self.all.values().filter(move |stack| stack.name.starts_with(prefix));
        all.filter(|stack| !self.roots.contains_key(&stack.id))
    }

    pub fn named(&self, name: &str) -> Option<&ListedStack> {
        self.all.get(name)
    }

    pub fn with_id(&self, id: &str) -> Option<&ListedStack> {
        self.all.values().find(|listed| listed.id == id)
    }

    /// Whether the latest operation of the stack `id` has ended, and left no older resource.
    fn is_complete(&self, id: &str) -> bool {
        let listed = self.with_id(id);
        listed.is_some_and(|listed| listed.status.is_complete())
    }

    /// The ID of the stack `name`, if no operation on it runs, and the last one was not to delete
    /// the stack or its resources.
    pub fn settled(&self, name: &str) -> Option<&String> {
        let ListedStack { id, status, .. } = self.all.get(name)?;
        let is_kept = !status.is_deletion() && *status != StackStatus::RollbackFailed;
        (is_kept && status.is_settled()).then_some(id)
    }
}

/// Lists the stacks, of which those of the environment `env_id`'s pipelines by name.
pub async fn list(aws: &Aws, env_id: &str) -> Result<Stacks, CallError> {
    let prefix = names::STACK.prefix(env_id);
    let deployed_prefix = names::DEPLOYED_STACK.prefix(env_id);
    let existing = StackStatus::all_that(|status| *status != StackStatus::DeleteComplete);
    let call = aws.cloudformation.list_stacks().set_stack_status_filter(Some(existing));
    let mut pages = call.into_paginator().items().send();
    let mut stacks = Stacks::default();
    while let Some(stack) = pages.next().await {
        let stack = required(stack, || "listing the stacks".to_owned())?;
        let (Some(name), Some(id)) = (stack.stack_name, stack.stack_id) else {
            continue;
        };
        if name.starts_with(&prefix) {
            stacks.pipelines.insert(name.clone(), id.clone());
        }
        if name.starts_with(&deployed_prefix) {
            stacks.deployed.insert(name.clone());
        }
        if let Some(root) = stack.root_id.or(stack.parent_id) {
            stacks.roots.insert(id.clone(), root);
        }
        let status = StackStatus::parse(stack.stack_status);
        let listed = ListedStack {
            name: name.clone(),
            id,
            status,
        };
        stacks.all.insert(name, listed);
    }
    Ok(stacks)
}

/// How many pipelines' stacks have lost their owner, were rendered by an older function, or could
/// not be read.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    orphans: usize,
    outdated: usize,
    unread: usize,
}

impl FoundStacks {
    /// Adds the stack `name` with its findings, and the work that it leaves to do.
    fn add(&mut self, name: &str, read: ReadStack<'_>, findings: &mut Findings) {
        let ReadStack {
            id,
            child,
            is_owned,
            unread,
            rules,
            looked,
            ..
        } = read;
        if let Some(error) = unread {
            findings.failed(error);
        }
        let subject = format!("pipeline stack {name}");
        let mut is_whole = true;
        match looked {
            Ok(looked) => {
                is_whole = looked.missing.is_empty();
                self.suspected.extend(looked.missed);
                if let Some(branch) = looked.unread_branch {
                    let because = "only the health check reads a repository of another account";
                    findings.not_looked_at(branch, because.to_owned());
                }
                if let Some(settings) = &child.settings {
                    for part in looked.missing {
                        findings.missing(
                            subject.clone(),
                            part_problem(part, &child, settings, id, is_owned),
                        );
                    }
                }
            }
            Err(error) => findings.failed(error),
        }
        match (rules, &child.settings) {
            (Ok(rules), Some(settings)) => report_rules(rules, &settings.names, findings),
            (Ok(_), None) => {}
            (Err(error), _) => findings.failed(error),
        }
        self.accesses.extend(child.access().cloned());
        self.owners.insert(child.owner.stack_id.clone());
        if !is_owned {
            return findings.checked(subject, Some(orphan_problem(&child)));
        }
        let problem = stack_problem(&child.status, id);
        let problem = problem.or_else(|| outdated_problem(&child));
        if problem.is_some() || is_whole {
            findings.checked(subject, problem);
        }
        if let Some(settings) = child.settings {
            let pipeline = settings.names.pipeline();
            self.reviewing.extend(ReviewTarget::of(settings.clone()));
            self.settings.insert(pipeline, settings);
        }
        self.missed.extend(child.waits_for);
    }
}

/// Reports the event rules that a person has disabled, and those whose state is unknown.
fn report_rules(rules: Vec<DeclaredRule>, names: &ResourceNames, findings: &mut Findings) {
    for DeclaredRule { rule, state } in rules {
        match state {
            RuleState::Disabled => {
                let subject = format!("pipeline {}", names.pipeline());
                findings.held(subject, Hold::Rule(rule, names.clone()));
            }
            RuleState::Unknown(state) => {
                findings.failed(unknown_value(
                    &format!("the state of event rule {}", rule.name(names)),
                    &state,
                ));
            }
            RuleState::Enabled | RuleState::Missing => {}
        }
    }
}

impl Checker<'_> {
    /// Reports pipelines' stacks without an owner, and stacks that differ from their templates.
    pub async fn check_stacks(&self, limits: &TimeLimits) -> (Findings, FoundStacks) {
        let (mut findings, mut found) = (Findings::default(), FoundStacks::default());
        let listing = list(&self.clients.aws, &self.environment.id);
        let Some(stacks) = listed(listing, &mut findings, limits).await else {
            return (findings, found);
        };
        let (pace, all) = (&Pace::per_second(STACKS_PER_SECOND), &stacks);
        let look_up = |name, id| -> Checking<'_, _> {
            Box::pin(async move {
                pace.wait().await;
                Box::pin(self.check_stack(name, id, all)).await
            })
        };
        let pipelines = stacks.pipelines.iter();
        let mut items: Vec<_> = pipelines.map(|(name, id)| (name.as_str(), id.as_str())).collect();
        self.schedule.rotate(&mut items);
        // No other check of the day compares these with their templates.
        items.sort_by_key(|(name, _)| !self.schedule.is_due(name, DAY));
        let (mut counts, number) = (Counts::default(), items.len());
        let left = check_each(items, limits, look_up, |name, read| match read {
            Ok(Read::Stack(read)) => {
                if let Some(compared) = &read.drift {
                    self.report_drift(&mut findings, compared);
                }
                let is_outdated = read.is_owned && read.child.is_outdated();
                counts.orphans += usize::from(!read.is_owned);
                counts.outdated += usize::from(is_outdated);
                found.add(name, *read, &mut findings);
            }
            Ok(Read::Untagged) => drop(found.untagged.insert(name.to_owned())),
            Ok(Read::Nothing) => {}
            Err(error) => {
                counts.unread += 1;
                findings.failed(error);
            }
        });
        let left = left.await;
        found.is_complete = left + counts.unread == 0;
        self.report_left("pipeline stacks", left, number, &mut findings);
        for (subject, problem) in shared_environments(found.settings.values()) {
            findings.checked(subject, Some(problem));
        }
        self.delete_leftovers(&stacks.deployed, &mut findings, limits).await;
        let counts = [
            (metrics::ORPHANED_PIPELINE_STACKS, counts.orphans.into()),
            (metrics::OUTDATED_PIPELINE_STACKS, counts.outdated.into()),
        ];
        self.emit("", &counts);
        found.listed = Some(stacks);
        (findings, found)
    }

    async fn check_stack<'a>(
        &self,
        name: &str,
        id: &'a str,
        stacks: &Stacks,
    ) -> Result<Read<'a>, CallError> {
        let child = match self.gitops_pipeline.find_child(name).await? {
            FoundChild::Owned(child) => *child,
            FoundChild::Untagged(_) => return Ok(Read::Untagged),
            FoundChild::Absent => return Ok(Read::Nothing),
        };
        let is_owned = self.has_owner(name, &child.owner, stacks).await;
        let (is_owned, unread) = is_owned.map_or_else(|error| (true, Some(error)), |it| (it, None));
        let rules = self.look_at_rules(&child).await;
        let found = rules.as_deref().unwrap_or_default();
        let looked = Box::pin(self.look_at_pipeline(name, &child, found)).await;
        let drift = self.compare(name, &child).await;
        Ok(Read::Stack(Box::new(ReadStack {
            id,
            child,
            is_owned,
            unread,
            rules,
            looked,
            drift,
        })))
    }

    /// Whether the owner of the stack `name` exists. The list of stacks may be minutes old, and
    /// lacks each status that this function does not know. An owner in another account may exist:
    /// who may create stacks may choose the tag.
    ///
    /// # Errors
    /// If it cannot be looked up in this account.
    pub async fn has_owner(
        &self,
        name: &str,
        owner: &Owner,
        stacks: &Stacks,
    ) -> Result<bool, CallError> {
        let id = &owner.stack_id;
        let is_listed = stacks.contains(id);
        // Once a day, because it takes a call for each stack.
        if is_listed && !(stacks.is_complete(id) && self.schedule.is_due(name, DAY)) {
            return Ok(true);
        }
        // `DescribeStackResource` still shows the resources of a stack that was deleted by force.
        if !is_listed && is_deleted(&self.clients.aws, id).await.unwrap_or(false) {
            return Ok(false);
        }
        // An update that replaces the resource may have begun since the list.
        let is_changing = async {
            let now = list(&self.clients.aws, &self.environment.id).await;
            !now.is_ok_and(|now| now.is_complete(id))
        };
        let place = id.split(":stack/").next().unwrap_or_default();
        let is_here = stacks.named(name).is_none_or(|child| child.id.starts_with(place));
        let is_owned = || Box::pin(self.may_own(name, owner, is_listed, is_here));
        // One answer that the resource does not exist may be wrong.
        Ok(is_owned().await? || (is_listed && is_changing.await) || is_owned().await?)
    }

    /// Whether `owner` may own the stack `name`, as one look shows it.
    async fn may_own(
        &self,
        name: &str,
        owner: &Owner,
        is_listed: bool,
        is_here: bool,
    ) -> Result<bool, CallError> {
        let shown = match stack_resource(&self.clients.aws, owner).await {
            Err(error) if !is_here => {
                warn!(error.reason(), "an owner was not looked up");
                return Ok(true);
            }
            shown => shown?.filter(|shown| !shown.is_gone()),
        };
        Ok(shown.is_some_and(|shown| !is_listed || shown.may_be(name)))
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
            let work = Box::pin(self.gitops_pipeline.start(push));
            match within(time, work).await {
                Ok(Ok(Started::Pipeline { name })) => {
                    tracing::warn!(
                        pipeline = name,
                        "pipeline created: the first push of its branch was not delivered"
                    );
                    findings.created.push(name);
                }
                Ok(Ok(Started::Held { name })) => {
                    tracing::warn!(
                        pipeline = name,
                        branch = push.branch,
                        "the first push is not deployed: the event rule is disabled"
                    );
                    self.emit(&name, &[(metrics::MISSED_PUSHES, 1.into())]);
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
