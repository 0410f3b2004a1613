//! Calls that start an operation on a child stack. Each has a token. CloudFormation starts the
//! operation once, even if the call is repeated. The stack's status and events show the result.

pub mod approval_rule;

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{OnFailure, Parameter, Tag};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::state::ChildStack;
use super::template;
use crate::aws::{Aws, CallError};

/// Maximum size of a template in the call itself.
pub const MAX_TEMPLATE_BYTES: usize = 51_200;

/// CloudFormation's response to the start of an operation.
#[derive(Debug)]
pub enum OperationStart {
    /// The operation runs, or has already ended.
    Started,
    /// The same for a creation, with the ID of the stack that it creates.
    Creating(String),
    /// The stack already has the content.
    NoChange,
    /// CloudFormation rejected the operation: the stack's status has changed, or its description
    /// was out of date. The error fails the request if the status stays the same.
    Rejected(CallError),
}

/// The content of the child stack.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// `gitops-<EnvID>-<ProjectID>`
    pub stack_name: &'a str,
    /// The template as it is sent.
    pub template: &'a str,
    /// Values of its parameters.
    pub parameters: &'a BTreeMap<&'static str, String>,
    /// The stack's own tags.
    pub tags: &'a BTreeMap<String, String>,
    /// The role with which CloudFormation changes the stack.
    pub role_arn: &'a str,
}

/// Starts to create the stack. If the creation fails, CloudFormation deletes the resources and
/// keeps the stack, whose events contain the reason.
pub async fn create(
    aws: &Aws,
    content: &Content<'_>,
    token: String,
) -> Result<OperationStart, CallError> {
    let call = aws
        .cloudformation
        .create_stack()
        .stack_name(content.stack_name)
        .template_body(content.template)
        .set_parameters(Some(parameters(content)))
        .set_tags(Some(tags(content)))
        .role_arn(content.role_arn)
        .on_failure(OnFailure::Rollback)
        .client_request_token(token);
    let answer = call.send().await;
    let id = answer
        .as_ref()
        .ok()
        .and_then(|output| output.stack_id.clone());
    let doing = format!("creating stack {}", content.stack_name);
    let start = into_start(doing, answer.map(drop))?;
    Ok(match id {
        Some(id) => OperationStart::Creating(id),
        None => start,
    })
}

/// Starts an update of the stack.
pub async fn update(
    aws: &Aws,
    content: &Content<'_>,
    token: String,
) -> Result<OperationStart, CallError> {
    let call = aws
        .cloudformation
        .update_stack()
        .stack_name(content.stack_name)
        .template_body(content.template)
        .set_parameters(Some(parameters(content)))
        .set_tags(Some(tags(content)))
        .role_arn(content.role_arn)
        .client_request_token(token);
    into_start(
        format!("updating stack {}", content.stack_name),
        call.send().await.map(drop),
    )
}

/// Starts the update after the first push of the branch. It changes only the parameter.
pub async fn announce_branch(
    aws: &Aws,
    child: &ChildStack,
    role_arn: &str,
    token: String,
) -> Result<OperationStart, CallError> {
    let parameters = child.parameters.keys().map(|key| {
        let parameter = Parameter::builder().parameter_key(key);
        if key == template::BRANCH_EXISTS {
            parameter.parameter_value("true").build()
        } else {
            parameter.use_previous_value(true).build()
        }
    });
    let call = aws
        .cloudformation
        .update_stack()
        .stack_name(&child.id)
        .use_previous_template(true)
        .set_parameters(Some(parameters.collect()))
        .role_arn(role_arn)
        .client_request_token(token);
    into_start(
        format!("updating stack {}", child.id),
        call.send().await.map(drop),
    )
}

/// Cancels an update, which CloudFormation then rolls back.
pub async fn cancel_update(
    aws: &Aws,
    child: &ChildStack,
    token: String,
) -> Result<OperationStart, CallError> {
    let call = aws
        .cloudformation
        .cancel_update_stack()
        .stack_name(&child.id)
        .client_request_token(token);
    into_start(
        format!("cancelling the update of stack {}", child.id),
        call.send().await.map(drop),
    )
}

/// Continues a rollback that failed.
pub async fn continue_rollback(
    aws: &Aws,
    child: &ChildStack,
    role_arn: &str,
    token: String,
) -> Result<OperationStart, CallError> {
    let call = aws
        .cloudformation
        .continue_update_rollback()
        .stack_name(&child.id)
        .role_arn(role_arn)
        .client_request_token(token);
    into_start(
        format!("continuing the rollback of stack {}", child.id),
        call.send().await.map(drop),
    )
}

/// Starts to delete the stack with this ID. A later stack of the same name stays.
pub async fn delete(
    aws: &Aws,
    child: &ChildStack,
    role_arn: &str,
    token: String,
) -> Result<OperationStart, CallError> {
    let call = aws
        .cloudformation
        .delete_stack()
        .stack_name(&child.id)
        .role_arn(role_arn)
        .client_request_token(token);
    into_start(
        format!("deleting stack {}", child.id),
        call.send().await.map(drop),
    )
}

fn into_start<E>(
    doing: String,
    result: Result<(), SdkError<E, HttpResponse>>,
) -> Result<OperationStart, CallError>
where
    E: ProvideErrorMetadata,
{
    let Err(error) = result else {
        return Ok(OperationStart::Started);
    };
    let error = CallError::new(doing, &error);
    match error.code.as_deref() {
        // CloudFormation has no error code for this, only a message.
        Some("ValidationError") if error.cause.contains("No updates are to be performed") => {
            Ok(OperationStart::NoChange)
        }
        // The response to an earlier attempt was lost, or a peer started the operation first.
        Some(
            "ValidationError"
            | "AlreadyExistsException"
            | "TokenAlreadyExistsException"
            | "TokenAlreadyExists",
        ) => Ok(OperationStart::Rejected(error)),
        _ => Err(error),
    }
}

fn parameters(content: &Content<'_>) -> Vec<Parameter> {
    let parameters = content.parameters.iter().map(|(key, value)| {
        Parameter::builder()
            .parameter_key(*key)
            .parameter_value(value)
            .build()
    });
    parameters.collect()
}

fn tags(content: &Content<'_>) -> Vec<Tag> {
    let tags = content
        .tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect()
}
