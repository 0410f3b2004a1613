//! The properties that are objects of their own.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ActionMode, Approval, ApprovalRule, Build, Deploy, formats};
use crate::cfn::{ObjectReader, ValidationErrors};

/// CodeBuild's image unless the template says otherwise.
const IMAGE: &str = "aws/codebuild/amazonlinux-x86_64-standard:6.0";

/// <https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html>
const MAX_POOL_MEMBERS: usize = 50;

/// `Build`
pub fn decode_build(members: &mut ObjectReader<'_>, faults: &mut ValidationErrors) -> Build {
    let empty = Value::Object(serde_json::Map::new());
    let mut build = match members.object("Build", faults) {
        Some(build) => build,
        None => ObjectReader::of(&empty, "Build", faults),
    };
    let image = build.text("Image", &formats::IMAGE, faults);
    let compute_type = build.text("ComputeType", &formats::COMPUTE_TYPE, faults);
    let privileged_mode = build.boolean("PrivilegedMode", false, faults);
    let buildspec = build.string("BuildSpec", faults);
    let environment_variables = build.map("EnvironmentVariables", faults);
    let environment_variables = environment_variables.unwrap_or_default();
    for name in environment_variables.keys() {
        let path = || {
            let name = formats::shown(name);
            build.path_of(&format!("EnvironmentVariables.{name}"))
        };
        if ["EnvID", "AccountId"].contains(&name.as_str()) {
            faults.note(path(), "is always set");
        } else if !formats::is_environment_variable(name) {
            faults.note(
                path(),
                "must be the name of an environment variable: letters, digits and `_`",
            );
        }
    }
    let timeout_in_minutes = build.number("TimeoutInMinutes", 5..=2160, 60, faults);
    let queued_timeout_in_minutes = build.number("QueuedTimeoutInMinutes", 5..=480, 480, faults);
    let service_role_arn = build.text("ServiceRoleArn", &formats::ROLE_ARN, faults);
    let log_retention_in_days = build.number("LogRetentionInDays", 1..=3653, 90, faults);
    if !formats::RETENTION_DAYS.contains(&log_retention_in_days) {
        faults.note(
            build.path_of("LogRetentionInDays"),
            "must be a number of days that CloudWatch Logs takes, such as 30, 90 or 365",
        );
    }
    build.finish(faults);
    Build {
        image: image.unwrap_or_else(|| IMAGE.to_owned()),
        compute_type: compute_type.unwrap_or_else(|| "BUILD_GENERAL1_SMALL".to_owned()),
        privileged_mode,
        buildspec,
        environment_variables,
        timeout_in_minutes,
        queued_timeout_in_minutes,
        service_role_arn,
        log_retention_in_days,
    }
}

/// `Approval`
pub fn decode_approval(members: &mut ObjectReader<'_>, faults: &mut ValidationErrors) -> Approval {
    let Some(mut approval) = members.object("Approval", faults) else {
        return Approval {
            required: true,
            notification_topic_arn: None,
            custom_data: None,
            external_entity_link: None,
        };
    };
    let decoded = Approval {
        required: approval.boolean("Required", true, faults),
        notification_topic_arn: approval.text("NotificationTopicArn", &formats::TOPIC_ARN, faults),
        custom_data: approval.text("CustomData", &formats::CONFIGURATION_VALUE, faults),
        external_entity_link: approval.text("ExternalEntityLink", &formats::LINK, faults),
    };
    approval.finish(faults);
    decoded
}

/// `Deploy`
pub fn decode_deploy(members: &mut ObjectReader<'_>, faults: &mut ValidationErrors) -> Deploy {
    let empty = Value::Object(serde_json::Map::new());
    let mut deploy = match members.object("Deploy", faults) {
        Some(deploy) => deploy,
        None => ObjectReader::of(&empty, "Deploy", faults),
    };
    let action_mode = deploy.one_of(
        "ActionMode",
        &[
            ("CREATE_UPDATE", ActionMode::CreateUpdate),
            ("CHANGE_SET", ActionMode::ChangeSet),
            ("REPLACE_ON_FAILURE", ActionMode::ReplaceOnFailure),
        ],
        faults,
    );
    let stack_name = deploy.text("StackName", &formats::STACK_NAME, faults);
    let template_path = deploy.text("TemplatePath", &formats::PATH, faults);
    let template_configuration = match deploy.value("TemplateConfiguration") {
        None => Some("parameter.json".to_owned()),
        Some(Value::String(text)) if text.is_empty() => None,
        Some(_) => deploy.text("TemplateConfiguration", &formats::PATH, faults),
    };
    let capabilities = if deploy.value("Capabilities").is_none() {
        vec!["CAPABILITY_NAMED_IAM".to_owned()]
    } else {
        decode_capabilities(&mut deploy, faults)
    };
    let role_arn = deploy.text("RoleArn", &formats::ROLE_ARN, faults);
    let parameter_overrides = decode_parameter_overrides(&mut deploy, faults);
    deploy.finish(faults);
    Deploy {
        action_mode: action_mode.unwrap_or(ActionMode::CreateUpdate),
        stack_name,
        template_path,
        template_configuration,
        capabilities,
        role_arn,
        parameter_overrides,
    }
}

fn decode_capabilities(
    deploy: &mut ObjectReader<'_>,
    faults: &mut ValidationErrors,
) -> Vec<String> {
    let known = [
        "CAPABILITY_IAM",
        "CAPABILITY_NAMED_IAM",
        "CAPABILITY_AUTO_EXPAND",
    ];
    let mut capabilities = Vec::new();
    for (path, capability) in deploy.strings("Capabilities", faults) {
        if !known.contains(&capability.as_str()) {
            faults.note(path, format!("must be one of {}", known.join(", ")));
        } else if !capabilities.contains(&capability) {
            capabilities.push(capability);
        }
    }
    capabilities
}

fn decode_parameter_overrides(
    deploy: &mut ObjectReader<'_>,
    faults: &mut ValidationErrors,
) -> BTreeMap<String, String> {
    let overrides = deploy.map("ParameterOverrides", faults);
    let overrides = overrides.unwrap_or_default();
    for name in overrides.keys() {
        if !formats::is_parameter_name(name) {
            let path = format!("ParameterOverrides.{}", formats::shown(name));
            faults.note(
                deploy.path_of(&path),
                "must be the name of a parameter: letters and digits",
            );
        }
    }
    let written = serde_json::to_string(&overrides).unwrap_or_default();
    if written.chars().count() > 1000 {
        faults.note(
            deploy.path_of("ParameterOverrides"),
            "must be at most 1000 characters as JSON; use TemplateConfiguration for more",
        );
    }
    overrides
}

/// `ApprovalRule`
pub fn decode_approval_rule(
    members: &mut ObjectReader<'_>,
    faults: &mut ValidationErrors,
) -> Option<ApprovalRule> {
    let mut rule = members.object("ApprovalRule", faults)?;
    if rule.value("ApproversNeeded").is_none() {
        faults.note(rule.path_of("ApproversNeeded"), "is required");
    }
    let approvers_needed = rule.number("ApproversNeeded", 1..=30, 1, faults);
    let mut approval_pool_members = Vec::new();
    for (path, member) in rule.strings("ApprovalPoolMembers", faults) {
        if (1..=256).contains(&member.chars().count()) && !member.contains(char::is_whitespace) {
            approval_pool_members.push(member);
        } else {
            faults.note(
                path,
                "must be the ARN of a user or role, or CodeCommitApprovers:<account>:<name>",
            );
        }
    }
    if approval_pool_members.len() > MAX_POOL_MEMBERS {
        faults.note(
            rule.path_of("ApprovalPoolMembers"),
            format!("must be at most {MAX_POOL_MEMBERS}; `*` in a member stands for many"),
        );
    }
    rule.finish(faults);
    Some(ApprovalRule {
        approvers_needed,
        approval_pool_members,
    })
}
