//! The calls to CloudFormation.

use std::time::SystemTime;

use aws_sdk_cloudformation::operation::create_change_set::builders::CreateChangeSetFluentBuilder;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetSummary, ChangeSetType, DeploymentMode, Parameter, Tag,
};

use super::change_set::{Change, ChangeSet, is_partial, read_creation};
use super::values::Values;
use crate::clients::aws::{Aws, CallError, optional, required};
use crate::common::stop::Stop;
use crate::gitops_pipeline::describe_stack;
use crate::reconcile::backoff::Backoff;

/// CloudFormation's error codes for a change set that does not exist.
const ABSENT: [&str; 2] = ["ChangeSetNotFound", "ChangeSetNotFoundException"];

/// The description of the function's change sets. A person may choose their names, but not this
/// text by chance. `ListChangeSets` returns it:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ChangeSetSummary.html>.
const DESCRIPTION: &str =
    "cfn-gitops created this change set to read it, and deletes it. Do not execute it.";

/// CloudFormation's error code for the deletion of a change set that it is creating.
const CREATION_RUNS: [&str; 2] = ["InvalidChangeSetStatus", "InvalidChangeSetStatusException"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChangeSet {
    /// The stack, which exists.
    pub stack_name: String,
    pub name: String,
    /// The role with which CloudFormation would execute it.
    pub role_arn: String,
    pub capabilities: Vec<String>,
    /// The values of the parameters. `None` for the present value.
    pub parameters: Vec<(String, Option<String>)>,
    pub base: Base,
}

/// The two states that a change set compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Another template with the stack's present one.
    Template {
        /// The address of the template in S3.
        url: String,
        tags: Vec<(String, String)>,
    },
    /// The stack's present template with its resources as they are.
    Resources,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedChangeSet {
    pub name: String,
    /// When it was created. `None` if CloudFormation does not return it.
    pub created: Option<SystemTime>,
    /// Whether the function created it.
    pub is_own: bool,
}

/// Creates a change set, or finds one of its name. Another delivery creates the same one. A person
/// may use the name too, and then the comparison describes that one.
pub async fn create(aws: &Aws, new: &NewChangeSet) -> Result<(), Stop<CallError>> {
    let (stack_name, name) = (&new.stack_name, &new.name);
    let capabilities = new.capabilities.iter().map(|name| Capability::from(name.as_str()));
    let parameters = new.parameters.iter().map(|(key, value)| {
        let parameter = Parameter::builder().parameter_key(key);
        match value {
            Some(value) => parameter.parameter_value(value).build(),
            None => parameter.use_previous_value(true).build(),
        }
    });
    let call = aws
        .cloudformation
        .create_change_set()
        .stack_name(stack_name)
        .change_set_name(name)
        .change_set_type(ChangeSetType::Update)
        .description(DESCRIPTION)
        .role_arn(&new.role_arn)
        .set_capabilities(unless_empty(capabilities.collect()))
        .set_parameters(unless_empty(parameters.collect()));
    match with_base(call, &new.base).send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let doing = format!("creating change set {name} of stack {stack_name}");
            let error = CallError::new(doing, &error);
            if error.has_code(&["AlreadyExistsException"]) {
                Ok(())
            } else if error.is_invalid() && error.cause.contains("_IN_PROGRESS state") {
                Err(Stop::nothing("an operation on the stack runs"))
            } else if is_stack_absent(&error) && describe_stack(aws, stack_name).await?.is_none() {
                // The text alone proves nothing: a template or a role may be missing, too.
                Err(Stop::nothing("the stack was deleted"))
            } else {
                Err(error.into())
            }
        }
    }
}

fn with_base(call: CreateChangeSetFluentBuilder, base: &Base) -> CreateChangeSetFluentBuilder {
    match base {
        Base::Template { url, tags } => {
            let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
            // Without the member, CloudFormation keeps the stack's tags.
            call.template_url(url).set_tags(unless_empty(tags.collect()))
        }
        Base::Resources => {
            call.use_previous_template(true).deployment_mode(DeploymentMode::RevertDrift)
        }
    }
}

/// The SDK sends an empty list as a member without a value, which CloudFormation documents for tags
/// only.
fn unless_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// Reads the change set of this name or ARN. `None` if it or its stack does not exist.
pub async fn describe(
    aws: &Aws,
    stack_name: &str,
    name: &str,
) -> Result<Option<ChangeSet>, CallError> {
    let call = aws.cloudformation.describe_change_set();
    let call = call.stack_name(stack_name).change_set_name(name);
    let pages: Result<Vec<DescribeChangeSetOutput>, _> =
        call.into_paginator().send().collect().await;
    let doing = || format!("reading change set {name} of stack {stack_name}");
    let mut pages = unless_absent(optional(pages, &ABSENT, doing))?.unwrap_or_default();
    let listed = || pages.iter().flat_map(|page| page.changes());
    let number = listed().count();
    let mut changes: Vec<Change> = listed().filter_map(Change::read).collect();
    let values = Values::of(pages.iter().flat_map(|page| page.parameters()));
    changes.sort();
    Ok(pages.pop().map(|last| ChangeSet {
        is_partial: is_partial(last.stack_drift_status()),
        creation: read_creation(&last, number),
        values,
        id: last.change_set_id.unwrap_or_default(),
        changes,
    }))
}

/// Deletes a change set. One that does not exist, or whose stack does not, counts as deleted.
pub async fn delete(aws: &Aws, stack_name: &str, name: &str) -> Result<(), CallError> {
    let call = aws.cloudformation.delete_change_set();
    let call = call.stack_name(stack_name).change_set_name(name);
    let doing = || format!("deleting change set {name} of stack {stack_name}");
    unless_absent(optional(call.send().await, &ABSENT, doing)).map(drop)
}

/// `None` if the stack does not exist: CloudFormation has no error code for that.
fn unless_absent<T>(result: Result<Option<T>, CallError>) -> Result<Option<T>, CallError> {
    match result {
        Err(error) if is_stack_absent(&error) => Ok(None),
        result => result,
    }
}

fn is_stack_absent(error: &CallError) -> bool {
    error.is_invalid() && error.cause.contains("does not exist")
}

/// Deletes a change set that nothing will read, after its creation has ended. If that fails, a
/// health check deletes it.
pub async fn abandon(aws: &Aws, stack_name: &str, name: &str) {
    let mut backoff = Backoff::<()>::new();
    while let Err(error) = delete(aws, stack_name, name).await {
        if !error.has_code(&CREATION_RUNS) || !backoff.may_poll() {
            warn!(error.reason(), "a change set was left behind");
            return;
        }
        backoff.pause().await;
    }
}

/// The change sets of a stack. Empty if it does not exist.
pub async fn list(aws: &Aws, stack_name: &str) -> Result<Vec<ListedChangeSet>, CallError> {
    let call = aws.cloudformation.list_change_sets().stack_name(stack_name);
    let listed: Result<Vec<ChangeSetSummary>, _> =
        call.into_paginator().items().send().collect().await;
    let doing = || format!("listing the change sets of {stack_name}");
    let listed = unless_absent(required(listed, doing).map(Some))?.unwrap_or_default();
    let listed = listed.into_iter().filter_map(|summary| {
        let created = summary.creation_time;
        Some(ListedChangeSet {
            is_own: summary.description() == Some(DESCRIPTION),
            name: summary.change_set_name?,
            created: created.and_then(|time| SystemTime::try_from(time).ok()),
        })
    });
    Ok(listed.collect())
}
