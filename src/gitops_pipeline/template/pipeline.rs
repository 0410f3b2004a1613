//! The pipeline: Source, Build, and an approval with the deployment.

use serde_json::{Value, json};

use super::parts::{RepositoryOrigin, named, repository_name, role, sub, tags};
use crate::gitops_pipeline::executions::{
    APPROVAL, BUILD, CREATE_CHANGE_SET, DEPLOY, IMAGE, SOURCE,
};
use crate::gitops_pipeline::names;
use crate::gitops_pipeline::spec::{
    ActionMode, CrossAccount, Deploy, IMAGE_VARIABLES, Image, OnFailure, Spec, Window,
};

pub fn pipeline(spec: &Spec, repository: RepositoryOrigin) -> Value {
    let location = match &spec.artifact_bucket_name {
        Some(name) => json!(name),
        None => named(names::ARTIFACT_BUCKET),
    };
    let mut store = json!({"Type": "S3", "Location": location});
    if let Some(arn) = &spec.artifact_key_arn {
        store["EncryptionKey"] = json!({"Type": "KMS", "Id": arn});
    }
    let mut sources = vec![code(spec, repository)];
    sources.extend(spec.image.as_ref().map(image));
    let mut stages = vec![
        json!({"Name": "Source", "Actions": sources}),
        json!({"Name": "Build", "Actions": [build(spec)]}),
    ];
    stages.extend(deploy_stages(spec));
    json!({
        "Type": "AWS::CodePipeline::Pipeline",
        "Condition": "HasBranch",
        "Properties": {
            "Name": named(names::PIPELINE),
            "PipelineType": "V2",
            "ExecutionMode": spec.execution_mode,
            "RoleArn": role(spec.pipeline_role_arn.as_ref(), names::PIPELINE_ROLE),
            "ArtifactStore": store,
            "Stages": stages,
            "Tags": tags(spec),
        },
    })
}

/// The source action with the role of another account through which it reads.
fn read_through(cross_account: Option<&CrossAccount>, mut action: Value) -> Value {
    if let Some(cross_account) = cross_account {
        action["RoleArn"] = json!(cross_account.role_arn);
    }
    action
}

/// The source action for the image. Its output artifact contains only `imageDetail.json`.
fn image(image: &Image) -> Value {
    let action = json!({
        "Name": IMAGE,
        "ActionTypeId": {"Category": "Source", "Owner": "AWS", "Provider": "ECR", "Version": "1"},
        "Configuration": {"RepositoryName": image.repository.name, "ImageTag": image.tag},
        "OutputArtifacts": [{"Name": "ImageArtifact"}],
        "Region": {"Ref": "AWS::Region"},
        "Namespace": "ImageVariables",
        "RunOrder": 1,
    });
    read_through(image.repository.cross_account.as_ref(), action)
}

fn code(spec: &Spec, repository: RepositoryOrigin) -> Value {
    let action = json!({
        "Name": SOURCE,
        "ActionTypeId": {"Category": "Source", "Owner": "AWS", "Provider": "CodeCommit", "Version": "1"},
        "Configuration": {
            "RepositoryName": repository_name(spec, repository),
            "BranchName": {"Fn::FindInMap": ["BranchMap", {"Ref": "EnvID"}, "name"]},
            "OutputArtifactFormat": "CODE_ZIP",
            "PollForSourceChanges": "false",
        },
        "OutputArtifacts": [{"Name": "SourceArtifact"}],
        "Region": {"Ref": "AWS::Region"},
        "Namespace": "SourceVariables",
        "RunOrder": 1,
    });
    read_through(spec.cross_account_source(), action)
}

fn build(spec: &Spec) -> Value {
    let mut action = json!({
        "Name": BUILD,
        "ActionTypeId": {"Category": "Build", "Owner": "AWS", "Provider": "CodeBuild", "Version": "1"},
        "Configuration": {"ProjectName": {"Ref": "BuildProject"}},
        "InputArtifacts": [{"Name": "SourceArtifact"}],
        "OutputArtifacts": [{"Name": "BuildArtifact"}],
        "Region": {"Ref": "AWS::Region"},
        "Namespace": "BuildVariables",
        "RunOrder": 1,
    });
    if let Some(image) = &spec.image {
        action["InputArtifacts"] = json!([{"Name": "SourceArtifact"}, {"Name": "ImageArtifact"}]);
        // Of several artifacts, the one with the buildspec.
        action["Configuration"]["PrimarySource"] = json!("SourceArtifact");
        action["Configuration"]["EnvironmentVariables"] = image_variables(image);
    }
    action
}

/// The environment variables for the image. They name it by its digest, because its tag may move.
/// The digest is the only output variable that is set for every way to start an execution.
fn image_variables(image: &Image) -> Value {
    let registry = image.repository.account().unwrap_or("${AWS::AccountId}");
    let name = &image.repository.name;
    let digest = "#{ImageVariables.ImageDigest}";
    let uri = format!("{registry}.dkr.ecr.${{AWS::Region}}.${{AWS::URLSuffix}}/{name}@{digest}");
    let values = [uri.as_str(), digest, image.tag.as_str()];
    let variables = IMAGE_VARIABLES
        .into_iter()
        .zip(values)
        .map(|(name, value)| json!({"name": name, "value": value, "type": "PLAINTEXT"}));
    sub(&variables.collect::<Value>().to_string())
}

/// With a change set, one stage contains all actions from creating to executing it. With several
/// stages, a newer execution could replace the change set in between.
fn deploy_stages(spec: &Spec) -> Vec<Value> {
    let has_approval = spec.approval.required;
    let mut stages = Vec::new();
    if spec.deploy.action_mode == ActionMode::ChangeSet {
        let mut actions = vec![create_change_set(spec)];
        if has_approval {
            actions.push(approval(spec, 2));
        }
        actions.push(execute_change_set(spec, if has_approval { 3 } else { 2 }));
        stages.push(deploy_stage(&spec.deploy, &actions));
        return stages;
    }
    if has_approval {
        stages.push(json!({"Name": "Approval", "Actions": [approval(spec, 1)]}));
    }
    stages.push(deploy_stage(&spec.deploy, &[deploy(spec)]));
    stages
}

/// The stage that deploys, with CodePipeline's own conditions.
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html>
fn deploy_stage(deploy: &Deploy, actions: &[Value]) -> Value {
    let mut stage = json!({"Name": "Deploy", "Actions": actions});
    if let Some(Window { cron, time_zone }) = &deploy.window {
        let configuration = json!({"Cron": cron, "TimeZone": time_zone});
        let rule = rule("Window", "DeploymentWindow", &configuration);
        stage["BeforeEntry"] = conditions("FAIL", &[rule]);
    }
    if deploy.on_failure == OnFailure::Rollback {
        stage["OnFailure"] = json!({"Result": "ROLLBACK"});
    }
    if !deploy.alarms.is_empty() {
        let result = match deploy.on_failure {
            OnFailure::Rollback => "ROLLBACK",
            OnFailure::Fail => "FAIL",
        };
        let minutes = deploy.alarm_minutes.to_string();
        let rules = deploy.alarms.iter().enumerate().map(|(index, alarm)| {
            // Without AlarmStates: assumption `alarm-rule-watches-the-state-alarm`.
            let configuration = json!({"AlarmName": alarm, "WaitTime": minutes});
            rule(
                &format!("Alarm{}", index + 1),
                "CloudWatchAlarm",
                &configuration,
            )
        });
        stage["OnSuccess"] = conditions(result, &rules.collect::<Vec<_>>());
    }
    stage
}

fn conditions(result: &str, rules: &[Value]) -> Value {
    json!({"Conditions": [{"Result": result, "Rules": rules}]})
}

fn rule(name: &str, provider: &str, configuration: &Value) -> Value {
    json!({
        "Name": name,
        "RuleTypeId": {"Category": "Rule", "Owner": "AWS", "Provider": provider, "Version": "1"},
        "Configuration": configuration,
    })
}

fn approval(spec: &Spec, run_order: u32) -> Value {
    let approval = &spec.approval;
    let mut action = json!({
        "Name": APPROVAL,
        "ActionTypeId": {"Category": "Approval", "Owner": "AWS", "Provider": "Manual", "Version": "1"},
        "RunOrder": run_order,
    });
    let configuration = [
        ("NotificationArn", &approval.notification_topic_arn),
        ("CustomData", &approval.custom_data),
        ("ExternalEntityLink", &approval.external_entity_link),
    ];
    for (key, value) in configuration {
        if let Some(value) = value {
            action["Configuration"][key] = json!(value);
        }
    }
    action
}

fn deploy(spec: &Spec) -> Value {
    let mut configuration = template_configuration(spec);
    configuration["ActionMode"] = json!(spec.deploy.action_mode);
    json!({
        "Name": DEPLOY,
        "ActionTypeId": cloudformation(),
        "Configuration": configuration,
        "InputArtifacts": [{"Name": "BuildArtifact"}],
        "Region": {"Ref": "AWS::Region"},
        "Namespace": "DeployVariables",
        "RunOrder": 1,
    })
}

fn create_change_set(spec: &Spec) -> Value {
    let mut configuration = template_configuration(spec);
    configuration["ActionMode"] = json!("CHANGE_SET_REPLACE");
    configuration["ChangeSetName"] = named(names::CHANGE_SET);
    json!({
        "Name": CREATE_CHANGE_SET,
        "ActionTypeId": cloudformation(),
        "Configuration": configuration,
        "InputArtifacts": [{"Name": "BuildArtifact"}],
        "Region": {"Ref": "AWS::Region"},
        "Namespace": "ChangeSetVariables",
        "RunOrder": 1,
    })
}

fn execute_change_set(spec: &Spec, run_order: u32) -> Value {
    json!({
        "Name": DEPLOY,
        "ActionTypeId": cloudformation(),
        "Configuration": {
            "ActionMode": "CHANGE_SET_EXECUTE",
            "StackName": stack_name(spec),
            "ChangeSetName": named(names::CHANGE_SET),
        },
        "Region": {"Ref": "AWS::Region"},
        "Namespace": "DeployVariables",
        "RunOrder": run_order,
    })
}

/// The common configuration of the actions that take a template.
fn template_configuration(spec: &Spec) -> Value {
    let deploy = &spec.deploy;
    let template_path = match &deploy.template_path {
        Some(path) => json!(format!("BuildArtifact::{path}")),
        None => sub(&format!("BuildArtifact::{}", names::TEMPLATE_PATH.0)),
    };
    let mut configuration = json!({
        "StackName": stack_name(spec),
        "TemplatePath": template_path,
        "RoleArn": role(deploy.role_arn.as_ref(), names::DEPLOY_ROLE),
    });
    if let Some(path) = &deploy.template_configuration {
        configuration["TemplateConfiguration"] = json!(format!("BuildArtifact::{path}"));
    }
    if !deploy.capabilities.is_empty() {
        configuration["Capabilities"] = json!(deploy.capabilities.join(","));
    }
    if !deploy.parameter_overrides.is_empty() {
        let overrides = serde_json::to_string(&deploy.parameter_overrides).unwrap_or_default();
        configuration["ParameterOverrides"] = json!(overrides);
    }
    configuration
}

fn cloudformation() -> Value {
    json!({"Category": "Deploy", "Owner": "AWS", "Provider": "CloudFormation", "Version": "1"})
}

fn stack_name(spec: &Spec) -> Value {
    match &spec.deploy.stack_name {
        Some(name) => json!(name),
        None => named(names::DEPLOYED_STACK),
    }
}
