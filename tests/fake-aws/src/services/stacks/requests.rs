//! The parts of requests and of responses that several calls have.

use serde_json::Value;

use crate::{
    services::stacks::{
        SeenTokens, Stacks,
        stack::Stack,
        template::{self, Parameters},
    },
    world::{AwsError, Call, World, rejected},
};

/// The content of an operation's result. `None` for an operation without one.
pub type OperationResult = Result<Option<String>, AwsError>;

/// Finds the stack of an operation, with the error of all but `DescribeStacks` if it is missing.
pub fn existing<'a>(stacks: &'a Stacks, call: &Call) -> Result<&'a Stack, AwsError> {
    let wanted = call.needed("StackName");
    let found = stacks.find(wanted);
    found.ok_or_else(|| invalid(format!("Stack [{wanted}] does not exist")))
}

/// The result of a repeated token: the ID of the first response, or an error.
pub fn seen_token(stacks: &Stacks, world: &World, call: &Call) -> OperationResult {
    let Some(token) = call.text("ClientRequestToken") else {
        return Ok(None);
    };
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if token.is_empty() || token.len() > 128 || token.starts_with('-') || !token.chars().all(sound)
    {
        return Err(invalid(
            "1 validation error detected: Value at 'clientRequestToken' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*",
        ));
    }
    let Some((operation, id)) = stacks.tokens.get(token) else {
        return Ok(None);
    };
    if *operation == call.operation && world.options.seen_tokens == SeenTokens::SameAnswer {
        return Ok(Some(id.clone()));
    }
    let message = format!(
        "The client request token {token} has already been used for this stack. Retry the request \
         with a different client request token"
    );
    Err(rejected("TokenAlreadyExistsException", message))
}

pub fn token_of(call: &Call) -> Option<String> {
    call.text("ClientRequestToken").map(str::to_owned)
}

pub fn remember_token(stacks: &mut Stacks, call: &Call, id: &str) {
    if let Some(token) = token_of(call) {
        let operation = call.operation.clone();
        stacks.tokens.insert(token, (operation, id.to_owned()));
    }
}

/// The product acts with a role of its own; without one CloudFormation would act with the
/// caller's rights, which are not enough.
///
/// A role that IAM has not propagated yet is a `ValidationError`, as recorded in
/// <https://github.com/hashicorp/terraform-provider-aws/issues/22834>.
pub fn role(world: &mut World, call: &Call) -> OperationResult {
    let role = call.text("RoleARN").map(str::to_owned);
    if role.is_none() {
        world.complaints.push(format!("{} without a RoleARN", call.operation));
    }
    match role {
        Some(role) if world.now < world.roles_from => Err(invalid(format!(
            "Role {role} is invalid or cannot be assumed"
        ))),
        role => Ok(role),
    }
}

pub fn template(call: &Call) -> Result<Option<Value>, AwsError> {
    let Some(body) = call.text("TemplateBody") else {
        return Ok(None);
    };
    if body.len() > template::LONGEST {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: \
             Member must have length less than or equal to {}",
            template::LONGEST
        )));
    }
    serde_json::from_str(body)
        .map(Some)
        .map_err(|_| invalid("Template format error: JSON not well-formed."))
}

pub fn parameters(call: &Call, before: &Parameters) -> Result<Parameters, AwsError> {
    let mut all = Parameters::new();
    for index in 1.. {
        let part = |name: &str| call.text(&format!("Parameters.member.{index}.{name}"));
        let Some(key) = part("ParameterKey") else {
            break;
        };
        let value = if part("UsePreviousValue") == Some("true") {
            before.get(key).cloned()
        } else {
            part("ParameterValue").map(str::to_owned)
        };
        let Some(value) = value else {
            return Err(invalid(format!("Parameters: [{key}] must have values")));
        };
        all.insert(key.to_owned(), value);
    }
    Ok(all)
}

pub fn invalid(message: impl Into<String>) -> AwsError {
    rejected("ValidationError", message)
}

pub const NO_TEMPLATE: &str = "Either Template URL or Template Body must be specified.";

/// Rejects the name of a stack or of a change set.
pub fn check_name(name: &str, parameter: &str) -> Result<(), AwsError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins && name.len() <= 128 && name.chars().all(allowed) {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at '{parameter}' failed to satisfy \
         constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    )))
}

/// The error of an operation that needs another status of the stack.
pub fn not_updatable(stack: &Stack) -> AwsError {
    let Stack { id, status, .. } = stack;
    // The texts: <https://github.com/ansible-collections/amazon.aws/issues/1655>,
    // <https://github.com/aws/aws-cli/issues/6216>
    invalid(if stack.accepts("RollbackStack") {
        format!(
            "This stack is currently in a non-terminal [{status}] state. To update the stack from this state, \
             please use the disable-rollback parameter with update-stack API. To rollback to the last known \
             good state, use the rollback-stack API"
        )
    } else {
        format!("Stack:{id} is in {status} state and can not be updated.")
    })
}

/// Whether a parameter has `NoEcho`.
pub(crate) fn hides(template: &Value, parameter: &str) -> bool {
    plain(&template["Parameters"][parameter]["NoEcho"]).as_deref() == Some("true")
}

pub fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
