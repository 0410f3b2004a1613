//! The commit status of a stack's drift, on the commit that is deployed.

use crate::clients::aws::{Aws, CallError};
use crate::clients::gitlab;
use crate::clients::gitlab::{CommitRef, StatusState};
use crate::clients::http::Http;
use crate::feedback::drift::Drifted;
use crate::feedback::reporting::outcome::ReportError;
use crate::feedback::reporting::{plan, statuses};
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::executions::actions;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;

/// Posts whether the deployed stack differs from its template, unless GitLab shows it.
pub async fn report(
    aws: &Aws,
    http: &Http,
    settings: &PipelineSettings,
    drifted: &Drifted,
) -> Result<(), ReportError> {
    let names = &settings.names;
    let reported = async {
        let report = settings.stored.report.as_ref();
        let Some(report) = report.filter(|report| report.commit_status) else {
            return Ok(());
        };
        let Some(sha) = deployed_commit(aws, &names.pipeline()).await? else {
            return Ok(());
        };
        let commit = CommitRef {
            project: report.project(),
            sha,
            branch: settings.branch.clone(),
        };
        let url = settings.location.reported_pipeline(&names.pipeline());
        let (state, description) = status(drifted);
        let desired = plan::commit_status(names, "/drift", state, &description, &url);
        let gitlab = gitlab::open(aws, http, &report.access).await?;
        statuses::show(&gitlab, &commit, &desired).await?;
        Ok(())
    };
    let failed = |error: ReportError| error.about(&format!("the drift of {}", names.pipeline()));
    Box::pin(reported).await.map_err(failed)
}

/// The commit of the deployment that ended last. `None` if none did.
async fn deployed_commit(aws: &Aws, pipeline_name: &str) -> Result<Option<String>, CallError> {
    let listed = executions::list_latest(aws, pipeline_name).await?;
    let Some(listed) = listed else {
        return Ok(None);
    };
    let deployed = actions::deployments(aws, pipeline_name, 1).await?;
    let deployed = deployed.first().and_then(|one| executions::find(&listed, &one.execution_id));
    Ok(deployed.and_then(executions::commit_of).map(ToOwned::to_owned))
}

/// The state of the status, and its description.
fn status(drifted: &Drifted) -> (StatusState, String) {
    if drifted.resources.is_empty() {
        let text = if drifted.is_partial {
            "No drift found. CloudFormation could not compare all resources"
        } else {
            "The stack is as in its template"
        };
        return (StatusState::Success, text.to_owned());
    }
    let resources = drifted.resources.iter();
    let ids: Vec<&str> = resources.map(|change| change.logical_id.as_str()).collect();
    let text = format!("Not as in the template: {}", ids.join(", "));
    (StatusState::Failed, text)
}
