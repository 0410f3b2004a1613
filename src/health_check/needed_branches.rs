//! Whether a mirror still pushes the branches that pipelines of its repository need. After a rule
//! or a branch is removed in GitLab, pushes have no event and no error.

use tokio::time::timeout_at;

use super::checker::Checker;
use super::concurrent::TimeLimits;
use super::findings::Findings;
use super::found_secrets::FoundMirror;
use super::projects::OpenedGitLabs;
use super::stacks::FoundStacks;
use crate::clients::gitlab::{GitLabError, Mirror};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::mirror_credential::health::{
    CheckedGitLabs, Comparison, MirrorHealth, check_shown, deployed_branch_is_gone,
    deployed_branch_is_not_mirrored, review_branches_are_not_mirrored,
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
    let (pipeline, branch, rules) = (settings.names.pipeline(), &settings.branch, &pushed.rules);
    let is_selected = rules.as_ref().is_none_or(|rules| rules.may_select(branch));
    if !is_selected || !pushed.has_compared(branch) {
        let (gitlab, project) = (comparison.gitlab, comparison.place.project);
        comparison.pace.wait().await;
        match gitlab.branch(project, branch).await? {
            Some(_) if !is_selected => {
                let project = &mirror.project;
                mirror.fault = Some(deployed_branch_is_not_mirrored(&pipeline, project, branch));
            }
            Some(found) => {
                let (tips, errors) = comparison.of(&[found]).await;
                for error in errors {
                    let (reason, project) = (error.reason(), &mirror.project);
                    warn!(
                        reason,
                        project, branch, "a deployed branch was not compared"
                    );
                }
                mirror.lag = mirror.lag.max(tips.lag);
                mirror.foreign.get_or_insert_default().extend(tips.foreign);
            }
            None if settings.has_pipeline && !gitlab.project(project).await?.is_empty => {
                mirror.fault = Some(deployed_branch_is_gone(&pipeline, &mirror.project, branch));
            }
            None => {}
        }
    }
    let review = settings.change_sets.as_ref().and_then(|it| it.review.as_ref());
    let reviewed = review.map(|review| &review.branches);
    let unseen = reviewed.filter(|it| rules.as_ref().is_some_and(|rules| !rules.may_protect(it)));
    if let Some(reviewed) = unseen.filter(|_| mirror.fault.is_none()) {
        let project = &mirror.project;
        mirror.fault = Some(review_branches_are_not_mirrored(
            &pipeline, project, reviewed,
        ));
    }
    Ok(())
}

impl Checker<'_> {
    /// Reports the `mirrors`, with the branches that the pipelines of `stacks` need.
    pub async fn report_mirrors(
        &self,
        mirrors: Vec<FoundMirror>,
        stacks: &FoundStacks,
        findings: &mut Findings,
        limits: &TimeLimits,
        gitlabs: &CheckedGitLabs,
    ) {
        let (mut clients, until) = (OpenedGitLabs::default(), limits.half_of_the_rest());
        for mut mirror in mirrors {
            let repository = mirror.health.repository_name.clone();
            let is_of = |settings: &&PipelineSettings| {
                !settings.is_cross_account && settings.repository_name == repository
            };
            for settings in stacks.settings.values().filter(is_of) {
                let adding = self.add_needed(&mut mirror, settings, &mut clients, gitlabs);
                if timeout_at(until, Box::pin(adding)).await.is_err() {
                    tracing::warn!(repository, "no time to look up the branches of a mirror");
                }
            }
            self.report_mirror(findings, &mirror.health);
        }
    }

    async fn add_needed(
        &self,
        mirror: &mut FoundMirror,
        settings: &PipelineSettings,
        clients: &mut OpenedGitLabs,
        gitlabs: &CheckedGitLabs,
    ) {
        let (Some(access), Some(record)) = (&mirror.access, mirror.health.record.clone()) else {
            return;
        };
        let url = &record.gitlab_url;
        if access.url != *url || gitlabs.unreachable.error_of(url).is_some() {
            return;
        }
        let Some(gitlab) = self.client(access, clients).await else {
            return;
        };
        let comparison = Comparison {
            aws: &self.clients.aws,
            gitlab,
            place: record.place(),
            pace: &gitlabs.pace,
            now: self.clients.clock.now(),
        };
        if let Err(error) = add_needed(&mut mirror.health, settings, &comparison).await {
            let (reason, branch) = (error.reason(), &settings.branch);
            warn!(reason, branch, "a deployed branch was not looked up");
            gitlabs.unreachable.note(url, Some(&record.project), &error);
        }
    }
}
