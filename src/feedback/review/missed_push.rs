//! Finds the heads of review branches that have no build: CodeCommit delivers its events by best
//! effort.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/ref/event-delivery-level.html>

use super::build;
use super::build::Head;
use super::target::ReviewTarget;
use crate::clients::aws::{Aws, CallError};
use crate::clients::codecommit;
use crate::common::iam_wildcard::NamePattern;
use crate::common::pace::Pace;
use crate::gitops_pipeline::executions::Outcome;
use crate::gitops_pipeline::holds;
use crate::gitops_pipeline::names::EventRule;

/// The most branches of a repository that one look compares. The next looks begin behind them.
const MAX_BRANCHES: usize = 100;

/// The most builds of a project that one check starts. The next checks start the rest.
const MAX_STARTS: usize = 10;

/// The heads without a build of a part of the branches, which `turn` selects: it is one more at
/// each look. `pace` limits the branches that are read.
pub async fn find(
    aws: &Aws,
    target: &ReviewTarget,
    turn: u64,
    pace: &Pace,
) -> Result<Vec<Head>, CallError> {
    let pattern = NamePattern::new(&target.review.branches);
    let repository_name = &target.pipeline.repository.name;
    let mut branches = codecommit::branches(&aws.codecommit, repository_name).await?;
    branches.retain(|branch| pattern.matches(branch));
    branches.sort();
    let parts = branches.len().div_ceil(MAX_BRANCHES).max(1);
    let part = usize::try_from(turn).unwrap_or_default() % parts;
    let branches = branches.into_iter().skip(part * MAX_BRANCHES);
    let mut heads = vec![];
    for branch in branches.take(MAX_BRANCHES) {
        pace.wait().await;
        heads.extend(head(aws, target, branch).await?);
    }
    let mut missed = build::without_build(aws, &target.pipeline.names, heads).await?;
    missed.truncate(MAX_STARTS);
    Ok(missed)
}

/// Starts the build of each of `missed` that still is its branch's head and has no build. Returns
/// the result of each, with the error if CodeBuild did not start it.
pub async fn start(
    aws: &Aws,
    target: &ReviewTarget,
    missed: Vec<Head>,
) -> Result<Vec<(Head, Result<Outcome, CallError>)>, CallError> {
    let mut heads = vec![];
    for seen in missed {
        let now = head(aws, target, seen.branch.clone()).await?;
        heads.extend(now.filter(|now| *now == seen));
    }
    let heads = build::without_build(aws, &target.pipeline.names, heads).await?;
    if !heads.is_empty() && holds::is_held(aws, &target.pipeline.names, EventRule::Review).await? {
        let frozen = heads.into_iter().map(|head| (head, Ok(Outcome::Frozen)));
        return Ok(frozen.collect());
    }
    let mut outcomes = vec![];
    for head in heads {
        let started = build::start(aws, &target.pipeline.names, &head).await;
        outcomes.push((head, started.map(|()| Outcome::Started)));
    }
    Ok(outcomes)
}

/// Whether `error` is that another build runs: the project's `ConcurrentBuildLimit` is 1. The next
/// checks start the rest.
pub fn is_limit(error: &CallError) -> bool {
    error.has_code(&["AccountLimitExceededException"])
}

async fn head(aws: &Aws, target: &ReviewTarget, branch: String) -> Result<Option<Head>, CallError> {
    let tip = codecommit::tip(&aws.codecommit, &target.pipeline.repository.name, &branch).await?;
    Ok(tip.commit().map(|commit| Head { branch, commit }))
}
