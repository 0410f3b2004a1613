//! The table of properties. `docs/schemas/custom-gitopspipeline.json` is generated from it, with
//! their texts.

mod stages;

use self::stages::{APPROVAL, BUILD, DEPLOY};
use super::formats;
use crate::clients::codecommit::REPOSITORY_NAME;
use crate::clients::gitlab::project::property::{MEMBERS, PROJECT};
use crate::common::branch_names::{BRANCH_NAME, BRANCH_PATTERN};
use crate::common::tags::TAGS;
use crate::gitops_pipeline::names;
use cfn_custom_resource::{Kind, Map, Property};

/// The properties of `Custom::GitOpsPipeline`.
pub static PROPERTIES: [Property; 22] = [
    Property::new("ServiceToken", Kind::AnyText),
    Property::new("ServiceTimeout", Kind::Any),
    Property::required("EnvID", Kind::Text(&names::ENV_ID)).doc(
        "The environment. At most 30 characters together with `ProjectID`. `template.yaml` \
         allows 10, because the name of its artifact bucket contains it.\n\
         Update: Replacement",
    ),
    Property::required("ProjectID", Kind::Text(&names::PROJECT_ID)).doc(
        "The project. At most 30 characters together with `EnvID`. `template.yaml` and \
         `project.yaml` allow 20, which fits every `EnvID` of theirs.\n\
         Update: Replacement",
    ),
    Property::new("BranchMap", Kind::Map(BRANCH_MAP)).doc(
        "The branch of each environment. It may be JSON text, for a template in which a key is \
         a parameter.\n\
         Default: `dev: development`, `prd: master`\n\
         Update: No interruption. The next health check starts the latest commit of the new \
         branch, if it was not deployed",
    ),
    Property::new("Source", Kind::Object(&SOURCE)),
    Property::new("ImageSource", Kind::Object(&IMAGE_SOURCE)),
    Property::new("ArtifactBucketName", Kind::Text(&formats::BUCKET_NAME)).doc(
        "The S3 bucket of the pipeline's artifacts.\n\
         Default: the environment's bucket",
    ),
    Property::new("ArtifactKeyArn", Kind::Text(&formats::KEY_ARN)).doc(
        "The KMS key of the artifacts, not an alias. Required with `Source.RepositoryArn` and \
         with `ImageSource.RepositoryArn`.\n\
         Default: no customer managed key",
    ),
    Property::new("Build", Kind::Object(&BUILD)),
    Property::new("Approval", Kind::Object(&APPROVAL)),
    Property::new("Deploy", Kind::Object(&DEPLOY)),
    Property::new("ExecutionMode", Kind::Choice(&["QUEUED", "SUPERSEDED"]))
        .or("QUEUED")
        .doc(
            "How CodePipeline treats executions that wait for a stage. `QUEUED`: each enters it, \
             in their order. `SUPERSEDED`: only the newest one.",
        ),
    Property::new("PipelineRoleArn", Kind::Text(&formats::ROLE_ARN)).doc(
        "The role of the pipeline. It must match the parameter `PipelineRoleNames`.\n\
         Default: `role-<EnvID>-codepipeline-cfn`",
    ),
    Property::new("ApprovalRule", Kind::Object(&APPROVAL_RULE)),
    Property::new("GitLab", Kind::Object(&GITLAB)),
    Property::new("Report", Kind::Object(&REPORT)),
    Property::new("Review", Kind::Object(&REVIEW)),
    Property::new("Drift", Kind::Choice(&["Disabled", "Report"]))
        .or("Disabled")
        .doc(
            "With `Report`, the health check compares the deployed stack with its template once \
             a day. With `Report.CommitStatus`, the result is a commit status too, and a failed \
             one turns the pipeline of the deployed commit red in GitLab. See \
             [drift](../concepts/reviews.md#drift).",
        ),
    Property::new(
        "RepositoryDeletionPolicy",
        Kind::Choice(&["Delete", "Retain"]),
    )
    .or("Delete")
    .doc(
        "Whether the deletion of the resource also deletes the repository that it created. GitLab \
         holds the source, so the default deletes it. A [retained \
         repository](../concepts/pipelines.md#a-retained-repository) is adopted again.",
    ),
    // Only its change has an effect: CloudFormation then sends an Update, which renders the child
    // stack again.
    Property::new("RenderingSerial", Kind::AnyText).doc(
        "Any change renders the child stack again, as the function's version does it now. The templates of a \
         release contain its version here. In a template of your own, change it after an \
         [upgrade](../how-to/upgrade.md).",
    ),
    TAGS.doc(
        "Tags of the child stack and its resources, at most 40. [Set tags](../how-to/tags.md) has their forms \
         and limits.",
    ),
];

const BRANCH_MAP: Map = Map {
    names: &formats::BRANCH_MAP_KEY,
    values: Some(&BRANCH_NAME),
    as_json: Some("must be an object, or the JSON of one, from EnvID to branch"),
};

static SOURCE: [Property; 4] = [
    Property::new("RepositoryName", Kind::Text(&REPOSITORY_NAME)).doc(
        "An existing repository of this account and region, instead of one that the resource \
         creates.\n\
         Default: a repository that the resource creates, `codecommit-<EnvID>-cfn-<ProjectID>`\n\
         Update: No interruption. The repository that the resource created is deleted, or kept \
         with `RepositoryDeletionPolicy: Retain`. The next health check starts the latest \
         commit of the new one",
    ),
    Property::new("RepositoryArn", Kind::Text(&formats::REPOSITORY_ARN)).doc(
        "A repository of another account in this region. Requires `Source.RoleArn` and \
         `ArtifactKeyArn`. With `RepositoryName` only if that is its name.",
    ),
    Property::new("RoleArn", Kind::Text(&formats::ROLE_ARN)).doc(
        "The role in that account that reads the repository. The parameter `SourceRoleArns` \
         must allow it.",
    ),
    Property::new("Paths", Kind::Object(&PATHS)),
];

static PATHS: [Property; 2] = [
    Property::new("Includes", GLOBS).doc(
        "Globs of files. Only a push that changes a matching file [starts the \
         pipeline](../concepts/pipelines.md#which-pushes-start-it). The branch's first push, \
         and a push whose differences cannot be read, always do. Not with \
         `Source.RepositoryArn`.\n\
         Default: every push starts it",
    ),
    Property::new("Excludes", GLOBS).doc(
        "Globs of files whose changes do not start the pipeline. Not with \
         `Source.RepositoryArn`.",
    ),
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
    )
    .doc(
        "An ECR repository of this account and region, as a second source in addition to the \
         code.",
    ),
    Property::new("RepositoryArn", Kind::Text(&formats::IMAGE_REPOSITORY_ARN)).doc(
        "An ECR repository of another account. Requires `ImageSource.RoleArn` and \
         `ArtifactKeyArn`.",
    ),
    Property::new("RoleArn", Kind::Text(&formats::ROLE_ARN))
        .doc("The role in that account that reads the repository."),
    Property::new("ImageTag", Kind::Text(&formats::IMAGE_TAG))
        .or("latest")
        .doc("The tag whose pushes start the pipeline."),
];

static GITLAB: [Property; 5] = [
    MEMBERS[0].doc(
        "The address of GitLab, as in \
         [`Custom::MirrorCredential`](mirror-credential.md#gitlaburl).",
    ),
    MEMBERS[1].doc(
        "The secret with GitLab's token, as in \
         [`Custom::MirrorCredential`](mirror-credential.md#gitlabtokensecretid).",
    ),
    MEMBERS[2],
    MEMBERS[3].doc(
        "CA certificates, as in \
         [`Custom::MirrorCredential`](mirror-credential.md#gitlabcacertificate).",
    ),
    Property::required("Project", Kind::Text(&PROJECT)).doc(
        "The project in GitLab, where [executions are reported](../concepts/reporting.md). \
         Without `GitLab`, nothing is reported. A path is looked up when it is set: the pipeline \
         [belongs to the project's number](../concepts/reporting.md#the-project) from then on.",
    ),
];

static REPORT: [Property; 6] = [
    Property::new("CommitStatus", Kind::Boolean)
        .or("true")
        .doc("If true, each execution is a commit status in GitLab. `Report` requires `GitLab`."),
    Property::new("Deployments", Kind::Boolean)
        .or("true")
        .doc("If true, each deployment is a deployment of the environment in GitLab."),
    // By default, not in a public project.
    Property::new("Notes", Kind::Boolean).doc(
        "If true, notes in GitLab list the change set that waits for an approval, name the cause \
         of a failure, and show the result of a review. If false, none is written, and a review \
         has no commit status either.\n\
         Default: `true`, except in a public project",
    ),
    Property::new("BuildLog", Kind::Boolean).or("false").doc(
        "If true, the note of a failed build ends with the [last lines of its \
         log](../concepts/reporting.md), for a pipeline's build and for a review's. Only in a \
         project of GitLab with the visibility `private`.",
    ),
    Property::new("EnvironmentName", Kind::Text(&formats::ENVIRONMENT_NAME)).doc(
        "The name of the environment in GitLab.\n\
         Default: `<EnvID>`",
    ),
    Property::new("EnvironmentUrlOutput", Kind::Text(&formats::OUTPUT_NAME))
        .doc("The output of the deployed stack with the environment's address, in ASCII."),
];

static REVIEW: [Property; 3] = [
    Property::required("Branches", Kind::Text(&BRANCH_PATTERN)).doc(
        "The pattern of the [review branches](../concepts/reviews.md), for example `review/*`. \
         `*` matches any characters. A push to such a branch is built, and its change set is a \
         note on the merge request. `Review` requires `GitLab`, and cannot be set with \
         `Source.RepositoryArn` or `ImageSource`.",
    ),
    Property::new("AllowTransforms", Kind::Boolean).or("false").doc(
        "If true, templates with transforms, SSM parameter types and dynamic references get \
             a change set too. CloudFormation then runs and reads them with the deploy role, \
             before the branch is reviewed.",
    ),
    Property::new("BuildRoleArn", Kind::Text(&formats::ROLE_ARN)).doc(
        "The role of the builds of review branches.\n\
         Default: `role-<EnvID>-review-codebuild-cfn`",
    ),
];

/// Limits: <https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html>
static APPROVAL_RULE: [Property; 2] = [
    Property::required("ApproversNeeded", Kind::Number { min: 1, max: 30 }).doc(
        "How many approvals a pull request in CodeCommit needs. `ApprovalRule` is rejected with \
         `Source.RepositoryArn`, because the rule belongs to the repository's account.\n\
         Default: no rule for pull requests",
    ),
    Property::new(
        "ApprovalPoolMembers",
        Kind::List {
            items: &Kind::Text(&formats::POOL_MEMBER),
            max: Some((50, "must be at most 50; `*` in a member stands for many")),
        },
    )
    .doc(
        "Whose approvals count, with `*` as a wildcard. The whole rule has at most 3000 \
         characters.\n\
         Default: everyone who can approve",
    ),
];
