//! The deployments of a project that can be started again, the obstacles of its pipeline, and the
//! state of an execution.

mod branch;
mod execution;
mod former;
mod holds;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;

pub use self::execution::place;
use self::former::MAX_DEPLOYMENTS;
use self::shown::ShownPipeline;
use super::reads::Reads;
use super::shape::{Asked, Deployments, Latest, ShownHold};
use crate::clients::codecommit;
use crate::clients::codecommit::CommitText;
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::executions::actions::deploy_attempts;
use crate::gitops_pipeline::executions::{declared, find};
use crate::gitops_pipeline::holds::{RuleState, rule_state};
use crate::gitops_pipeline::names::{EventRule, ResourceNames};
use crate::health_check::checker::Checker;
use crate::health_check::findings::unknown_value;
use crate::health_check::read_limit::ReadLimit;
use cfn_custom_resource::Reason;

/// How long the reads of the pipeline may take, and then those of the commits.
const PIPELINE_TIME: Duration = Duration::from_secs(20);
const COMMITS_TIME: Duration = Duration::from_secs(5);

/// The project, and an execution of its pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedDeployments {
    pub names: ResourceNames,
    /// The answer is about this execution alone. `None` for the latest deployments.
    pub execution_id: Option<String>,
}

impl Checker<'_> {
    /// The latest deployments of a project, or the state of one execution.
    pub(super) async fn deployments(
        &self,
        asked: &AskedDeployments,
        time: Duration,
    ) -> Deployments {
        let (names, mut reads) = (&asked.names, Reads::until(ReadLimit::after(time)));
        let (asked, holds) = if let Some(id) = &asked.execution_id {
            let read = Box::pin(self.state_of_execution(names, id, &mut reads)).await;
            let (execution, holds) = read;
            let execution = Box::new(execution);
            (Asked::Execution { execution }, holds)
        } else {
            let (latest, holds) = Box::pin(self.former_deployments(names, &mut reads)).await;
            (Asked::Latest(Box::new(latest)), holds)
        };
        Deployments {
            project_id: names.project_id.clone(),
            pipeline: names.pipeline(),
            asked,
            holds,
            not_read: reads.not_read(),
        }
    }

    async fn former_deployments(
        &self,
        names: &ResourceNames,
        reads: &mut Reads,
    ) -> (Latest, Vec<ShownHold>) {
        let end = reads.limit;
        reads.limit = end.at_most(PIPELINE_TIME);
        let Some(shown) = self.read_pipeline(names, reads).await else {
            let latest = Latest {
                obstacle: Some(former::absent(names)),
                ..Latest::default()
            };
            return (latest, vec![]);
        };
        let deployments = former::deployments(&shown);
        let commits: BTreeSet<&str> = deployments.iter().filter_map(|one| one.commit()).collect();
        reads.limit = end.at_most(COMMITS_TIME);
        let texts = self.read_commits(&shown, &commits, reads).await;
        // GitLab comes last: one that does not respond delays nothing else.
        let contained = self.look_in_branch(&shown, &commits, end).await;
        let rows = deployments.iter().map(|one| {
            let commit = one.commit().unwrap_or_default();
            let in_branch = contained.get(commit).cloned();
            one.shown(&shown, &deployments[0], texts.get(commit), in_branch)
        });
        let latest = Latest {
            deployments: rows.collect(),
            ..former::about(&shown)
        };
        (latest, holds::of_new_execution(&shown))
    }

    /// `None` if the pipeline does not exist.
    async fn read_pipeline<'a>(
        &self,
        names: &'a ResourceNames,
        reads: &mut Reads,
    ) -> Option<ShownPipeline<'a>> {
        let (aws, pipeline, limit) = (&self.clients.aws, &names.pipeline(), reads.limit);
        let of = |what: &str| format!("{what} of pipeline {pipeline}");
        let settings = self.gitops_pipeline.read_settings(names);
        let (settings, declared) = tokio::join!(
            limit.read(format!("stack {}", names.stack()), settings),
            limit.read(of("the stages"), declared::read(aws, pipeline)),
        );
        let settings = reads.note(settings).flatten();
        let declared = match reads.note(declared) {
            Some(None) => return None,
            declared => declared.flatten(),
        };
        let attempts = deploy_attempts(aws, pipeline, MAX_DEPLOYMENTS);
        let (attempts, state, rules) = tokio::join!(
            limit.read(of("the actions"), attempts),
            limit.read(of("the state"), executions::state(aws, pipeline)),
            self.read_rules(names, limit),
        );
        let attempts = reads.note(attempts);
        let needed = attempts.as_deref().map(former::needed).unwrap_or_default();
        let has_all = |listed: &[_]| needed.iter().all(|id| find(listed, id).is_some());
        let listing = executions::list_until(aws, pipeline, has_all);
        let listed = limit.read(of("the executions"), listing).await;
        let rules = rules.into_iter().map(|(rule, state)| (rule, reads.note(state)));
        Some(ShownPipeline {
            names,
            settings,
            declared,
            rules: rules.collect(),
            state: reads.note(state).flatten(),
            listed: reads.note(listed).flatten(),
            attempts,
        })
    }

    async fn read_rules(
        &self,
        names: &ResourceNames,
        limit: ReadLimit,
    ) -> Vec<(EventRule, Result<RuleState, Reason>)> {
        let reads = EventRule::ALL.map(|rule| async move {
            let thing = format!("event rule {}", rule.name(names));
            let read = limit.read(thing, rule_state(&self.clients.aws, names, rule)).await;
            let known = read.and_then(|state| match &state {
                RuleState::Unknown(text) => {
                    let part = format!("the state of event rule {}", rule.name(names));
                    Err(unknown_value(&part, text))
                }
                RuleState::Enabled | RuleState::Disabled | RuleState::Missing => Ok(state),
            });
            (rule, known)
        });
        join_all(reads).await
    }

    /// The messages and authors of commits. They are not needed to deploy one again.
    async fn read_commits<'a>(
        &self,
        shown: &ShownPipeline<'_>,
        commits: &BTreeSet<&'a str>,
        reads: &mut Reads,
    ) -> BTreeMap<&'a str, CommitText> {
        let Some(repository) = shown.own_repository() else {
            if shown.has_other_repository() && !commits.is_empty() {
                let problem = "authors are not read: the repository is in another account";
                let reason = Reason::uncoded(problem, "See them in GitLab");
                reads.note::<()>(Err(reason));
            }
            return BTreeMap::new();
        };
        let (client, limit) = (&self.clients.aws.codecommit, reads.limit);
        let looks = commits.iter().map(|id| async move {
            let thing = format!("commit {id} of repository {repository}");
            let read = limit.read(thing, codecommit::commit(client, repository, id)).await;
            (*id, read)
        });
        let (mut texts, mut failed) = (BTreeMap::new(), None);
        for (id, read) in join_all(looks).await {
            match read {
                Ok(found) => texts.extend(found.map(|text| (id, text))),
                Err(reason) => failed = failed.or(Some(reason)),
            }
        }
        // One reason is enough: they are as a rule the same.
        reads.note(failed.map_or(Ok(()), Err));
        texts
    }
}
