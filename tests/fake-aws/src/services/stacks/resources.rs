//! CloudFormation's creations for the resource types of the product's stacks. Properties,
//! return values of `Ref` and `Fn::GetAtt`, and changes that replace a resource: AWS's resource
//! schemas and the Template Reference's page of each type.

use serde_json::Value;
use std::time::Duration;

use crate::{
    services::{
        codecommit::{self, Repository},
        iam::ACCOUNT,
        pipelines::Pipeline,
        tags::{self, Tags},
    },
    state::AwsState,
};

pub const REPOSITORY: &str = "AWS::CodeCommit::Repository";
pub(crate) const BUILD_PROJECT: &str = "AWS::CodeBuild::Project";
pub(crate) const LOG_GROUP: &str = "AWS::Logs::LogGroup";
pub const PIPELINE: &str = "AWS::CodePipeline::Pipeline";
pub const RULE: &str = "AWS::Events::Rule";

/// A resource without a life of its own here: a build project, a log group, a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub properties: Value,
    pub tags: Tags,
    /// The stack that created it. `None` for a resource of another owner.
    pub stack_id: Option<String>,
}

struct ResourceKind {
    kind: &'static str,
    /// The property that names it.
    name: &'static str,
    properties: &'static [&'static str],
    required: &'static [&'static str],
}

const KINDS: [ResourceKind; 5] = [
    ResourceKind {
        kind: REPOSITORY,
        name: "RepositoryName",
        properties: &[
            "RepositoryDescription",
            "Tags",
            "Code",
            "KmsKeyId",
            "Triggers",
        ],
        required: &[],
    },
    ResourceKind {
        kind: BUILD_PROJECT,
        name: "Name",
        properties: &[
            "Artifacts",
            "AutoRetryLimit",
            "BadgeEnabled",
            "Cache",
            "ConcurrentBuildLimit",
            "Description",
            "EncryptionKey",
            "Environment",
            "LogsConfig",
            "QueuedTimeoutInMinutes",
            "ServiceRole",
            "Source",
            "Tags",
            "TimeoutInMinutes",
            "Visibility",
            "VpcConfig",
        ],
        required: &["Artifacts", "ServiceRole", "Environment", "Source"],
    },
    ResourceKind {
        kind: LOG_GROUP,
        name: "LogGroupName",
        properties: &["KmsKeyId", "LogGroupClass", "RetentionInDays", "Tags"],
        required: &[],
    },
    ResourceKind {
        kind: PIPELINE,
        name: "Name",
        properties: &[
            "ArtifactStore",
            "ExecutionMode",
            "PipelineType",
            "RestartExecutionOnUpdate",
            "RoleArn",
            "Stages",
            "Tags",
            "Triggers",
            "Variables",
        ],
        required: &["Stages", "RoleArn"],
    },
    ResourceKind {
        kind: RULE,
        name: "Name",
        properties: &[
            "Description",
            "EventBusName",
            "EventPattern",
            "RoleArn",
            "ScheduleExpression",
            "State",
            "Tags",
            "Targets",
        ],
        required: &[],
    },
];

/// Whether the fake has this type's service.
pub(crate) fn is_known(kind: &str) -> bool {
    KINDS.iter().any(|known| known.kind == kind)
}

/// `Ref`'s value: for these types, the name.
pub fn physical_id(kind: &str, properties: &Value) -> Result<String, String> {
    let Some(known) = KINDS.iter().find(|known| known.kind == kind) else {
        return Err(format!(
            "Template format error: Unrecognized resource types: [{kind}]"
        ));
    };
    let members = properties.as_object().into_iter().flatten();
    for (property, _) in members {
        if property != known.name && !known.properties.contains(&property.as_str()) {
            return Err(format!(
                "Properties validation failed: extraneous key [{property}] is not permitted"
            ));
        }
    }
    for required in known.required {
        if properties[required].is_null() {
            return Err(format!(
                "Properties validation failed: required key [{required}] not found"
            ));
        }
    }
    let name = properties[known.name].as_str();
    let name = name.ok_or_else(|| format!("the fake invents no name for a {kind}"))?;
    Ok(name.to_owned())
}

/// `Fn::GetAtt`'s value.
pub(crate) fn attribute(kind: &str, physical_id: &str, attribute: &str) -> Option<String> {
    let arn = |service: &str, rest: &str| {
        Some(format!(
            "arn:aws:{service}:eu-central-1:{ACCOUNT}:{rest}{physical_id}"
        ))
    };
    match (kind, attribute) {
        (REPOSITORY, "Name") => Some(physical_id.to_owned()),
        (REPOSITORY, "Arn") => arn("codecommit", ""),
        (REPOSITORY, "CloneUrlHttp") => Some(codecommit::clone_url(physical_id)),
        (BUILD_PROJECT, "Arn") => arn("codebuild", "project/"),
        (LOG_GROUP, "Arn") => arn("logs", "log-group:").map(|arn| arn + ":*"),
        (RULE, "Arn") => arn("events", "rule/"),
        (PIPELINE, "Version") => Some("1".to_owned()),
        _ => None,
    }
}

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
    aws: &mut AwsState,
    owner: &Owner,
    kind: &str,
    name: &str,
    properties: &Value,
) -> Result<(), String> {
    let tags = tags_of(properties, owner);
    if let Some(refusal) = tags
        .iter()
        .find_map(|(key, value)| tags::refusal(key, value))
    {
        return Err(refusal);
    }
    let is_there = match kind {
        REPOSITORY => aws.repositories.contains_key(name),
        PIPELINE => aws.pipelines.contains_key(name),
        _ => aws.made.contains_key(&(kind.to_owned(), name.to_owned())),
    };
    if is_there {
        return Err(format!(
            "Resource handler returned message: \"Resource of type '{kind}' with identifier \
             '{name}' already exists.\" (HandlerErrorCode: AlreadyExists)"
        ));
    }
    let now = aws.now;
    match kind {
        REPOSITORY => {
            let mut repository = Repository::new(name, aws.next_id());
            repository.description = properties["RepositoryDescription"]
                .as_str()
                .map(str::to_owned);
            repository.created = now;
            repository.tags = tags;
            repository.stack_id = Some(owner.stack_id.clone());
            aws.repositories.insert(name.to_owned(), repository);
        }
        PIPELINE => {
            let (first_run, takes) = (aws.next_id(), aws.options.source_takes);
            let pipeline = Pipeline::new(
                properties.clone(),
                tags,
                &owner.stack_id,
                first_run,
                now,
                takes,
            );
            aws.pipelines.insert(name.to_owned(), pipeline);
        }
        _ => {
            if kind == RULE {
                rule_is_sound(name, properties)?;
            }
            aws.made.insert(
                (kind.to_owned(), name.to_owned()),
                Made {
                    properties: properties.clone(),
                    tags,
                    stack_id: Some(owner.stack_id.clone()),
                },
            );
        }
    }
    Ok(())
}

/// Changes a resource in place.
pub fn update(
    aws: &mut AwsState,
    owner: &Owner,
    kind: &str,
    name: &str,
    properties: &Value,
) -> Result<(), String> {
    let tags = tags_of(properties, owner);
    let gone = || {
        format!(
            "Resource handler returned message: \"Resource of type '{kind}' with identifier \
             '{name}' was not found.\" (HandlerErrorCode: NotFound)"
        )
    };
    match kind {
        REPOSITORY => {
            let repository = aws.repositories.get_mut(name).ok_or_else(gone)?;
            repository.description = properties["RepositoryDescription"]
                .as_str()
                .map(str::to_owned);
            repository.tags = tags;
        }
        PIPELINE => {
            let ends = aws.now + aws.options.actions_take;
            let pipeline = aws.pipelines.get_mut(name).ok_or_else(gone)?;
            pipeline.update(properties, ends);
            pipeline.tags = tags;
        }
        _ => {
            if kind == RULE {
                rule_is_sound(name, properties)?;
            }
            let key = (kind.to_owned(), name.to_owned());
            let made = aws.made.get_mut(&key).ok_or_else(gone)?;
            made.properties = properties.clone();
            made.tags = tags;
        }
    }
    Ok(())
}

/// Deletes a resource. A missing one is not an error: "if the resource doesn't exist,
/// CloudFormation deems it successfully deleted" applies to every handler that returns `NotFound`
/// (CLI User Guide, Handler error codes).
pub fn delete(aws: &mut AwsState, kind: &str, name: &str) {
    match kind {
        REPOSITORY => codecommit::remove(aws, name),
        PIPELINE => {
            aws.pipelines.remove(name);
        }
        _ => {
            aws.made.remove(&(kind.to_owned(), name.to_owned()));
        }
    }
}

/// EventBridge API Reference, `PutRule`: names of 1 to 64 characters of `[\.\-_A-Za-z0-9]`, and
/// `PutTargets`: at most five targets, a pipeline needs a role.
fn rule_is_sound(name: &str, properties: &Value) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        return Err(format!(
            "Value '{name}' at 'name' failed to satisfy constraint: Member must have length less \
             than or equal to 64"
        ));
    }
    let targets = properties["Targets"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
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

/// The time until a pipeline's first execution reads its source.
pub(crate) const FIRST_RUN_AFTER: Duration = Duration::from_secs(2);
