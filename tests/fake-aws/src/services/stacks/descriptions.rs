//! CloudFormation's descriptions: a stack, its events, its resources, in pages. API Reference.

use serde_json::json;

use crate::{
    services::stacks::{
        Finding, Parent, Stack, Stacks,
        change_sets::{Change, ChangeSet},
        requests::{OperationResult, existing, hides, invalid},
        stack::Found,
    },
    world::{AwsError, Call, World, element, elements, escaped, pairs},
};

/// The default number of events or resources on one page.
const PAGE: usize = 100;

/// One stack, by name or id.
pub fn describe(stacks: &Stacks, world: &World, call: &Call) -> OperationResult {
    let Some(wanted) = call.text("StackName") else {
        return Err(invalid("the fake describes one stack at a time"));
    };
    // By name while it is not seen as deleted, by id also afterwards.
    let late = world.options.stacks_late;
    let found = stacks.all.values().find_map(|stack| {
        if stack.id != wanted && stack.name != wanted {
            return None;
        }
        let seen = stack.seen(world.now, late)?;
        let is_living = seen.status != "DELETE_COMPLETE";
        (stack.id == wanted || (stack.name == wanted && is_living)).then_some((stack, seen))
    });
    let (stack, seen) =
        found.ok_or_else(|| invalid(format!("Stack with id {wanted} does not exist")))?;
    let [updated, deleted] = [seen.updated, seen.deleted].map(|at| at.map(World::instant));
    let mut xml = elements([
        ("StackId", Some(&stack.id)),
        ("StackName", Some(&stack.name)),
        ("StackStatus", Some(shown_status(world, seen.status))),
        ("CreationTime", Some(&World::instant(stack.created))),
        ("DisableRollback", Some("false")),
        ("StackStatusReason", seen.reason.as_deref()),
        ("LastUpdatedTime", updated.as_deref()),
        ("DeletionTime", deleted.as_deref()),
        ("RoleARN", stack.role.as_deref()),
        ("ChangeSetId", stack.change_set_id.as_deref()),
        ("ParentId", stack.parent.as_deref()),
    ]);
    xml += &element("LastOperations", &last_operations(stack, world));
    // "If `NoEcho` is true, CloudFormation returns the parameter value masked as asterisks".
    let mut shown = seen.parameters.clone();
    for (key, value) in &mut shown {
        if hides(&stack.template, key) {
            "****".clone_into(value);
        }
    }
    let parameters = pairs(["ParameterKey", "ParameterValue"], &shown);
    xml += &element("Parameters", &parameters);
    xml += &element("Tags", &pairs(["Key", "Value"], &seen.tags));
    let outputs = pairs(["OutputKey", "OutputValue"], &seen.outputs);
    xml += &element("Outputs", &outputs);
    let capabilities = stack.capabilities.iter();
    let capabilities: String = capabilities.map(|one| element("member", one)).collect();
    xml += &element("Capabilities", &capabilities);
    Ok(Some(element("Stacks", &element("member", &xml))))
}

/// The status that the read calls show.
fn shown_status<'a>(world: &World, status: &'a str) -> &'a str {
    match status {
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" if world.options.unknown_statuses => {
            "UPDATE_SETTLING_IN_PROGRESS"
        }
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" if world.options.unknown_statuses => {
            "UPDATE_ROLLBACK_SETTLING_IN_PROGRESS"
        }
        status => status,
    }
}

/// "Information about the most recent operations performed on this stack": the newest one first.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events-by-operation.html>
fn last_operations(stack: &Stack, world: &World) -> String {
    let shown = if world.options.lacks_operation_ids {
        0
    } else {
        2
    };
    let newest_first = stack.operations.iter().rev().take(shown);
    let members = newest_first.map(|(kind, id)| {
        let entry = elements([
            ("OperationType", Some(*kind)),
            ("OperationId", Some(id.as_str())),
        ]);
        element("member", &entry)
    });
    members.collect()
}

/// A resource of a child stack, or a custom resource of the stack that a request names.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html>
pub fn resource(stacks: &Stacks, world: &World, call: &Call) -> OperationResult {
    let (stack, logical_id) = (call.needed("StackName"), call.needed("LogicalResourceId"));
    let key = (stack.to_owned(), logical_id.to_owned());
    if let Some(declared) = stacks.declared.get(&key) {
        let detail = elements([
            ("StackId", Some(stack)),
            ("LogicalResourceId", Some(logical_id)),
            ("PhysicalResourceId", Some(&declared.physical_id)),
            ("ResourceType", Some(declared.kind)),
            ("ResourceStatus", Some(declared.status)),
            ("LastUpdatedTimestamp", Some(&World::instant(world.now))),
        ]);
        return Ok(Some(element("StackResourceDetail", &detail)));
    }
    if let Some(child) = stacks.find(stack) {
        let held = child.resources.get(logical_id).ok_or_else(|| no_such_resource(call))?;
        let desired = &held.desired;
        let detail = elements([
            ("StackId", Some(&child.id)),
            ("StackName", Some(&child.name)),
            ("LogicalResourceId", Some(logical_id)),
            ("PhysicalResourceId", Some(&desired.physical_id)),
            ("ResourceType", Some(&desired.kind)),
            ("ResourceStatus", Some(held.status)),
            ("LastUpdatedTimestamp", Some(&World::instant(held.updated))),
            ("Metadata", Some(&desired.metadata.to_string())),
        ]);
        return Ok(Some(element("StackResourceDetail", &detail)));
    }
    let parent = seen_parent(stacks, world, stack);
    let parent = parent.filter(|parent| parent.logical_id == logical_id);
    let shown = parent.map(|parent| &parent.resource);
    let status = match (world.options.resource_status, shown) {
        (Some(""), _) => return Err(invalid(format!("Stack '{stack}' does not exist"))),
        (Some(status), _) => status,
        (None, Some(shown)) => shown.status,
        // A test that sends a request without a stack of CloudFormation's.
        (None, None) => "UPDATE_IN_PROGRESS",
    };
    let id = shown.map(|shown| shown.physical_id.as_str());
    let detail = elements([
        ("StackId", Some(stack)),
        ("LogicalResourceId", Some(logical_id)),
        ("PhysicalResourceId", id.filter(|id| !id.is_empty())),
        ("ResourceType", Some("Custom::MirrorCredential")),
        ("ResourceStatus", Some(status)),
        ("LastUpdatedTimestamp", Some(&World::instant(world.now))),
    ]);
    Ok(Some(element("StackResourceDetail", &detail)))
}

pub(crate) fn no_such_resource(call: &Call) -> AwsError {
    let (stack, logical_id) = (call.needed("StackName"), call.needed("LogicalResourceId"));
    invalid(format!(
        "Resource {logical_id} does not exist for stack {stack}"
    ))
}

/// The stack with this ARN of a custom resource, as CloudFormation shows it now.
fn seen_parent<'a>(stacks: &'a Stacks, world: &World, arn: &str) -> Option<&'a Parent> {
    let history = stacks.parents.get(arn)?;
    history.seen(world.now, world.options.parents_late).as_ref()
}

/// "Returns descriptions of all resources of the specified stack": here the custom resources of a
/// parent stack.
pub fn resources(stacks: &Stacks, world: &World, call: &Call) -> OperationResult {
    let stack = call.needed("StackName");
    let declared = stacks.declared.iter().filter(|((id, _), _)| id == stack);
    let members = declared.map(|((_, logical_id), one)| {
        elements([
            ("LogicalResourceId", Some(logical_id.as_str())),
            ("PhysicalResourceId", Some(&one.physical_id)),
            ("ResourceType", Some(one.kind)),
            ("ResourceStatus", Some(one.status)),
            ("LastUpdatedTimestamp", Some(&World::instant(world.now))),
        ])
    });
    page(
        world,
        call,
        "StackResourceSummaries",
        &members.collect::<Vec<_>>(),
    )
}

/// "Lists all stacks that are importing an exported output value": their names. The error's text is
/// AWS's for an export that no stack imports, as many tools recognise it:
/// <https://github.com/guardian/mobile-n10n>.
pub fn imports(stacks: &Stacks, world: &World, call: &Call) -> OperationResult {
    let export = call.needed("ExportName");
    let Some(names) = stacks.imports.get(export) else {
        return Err(invalid(format!(
            "Export '{export}' is not imported by any stack."
        )));
    };
    page(world, call, "Imports", names)
}

/// "Returns all stack related events for a specified stack in reverse chronological order."
pub fn events(stacks: &Stacks, world: &World, call: &Call) -> OperationResult {
    let stack = existing(stacks, call)?;
    let late = world.options.events_late;
    let events = stack.events.iter().rev();
    let visible = events.filter(|event| event.at + late <= world.now);
    let has_operation_ids = !world.options.lacks_operation_ids;
    let members = visible.map(|event| {
        let hook = event.hook.as_ref();
        elements([
            ("HookType", hook.and_then(|hook| hook.hook)),
            ("HookStatus", hook.map(|_| "HOOK_COMPLETE_FAILED")),
            ("HookStatusReason", hook.map(|hook| &*hook.reason)),
            ("HookInvocationPoint", hook.map(|_| "PRE_PROVISION")),
            ("HookFailureMode", hook.map(Finding::mode)),
            ("EventId", Some(&event.id)),
            ("StackId", Some(&stack.id)),
            ("StackName", Some(&stack.name)),
            ("LogicalResourceId", Some(&event.logical_id)),
            ("PhysicalResourceId", Some(&event.physical_id)),
            ("ResourceType", Some(&event.kind)),
            ("Timestamp", Some(&World::instant(event.at))),
            ("ResourceStatus", Some(shown_status(world, event.status))),
            ("ResourceStatusReason", event.reason.as_deref()),
            ("ClientRequestToken", event.token.as_deref()),
            (
                "OperationId",
                event.operation.as_deref().filter(|_| has_operation_ids),
            ),
        ])
    });
    page(world, call, "StackEvents", &members.collect::<Vec<_>>())
}

/// The errors of validations and hooks in each operation, the newest first.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_OperationEvent.html>
pub fn operation_events(stacks: &Stacks, world: &World, call: &Call) -> OperationResult {
    let stack = existing(stacks, call)?;
    // "If you specified the name of a change set, specify the stack name or ID" (API Reference,
    // `DescribeEvents`). That a deleted change set has no events is not documented (?).
    let (found, name) = match call.text("ChangeSetName") {
        None => (stack.found.clone(), "NAME_CONFLICT_VALIDATION"),
        Some(name) => {
            let change_sets = &stacks.change_sets;
            let held = change_sets.get(&(stack.name.clone(), name.to_owned()));
            let Some(held) = held else {
                let message = format!("ChangeSet [{name}] does not exist");
                return Err(AwsError::new(404, "ChangeSetNotFound", message));
            };
            let failure = held.failure.as_deref().unwrap_or_default();
            let names =
                |finding: &&Finding| failure.contains(finding.hook.unwrap_or("EarlyValidation"));
            let invalid = change_sets.invalid.iter().filter(names);
            let found = invalid.map(|finding| Found {
                finding: finding.clone(),
                token: None,
                operation: None,
            });
            (found.collect(), "PROPERTY_VALIDATION")
        }
    };
    let members = found.iter().rev().map(|found| {
        let Found {
            finding,
            token,
            operation,
        } = found;
        if let Some(hook) = finding.hook {
            return elements([
                ("EventType", Some("HOOK_INVOCATION_ERROR")),
                ("StackId", Some(&stack.id)),
                ("LogicalResourceId", Some(&finding.logical_id)),
                ("ResourceType", Some(&finding.kind)),
                ("HookType", Some(hook)),
                ("HookStatus", Some("HOOK_COMPLETE_FAILED")),
                ("HookStatusReason", Some(&finding.reason)),
                ("HookFailureMode", Some(finding.mode())),
                ("OperationId", operation.as_deref()),
                ("ClientRequestToken", token.as_deref()),
            ]);
        }
        let path = format!("/Resources/{}/Properties", finding.logical_id);
        let path = Some(path.as_str()).filter(|_| name == "PROPERTY_VALIDATION");
        elements([
            ("EventType", Some("VALIDATION_ERROR")),
            ("StackId", Some(&stack.id)),
            ("LogicalResourceId", Some(&finding.logical_id)),
            ("ResourceType", Some(&finding.kind)),
            ("ValidationFailureMode", Some(finding.mode())),
            ("ValidationName", Some(name)),
            ("ValidationPath", path),
            ("ValidationStatus", Some("FAILED")),
            ("ValidationStatusReason", Some(&finding.reason)),
            ("OperationId", operation.as_deref()),
            ("ClientRequestToken", token.as_deref()),
        ])
    });
    page(world, call, "OperationEvents", &members.collect::<Vec<_>>())
}

/// "Summary information for stacks that have been deleted is kept for 90 days": a filter of
/// statuses leaves them out.
pub fn list(stacks: &Stacks, world: &World, call: &Call) -> OperationResult {
    let wanted = call.members("StackStatusFilter", "");
    let all = stacks.all.values();
    let all = all.filter(|stack| wanted.is_empty() || wanted.contains(&stack.status));
    let members = all.map(|stack| {
        elements([
            ("StackId", Some(&stack.id)),
            ("StackName", Some(&stack.name)),
            ("StackStatus", Some(stack.status)),
            ("CreationTime", Some(&World::instant(stack.created))),
            ("RootId", stacks.roots.get(&stack.id).map(String::as_str)),
        ])
    });
    let parents = stacks.parents.keys().filter_map(|arn| {
        let parent = seen_parent(stacks, world, arn)?;
        let is_hidden = world.options.resource_status == Some("");
        let is_wanted = wanted.is_empty() || wanted.contains(&parent.status);
        (is_wanted && !is_hidden).then(|| {
            elements([
                ("StackId", Some(arn.as_str())),
                ("StackName", Some(arn.split('/').nth(1).unwrap_or(arn))),
                ("StackStatus", Some(parent.status)),
                ("CreationTime", Some(&World::instant(world.now))),
            ])
        })
    });
    let members: Vec<_> = parents.chain(members).collect();
    page(world, call, "StackSummaries", &members)
}

pub(crate) fn page(world: &World, call: &Call, list: &str, members: &[String]) -> OperationResult {
    let length = world.options.page_length.unwrap_or(PAGE);
    let start: usize = match call.text("NextToken") {
        None => 0,
        Some(token) => token.parse().map_err(|_| invalid("NextToken: not one of this list"))?,
    };
    let page = members.iter().skip(start).take(length);
    let page: Vec<String> = page.map(|member| element("member", member)).collect();
    let mut xml = element(list, &page.concat());
    if start + length < members.len() {
        xml += &element("NextToken", &(start + length).to_string());
    }
    Ok(Some(xml))
}

/// The changes of a change set.
pub fn shown_changes(call: &Call, held: &ChangeSet) -> Vec<String> {
    let shown = held.changes.iter().map(|change| {
        // The template's resources have no DeletionPolicy. A Modify without replacement has none of
        // these actions (API Reference, `ResourceChange`).
        let deletion = match (change.action, change.replacement) {
            ("Remove", _) => Some("Delete"),
            (_, Some("True")) => Some("ReplaceAndDelete"),
            _ => None,
        };
        // "If `true`, the returned changes include detailed changes in the property values."
        let after = json!({"Properties": change.properties}).to_string();
        let is_wanted = call.text("IncludePropertyValues") == Some("true");
        let resource = elements([
            ("Action", Some(change.action)),
            ("LogicalResourceId", Some(&change.logical_id)),
            ("PhysicalResourceId", change.physical_id.as_deref()),
            ("ResourceType", Some(&change.resource_type)),
            ("Replacement", change.replacement),
            ("PolicyAction", deletion),
            ("ResourceDriftStatus", change.drift),
            ("AfterContext", Some(after.as_str()).filter(|_| is_wanted)),
        ]);
        let resource = resource + &element("Details", &shown_details(change));
        element("Type", "Resource") + &element("ResourceChange", &resource)
    });
    shown.collect()
}

/// API Reference, `ResourceChangeDetail`: the names of properties, even without
/// `IncludePropertyValues`.
fn shown_details(change: &Change) -> String {
    let members = change.details.iter().map(|(name, recreation)| {
        let target = element("Attribute", "Properties")
            + &element("Name", &escaped(name))
            + &element("RequiresRecreation", recreation);
        let detail = element("Target", &target) + &element("Evaluation", "Static");
        element("member", &detail)
    });
    members.collect()
}
