//! The change set that waits for an approval, as the note in GitLab shows it.

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;

use crate::answers::shape::{Resource, ShownChangeSet, ShownCounts};
use crate::clients::aws::CallError;
use crate::common::one_line::one_line;
use crate::feedback::change_sets::{
    Change, Creation, Effect, MAX_RESOURCES, describe, shown_names,
};
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::health::waiting_approvals;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::health_check::checker::Checker;

impl Checker<'_> {
    /// The changes of the execution `id`, whose approval waits. `None` if the pipeline creates
    /// none, or if another execution has created one since: each has the same name.
    pub(super) async fn change_set(
        &self,
        settings: &PipelineSettings,
        id: &str,
    ) -> Result<Option<Vec<Change>>, CallError> {
        let Some(name) = &settings.change_set else {
            return Ok(None);
        };
        let aws = &self.clients.aws;
        let found = describe(aws, &settings.deployed_stack, name).await?;
        let state = executions::state(aws, &settings.names.pipeline()).await?;
        let is_of_execution = state.is_some_and(|state| waits_alone(&state, id));
        let found = found.filter(|found| {
            is_of_execution && matches!(found.creation, Creation::Complete | Creation::Empty)
        });
        Ok(found.map(|found| found.changes))
    }
}

/// Whether the approval of the execution `id` waits in a pipeline of this `state`, and no other.
fn waits_alone(state: &GetPipelineStateOutput, id: &str) -> bool {
    let waiting = waiting_approvals(state);
    matches!(&waiting[..], [one] if one.execution_id() == id)
}

/// The change set `name` with the sorted `changes`.
pub fn shown_change_set(name: &str, changes: &[Change]) -> ShownChangeSet {
    let count = |effect| changes.iter().filter(|change| change.effect == effect).count();
    let is_listed = changes.len() <= MAX_RESOURCES;
    ShownChangeSet {
        name: name.to_owned(),
        counts: ShownCounts {
            replaced: count(Effect::Replace),
            removed: count(Effect::Remove),
            possibly_replaced: count(Effect::MayReplace),
            undetermined: count(Effect::Undetermined),
            modified: count(Effect::Modify),
            added: count(Effect::Add),
            imported: count(Effect::Import),
        },
        resources: is_listed.then(|| changes.iter().map(resource).collect()),
    }
}

fn resource(change: &Change) -> Resource {
    let (causes, others) = change.causes();
    Resource {
        logical_id: change.logical_id.clone(),
        r#type: change.resource_type.clone(),
        effect: change.effect.label().replace('*', ""),
        properties: names(&others),
        replaced_because_of: Some(names(&causes)).filter(|names| !names.is_empty()),
        is_deleted: change.is_deleted,
    }
}

fn names(all: &[&str]) -> Vec<String> {
    let (shown, more) = shown_names(all);
    let more = (more > 0).then(|| format!("and {more} more"));
    shown.map(|name| one_line(&name)).chain(more).collect()
}
