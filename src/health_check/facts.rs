//! A project as AWS shows it in one look: its stack and the owner of that, its event rules, its
//! pipeline, and the tip of its branch. The health check, the doctor and the answers paint it.

use std::time::Duration;

use aws_sdk_codepipeline::operation::get_pipeline_state::GetPipelineStateOutput;
use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use super::checker::Checker;
use super::listed_stacks::{ListedStack, Stacks};
use super::pushes::LookedAt;
use super::read_limit::ReadLimit;

use crate::clients::aws::CallError;
use crate::gitops_pipeline::child::{Child, FoundChild};
use crate::gitops_pipeline::executions;
use crate::gitops_pipeline::health;
use crate::gitops_pipeline::health::PipelineEnd;
use crate::gitops_pipeline::holds::DeclaredRule;
use crate::gitops_pipeline::names::{PIPELINE, STACK};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use cfn_custom_resource::Reason;

/// The most time for a look at one project. Each read may take half of the rest, so that one that
/// hangs hides no other.
pub const LOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// A part of a project.
#[derive(Debug, Default)]
pub enum Fact<T> {
    Known(T),
    #[default]
    Absent,
    NotRead(Reason),
}

#[derive(Debug)]
pub struct ProjectFacts {
    pub project_id: String,
    pub stack_name: String,
    /// Its ID. The name if it is not listed.
    pub stack_id: String,
    pub pipeline_name: String,
    pub child: Fact<FoundChild>,
    pub owner: OwnerFacts,
    /// Those that the stack declares.
    pub rules: Fact<Vec<DeclaredRule>>,
    /// The parts of the stack that do not exist, and a push without an execution.
    pub looked: Fact<LookedAt>,
    pub pipeline: PipelineFacts,
}

/// The owner of a child stack.
#[derive(Debug, Default)]
pub struct OwnerFacts {
    /// Whether the resource exists. One that cannot be looked up may exist.
    pub resource: Fact<()>,
    /// Its stack. `None` if it is not listed.
    pub stack: Option<ListedStack>,
}

#[derive(Debug, Default)]
pub struct PipelineFacts {
    pub state: Fact<GetPipelineStateOutput>,
    /// They were listed after the state, so that those of its approvals are among them.
    pub executions: Fact<Vec<PipelineExecutionSummary>>,
    /// How the latest execution that counts ended.
    pub end: Fact<PipelineEnd>,
}

impl<T> Fact<T> {
    /// The part that was `read`. It is absent if that is `None`.
    fn of(read: Result<Option<T>, Reason>) -> Self {
        match read {
            Ok(Some(known)) => Fact::Known(known),
            Ok(None) => Fact::Absent,
            Err(reason) => Fact::NotRead(reason),
        }
    }

    pub fn known(&self) -> Option<&T> {
        match self {
            Fact::Known(known) => Some(known),
            Fact::Absent | Fact::NotRead(_) => None,
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Fact::Absent)
    }
}

impl ProjectFacts {
    /// Its stack, if tags name the owner.
    pub fn owned(&self) -> Option<&Child> {
        match self.child.known()? {
            FoundChild::Owned(child) => Some(child),
            FoundChild::Untagged(_) => None,
        }
    }

    pub fn settings(&self) -> Option<&PipelineSettings> {
        self.owned()?.settings.as_ref()
    }

    pub fn is_orphan(&self) -> bool {
        self.owned().is_some() && self.owner.resource.is_absent()
    }

    /// Most executions are not needed after the look.
    pub fn without_executions(self) -> Self {
        ProjectFacts {
            pipeline: PipelineFacts::default(),
            ..self
        }
    }
}

impl Checker<'_> {
    /// Looks at the project. `stacks` are those of the account, if they were listed. Independent
    /// parts are read at the same time, so a service that does not respond leaves the others.
    pub async fn look_at_project(
        &self,
        project_id: &str,
        stacks: Option<&Stacks>,
        limit: ReadLimit,
    ) -> ProjectFacts {
        let env_id = &self.environment.id;
        let (stack_name, pipeline_name) = (
            STACK.prefix(env_id) + project_id,
            PIPELINE.prefix(env_id) + project_id,
        );
        let finding = self.gitops_pipeline.find_child(&stack_name);
        let found = limit.half().read(format!("stack {stack_name}"), finding).await;
        let listed = stacks.and_then(|stacks| stacks.named(&stack_name));
        let mut facts = ProjectFacts {
            project_id: project_id.to_owned(),
            stack_id: listed.map_or_else(|| stack_name.clone(), |listed| listed.id.clone()),
            stack_name,
            pipeline_name,
            child: Fact::of(found),
            owner: OwnerFacts::default(),
            rules: Fact::Absent,
            looked: Fact::Absent,
            pipeline: PipelineFacts::default(),
        };
        let Some(child) = facts.owned() else {
            facts.pipeline = Box::pin(self.look_at_state(&facts.pipeline_name, limit)).await;
            return facts;
        };
        let name = &facts.stack_name;
        let of_pipeline = async {
            if child.has_pipeline {
                self.look_at_state(&facts.pipeline_name, limit).await
            } else {
                PipelineFacts::default()
            }
        };
        let (owner, (rules, looked), pipeline) = tokio::join!(
            Box::pin(self.look_at_owner(name, child, stacks, limit)),
            Box::pin(self.look_at_declared(name, child, limit)),
            Box::pin(of_pipeline),
        );
        ProjectFacts {
            owner,
            rules,
            looked,
            pipeline,
            ..facts
        }
    }

    async fn look_at_owner(
        &self,
        name: &str,
        child: &Child,
        stacks: Option<&Stacks>,
        limit: ReadLimit,
    ) -> OwnerFacts {
        let Some(stacks) = stacks else {
            return OwnerFacts {
                resource: Fact::Known(()),
                stack: None,
            };
        };
        let looking = Box::pin(self.has_owner(name, &child.owner, stacks));
        let is_owned = limit.half().read(format!("the owner of stack {name}"), looking).await;
        OwnerFacts {
            resource: Fact::of(is_owned.map(|is_owned| is_owned.then_some(()))),
            stack: stacks.with_id(&child.owner.stack_id).cloned(),
        }
    }

    /// The event rules come first, so that the failure of another part does not hide what a person
    /// froze.
    async fn look_at_declared(
        &self,
        name: &str,
        child: &Child,
        limit: ReadLimit,
    ) -> (Fact<Vec<DeclaredRule>>, Fact<LookedAt>) {
        if child.settings.is_none() {
            return (Fact::Absent, Fact::Absent);
        }
        let thing = format!("the event rules of stack {name}");
        let rules = limit.half().read(thing, self.look_at_rules(child)).await;
        let found = rules.as_deref().unwrap_or_default();
        let looking = Box::pin(self.look_at_pipeline(name, child, found));
        let looked = limit.half().read(format!("the parts of stack {name}"), looking).await;
        (Fact::of(rules.map(Some)), Fact::of(looked.map(Some)))
    }

    async fn look_at_state(&self, pipeline: &str, limit: ReadLimit) -> PipelineFacts {
        let aws = &self.clients.aws;
        let state = executions::state(aws, pipeline);
        let state = limit.half().read(format!("the state of {pipeline}"), state).await;
        let listing = health::list_executions(aws, pipeline);
        let listed = limit.half().read(format!("the executions of {pipeline}"), listing).await;
        let executions = Fact::of(listed);
        let end = match executions.known() {
            Some(listed) => {
                let looking =
                    async { Ok::<_, CallError>(health::latest_end(aws, pipeline, listed).await) };
                Fact::of(limit.half().read(format!("the end of {pipeline}"), looking).await)
            }
            None => Fact::Absent,
        };
        PipelineFacts {
            state: Fact::of(state),
            executions,
            end,
        }
    }
}
