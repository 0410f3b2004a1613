//! The builds of review branches, as CodeBuild describes them.

use std::collections::BTreeSet;
use std::time::SystemTime;

use aws_sdk_codebuild::types::{Build, StatusType};

use crate::clients::aws::{Aws, CallError, optional, required};
use crate::clients::codecommit;
use crate::common::ownership;
use crate::feedback::failures::build::{BuildEnd, FailedBuild};
use crate::gitops_pipeline::names::ResourceNames;

/// The most pages of a project's builds to read, of 100 builds each. `BatchGetBuilds` takes 100:
/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_BatchGetBuilds.html>.
const MAX_PAGES: u32 = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewBuild {
    /// Its ID: `<project>:<UUID>`.
    pub id: String,
    pub state: BuildState,
    pub branch: String,
    pub commit: String,
    /// Where it stored its output. `None` if it stored nothing.
    pub output: Option<OutputLocation>,
    /// When it ended. `None` if it runs.
    pub ended: Option<SystemTime>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildState {
    Running,
    Succeeded,
    Failed(Box<FailedBuild>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLocation {
    pub bucket: String,
    /// The prefix, with a slash at its end.
    pub prefix: String,
}

/// The latest commit of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub branch: String,
    pub commit: String,
}

impl Head {
    fn is_of(&self, build: &ReviewBuild) -> bool {
        self.branch == build.branch && self.commit == build.commit
    }
}

impl ReviewBuild {
    /// The random part of its ID.
    pub fn uuid(&self) -> &str {
        self.id.split_once(':').map_or("", |(_, uuid)| uuid)
    }

    fn read(build: &Build) -> Option<Self> {
        let state = match build.build_status()? {
            StatusType::Succeeded => BuildState::Succeeded,
            // A status of a later version of CodeBuild may be an end or not.
            status => BuildEnd::of(status).map_or(BuildState::Running, |end| {
                BuildState::Failed(Box::new(FailedBuild::of(build, end)))
            }),
        };
        let (branch, commit) = parse_source_version(build.source_version()?)?;
        let location = build.artifacts().and_then(|artifacts| artifacts.location());
        let ended = build.end_time();
        Some(ReviewBuild {
            id: build.id()?.to_owned(),
            state,
            branch,
            commit,
            output: location.and_then(OutputLocation::parse),
            ended: ended.and_then(|time| SystemTime::try_from(*time).ok()),
        })
    }
}

impl OutputLocation {
    /// Parses the ARN of the artifact.
    fn parse(location: &str) -> Option<Self> {
        let (_, path) = location.split_once(":s3:::")?;
        let (bucket, prefix) = path.split_once('/')?;
        Some(OutputLocation {
            bucket: bucket.to_owned(),
            prefix: format!("{}/", prefix.trim_end_matches('/')),
        })
    }
}

/// The branch and the commit of `refs/heads/<branch>^{<commit>}`, with which the event rule starts
/// a build. `None` for a build that a person started otherwise.
fn parse_source_version(version: &str) -> Option<(String, String)> {
    let (branch, commit) = version.strip_prefix("refs/heads/")?.split_once("^{")?;
    Some((branch.to_owned(), commit.strip_suffix('}')?.to_owned()))
}

/// Reads the build `id`. `None` if it does not exist, or if the event rule did not start it.
pub async fn read(aws: &Aws, id: &str) -> Result<Option<ReviewBuild>, CallError> {
    let builds = read_all(aws, vec![id.to_owned()]).await?;
    Ok(builds.into_iter().next())
}

/// The latest build of each branch's latest commit, of those that ended after `since`. The build of
/// an earlier commit may end later, so the latest build of a branch may not be of its latest
/// commit.
pub async fn of_heads(
    aws: &Aws,
    names: &ResourceNames,
    repository_name: &str,
    since: SystemTime,
) -> Result<Vec<ReviewBuild>, CallError> {
    let builds = ended_since(aws, names, since).await?;
    let branches: BTreeSet<&String> = builds.iter().map(|build| &build.branch).collect();
    let mut of_heads = vec![];
    for branch in branches {
        let tip = codecommit::tip(&aws.codecommit, repository_name, branch).await?;
        let head = tip.commit();
        let mut of_branch = builds.iter().filter(|build| build.branch == *branch);
        let of_head = of_branch.find(|build| Some(&build.commit) == head.as_ref());
        of_heads.extend(of_head.cloned());
    }
    Ok(of_heads)
}

/// The builds that ended after `since`, the latest first.
async fn ended_since(
    aws: &Aws,
    names: &ResourceNames,
    since: SystemTime,
) -> Result<Vec<ReviewBuild>, CallError> {
    let mut builds = vec![];
    read_pages(aws, names, |page| {
        let is_older = |build: &ReviewBuild| build.ended.is_some_and(|ended| ended <= since);
        // Builds are listed by their starts, and a build may run for hours.
        let is_end = !page.is_empty() && page.iter().all(is_older);
        builds.extend(page);
        is_end
    })
    .await?;
    builds.retain(|build| build.ended.is_some_and(|ended| ended > since));
    builds.sort_by_key(|build| std::cmp::Reverse(build.ended));
    Ok(builds)
}

/// Those of `heads` that no build has, in any state. Empty if the project has too many builds
/// to read all.
pub async fn without_build(
    aws: &Aws,
    names: &ResourceNames,
    mut heads: Vec<Head>,
) -> Result<Vec<Head>, CallError> {
    let is_complete = read_pages(aws, names, |page| {
        heads.retain(|head| !page.iter().any(|build| head.is_of(build)));
        heads.is_empty()
    })
    .await?;
    if is_complete {
        return Ok(heads);
    }
    let project = names.review_project();
    tracing::warn!(
        project,
        "no build is started: the project has too many builds to read all"
    );
    Ok(vec![])
}

/// Starts the build of `head` as the event rule does. The same start within five minutes is the
/// same build:
/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html>.
pub async fn start(aws: &Aws, names: &ResourceNames, head: &Head) -> Result<(), CallError> {
    let project = names.review_project();
    let Head { branch, commit } = head;
    let source_version = format!("refs/heads/{branch}^{{{commit}}}");
    let token = ownership::key(&format!("{project} {source_version}"));
    let call = aws.codebuild.start_build().project_name(&project);
    let call = call.source_version(source_version).idempotency_token(token);
    let doing = || format!("starting the build of branch {branch}");
    required(call.send().await, doing).map(drop)
}

/// Reads the pages of a project's builds, the newest first, until `is_enough`. No page if the
/// project does not exist. Returns `false` if it has too many builds to read all.
async fn read_pages(
    aws: &Aws,
    names: &ResourceNames,
    mut is_enough: impl FnMut(Vec<ReviewBuild>) -> bool,
) -> Result<bool, CallError> {
    let project = names.review_project();
    let call = aws.codebuild.list_builds_for_project();
    let pages = call.project_name(&project).into_paginator();
    // A list without an end has too many builds, and is not one that was read.
    let (mut pages, mut read) = (pages.stop_on_duplicate_token(false).send(), 0);
    while let Some(page) = pages.next().await {
        let doing = || format!("listing the builds of project {project}");
        let page = optional(page, &["ResourceNotFoundException"], doing)?;
        let Some(page) = page else { break };
        // `BatchGetBuilds` promises no order.
        let builds = match page.ids.filter(|ids| !ids.is_empty()) {
            Some(ids) => read_all(aws, ids).await?,
            None => vec![],
        };
        read += 1;
        if is_enough(builds) {
            break;
        }
        if read == MAX_PAGES && page.next_token.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn read_all(aws: &Aws, ids: Vec<String>) -> Result<Vec<ReviewBuild>, CallError> {
    let doing = format!("reading {} builds of review branches", ids.len());
    let call = aws.codebuild.batch_get_builds().set_ids(Some(ids));
    let read = required(call.send().await, || doing)?;
    let builds = read.builds().iter();
    Ok(builds.filter_map(ReviewBuild::read).collect())
}
