//! The names of an environment's and a pipeline's resources. They depend only on the environment
//! and the project. So they are known before the resources exist, and IAM policies can match one
//! environment's resources. A test compares them with the templates.

use crate::clients::aws::dns_suffix;
use cfn_custom_resource::{Format, Pattern};

/// The longest name is that of an event rule. With this limit it has 64 characters, EventBridge's
/// limit.
pub const MAX_CHARACTERS: usize = 30;

/// `EnvID`. It ends at a name's first hyphen, and `ProjectID` has at least one character.
pub static ENV_ID: Format = Format::new(
    Pattern::new("^[a-z][a-z0-9]*$").up_to(29),
    "must be at most 29 lower-case letters and digits, a letter first, and a key of BranchMap",
);

/// `ProjectID`. Together with `EnvID` it has at most [`MAX_CHARACTERS`].
pub static PROJECT_ID: Format = Format::new(
    Pattern::new("^[A-Za-z0-9][A-Za-z0-9-]*$").up_to(29),
    "must be letters, digits and hyphens, no hyphen first; at most 30 characters together with \
     EnvID",
);

/// A name in the notation of `Fn::Sub`, with `${EnvID}`, and with `${ProjectID}` if each project
/// has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameScheme(pub &'static str);

impl NameScheme {
    /// The beginning of the names in the environment `env_id`, up to the project.
    pub fn prefix(self, env_id: &str) -> String {
        let (prefix, _) = self.0.split_once("${ProjectID}").unwrap_or((self.0, ""));
        prefix.replace("${EnvID}", env_id)
    }

    fn of(self, names: &ResourceNames) -> String {
        let name = self.0.replace("${EnvID}", &names.env_id);
        name.replace("${ProjectID}", &names.project_id)
    }

    /// Parses a name that ends with the project. `None` if it has another scheme.
    fn parse(self, name: &str) -> Option<ResourceNames> {
        let (before, between) = self.0.strip_suffix("${ProjectID}")?.split_once("${EnvID}")?;
        let (env_id, project_id) = name.strip_prefix(before)?.split_once(between)?;
        ResourceNames::new(env_id, project_id)
    }
}

/// The schemes: a constant for templates and prefixes, and a function for the name of one project.
macro_rules! schemes {
    ($($(#[$doc:meta])* $constant:ident $(= $function:ident)?: $scheme:literal;)*) => {
        $($(#[$doc])* pub const $constant: NameScheme = NameScheme($scheme);)*

        impl ResourceNames {
            $($(pub fn $function(&self) -> String {
                $constant.of(self)
            })?)*
        }

        #[cfg(test)]
        pub const SCHEMES: &[NameScheme] = &[$($constant),*];
    };
}

schemes! {
    /// The child stack, and the resource's physical ID.
    STACK = stack: "gitops-${EnvID}-${ProjectID}";
    /// The repository that the child stack creates.
    REPOSITORY = repository: "codecommit-${EnvID}-cfn-${ProjectID}";
    BUILD_PROJECT = build_project: "codebuild-${EnvID}-cfn-${ProjectID}";
    PIPELINE = pipeline: "codepipeline-${EnvID}-cfn-${ProjectID}";
    /// The stack that the pipeline deploys, unless a property names another one.
    DEPLOYED_STACK = deployed_stack: "cfnstack-${EnvID}-${ProjectID}";
    /// The project that builds review branches.
    REVIEW_PROJECT = review_project: "codebuild-${EnvID}-review-${ProjectID}";
    /// The change set that waits for an approval.
    CHANGE_SET = change_set: "changeset-${EnvID}-${ProjectID}";
    /// See [`EventRule`].
    EVENT_RULE = event_rule: "event-rule-${EnvID}-codepipeline-exec-cfn-${ProjectID}";
    IMAGE_RULE: "event-rule-${EnvID}-codepipeline-exec-ecr-${ProjectID}";
    REVIEW_RULE: "event-rule-${EnvID}-codepipeline-exec-rev-${ProjectID}";
    /// The event rules of `template.yaml`.
    HEALTH_EVENT_RULE: "event-rule-${EnvID}-cfn-gitops-health";
    REPORT_EVENT_RULE: "event-rule-${EnvID}-cfn-gitops-report";
    REVIEW_EVENT_RULE: "event-rule-${EnvID}-cfn-gitops-review";
    APPROVAL_RULE_TEMPLATE = approval_rule_template: "approval-${EnvID}-cfn-${ProjectID}";
    /// The template of the deployed stack in the build's output, unless a property names another
    /// one.
    TEMPLATE_PATH = template_path: "root-stack-${ProjectID}.yaml";
    /// The beginning of the secrets that record deletions.
    TOMBSTONES = tombstones: "cfn-gitops-${EnvID}/deletions/${ProjectID}-";
    /// The function's own role.
    FUNCTION_ROLE = function_role: "role-${EnvID}-cfn-gitops";
    /// The role with which CloudFormation deploys, unless a property names another one.
    DEPLOY_ROLE = deploy_role: "role-${EnvID}-codedeploy-cfn";
    /// The role with which CloudFormation changes the child stack.
    PROVISIONING_ROLE = provisioning_role: "role-${EnvID}-cfn-gitops-provisioning";
    PIPELINE_ROLE: "role-${EnvID}-codepipeline-cfn";
    BUILD_ROLE: "role-${EnvID}-codebuild-cfn";
    REVIEW_BUILD_ROLE: "role-${EnvID}-review-codebuild-cfn";
    /// The role with which EventBridge starts the pipeline and the builds of review branches.
    EVENT_ROLE: "role-${EnvID}-eventbridge-codepipeline-exec";
    ARTIFACT_BUCKET: "s3-${EnvID}-codepipeline-artifact-${AWS::AccountId}-${AWS::Region}";
    /// The export with the function's ARN.
    SERVICE_TOKEN: "cfn-gitops-${EnvID}-ServiceToken";
    /// The permissions boundary of the roles that deployed stacks create.
    DEPLOYED_ROLES_BOUNDARY: "policy-${EnvID}-deployed-roles";
}

/// The beginning of the names of the roles that deployed stacks may create.
pub const ROLES: NameScheme = NameScheme("role-${EnvID}-");

/// The beginning of the names of the stacks with a project's resources, as the documentation names
/// them. Another name works too.
pub const PROJECT_STACKS: NameScheme = NameScheme("project-${EnvID}-");

/// The users that mirrors push with, as a pattern.
pub const MIRROR_USERS: NameScheme = NameScheme("user-${EnvID}-*");

/// The folder of the artifact bucket with the output of review builds.
pub const REVIEW_FOLDER: NameScheme = NameScheme("review/${ProjectID}");

/// The beginning of the change sets that show the changes of a review branch. A build's ID follows.
pub const REVIEW_CHANGE_SETS: &str = "plan-";

/// The change set that compares a stack with its template.
pub const DRIFT_CHANGE_SET: &str = "drift-cfn-gitops";

/// The action that waits for a person, and its stage in a pipeline without a change set.
pub const APPROVAL: &str = "Approval";

/// The action that changes the stack, and its stage.
pub const DEPLOY: &str = "Deploy";

/// The stages with which `cfn-gitops` freezes and thaws a pipeline. The approval of one without a
/// change set is a stage in front of the other one.
pub const FROZEN_STAGES: &[&str] = &[APPROVAL, DEPLOY];

/// An event rule of a child stack, by the events that it passes. These are all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventRule {
    /// A push to the branch starts the pipeline, or invokes the function.
    Push,
    /// A push of the image starts the pipeline. Only with `ImageSource`.
    Image,
    /// A push to a review branch starts its build. Only with `Review`.
    Review,
}

impl EventRule {
    pub const ALL: [EventRule; 3] = [EventRule::Push, EventRule::Image, EventRule::Review];

    pub fn scheme(self) -> NameScheme {
        match self {
            EventRule::Push => EVENT_RULE,
            EventRule::Image => IMAGE_RULE,
            EventRule::Review => REVIEW_RULE,
        }
    }

    /// The name of the rule of the project with these `names`.
    pub fn name(self, names: &ResourceNames) -> String {
        self.scheme().of(names)
    }
}

/// The names of one project's resources in one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceNames {
    /// `EnvID`: lower-case letters and digits, so that the first hyphen of a name follows it.
    pub env_id: String,
    pub project_id: String,
}

impl ResourceNames {
    /// The names for `env_id` and `project_id`. `None` if one of them is not valid.
    pub fn new(env_id: &str, project_id: &str) -> Option<Self> {
        let fits = is_env_id(env_id)
            && PROJECT_ID.fits(project_id)
            && env_id.len() + project_id.len() <= MAX_CHARACTERS;
        fits.then(|| ResourceNames {
            env_id: env_id.to_owned(),
            project_id: project_id.to_owned(),
        })
    }

    pub fn from_stack_name(stack_name: &str) -> Option<Self> {
        STACK.parse(stack_name)
    }

    pub fn from_pipeline_name(pipeline_name: &str) -> Option<Self> {
        PIPELINE.parse(pipeline_name)
    }

    /// Parses the name of the project that builds review branches.
    pub fn from_review_project(project_name: &str) -> Option<Self> {
        REVIEW_PROJECT.parse(project_name)
    }
}

pub fn is_env_id(text: &str) -> bool {
    ENV_ID.fits(text)
}

/// The partition, region and account of an ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsLocation {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
}

impl AwsLocation {
    /// Parses an ARN. `None` if it lacks one of the fields.
    pub fn from_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.split(':');
        if parts.next() != Some("arn") {
            return None;
        }
        let partition = parts.next()?;
        let region = parts.nth(1)?;
        let account = parts.next()?;
        let is_complete = !partition.is_empty() && !region.is_empty() && !account.is_empty();
        is_complete.then(|| AwsLocation {
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
        })
    }

    pub fn role(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:role/{name}", self.partition, self.account)
    }

    /// The ARN of a service's resource in this location.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let (partition, region, account) = (&self.partition, &self.region, &self.account);
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// The address for git of a repository that CodeCommit no longer returns.
    pub fn codecommit_url(&self, repository_name: &str) -> String {
        let region = &self.region;
        let domain = dns_suffix(region);
        format!("https://git-codecommit.{region}.{domain}/v1/repos/{repository_name}")
    }

    pub fn pipeline_console(&self, pipeline_name: &str) -> String {
        let (pipeline, region) = (self.console(pipeline_name), &self.region);
        format!("{pipeline}/view?region={region}")
    }

    /// The URL of a pipeline in the console, for GitLab.
    pub fn reported_pipeline(&self, pipeline_name: &str) -> String {
        self.with_account(&self.pipeline_console(pipeline_name))
    }

    /// The URL of an execution in the console, for GitLab.
    pub fn reported_execution(&self, pipeline_name: &str, execution_id: &str) -> String {
        let pipeline = self.console(pipeline_name);
        self.with_account(&format!("{pipeline}/executions/{execution_id}/timeline"))
    }

    /// The URL of a review branch's build in the console, for GitLab.
    pub fn reported_build(&self, names: &ResourceNames, build_id: &str) -> String {
        let (account, project) = (&self.account, names.review_project());
        let build = build_id.replace(':', "%3A");
        self.with_account(&self.codesuite(&format!(
            "codebuild/{account}/projects/{project}/build/{build}"
        )))
    }

    /// A URL of the console that names the account in its fragment. A browser does not send the
    /// fragment (<https://www.rfc-editor.org/rfc/rfc3986#section-3.5>), so the console shows the
    /// same page.
    fn with_account(&self, url: &str) -> String {
        format!("{url}#{}", self.account)
    }

    fn console(&self, pipeline_name: &str) -> String {
        self.codesuite(&format!("codepipeline/pipelines/{pipeline_name}"))
    }

    fn codesuite(&self, path: &str) -> String {
        let domain = match self.partition.as_str() {
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            _ => "console.aws.amazon.com",
        };
        let region = &self.region;
        format!("https://{region}.{domain}/codesuite/{path}")
    }
}

/// Whether both are addresses of the console for one account and region, as cfn-gitops posts them
/// to GitLab. The host names the region, and the fragment begins with the account.
pub fn are_of_one_account(one: &str, other: &str) -> bool {
    let place = |url: &str| {
        let (host, path) = url.split_once("/codesuite/")?;
        let (_, fragment) = path.split_once('#')?;
        let account = fragment.split_once('/').map_or(fragment, |(it, _)| it);
        Some((host.to_owned(), account.to_owned()))
    };
    place(one).is_some_and(|it| Some(it) == place(other))
}

/// The address of the console that cfn-gitops posted to GitLab as `url`, without the attempt of an
/// action, which is not part of it.
pub fn without_attempt(url: &str) -> &str {
    let attempt = url.rsplit_once("/timeline#").and_then(|(_, it)| it.split_once('/'));
    attempt.map_or(url, |(_, attempt)| {
        url.trim_end_matches(attempt).trim_end_matches('/')
    })
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
