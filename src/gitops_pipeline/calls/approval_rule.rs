//! Calls on approval rule templates, for which CloudFormation has no type.
//!
//! A template has no tags. Its description names the owner, and cfn-gitops changes only templates
//! with exactly this description.

use crate::clients::aws::{Aws, CallError, optional, required, retrying_absence};
use crate::common::commands::aws;
use crate::common::one_line::shortened;
use crate::common::ownership::Owner;
use crate::common::reason_codes::Code;
use crate::gitops_pipeline::names::ResourceNames;

/// Another delivery of a superseded request may associate the template again during its deletion.
const MAX_DELETIONS: u32 = 4;

const NO_TEMPLATE: &str = "ApprovalRuleTemplateDoesNotExistException";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRule {
    description: String,
    content: String,
}

impl FoundRule {
    pub fn is_of(&self, owner: &Owner) -> bool {
        self.description == description(owner)
    }
}

fn description(owner: &Owner) -> String {
    format!(
        "Made by the resource {} of stack {}",
        owner.logical_id, owner.stack_id
    )
}

/// Looks up the project's template. `None` if it does not exist.
pub async fn look_up(aws: &Aws, names: &ResourceNames) -> Result<Option<FoundRule>, CallError> {
    let name = names.approval_rule_template();
    let call = aws.codecommit.get_approval_rule_template().approval_rule_template_name(&name);
    let output = optional(call.send().await, &[NO_TEMPLATE], || {
        format!("looking up approval rule template {name}")
    })?;
    let template = output.and_then(|output| output.approval_rule_template);
    Ok(template.map(|template| FoundRule {
        description: template.approval_rule_template_description.unwrap_or_default(),
        content: template.approval_rule_template_content.unwrap_or_default(),
    }))
}

/// The error for a template that another owner created.
pub fn held(name: &str, existing: &FoundRule, own: &Owner) -> CallError {
    let described = shortened(&existing.description, 300);
    CallError::local(
        Code::ApprovalRuleHeld,
        format!("applying approval rule template {name}"),
        format!("its description does not name this resource: \"{described}\""),
    )
    .with_remedy(
        aws([
            "codecommit",
            "update-approval-rule-template-description",
            "--approval-rule-template-name",
            name,
            "--approval-rule-template-description",
            &description(own),
        ])
        .after("If it is this resource's, restore that: ")
        .then(
            aws([
                "codecommit",
                "batch-disassociate-approval-rule-template-from-repositories",
            ])
            .after(". Otherwise free the name: ")
            .then(
                aws([
                    "codecommit",
                    "delete-approval-rule-template",
                    "--approval-rule-template-name",
                    name,
                ])
                .after(" for its repositories, and then "),
            ),
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
    let mut existing = look_up(aws, names).await?;
    if existing.is_none() && !create(aws, &name, &description(owner), content).await? {
        // The response to an earlier attempt was lost, or a peer created it first.
        existing = look_up(aws, names).await?;
    }
    match existing {
        Some(existing) if !existing.is_of(owner) => return Err(held(&name, &existing, owner)),
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
        let call = aws.codecommit.delete_approval_rule_template();
        let call = call.approval_rule_template_name(&name);
        let Err(error) = call.send().await else {
            return Ok(());
        };
        // A superseded request is associating it.
        let error = CallError::new(format!("deleting approval rule template {name}"), &error);
        attempts += 1;
        if !error.has_code(&["ApprovalRuleTemplateInUseException"]) || attempts == MAX_DELETIONS {
            return Err(error);
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
    let exists = ["ApprovalRuleTemplateNameAlreadyExistsException"];
    let created = optional(call.send().await, &exists, || {
        format!("creating approval rule template {name}")
    })?;
    Ok(created.is_some())
}

async fn update(aws: &Aws, name: &str, content: &str) -> Result<(), CallError> {
    let call = aws
        .codecommit
        .update_approval_rule_template_content()
        .approval_rule_template_name(name)
        .new_rule_content(content);
    let doing = || format!("updating approval rule template {name}");
    required(call.send().await, doing).map(drop)
}

async fn associated_repositories(aws: &Aws, name: &str) -> Result<Vec<String>, CallError> {
    let call = aws
        .codecommit
        .list_repositories_for_approval_rule_template()
        .approval_rule_template_name(name);
    let pages: Result<Vec<_>, _> = call.into_paginator().send().collect().await;
    let pages = optional(pages, &[NO_TEMPLATE], || {
        format!("listing the repositories of approval rule template {name}")
    })?;
    let names = pages.into_iter().flatten().filter_map(|page| page.repository_names);
    Ok(names.flatten().collect())
}

async fn associate(aws: &Aws, name: &str, repository_name: &str) -> Result<(), CallError> {
    let call = aws
        .codecommit
        .associate_approval_rule_template_with_repository()
        .approval_rule_template_name(name)
        .repository_name(repository_name);
    // The repository or the template may have been created just before.
    let associated = required(retrying_absence(true, call.send()).await, || {
        format!("associating approval rule template {name} with repository {repository_name}")
    });
    associated.map(drop)
}

async fn disassociate(aws: &Aws, name: &str, repository_name: &str) -> Result<(), CallError> {
    let call = aws
        .codecommit
        .disassociate_approval_rule_template_from_repository()
        .approval_rule_template_name(name)
        .repository_name(repository_name);
    // The deletion of the template or of the repository removes the association.
    let absent = [NO_TEMPLATE, "RepositoryDoesNotExistException"];
    optional(call.send().await, &absent, || {
        format!("disassociating approval rule template {name} from repository {repository_name}")
    })?;
    Ok(())
}
