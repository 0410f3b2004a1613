//! Whether a mirror still pushes the branches that pipelines of its repository need. After a rule
//! or a branch is removed in GitLab, pushes have no event and no error.

use tokio::time::timeout_at;

use super::checker::Checker;
use super::concurrent::TimeLimits;
use super::findings::Findings;
use super::stacks::FoundStacks;
use crate::clients::gitlab::{GitLabError, Mirror};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::mirror_credential::health::{
    CheckedGitLabs, Comparison, MirrorHealth, check_shown, needed_branch_is_gone,
    needed_branch_is_not_mirrored,
};

/// The health of a mirror that GitLab shows, with the branches that the pipeline with `settings`
/// needs.
pub async fn check_with_needed(
    comparison: &Comparison<'_>,
    mirror: &Mirror,
    settings: &PipelineSettings,
) -> Result<MirrorHealth, GitLabError> {
    let mut health = check_shown(comparison, mirror, None).await?;
    add_needed(&mut health, settings, comparison).await?;
    Ok(health)
}

/// Adds the problem of the branches of `mirror` that the pipeline with `settings` needs. Most often
/// the deployed one was compared already.
async fn add_needed(
    mirror: &mut MirrorHealth,
    settings: &PipelineSettings,
    comparison: &Comparison<'_>,
) -> Result<(), GitLabError> {
    let Some(pushed) = mirror.pushed.clone().filter(|_| mirror.fault.is_none()) else {
        return Ok(());
    };
    let (branch, project) = (&settings.branch, mirror.project.clone());
    let needs = |verb| format!("pipeline {} {verb}", settings.names.pipeline());
    let selects = |name: &str| pushed.rules.as_ref().is_none_or(|rules| rules.may_select(name));
    if !selects(branch) || !pushed.compared.contains(branch) {
        let (gitlab, of_number) = (comparison.gitlab, comparison.place.project);
        comparison.pace.wait().await;
        match gitlab.branch(of_number, branch).await? {
            Some(_) if !selects(branch) => {
                let needs = needs("deploys");
                mirror.fault = Some(needed_branch_is_not_mirrored(&project, branch, &needs));
            }
            Some(found) => {
                let (tips, errors) = comparison.of(&[found]).await;
                for error in errors {
                    warn!(error.reason(), project, branch, "it was not compared");
                }
                mirror.lag = mirror.lag.max(tips.lag);
                mirror.foreign.get_or_insert_default().extend(tips.foreign);
            }
            None if settings.has_pipeline && !gitlab.project(of_number).await?.is_empty => {
                mirror.fault = Some(needed_branch_is_gone(&project, branch, &needs("deploys")));
            }
            None => {}
        }
    }
    let review = settings.stored.review.as_ref();
    if let Some(review) = review.filter(|it| mirror.fault.is_none() && !selects(&it.branches)) {
        let (reviewed, needs) = (&review.branches, needs("reviews"));
        mirror.fault = Some(needed_branch_is_not_mirrored(&project, reviewed, &needs));
    }
    Ok(())
}

impl Checker<'_> {
    /// Reports the `mirrors`, with the branches that the pipelines of `stacks` need.
    pub async fn report_mirrors(
        &self,
        mirrors: Vec<MirrorHealth>,
        stacks: &FoundStacks,
        findings: &mut Findings,
        limits: &TimeLimits,
        gitlabs: &CheckedGitLabs,
    ) {
        let (until, settings) = (limits.half_of_the_rest(), stacks.settings());
        for mut mirror in mirrors {
            if let Some((record, gitlab)) = mirror.source.take() {
                let (url, project) = (&record.gitlab_url, &record.project);
                let comparison = Comparison {
                    aws: &self.clients.aws,
                    gitlab: &gitlab,
                    place: record.place(),
                    pace: &gitlabs.pace,
                    now: self.clients.clock.now(),
                };
                let repository = &record.repository_name;
                let is_fed = |it: &&PipelineSettings| it.has_source(repository);
                for &settings in settings.values().filter(|it| is_fed(it)) {
                    if let Some(error) = gitlabs.unreachable.error_of(url) {
                        mirror.fault.get_or_insert_with(|| error.reason());
                        break;
                    }
                    let adding = Box::pin(add_needed(&mut mirror, settings, &comparison));
                    match timeout_at(until, adding).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => {
                            gitlabs.unreachable.note(url, Some(project), &error);
                            mirror.fault = Some(error.reason());
                        }
                        Err(_) => tracing::warn!(project, "no time to look up a needed branch"),
                    }
                }
            }
            self.report_mirror(findings, &mirror);
        }
    }
}
