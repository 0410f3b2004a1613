//! What pipelines may not do of a change set: its resource types' handlers need actions that no policy of the deploy
//! role allows.
//!
//! CloudFormation publishes the actions of each handler in the schema of its type, and not which of them a resource
//! needs. So an action counts only if no handler of this kind can do without it, and only its name: the names of new
//! resources, conditions, boundaries and organizations' policies are not compared. What cannot be decided counts as
//! allowed.

mod policies;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudformation::types::RegistryType;
use serde_json::Value;

use self::policies::Policies;
use crate::clients::aws::{Aws, CallError, required};
use crate::feedback::change_sets::{Change, Effect, Remedy, code};
use crate::gitops_pipeline::names::ResourceNames;

/// Another note is written without this check.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The most resource types that are looked up for a note, and the most actions that it names for one.
const MAX_TYPES: usize = 30;
const MAX_ACTIONS: usize = 3;

/// A handler of a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Handler {
    /// Its name in the schema.
    name: &'static str,
    /// The verbs of the action without which it cannot work, before the name of the type.
    verbs: &'static [&'static str],
}

const CREATE: Handler = Handler {
    name: "create",
    verbs: &["Create", "Put"],
};
const UPDATE: Handler = Handler {
    name: "update",
    verbs: &[],
};
const DELETE: Handler = Handler {
    name: "delete",
    verbs: &["Delete"],
};

/// What the deploy role may not do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Denied {
    remedy: Remedy,
    handler: Handler,
    resource_type: String,
    actions: String,
}

/// Verbs of actions that create a resource from something else.
const OTHER_CREATIONS: [&str; 3] = ["Restore", "Import", "Copy"];

/// Verbs of actions that change nothing. API Gateway's have the names of HTTP methods.
const READS: [&str; 7] = [
    "Get", "GET", "List", "Describe", "Head", "BatchGet", "Search",
];

/// Attributes of a resource, which no handler receives.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceTargetDefinition.html>
const ATTRIBUTES: [&str; 5] = [
    "CreationPolicy",
    "DeletionPolicy",
    "Metadata",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// The lines of a note about what the deploy role may not do. Empty if it may do everything, or if that cannot be
/// decided: a note without these lines is better than none.
pub async fn missing(aws: &Aws, names: &ResourceNames, changes: &[Change]) -> String {
    let checked = tokio::time::timeout(TIMEOUT, check(aws, names, changes)).await;
    let because = match checked {
        Ok(Ok(lines)) => return lines,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    unchecked(&because);
    String::new()
}

fn unchecked(because: &str) {
    tracing::warn!(because, "rights not compared");
}

async fn check(aws: &Aws, names: &ResourceNames, changes: &[Change]) -> Result<String, CallError> {
    let uses: BTreeSet<_> = changes.iter().flat_map(uses).collect();
    let types: BTreeSet<&str> = uses.iter().map(|(of_type, _)| *of_type).collect();
    if types.is_empty() {
        return Ok(String::new());
    }
    let policies = Policies::read(aws, &names.deploy_role()).await?;
    let mut denied = vec![];
    for of_type in types.into_iter().take(MAX_TYPES) {
        let schema = match schema(aws, of_type).await {
            Ok(schema) => schema,
            // The other types can be compared.
            Err(error) => {
                unchecked(&error.to_string());
                continue;
            }
        };
        for (_, handler) in uses.iter().filter(|(it, _)| *it == of_type) {
            let published = schema["handlers"][handler.name]["permissions"].as_array();
            let published = published.into_iter().flatten().filter_map(Value::as_str);
            let actions =
                missing_actions(&published.collect::<Vec<_>>(), of_type, *handler, &policies);
            denied.extend(actions.first().map(|first| Denied {
                remedy: Remedy::of_missing(first),
                handler: *handler,
                resource_type: of_type.to_owned(),
                actions: actions.join("`, `"),
            }));
        }
    }
    denied.sort();
    Ok(lines(&denied, names))
}

async fn schema(aws: &Aws, of_type: &str) -> Result<Value, CallError> {
    let call = aws.cloudformation.describe_type();
    let call = call.r#type(RegistryType::Resource).type_name(of_type);
    let doing = || format!("reading the schema of {of_type}");
    let described = required(call.send().await, doing)?;
    Ok(serde_json::from_str(&described.schema.unwrap_or_default()).unwrap_or_default())
}

/// The type of a changed resource, with each handler that the change calls.
fn uses(change: &Change) -> impl Iterator<Item = (&str, Handler)> {
    let is_property = |name: &String| !ATTRIBUTES.contains(&name.as_str());
    let of_effect = match change.effect {
        Effect::Add | Effect::Replace => Some(CREATE),
        Effect::Modify if change.properties.keys().any(is_property) => Some(UPDATE),
        _ => None,
    };
    let of_type = change.resource_type.as_str();
    // Other types have roles of their own, or are nested stacks.
    let is_aws = of_type.starts_with("AWS::") && !of_type.starts_with("AWS::CloudFormation::");
    let handlers = of_effect
        .into_iter()
        .chain(change.is_deleted.then_some(DELETE));
    handlers
        .filter(move |_| is_aws)
        .map(move |handler| (of_type, handler))
}

/// The actions of which the handler needs at least one, if the role has none of them.
fn missing_actions<'a>(
    published: &[&'a str],
    of_type: &str,
    handler: Handler,
    policies: &Policies,
) -> Vec<&'a str> {
    let noun = of_type.rsplit("::").next().unwrap_or_default();
    let own: Vec<String> = handler
        .verbs
        .iter()
        .map(|verb| format!("{verb}{noun}"))
        .collect();
    let name = |action: &'a str| action.split_once(':').map_or("", |(_, name)| name);
    let begins = |action: &str, with: &[&str]| with.iter().any(|it| action.starts_with(it));
    let actions = || published.iter().copied();
    let mut needed: Vec<&str> = actions()
        .filter(|it| own.iter().any(|own| own == name(it)))
        .collect();
    if needed.is_empty() {
        let is_write = |it: &&str| !begins(it.split(':').nth(1).unwrap_or_default(), &READS);
        needed = actions()
            .filter(is_write)
            .filter(|it| *it != "iam:PassRole")
            .collect();
    }
    // For example, a database can be created from a snapshot.
    let is_other = |it: &&'a str| {
        begins(name(it), &OTHER_CREATIONS)
            || own.iter().any(|own| name(it).starts_with(own.as_str()))
    };
    let is_known = actions().all(|action| !action.contains('*'));
    if is_known
        && !actions()
            .filter(is_other)
            .chain(needed.iter().copied())
            .any(|it| policies.may_allow(it))
    {
        needed.truncate(MAX_ACTIONS);
        return needed;
    }
    vec![]
}

/// A line for each remedy.
fn lines(denied: &[Denied], names: &ResourceNames) -> String {
    let line = |group: &[Denied]| {
        let rights = group.iter().map(|it| {
            format!(
                "{} {} (`{}`)",
                it.handler.name,
                code(&it.resource_type),
                it.actions
            )
        });
        let rights = rights.collect::<Vec<_>>().join(", ");
        let remedy = group.first().map(|it| it.remedy.text(&names.env_id));
        let (environment, remedy) = (code(&names.env_id), remedy.unwrap_or_default());
        format!("\n**Pipelines may not {rights} in {environment}.** {remedy}.\n")
    };
    denied
        .chunk_by(|one, next| one.remedy == next.remedy)
        .map(line)
        .collect()
}

#[cfg(test)]
mod tests;
