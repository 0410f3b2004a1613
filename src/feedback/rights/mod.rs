//! Finds the actions that a change set needs and that no policy of the deploy role allows.
//!
//! CloudFormation publishes the actions of each handler in the schema of its type, but not which of
//! them a resource needs. So an action counts only if no handler of this kind can do without it,
//! and only by its name: resources, conditions, boundaries and organizations' policies are not
//! compared. An action for which this cannot be decided counts as allowed.

mod policies;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_cloudformation::types::RegistryType;
use serde::Deserialize;
use serde_json::json;

use self::policies::Policies;
use crate::clients::aws::{Aws, CallError, required};
use crate::clients::failing_calls::within;
use crate::feedback::change_sets::{Change, DenialRemedy, Effect, code, sentence};
use crate::gitops_pipeline::names::ResourceNames;
use cfn_custom_resource::Reason;

/// The time for the comparison. Afterwards the note is written without it.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The time for the actions of one denied type, beside everything else about a failure.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3);

/// The most resource types that are looked up for a note, and the most actions that it names for
/// one.
const MAX_TYPES: usize = 30;
const MAX_ACTIONS: usize = 3;

/// The handler's name, and the verbs of the one action without which it cannot work, before the
/// type's last word.
type TypeHandler = (&'static str, &'static [&'static str]);
const CREATE: TypeHandler = ("create", &["Create", "Put"]);
const UPDATE: TypeHandler = ("update", &[]);
const DELETE: TypeHandler = ("delete", &["Delete"]);

/// Verbs of actions that create a resource from something else.
const OTHER_CREATIONS: [&str; 3] = ["Restore", "Import", "Copy"];

/// Verbs of actions that change nothing. API Gateway's actions have the names of HTTP methods.
const READS: [&str; 7] = [
    "Get", "GET", "List", "Describe", "Head", "BatchGet", "Search",
];

/// Each remedy and its text, with the rights that it ends.
type MissingRights = BTreeMap<(DenialRemedy, String), Vec<String>>;

/// The rights that the deploy role lacks, as far as they were compared.
#[derive(Debug, Default)]
pub struct ComparedRights {
    /// Each remedy with what it ends, as Markdown.
    pub missing: Vec<Reason>,
    /// The resource types that were left out. `None` if all were looked up.
    pub left_out: Option<String>,
    /// Why a type was not compared.
    pub failed: Option<CallError>,
}

/// The lines of a note about the rights that the deploy role lacks. Empty if it lacks none, or if
/// that cannot be decided: a note without these lines is better than none.
pub async fn lines(aws: &Aws, names: &ResourceNames, changes: &[Change]) -> String {
    let compared = within(TIMEOUT, Box::pin(compare(aws, names, changes))).await;
    match compared {
        Ok(Ok(compared)) => return compared.lines(),
        Ok(Err(error)) => {
            warn!(error.reason(), "rights are not compared");
        }
        Err(cut) => tracing::warn!(error = %cut, "no time to compare the rights"),
    }
    String::new()
}

/// The statement with all actions of `of_type`, of which `action` was denied. `None` if the type does
/// not publish it, or is not read.
pub async fn statement(aws: &Aws, of_type: &str, action: &str) -> Option<String> {
    match within(STATEMENT_TIMEOUT, Box::pin(schema(aws, of_type))).await {
        Ok(Ok(Schema { handlers })) => {
            let all: BTreeSet<_> = actions_of(&handlers, action).collect();
            return all.contains(action).then(|| statement_of(&all));
        }
        Ok(Err(error)) => warn!(error.reason(), "the actions of a type are not read"),
        Err(cut) => tracing::warn!(error = %cut, "no time to read the actions of a type"),
    }
    None
}

/// Compares `changes` with the policies of the deploy role.
pub async fn compare(
    aws: &Aws,
    names: &ResourceNames,
    changes: &[Change],
) -> Result<ComparedRights, CallError> {
    let uses: BTreeSet<_> = changes.iter().flat_map(uses).collect();
    let types: BTreeSet<&str> = uses.iter().map(|(of_type, _)| *of_type).collect();
    let left_out = types.len().saturating_sub(MAX_TYPES);
    let left_out =
        (left_out > 0).then(|| format!("{MAX_TYPES} resource types, and not for {left_out} more"));
    let (mut missing, mut failed) = (MissingRights::new(), None);
    if types.is_empty() {
        return Ok(ComparedRights::default());
    }
    let policies = Policies::read(aws, &names.deploy_role()).await?;
    for of_type in types.into_iter().take(MAX_TYPES) {
        let handlers = match schema(aws, of_type).await {
            Ok(schema) => schema.handlers,
            // The other types can be compared.
            Err(error) => {
                warn!(error.reason(), "the rights for a type are not compared");
                failed.get_or_insert(error);
                continue;
            }
        };
        for (_, handler) in uses.iter().filter(|(it, _)| *it == of_type) {
            let published = handlers.get(handler.0).map(|it| &it.permissions[..]);
            let published: Vec<_> = published.iter().copied().flatten().map(|it| &**it).collect();
            let actions = needed(&published, of_type, *handler, &policies);
            if let Some((remedy, listed)) = remedy_of(&actions) {
                let right = format!("{} {} ({listed})", handler.0, code(of_type));
                let all = all_missing(&handlers, actions[0], &policies);
                let text = text_of(remedy, actions[0], &all, &names.env_id);
                missing.entry((remedy, text)).or_default().push(right);
            }
        }
    }
    Ok(ComparedRights {
        missing: reasons(missing, &names.env_id),
        left_out,
        failed,
    })
}

/// Each remedy with the rights that are missing.
fn reasons(missing: MissingRights, env_id: &str) -> Vec<Reason> {
    let reason = |((_, text), rights): (_, Vec<String>)| {
        let rights = rights.join(", ");
        let problem = format!("Pipelines may not {rights} in {}", code(env_id));
        Reason::uncoded(problem, text)
    };
    missing.into_iter().map(reason).collect()
}

impl ComparedRights {
    /// A line for each remedy, and one for the types that were not looked up.
    fn lines(&self) -> String {
        let line = |reason: &Reason| {
            let remedy = sentence(&reason.remedy.to_string());
            format!("\n**{}.**\n\n{remedy}\n", reason.problem)
        };
        let rest = self.left_out.iter();
        let rest =
            rest.map(|types| format!("\nThe rights of pipelines were compared for {types}.\n"));
        self.missing.iter().map(line).chain(rest).collect()
    }
}

/// The part of a type's schema that is read. A schema can have 16 MB, which would need many times
/// as much if it was decoded as a whole.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeType.html>
#[derive(Default, Deserialize)]
struct Schema {
    #[serde(default)]
    handlers: HashMap<String, PublishedHandler>,
}

#[derive(Deserialize)]
struct PublishedHandler {
    #[serde(default)]
    permissions: Vec<String>,
}

async fn schema(aws: &Aws, of_type: &str) -> Result<Schema, CallError> {
    let call = aws.cloudformation.describe_type();
    let call = call.r#type(RegistryType::Resource).type_name(of_type);
    let doing = || format!("reading the schema of {of_type}");
    let schema = required(call.send().await, doing)?.schema;
    Ok(serde_json::from_str(&schema.unwrap_or_default()).unwrap_or_default())
}

/// The type of a changed resource, with each handler that the change calls.
fn uses(change: &Change) -> impl Iterator<Item = (&str, TypeHandler)> {
    let of_effect = match change.effect {
        Effect::Add | Effect::Replace => Some(CREATE),
        Effect::Modify if change.is_updated => Some(UPDATE),
        Effect::Modify
        | Effect::Undetermined
        | Effect::MayReplace
        | Effect::Remove
        | Effect::Import => None,
    };
    let of_type = change.resource_type.as_str();
    // Other types have roles of their own, or are nested stacks.
    let is_aws = of_type.starts_with("AWS::") && !of_type.starts_with("AWS::CloudFormation::");
    let handlers = of_effect.into_iter().chain(change.is_deleted.then_some(DELETE));
    handlers.filter(move |_| is_aws).map(move |handler| (of_type, handler))
}

/// The actions of which the handler needs at least one, if the role may have none of them.
fn needed<'a>(
    published: &[&'a str],
    of_type: &str,
    (_, verbs): TypeHandler,
    policies: &Policies,
) -> Vec<&'a str> {
    let noun = of_type.rsplit("::").next().unwrap_or_default();
    let name = |action: &'a str| action.split(':').nth(1).unwrap_or_default();
    let has_verb = |action, with: &[&str]| with.iter().any(|it| name(action).starts_with(it));
    let actions = || published.iter().copied();
    let is_own = |action| verbs.iter().any(|verb| name(action).strip_prefix(verb) == Some(noun));
    let is_write = |action| !has_verb(action, &READS) && action != "iam:PassRole";
    let mut needed: Vec<&str> = actions().filter(|it| is_own(it)).collect();
    if needed.is_empty() {
        needed = actions().filter(|it| is_write(it)).collect();
    }
    // For example, a database can be created from a snapshot, or as a replica
    // (`CreateDBInstanceReadReplica`).
    let is_variant = |action: &'a str| {
        let mut verbs = verbs.iter().filter_map(|verb| name(action).strip_prefix(verb));
        let is_longer_noun = |rest: &str| rest.starts_with(noun) || rest.ends_with(noun);
        has_verb(action, &OTHER_CREATIONS) || verbs.any(is_longer_noun)
    };
    let is_known = actions().all(|action| !action.contains('*'));
    let others = actions().filter(|it| is_variant(it));
    if !is_known || others.chain(needed.iter().copied()).any(|it| policies.may_allow(it)) {
        return vec![];
    }
    needed
}

/// The remedy for the lack of all `actions`, and those that it allows. For example, an inline
/// policy may be that of a role, a user or a group, and pipelines may have only roles.
fn remedy_of(actions: &[&str]) -> Option<(DenialRemedy, String)> {
    let remedy = actions.iter().map(|it| DenialRemedy::of_missing(it)).min()?;
    let of_remedy = actions.iter().filter(|it| DenialRemedy::of_missing(it) == remedy);
    let listed: Vec<String> = of_remedy.take(MAX_ACTIONS).map(|it| code(it)).collect();
    let one_of = if listed.len() > 1 { "one of " } else { "" };
    Some((remedy, one_of.to_owned() + &listed.join(", ")))
}

/// The actions of all handlers of a type that the role may not have.
fn all_missing<'a>(
    handlers: &'a HashMap<String, PublishedHandler>,
    needed: &str,
    policies: &Policies,
) -> BTreeSet<&'a str> {
    actions_of(handlers, needed).filter(|it| !policies.may_allow(it)).collect()
}

/// The actions of all handlers of a type. Those of IAM are left out unless `needed` is one: they
/// belong to roles, and need a condition.
fn actions_of<'a>(
    handlers: &'a HashMap<String, PublishedHandler>,
    needed: &str,
) -> impl Iterator<Item = &'a str> {
    let is_iam = |action: &str| action.starts_with("iam:");
    let is_iam_needed = is_iam(needed);
    let of_operations = handlers.iter().filter(|(name, _)| *name != "list");
    let published = of_operations.flat_map(|(_, it)| it.permissions.iter().map(String::as_str));
    published.filter(move |it| is_iam_needed || !is_iam(it))
}

/// The remedy's text: a policy of deployed-services.yaml, or a statement with `all` actions.
fn text_of(remedy: DenialRemedy, needed: &str, all: &BTreeSet<&str>, env_id: &str) -> String {
    let text = remedy.text_for(needed, "", env_id);
    if remedy != DenialRemedy::Policy || text != remedy.text(env_id) {
        return text;
    }
    format!(
        "{text}, with the names of your resources in place of `ARN`: `{}`",
        statement_of(all)
    )
}

fn statement_of(actions: &BTreeSet<&str>) -> String {
    json!({"Effect": "Allow", "Action": actions, "Resource": "ARN"}).to_string()
}

#[cfg(test)]
mod tests;
