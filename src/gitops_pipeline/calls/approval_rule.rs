//! Calls on approval rule templates, for which CloudFormation has no type.
//!
//! A template has no tags. Its description names the owner, and cfn-gitops changes only templates
//! with exactly this description.

use crate::aws::{Aws, CallError};
use crate::gitops_pipeline::names::ResourceNames;
use crate::ownership::Owner;
use crate::reason_codes::Code;

/// Another delivery of a superseded request may associate the template again during its deletion.
const MAX_DELETIONS: u32 = 4;

/// An approval rule template that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRule {
    /// It names the owner.
    pub description: String,
    content: String,
}

/// The description of a template that `owner` created.
pub fn description(owner: &Owner) -> String {
    format!(
        "Made by the resource {} of stack {}",
        owner.logical_id, owner.stack_id
    )
}

/// Looks up the project's template. `None` if it does not exist.
pub async fn look_up(aws: &Aws, names: &ResourceNames) -> Result<Option<FoundRule>, CallError> {
    let name = names.approval_rule_template();
    let call = aws
        .codecommit
        .get_approval_rule_template()
        .approval_rule_template_name(&name);
    match call.send().await {
        Ok(output) => Ok(output.approval_rule_template.map(|template| FoundRule {
            description: template
                .approval_rule_template_description
                .unwrap_or_default(),
            content: template.approval_rule_template_content.unwrap_or_default(),
        })),
        Err(error) => {
            let is_absent = error
                .as_service_error()
                .is_some_and(|error| error.is_approval_rule_template_does_not_exist_exception());
            let error = CallError::new(format!("looking up approval rule template {name}"), &error);
            if is_absent { Ok(None) } else { Err(error) }
        }
    }
}

/// The error for a template that another owner created.
pub fn held(name: &str, existing: &FoundRule) -> CallError {
    let described: String = existing.description.chars().take(300).collect();
    CallError::local(
        Code::ApprovalRuleHeld,
        format!("applying approval rule template {name}"),
        format!(
            "it was not made by this resource (its description: \"{described}\"); free the name: `aws \
             codecommit batch-disassociate-approval-rule-template-from-repositories` for its \
             repositories, and then `aws codecommit delete-approval-rule-template \
             --approval-rule-template-name {name}`"
        ),
    )
}

/// Creates or updates the template, and associates it with this repository only.
pub async fn apply(
    aws: &Aws,
    names: &ResourceNames,
    owner: &Owner,
    content: &str,
    repository_name: &str,
) -> Result<(), CallError> {
    let name = names.approval_rule_template();
    let description = description(owner);
    let mut existing = look_up(aws, names).await?;
    if existing.is_none() && !create(aws, &name, &description, content).await? {
        // The response to an earlier attempt was lost, or a peer created it first.
        existing = look_up(aws, names).await?;
    }
    match existing {
        Some(existing) if existing.description != description => {
            return Err(held(&name, &existing));
        }
        Some(existing) if existing.content != content => update(aws, &name, content).await?,
        _ => {}
    }
    let associated = associated_repositories(aws, &name).await?;
    if !associated.iter().any(|other| other == repository_name) {
        associate(aws, &name, repository_name).await?;
    }
    for other in associated.iter().filter(|other| *other != repository_name) {
        disassociate(aws, &name, other).await?;
    }
    Ok(())
}

/// Deletes the template and its associations. Succeeds if the template does not exist.
pub async fn delete(aws: &Aws, names: &ResourceNames) -> Result<(), CallError> {
    let name = names.approval_rule_template();
    let mut attempts = 0;
    loop {
        for repository in associated_repositories(aws, &name).await? {
            disassociate(aws, &name, &repository).await?;
        }
        let call = aws
            .codecommit
            .delete_approval_rule_template()
            .approval_rule_template_name(&name);
        let Err(error) = call.send().await else {
            return Ok(());
        };
        // A superseded request is associating it.
        let is_in_use = error
            .as_service_error()
            .is_some_and(|error| error.is_approval_rule_template_in_use_exception());
        attempts += 1;
        if !is_in_use || attempts == MAX_DELETIONS {
            let doing = format!("deleting approval rule template {name}");
            return Err(CallError::new(doing, &error));
        }
    }
}

/// Creates the template. `false` if a template of the name exists.
async fn create(
    aws: &Aws,
    name: &str,
    description: &str,
    content: &str,
) -> Result<bool, CallError> {
    let call = aws
        .codecommit
        .create_approval_rule_template()
        .approval_rule_template_name(name)
        .approval_rule_template_description(description)
        .approval_rule_template_content(content);
    match call.send().await {
        Ok(_) => Ok(true),
        Err(error)
            if error.as_service_error().is_some_and(|error| {
                error.is_approval_rule_template_name_already_exists_exception()
            }) =>
        {
            Ok(false)
        }
        Err(error) => Err(CallError::new(
            format!("creating approval rule template {name}"),
            &error,
        )),
    }
}

async fn update(aws: &Aws, name: &str, content: &str) -> Result<(), CallError> {
    let call = aws
        .codecommit
        .update_approval_rule_template_content()
        .approval_rule_template_name(name)
        .new_rule_content(content);
    call.send()
        .await
        .map(drop)
        .map_err(|error| CallError::new(format!("updating approval rule template {name}"), &error))
}

async fn associated_repositories(aws: &Aws, name: &str) -> Result<Vec<String>, CallError> {
    let mut names = Vec::new();
    let mut next = None;
    loop {
        let call = aws
            .codecommit
            .list_repositories_for_approval_rule_template()
            .approval_rule_template_name(name)
            .set_next_token(next);
        let output = match call.send().await {
            Ok(output) => output,
            Err(error)
                if error.as_service_error().is_some_and(|error| {
                    error.is_approval_rule_template_does_not_exist_exception()
                }) =>
            {
                return Ok(names);
            }
            Err(error) => {
                let doing = format!("listing the repositories of approval rule template {name}");
                return Err(CallError::new(doing, &error));
            }
        };
        names.extend(output.repository_names.unwrap_or_default());
        match output.next_token {
            Some(token) => next = Some(token),
            None => return Ok(names),
        }
    }
}

async fn associate(aws: &Aws, name: &str, repository_name: &str) -> Result<(), CallError> {
    let call = aws
        .codecommit
        .associate_approval_rule_template_with_repository()
        .approval_rule_template_name(name)
        .repository_name(repository_name);
    call.send().await.map(drop).map_err(|error| {
        let doing =
            format!("associating approval rule template {name} with repository {repository_name}");
        CallError::new(doing, &error)
    })
}

async fn disassociate(aws: &Aws, name: &str, repository_name: &str) -> Result<(), CallError> {
    let call = aws
        .codecommit
        .disassociate_approval_rule_template_from_repository()
        .approval_rule_template_name(name)
        .repository_name(repository_name);
    match call.send().await {
        Ok(_) => Ok(()),
        // The deletion of the template or of the repository removes the association.
        Err(error)
            if error.as_service_error().is_some_and(|error| {
                error.is_approval_rule_template_does_not_exist_exception()
                    || error.is_repository_does_not_exist_exception()
            }) =>
        {
            Ok(())
        }
        Err(error) => {
            let doing = format!(
                "disassociating approval rule template {name} from repository {repository_name}"
            );
            Err(CallError::new(doing, &error))
        }
    }
}
