//! The address and the tier of the environment, after a deployment has succeeded.

use super::facts::Facts;
use super::round::Round;
use crate::feedback::failures::outputs;
use crate::feedback::reporting::outcome::ReportError;
use crate::feedback::reporting::plan;
use crate::feedback::reporting::plan::{EnvironmentChange, Topic};

/// Sets them. If the address `is_kept`, another one stays.
pub(super) async fn report(
    round: &mut Round<'_>,
    facts: &Facts<'_>,
    is_kept: bool,
) -> Result<(), ReportError> {
    let (context, settings) = (facts.context, facts.context.settings());
    if !facts.includes(Topic::EnvironmentUrl) || !round.is_open(Topic::EnvironmentUrl) {
        return Ok(());
    }
    let stack_name = &context.pipeline().deployed_stack;
    let url = match &settings.environment_url_output {
        Some(output) => outputs::address(context.aws(), stack_name, output).await?,
        None => None,
    };
    let tier = plan::tier(&context.names().env_id, &settings.environment_name);
    if url.is_none() && tier.is_none() {
        return Ok(());
    }
    let (gitlab, project) = (context.gitlab(), context.commit.project);
    while round.is_open(Topic::EnvironmentUrl) {
        let shown = gitlab.environment(project, &settings.environment_name).await?;
        let change =
            shown.and_then(|it| plan::environment_change(&it, url.as_deref(), tier, is_kept));
        let Some(EnvironmentChange { id, url, tier }) = change else {
            break;
        };
        let changed = gitlab.change_environment(project, id, url.as_deref(), tier);
        if !round
            .send(Topic::EnvironmentUrl, async {
                changed.await.map(|()| true)
            })
            .await
        {
            break;
        }
        round.pause().await?;
    }
    Ok(())
}
