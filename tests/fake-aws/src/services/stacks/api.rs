//! CloudFormation's query protocol: parameters in, XML out. Texts of errors are recorded answers
//! of AWS; everything else is from the API Reference.

use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

use crate::{
    services::{
        s3::Buckets,
        stacks::{
            Stack, Stacks, change_set_api, descriptions, operations,
            requests::{
                NO_TEMPLATE, OperationResult, check_name, existing, invalid, not_updatable,
                parameters, remember_token, role, seen_token, template, token_of,
            },
            rollbacks,
            template::{self, Parameters},
        },
    },
    world::{
        ApiResponse, ApiResult, AwsError, Call, Tags, World, element, escaped, rejected, tags,
    },
};

/// Parameters that the fake supports, except for the members of lists.
const KNOWN: &str = "StackName LogicalResourceId ChangeSetName ChangeSetType ClientToken \
    DeploymentMode Description TemplateBody TemplateURL UsePreviousTemplate RoleARN OnFailure \
    ClientRequestToken NextToken Type TypeName Version Parameters. Tags. Capabilities. Filters. \
    StackStatusFilter. ExportName";

pub fn answer(stacks: &mut Stacks, s3: &Buckets, world: &mut World, call: &Call) -> ApiResult {
    for name in call.params.keys() {
        let is_known =
            |known: &str| name == known || (known.ends_with('.') && name.starts_with(known));
        if !KNOWN.split(' ').any(is_known) {
            let operation = &call.operation;
            world.complaints.push(format!("the fake does not know {name} of {operation}"));
        }
    }
    let result = match call.operation.as_str() {
        "CreateStack" => create(stacks, world, call)?,
        "UpdateStack" => update(stacks, world, call)?,
        "DeleteStack" => delete(stacks, world, call)?,
        "CancelUpdateStack" => cancel(stacks, world, call)?,
        "ContinueUpdateRollback" => continue_rollback(stacks, world, call)?,
        "DescribeStacks" => descriptions::describe(stacks, world, call)?,
        "DescribeStackResource" => descriptions::resource(stacks, world, call)?,
        "CreateChangeSet" => change_set_api::create(stacks, s3, world, call)?,
        "DeleteChangeSet" => change_set_api::delete(stacks, world, call)?,
        "DescribeChangeSet" => change_set_api::describe(stacks, world, call)?,
        "ExecuteChangeSet" => change_set_api::execute(stacks, world, call)?,
        "ListChangeSets" => change_set_api::list(stacks, world, call)?,
        "DescribeStackEvents" => descriptions::events(stacks, world, call)?,
        "DescribeEvents" => descriptions::operation_events(stacks, world, call)?,
        "DescribeType" => Some(schema(call)?),
        "ListStackResources" => descriptions::resources(stacks, world, call)?,
        "ListImports" => descriptions::imports(stacks, world, call)?,
        "ListStacks" => descriptions::list(stacks, world, call)?,
        unknown => return Err(world.unknown_operation("cloudformation", unknown)),
    };
    let operation = &call.operation;
    let result = match result {
        Some(result) => element(&format!("{operation}Result"), &as_read(operation, &result)),
        None => String::new(),
    };
    Ok(ApiResponse::xml(format!(
        "<{operation}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">{result}\
         <ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId>\
         </ResponseMetadata></{operation}Response>"
    )))
}

/// The part of a type's schema that lists the permissions of its handlers.
fn schema(call: &Call) -> Result<String, AwsError> {
    const PUBLISHED: &str = include_str!("handlers.json");
    let published: Value = serde_json::from_str(PUBLISHED).expect("JSON");
    let name = call.needed("TypeName");
    let Some(handlers) = published[name].as_object() else {
        let message = format!("The type '{name}' cannot be found.");
        return Err(AwsError::new(404, "TypeNotFoundException", message));
    };
    let handlers = handlers.iter();
    let handlers = handlers.map(|(name, actions)| (name.clone(), json!({"permissions": actions})));
    let handlers: serde_json::Map<_, _> = handlers.collect();
    let schema = json!({"typeName": name, "handlers": handlers}).to_string();
    Ok(element("TypeName", name) + &element("Schema", &escaped(&schema)))
}

/// CloudFormation executes text of any script, but its read calls return `?` for each character
/// beyond ASCII: outputs, tags, parameters, reasons, templates.
/// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/814>
fn as_read(operation: &str, xml: &str) -> String {
    let is_read = ["Describe", "Get", "List"].iter().any(|it| operation.starts_with(it));
    let shown = |c: char| if c.is_ascii() || !is_read { c } else { '?' };
    xml.chars().map(shown).collect()
}

fn create(stacks: &mut Stacks, world: &mut World, call: &Call) -> OperationResult {
    let name = call.needed("StackName").to_owned();
    check_name(&name, "stackName")?;
    if let Some(seen) = seen_token(stacks, world, call)? {
        return Ok(Some(element("StackId", &seen)));
    }
    if stacks.named(&name).is_some() {
        let message = format!("Stack [{name}] already exists");
        return Err(rejected("AlreadyExistsException", message));
    }
    let id = world.next_id();
    let mut stack = Stack::bare(&name, &id, world.now);
    let template = template(call)?.ok_or_else(|| invalid(NO_TEMPLATE))?;
    let given = parameters(call, &Parameters::new())?;
    let resolved = template::resolve(&template, &given, &name, &stack.id);
    let resolved = resolved.map_err(|error| unresolved(world, error))?;
    stack.template = Arc::new(template);
    stack.tags = checked_tags(call)?.unwrap_or_default();
    stack.role = role(world, call)?;
    stack.capabilities = capabilities_of(call);
    let id = stack.id.clone();
    operations::create(stacks, world, stack, resolved, token_of(call));
    remember_token(stacks, call, &id);
    Ok(Some(element("StackId", &id)))
}

fn update(stacks: &mut Stacks, world: &mut World, call: &Call) -> OperationResult {
    if let Some(seen) = seen_token(stacks, world, call)? {
        return Ok(Some(element("StackId", &seen)));
    }
    let stack = existing(stacks, call)?;
    if !stack.accepts("UpdateStack") {
        return Err(not_updatable(stack));
    }
    let (id, name) = (stack.id.clone(), stack.name.clone());
    let (before, old_tags) = (stack.parameters.clone(), stack.tags.clone());
    let template = match template(call)? {
        Some(template) => Arc::new(template),
        None if call.text("UsePreviousTemplate") == Some("true") => Arc::clone(&stack.template),
        None => return Err(invalid(NO_TEMPLATE)),
    };
    let given = parameters(call, &before)?;
    let resolved = template::resolve(&template, &given, &name, &id);
    let resolved = resolved.map_err(|error| unresolved(world, error))?;
    // "If you don't specify this parameter, CloudFormation doesn't modify the stack's tags."
    let tags = checked_tags(call)?.unwrap_or(old_tags);
    // "If you don't specify a value, CloudFormation uses the role that was previously associated
    // with the stack."
    let role = match &stack.role {
        Some(held) if call.text("RoleARN").is_none() => Some(held.clone()),
        _ => role(world, call)?,
    };
    operations::update(stacks, world, &id, template, resolved, tags, token_of(call))
        .map_err(invalid)?;
    if let Some(stack) = stacks.all.get_mut(&id) {
        stack.role = role;
        stack.capabilities = capabilities_of(call);
    }
    remember_token(stacks, call, &id);
    Ok(Some(element("StackId", &id)))
}

fn delete(stacks: &mut Stacks, world: &mut World, call: &Call) -> OperationResult {
    if seen_token(stacks, world, call)?.is_some() {
        return Ok(None);
    }
    let found = stacks.find(call.needed("StackName"));
    // A missing stack counts as deleted: the call succeeds.
    let Some(stack) = found.filter(|stack| stack.status != "DELETE_COMPLETE") else {
        return Ok(None);
    };
    let (id, status) = (stack.id.clone(), stack.status);
    if !stack.accepts("DeleteStack") {
        return Err(invalid(format!(
            "Stack [{id}] cannot be deleted while in status {status}"
        )));
    }
    role(world, call)?;
    remember_token(stacks, call, &id);
    if status != "DELETE_IN_PROGRESS" {
        operations::delete(stacks, world.now, &id, token_of(call));
    }
    Ok(None)
}

/// "You can cancel only stacks that are in the `UPDATE_IN_PROGRESS` state."
fn cancel(stacks: &mut Stacks, world: &mut World, call: &Call) -> OperationResult {
    if seen_token(stacks, world, call)?.is_some() {
        return Ok(None);
    }
    let stack = existing(stacks, call)?;
    if stack.status != "UPDATE_IN_PROGRESS" {
        let message = "CancelUpdateStack cannot be called from current stack status";
        return Err(invalid(message));
    }
    let id = stack.id.clone();
    let operation = stack.operation.as_ref();
    let is_arranged = operation.is_none_or(|one| one.before.is_none());
    remember_token(stacks, call, &id);
    if is_arranged {
        let now = world.now;
        let stack = stacks.all.get_mut(&id).expect("just found");
        let token = stack.last_token().map(str::to_owned);
        let then = (Duration::from_secs(5), "UPDATE_ROLLBACK_COMPLETE");
        let status = "UPDATE_ROLLBACK_IN_PROGRESS";
        stack.arrange(status, token.as_deref(), Some(then), now);
    } else {
        rollbacks::cancel(stacks, world, &id, token_of(call));
    }
    Ok(None)
}

fn continue_rollback(stacks: &mut Stacks, world: &mut World, call: &Call) -> OperationResult {
    if seen_token(stacks, world, call)?.is_some() {
        return Ok(Some(String::new()));
    }
    let stack = existing(stacks, call)?;
    if !stack.accepts("ContinueUpdateRollback") {
        return Err(invalid(format!(
            "Stack:{} is in {} state and can not continue rollback.",
            stack.id, stack.status
        )));
    }
    let id = stack.id.clone();
    role(world, call)?;
    remember_token(stacks, call, &id);
    rollbacks::continue_rollback(stacks, world, &id, token_of(call));
    Ok(Some(String::new()))
}

fn capabilities_of(call: &Call) -> Vec<String> {
    let given = call.members("Capabilities", "");
    given.into_iter().map(str::to_owned).collect()
}

/// `None` if the request has no tags.
fn checked_tags(call: &Call) -> Result<Option<Tags>, AwsError> {
    let keys = call.members("Tags", ".Key");
    let values = call.members("Tags", ".Value");
    if keys.len() != values.len() {
        return Err(invalid("Tags: a key without a value"));
    }
    let mut all = Tags::new();
    for (key, value) in keys.into_iter().zip(values) {
        if let Some(refusal) = tags::refusal(key, value) {
            return Err(invalid(refusal));
        }
        // API Reference, `Tag`: only CloudFormation's own tags need a value.
        if value.is_empty() {
            let message = "1 validation error detected: Value '' at 'tags.1.member.value' failed to satisfy \
                           constraint: Member must have length greater than or equal to 1";
            return Err(invalid(message));
        }
        if tags::reserved(key) {
            return Err(invalid("aws: prefixed tag key names are not allowed"));
        }
        all.insert(key.to_owned(), value.to_owned());
    }
    if all.len() > tags::MOST {
        return Err(invalid("Tags: at most 50"));
    }
    Ok((!all.is_empty()).then_some(all))
}

/// A template that the fake cannot resolve is a mistake of the product's, or a hole of the fake
/// AWS's.
fn unresolved(world: &mut World, error: String) -> AwsError {
    world.complaints.push(format!("a template was refused: {error}"));
    invalid(error)
}
