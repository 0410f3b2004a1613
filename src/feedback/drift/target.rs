//! A stack to compare.

use std::fmt::Write;

use crate::gitops_pipeline::names::ResourceNames;

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
    pub fn revert_command(&self, parameters: &[String], capabilities: &[String]) -> String {
        let (stack_name, role_arn) = (&self.stack_name, &self.role_arn);
        let mut command = format!(
            "aws cloudformation create-change-set --stack-name {stack_name} --change-set-name \
             {REVERT_DRIFT} --deployment-mode REVERT_DRIFT --use-previous-template --role-arn {role_arn}"
        );
        if !capabilities.is_empty() {
            let _ = write!(command, " --capabilities {}", capabilities.join(" "));
        }
        if !parameters.is_empty() {
            command.push_str(" --parameters");
        }
        for parameter in parameters {
            let _ = write!(command, " ParameterKey={parameter},UsePreviousValue=true");
        }
        command
    }
}
