//! The rights that the deploy role lacks for the change set that waits for an approval.

use super::row::Row;
use crate::clients::aws::CallError;
use crate::common::one_line::one_line;
use crate::feedback::rights;
use crate::feedback::rights::ComparedRights;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::health_check::checker::Checker;
use crate::health_check::facts::ProjectFacts;
use crate::health_check::findings::Problem;
use crate::health_check::read_limit::ReadLimit;
use crate::health_check::stacks::FoundStacks;
use cfn_custom_resource::Reason;

impl Checker<'_> {
    /// Compares the rights for the change set of `row`. `None` if none waits, or if the pipeline
    /// deploys with a role of its own, whose policies the function may not read.
    pub(super) async fn compared_rights(
        &self,
        row: Option<&Row>,
        found: &FoundStacks,
        limit: ReadLimit,
    ) -> Result<Option<ComparedRights>, Reason> {
        let settings = found.projects.first().and_then(ProjectFacts::settings);
        let waiting = settings.zip(row.and_then(|row| row.waiting.as_ref()));
        let is_shared =
            |(settings, _): &(&PipelineSettings, _)| settings.stored.deploy_role_arn.is_none();
        let Some((settings, changes)) = waiting.filter(is_shared) else {
            return Ok(None);
        };
        let (aws, names) = (&self.clients.aws, &settings.names);
        let comparing = async { rights::compare(aws, names, changes).await.map(Some) };
        let thing = format!("the rights of role {}", names.deploy_role());
        limit.read::<_, CallError>(thing, comparing).await
    }
}

impl Row {
    /// Adds the rights that are missing for the change set, if they were `compared`.
    pub(super) fn add_rights(&mut self, compared: Result<Option<ComparedRights>, Reason>) {
        let compared = match compared {
            Ok(None) => return,
            Ok(Some(compared)) => compared,
            Err(reason) => return self.not_read(reason),
        };
        let missing = compared.missing.iter().map(|reason| {
            let remedy = one_line(&reason.remedy.to_string());
            Problem::new(one_line(&reason.problem), remedy)
        });
        let missing: Vec<Problem> = missing.collect();
        let approvals = self.shown.approvals.iter_mut().flatten();
        for approval in approvals.filter(|it| it.change_set.is_some()) {
            approval.missing_rights = Some(missing.clone());
        }
        if let Some(error) = compared.failed {
            self.not_read(error);
        }
        if let Some(types) = compared.left_out {
            let problem = format!("the rights of pipelines were compared for {types}");
            let remedy = "Compare the policies of the deploy role with them yourself";
            self.not_read(Reason::uncoded(problem, remedy));
        }
    }
}
