//! The properties that are objects.

use super::types::{ActionMode, Approval, Build, Deploy};
use crate::gitops_pipeline::approval_rule::ApprovalRule;
use cfn_custom_resource::{Object, ValidationErrors};

/// CodePipeline's limit of `ParameterOverrides`, in characters of JSON.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html>
const MAX_OVERRIDES_CHARS: usize = 1000;

/// `Build`
pub fn decode_build(build: &Object) -> Build {
    Build {
        image: build.text("Image").unwrap_or_default(),
        compute_type: build.text("ComputeType").unwrap_or_default(),
        privileged_mode: build.boolean("PrivilegedMode"),
        buildspec: build.text("BuildSpec"),
        environment_variables: build.map("EnvironmentVariables"),
        timeout_in_minutes: build.number("TimeoutInMinutes"),
        queued_timeout_in_minutes: build.number("QueuedTimeoutInMinutes"),
        service_role_arn: build.text("ServiceRoleArn"),
        log_retention_in_days: build.number("LogRetentionInDays"),
    }
}

/// `Approval`
pub fn decode_approval(approval: &Object) -> Approval {
    Approval {
        required: approval.boolean("Required"),
        notification_topic_arn: approval.text("NotificationTopicArn"),
        custom_data: approval.text("CustomData"),
        external_entity_link: approval.text("ExternalEntityLink"),
    }
}

/// `Deploy`
pub fn decode_deploy(deploy: &Object, errors: &mut ValidationErrors) -> Deploy {
    let mut capabilities: Vec<String> = Vec::new();
    if deploy.is_set("Capabilities") {
        for (_, capability) in deploy.texts("Capabilities") {
            if !capabilities.contains(&capability) {
                capabilities.push(capability);
            }
        }
    } else {
        capabilities.push("CAPABILITY_NAMED_IAM".to_owned());
    }
    let parameter_overrides = deploy.map("ParameterOverrides");
    let json = serde_json::to_string(&parameter_overrides).unwrap_or_default();
    if json.chars().count() > MAX_OVERRIDES_CHARS {
        errors.add(
            deploy.path_of("ParameterOverrides"),
            format!(
                "must be at most {MAX_OVERRIDES_CHARS} characters as JSON; use \
                 TemplateConfiguration for more"
            ),
        );
    }
    Deploy {
        action_mode: match deploy.text("ActionMode").as_deref() {
            Some("CHANGE_SET") => ActionMode::ChangeSet,
            Some("REPLACE_ON_FAILURE") => ActionMode::ReplaceOnFailure,
            _ => ActionMode::CreateUpdate,
        },
        stack_name: deploy.text("StackName"),
        template_path: deploy.text("TemplatePath"),
        template_configuration: deploy
            .text("TemplateConfiguration")
            .filter(|path| !path.is_empty()),
        capabilities,
        role_arn: deploy.text("RoleArn"),
        parameter_overrides,
    }
}

/// `ApprovalRule`. `None` if the template does not set it.
pub fn decode_approval_rule(properties: &Object) -> Option<ApprovalRule> {
    let rule = properties.object("ApprovalRule");
    let members = rule.texts("ApprovalPoolMembers").into_iter();
    properties.is_set("ApprovalRule").then(|| ApprovalRule {
        approvers_needed: rule.number("ApproversNeeded"),
        approval_pool_members: members.map(|(_, member)| member).collect(),
    })
}
