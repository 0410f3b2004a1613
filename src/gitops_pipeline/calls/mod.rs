//! Calls that start an operation on a child stack. Each has a token. CloudFormation starts the
//! operation once, even if the call is repeated. The stack's status and events show the result.

pub mod approval_rule;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use crate::clients::aws::{ActionError, Aws, CallError};

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

pub struct StackCall<'a> {
    pub aws: &'a Aws,
    pub name: &'a str,
    /// The ID of the observed stack. A later stack of the same name has another one.
    pub id: &'a str,
    /// The role with which CloudFormation changes the stack.
    pub role_arn: &'a str,
    pub token: String,
}

impl StackCall<'_> {
    /// Cancels an update, which CloudFormation then rolls back.
    pub async fn cancel_update(self) -> Result<OperationStart, CallError> {
        let call = self.aws.cloudformation.cancel_update_stack();
        let call = call.stack_name(self.id).client_request_token(self.token);
        let doing = format!("cancelling the update of stack {}", self.id);
        into_start(doing, call.send().await)
    }

    pub async fn delete(self) -> Result<OperationStart, CallError> {
        let call = self.aws.cloudformation.delete_stack();
        let call = call.stack_name(self.id).role_arn(self.role_arn);
        let sent = call.client_request_token(self.token).send().await;
        into_start(format!("deleting stack {}", self.id), sent)
    }
}

/// The response to the start of an operation, which `doing` describes.
pub fn into_start<T, E: ActionError>(
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
