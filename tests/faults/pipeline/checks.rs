//! The invariants at every instant and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::fixture::{GIVEN, PARENT, PIPELINE};
use fake_aws::stacks::Stack;
use fake_aws::{AwsState, FakeAws};
use test_support::custom_resource::ParentStack;

fn is_ours(stack: &Stack) -> bool {
    let owner = stack.tags.get("cfn-gitops:stack-id");
    owner.is_some_and(|id| id == PARENT)
}

/// The child stacks of the project's resource.
pub fn ours(aws: &AwsState) -> Vec<&Stack> {
    aws.stacks.living().filter(|stack| is_ours(stack)).collect()
}

/// Foreign resources, as text.
fn foreign(aws: &AwsState) -> String {
    let mut stacks: Vec<_> = aws.stacks.living().collect();
    stacks.retain(|stack| !is_ours(stack));
    let repositories = aws.codecommit.repositories.iter();
    let repositories = repositories.filter(|(_, held)| held.stack_id.is_none());
    let repositories: Vec<_> = repositories.map(|(name, held)| (name, &held.tags)).collect();
    let mut templates: Vec<_> = aws.codecommit.rule_templates.iter().collect();
    templates.retain(|(_, held)| !held.description.contains(PARENT));
    format!("{stacks:?}\n{repositories:?}\n{templates:?}")
}

/// At every instant: at most this many child stacks of ours, no execution without a source, nothing
/// of others changed, and no repository deleted that should be retained.
pub fn watch(fake: &FakeAws, most: usize, retained: &'static [&'static str]) {
    let before = fake.look(foreign);
    fake.at_every_instant(move |aws| {
        let stacks = ours(aws);
        if stacks.len() > most {
            let names: Vec<&String> = stacks.iter().map(|stack| &stack.name).collect();
            return Err(format!("more child stacks than {most}: {names:?}"));
        }
        if !aws.failed_runs.is_empty() {
            return Err(format!("a run failed at its source: {:?}", aws.failed_runs));
        }
        let mut gone = aws.codecommit.repositories_gone.iter();
        if let Some(lost) = gone.find(|name| *name == GIVEN || retained.contains(&name.as_str())) {
            return Err(format!("repository {lost} should have been retained"));
        }
        if aws.stacks.all.values().any(|stack| stack.name.starts_with("cfnstack-")) {
            return Err("a deployed stack was changed".to_owned());
        }
        let now = foreign(aws);
        if now != before {
            return Err(format!("something of others was touched:\n{before}\n{now}"));
        }
        Ok(())
    });
}

/// At every instant at which a resource is reported as created: its stack is complete.
pub fn answers_are_true_when_they_come(fake: &FakeAws) {
    let heard = AtomicUsize::new(0);
    fake.at_every_instant(move |aws| {
        let before = heard.swap(aws.responses.len(), Ordering::Relaxed);
        let Some(delivery) = aws.responses.get(before) else {
            return Ok(());
        };
        if delivery.json()["Status"] != "SUCCESS" {
            return Ok(());
        }
        let stacks = ours(aws);
        match stacks.iter().find(|one| one.is_in_progress()) {
            Some(one) => Err(format!("SUCCESS while the stack is {}", one.status)),
            None => Ok(()),
        }
    });
}

/// Nothing of the resource is left, except repositories that are to stay.
pub fn nothing_remains(aws: &AwsState, retained: &[&str]) -> Result<(), String> {
    let stacks: Vec<&str> = ours(aws).iter().map(|stack| stack.status).collect();
    if !stacks.is_empty() {
        return Err(format!("a child stack is left: {stacks:?}"));
    }
    let made: Vec<_> = aws.made.keys().collect();
    if !made.is_empty() || !aws.pipelines.is_empty() {
        return Err(format!("left behind: {made:?} {:?}", aws.pipelines.keys()));
    }
    for (name, held) in &aws.codecommit.repositories {
        if held.stack_id.is_some() && !retained.contains(&name.as_str()) {
            return Err(format!("repository {name} is left"));
        }
    }
    for (name, held) in &aws.codecommit.rule_templates {
        if held.description.contains(PARENT) {
            return Err(format!("approval rule template {name} is left"));
        }
    }
    for (name, held) in &aws.secrets {
        let is_mark = (name.starts_with("cfn-gitops-") && name.contains("/deletions/"))
            && held.deletion.is_some()
            && held.versions.is_empty();
        if !is_mark {
            return Err(format!("secret {name} is left"));
        }
    }
    Ok(())
}

/// Fails if anything of the resource is left.
#[track_caller]
pub fn assert_nothing_remains(fake: &FakeAws) {
    fake.assert_holds(|aws| nothing_remains(aws, &[]));
}

/// Deletes the resource. Fails if anything of it is left, or if an invariant was violated.
pub async fn delete_completely(stack: &mut ParentStack) {
    let deleted = stack.delete().await;
    let fake = &stack.fake;
    deleted.assert_success();
    assert_nothing_remains(fake);
    fake.assert_unbroken();
}

/// All resources that the resource has created, without IDs and times.
pub fn shape(aws: &AwsState) -> Value {
    let own_tags = |tags: &BTreeMap<String, String>| {
        let mut tags = tags.clone();
        tags.retain(|key, _| !key.starts_with("aws:"));
        tags
    };
    let stacks = ours(aws).into_iter().map(shape_of_stack);
    let made = aws.made.iter();
    let made =
        made.map(|((kind, name), one)| json!([kind, name, one.properties, own_tags(&one.tags)]));
    let pipelines = aws.pipelines.iter();
    let pipelines = pipelines.map(|(name, one)| json!([name, one.properties, own_tags(&one.tags)]));
    let repositories = aws.codecommit.repositories.iter().map(|(name, one)| {
        let tags = own_tags(&one.tags);
        json!([
            name,
            one.description,
            tags,
            one.default_branch,
            one.branches
        ])
    });
    let templates = aws.codecommit.rule_templates.iter();
    let templates =
        templates.map(|(name, one)| json!([name, one.description, one.content, one.repositories]));
    json!({
        "stacks": stacks.collect::<Vec<Value>>(),
        "made": made.collect::<Vec<Value>>(),
        "pipelines": pipelines.collect::<Vec<Value>>(),
        "repositories": repositories.collect::<Vec<Value>>(),
        "approval rule templates": templates.collect::<Vec<Value>>(),
    })
}

fn shape_of_stack(stack: &Stack) -> Value {
    // The template contains the request that sent it, which makes no difference.
    let mut template = Value::clone(&stack.template);
    if let Some(request) = template.pointer_mut("/Resources/BuildLogGroup/Metadata/Request") {
        request.take();
    }
    let existing = stack.resources.iter().filter(|(_, held)| held.exists);
    let resources = existing.map(|(logical_id, held)| {
        let policy = format!("{:?}", held.desired.deletion);
        let shape = json!({"Name": held.desired.physical_id, "Policy": policy});
        (logical_id, shape)
    });
    json!({
        "name": stack.name,
        "template": template,
        "parameters": stack.parameters,
        "tags": stack.tags,
        "outputs": stack.outputs,
        "role": stack.role,
        "resources": resources.collect::<BTreeMap<_, _>>(),
        "is settled": stack.status.ends_with("_COMPLETE"),
    })
}

/// Where two shapes differ, briefly.
pub fn difference(one: &Value, other: &Value) -> String {
    fn walk(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
        match (one, other) {
            (Value::Object(one), Value::Object(other)) => {
                let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                for name in names {
                    let part = |of: &serde_json::Map<String, Value>| {
                        of.get(name).cloned().unwrap_or_default()
                    };
                    walk(&format!("{path}.{name}"), &part(one), &part(other), found);
                }
            }
            (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
                for (index, (one, other)) in one.iter().zip(other).enumerate() {
                    walk(&format!("{path}[{index}]"), one, other, found);
                }
            }
            _ if one != other => found.push(format!("{path}: {one} instead of {other}")),
            _ => {}
        }
    }
    let mut found = vec![];
    walk("", one, other, &mut found);
    found.join("\n")
}

/// For each commit how many executions there are with it.
pub fn runs(aws: &AwsState, pipeline: &str) -> BTreeMap<String, usize> {
    let mut runs = BTreeMap::new();
    let executions = aws.pipelines.get(pipeline);
    for execution in executions.into_iter().flat_map(|one| &one.executions) {
        let commit = execution.revision.clone().unwrap_or_default();
        *runs.entry(commit).or_default() += 1;
    }
    runs
}

/// Fails unless the pipeline has executed exactly these commits, each so many times.
#[track_caller]
pub fn assert_runs(fake: &FakeAws, commits: &[(&str, usize)]) {
    let expected = commits.iter().map(|(commit, times)| ((*commit).to_owned(), *times));
    let runs = fake.look(|aws| runs(aws, PIPELINE));
    assert_eq!(runs, expected.collect());
}
