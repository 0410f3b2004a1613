//! The change set that waits for an approval, as the note in GitLab shows it.

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use serde_json::{Value, json};

use crate::clients::aws::CallError;
use crate::common::one_line::one_line;
use crate::feedback::change_sets::{
    Change, Creation, Effect, MAX_RESOURCES, describe, shown_names,
};
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::health::waiting_approvals;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::DeployedTarget;
use crate::health_check::answers::members::Members;
use crate::health_check::checker::Checker;

impl Checker<'_> {
    /// The changes of the execution `id`, whose approval waits. `None` if the pipeline creates
    /// none, or if another execution has created one since: each has the same name.
    pub(super) async fn change_set(
        &self,
        settings: &PipelineSettings,
        deployed: &DeployedTarget,
        id: &str,
    ) -> Result<Option<Vec<Change>>, CallError> {
        let Some(name) = &deployed.change_set_name else {
            return Ok(None);
        };
        let aws = &self.clients.aws;
        let found = describe(aws, &deployed.stack_name, name).await?;
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
pub fn shown_change_set(name: &str, changes: &[Change]) -> Value {
    let count = |effect| changes.iter().filter(|change| change.effect == effect).count();
    let mut shown = Members::default();
    shown.set("Name", name);
    let counts = json!({
        "Replaced": count(Effect::Replace),
        "Removed": count(Effect::Remove),
        "PossiblyReplaced": count(Effect::MayReplace),
        "Undetermined": count(Effect::Undetermined),
        "Modified": count(Effect::Modify),
        "Added": count(Effect::Add),
        "Imported": count(Effect::Import),
    });
    shown.set("Counts", counts);
    if changes.len() <= MAX_RESOURCES {
        shown.set("Resources", changes.iter().map(resource).collect::<Value>());
    }
    shown.value()
}

fn resource(change: &Change) -> Value {
    let (causes, others) = change.causes();
    let mut shown = Members::default();
    shown.set("LogicalId", change.logical_id.as_str());
    shown.set("Type", change.resource_type.as_str());
    shown.set("Effect", change.effect.label().replace('*', ""));
    shown.set("Properties", names(&others));
    if !causes.is_empty() {
        shown.set("ReplacedBecauseOf", names(&causes));
    }
    shown.set_if("IsDeleted", change.is_deleted.then_some(true));
    shown.value()
}

fn names(all: &[&str]) -> Value {
    let (shown, more) = shown_names(all);
    let more = (more > 0).then(|| format!("and {more} more"));
    shown.map(|name| one_line(&name)).chain(more).collect()
}
