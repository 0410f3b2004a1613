//! A branch's first push: there is something to run now, so the pipeline is made.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::backoff::Backoff;
use super::calls;
use super::calls::OperationStart;
use super::latest_commit::{IfUnlisted, LatestCommit};
use super::names::{AwsLocation, ResourceNames};
use super::observe;
use super::observe::ChildStack;
use super::source::{Lookup, Retry, Source};
use super::spec::{CrossAccount, RepositoryRef};
use super::{GitOpsPipeline, request_token, template};
use crate::aws::CallError;
use crate::codecommit;
use crate::reason_codes::Code;
use cfn_custom_resource::{Reason, ReasonCode};

/// A push of a branch that a child stack waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstPush {
    /// The name of the child stack that waits. `None` if the event does not contain it: then it is
    /// the stack that created the repository.
    stack_name: Option<String>,
    /// The repository's ARN, when the event has it: two accounts may have the same names.
    repository_arn: Option<String>,
    repository_name: String,
    branch: String,
    commit: Option<String>,
    /// Whether an event reported the push. Otherwise the branch has to be looked up.
    is_reported: bool,
}

/// A child stack, as the health check sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The ID of the stack whose resource owns it.
    pub owner_stack_id: String,
    /// The first push of its branch, if the stack waits for one.
    pub waits_for: Option<FirstPush>,
}

/// What the rule of a child stack without a pipeline adds to EventBridge's event.
#[derive(Deserialize)]
struct Addition {
    #[serde(rename = "StackName")]
    stack_name: Option<String>,
}

/// <https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html>
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    event: String,
    repository_name: String,
    reference_type: String,
    reference_name: String,
    /// Text. Whatever else stands here, it is a push.
    #[serde(default)]
    commit_id: Value,
}

/// What became of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// The pipeline is there and has the commit, or a later one.
    Pipeline {
        /// Its name.
        name: String,
        /// Whether an execution had to be started beside the pipeline's own first one.
        by_hand: bool,
    },
    /// No stack of this function's waits for it.
    Nothing {
        /// Why not.
        because: String,
    },
}

/// Why the pipeline could not be made. Lambda delivers the event again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("telling stack {stack_name} of its branch's first push: {cause}")]
pub struct NotStarted {
    stack_name: String,
    cause: Reason,
}

impl NotStarted {
    pub(crate) fn code(&self) -> ReasonCode {
        self.cause.code
    }
}

impl FirstPush {
    /// Reads the event, or `None` when it is something else: of another service, or about a tag
    /// or a deletion.
    pub fn parse(event: &str) -> Option<Self> {
        let Addition { stack_name } = serde_json::from_str(event).ok()?;
        let event: EventBridgeEvent<Detail> = serde_json::from_str(event).ok()?;
        let (resources, detail) = (event.resources.unwrap_or_default(), event.detail);
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let is_push = event.source == "aws.codecommit"
            && matches!(
                detail.event.as_str(),
                "referenceCreated" | "referenceUpdated"
            )
            && detail.reference_type == "branch";
        is_push.then_some(FirstPush {
            stack_name,
            // The repository's ARN, in a list.
            repository_arn: resources.into_iter().next(),
            repository_name: detail.repository_name,
            branch: detail.reference_name,
            commit: text(&detail.commit_id),
            is_reported: true,
        })
    }

    /// The push that `child`, the stack `stack_name`, waits for. It may have happened: EventBridge
    /// does not deliver every event, and a rule exists a moment later than its stack.
    fn missed_by(child: &ChildStack, stack_name: &str) -> Option<Self> {
        if !child.is_settled() || child.has_pipeline() {
            return None;
        }
        Some(FirstPush {
            stack_name: Some(stack_name.to_owned()),
            repository_arn: None,
            repository_name: child.outputs.get(template::REPOSITORY_OUTPUT)?.clone(),
            branch: child.outputs.get(template::BRANCH_OUTPUT)?.clone(),
            commit: None,
            is_reported: false,
        })
    }

    /// The branch, for the log.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// The child stack that waits for it.
    pub fn stack_name(&self) -> Option<String> {
        self.names().map(|names| names.stack())
    }

    /// Whether it is the push that `child` deploys.
    fn is_about(&self, child: &ChildStack) -> bool {
        let is = |output: &str, value: &str| {
            let output = child.outputs.get(output);
            output.is_none_or(|output| output == value)
        };
        is(template::REPOSITORY_OUTPUT, &self.repository_name)
            && is(template::BRANCH_OUTPUT, &self.branch)
            && self.is_where(child)
    }

    /// Whether it is in the account that `child` takes its code from.
    fn is_where(&self, child: &ChildStack) -> bool {
        let Some(arn) = &self.repository_arn else {
            return true;
        };
        match child.outputs.get(template::SOURCE_ARN_OUTPUT) {
            Some(cross_account) => cross_account == arn,
            None => AwsLocation::from_arn(arn) == AwsLocation::from_arn(&child.id),
        }
    }

    /// The repository that was pushed to, which is the one that `child` takes its code from.
    fn repository(&self, child: &ChildStack) -> RepositoryRef {
        let output = |name: &str| child.outputs.get(name).cloned();
        let arn = output(template::SOURCE_ARN_OUTPUT);
        let role_arn = output(template::SOURCE_ROLE_OUTPUT);
        let cross_account = arn.zip(role_arn);
        RepositoryRef {
            name: self.repository_name.clone(),
            cross_account: cross_account.map(|(repository_arn, role_arn)| CrossAccount {
                repository_arn,
                role_arn,
            }),
        }
    }

    fn names(&self) -> Option<ResourceNames> {
        match &self.stack_name {
            Some(name) => ResourceNames::from_stack_name(name),
            None => ResourceNames::from_repository_name(&self.repository_name),
        }
    }
}

impl GitOpsPipeline {
    /// Looks up the child stack `stack_name`. `None` if it does not exist, or no resource owns it.
    ///
    /// # Errors
    /// If CloudFormation does not describe it.
    pub async fn look_up_child(&self, stack_name: &str) -> Result<Option<Child>, CallError> {
        let found = observe::describe(&self.aws, stack_name).await?;
        let child = found.map(|stack| observe::described(stack, stack_name));
        Ok(child.and_then(|child| {
            Some(Child {
                waits_for: FirstPush::missed_by(&child, stack_name),
                owner_stack_id: child.owner?.stack_id,
            })
        }))
    }

    /// Makes the pipeline that waits for `push`, and sees to it that it runs with what was pushed.
    ///
    /// # Errors
    /// When the stack could not be changed, or AWS did not answer.
    pub async fn start(&self, push: &FirstPush) -> Result<Started, NotStarted> {
        let Some(names) = push.names() else {
            let because = "it names no stack of a pipeline".to_owned();
            return Ok(Started::Nothing { because });
        };
        let not_started = |cause: Reason| NotStarted {
            stack_name: names.stack(),
            cause,
        };
        let source = match Box::pin(self.announce(push, &names)).await {
            Ok(Announced::ToStack(source)) => source,
            Ok(Announced::ToNobody(because)) => return Ok(Started::Nothing { because }),
            Err(error) => return Err(not_started(error)),
        };
        self.run(push, &source, &names)
            .await
            .map_err(|error| not_started(error.reason()))
    }

    /// Tells the stack that its branch is there, and waits until it has a pipeline.
    async fn announce(&self, push: &FirstPush, names: &ResourceNames) -> Result<Announced, Reason> {
        let aws = &self.aws;
        let stack_name = &names.stack();
        let said = |error: CallError| error.reason();
        let token = request_token::of_first_push();
        let mut backoff = Backoff::default();
        let mut seen: Option<ChildStack> = None;
        let mut opened: Option<Source> = None;
        loop {
            let child = match observe::observe(aws, stack_name, seen.as_ref()).await {
                Ok(child) => child,
                Err(error) => {
                    backoff.retry(error).await.map_err(said)?;
                    continue;
                }
            };
            backoff.observe(child.as_ref());
            let Some(child) = child.filter(|child| child.owner.is_some()) else {
                let because = format!("there is no stack {stack_name} of this function's");
                return Ok(Announced::ToNobody(because));
            };
            let status = child.status.as_str();
            if status.starts_with("DELETE") {
                let because = format!("stack {stack_name} is being deleted");
                return Ok(Announced::ToNobody(because));
            }
            if child.is_settled() {
                if child.latest_token.as_ref() == Some(&token) && !child.has_pipeline() {
                    let is_this = |of: Option<&str>| of == Some(token.as_str());
                    let reason = observe::first_failure(aws, &child, is_this).await;
                    return Err(
                        reason.map_or_else(said, |reason| Reason::new(Code::StackFailed, reason))
                    );
                }
                if !push.is_about(&child) {
                    let because = format!("stack {stack_name} deploys something else");
                    return Ok(Announced::ToNobody(because));
                }
                let source = if let Some(source) = &opened {
                    source
                } else {
                    let repository = push.repository(&child);
                    let source = Source::open(aws, names, Some(&repository), Retry::No).await;
                    opened.insert(source.map_err(said)?)
                };
                if child.has_pipeline() {
                    return Ok(Announced::ToStack(source.clone()));
                }
                let tip = source.branch_tip(&push.branch).await;
                let because = match tip.map_err(said)? {
                    Lookup::Found(None) => Some("is not there any more"),
                    Lookup::Denied(_) if !push.is_reported => Some("cannot be looked up"),
                    _ => None,
                };
                if let Some(because) = because {
                    let because = format!("branch {} {because}", push.branch);
                    return Ok(Announced::ToNobody(because));
                }
                let Some(location) = AwsLocation::from_arn(&child.id) else {
                    return Err(Reason::new(Code::InternalError, "its id is not an ARN"));
                };
                let role_arn = location.role(&names.provisioning_role());
                tracing::info!(pipeline_stack = stack_name, "the branch is there");
                match calls::announce_branch(aws, &child, &role_arn, token.clone()).await {
                    Ok(
                        OperationStart::Started
                        | OperationStart::Creating(_)
                        | OperationStart::NoChange,
                    ) => {}
                    Ok(OperationStart::Rejected(error)) => {
                        backoff.retry_refusal(Some(&child), error).map_err(said)?;
                    }
                    Err(error) => backoff.retry(error).await.map_err(said)?,
                }
            } else if !child.is_in_progress() {
                return Err(Reason::new(
                    Code::StackUnchangeable,
                    format!("it is {status}"),
                ));
            }
            seen = Some(child);
            backoff.pause().await;
        }
    }

    /// Sees to it that the pipeline has what was pushed, or what was pushed since.
    async fn run(
        &self,
        push: &FirstPush,
        source: &Source,
        names: &ResourceNames,
    ) -> Result<Started, CallError> {
        let branch = &push.branch;
        // A repository that somebody gave is not ours to turn to another branch.
        if source.is_own() && source.name() == names.repository() {
            let client = &self.aws.codecommit;
            codecommit::set_default_branch(client, source.name(), branch).await?;
        }
        let newest = LatestCommit::new(names, source, branch).with_push(push.commit.as_deref());
        Ok(Started::Pipeline {
            name: names.pipeline(),
            by_hand: newest.ensure_executed(&self.aws, IfUnlisted::Start).await?,
        })
    }
}

/// Whether a stack was told that its branch is there.
enum Announced {
    ToStack(Source),
    ToNobody(String),
}

#[cfg(test)]
mod tests;
