//! Seeing to it that a pipeline has its branch's newest commit.
//!
//! A new pipeline takes it by itself, and after that the rule starts it with what is pushed. In
//! between, a push is told to nobody. Of an image the function knows nothing: one that is pushed in
//! between waits for the next execution.

use aws_sdk_codepipeline::types::{SourceRevisionOverride, SourceRevisionType};

use super::backoff::Patience;
use super::names::Names;
use super::source::{Seen, Source};
use crate::aws::{Aws, CallError};
use crate::ownership;
use crate::reason_codes::Code;

/// The action that takes the code.
const SOURCE_ACTION: &str = "Source";

/// An execution that the rule has started is listed by then.
const LOOKS_FOR_THE_RULES: u32 = 8;

/// The newest commit of a pipeline's branch.
pub struct Newest<'a> {
    pipeline_name: String,
    source: &'a Source,
    branch: &'a str,
    /// A commit that was pushed to it, for where the other account does not show the newest.
    pushed: Option<&'a str>,
}

/// What to do when the pipeline's executions do not tell for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// Start one: what is pushed must run.
    IsStarted,
    /// Leave it: the pipeline's own first execution takes the newest commit.
    IsLeft,
}

/// Whether an execution has a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Executed {
    Yes,
    No,
    /// None is listed yet, or one has not taken its source yet.
    NotKnown,
}

impl<'a> Newest<'a> {
    /// Of the branch that the pipeline of `names` takes.
    pub fn of(names: &Names, source: &'a Source, branch: &'a str) -> Self {
        Newest {
            pipeline_name: names.pipeline(),
            source,
            branch,
            pushed: None,
        }
    }

    /// The same, knowing of this push.
    pub fn with_push(self, commit: Option<&'a str>) -> Self {
        Newest {
            pushed: commit,
            ..self
        }
    }

    /// Waits until an execution has it, and starts one when none will. Answers whether it had to.
    pub async fn see_to(&self, aws: &Aws, unlisted: Unlisted) -> Result<bool, CallError> {
        let mut patience = Patience::default();
        let mut absent = 0;
        loop {
            let tip = match self.source.branch_tip(self.branch).await? {
                Seen::Shown(tip) => tip,
                Seen::Hidden(_) => self.pushed.map(ToOwned::to_owned),
            };
            // What nobody shows is left to the pipeline's own first execution.
            let Some(commit) = tip else {
                return Ok(false);
            };
            match self.has_executed(aws, &commit).await? {
                Executed::Yes => return Ok(false),
                Executed::No => absent += 1,
                Executed::NotKnown => {}
            }
            // The rule may be starting one at this moment.
            let nobody_does = absent >= LOOKS_FOR_THE_RULES;
            let gives_up = !patience.goes_on();
            if nobody_does || (gives_up && unlisted == Unlisted::IsStarted) {
                self.start(aws, &commit).await?;
                return Ok(true);
            }
            if gives_up || (absent == 0 && unlisted == Unlisted::IsLeft && patience.is_past_half())
            {
                return Ok(false);
            }
            patience.pause().await;
        }
    }

    async fn has_executed(&self, aws: &Aws, commit: &str) -> Result<Executed, CallError> {
        let name = &self.pipeline_name;
        let call = aws
            .codepipeline
            .list_pipeline_executions()
            .pipeline_name(name);
        let output = call.send().await.map_err(|error| {
            CallError::new(format!("listing the executions of pipeline {name}"), &error)
        })?;
        let executions = output.pipeline_execution_summaries.unwrap_or_default();
        // A pipeline has a first execution, if not here yet.
        let mut is_known = !executions.is_empty();
        for execution in executions {
            // An image beside the code is taken sooner, and says nothing of it.
            let mut code = execution
                .source_revisions()
                .iter()
                .filter(|revision| revision.action_name() == SOURCE_ACTION)
                .peekable();
            let runs = execution
                .status()
                .is_some_and(|status| status.as_str() == "InProgress");
            let is_taken = code.peek().is_some();
            if code.any(|revision| revision.revision_id() == Some(commit)) {
                return Ok(Executed::Yes);
            }
            if !is_taken && runs {
                is_known = false;
            }
        }
        Ok(if is_known {
            Executed::No
        } else {
            Executed::NotKnown
        })
    }

    async fn start(&self, aws: &Aws, commit: &str) -> Result<(), CallError> {
        let name = &self.pipeline_name;
        let doing = || format!("starting pipeline {name} with commit {commit}");
        let revision = SourceRevisionOverride::builder()
            .action_name(SOURCE_ACTION)
            .revision_type(SourceRevisionType::CommitId)
            .revision_value(commit)
            .build()
            .map_err(|error| CallError::local(Code::InternalError, doing(), error.to_string()))?;
        tracing::info!(pipeline = name, commit, "starting by hand");
        let call = aws
            .codepipeline
            .start_pipeline_execution()
            .name(name)
            // The same for everybody who finds it missing: one execution.
            .client_request_token(ownership::key(commit))
            .source_revisions(revision);
        call.send()
            .await
            .map(drop)
            .map_err(|error| CallError::new(doing(), &error))
    }
}
