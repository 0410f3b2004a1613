//! CodeCommit's approval rule templates and their association with repositories (API Reference,
//! the operations named here and their errors).

use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

use crate::{
    request::Call,
    response::{ApiResponse, AwsError},
    services::{codecommit::existing_repository, pages::List},
    state::AwsState,
};

/// "A maximum of 25 approval rule templates can be associated with a repository" (User Guide,
/// Quotas).
const MOST_ON_REPOSITORY: usize = 25;

#[derive(Clone, Debug, PartialEq)]
pub struct RuleTemplate {
    pub id: String,
    pub description: String,
    pub content: String,
    pub created: Duration,
    pub changed: Duration,
    pub repositories: BTreeSet<String>,
}

/// The response, or `None` if it is another operation.
pub fn answer(aws: &mut AwsState, call: &Call) -> Option<Result<ApiResponse, AwsError>> {
    let act = match call.operation.as_str() {
        "GetApprovalRuleTemplate" => get,
        "CreateApprovalRuleTemplate" => create,
        "DeleteApprovalRuleTemplate" => delete,
        "UpdateApprovalRuleTemplateContent" => update_content,
        "AssociateApprovalRuleTemplateWithRepository" => associate,
        "DisassociateApprovalRuleTemplateFromRepository" => disassociate,
        "ListRepositoriesForApprovalRuleTemplate" => list_repositories,
        _ => return None,
    };
    Some(act(aws, call).map(|body| ApiResponse::json(&body)))
}

fn get(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = template_name(call)?;
    found(aws, name).map(|template| shown(name, template))
}

fn create(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = template_name(call)?;
    let content = content(call, "approvalRuleTemplateContent")?;
    if aws.rule_templates.contains_key(name) {
        return Err(AwsError::new(
            400,
            "ApprovalRuleTemplateNameAlreadyExistsException",
            "You cannot create an approval rule template with that name because a template with \
             that name already exists in this AWS Region for your AWS account.",
        ));
    }
    let template = RuleTemplate {
        id: aws.next_id(),
        description: call.needed("approvalRuleTemplateDescription").to_owned(),
        content,
        created: aws.now,
        changed: aws.now,
        repositories: BTreeSet::new(),
    };
    let body = shown(name, &template);
    aws.rule_templates.insert(name.to_owned(), template);
    Ok(body)
}

/// "The approval rule template is associated with one or more repositories. You cannot delete a
/// template that is associated with a repository." A missing template is not an error: the
/// operation has none for it.
fn delete(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = template_name(call)?;
    let held = aws.rule_templates.get(name);
    if held.is_some_and(|held| !held.repositories.is_empty()) {
        return Err(AwsError::new(
            400,
            "ApprovalRuleTemplateInUseException",
            "The approval rule template is associated with one or more repositories. You cannot \
             delete a template that is associated with a repository. Remove all associations, and \
             then try again.",
        ));
    }
    let id = aws.rule_templates.remove(name).map(|held| held.id);
    Ok(json!({"approvalRuleTemplateId": id.unwrap_or_default()}))
}

fn update_content(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = template_name(call)?.to_owned();
    let content = content(call, "newRuleContent")?;
    if call.text("existingRuleContentSha256").is_some() {
        aws.complaints
            .push("the fake does not know existingRuleContentSha256".to_owned());
    }
    let now = aws.now;
    let held = found_mut(aws, &name)?;
    held.content = content;
    held.changed = now;
    Ok(shown(&name, held))
}

/// A repeated association is not an error: the operation has none for it.
fn associate(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = template_name(call)?.to_owned();
    found(aws, &name)?;
    let repository = existing_repository(aws, call)?.to_owned();
    let templates = aws.rule_templates.values();
    let others = templates.filter(|held| held.repositories.contains(&repository));
    let is_there = aws.rule_templates[&name].repositories.contains(&repository);
    if !is_there && others.count() >= MOST_ON_REPOSITORY {
        return Err(AwsError::new(
            400,
            "MaximumRuleTemplatesAssociatedWithRepositoryException",
            "The maximum number of approval rule templates for a repository has been exceeded.",
        ));
    }
    found_mut(aws, &name)?.repositories.insert(repository);
    Ok(json!({}))
}

fn disassociate(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let name = template_name(call)?.to_owned();
    found(aws, &name)?;
    let repository = existing_repository(aws, call)?.to_owned();
    found_mut(aws, &name)?.repositories.remove(&repository);
    Ok(json!({}))
}

fn list_repositories(aws: &mut AwsState, call: &Call) -> Result<Value, AwsError> {
    let held = found(aws, template_name(call)?)?;
    let names: Vec<Value> = held.repositories.iter().map(|name| json!(name)).collect();
    let list = List {
        name: "repositoryNames",
        token: "nextToken",
        invalid_token: "InvalidContinuationTokenException",
    };
    list.page(aws, call, &names)
}

fn shown(name: &str, template: &RuleTemplate) -> Value {
    json!({"approvalRuleTemplate": {
        "approvalRuleTemplateId": template.id,
        "approvalRuleTemplateName": name,
        "approvalRuleTemplateDescription": template.description,
        "approvalRuleTemplateContent": template.content,
        "creationDate": AwsState::seconds(template.created),
        "lastModifiedDate": AwsState::seconds(template.changed),
    }})
}

fn found<'a>(aws: &'a AwsState, name: &str) -> Result<&'a RuleTemplate, AwsError> {
    aws.rule_templates.get(name).ok_or_else(missing)
}

fn found_mut<'a>(aws: &'a mut AwsState, name: &str) -> Result<&'a mut RuleTemplate, AwsError> {
    aws.rule_templates.get_mut(name).ok_or_else(missing)
}

fn missing() -> AwsError {
    AwsError::new(
        400,
        "ApprovalRuleTemplateDoesNotExistException",
        "The specified approval rule template does not exist. Verify that the name is correct and \
         that you are signed in to the AWS Region where the template was created, and then try \
         again.",
    )
}

/// 1 to 100 characters.
fn template_name(call: &Call) -> Result<&str, AwsError> {
    let name = call.needed("approvalRuleTemplateName");
    if name.is_empty() || name.chars().count() > 100 {
        let message = "The name of the approval rule template is not valid.";
        return Err(AwsError::new(
            400,
            "InvalidApprovalRuleTemplateNameException",
            message,
        ));
    }
    Ok(name)
}

/// "The content of the approval rule": JSON of version 2018-11-08 with statements of the type
/// `Approvers`, up to 3000 characters.
fn content(call: &Call, name: &str) -> Result<String, AwsError> {
    let content = call.needed(name);
    let parsed: Value = serde_json::from_str(content).unwrap_or_default();
    let statements = parsed["Statements"].as_array();
    let is_sound = content.len() <= 3000
        && parsed["Version"] == "2018-11-08"
        && statements.is_some_and(|all| {
            !all.is_empty()
                && all.iter().all(|one| {
                    one["Type"] == "Approvers" && one["NumberOfApprovalsNeeded"].as_u64() > Some(0)
                })
        });
    if is_sound {
        return Ok(content.to_owned());
    }
    Err(AwsError::new(
        400,
        "InvalidApprovalRuleTemplateContentException",
        "The content of the approval rule template is not valid.",
    ))
}
