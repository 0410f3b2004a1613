//! A child stack, as the health check reads it.

use super::messages;
use super::observe::pipeline_settings::PipelineSettings;
use super::pushes::BranchPush;
use super::state::ChildStack;
pub use super::template::RENDERING_VERSION;
use crate::clients::cloudformation::StackStatus;
use crate::clients::gitlab::Access;
use crate::common::ownership::Owner;
use cfn_custom_resource::Reason;

#[derive(Clone, Debug)]
pub struct Child {
    pub status: StackStatus,
    pub owner: Owner,
    pub parameters: Vec<String>,
    /// The first push of its branch, if the stack waits for one.
    pub waits_for: Option<BranchPush>,
    /// Whether its pipeline can run. `false` if it has none, or an operation runs.
    pub is_runnable: bool,
    /// Whether it contains a pipeline, so that its branch was pushed.
    pub has_pipeline: bool,
    /// The version of its rendering: 0 if the stack shows none, as after an update by hand. `None`
    /// if it was never complete.
    pub version: Option<u32>,
    /// The settings that it stores for the function. `None` if it was never complete.
    pub settings: Option<PipelineSettings>,
}

/// The stack of a child's name.
#[derive(Clone, Debug)]
pub enum FoundChild {
    /// No tags name its owner. A pipeline's stack may have lost them.
    Untagged(Box<UntaggedChild>),
    Owned(Box<Child>),
}

/// A stack of a child's name whose owner no tags name.
#[derive(Clone, Debug)]
pub struct UntaggedChild(ChildStack);

impl UntaggedChild {
    /// The problem of the stack `name`, which `owner` declares. `None` if no resource of the
    /// environment is known that does.
    pub fn problem(&self, name: &str, owner: Option<&Owner>) -> Reason {
        let except = owner.map(|owner| messages::except_stack(owner, &self.0)).unwrap_or_default();
        let problem = format!(
            "no tags name the resource that owns it{except}, so nothing is reported to GitLab, no lost push is \
             started, and every update and deletion fails"
        );
        let remedy = match owner {
            Some(owner) => messages::tag_command(name, owner, &self.0).after("Set them again: "),
            None => "If it is not of cfn-gitops, delete it or give it another name".into(),
        };
        Reason::uncoded(problem, remedy)
    }
}

impl From<ChildStack> for UntaggedChild {
    fn from(child: ChildStack) -> Self {
        UntaggedChild(child)
    }
}

impl Child {
    /// Whether an older function rendered it.
    pub fn is_outdated(&self) -> bool {
        self.version.is_some_and(|version| version < RENDERING_VERSION)
    }

    /// How its pipeline reaches GitLab. `None` if it has no `GitLab`.
    pub fn access(&self) -> Option<&Access> {
        let report = self.settings.as_ref()?.stored.report.as_ref()?;
        Some(&report.access)
    }
}
