//! The record of a deployment, after it has ended.

use std::sync::Arc;

use super::environment;
use super::facts::Facts;
use super::round::Round;
use crate::clients::aws::CallError;
use crate::clients::gitlab::StatusState;
use crate::feedback::reporting::outcome::ReportError;
use crate::feedback::reporting::plan;
use crate::feedback::reporting::plan::{Occasion, Topic};
use crate::gitops_pipeline::executions::actions;

/// Whether GitLab had a record of the deployment before this report sent one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Record {
    Shown,
    Missing,
    /// Environments are switched off in the project.
    Impossible,
}

/// Creates the record, if GitLab shows none, and then sets the address of its environment.
pub(super) async fn report(round: &mut Round<'_>) -> Result<(), ReportError> {
    let facts = Arc::clone(&round.facts);
    let state = plan::deployment_state(&facts.execution, facts.context.settings());
    let Some(state) = state.filter(|_| facts.includes(Topic::Deployment)) else {
        return Ok(());
    };
    if state == StatusState::Success && is_outdated(&facts).await? {
        return Ok(());
    }
    let record = record(round, &facts, state).await;
    // A record that cannot be read may exist.
    let record = round.reported.settle(Topic::Deployment, record).unwrap_or(Record::Shown);
    if state == StatusState::Success && record != Record::Impossible {
        let is_repeated = facts.context.occasion == Occasion::HealthCheck;
        let is_kept = is_repeated && record == Record::Shown;
        let ended = environment::report(round, &facts, is_kept).await;
        round.reported.settle(Topic::EnvironmentUrl, ended);
    }
    Ok(())
}

/// Whether another execution is deployed. GitLab takes the latest record for the environment's
/// present deployment, so that of an earlier one comes too late.
async fn is_outdated(facts: &Facts<'_>) -> Result<bool, CallError> {
    let context = facts.context;
    let deployed = actions::deployments(context.aws(), &context.names().pipeline(), 1).await?;
    Ok(deployed.first().is_none_or(|one| one.execution_id != facts.execution.id))
}

async fn record(
    round: &mut Round<'_>,
    facts: &Facts<'_>,
    state: StatusState,
) -> Result<Record, ReportError> {
    let (gitlab, commit) = (facts.context.gitlab(), &facts.context.commit);
    let environment = &facts.context.settings().environment_name;
    let (since, clock) = (facts.execution.started, &facts.context.opened.clients.clock);
    while round.is_open(Topic::Deployment) {
        let shown = gitlab.has_deployment(commit, environment, state, since, clock).await;
        if let Err(error) = &shown
            && error.lacks_environments()
        {
            tracing::info!("{error}: no deployment");
            return Ok(Record::Impossible);
        }
        if shown? {
            return Ok(Record::Shown);
        }
        let created = gitlab.create_deployment(commit, environment, state);
        if !round.send(Topic::Deployment, async { created.await.map(|()| true) }).await {
            break;
        }
        round.pause().await?;
    }
    Ok(Record::Missing)
}
