//! EventBridge: the rules that match a push, their targets and their events. Patterns and input
//! transformers as far as the templates use them (User Guide, Creating event patterns; Input
//! transformation).

use serde_json::{Value, json};
use std::slice::from_ref;

use crate::{
    services::{
        codebuild::{self, Builds},
        pipelines::{self, Pipelines},
        stacks::resource_kinds::RULE,
    },
    world::{ApiResponse, ApiResult, AwsError, Call, World, rejected},
};

/// "Describes the specified rule", as far as the product reads it: API Reference, `DescribeRule`.
pub fn answer(world: &mut World, call: &Call) -> ApiResult {
    if call.operation != "DescribeRule" {
        return Err(world.unknown_operation("events", &call.operation));
    }
    let name = call.needed("Name");
    let rule = world.made.get(&(RULE.to_owned(), name.to_owned()));
    let rule = rule.ok_or_else(|| no_rule(name))?;
    let state = rule.properties["State"].as_str().unwrap_or("ENABLED");
    Ok(ApiResponse::json(&json!({"Name": name, "State": state})))
}

pub fn no_rule(name: &str) -> AwsError {
    let message = format!("Rule {name} does not exist on EventBus default.");
    rejected("ResourceNotFoundException", message)
}

/// The effects of a push.
#[derive(Clone, Debug, PartialEq)]
pub enum Reaction {
    /// A pipeline was started.
    Started { pipeline: String, execution: String },
    /// A build was started.
    BuildStarted { project: String, build: String },
    /// An event for the function at this ARN.
    Event { function: String, payload: Value },
}

/// CodeCommit's event for a push to a branch ("referenceCreated and referenceUpdated
/// events", CodeCommit User Guide, Monitoring events), in the account of the repository: an event
/// that is forwarded keeps the account.
pub fn push_event(
    world: &mut World,
    arn: &str,
    branch: &str,
    commit: &str,
    old: Option<String>,
) -> Value {
    let mut parts = arn.split(':').skip(4);
    let (account, repository) = (parts.next(), parts.next());
    let account = account.unwrap_or_default();
    let mut detail = json!({
        "callerUserArn": format!("arn:aws:iam::{account}:user/mirror"),
        "commitId": commit,
        "event": if old.is_some() { "referenceUpdated" } else { "referenceCreated" },
        "referenceFullName": format!("refs/heads/{branch}"),
        "referenceName": branch,
        "referenceType": "branch",
        "repositoryId": "f7579e13-b83e-4027-aaef-650c0EXAMPLE",
        "repositoryName": repository,
    });
    if let Some(old) = old {
        detail["oldCommitId"] = old.into();
    }
    json!({
        "version": "0",
        "id": world.next_id(),
        "detail-type": "CodeCommit Repository State Change",
        "source": "aws.codecommit",
        "account": account,
        "time": World::date(world.now),
        "region": "eu-central-1",
        "resources": [arn],
        "detail": detail,
    })
}

/// Sends an event through every rule.
pub fn send(
    pipelines: &mut Pipelines,
    builds: &mut Builds,
    world: &mut World,
    event: &Value,
) -> Vec<Reaction> {
    let rules = world.made.iter().filter(|((kind, _), _)| kind == RULE);
    let rules = rules.map(|(_, rule)| rule.properties.clone());
    let rules: Vec<Value> = rules.filter(|rule| rule["State"] != "DISABLED").collect();
    let mut reactions = vec![];
    for rule in rules {
        match matches(&rule["EventPattern"], event) {
            Err(unknown) => world.complaints.push(unknown),
            Ok(false) => {}
            Ok(true) => {
                for target in rule["Targets"].as_array().into_iter().flatten() {
                    match react(pipelines, builds, world, target, event) {
                        Ok(reaction) => reactions.push(reaction),
                        Err(complaint) => world.complaints.push(complaint),
                    }
                }
            }
        }
    }
    reactions
}

/// "For a pattern to match an event, the event must contain all the field names listed in the
/// event pattern", each with one of the values; of an array in the event any member counts.
fn matches(pattern: &Value, event: &Value) -> Result<bool, String> {
    match pattern {
        Value::Object(fields) => {
            for (name, wanted) in fields {
                if !matches(wanted, &event[name])? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Value::Array(values) => {
            let members = event.as_array().map_or(from_ref(event), Vec::as_slice);
            for value in values {
                for member in members {
                    if matches_value(value, member)? {
                        return Ok(true);
                    }
                }
            }
            Ok(false)
        }
        _ => Err(format!("the fake does not know the pattern {pattern}")),
    }
}

/// A value of a pattern: a text, a prefix, a text with wildcards, or whether the field exists.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>
fn matches_value(wanted: &Value, found: &Value) -> Result<bool, String> {
    let text = found.as_str();
    if wanted.is_string() {
        return Ok(wanted == found);
    }
    if let Some(exists) = wanted["exists"].as_bool() {
        return Ok(exists != found.is_null());
    }
    if let Some(prefix) = wanted["prefix"].as_str() {
        return Ok(text.is_some_and(|text| text.starts_with(prefix)));
    }
    if let Some(wildcard) = wanted["wildcard"].as_str() {
        return Ok(text.is_some_and(|text| matches_wildcard(wildcard, text)));
    }
    Err(format!("the fake does not know the pattern {wanted}"))
}

/// `*` is any number of characters, also none.
fn matches_wildcard(wildcard: &str, text: &str) -> bool {
    let Some((start, rest)) = wildcard.split_once('*') else {
        return wildcard == text;
    };
    let Some(text) = text.strip_prefix(start) else {
        return false;
    };
    let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.any(|at| matches_wildcard(rest, &text[at..]))
}

fn react(
    pipelines: &mut Pipelines,
    builds: &mut Builds,
    world: &mut World,
    target: &Value,
    event: &Value,
) -> Result<Reaction, String> {
    let arn = target["Arn"].as_str().unwrap_or_default();
    let input = transformed(&target["InputTransformer"], event)?;
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, name) = (parts.next(), parts.nth(2));
    match (service, name) {
        (Some("codepipeline"), Some(name)) => {
            let revisions = &input["sourceRevisions"];
            let started =
                pipelines::start(pipelines, world, name, revisions, None, "CloudWatchEvent");
            let execution = started.map_err(|error| format!("a target: {}", error.message))?;
            Ok(Reaction::Started {
                pipeline: name.to_owned(),
                execution,
            })
        }
        (Some("codebuild"), Some(name)) => {
            let project = name.strip_prefix("project/").unwrap_or(name).to_owned();
            let source_version = input["sourceVersion"].as_str().unwrap_or_default();
            let uuid = world.next_id();
            let build = codebuild::start(builds, world, &project, &uuid, source_version);
            Ok(Reaction::BuildStarted { project, build })
        }
        (Some("lambda"), Some(_)) => Ok(Reaction::Event {
            function: arn.to_owned(),
            payload: input,
        }),
        _ => Err(format!("the fake does not know the target {arn}")),
    }
}

/// A template of JSON, in which `<name>` is the value at the path of that name. A string gets
/// quotation marks if it is outside of them, and is inserted unchanged inside.
fn transformed(transformer: &Value, event: &Value) -> Result<Value, String> {
    if transformer.is_null() {
        return Ok(event.clone());
    }
    let template = transformer["InputTemplate"].as_str().unwrap_or_default();
    let paths = transformer["InputPathsMap"].as_object();
    let mut result = String::new();
    let mut is_quoted = false;
    let mut rest = template;
    while let Some(next) = rest.find(['<', '"']) {
        result.push_str(&rest[..next]);
        if rest[next..].starts_with('"') {
            is_quoted = !is_quoted;
            result.push('"');
            rest = &rest[next + 1..];
            continue;
        }
        let end = rest[next..].find('>').ok_or("an input template without an end")? + next;
        let name = &rest[next + 1..end];
        let path = paths.and_then(|paths| paths.get(name)).and_then(Value::as_str);
        let path =
            path.ok_or_else(|| format!("an input template names {name}, which has no path"))?;
        let value = at(event, path)?;
        match (is_quoted, value) {
            (true, Value::String(text)) => result.push_str(text),
            (_, value) => result.push_str(&value.to_string()),
        }
        rest = &rest[end + 1..];
    }
    result.push_str(rest);
    serde_json::from_str(&result).map_err(|_| format!("an input template makes no JSON: {result}"))
}

fn at<'a>(event: &'a Value, path: &str) -> Result<&'a Value, String> {
    let steps = path.strip_prefix("$.").ok_or("a path that is none")?;
    let mut found = event;
    for step in steps.split('.') {
        found = &found[step];
    }
    if found.is_null() {
        return Err(format!("nothing stands at {path}"));
    }
    Ok(found)
}
