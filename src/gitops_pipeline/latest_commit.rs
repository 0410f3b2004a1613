//! Seeing to it that a pipeline has its branch's newest commit.
//!
//! A new pipeline takes it by itself, and after that the rule starts it with what is pushed. In
//! between, a push is told to nobody. Of an image the function knows nothing: one that is pushed in
//! between waits for the next execution.

use aws_sdk_codepipeline::types::{SourceRevisionOverride, SourceRevisionType};

use super::backoff::Backoff;
use super::names::ResourceNames;
use super::source::{Lookup, Source};
use crate::aws::{Aws, CallError};
use crate::ownership;
use crate::reason_codes::Code;

/// The action that takes the code.
const SOURCE_ACTION: &str = "Source";

/// An execution that the rule has started is listed by then.
const LOOKS_FOR_THE_RULES: u32 = 8;

/// The newest commit of a pipeline's branch.
pub struct LatestCommit<'a> {
    pipeline_name: String,
    source: &'a Source,
    branch: &'a str,
    /// A commit that was pushed to it, for where the other account does not show the newest.
    pushed: Option<&'a str>,
}

/// What to do if no execution lists its commit before the time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfUnlisted {
    /// Start an execution: the pushed commit must run.
    Start,
    /// Return: the pipeline's first execution takes the latest commit.
    Skip,
}

/// Whether an execution has a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Executed {
    Yes,
    No,
    /// None is listed yet, or one has not taken its source yet.
    NotKnown,
}

impl<'a> LatestCommit<'a> {
    /// Of the branch that the pipeline of `names` takes.
    pub fn new(names: &ResourceNames, source: &'a Source, branch: &'a str) -> Self {
        LatestCommit {
            pipeline_name: names.pipeline(),
            source,
            branch,
            pushed: None,
        }
    }

    /// The same, knowing of this push.
    pub fn with_push(self, commit: Option<&'a str>) -> Self {
        LatestCommit {
            pushed: commit,
            ..self
        }
    }

    /// Waits until an execution has it, and starts one when none will. Answers whether it had to.
    pub async fn ensure_executed(
        &self,
        aws: &Aws,
        if_unlisted: IfUnlisted,
    ) -> Result<bool, CallError> {
        let mut backoff = Backoff::default();
        let mut absent = 0;
        loop {
            let tip = match self.source.branch_tip(self.branch).await? {
                Lookup::Found(tip) => tip,
                Lookup::Denied(_) => self.pushed.map(ToOwned::to_owned),
            };
            // What nobody shows is left to the pipeline's own first execution.
            let Some(commit) = tip else {
                return Ok(false);
            };
            match self.execution_status(aws, &commit).await? {
                Executed::Yes => return Ok(false),
                Executed::No => absent += 1,
                Executed::NotKnown => {}
            }
            // The rule may be starting one at this moment.
            let nobody_does = absent >= LOOKS_FOR_THE_RULES;
            let gives_up = !backoff.may_poll();
            if nobody_does || (gives_up && if_unlisted == IfUnlisted::Start) {
                self.start(aws, &commit).await?;
                return Ok(true);
            }
            if gives_up
                || (absent == 0 && if_unlisted == IfUnlisted::Skip && backoff.is_past_half())
            {
                return Ok(false);
            }
            backoff.pause().await;
        }
    }

    async fn execution_status(&self, aws: &Aws, commit: &str) -> Result<Executed, CallError> {
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
