//! Ends the open commit statuses of a pipeline that is not reported any more, or not to the same
//! place. No later report looks there, so GitLab would show them as open for ever.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::outcome::ReportError;
use super::plan;
use crate::clients::gitlab::{CommitRef, CommitStatus, StatusState};
use crate::clients::{Clients, gitlab};
use crate::common::ownership::Owner;
use crate::feedback::execution::{ExecutionState, changed_since};
use crate::gitops_pipeline::names::{ResourceNames, are_of_one_account};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::{GitOpsPipeline, executions};
use cfn_custom_resource::{Failure, Outcome, Progress, Request, RequestType, Resource};

/// The longest reads before a request, and the longest requests to GitLab after it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Statuses are read of executions that changed within this time, as the health check does.
const DAY: Duration = Duration::from_hours(24);

/// The properties that decide where statuses are posted.
const PLACE: [&str; 3] = ["GitLab", "Report", "BranchMap"];

/// The pipeline's resource type, whose Updates and Deletes end the statuses of the former settings.
pub struct ReportedPipeline {
    pub clients: Clients,
    pub pipeline: Arc<GitOpsPipeline>,
}

/// The settings before a request, and the commits that may have open statuses.
struct Former {
    settings: PipelineSettings,
    commits: Vec<String>,
}

impl ReportedPipeline {
    /// The settings before an Update or a Delete that may change the place of the statuses. `None`
    /// if there were no statuses, or for another request.
    async fn former(&self, request: &Request) -> Result<Option<Former>, ReportError> {
        let properties = request.properties.as_ref().ok();
        let before = match request.request_type {
            Some(RequestType::Update) => Some(&request.old_properties),
            Some(RequestType::Delete) => properties,
            _ => None,
        };
        let is_update = request.request_type == Some(RequestType::Update);
        let is_same = |name: &str| before.map(|it| &it[name]) == properties.map(|it| &it[name]);
        let is_kept = is_update && PLACE.into_iter().all(is_same);
        let has_gitlab = before.is_some_and(|before| !before["GitLab"].is_null());
        let id = request.physical_resource_id.as_deref();
        let names = id.and_then(ResourceNames::from_stack_name);
        let Some(names) = names.filter(|_| has_gitlab && !is_kept) else {
            return Ok(None);
        };
        let child = self.pipeline.look_up_child(&names.stack()).await?;
        let child = child.filter(|child| child.owner == Owner::of(request));
        let Some(settings) = child.and_then(|child| child.settings) else {
            return Ok(None);
        };
        if settings.stored.report.as_ref().is_none_or(|it| !it.commit_status) {
            return Ok(None);
        }
        let listed = executions::list_latest(&self.clients.aws, &names.pipeline()).await?;
        let since = self.clients.clock.now() - DAY;
        let mut changed = changed_since(&listed.unwrap_or_default(), since);
        changed.sort_by_key(|execution| execution.state != ExecutionState::Running);
        let commits = changed.into_iter().map(|execution| execution.commit).collect();
        Ok(Some(Former { settings, commits }))
    }

    /// Ends the open statuses of the former settings, unless statuses are still posted there.
    async fn end(&self, former: &Former) -> Result<(), ReportError> {
        let Former { settings, commits } = former;
        let names = &settings.names;
        let place = |settings: &PipelineSettings| {
            let report = settings.stored.report.as_ref().filter(|it| it.commit_status)?;
            let url = report.access.url.clone();
            Some((url, report.project_number, settings.branch.clone()))
        };
        let present = self.pipeline.read_settings(names).await?;
        let Some(report) = &settings.stored.report else {
            return Ok(());
        };
        if present.as_ref().and_then(place) == place(settings) {
            return Ok(());
        }
        let url = settings.location.reported_pipeline(&names.pipeline());
        let gitlab = gitlab::open(&self.clients.aws, &self.clients.http, &report.access).await?;
        for sha in commits {
            let commit = CommitRef {
                project: report.project(),
                sha: sha.clone(),
                branch: settings.branch.clone(),
            };
            for suffix in ["", plan::APPROVAL_SUFFIX] {
                let name = plan::status_name(names, suffix);
                for shown in gitlab.statuses_of_each_branch(&commit, &name).await? {
                    let is_own = are_of_one_account(&shown.status.target_url, &url);
                    let (Some(branch), Some(pipeline_id)) = (shown.branch, shown.pipeline_id)
                    else {
                        continue;
                    };
                    if is_own && shown.status.state.is_open() {
                        let ended = CommitStatus {
                            state: StatusState::Canceled,
                            description: "Not reported any more".to_owned(),
                            ..shown.status
                        };
                        let commit = CommitRef {
                            branch,
                            ..commit.clone()
                        };
                        gitlab.end_commit_status(&commit, &ended, pipeline_id).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Resource for ReportedPipeline {
    const RESUMABLE: bool = GitOpsPipeline::RESUMABLE;

    fn physical_id(&self, request: &Request) -> String {
        self.pipeline.physical_id(request)
    }

    fn rejected_id(&self, request: &Request) -> String {
        self.pipeline.rejected_id(request)
    }

    async fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> Result<Outcome, Failure> {
        let former = in_time(self.former(&request)).await.flatten();
        let outcome = Arc::clone(&self.pipeline).handle(request, progress).await?;
        if let Some(former) = former {
            in_time(self.end(&former)).await;
        }
        Ok(outcome)
    }
}

/// The result. `None` if it failed or takes too long: a stack's operation does not depend on it.
async fn in_time<T>(ending: impl Future<Output = Result<T, ReportError>>) -> Option<T> {
    let error = match timeout(TIMEOUT, Box::pin(ending)).await {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(error)) => error.reason.problem,
        Err(_) => format!("it takes longer than {} seconds", TIMEOUT.as_secs()),
    };
    tracing::warn!(error, "open commit statuses are not ended");
    None
}
