//! The members of `Build`, `Approval` and `Deploy`, the stages after the source.

use crate::gitops_pipeline::spec::formats;
use cfn_custom_resource::{Kind, Map, Property};

/// The members of `Build`.
pub static BUILD: [Property; 9] = [
    Property::new("Image", Kind::Text(&formats::IMAGE))
        .or("aws/codebuild/amazonlinux-x86_64-standard:6.0")
        .doc(
            "A Linux build image of CodeBuild or of a registry. If its name contains `aarch64` \
             or `arm64`, the build runs on Arm, otherwise on x86_64. A name that contains \
             `windows` is rejected.",
        ),
    Property::new("ComputeType", Kind::Choice(&formats::COMPUTE_TYPES))
        .or("BUILD_GENERAL1_SMALL")
        .doc("The size of the build machine. Lambda compute is not supported."),
    Property::new("PrivilegedMode", Kind::Boolean)
        .or("false")
        .doc("If true, builds can run Docker."),
    Property::new("BuildSpec", Kind::AnyText).doc(
        "The path of the buildspec in the source, or its text.\n\
         Default: the repository's `buildspec.yml`",
    ),
    Property::new(
        "EnvironmentVariables",
        Kind::MapOrList(
            Map {
                names: &formats::ENVIRONMENT_VARIABLE,
                values: None,
                as_json: Some(
                    "must be a map from name to value, a list of objects with Name, Value and \
                     Type, or the JSON of either",
                ),
            },
            &ENVIRONMENT_VARIABLE,
        ),
    )
    .doc(
        "Variables of the build: a map of name to value, or a list of `Name`, `Value` and \
         `Type` (`PLAINTEXT`, `PARAMETER_STORE`, `SECRETS_MANAGER`) as in \
         `AWS::CodeBuild::Project`. A template that gets them as a parameter passes the JSON \
         text of either, such as `{\"STAGE\":\"test\"}`. Put [no \
         secrets](../concepts/pipelines.md#no-secrets-in-the-properties) here. `EnvID` and \
         `AccountId` are always set, and with `ImageSource` also `ImageURI`, `ImageDigest` and \
         `ImageTag`. To give one of these, or a name that begins with `CODEBUILD_`, is an error.",
    ),
    Property::new("TimeoutInMinutes", Kind::Number { min: 5, max: 2160 })
        .or("60")
        .doc("How long a build may run."),
    Property::new("QueuedTimeoutInMinutes", Kind::Number { min: 5, max: 480 })
        .or("480")
        .doc("How long a build may wait to start."),
    Property::new("ServiceRoleArn", Kind::Text(&formats::ROLE_ARN)).doc(
        "The role of the build. [Roles of your own](../concepts/pipelines.md#roles-of-your-own) \
         lists what it needs.\n\
         Default: `role-<EnvID>-codebuild-cfn`",
    ),
    Property::new(
        "LogRetentionInDays",
        Kind::NumberOf {
            values: &formats::RETENTION_DAYS,
            must_be: "must be a number of days that CloudWatch Logs takes, such as 30, 90 or 365",
        },
    )
    .or("90")
    .doc("How long CloudWatch Logs keeps the build's log."),
];

/// An entry of the list form, as in `AWS::CodeBuild::Project`.
static ENVIRONMENT_VARIABLE: [Property; 3] = [
    Property::required("Name", Kind::Text(&formats::ENVIRONMENT_VARIABLE)),
    Property::required("Value", Kind::AnyText),
    Property::new(
        "Type",
        Kind::Choice(&["PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"]),
    )
    .or("PLAINTEXT"),
];

/// The members of `Approval`.
pub static APPROVAL: [Property; 5] = [
    Property::new("Required", Kind::Boolean)
        .or("true")
        .doc("If true, the pipeline waits for an approval before it deploys."),
    Property::new("NotificationTopicArn", Kind::Text(&formats::TOPIC_ARN)).doc(
        "The SNS topic that is notified when an approval waits. The pipeline's role must be \
         [allowed to publish](../how-to/notifications.md) to it.\n\
         Default: no notification",
    ),
    Property::new("CustomData", Kind::Text(&formats::CONFIGURATION_VALUE))
        .doc("Text that the approver reads."),
    Property::new("ExternalEntityLink", Kind::Text(&formats::LINK)).doc(
        "An address for the approver. It may contain variables such as \
         `#{SourceVariables.CommitId}`.",
    ),
    Property::new("AutoApprove", Kind::Choice(&["Never", "NoChanges"]))
        .or("Never")
        .doc(
            "With `NoChanges`, the function approves a change set [without \
             changes](../concepts/pipelines.md#what-was-approved). Requires `Deploy.ActionMode` \
             `CHANGE_SET`, and the environment's parameter `FunctionApprovals`.",
        ),
];

/// The members of `Deploy`.
pub static DEPLOY: [Property; 11] = [
    Property::new(
        "ActionMode",
        Kind::Choice(&["CREATE_UPDATE", "CHANGE_SET", "REPLACE_ON_FAILURE"]),
    )
    .doc(
        "How CloudFormation deploys. This decides [what an approver \
         approves](../concepts/pipelines.md#what-was-approved). `CHANGE_SET`: the approver \
         reads a change set, and the pipeline executes exactly that one.\n\
         Default: `CHANGE_SET` if an approval is required and `Deploy.OnFailure` is `Fail`; \
         otherwise `CREATE_UPDATE`",
    ),
    Property::new("StackName", Kind::Text(&formats::STACK_NAME)).doc(
        "The stack that the pipeline deploys. It must match `cfnstack-<EnvID>-*` with the \
         environment's roles.\n\
         Default: `cfnstack-<EnvID>-<ProjectID>`\n\
         Update: No interruption. The former stack stays",
    ),
    Property::new("TemplatePath", Kind::Text(&formats::PATH)).doc(
        "The template in the build's output.\n\
         Default: `root-stack-<ProjectID>.yaml`",
    ),
    Property::new("TemplateConfiguration", Kind::Text(&formats::PATH_OR_EMPTY))
        .or("parameter.json")
        .doc(
            "The file in the build's output with the template's parameters and tags \
             (`{\"Parameters\": {…}}`), or `\"\"` for none.",
        ),
    Property::new(
        "Capabilities",
        Kind::List {
            items: &Kind::Choice(&[
                "CAPABILITY_IAM",
                "CAPABILITY_NAMED_IAM",
                "CAPABILITY_AUTO_EXPAND",
            ]),
            max: None,
        },
    )
    .doc(
        "The capabilities that the template may use. May be empty.\n\
         Default: `[CAPABILITY_NAMED_IAM]`",
    ),
    Property::new("RoleArn", Kind::Text(&formats::ROLE_ARN)).doc(
        "The role with which CloudFormation deploys.\n\
         Default: `role-<EnvID>-codedeploy-cfn`",
    ),
    Property::new(
        "ParameterOverrides",
        Kind::Map(Map {
            names: &formats::PARAMETER_NAME,
            values: None,
            as_json: None,
        }),
    )
    .doc(
        "Values of template parameters. At most 1000 characters as JSON. Each value is a text: for \
         CodePipeline's functions (`Fn::GetArtifactAtt`, `Fn::GetParam`) use `TemplateConfiguration`, \
         which the build can write.",
    ),
    Property::new("OnFailure", Kind::Choice(&["Fail", "Rollback"]))
        .or("Fail")
        .doc(
            "How CodePipeline reacts [when a deployment \
             fails](../concepts/pipelines.md#when-a-deployment-fails). `Rollback`: the stage \
             runs again with the commit of its latest success. It is rejected if you set \
             `CHANGE_SET`.",
        ),
    Property::new(
        "Alarms",
        Kind::List {
            items: &Kind::Text(&formats::ALARM_NAME),
            max: Some((
                5,
                "must be at most 5, CodePipeline's limit of rules in a condition",
            )),
        },
    )
    .doc(
        "CloudWatch alarms. One that is in the state `ALARM` after the deployment fails the \
         stage, or rolls it back with `Rollback`.",
    ),
    Property::new("AlarmMinutes", Kind::Number { min: 1, max: 1440 })
        .or("10")
        .doc("How long the alarms are watched after the deployment."),
    Property::new("Window", Kind::Object(&WINDOW)),
];

static WINDOW: [Property; 2] = [
    Property::required("Cron", Kind::Text(&formats::CRON)).doc(
        "When the stage may start. The window is open in each minute that matches.\n\
         Default: always",
    ),
    Property::new("TimeZone", Kind::Text(&formats::TIME_ZONE))
        .or("UTC")
        .doc("The time zone of `Cron`."),
];
