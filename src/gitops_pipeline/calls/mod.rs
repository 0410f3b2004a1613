//! Calls that start an operation on a child stack. Each has a token. CloudFormation starts the
//! operation once, even if the call is repeated. The stack's status and events show the result.

pub mod approval_rule;

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{OnFailure, Parameter, Tag};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::template;
use crate::clients::aws::{Aws, CallError};

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
pub struct Content {
    /// The template as it is sent.
    pub template: String,
    /// Values of its parameters.
    pub parameters: BTreeMap<&'static str, String>,
    /// The stack's own tags.
    pub tags: BTreeMap<String, String>,
}

impl Content {
    fn parameters(&self) -> Vec<Parameter> {
        let parameters = self.parameters.iter().map(|(key, value)| {
            let parameter = Parameter::builder().parameter_key(*key);
            parameter.parameter_value(value).build()
        });
        parameters.collect()
    }

    fn tags(&self) -> Vec<Tag> {
        let tags = self.tags.iter();
        tags.map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect()
    }
}

/// Starts one operation on a child stack.
pub struct StackCall<'a> {
    pub aws: &'a Aws,
    pub name: &'a str,
    /// The ID of the observed stack. A later stack of the same name has another one.
    pub id: &'a str,
    /// The role with which CloudFormation changes the stack.
    pub role_arn: &'a str,
    /// The operation's token.
    pub token: String,
}

impl StackCall<'_> {
    /// Creates the stack. If the creation fails, CloudFormation deletes the resources and keeps the
    /// stack, whose events contain the reason.
    pub async fn create(self, content: &Content) -> Result<OperationStart, CallError> {
        let call = self
            .aws
            .cloudformation
            .create_stack()
            .stack_name(self.name)
            .template_body(&content.template)
            .set_parameters(Some(content.parameters()))
            .set_tags(Some(content.tags()))
            .role_arn(self.role_arn)
            .on_failure(OnFailure::Rollback)
            .client_request_token(self.token);
        match call.send().await.map(|output| output.stack_id) {
            Ok(Some(id)) => Ok(OperationStart::Creating(id)),
            other => into_start(format!("creating stack {}", self.name), other),
        }
    }

    pub async fn update(self, content: &Content) -> Result<OperationStart, CallError> {
        let call = self
            .aws
            .cloudformation
            .update_stack()
            .stack_name(self.name)
            .template_body(&content.template)
            .set_parameters(Some(content.parameters()))
            .set_tags(Some(content.tags()))
            .role_arn(self.role_arn)
            .client_request_token(self.token);
        into_start(format!("updating stack {}", self.name), call.send().await)
    }

    /// Adds the pipeline after the first push of the branch. Changes only this one of the stack's
    /// `parameters`.
    pub async fn add_pipeline(
        self,
        parameters: &BTreeMap<String, String>,
    ) -> Result<OperationStart, CallError> {
        let parameters = parameters.keys().map(|key| {
            let parameter = Parameter::builder().parameter_key(key);
            if key == template::BRANCH_EXISTS {
                parameter.parameter_value("true").build()
            } else {
                parameter.use_previous_value(true).build()
            }
        });
        let call = self
            .aws
            .cloudformation
            .update_stack()
            .stack_name(self.id)
            .use_previous_template(true)
            .set_parameters(Some(parameters.collect()))
            .role_arn(self.role_arn)
            .client_request_token(self.token);
        into_start(format!("updating stack {}", self.id), call.send().await)
    }

    /// Cancels an update, which CloudFormation then rolls back.
    pub async fn cancel_update(self) -> Result<OperationStart, CallError> {
        let call = self.aws.cloudformation.cancel_update_stack();
        let call = call.stack_name(self.id).client_request_token(self.token);
        let doing = format!("cancelling the update of stack {}", self.id);
        into_start(doing, call.send().await)
    }

    /// Continues a rollback that failed.
    pub async fn continue_rollback(self) -> Result<OperationStart, CallError> {
        let call = self.aws.cloudformation.continue_update_rollback();
        let call = call.stack_name(self.id).role_arn(self.role_arn);
        let sent = call.client_request_token(self.token).send().await;
        into_start(
            format!("continuing the rollback of stack {}", self.id),
            sent,
        )
    }

    pub async fn delete(self) -> Result<OperationStart, CallError> {
        let call = self.aws.cloudformation.delete_stack();
        let call = call.stack_name(self.id).role_arn(self.role_arn);
        let sent = call.client_request_token(self.token).send().await;
        into_start(format!("deleting stack {}", self.id), sent)
    }
}

fn into_start<T, E: ProvideErrorMetadata>(
    doing: String,
    result: Result<T, SdkError<E, HttpResponse>>,
) -> Result<OperationStart, CallError> {
    let Err(error) = result else {
        return Ok(OperationStart::Started);
    };
    let error = CallError::new(doing, &error);
    // CloudFormation has no error code for this, only a message.
    if error.is_invalid() && error.cause.contains("No updates are to be performed") {
        return Ok(OperationStart::NoChange);
    }
    // The response to an earlier attempt was lost, or a peer started the operation first.
    let rejected = [
        "ValidationError",
        "AlreadyExistsException",
        "TokenAlreadyExistsException",
        "TokenAlreadyExists",
    ];
    if error.has_code(&rejected) {
        return Ok(OperationStart::Rejected(error));
    }
    Err(error)
}
