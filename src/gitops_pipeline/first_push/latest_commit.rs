//! Ensures that a new pipeline runs its branch's latest commit.
//!
//! A new pipeline starts with the latest commit. Afterwards its event rule starts it for each push.
//! A push in between starts no execution. The function does not check images: the next execution
//! uses an image that was pushed in between.

use aws_sdk_codepipeline::types::{SourceRevisionOverride, SourceRevisionType};

use crate::aws::{Aws, CallError};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::source::{Lookup, Source};
use crate::ownership;
use crate::reason_codes::Code;
use crate::reconcile::backoff::Backoff;

/// The action that reads the code.
const SOURCE_ACTION: &str = "Source";

/// Polls after which CodePipeline lists an execution that the event rule started.
const POLLS_FOR_EVENT_RULE: u32 = 8;

/// The latest commit of a pipeline's branch.
pub struct LatestCommit<'a> {
    pipeline_name: String,
    source: &'a Source,
    branch: &'a str,
    /// The commit of the event. It is used if the source account denies the lookup of the branch.
    pushed: Option<&'a str>,
}

/// The action if no execution lists its commit before the timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfUnlisted {
    /// Start an execution: the pushed commit must run.
    Start,
    /// Start none, because the pipeline's first execution uses the latest commit.
    Skip,
}

/// Whether an execution has a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Executed {
    Yes,
    No,
    /// No execution is listed yet, or one has not read its source yet.
    Unknown,
}

impl<'a> LatestCommit<'a> {
    /// The latest commit of `branch`, for the pipeline of `names`.
    pub fn new(names: &ResourceNames, source: &'a Source, branch: &'a str) -> Self {
        LatestCommit {
            pipeline_name: names.pipeline(),
            source,
            branch,
            pushed: None,
        }
    }

    /// Adds the commit of an event.
    pub fn with_push(self, commit: Option<&'a str>) -> Self {
        LatestCommit {
            pushed: commit,
            ..self
        }
    }

    /// Waits until an execution has the commit, and starts one if none has it. Returns whether it
    /// started one.
    pub async fn ensure_executed(
        &self,
        aws: &Aws,
        if_unlisted: IfUnlisted,
    ) -> Result<bool, CallError> {
        let mut backoff = Backoff::<()>::new();
        let mut absent = 0;
        loop {
            let tip = match self.source.branch_tip(self.branch).await? {
                Lookup::Found(tip) => tip,
                Lookup::Denied(_) => self.pushed.map(ToOwned::to_owned),
            };
            // Without a known commit, the pipeline's first execution has to be enough.
            let Some(commit) = tip else {
                return Ok(false);
            };
            match self.execution_status(aws, &commit).await? {
                Executed::Yes => return Ok(false),
                Executed::No => absent += 1,
                Executed::Unknown => {}
            }
            // The event rule may be starting an execution.
            let is_absent = absent >= POLLS_FOR_EVENT_RULE;
            let is_timed_out = !backoff.may_poll();
            if is_absent || (is_timed_out && if_unlisted == IfUnlisted::Start) {
                self.start(aws, &commit).await?;
                return Ok(true);
            }
            if is_timed_out
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
        // CodePipeline starts a first execution of every pipeline.
        let mut is_known = !executions.is_empty();
        for execution in executions {
            // The image action may finish before the source action.
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
            Executed::Unknown
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
        tracing::info!(pipeline = name, commit, "starting an execution");
        let call = aws
            .codepipeline
            .start_pipeline_execution()
            .name(name)
            // All deliveries use the same token, so that one execution starts.
            .client_request_token(ownership::key(commit))
            .source_revisions(revision);
        call.send()
            .await
            .map(drop)
            .map_err(|error| CallError::new(doing(), &error))
    }
}
