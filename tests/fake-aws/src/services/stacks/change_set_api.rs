//! CloudFormation's calls of change sets.

use serde_json::Value;
use std::sync::Arc;

use crate::{
    services::{
        s3::{self, Buckets},
        stacks::{
            Stack, Stacks,
            change_sets::ChangeSet,
            comparison,
            descriptions::{page, shown_changes},
            execution,
            requests::{
                NO_TEMPLATE, OperationResult, check_name, existing, hides, invalid, not_updatable,
                parameters, plain, role, template, token_of,
            },
            template::{Parameters, check_declared},
        },
    },
    world::{AwsError, Call, JsonResult, World, element, elements, pairs, rejected},
};

/// "The URL must point to a template (max size: 1 MB)" (API Reference, `CreateChangeSet`).
const LONGEST_AT_URL: usize = 1 << 20;

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>
pub fn create(
    stacks: &mut Stacks,
    s3: &Buckets,
    world: &mut World,
    call: &Call,
) -> OperationResult {
    let name = call.needed("ChangeSetName");
    check_name(name, "changeSetName")?;
    let stack = updated_stack(stacks, world, call)?;
    let key = (stack.name.clone(), name.to_owned());
    if let Some(held) = stacks.change_sets.get(&key) {
        return Err(repeated(held));
    }
    if !stack.accepts("CreateChangeSet") {
        return Err(not_updatable(&stack));
    }
    let template = new_template(s3, world, call, &stack)?;
    let parameters = checked_parameters(call, &stack, &template)?;
    let capabilities = checked_capabilities(call, &template)?;
    let role = role(world, call)?;
    let (now, id) = (world.now, world.next_id());
    let behaviour = world.options.change_sets.clone();
    let mut change_set = ChangeSet::new(&stack.name, name, &id, now);
    change_set.begins = now + behaviour.waits;
    change_set.ends = change_set.begins + behaviour.takes;
    change_set.description = call.text("Description").map(str::to_owned);
    change_set.reverts_drift = call.text("DeploymentMode") == Some("REVERT_DRIFT");
    change_set.stack_updated = Some(stack.last_update());
    (change_set.role, change_set.capabilities) = (role, capabilities);
    let macros = comparison::macros(&template);
    stacks.change_sets.macros_run.extend(macros);
    fill(stacks, &mut change_set, &stack, &template, &parameters);
    change_set.parameters = Some(parameters);
    change_set.template = Some(template);
    let id = change_set.id.clone();
    stacks.change_sets.add(change_set);
    Ok(Some(created(&id, &stack.id)))
}

fn created(id: &str, stack_id: &str) -> String {
    element("Id", id) + &element("StackId", stack_id)
}

/// The stack of a change set that updates.
fn updated_stack(stacks: &mut Stacks, world: &mut World, call: &Call) -> Result<Stack, AwsError> {
    // "By default, CloudFormation specifies UPDATE."
    let kind = call.text("ChangeSetType").unwrap_or("UPDATE");
    if kind != "UPDATE" {
        let complaint = format!("the fake does not know change sets of the type {kind}");
        world.complaints.push(complaint);
    }
    let stack = existing(stacks, call)?;
    // "CloudFormation considers a stack ID with no template or resources to be a stack that does
    // not exist": https://github.com/aws/aws-cdk/pull/7731
    if stack.status == "REVIEW_IN_PROGRESS" {
        return Err(invalid(format!("Stack [{}] does not exist", stack.name)));
    }
    Ok(stack.clone())
}

/// The error of a used name, as recorded in <https://github.com/saksdirect/nova/issues/10>.
fn repeated(held: &ChangeSet) -> AwsError {
    let message = format!(
        "ChangeSet {} cannot be created due to a mismatch with existing attribute Template",
        held.name
    );
    rejected("AlreadyExistsException", message)
}

/// "You must specify only one of the following parameters: `TemplateBody`, `TemplateURL`, or set
/// the `UsePreviousTemplate` to true."
fn new_template(
    s3: &Buckets,
    world: &World,
    call: &Call,
    stack: &Stack,
) -> Result<Arc<Value>, AwsError> {
    let uses_previous = call.text("UsePreviousTemplate") == Some("true");
    let parsed = match (template(call)?, call.text("TemplateURL"), uses_previous) {
        (None, None, true) => return Ok(Arc::clone(&stack.template)),
        (Some(template), None, false) => template,
        (None, Some(url), false) => {
            let text = s3::template(s3, world, url).map_err(invalid)?;
            if text.len() > LONGEST_AT_URL {
                let message = "Template may not exceed 1000000 bytes in size.";
                return Err(invalid(message));
            }
            parse(text)?
        }
        _ => return Err(invalid(NO_TEMPLATE)),
    };
    let resources = parsed["Resources"].as_object();
    if resources.is_none_or(|resources| resources.is_empty()) {
        let message = "Template format error: At least one Resources member must be defined.";
        return Err(invalid(message));
    }
    Ok(Arc::new(parsed))
}

/// The fake reads JSON only. `CloudFormation` also reads YAML.
fn parse(text: &str) -> JsonResult {
    serde_json::from_str(text).map_err(|_| {
        let message = if text.trim_start().starts_with('{') {
            "Template format error: JSON not well-formed."
        } else {
            "Template format error: unsupported structure."
        };
        invalid(message)
    })
}

/// The parameters with the template's defaults.
fn checked_parameters(
    call: &Call,
    stack: &Stack,
    template: &Value,
) -> Result<Parameters, AwsError> {
    let mut all = parameters(call, &stack.parameters)?;
    check_declared(template, &all).map_err(invalid)?;
    let declared = template["Parameters"].as_object();
    for (name, declaration) in declared.into_iter().flatten() {
        if all.contains_key(name) {
            continue;
        }
        let Some(default) = plain(&declaration["Default"]) else {
            return Err(invalid(format!("Parameters: [{name}] must have values")));
        };
        all.insert(name.clone(), default);
    }
    Ok(all)
}

/// "If you don't specify either of these capabilities, `CloudFormation` returns an
/// `InsufficientCapabilities` error" (API Reference, `CreateChangeSet`).
fn checked_capabilities(call: &Call, template: &Value) -> Result<Vec<String>, AwsError> {
    let given = call.members("Capabilities", "");
    let needed = comparison::needed_capability(template);
    // Named IAM resources need their own capability, and it acknowledges the others as well.
    let is_given = needed
        .is_none_or(|needed| given.contains(&needed) || given.contains(&"CAPABILITY_NAMED_IAM"));
    if !is_given {
        let needed = needed.unwrap_or_default();
        let message = format!("Requires capabilities : [{needed}]");
        return Err(rejected("InsufficientCapabilitiesException", message));
    }
    Ok(given.into_iter().map(str::to_owned).collect())
}

/// Computes the changes. `CloudFormation` reads actual states "at the time of change set creation"
/// (User Guide, Using drift-aware change sets).
fn fill(
    stacks: &mut Stacks,
    change_set: &mut ChangeSet,
    stack: &Stack,
    template: &Value,
    parameters: &Parameters,
) {
    let reverts_drift = change_set.reverts_drift;
    let changes = comparison::compare(stack, template, parameters, reverts_drift);
    let is_empty = changes.is_empty() && !comparison::changes_outputs(stack, template);
    change_set.failure = stacks.change_sets.failure(&stack.name);
    if change_set.failure.is_none() && is_empty {
        // The text of a change set in NORMAL mode:
        // https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2505
        // That REVERT_DRIFT without drift has the same is not documented (?).
        let reason = "The submitted information didn't contain changes. Submit different \
                      information to create a change set.";
        change_set.failure = Some(reason.to_owned());
    }
    if change_set.failure.is_none() {
        change_set.changes = changes;
    }
}

/// "If the call successfully completes, `CloudFormation` successfully deleted the change set." It
/// succeeds for a missing change set of an existing stack: `cleanupOldChangeset` in
/// <https://github.com/aws/aws-cdk> relies on it.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteChangeSet.html>
pub fn delete(stacks: &mut Stacks, world: &mut World, call: &Call) -> OperationResult {
    let Some(key) = key(stacks, call)? else {
        return Ok(Some(String::new()));
    };
    let Some(held) = stacks.change_sets.get(&key) else {
        return Ok(Some(String::new()));
    };
    let stack = stacks.named(&key.0);
    let is_busy = stack.is_some_and(|stack| stack.is_in_progress());
    let is_kept = world.options.change_sets.kept_during_updates && is_busy;
    if held.is_in_progress(world.now) || is_kept {
        // The text: https://github.com/aws/aws-cdk/issues/26182
        let message = "An operation on this ChangeSet is currently in progress.";
        return Err(rejected("InvalidChangeSetStatus", message));
    }
    stacks.change_sets.remove(&key);
    Ok(Some(String::new()))
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html>
pub fn execute(stacks: &mut Stacks, world: &mut World, call: &Call) -> OperationResult {
    let key = key(stacks, call)?.ok_or_else(|| missing(call))?;
    let held = stacks.change_sets.get(&key).ok_or_else(|| missing(call))?;
    let stack = existing_of(stacks, held)?;
    let (status, now) = (held.status(world.now), world.now);
    if stack.accepts("RollbackStack") {
        return Err(not_updatable(stack));
    }
    if held.execution_status(Some(stack), now) != "AVAILABLE" || !stack.accepts("ExecuteChangeSet")
    {
        // The text: https://github.com/saksdirect/nova/issues/10
        let id = &held.id;
        let message =
            format!("ChangeSet [{id}] cannot be executed in its current status of [{status}]");
        return Err(rejected("InvalidChangeSetStatus", message));
    }
    execution::execute(stacks, world, &key, token_of(call));
    Ok(Some(String::new()))
}

/// "Returns the ID and status of each active change set for a stack."
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListChangeSets.html>
pub fn list(stacks: &Stacks, world: &World, call: &Call) -> OperationResult {
    let stack = existing(stacks, call)?;
    let change_sets = stacks.change_sets.of(&stack.name);
    let members: Vec<String> =
        change_sets.map(|one| summary(stacks, world, one, Some(stack))).collect();
    page(world, call, "Summaries", &members)
}

/// The members that a summary and a description share.
fn summary(
    stacks: &Stacks,
    world: &World,
    change_set: &ChangeSet,
    stack: Option<&Stack>,
) -> String {
    let status = change_set.status(world.now);
    let executed = &stacks.change_sets.executed;
    let execution = match stack.map(|stack| stack.status) {
        Some(status) if executed.iter().any(|one| one.id == change_set.id) => match status {
            "UPDATE_COMPLETE" => "EXECUTE_COMPLETE",
            busy if busy.ends_with("_IN_PROGRESS") => "EXECUTE_IN_PROGRESS",
            _ => "EXECUTE_FAILED",
        },
        _ => change_set.execution_status(stack, world.now),
    };
    let reason = change_set.failure.as_deref();
    elements([
        ("StackId", stack.map(|stack| stack.id.as_str())),
        ("StackName", Some(&change_set.stack_name)),
        ("ChangeSetId", Some(&change_set.id)),
        ("ChangeSetName", Some(&change_set.name)),
        ("CreationTime", Some(&World::instant(change_set.created))),
        ("Status", Some(status)),
        ("ExecutionStatus", Some(execution)),
        ("StatusReason", reason.filter(|_| status == "FAILED")),
        ("Description", change_set.description.as_deref()),
    ])
}

/// A change set with its changes, in pages.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html>
pub fn describe(stacks: &Stacks, world: &World, call: &Call) -> OperationResult {
    let name = call.needed("ChangeSetName");
    let change_sets = &stacks.change_sets;
    let executed = change_sets.executed.iter().find(|one| one.id == name);
    let held = match executed {
        Some(executed) => executed,
        None => key_if_any(stacks, call)
            .and_then(|key| change_sets.get(&key))
            .ok_or_else(|| missing(call))?,
    };
    let stack = stacks.named(&held.stack_name);
    let mut xml = summary(stacks, world, held, stack);
    xml += &element("Parameters", &shown_parameters(held, stack));
    let capabilities = held.capabilities.iter();
    let capabilities: String = capabilities.map(|one| element("member", one)).collect();
    xml += &element("Capabilities", &capabilities);
    if held.reverts_drift {
        let is_drifted = |drift| matches!(drift, Some("MODIFIED" | "DELETED"));
        let drifts = held.changes.iter().any(|one| is_drifted(one.drift));
        xml += &element("DeploymentMode", "REVERT_DRIFT");
        xml += &element(
            "StackDriftStatus",
            if drifts { "DRIFTED" } else { "IN_SYNC" },
        );
    }
    let members = if held.is_in_progress(world.now) {
        vec![]
    } else {
        shown_changes(call, held)
    };
    let page = page(world, call, "Changes", &members)?;
    Ok(page.map(|changes| xml + &changes))
}

/// "If `NoEcho` is true, `CloudFormation` returns the parameter value masked as asterisks".
fn shown_parameters(held: &ChangeSet, stack: Option<&Stack>) -> String {
    let parameters = held.parameters.as_ref().or(stack.map(|stack| &stack.parameters));
    let mut shown = parameters.cloned().unwrap_or_default();
    for (key, value) in &mut shown {
        if held.template.as_ref().is_some_and(|all| hides(all, key)) {
            "****".clone_into(value);
        }
    }
    pairs(["ParameterKey", "ParameterValue"], &shown)
}

/// The key of the change set that a call names, by its ARN or with its stack. `None` if no change
/// set has that ARN.
fn key(stacks: &Stacks, call: &Call) -> Result<Option<(String, String)>, AwsError> {
    if !call.needed("ChangeSetName").starts_with("arn:") {
        existing(stacks, call)?;
    }
    Ok(key_if_any(stacks, call))
}

fn key_if_any(stacks: &Stacks, call: &Call) -> Option<(String, String)> {
    let name = call.needed("ChangeSetName");
    if name.starts_with("arn:") {
        let found = stacks.change_sets.iter().find(|one| one.id == name)?;
        return Some((found.stack_name.clone(), found.name.clone()));
    }
    let stack = call.needed("StackName");
    let stack = stacks.find(stack).map_or(stack, |stack| &stack.name);
    Some((stack.to_owned(), name.to_owned()))
}

fn existing_of<'a>(stacks: &'a Stacks, held: &ChangeSet) -> Result<&'a Stack, AwsError> {
    let name = &held.stack_name;
    let stack = stacks.named(name);
    stack.ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))
}

fn missing(call: &Call) -> AwsError {
    let name = call.needed("ChangeSetName");
    let message = format!("ChangeSet [{name}] does not exist");
    AwsError::new(404, "ChangeSetNotFound", message)
}
