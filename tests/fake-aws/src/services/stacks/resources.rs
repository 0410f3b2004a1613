//! CloudFormation's creations for the resource types of the product's stacks. Properties,
//! return values of `Ref` and `Fn::GetAtt`, and changes that replace a resource: AWS's resource
//! schemas and the Template Reference's page of each type.

use serde_json::Value;

use crate::{
    services::{
        codecommit::{CodeCommit, Repository},
        pipelines::{Pipeline, Pipelines},
        stacks::{
            resource_kinds::{PIPELINE, REPOSITORY, RULE},
            template::Desired,
        },
    },
    world::{Made, Tags, World, tags},
};

/// The tags of a resource: its own, the stack's ("CloudFormation also propagates these tags to
/// the resources in the stack", API Reference, `CreateStack`), and CloudFormation's.
fn tags_of(properties: &Value, owner: &Owner) -> Tags {
    let mut all = owner.tags.clone();
    for tag in properties["Tags"].as_array().into_iter().flatten() {
        let part = |name: &str| tag[name].as_str().unwrap_or_default().to_owned();
        all.insert(part("Key"), part("Value"));
    }
    for (key, value) in [
        ("aws:cloudformation:stack-id", &owner.stack_id),
        ("aws:cloudformation:stack-name", &owner.stack_name),
        ("aws:cloudformation:logical-id", &owner.logical_id),
    ] {
        all.insert(key.to_owned(), value.clone());
    }
    all
}

fn description(repository: &Value) -> Option<String> {
    let text = repository["RepositoryDescription"].as_str();
    text.map(str::to_owned)
}

/// The owner of a resource.
#[derive(Clone, Debug)]
pub struct Owner {
    pub stack_id: String,
    pub stack_name: String,
    pub tags: Tags,
    pub logical_id: String,
}

/// Creates a resource, or returns the service's error.
pub fn create(
    codecommit: &mut CodeCommit,
    pipelines: &mut Pipelines,
    world: &mut World,
    owner: &Owner,
    desired: &Desired,
) -> Result<(), String> {
    let (kind, name) = (desired.kind.as_str(), desired.physical_id.as_str());
    let properties = &desired.properties;
    let tags = tags_of(properties, owner);
    for (key, value) in &tags {
        tags::refusal(key, value).map_or(Ok(()), Err)?;
    }
    let is_there = match kind {
        REPOSITORY => codecommit.repositories.contains_key(name),
        PIPELINE => pipelines.contains_key(name),
        _ => world.made.contains_key(&(kind.to_owned(), name.to_owned())),
    };
    if is_there {
        return Err(format!(
            "Resource handler returned message: \"Resource of type '{kind}' with identifier \
             '{name}' already exists.\" (HandlerErrorCode: AlreadyExists)"
        ));
    }
    let now = world.now;
    match kind {
        REPOSITORY => {
            let mut repository = Repository::new(name, world.next_id());
            repository.description = description(properties);
            repository.created = now;
            repository.tags = tags;
            repository.stack_id = Some(owner.stack_id.clone());
            codecommit.repositories.insert(name.to_owned(), repository);
        }
        PIPELINE => {
            let (first_run, takes) = (world.next_id(), world.options.source_takes);
            let (properties, stack_id) = (properties.clone(), &owner.stack_id);
            let made = Pipeline::new(properties, tags, stack_id, first_run, now, takes);
            pipelines.insert(name.to_owned(), made);
        }
        _ => {
            if kind == RULE {
                rule_is_sound(name, properties)?;
            }
            let made = Made {
                properties: properties.clone(),
                tags,
                stack_id: Some(owner.stack_id.clone()),
            };
            let key = (kind.to_owned(), name.to_owned());
            world.made.insert(key, made);
        }
    }
    Ok(())
}

/// Changes a resource in place.
pub fn update(
    codecommit: &mut CodeCommit,
    pipelines: &mut Pipelines,
    world: &mut World,
    owner: &Owner,
    desired: &Desired,
) -> Result<(), String> {
    let (kind, name) = (desired.kind.as_str(), desired.physical_id.as_str());
    let properties = &desired.properties;
    let tags = tags_of(properties, owner);
    let gone = || {
        format!(
            "Resource handler returned message: \"Resource of type '{kind}' with identifier \
             '{name}' was not found.\" (HandlerErrorCode: NotFound)"
        )
    };
    match kind {
        REPOSITORY => {
            let repository = codecommit.repositories.get_mut(name).ok_or_else(gone)?;
            repository.description = description(properties);
            repository.tags = tags;
        }
        PIPELINE => {
            let ends = world.now + world.options.actions_take;
            let pipeline = pipelines.get_mut(name).ok_or_else(gone)?;
            pipeline.update(properties, ends);
            pipeline.tags = tags;
        }
        _ => {
            if kind == RULE {
                rule_is_sound(name, properties)?;
            }
            let key = (kind.to_owned(), name.to_owned());
            let made = world.made.get_mut(&key).ok_or_else(gone)?;
            made.properties = properties.clone();
            made.tags = tags;
        }
    }
    Ok(())
}

/// Deletes a resource. A missing one is not an error: "if the resource doesn't exist,
/// CloudFormation deems it successfully deleted" applies to every handler that returns `NotFound`
/// (CLI User Guide, Handler error codes).
pub fn delete(
    codecommit: &mut CodeCommit,
    pipelines: &mut Pipelines,
    world: &mut World,
    desired: &Desired,
) {
    let (kind, name) = (desired.kind.as_str(), desired.physical_id.as_str());
    match kind {
        REPOSITORY => codecommit.remove(name),
        PIPELINE => {
            pipelines.remove(name);
        }
        _ => {
            world.made.remove(&(kind.to_owned(), name.to_owned()));
        }
    }
}

/// EventBridge API Reference, `PutRule`: names of 1 to 64 characters of `[\.\-_A-Za-z0-9]`, and
/// `PutTargets`: at most five targets, a pipeline needs a role.
fn rule_is_sound(name: &str, properties: &Value) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        let constraint = "Member must have length less than or equal to 64";
        return Err(format!(
            "Value '{name}' at 'name' failed to satisfy constraint: {constraint}"
        ));
    }
    let targets = properties["Targets"].as_array().map_or(&[][..], Vec::as_slice);
    if targets.len() > 5 {
        return Err("The requested resource exceeds the maximum number allowed.".to_owned());
    }
    for target in targets {
        let arn = target["Arn"].as_str().unwrap_or_default();
        // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
        let needs_role = [":codepipeline:", ":codebuild:"];
        if needs_role.iter().any(|service| arn.contains(service)) && target["RoleArn"].is_null() {
            return Err(format!("RoleArn is required for target {arn}."));
        }
    }
    Ok(())
}
