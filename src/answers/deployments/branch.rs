//! Whether the branch in GitLab contains commits that can be deployed again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;

use super::ShownPipeline;
use crate::answers::shape::InBranch;
use crate::clients::gitlab;
use crate::clients::gitlab::{Containment, GitLab};
use crate::gitops_pipeline::settings::ReportSettings;
use crate::health_check::checker::Checker;
use crate::health_check::read_limit::ReadLimit;
use cfn_custom_resource::Reason;

/// How long GitLab may take for all commits.
const GITLAB_TIME: Duration = Duration::from_secs(20);

/// The pipeline's branch in GitLab.
struct OpenedBranch {
    gitlab: GitLab,
    /// Its latest commit. `None` if it does not exist.
    tip: Option<String>,
}

impl Checker<'_> {
    /// `InBranch` of each commit.
    pub(super) async fn look_in_branch<'a>(
        &self,
        pipeline: &ShownPipeline<'_>,
        commits: &BTreeSet<&'a str>,
        end: ReadLimit,
    ) -> BTreeMap<&'a str, InBranch> {
        let all = |value: &InBranch| commits.iter().map(|id| (*id, value.clone())).collect();
        if commits.is_empty() {
            return BTreeMap::new();
        }
        let limit = end.at_most(GITLAB_TIME);
        let found = match settings_of(pipeline) {
            Ok(report) => self.open_branch(pipeline, report, limit).await.map(|it| (report, it)),
            Err(reason) => Err(reason),
        };
        let (report, opened) = match found {
            Ok(found) => found,
            Err(reason) => return all(&not_known(&reason)),
        };
        let Some(tip) = &opened.tip else {
            let problem = "the branch does not exist in GitLab";
            return all(&InBranch {
                contained: Some(false),
                problem: Some(problem.to_owned()),
                ..InBranch::default()
            });
        };
        let looks = commits.iter().map(|id| {
            let looking = opened.gitlab.history_contains(report.project(), tip, id);
            let thing = format!("the history of commit {id} at {}", report.access.url);
            async move {
                let work = async { looking.await.map_err(|error| error.reason()) };
                let found = match limit.read(thing, work).await {
                    Ok(found) => InBranch {
                        contained: Some(found == Containment::Contained),
                        ..InBranch::default()
                    },
                    Err(reason) => not_known(&reason),
                };
                (*id, found)
            }
        });
        join_all(looks).await.into_iter().collect()
    }

    async fn open_branch(
        &self,
        pipeline: &ShownPipeline<'_>,
        report: &ReportSettings,
        limit: ReadLimit,
    ) -> Result<OpenedBranch, Reason> {
        let clients = self.clients;
        let branch = pipeline.settings.as_ref().map_or("", |it| &*it.branch);
        let opening = async {
            let gitlab = gitlab::open(&clients.aws, &clients.http, &report.access).await?;
            let found = gitlab.branch(report.project(), branch).await?;
            let tip = found.map(|branch| branch.tip.id);
            Ok::<_, gitlab::GitLabError>(OpenedBranch { gitlab, tip })
        };
        let opening = async { opening.await.map_err(|error| error.reason()) };
        let thing = format!("branch {branch} at {}", report.access.url);
        limit.read(thing, opening).await
    }
}

/// The project in GitLab, or why none is known.
fn settings_of<'a>(pipeline: &'a ShownPipeline<'_>) -> Result<&'a ReportSettings, Reason> {
    const REMEDY: &str = "Look for the commit in the branch in GitLab yourself";
    let settings = pipeline.settings.as_ref().ok_or_else(|| {
        let stack = pipeline.names.stack();
        Reason::uncoded(format!("stack {stack} shows no pipeline"), REMEDY)
    })?;
    settings.stored.report.as_ref().ok_or_else(|| {
        Reason::uncoded(
            "the pipeline has no GitLab in its properties, or GitLab has not shown its project yet",
            REMEDY,
        )
    })
}

fn not_known(reason: &Reason) -> InBranch {
    InBranch::not_known(reason.into())
}
