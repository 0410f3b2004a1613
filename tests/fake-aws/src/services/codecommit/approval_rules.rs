//! CodeCommit's approval rule templates and their association with repositories (API Reference,
//! the operations named here and their errors).

use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::{
    services::{
        codecommit::repositories::{CodeCommit, RuleTemplate, existing_repository},
        pages::{CODECOMMIT, page},
    },
    world::{ApiResponse, ApiResult, AwsError, Call, JsonResult, World, rejected},
};

/// The response, or `None` if it is another operation.
pub fn answer(codecommit: &mut CodeCommit, world: &mut World, call: &Call) -> Option<ApiResult> {
    let body = match call.operation.as_str() {
        "GetApprovalRuleTemplate" => get(codecommit, call),
        "CreateApprovalRuleTemplate" => create(codecommit, world, call),
        "DeleteApprovalRuleTemplate" => delete(codecommit, call),
        "UpdateApprovalRuleTemplateContent" => update_content(codecommit, world, call),
        "AssociateApprovalRuleTemplateWithRepository" => associate(codecommit, call),
        "DisassociateApprovalRuleTemplateFromRepository" => disassociate(codecommit, call),
        "ListRepositoriesForApprovalRuleTemplate" => list_repositories(codecommit, world, call),
        _ => return None,
    };
    Some(body.map(|body| ApiResponse::json(&body)))
}

fn get(codecommit: &mut CodeCommit, call: &Call) -> JsonResult {
    let name = template_name(call)?;
    found(codecommit, name).map(|template| shown(name, template))
}

fn create(codecommit: &mut CodeCommit, world: &mut World, call: &Call) -> JsonResult {
    let name = template_name(call)?;
    let content = content(call, "approvalRuleTemplateContent")?;
    if codecommit.rule_templates.contains_key(name) {
        return Err(rejected(
            "ApprovalRuleTemplateNameAlreadyExistsException",
            "You cannot create an approval rule template with that name because a template with \
             that name already exists in this AWS Region for your AWS account.",
        ));
    }
    let template = RuleTemplate {
        id: world.next_id(),
        description: call.needed("approvalRuleTemplateDescription").to_owned(),
        content,
        created: world.now,
        changed: world.now,
        repositories: BTreeSet::new(),
    };
    let body = shown(name, &template);
    codecommit.rule_templates.insert(name.to_owned(), template);
    Ok(body)
}

/// "The approval rule template is associated with one or more repositories. You cannot delete a
/// template that is associated with a repository." A missing template is not an error: the
/// operation has none for it.
fn delete(codecommit: &mut CodeCommit, call: &Call) -> JsonResult {
    let name = template_name(call)?;
    let held = codecommit.rule_templates.get(name);
    if held.is_some_and(|held| !held.repositories.is_empty()) {
        return Err(rejected(
            "ApprovalRuleTemplateInUseException",
            "The approval rule template is associated with one or more repositories. You cannot \
             delete a template that is associated with a repository. Remove all associations, and \
             then try again.",
        ));
    }
    let id = codecommit.rule_templates.remove(name).map(|held| held.id);
    Ok(json!({"approvalRuleTemplateId": id.unwrap_or_default()}))
}

fn update_content(codecommit: &mut CodeCommit, world: &mut World, call: &Call) -> JsonResult {
    let name = template_name(call)?.to_owned();
    let content = content(call, "newRuleContent")?;
    if call.text("existingRuleContentSha256").is_some() {
        world
            .complaints
            .push("the fake does not know existingRuleContentSha256".to_owned());
    }
    let now = world.now;
    let held = found_mut(codecommit, &name)?;
    held.content = content;
    held.changed = now;
    Ok(shown(&name, held))
}

/// A repeated association is not an error: the operation has none for it.
fn associate(codecommit: &mut CodeCommit, call: &Call) -> JsonResult {
    let name = template_name(call)?.to_owned();
    found(codecommit, &name)?;
    let repository = existing_repository(codecommit, call)?.to_owned();
    found_mut(codecommit, &name)?.repositories.insert(repository);
    Ok(json!({}))
}

fn disassociate(codecommit: &mut CodeCommit, call: &Call) -> JsonResult {
    let name = template_name(call)?.to_owned();
    found(codecommit, &name)?;
    let repository = existing_repository(codecommit, call)?.to_owned();
    found_mut(codecommit, &name)?.repositories.remove(&repository);
    Ok(json!({}))
}

fn list_repositories(codecommit: &CodeCommit, world: &World, call: &Call) -> JsonResult {
    let held = found(codecommit, template_name(call)?)?;
    let names: Vec<Value> = held.repositories.iter().map(|name| json!(name)).collect();
    page(world, call, CODECOMMIT, "repositoryNames", &names)
}

fn shown(name: &str, template: &RuleTemplate) -> Value {
    json!({"approvalRuleTemplate": {
        "approvalRuleTemplateId": template.id,
        "approvalRuleTemplateName": name,
        "approvalRuleTemplateDescription": template.description,
        "approvalRuleTemplateContent": template.content,
        "creationDate": World::seconds(template.created),
        "lastModifiedDate": World::seconds(template.changed),
    }})
}

fn found<'a>(codecommit: &'a CodeCommit, name: &str) -> Result<&'a RuleTemplate, AwsError> {
    codecommit.rule_templates.get(name).ok_or_else(missing)
}

fn found_mut<'a>(
    codecommit: &'a mut CodeCommit,
    name: &str,
) -> Result<&'a mut RuleTemplate, AwsError> {
    codecommit.rule_templates.get_mut(name).ok_or_else(missing)
}

fn missing() -> AwsError {
    rejected(
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
        return Err(rejected(
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
    Err(rejected(
        "InvalidApprovalRuleTemplateContentException",
        "The content of the approval rule template is not valid.",
    ))
}
