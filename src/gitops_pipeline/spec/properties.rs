//! The table of properties. `schemas/custom-gitopspipeline.json` is generated from it.

use super::formats;
use crate::clients::codecommit::REPOSITORY_NAME;
use crate::clients::gitlab::property::{MEMBERS, PROJECT};
use crate::common::tags::TAGS;
use cfn_custom_resource::{Kind, Map, Property};

/// The properties of `Custom::GitOpsPipeline`.
pub static PROPERTIES: [Property; 23] = [
    Property::new("ServiceToken", Kind::AnyText),
    Property::new("ServiceTimeout", Kind::Any),
    Property::required("EnvID", Kind::Text(&formats::ENV_ID)),
    Property::required("ProjectID", Kind::Text(&formats::PROJECT_ID)),
    Property::new("BranchMap", Kind::Map(BRANCH_MAP)),
    Property::new("Source", Kind::Object(&SOURCE)),
    Property::new("ImageSource", Kind::Object(&IMAGE_SOURCE)),
    Property::new("ArtifactBucketName", Kind::Text(&formats::BUCKET_NAME)),
    Property::new("ArtifactKeyArn", Kind::Text(&formats::KEY_ARN)),
    Property::new("Build", Kind::Object(&BUILD)),
    Property::new("Approval", Kind::Object(&APPROVAL)),
    Property::new("Deploy", Kind::Object(&DEPLOY)),
    Property::new(
        "ExecutionMode",
        Kind::Choice(&["QUEUED", "SUPERSEDED", "PARALLEL"]),
    )
    .or("QUEUED"),
    Property::new("PipelineRoleArn", ROLE_ARN),
    Property::new("EventRoleArn", ROLE_ARN),
    Property::new("ApprovalRule", Kind::Object(&APPROVAL_RULE)),
    Property::new("GitLab", Kind::Object(&GITLAB)),
    Property::new("Report", Kind::Object(&REPORT)),
    Property::new("Review", Kind::Object(&REVIEW)),
    Property::new("Drift", Kind::Choice(&["Disabled", "Report"])).or("Disabled"),
    Property::new(
        "RepositoryDeletionPolicy",
        Kind::Choice(&["Delete", "Retain"]),
    )
    .or("Delete"),
    // Only its change has an effect: CloudFormation then sends an Update, which renders the child stack again.
    Property::new("RenderingSerial", Kind::AnyText),
    TAGS,
];

const ROLE_ARN: Kind = Kind::Text(&formats::ROLE_ARN);

const BRANCH_MAP: Map = Map {
    names: &formats::BRANCH_MAP_KEY,
    values: Some(&formats::BRANCH_NAME),
    as_json: Some("must be an object, or the JSON of one, from EnvID to branch"),
};

static SOURCE: [Property; 4] = [
    Property::new("RepositoryName", Kind::Text(&REPOSITORY_NAME)),
    Property::new("RepositoryArn", Kind::Text(&formats::REPOSITORY_ARN)),
    Property::new("RoleArn", ROLE_ARN),
    Property::new("Paths", Kind::Object(&PATHS)),
];

static PATHS: [Property; 2] = [
    Property::new("Includes", GLOBS),
    Property::new("Excludes", GLOBS),
];

const GLOBS: Kind = Kind::List {
    items: &Kind::Text(&formats::GLOB),
    max: Some((
        50,
        "must be at most 50; `**` in a glob stands for many paths",
    )),
};

static IMAGE_SOURCE: [Property; 4] = [
    Property::new(
        "RepositoryName",
        Kind::Text(&formats::IMAGE_REPOSITORY_NAME),
    ),
    Property::new("RepositoryArn", Kind::Text(&formats::IMAGE_REPOSITORY_ARN)),
    Property::new("RoleArn", ROLE_ARN),
    Property::new("ImageTag", Kind::Text(&formats::IMAGE_TAG)).or("latest"),
];

static BUILD: [Property; 9] = [
    Property::new("Image", Kind::Text(&formats::IMAGE))
        .or("aws/codebuild/amazonlinux-x86_64-standard:6.0"),
    Property::new("ComputeType", Kind::Text(&formats::COMPUTE_TYPE)).or("BUILD_GENERAL1_SMALL"),
    Property::new("PrivilegedMode", Kind::Boolean).or("false"),
    Property::new("BuildSpec", Kind::AnyText),
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
    ),
    Property::new("TimeoutInMinutes", Kind::Number { min: 5, max: 2160 }).or("60"),
    Property::new("QueuedTimeoutInMinutes", Kind::Number { min: 5, max: 480 }).or("480"),
    Property::new("ServiceRoleArn", ROLE_ARN),
    Property::new(
        "LogRetentionInDays",
        Kind::NumberOf {
            values: &formats::RETENTION_DAYS,
            must_be: "must be a number of days that CloudWatch Logs takes, such as 30, 90 or 365",
        },
    )
    .or("90"),
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

static APPROVAL: [Property; 7] = [
    Property::new("Required", Kind::Boolean).or("true"),
    Property::new("NotificationTopicArn", Kind::Text(&formats::TOPIC_ARN)),
    Property::new("CustomData", Kind::Text(&formats::CONFIGURATION_VALUE)),
    Property::new("ExternalEntityLink", Kind::Text(&formats::LINK)),
    Property::new("AutoApprove", Kind::Choice(&["Never", "NoChanges"])).or("Never"),
    Property::new("FromGitLab", Kind::Boolean).or("false"),
    Property::new("AllowAuthor", Kind::Boolean).or("false"),
];

static DEPLOY: [Property; 11] = [
    Property::new(
        "ActionMode",
        Kind::Choice(&["CREATE_UPDATE", "CHANGE_SET", "REPLACE_ON_FAILURE"]),
    ),
    Property::new("StackName", Kind::Text(&formats::STACK_NAME)),
    Property::new("TemplatePath", Kind::Text(&formats::PATH)),
    Property::new("TemplateConfiguration", Kind::Text(&formats::PATH_OR_EMPTY))
        .or("parameter.json"),
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
    ),
    Property::new("RoleArn", ROLE_ARN),
    Property::new(
        "ParameterOverrides",
        Kind::Map(Map {
            names: &formats::PARAMETER_NAME,
            values: None,
            as_json: None,
        }),
    ),
    Property::new("OnFailure", Kind::Choice(&["Fail", "Rollback"])).or("Fail"),
    Property::new(
        "Alarms",
        Kind::List {
            items: &Kind::Text(&formats::ALARM_NAME),
            max: Some((
                5,
                "must be at most 5, CodePipeline's limit of rules in a condition",
            )),
        },
    ),
    Property::new("AlarmMinutes", Kind::Number { min: 1, max: 1440 }).or("10"),
    Property::new("Window", Kind::Object(&WINDOW)),
];

static WINDOW: [Property; 2] = [
    Property::required("Cron", Kind::Text(&formats::CRON)),
    Property::new("TimeZone", Kind::Text(&formats::TIME_ZONE)).or("UTC"),
];

static GITLAB: [Property; 5] = [
    MEMBERS[0],
    MEMBERS[1],
    MEMBERS[2],
    MEMBERS[3],
    Property::required("Project", Kind::Text(&PROJECT)),
];

static REPORT: [Property; 6] = [
    Property::new("CommitStatus", Kind::Boolean).or("true"),
    Property::new("Deployments", Kind::Boolean).or("true"),
    Property::new("Drift", Kind::Boolean).or("true"),
    // By default, only with a change set, and not in a public project.
    Property::new("ChangeSetComment", Kind::Boolean),
    Property::new("EnvironmentName", Kind::Text(&formats::ENVIRONMENT_NAME)),
    Property::new("EnvironmentUrlOutput", Kind::Text(&formats::OUTPUT_NAME)),
];

static REVIEW: [Property; 4] = [
    Property::required("Branches", Kind::Text(&formats::BRANCH_PATTERN)),
    // By default, not in a public project.
    Property::new("ChangeSetComment", Kind::Boolean),
    Property::new("AllowTransforms", Kind::Boolean).or("false"),
    Property::new("BuildRoleArn", ROLE_ARN),
];

/// Limits: <https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html>
static APPROVAL_RULE: [Property; 2] = [
    Property::required("ApproversNeeded", Kind::Number { min: 1, max: 30 }),
    Property::new(
        "ApprovalPoolMembers",
        Kind::List {
            items: &Kind::Text(&formats::POOL_MEMBER),
            max: Some((50, "must be at most 50; `*` in a member stands for many")),
        },
    ),
];
