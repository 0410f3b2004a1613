//! The names of a pipeline's resources. They depend only on the environment and the project. So
//! they are known before the resources exist, and IAM policies can match one environment's
//! resources.

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

/// The names of one project's resources in one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceNames {
    /// `EnvID`: lower-case letters and digits, so that the first hyphen of a name follows it.
    pub env_id: String,
    /// `ProjectID`
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

    /// Parses the name of a child stack.
    pub fn from_stack_name(stack_name: &str) -> Option<Self> {
        let (env_id, project_id) = stack_name.strip_prefix("gitops-")?.split_once('-')?;
        ResourceNames::new(env_id, project_id)
    }

    /// Parses the name of a pipeline.
    pub fn from_pipeline_name(pipeline_name: &str) -> Option<Self> {
        let rest = pipeline_name.strip_prefix("codepipeline-")?;
        let (env_id, project_id) = rest.split_once("-cfn-")?;
        ResourceNames::new(env_id, project_id)
    }

    /// The child stack, and the resource's physical ID.
    pub fn stack(&self) -> String {
        format!("gitops-{}-{}", self.env_id, self.project_id)
    }

    /// The repository that the child stack creates.
    pub fn repository(&self) -> String {
        format!("codecommit-{}-cfn-{}", self.env_id, self.project_id)
    }

    /// The build project.
    pub fn build_project(&self) -> String {
        format!("codebuild-{}-cfn-{}", self.env_id, self.project_id)
    }

    /// The pipeline.
    pub fn pipeline(&self) -> String {
        format!("codepipeline-{}-cfn-{}", self.env_id, self.project_id)
    }

    /// The stack that the pipeline deploys, unless a property names another one.
    pub fn deployed_stack(&self) -> String {
        format!("cfnstack-{}-{}", self.env_id, self.project_id)
    }

    /// Parses the name of the project that builds review branches.
    pub fn from_review_project(project_name: &str) -> Option<Self> {
        let rest = project_name.strip_prefix("codebuild-")?;
        let (env_id, project_id) = rest.split_once("-review-")?;
        ResourceNames::new(env_id, project_id)
    }

    /// The project that builds review branches.
    pub fn review_project(&self) -> String {
        format!("codebuild-{}-review-{}", self.env_id, self.project_id)
    }

    /// The template of the deployed stack in the build's output, unless a property names another
    /// one.
    pub fn template_path(&self) -> String {
        format!("root-stack-{}.yaml", self.project_id)
    }

    /// The change set that waits for an approval.
    pub fn change_set(&self) -> String {
        format!("changeset-{}-{}", self.env_id, self.project_id)
    }

    /// The event rule.
    pub fn event_rule(&self) -> String {
        let (env, project) = (&self.env_id, &self.project_id);
        format!("event-rule-{env}-codepipeline-exec-cfn-{project}")
    }

    /// The event rule of review branches.
    pub fn review_rule(&self) -> String {
        let (env, project) = (&self.env_id, &self.project_id);
        format!("event-rule-{env}-codepipeline-exec-rev-{project}")
    }

    /// The approval rule template.
    pub fn approval_rule_template(&self) -> String {
        format!("approval-{}-cfn-{}", self.env_id, self.project_id)
    }

    /// The function's own role.
    pub fn function_role(&self) -> String {
        format!("role-{}-cfn-gitops", self.env_id)
    }

    /// The role with which CloudFormation deploys, unless a property names another one.
    pub fn deploy_role(&self) -> String {
        format!("role-{}-codedeploy-cfn", self.env_id)
    }

    /// The role with which CloudFormation changes the child stack.
    pub fn provisioning_role(&self) -> String {
        format!("role-{}-cfn-gitops-provisioning", self.env_id)
    }
}

/// Whether `text` can be an `EnvID`.
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

    /// The ARN of a role in this account.
    pub fn role(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:role/{name}", self.partition, self.account)
    }

    /// The ARN of a service's resource in this location.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let (partition, region, account) = (&self.partition, &self.region, &self.account);
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// The URL of a pipeline in the console.
    pub fn pipeline_console(&self, pipeline_name: &str) -> String {
        let (pipeline, region) = (self.console(pipeline_name), &self.region);
        format!("{pipeline}/view?region={region}")
    }

    /// The URL of an execution in the console. Without `?region=`, the longest one has at most 255
    /// characters, which is GitLab's limit.
    pub fn execution_console(&self, pipeline_name: &str, execution_id: &str) -> String {
        let pipeline = self.console(pipeline_name);
        format!("{pipeline}/executions/{execution_id}/timeline")
    }

    /// The URL of a review branch's build in the console.
    pub fn build_console(&self, names: &ResourceNames, build_id: &str) -> String {
        let (account, project) = (&self.account, names.review_project());
        let build = build_id.replace(':', "%3A");
        self.codesuite(&format!(
            "codebuild/{account}/projects/{project}/build/{build}"
        ))
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

#[cfg(test)]
mod tests {
    use crate::gitops_pipeline::names::*;

    #[test]
    fn longest_names_are_within_their_limits() {
        let names =
            ResourceNames::new("abcdefghij", "abcdefghijklmnopqrst").expect("30 characters");
        assert_eq!(names.event_rule().len(), 64);
        assert!(names.provisioning_role().len() <= 64);
        assert!(names.stack().len() <= 128);
        assert!(names.pipeline().len() <= 100);
        assert!(names.repository().len() <= 100);
        assert!(names.approval_rule_template().len() <= 100);
        let too_long = ResourceNames::new("abcdefghij", "abcdefghijklmnopqrstu");
        assert_eq!(too_long, None);
        let longest_env = ResourceNames::new(&"e".repeat(29), "p").expect("30 characters");
        assert!(longest_env.provisioning_role().len() <= 64);
    }

    #[test]
    fn two_projects_never_share_a_name() {
        assert_eq!(ResourceNames::new("dev-a", "b"), None);
        let names = ResourceNames::new("dev", "a-b").expect("names");
        assert_eq!(ResourceNames::from_stack_name(&names.stack()), Some(names));
        let others = [
            "gitops-pipeline",
            "gitops-",
            "gitops--x",
            "Gitops-dev-x",
            "",
        ];
        for no_stack in others {
            assert_eq!(ResourceNames::from_stack_name(no_stack), None, "{no_stack}");
        }
    }

    #[test]
    fn location_is_read_from_any_arn() {
        let stack = "arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/s/id";
        let location = AwsLocation::from_arn(stack).expect("a location");
        assert_eq!(location.role("r"), "arn:aws-cn:iam::123456789012:role/r");
        let pipeline = "arn:aws-cn:codepipeline:cn-north-1:123456789012:p";
        assert_eq!(location.arn("codepipeline", "p"), pipeline);
        let console = location.pipeline_console("p");
        assert!(console.starts_with("https://cn-north-1.console.amazonaws.cn/"));
        for global in ["stack", "arn:aws:iam::123456789012:role/r"] {
            assert_eq!(AwsLocation::from_arn(global), None);
        }
    }
}
