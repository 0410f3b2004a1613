//! CloudFormation's descriptions: a stack, its events, its resources, in pages. API Reference.

use serde_json::json;
use std::fmt::Write as _;

use crate::{
    services::stacks::{
        Stacks,
        change_sets::{Change, ChangeSet},
        requests::{element, existing, hides, invalid},
    },
    world::{AwsError, Call, World, escaped},
};

/// The default number of events or resources on one page.
const PAGE: usize = 100;

/// One stack, by name or id.
pub fn describe(stacks: &Stacks, world: &World, call: &Call) -> Result<Option<String>, AwsError> {
    let Some(wanted) = call.text("StackName") else {
        return Err(invalid("the fake describes one stack at a time".to_owned()));
    };
    // By name while it is not seen as deleted, by id also afterwards.
    let late = world.options.stacks_late;
    let mut all = stacks.all.values();
    let found = all.find_map(|stack| {
        if stack.id != wanted && stack.name != wanted {
            return None;
        }
        let seen = stack.seen(world.now, late)?;
        let is_living = seen.status != "DELETE_COMPLETE";
        (stack.id == wanted || (stack.name == wanted && is_living)).then_some((stack, seen))
    });
    let (stack, seen) =
        found.ok_or_else(|| invalid(format!("Stack with id {wanted} does not exist")))?;
    let mut xml = element("StackId", &stack.id);
    let mut put = |name: &str, value: &str| {
        let _ = write!(xml, "{}", element(name, &escaped(value)));
    };
    put("StackName", &stack.name);
    put("StackStatus", seen.status);
    put("CreationTime", &World::instant(stack.created));
    put("DisableRollback", "false");
    put(
        "EnableTerminationProtection",
        &stack.is_protected.to_string(),
    );
    if let Some(reason) = &seen.reason {
        put("StackStatusReason", reason);
    }
    if let Some(updated) = seen.updated {
        put("LastUpdatedTime", &World::instant(updated));
    }
    if let Some(deleted) = seen.deleted {
        put("DeletionTime", &World::instant(deleted));
    }
    if let Some(role) = &stack.role {
        put("RoleARN", role);
    }
    let pairs = |names: (&str, &str), values: &mut dyn Iterator<Item = (&String, &String)>| {
        values.fold(String::new(), |mut all, (key, value)| {
            let both = element(names.0, &escaped(key)) + &element(names.1, &escaped(value));
            let _ = write!(all, "{}", element("member", &both));
            all
        })
    };
    // "If `NoEcho` is true, CloudFormation returns the parameter value masked as asterisks".
    let mut shown = seen.parameters.clone();
    for (key, value) in &mut shown {
        if hides(&stack.template, key) {
            "****".clone_into(value);
        }
    }
    let parameters = pairs(("ParameterKey", "ParameterValue"), &mut shown.iter());
    let tags = pairs(("Key", "Value"), &mut seen.tags.iter());
    let outputs = pairs(("OutputKey", "OutputValue"), &mut seen.outputs.iter());
    for (name, list) in [
        ("Parameters", parameters),
        ("Tags", tags),
        ("Outputs", outputs),
    ] {
        let _ = write!(xml, "{}", element(name, &list));
    }
    let capabilities = stack.capabilities.iter();
    let capabilities: String = capabilities.map(|one| element("member", one)).collect();
    xml += &element("Capabilities", &capabilities);
    Ok(Some(element("Stacks", &element("member", &xml))))
}

/// A resource of a child stack, or a custom resource of the stack that a request names.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html>
pub fn resource(stacks: &Stacks, world: &World, call: &Call) -> Result<Option<String>, AwsError> {
    let (stack, logical_id) = (call.needed("StackName"), call.needed("LogicalResourceId"));
    if let Some(child) = stacks.find(stack) {
        let held = child.resources.get(logical_id).ok_or_else(|| {
            invalid(format!(
                "Resource {logical_id} does not exist for stack {stack}"
            ))
        })?;
        let metadata = held.desired.metadata.to_string();
        let detail = [
            ("StackId", child.id.as_str()),
            ("StackName", &child.name),
            ("LogicalResourceId", logical_id),
            ("PhysicalResourceId", &held.desired.physical_id),
            ("ResourceType", &held.desired.kind),
            ("ResourceStatus", held.status),
            ("LastUpdatedTimestamp", &World::instant(held.updated)),
            ("Metadata", &metadata),
        ];
        let detail = detail.map(|(name, value)| element(name, &escaped(value)));
        return Ok(Some(element("StackResourceDetail", &detail.concat())));
    }
    let status = world.options.resource_status;
    if status.is_empty() {
        return Err(invalid(format!("Stack '{stack}' does not exist")));
    }
    let detail = [
        ("StackId", stack),
        ("LogicalResourceId", logical_id),
        ("ResourceType", "Custom::MirrorCredential"),
        ("ResourceStatus", status),
        ("LastUpdatedTimestamp", &World::instant(world.now)),
    ];
    let detail = detail.map(|(name, value)| element(name, &escaped(value)));
    Ok(Some(element("StackResourceDetail", &detail.concat())))
}

/// "Returns all stack related events for a specified stack in reverse chronological order."
pub fn events(stacks: &Stacks, world: &World, call: &Call) -> Result<Option<String>, AwsError> {
    let stack = existing(stacks, call)?;
    let late = world.options.events_late;
    let members: Vec<String> = stack
        .events
        .iter()
        .rev()
        .filter(|event| event.at + late <= world.now)
        .map(|event| {
            let mut xml = String::new();
            let mut put = |name: &str, value: &str| {
                let _ = write!(xml, "{}", element(name, &escaped(value)));
            };
            put("EventId", &event.id);
            put("StackId", &stack.id);
            put("StackName", &stack.name);
            put("LogicalResourceId", &event.logical_id);
            put("PhysicalResourceId", &event.physical_id);
            put("ResourceType", &event.kind);
            put("Timestamp", &World::instant(event.at));
            put("ResourceStatus", event.status);
            if let Some(reason) = &event.reason {
                put("ResourceStatusReason", reason);
            }
            if let Some(token) = &event.token {
                put("ClientRequestToken", token);
            }
            xml
        })
        .collect();
    page(world, call, "StackEvents", &members)
}

/// The validation errors of each operation, the newest first.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_OperationEvent.html>
pub fn operation_events(
    stacks: &Stacks,
    world: &World,
    call: &Call,
) -> Result<Option<String>, AwsError> {
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
            let is_invalid = held
                .failure
                .as_ref()
                .is_some_and(|it| it.contains("EarlyValidation"));
            let invalid = change_sets.invalid.iter().filter(|_| is_invalid);
            let found = invalid.map(|finding| (None, finding.clone()));
            (found.collect(), "PROPERTY_VALIDATION")
        }
    };
    let members: Vec<String> = found
        .iter()
        .rev()
        .map(|(token, finding)| {
            let mode = if finding.fails { "FAIL" } else { "WARN" };
            let mut xml = String::new();
            let mut put = |name: &str, value: &str| {
                let _ = write!(xml, "{}", element(name, &escaped(value)));
            };
            put("EventType", "VALIDATION_ERROR");
            put("StackId", &stack.id);
            put("LogicalResourceId", &finding.logical_id);
            put("ResourceType", &finding.kind);
            put("ValidationFailureMode", mode);
            put("ValidationName", name);
            if name == "PROPERTY_VALIDATION" {
                let path = format!("/Resources/{}/Properties", finding.logical_id);
                put("ValidationPath", &path);
            }
            put("ValidationStatus", "FAILED");
            put("ValidationStatusReason", &finding.reason);
            if let Some(token) = token {
                put("OperationId", token);
                put("ClientRequestToken", token);
            }
            xml
        })
        .collect();
    page(world, call, "OperationEvents", &members)
}

/// "Summary information for stacks that have been deleted is kept for 90 days": a filter of
/// statuses leaves them out.
pub fn list(stacks: &Stacks, world: &World, call: &Call) -> Result<Option<String>, AwsError> {
    let wanted = call.members("StackStatusFilter", "");
    let stacks = stacks.all.values();
    let stacks = stacks.filter(|stack| wanted.is_empty() || wanted.contains(&stack.status));
    let members: Vec<String> = stacks
        .map(|stack| {
            element("StackId", &stack.id)
                + &element("StackName", &stack.name)
                + &element("StackStatus", stack.status)
                + &element("CreationTime", &World::instant(stack.created))
        })
        .collect();
    page(world, call, "StackSummaries", &members)
}

pub(crate) fn page(
    world: &World,
    call: &Call,
    list: &str,
    members: &[String],
) -> Result<Option<String>, AwsError> {
    let length = world.options.page_length.unwrap_or(PAGE);
    let start: usize = match call.text("NextToken") {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| invalid("NextToken: not one of this list".to_owned()))?,
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
        let mut resource =
            element("Action", change.action) + &element("Details", &shown_details(change));
        let mut put = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                let _ = write!(resource, "{}", element(name, &escaped(value)));
            }
        };
        put("LogicalResourceId", Some(&change.logical_id));
        put("PhysicalResourceId", change.physical_id.as_deref());
        put("ResourceType", Some(&change.resource_type));
        put("Replacement", change.replacement);
        // The template's resources have no DeletionPolicy. A Modify without replacement has none of
        // these actions (API Reference, `ResourceChange`).
        let deletion = match (change.action, change.replacement) {
            ("Remove", _) => Some("Delete"),
            (_, Some("True")) => Some("ReplaceAndDelete"),
            _ => None,
        };
        put("PolicyAction", deletion);
        put("ResourceDriftStatus", change.drift);
        // "If `true`, the returned changes include detailed changes in the property values."
        if call.text("IncludePropertyValues") == Some("true") {
            let after = json!({"Properties": change.properties});
            put("AfterContext", Some(&after.to_string()));
        }
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
