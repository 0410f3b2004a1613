//! A change set, and the resources that it changes.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    self as sdk, ChangeAction, ChangeSetStatus, EvaluationType, PolicyAction, Replacement,
    RequiresRecreation, ResourceAttribute, ResourceChangeDetail, StackDriftStatus,
    StackResourceDriftStatus,
};

use super::values::Values;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// Its ID. Another change set of the same name has another one.
    pub id: String,
    pub creation: Creation,
    /// Those of its parameters.
    pub values: Values,
    /// Its changes, sorted.
    pub changes: Vec<Change>,
    /// Whether CloudFormation could not compare some resources of a drift-aware change set. It
    /// lists them only if they change, too.
    pub is_partial: bool,
}

/// How far the creation of a change set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    Running,
    /// It can be executed.
    Complete,
    Empty,
    /// It cannot be executed, for this reason.
    Failed(String),
}

/// The effect of a change set on a resource. The order is that of the note: deletions of data come
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Deletes it, and creates another one.
    Replace,
    Remove,
    /// Replaces it in some cases, which CloudFormation finds out only when it executes the change.
    MayReplace,
    /// CloudFormation cannot determine it, or has a new name for it. It may replace or remove the
    /// resource.
    Undetermined,
    Modify,
    Add,
    /// Takes over an existing one.
    Import,
}

/// The result of a drift-aware change set for a resource. An ordinary one compares nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftStatus {
    Deleted,
    Modified,
    InSync,
    /// CloudFormation did not compare it: most often, its type does not support that.
    NotCompared,
}

/// A resource that a change set changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub effect: Effect,
    pub logical_id: String,
    pub resource_type: String,
    /// Whether a property certainly changes. Of a reference to another resource, CloudFormation
    /// finds out only when it executes the change.
    pub is_updated: bool,
    /// Whether CloudFormation deletes it, or the one that it replaces. False if it retains it, or
    /// does not show that.
    pub is_deleted: bool,
    /// How it differed from the template. `None` in an ordinary change set.
    pub drift: Option<DriftStatus>,
    /// The properties that change, by name, and attributes such as `Metadata`. Not their values.
    pub properties: BTreeMap<String, Recreation>,
}

/// Whether the change of a property replaces its resource. The most likely one is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recreation {
    Always,
    /// CloudFormation finds out when it executes the change.
    Possible,
    Never,
}

impl Effect {
    /// The text in a note.
    pub fn label(self) -> &'static str {
        match self {
            Effect::Replace => "**replaced**",
            Effect::Remove => "**removed**",
            Effect::MayReplace => "**possibly replaced**",
            Effect::Undetermined => "**cannot be determined**",
            Effect::Modify => "modified",
            Effect::Add => "added",
            Effect::Import => "imported",
        }
    }
}

/// The effect of an action. `None` if only CloudFormation's record of the resource changes.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html>
fn effect_of(action: Option<&ChangeAction>, replacement: Option<&Replacement>) -> Option<Effect> {
    Some(match (action, replacement) {
        (Some(ChangeAction::Add), _) => Effect::Add,
        (Some(ChangeAction::Remove), _) => Effect::Remove,
        (Some(ChangeAction::Import), _) => Effect::Import,
        (Some(ChangeAction::SyncWithActual), _) => return None,
        (Some(ChangeAction::Modify), Some(Replacement::True)) => Effect::Replace,
        (Some(ChangeAction::Modify), Some(Replacement::Conditional)) => Effect::MayReplace,
        (Some(ChangeAction::Modify), Some(Replacement::False) | None) => Effect::Modify,
        // `Dynamic`, or a new value.
        _ => Effect::Undetermined,
    })
}

impl Change {
    /// Converts CloudFormation's description. `None` if it changes no resource.
    pub(super) fn read(listed: &sdk::Change) -> Option<Self> {
        // A new kind of change has another member.
        let other = sdk::ResourceChange::builder().build();
        let resource = listed.resource_change().unwrap_or(&other);
        let effect = effect_of(resource.action(), resource.replacement())?;
        let drift = resource.resource_drift_status().map(|status| match status {
            StackResourceDriftStatus::Deleted => DriftStatus::Deleted,
            StackResourceDriftStatus::Modified => DriftStatus::Modified,
            StackResourceDriftStatus::InSync => DriftStatus::InSync,
            _ => DriftStatus::NotCompared,
        });
        Some(Change {
            effect,
            logical_id: resource.logical_resource_id().unwrap_or("?").to_owned(),
            resource_type: resource.resource_type().unwrap_or("?").to_owned(),
            is_updated: resource.details().iter().any(is_update),
            is_deleted: resource.policy_action().is_some_and(is_deletion),
            drift,
            properties: changed_properties(resource.details()),
        })
    }
}

/// Attributes such as `Metadata` are not given to the resource's handler.
fn is_update(detail: &ResourceChangeDetail) -> bool {
    let attribute = detail.target().and_then(|target| target.attribute());
    let is_given = matches!(
        attribute,
        Some(ResourceAttribute::Properties | ResourceAttribute::Tags)
    );
    is_given && detail.evaluation() == Some(&EvaluationType::Static)
}

fn is_deletion(action: &PolicyAction) -> bool {
    use PolicyAction::{Delete, ReplaceAndDelete, ReplaceAndSnapshot, Snapshot};
    matches!(
        action,
        Delete | ReplaceAndDelete | ReplaceAndSnapshot | Snapshot
    )
}

/// The properties of `details`. A property has one detail for each cause of its change.
fn changed_properties(details: &[ResourceChangeDetail]) -> BTreeMap<String, Recreation> {
    let mut properties = BTreeMap::new();
    for detail in details {
        let Some(target) = detail.target() else {
            continue;
        };
        let name = match target.attribute() {
            Some(ResourceAttribute::Properties) | None => target.name(),
            Some(attribute) => Some(attribute.as_str()),
        };
        let Some(name) = name else {
            continue;
        };
        // https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html,
        // `Replacement`
        let is_dynamic = detail.evaluation() == Some(&EvaluationType::Dynamic);
        let recreation = match target.requires_recreation() {
            Some(RequiresRecreation::Always) if !is_dynamic => Recreation::Always,
            Some(RequiresRecreation::Never) | None => Recreation::Never,
            Some(_) => Recreation::Possible,
        };
        let known = properties.entry(name.to_owned()).or_insert(recreation);
        *known = recreation.min(*known);
    }
    properties
}

/// Whether CloudFormation did not compare some resources. `None` is that of an ordinary change set.
pub(super) fn is_partial(status: Option<&StackDriftStatus>) -> bool {
    use StackDriftStatus::{Drifted, InSync, NotChecked};
    !matches!(status, None | Some(Drifted | InSync | NotChecked))
}

/// CloudFormation's reasons for a change set without changes, which it reports as failed:
/// <https://repost.aws/knowledge-center/cloudformation-no-updates-errors>.
const EMPTY: [&str; 2] = [
    "The submitted information didn't contain changes.",
    "No updates are to be performed.",
];

/// How far the creation of the change set in `last` is, of which CloudFormation lists `changes`.
pub(super) fn read_creation(last: &DescribeChangeSetOutput, changes: usize) -> Creation {
    let reason = last.status_reason().unwrap_or_default();
    let is_empty =
        changes == 0 && last.execution_status() == Some(&sdk::ExecutionStatus::Unavailable);
    match last.status() {
        Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => {
            Creation::Running
        }
        Some(ChangeSetStatus::CreateComplete) => Creation::Complete,
        // The reason of another failure may quote the template.
        Some(ChangeSetStatus::Failed)
            if is_empty && EMPTY.iter().any(|text| reason.starts_with(text)) =>
        {
            Creation::Empty
        }
        _ => Creation::Failed(reason.to_owned()),
    }
}
