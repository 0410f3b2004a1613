//! A stack to compare.

use crate::common::commands::{aws, with_previous_values};
use crate::gitops_pipeline::names::ResourceNames;
use cfn_custom_resource::Command;

/// The name of the change set that an operator creates.
pub const REVERT_DRIFT: &str = "revert-drift";

/// The sentence before its command. A reference may change a resource that is as in the template:
/// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2505>.
pub const IN_SYNC: &str =
    "Read it before you execute it, because it may also change resources that have not drifted";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftTarget {
    /// The names of its pipeline's resources.
    pub names: ResourceNames,
    pub stack_name: String,
    /// The role with which CloudFormation changes it.
    pub role_arn: String,
}

impl DriftTarget {
    /// The command that creates a change set which reverts the drift. The stack has these
    /// `parameters`.
    pub fn revert_command(&self, parameters: &[String], capabilities: &[String]) -> Command {
        let option = capabilities.first().map(|_| "--capabilities");
        let command = aws([
            "cloudformation",
            "create-change-set",
            "--stack-name",
            &self.stack_name,
            "--change-set-name",
            REVERT_DRIFT,
            "--deployment-mode",
            "REVERT_DRIFT",
            "--use-previous-template",
            "--role-arn",
            &self.role_arn,
        ]);
        with_previous_values(command.with(option).with(capabilities), parameters)
    }
}
